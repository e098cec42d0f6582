"""The models of one engine: which there are, and which are in memory."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from hoosh._driver import asking, said
from hoosh._driver.handover import Signal
from hoosh._driver.places import Places
from hoosh.engines.model import Model, Progress
from hoosh.engines.protocol import Engine
from hoosh.engines.refused import Refused

LOG = logging.getLogger("hoosh")


class Loading:
    """A model on its way into memory, and who waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._over = False
        self._error: BaseException | None = None
        self._waiting: list[Signal] = []

    def end(self, error: BaseException | None) -> None:
        """It is there, or not, or nobody goes on with it; from any thread."""
        with self._lock:
            self._over, self._error = True, error
            waiting, self._waiting = self._waiting, []
        for signal in waiting:
            signal.set()

    async def wait(self) -> None:
        """Until it ended. Raises what kept it from memory."""
        with self._lock:
            signal = None if self._over else Signal()
            if signal is not None:
                self._waiting.append(signal)
        if signal is not None:
            await signal.wait()
        if isinstance(self._error, Refused):
            raise self._error
        if self._error is not None:
            raise RuntimeError(f"the model could not be loaded: {self._error!r}") from self._error


class Residence:
    """Has models loaded once, whoever asks for them, and knows who is meant by a name."""

    def __init__(self, engine: Engine, places: Places) -> None:
        self._engine, self._places = engine, places
        self.report: Callable[[list[Model]], None] | None = None
        """Told what the engine lists, whenever it lists anew."""
        self._known: list[Model] | None = None
        self._loaded: set[str] = set()
        self._loading: dict[str, Loading] = {}

    async def models(self) -> list[Model] | None:
        """What the engine lists; None where it does not. Asked once, and anew after a model came or went."""
        method = getattr(self._engine, "models", None)
        if not callable(method):
            return None
        if self._known is None:
            self._known = said.models(await asking.ask(self._places, method))
            if self.report is not None:
                self.report(self._known)
        return self._known

    async def ready(self, model: str) -> None:
        """Have `model` in memory, if it is one.

        Raises:
            Refused: there is no such model.
            Exception: what the engine raises.

        """
        listed = await self.models()
        if listed is not None and model not in (names := [one.name for one in listed]):
            words = f"There is no model '{model}' here, but {', '.join(names[:20]) or 'none at all'}."
            raise Refused(404, words, code="model_not_found", param="model")
        await self.load(model, None)

    async def load(self, model: str, progress: Progress | None) -> None:
        """Have `model` in memory, where the engine loads any; see `ready`."""
        method = getattr(self._engine, "load", None)
        while callable(method) and model not in self._loaded:
            if loading := self._loading.get(model):
                await loading.wait()
                continue
            loading = self._loading[model] = Loading()
            await self._load(model, loading, method, progress or _logged(model))
            await self.models()

    async def unload(self, model: str) -> None:
        """Let its memory go, where the engine can."""
        self._loaded.discard(model)
        self._known = None
        if callable(method := getattr(self._engine, "unload", None)):
            await asking.ask(self._places, method, model)
        await self.models()

    async def _load(self, model: str, loading: Loading, method: Any, progress: Progress) -> None:
        begun = False

        def work() -> None:
            # In a thread, and to its end though who asked first may be gone: others wait for it.
            nonlocal begun
            begun = True
            try:
                method(model, progress)
            except BaseException as error:
                self._ended(model, loading, error)
                raise
            self._loaded.add(model)
            self._ended(model, loading, None)

        try:
            if asking.is_async(method):
                await asking.ask(self._places, method, model, progress)
                self._loaded.add(model)
                self._ended(model, loading, None)
            else:
                await self._places.thread(work, wanted=True)
        except Exception as error:
            self._ended(model, loading, error)
            raise
        except BaseException:
            if not begun:  # whoever waits begins anew
                self._ended(model, loading, None)
            raise

    def _ended(self, model: str, loading: Loading, error: BaseException | None) -> None:
        self._known = None
        if self._loading.get(model) is loading:
            del self._loading[model]
        loading.end(error)


def _logged(model: str) -> Progress:
    """Tells the log, at each tenth."""
    told = -1

    def progress(done: int, whole: int) -> None:
        nonlocal told
        tenth = 10 * done // whole if whole > 0 else 0
        if tenth > told:
            told = tenth
            LOG.info("Loading %s: %d%%", model, 10 * tenth)

    return progress
