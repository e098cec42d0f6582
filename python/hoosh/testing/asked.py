"""An engine behind a gateway of its own, asked as callers ask it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from hoosh.engines.model import Health, Model
from hoosh.engines.protocol import Engine
from hoosh.errors import ConfigError, HooshError, InvalidRequest
from hoosh.sync import SyncGateway

PROVIDER = "engine"
CONFIG = """
[[providers]]
name = "{name}"
type = "engine"

[retry]
max_attempts = 1

[deadlines]
first_byte_secs = {patience}
idle_secs = {patience}
total_secs = {patience}
"""


@dataclass(frozen=True)
class Heard:
    """What a caller heard."""

    text: str
    """Its words."""
    calls: str
    """Its tool calls, as text."""
    reasons: tuple[str, ...]
    """Why it ended; of a stream each time that it did."""
    ended_last: bool
    """Whether nothing came after the end."""
    tokens: tuple[int, int] | None
    """Input and output, where they are told."""

    @property
    def said(self) -> str:
        """All that a caller would act on; empty where that is nothing but white space."""
        return (self.text + self.calls).strip()


class Asked:
    """An engine and its gateway. What does not answer is an `AssertionError` with what the engine raised."""

    def __init__(self, gateway: SyncGateway, engine: Engine, model: str, embedding_model: str) -> None:
        self._gateway, self._engine = gateway, engine
        self._model, self._embedding_model = f"{PROVIDER}/{model}", f"{PROVIDER}/{embedding_model}"

    def has(self, method: str) -> bool:
        """Whether the engine has a method."""
        return callable(getattr(self._engine, method, None))

    def ask(self, text: str, **fields: Any) -> Heard:
        """Have it answer a text: by `chat`, or where it has none by `complete`.

        Raises:
            InvalidRequest: it refuses.

        """
        if self.has("chat"):
            return self.ask_chat(_messages(text), **fields)
        asking, body = self._gateway._gateway._ask, {"model": self._model, "prompt": text, **fields}
        with told(f"asked to go on from {text[:40]!r}"):
            return _heard(self._gateway._running().call(asking, "/v1/completions", body))

    def ask_chat(self, messages: list[dict[str, Any]], **fields: Any) -> Heard:
        """Have it answer a conversation.

        Raises:
            InvalidRequest: it refuses.

        """
        with told(f"asked {str(messages[-1]['content'])[:40]!r}"):
            return _heard(self._gateway.chat(model=self._model, messages=messages, **fields))

    def stream(self, text: str, most: int | None = None, **fields: Any) -> Heard:
        """Have it chat word by word; leave after `most` chunks."""
        words, calls, last = "", "", True
        reasons: list[str] = []
        with (
            told(f"asked {text[:40]!r} as a stream"),
            self._gateway.stream(model=self._model, messages=_messages(text), **fields) as chunks,
        ):
            for chunk in islice(chunks, most):
                for choice in chunk["choices"]:
                    said = (choice["delta"].get("content") or "", _calls(choice["delta"]))
                    last = last and not (any(said) and reasons)
                    words, calls = words + said[0], calls + said[1]
                    if choice["finish_reason"]:
                        reasons.append(choice["finish_reason"])
        return Heard(words, calls, tuple(reasons), last, None)

    def embed(self, texts: list[str]) -> list[list[float]]:
        """Have it give vectors."""
        with told(f"asked for vectors of {texts!r}"):
            answer = self._gateway.embed(model=self._embedding_model, input=texts)
        return [item["embedding"] for item in answer["data"]]

    def models(self) -> list[Model] | None:
        """What it lists."""
        return self._own("models()", self._plugged.models)  # type: ignore[no-any-return]

    def health(self) -> Health | None:
        """How it says that it is."""
        return self._own("health()", self._plugged.health)  # type: ignore[no-any-return]

    def close(self) -> None:
        """End it."""
        self._own("close()", self._plugged.close)

    @property
    def unwanted(self) -> int:
        """Threads that work for nobody."""
        return self._plugged.places.unwanted  # type: ignore[no-any-return]

    @property
    def _plugged(self) -> Any:
        return self._gateway._gateway._driver.engines.plugged(PROVIDER)

    def _own(self, what: str, work: Callable[[], Any]) -> Any:
        try:
            return self._gateway._running().call(work)
        except Exception as error:
            raise AssertionError(f"{what} of the engine fails: {error!r}") from error


@contextmanager
def asked(engine: Engine, model: str, embedding_model: str, patience: int) -> Iterator[Asked]:
    """`engine` behind a gateway, which gives it `patience` seconds for an answer."""
    gateway = SyncGateway(CONFIG.format(name=PROVIDER, patience=patience))
    try:
        gateway.register(PROVIDER, engine)
    except ConfigError as error:
        raise AssertionError(error.message) from error
    with gateway:
        yield Asked(gateway, engine, model, embedding_model)


@contextmanager
def told(doing: str) -> Iterator[None]:
    """What does not answer is a failure of the test, which has what the engine raised; a refusal is for the test to judge."""
    try:
        yield
    except InvalidRequest:
        raise
    except HooshError as error:
        cause = error.__cause__ or error
        raise AssertionError(f"{doing}, the engine fails: {cause!r}") from cause


def _heard(answer: dict[str, Any]) -> Heard:
    (choice,) = answer["choices"]
    message = choice.get("message") or {"content": choice.get("text")}
    used = answer["usage"]
    tokens = (used["prompt_tokens"], used["completion_tokens"])
    return Heard(message.get("content") or "", _calls(message), (choice["finish_reason"],), True, tokens)


def _messages(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def _calls(message: dict[str, Any]) -> str:
    functions = [call["function"] for call in message.get("tool_calls") or ()]
    return "".join((function.get("name") or "") + (function.get("arguments") or "") for function in functions)
