"""The native half of hoosh. Private: import the public modules of `hoosh` instead."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, final

from typing_extensions import Buffer

__all__ = [
    "Config",
    "SseEvent",
    "SseParser",
    "__version__",
    "body_edit",
    "body_scan",
    "cache_key",
    "error_codes",
    "sse_write",
    "tokens_count",
    "tokens_count_messages",
    "tokens_encode",
    "tokens_encoding_for_model",
]
__version__: Final[str]

def body_edit(body: Buffer, changes: list[tuple[str, Buffer | None]]) -> bytes: ...
def body_scan(body: Buffer) -> dict[str, slice[int, int, int]]: ...
def cache_key(body: Buffer, tenant: str) -> str: ...
def error_codes() -> list[tuple[str, int, str, str]]: ...

@final
class Config:
    """A whole, checked configuration, with every default filled in. Immutable; `docs/config.md` explains each key.

    Made by `Config.parse` or `Config.found`. Neither reads the environment: it is a parameter.
    """

    @classmethod
    def parse(cls, text: str, environment: dict[str, str]) -> Config:
        """Parse and check TOML text. `$NAME` in a value is looked up in `environment`.

        Raises:
            ConfigError: what is wrong, in which line, and how to mend it. Never holds a secret.
        """

    @classmethod
    def found(cls, environment: dict[str, str]) -> Config:
        """What hoosh does without a file.

        That is: local servers on their default ports, then every service whose key is in `environment`.
        """

    def describe(self) -> str:
        """The configuration in force as TOML, defaults spelled out and secrets hidden."""

    @property
    def warnings(self) -> list[str]:
        """What is odd but workable, for the operator."""

    @property
    def bind(self) -> str:
        """Address to listen on."""

    @property
    def port(self) -> int:
        """TCP port to listen on; 0 lets the system choose."""

@final
class SseEvent:
    """One event of a stream, as a browser would dispatch it. Immutable; equal when all four fields are.

    Attributes:
        event: the event type; `message` where the stream names none.
        data: the `data` lines, joined by LF. Bytes that are not UTF-8 became U+FFFD.
        id: the last event id, set by this event or one before it; empty if none did.
        retry: the reconnection time in milliseconds, if this event set it.
    """

    __match_args__: Final = ("event", "data", "id", "retry")
    def __new__(cls, event: str, data: str, id: str | None = None, retry: int | None = None) -> SseEvent: ...
    @property
    def event(self) -> str: ...
    @property
    def data(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def retry(self) -> int | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[type[SseEvent], tuple[str, str, str, int | None]]: ...

@final
class SseParser:
    """Reads an event stream (`text/event-stream`) that arrives in pieces.

    Follows the WHATWG HTML standard, section 9.2.6 "Interpreting an event stream": LF, CRLF and CR end lines, also where
    the stream is cut between them; a leading BOM, comments and unknown fields are passed over; several `data` lines are
    one text; what is not UTF-8 becomes U+FFFD. The events are the same at every split of the input, and the time is
    linear in its length. One parser belongs to one thread at a time.

    Args:
        max_line_bytes: bound of one line, without its line end. Default 8 MiB.
        max_event_bytes: bound of all lines of one event, comments too. Default 8 MiB.
    """

    def __new__(cls, *, max_line_bytes: int = ..., max_event_bytes: int = ...) -> SseParser: ...
    def feed(self, data: Buffer) -> list[SseEvent]:
        """Take the next bytes of the stream and return the events that they complete, in order.

        Raises:
            MalformedReply: a bound is broken. Events before the fault come first: if these bytes completed some, they are
                returned, and the next call raises. From then on every call raises.
        """

    def finish(self) -> int:
        """End the stream: drop the unfinished event, as the standard says, and return how many bytes it had.

        The parser is then at the beginning of a stream again; as in a browser that reconnects, the last event id and the
        reconnection time stay.

        Raises:
            MalformedReply: a bound was broken.
        """

    @property
    def last_event_id(self) -> str:
        """The last event id: what a client that reconnects sends as `Last-Event-ID`. Empty if the stream set none."""

    @property
    def retry(self) -> int | None:
        """The reconnection time in milliseconds that the stream set last; None if it set none."""

def sse_write(data: str, event: str | None, id: str | None) -> bytes: ...
def tokens_count(text: str, encoding: str | None, model: str | None) -> int: ...
def tokens_count_messages(
    messages: Sequence[Mapping[str, Any]], model: str, tools: Sequence[Mapping[str, Any]] | None
) -> tuple[int, bool]: ...
def tokens_encode(text: str, encoding: str | None, model: str | None) -> list[int]: ...
def tokens_encoding_for_model(model: str) -> Literal["cl100k_base", "o200k_base"] | None: ...
