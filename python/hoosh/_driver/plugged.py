"""An engine object, written by somebody else, as the function that the driver calls."""

import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import anyio

from hoosh._driver import asking, said
from hoosh._driver.engine import EngineCall
from hoosh._driver.hooks import apart
from hoosh._driver.kinds import METHODS, concurrency
from hoosh._driver.places import Places
from hoosh._driver.residence import Residence
from hoosh._driver.speech import Speech
from hoosh.engines.delta import Usage
from hoosh.engines.model import Health, Model, Progress
from hoosh.engines.protocol import Engine
from hoosh.engines.refused import Refused
from hoosh.engines.request import (
    Cancelled,
    ChatRequest,
    CompletionRequest,
    EmbedRequest,
    chat_requests,
    completion_requests,
    embed_request,
)
from hoosh.errors import RequestError

CLOSE_SECONDS = 5
"""How long an engine has to close: what takes longer is left behind."""


class Plugged:
    """An engine and what is known of it. It holds nothing of an exchange between two calls."""

    def __init__(self, name: str, engine: Engine) -> None:
        self.name, self.engine = name, engine
        self.places = Places(concurrency(engine))
        self._residence = Residence(engine, self.places)
        self._doubted = False
        """Whether it failed or was silent until nobody waited any more, and has not been well since."""
        self._closed = False
        self._active = 0
        self._quiet: anyio.Event | None = None

    async def __call__(self, call: EngineCall) -> None:
        """Answer `call`.

        Raises:
            Refused: it does not answer.
            Exception: whatever the engine raises, or says wrongly.

        """
        cancelled = Cancelled()
        self._active += 1
        try:
            await self._answer(call, cancelled)
        except Refused as refused:
            self._doubted |= refused.status >= 500
            raise
        except RequestError:
            raise
        except Exception as error:
            self._doubted = True
            note = f"in engine {self.name!r} ({type(self.engine).__qualname__}), asked for {call.endpoint}"
            if note not in getattr(error, "__notes__", ()):  # an error may be raised again
                error.add_note(note)
            raise
        except BaseException:
            # Nobody wants it any more: of one that was silent until then it is not known whether it ever answers.
            self._doubted |= not call.begun
            raise
        finally:
            cancelled.set()
            self._active -= 1
            if self._active == 0 and self._quiet is not None:
                self._quiet.set()

    def report_to(self, report: Callable[[list[Model]], None]) -> None:
        """Have `report` told what it serves, whenever it says so anew."""
        self._residence.report = report

    async def models(self) -> list[Model] | None:
        """What it serves; None where it does not say. Raises what the engine raises."""
        return await self._residence.models()

    async def list_models(self) -> None:
        """Have it say what it serves, if it does, and the log told where it fails: it is asked again with the next request."""
        try:
            await self.models()
        except Exception:
            asking.LOG.exception("Engine %s does not say its models", self.name)

    async def health(self) -> Health | None:
        """How it says that it is; None where it does not say. Raises what the engine raises."""
        method = getattr(self.engine, "health", None)
        return said.health(await asking.ask(self.places, method)) if callable(method) else None

    async def load(self, model: str, progress: Progress | None = None) -> None:
        """Have `model` in memory. Raises what the engine raises."""
        await self._residence.load(model, progress)

    async def unload(self, model: str) -> None:
        """Let its memory go, where the engine can. Raises what the engine raises."""
        await self._residence.unload(model)

    async def aclose(self) -> None:
        """End it, once its calls are over. Once is enough."""
        while self._active:
            self._quiet = anyio.Event()
            await self._quiet.wait()
        closed, self._closed = self._closed, True
        if not closed:
            with anyio.move_on_after(CLOSE_SECONDS):
                try:
                    await self.close()
                except Exception:
                    asking.LOG.exception("Engine %s did not close in order", self.name)

    async def close(self) -> None:
        """Have it close, if it can. Raises what the engine raises."""
        if callable(close := getattr(self.engine, "close", None)):
            # Not in one of its places, which calls may hold that never come back.
            await asking.ask(Places(None), close)

    async def _answer(self, call: EngineCall, cancelled: Cancelled) -> None:
        self.places.check()
        method = self._method(call.endpoint)
        body = await apart(len(call.body), _read, call.body)
        await self._be_well()
        await self._residence.ready(body["model"])
        if call.endpoint == "embeddings":
            await self._embed(call, method, embed_request(body, cancelled))
            return
        requests: Sequence[ChatRequest | CompletionRequest] = (
            chat_requests(body, cancelled) if call.endpoint == "chat" else completion_requests(body, cancelled)
        )
        used = [await self._speak(call, method, request) for request in requests]
        if all(usage is not None for usage in used):
            named = [usage for usage in used if usage is not None]
            # A prompt with several answers is read once.
            await call.usage(max(u.input_tokens for u in named), sum(u.output_tokens for u in named))

    def _method(self, endpoint: str) -> Callable[..., Any]:
        method = getattr(self.engine, METHODS.get(endpoint, ""), None)
        if callable(method):
            return method  # type: ignore[no-any-return]
        offered = [name for name, has in METHODS.items() if callable(getattr(self.engine, has, None))]
        words = f"This model does not answer {endpoint}; it answers {' and '.join(offered)}."
        raise Refused(404, words, code="endpoint_not_supported")

    async def _be_well(self) -> None:
        """Where it is doubted, ask how it is before it is asked anything else."""
        health = await self.health() if self._doubted else None
        if health is not None and not health.ok:
            raise Refused(503, f"The engine is not well: {health.words or 'it does not say why'}", code="unhealthy")
        self._doubted = False

    async def _embed(self, call: EngineCall, method: Callable[..., Any], request: EmbedRequest) -> None:
        if not request.inputs:
            raise Refused(400, "'input' is empty.", code="invalid_value", param="input")

        def checked(given: object) -> list[list[float]]:
            return said.vectors(given, len(request.inputs), request.dimensions)

        # What it gives back may be a generator that works when it is read: in the same thread.
        if asking.is_async(method):
            made = await asking.ask(self.places, method, request)
            vectors = await self.places.thread(checked, made)
        else:
            made = await self.places.thread(lambda: _unless_awaitable(method(request), checked))
            vectors = checked(await made) if inspect.isawaitable(made) else made
        for index, vector in enumerate(vectors):
            await call.embedding(index, vector)

    async def _speak(
        self, call: EngineCall, method: Callable[..., Any], request: ChatRequest | CompletionRequest
    ) -> Usage | None:
        """Have one answer said; what the engine says that it used."""
        request = replace(request, cancelled=Cancelled())
        speech = Speech(call, request)
        try:
            await asking.each(self.places, method, request, speech.take)
        finally:
            request.cancelled.set()
        await speech.end()
        return speech.usage


def _read(body: bytes) -> dict[str, Any]:
    """The request.

    Raises:
        Refused: Python cannot hold its numbers.

    """
    try:
        made: dict[str, Any] = json.loads(body)
        return made
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"The request cannot be read: {error}.", code="invalid_value") from error


def _unless_awaitable(made: object, checked: Callable[[object], object]) -> object:
    return made if inspect.isawaitable(made) else checked(made)
