"""An engine in a process of its own, as an engine of this one."""

import logging
import sys
import threading
import time
import weakref
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.to_thread

from hoosh.engines.delta import Delta
from hoosh.engines.host.calls import Call, Ended
from hoosh.engines.host.frames import BadFrame, frame
from hoosh.engines.host.process import Engine, Over, Process
from hoosh.engines.host.words import Request, delta_of, health_of, model_of, request_words
from hoosh.engines.model import Health, Model, Progress
from hoosh.engines.refused import Refused
from hoosh.engines.request import ChatRequest, CompletionRequest, EmbedRequest
from hoosh.errors import ConfigError

LOG = logging.getLogger("hoosh")

FIRST_REST_SECONDS = 1.0
"""After its second death in a row a process is left alone for so long, after each one more for twice the time."""
LONGEST_REST_SECONDS = 60.0
"""As long as the core's breaker leaves an upstream alone at most."""
HEALTH_SECONDS = 5.0
"""How long a process may take to say how it is."""


class Hosted:
    """The engine `target` (`module:Class`) in a process, which begins with the first call and again after it died.

    Its methods are those of the contract, and plain ones. It dies alone: its calls fail, and whoever asks next starts another.
    One that dies again and again rests between two lives, so that a model that cannot be computed here is not read from
    the disk all day long; the requests that are turned away meanwhile go to other providers.
    """

    def __init__(
        self,
        target: str,
        options: dict[str, Any],
        *,
        name: str | None = None,
        python: str | None = None,
        idle_seconds: float | None = None,
    ) -> None:
        if sys.platform == "win32":
            raise ConfigError("an engine in a process of its own needs a Unix system: it inherits a socket")
        try:
            frame(options)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"the options of {target} go to another process, as JSON: {error}") from error
        self._made = Engine(name or target, target, options, python, idle_seconds)
        self._lock = threading.Lock()
        self._process: Process | None = None
        self._closed = False
        self._deaths = 0
        """In a row, without an answer between."""
        self._rests_until = 0.0
        self._ending: weakref.finalize[Any, Any] | None = None

    @property
    def pid(self) -> int | None:
        """The process's, where there is one."""
        process = self._process
        return None if process is None or process.over else process.pid

    async def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Have the process answer a chat."""
        return self._speak("chat", request)

    async def complete(self, request: CompletionRequest) -> AsyncIterator[Delta]:
        """Have the process continue a text."""
        return self._speak("complete", request)

    async def embed(self, request: EmbedRequest) -> list[Any]:
        """Have the process give vectors."""
        call, vectors = self._ask("embed", request=request_words(request)), []
        try:
            while True:
                vectors.append((await call.take())["vector"])
        except Ended:
            self._answered()
            return vectors
        finally:
            call.leave()

    async def models(self) -> list[Model]:
        """What the process serves."""
        told = await self._whole(self._ask("models"))
        if not isinstance(told, list):
            raise BadFrame("models are a list")
        return [model_of(model) for model in told]

    async def load(self, model: str, progress: Progress) -> None:
        """Have the process bring a model into memory."""
        call = self._ask("load", model=model)
        try:
            while True:
                progress(*(await call.take())["progress"])
        except Ended:
            self._answered()
        finally:
            call.leave()

    async def unload(self, model: str) -> None:
        """Have the process let a model's memory go; where there is none, there is nothing to do."""
        if self.pid is not None:
            await self._whole(self._ask("unload", model=model))

    async def health(self) -> Health:
        """Whether it can be asked."""
        if rest := self._rest():
            return Health(False, f"its process died {self._deaths} times in a row; it may begin again in {rest:.0f} s")
        if self.pid is None:
            return Health(True)
        with anyio.move_on_after(HEALTH_SECONDS):
            return health_of(await self._whole(self._ask("health")))
        return Health(False, "its process does not answer")

    async def close(self) -> None:
        """End the process, and wait until it is gone."""
        with self._lock:
            self._closed, process = True, self._process
        if process is not None:
            process.close()
            await anyio.to_thread.run_sync(process.join, abandon_on_cancel=True)

    async def _speak(self, method: str, request: Request) -> AsyncIterator[Delta]:
        call = self._ask(method, request=request_words(request))
        try:
            while True:
                yield delta_of((await call.take())["said"])
        except Ended:
            self._answered()
        finally:
            call.leave()

    async def _whole(self, call: Call) -> Any:
        """The answer to a call that has one."""
        try:
            while True:
                await call.take()
        except Ended as end:
            return end.args[0]
        finally:
            call.leave()

    def _ask(self, method: str, **what: Any) -> Call:
        while True:
            try:
                return self._living().ask(method, **what)
            except Over:  # it ended this moment
                continue

    def _living(self) -> Process:
        with self._lock:
            if self._closed:
                raise RuntimeError("the engine was closed")
            if self._process is None or self._process.over:
                if rest := self._rest():
                    words = f"The engine's process died {self._deaths} times in a row. It begins again in {rest:.0f} seconds."
                    raise Refused(503, words, code="engine_restarting", retry_after=rest)
                self._process = self._begun()
            return self._process

    def _begun(self) -> Process:
        mine = weakref.ref(self)  # an engine that is dropped ends its process, which must not hold it

        def dies() -> None:
            if (engine := mine()) is not None:
                engine._dies()

        def died(why: str) -> None:
            if (engine := mine()) is not None:
                engine._died(why)

        # A few milliseconds: not worth a thread.
        process = Process(self._made, dies, died)
        if self._ending is not None:
            self._ending.detach()
        self._ending = weakref.finalize(self, process.close)
        return process

    def _rest(self) -> float:
        return max(0.0, self._rests_until - time.monotonic())

    def _answered(self) -> None:
        self._deaths = 0

    def _dies(self) -> None:
        self._deaths += 1
        doubled = FIRST_REST_SECONDS * 2.0 ** min(self._deaths - 2, 20)
        rest = 0.0 if self._deaths == 1 else min(doubled, LONGEST_REST_SECONDS)
        self._rests_until = time.monotonic() + rest

    def _died(self, why: str) -> None:
        rest = self._rest()
        again = f"after {rest:.0f} s" if rest else "with the next request"
        LOG.error("%s: its process %s; it begins again %s", self._made.name, why, again)
