"""What can go wrong with one answer, as data."""

import json
from dataclasses import dataclass, field, fields
from typing import Any, Self


class PlanError(ValueError):
    """A plan that cannot be carried out: an unknown field or a value of the wrong type."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The faults of one answer. They add up, except that `raw` replaces the answer whole.

    Counts of bytes are taken after chunked framing for `reset_after` and `close_after` (head included), and before it
    for `truncate` (body only). Events are counted from 0.
    """

    # When, or whether at all.
    delay_ms: int = 0
    """Wait before the head."""
    after_requests: int = 0
    """Wait before the head until so many requests have come, this one among them."""
    hold: bool = False
    """Wait before the head until `Upstream.released` is set: `POST /_fake/release`."""
    stall: str | None = None
    """`accept`: take the connection and read nothing. `head`: read the request and say nothing. `body`: go silent after
    `stall_after` events (the head alone: 0)."""
    stall_after: int = 0
    early: bool = False
    """Answer when the request's head is there, and read no more of it."""
    reset_after: int | None = None
    """TCP RST after so many bytes; 0: before the head, -1: at accept."""
    close_after: int | None = None
    """Orderly close after so many bytes, whatever the framing promised; 0: before the head."""
    truncate: int | None = None
    """Send so many bytes of the body under a framing that promises all, then close."""
    stale: str | None = None
    """Keep-alive that does not keep: `idle` closes right after the answer, `next` resets when the next request comes."""

    # How the bytes are cut.
    framing: str = "auto"
    """`length`, `chunked` or `close`; `auto` is chunked for streams and length for the rest."""
    split: int | None = None
    """Bytes per write (and per chunk), wherever that cuts: in lines, in characters."""
    split_at: int | None = None
    """One cut, behind so many bytes of the body."""
    drip_ms: int = 0
    """Pause between writes."""

    # How a stream is written.
    eol: str = "lf"
    """`lf`, `cr`, `crlf`, or `mixed`: all of them in turn."""
    no_space: bool = False
    """No space behind the colon of a field."""
    data_lines: bool = False
    """The JSON of each event takes a `data` line for each of its members."""
    dataless: bool = False
    """Before each event one that has no data."""
    odd_lines: bool = False
    """Each event has lines that say nothing: without a colon, of unknown fields, with a NUL."""
    unended: bool = False
    """The blank line behind the last event is left out."""
    bom: bool = False
    comments: bool = False
    """A comment before each event."""
    no_done: bool = False
    no_finish_reason: bool = False
    early_finish: bool = False
    """The stream begins with two events that finish, and say nothing (Gemini's)."""
    no_usage: bool = False
    dup_usage: bool = False
    """Usage in every chunk, growing, and the usage chunk twice."""
    falling_usage: bool = False
    """Usage in every chunk, less in each, before what is true."""
    usage: Any = None
    """A number, or whatever else, that stands for each count of tokens."""
    endless: bool = False
    """The second event of a stream comes again and again until the client leaves. For very many at once: a connection
    that waits takes little memory."""
    malformed_event: int | None = None
    """This event is cut in the middle of its JSON."""
    error_event: int | None = None
    """Instead of this event comes an error event, then the end."""
    error_form: str = "openai"
    """`openai`: `{"error": {...}}`, or as the dialect has it; `vllm`: `{"object": "error", ...}`; `bare`: the JSON in lines of
    its own and no event, `bare_ended`: and a blank line behind it."""
    huge_line: int | None = None
    """The first event carries so many bytes of text."""
    spoil: str | None = None
    """What becomes of some letters of the text: `utf8`: each of `SPOILT` bytes that are no UTF-8; `nul`: each `~` the
    byte 0."""

    # What is said instead.
    status: int | None = None
    """An error of this status; the protocol's own body unless `body` is given."""
    headers: dict[str, str] = field(default_factory=dict)
    """Added to the answer; an empty value takes a header away."""
    body: str | None = None
    content_type: str | None = None
    retry_after: str | None = None
    """Sent as it is; `date+N` becomes the HTTP date N seconds from now, `ms:N` the header `retry-after-ms`."""
    wrong_shape: bool = False
    html: bool = False
    empty: bool = False
    redirect: str | None = None
    garbage_head: bool = False
    raw: bytes | None = None
    """The very bytes of head and body. In JSON: a string whose characters are the bytes (Latin-1)."""
    raw_end: str = "keep"
    """After `raw`: `keep` the connection, `close`, `reset` or `stall`."""

    def __post_init__(self) -> None:
        for name, allowed in _WORDS.items():
            if getattr(self, name) not in allowed:
                raise PlanError(f"{name} is one of {', '.join(map(str, allowed))}, not {getattr(self, name)!r}")
        if self.split is not None and self.split < 1:
            raise PlanError("split is at least 1 byte")

    @property
    def at_accept(self) -> bool:
        """Whether it is carried out before a request is read."""
        return self.stall == "accept" or self.reset_after == -1

    @classmethod
    def from_fields(cls, given: Any) -> Self:
        """From a JSON object of fields."""
        if not isinstance(given, dict):
            raise PlanError("a plan is a JSON object")
        if unknown := given.keys() - _FIELDS:
            raise PlanError(f"unknown in a plan: {', '.join(sorted(unknown))}; there are {', '.join(sorted(_FIELDS))}")
        if isinstance(given.get("raw"), str):
            given = {**given, "raw": given["raw"].encode("latin-1")}
        return cls(**given)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """From the header `x-fake-plan`."""
        try:
            return cls.from_fields(json.loads(text))
        except json.JSONDecodeError as error:
            raise PlanError(f"a plan is a JSON object: {error}") from error

    @classmethod
    def from_model(cls, model: str) -> Self | None:
        """From `fake:<field>[=<JSON>][,<field>...]`; None for any other model name. A bare field means true."""
        if not model.startswith("fake:"):
            return None
        given: dict[str, Any] = {}
        for verb in model.removeprefix("fake:").split(","):
            name, _, value = verb.partition("=")
            try:
                given[name] = json.loads(value) if value else True
            except json.JSONDecodeError:
                given[name] = value  # fake:eol=crlf needs no quotes
        return cls.from_fields(given)


_FIELDS = {f.name for f in fields(Plan)}
_WORDS: dict[str, tuple[str | None, ...]] = {
    "stall": (None, "accept", "head", "body"),
    "stale": (None, "idle", "next"),
    "framing": ("auto", "length", "chunked", "close"),
    "eol": ("lf", "cr", "crlf", "mixed"),
    "spoil": (None, "utf8", "nul"),
    "error_form": ("openai", "vllm", "bare", "bare_ended"),
    "raw_end": ("keep", "close", "reset", "stall"),
}
