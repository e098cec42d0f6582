"""What `hoosh serve` says at its start: where it listens, who answered, and one command to try that works."""

import json
import logging
import shlex
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from hoosh import advice
from hoosh._driver import steps
from hoosh._native import Config, Gateway, WakeQueue

LIST_SECONDS = 10
"""How long providers have to say what they have: what the core gives them."""
LAST_WORDS_SECONDS = 0.5
"""How long the end waits for a reader of what was said."""
Say = Callable[..., None]
"""Says words to whoever started it, at a level (`info` if none is named)."""


def listening(
    say: Say, config: Config, file: Path | str | None, address: str, engines: Collection[str], store: str | None = None
) -> None:
    """Say where it listens, with what, and what is odd.

    `file` is where the configuration is from, `engines` are registered, `store` is the store's file.
    """
    say(f"hoosh is listening on {address} ({file or 'no hoosh.toml: looking for what is here'})")
    if store is not None:
        say(f"  store {store}")
    if file is not None:
        for name, kind, url in config.providers:
            engine = "in this process" if name in engines else "in this process, none registered"
            say(f"  provider {name} ({kind}) {url or engine}")
    for warning in config.warnings:
        say(f"  warning: {warning}", "warn")


def found(say: Say, gateway: Gateway, config: Config, file: Path | str | None, address: str) -> None:
    """Once the providers have said what they have: say who answered, and what to try."""
    answered = dict(gateway.discovered())
    for name, _, url in config.providers:
        if name in answered:
            place = f"{name} at {url}" if url else name
            say(f"  {place} has {_counted(answered[name])}")
    model = first_model(gateway)
    if model is None:
        say(str(advice.no_models(file, len(config.providers))))
        return
    if advice.is_demonstration(model) and file is None:
        say(str(advice.only_demonstration()))
    say(trial(address, model, keyed=config.keyed))


def trial(address: str, model: str, *, keyed: bool) -> str:
    """One command to try, with a model that is there."""
    asked = question(model) if advice.is_demonstration(model) else "Hi"
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": asked}]}, ensure_ascii=False)
    key = " -H 'authorization: Bearer YOUR_KEY'" if keyed else ""
    return f"Try: curl {address}/v1/chat/completions -H 'content-type: application/json'{key} -d {shlex.quote(body)}"


def first_model(gateway: Gateway) -> str | None:
    """A model for a first question: the first one listed that can chat, by its name; the demonstration where there is no other."""
    exchange = gateway.exchange(WakeQueue(), 0)
    exchange.begin("GET", "/v1/models", [], True)
    # It asks nobody, so that its answer is among the first steps.
    while (step := exchange.next(*_now()))[0] not in (steps.REPLY, steps.DONE, steps.WAIT):
        pass
    listed = json.loads(step[3])["data"] if step[0] == steps.REPLY and step[1] == 200 else []
    exchange.caller_gone()
    return advice.first_model([str(model["id"]) for model in listed])


def question(model: str) -> str:
    """One that `model` can answer."""
    return "What is hoosh?" if advice.is_demonstration(model) else "Say hello in one short sentence."


def _counted(models: list[str]) -> str:
    return "1 model" if len(models) == 1 else f"{len(models) or 'no'} models"


class Words(Protocol):
    """A thread that writes words to the standard error, in turn with the log: a pipe that nobody reads holds up only it."""

    def say(self, words: bytes) -> bool:
        """Have them written; whether there was room for them."""

    def flush(self, seconds: float) -> None:
        """Wait until they are, for so long at most."""


class Voice(logging.Handler):
    """Words for whoever started it, on the standard error: as lines of the log where that is JSON, else as they are."""

    def __init__(self, gateway: Gateway, words: Words) -> None:
        super().__init__(logging.WARNING)
        self._gateway, self._words = gateway, words
        self._left_out = 0

    @contextmanager
    def hearing(self) -> Iterator[None]:
        """While within, say what Python's `logging` is told too, if nobody else takes it."""
        log = logging.getLogger("hoosh")
        if not log.hasHandlers():
            log.addHandler(self)
        try:
            yield
        finally:
            log.removeHandler(self)
            self._words.flush(LAST_WORDS_SECONDS)

    def __call__(self, words: str, level: str = "info") -> None:
        """Say it, without waiting; left out if too much waits for a reader already. `level`: `error`, `warn` or `info`."""
        line = self._line(words, level)
        if self._left_out:
            mark = self._line(f"{self._left_out} messages before this were left out: nobody read them.", "warn")
            line = mark + line
        self._left_out = 0 if self._words.say(line) else self._left_out + 1

    def emit(self, record: logging.LogRecord) -> None:
        """What is logged in Python."""
        self(self.format(record), "error" if record.levelno >= logging.ERROR else "warn")

    def _line(self, words: str, level: str) -> bytes:
        return bytes(self._gateway.told(level, words, *_now()))


def _now() -> tuple[int, int]:
    return time.monotonic_ns() // 1000, time.time_ns() // 1000
