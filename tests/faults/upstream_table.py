"""What goes wrong upstream, and what the caller gets. The numbers are those of the failure modes that each row stands for.

A row is asked twice, whole and as a stream, of a provider of its own, so that no breaker of another's is in its way.
"""

from dataclasses import dataclass
from typing import Any

from tests.upstream.lines import SPOILT

SAID = "Say what goes wrong, at some length, so that there is something to cut in two. " * 12
LETTERS = "Gr\u00fc\u00dfe: \U0001f600\U0001f469\u200d\U0001f680 e\u0301 \u2028line \u2029paragraph \u0085next \ufeffmark \0nul\r\nend \ud7ff\ue000\uffff"
"""Of all lengths, with all that some readers take for the end of a line, and what only JSON can write."""
SPOILED = "a~b ^c `d |e ^"
READ = SPOILED.translate({ord(mark): raw.decode(errors="replace") for mark, raw in SPOILT.items()})
"""The same, of which some letters became bytes that are no UTF-8, as browsers read that."""

TIMEOUT = (504, "upstream_timeout")
ERROR = (502, "upstream_error")
MALFORMED = (502, "upstream_malformed")
TRUNCATED = (502, "upstream_truncated")
CREDENTIAL = (502, "upstream_credential_rejected")
THROTTLED = (429, "upstream_rate_limited")
GOOD = (200, None)


@dataclass(frozen=True)
class Fault:
    """One row."""

    name: str
    plan: dict[str, Any]
    """What the fake upstream does, as `tests.upstream.Plan` has it."""
    whole: tuple[int, str | None]
    """Status and code of an answer that is no stream."""
    stream: tuple[int, str | None]
    """The same of a stream; status 200 with a code: it began, and ended with that error as its last event."""
    attempts: int = 1
    """How often the upstream is asked, where two attempts are allowed."""
    said: str = SAID
    """The caller's words, which a good answer says back."""
    read: str | None = None
    """What its caller reads instead."""


def same(name: str, plan: dict[str, Any], got: tuple[int, str | None], attempts: int = 1, **words: str) -> Fault:
    """Whatever was asked for."""
    return Fault(name, plan, got, got, attempts, **words)


def broken(name: str, plan: dict[str, Any], code: str, attempts: int = 2) -> Fault:
    """Before a whole answer it is an error and asked again; in a stream that began it is the last event, asked once."""
    status = {"upstream_timeout": 504}.get(code, 502)
    return Fault(name, plan, (status, code), (200, code), attempts)


FAULTS = [
    same("F15 accept, then silence", {"stall": "head"}, TIMEOUT, attempts=2),
    same("F14 reset before the head", {"reset_after": 0}, ERROR, attempts=2),
    same("F27 close before the head", {"close_after": 0}, ERROR, attempts=2),
    same("F27 close inside the head", {"close_after": 20}, ERROR, attempts=2),
    # What is asked next must not meet the connection's end.
    same("F10 closed behind its answer", {"stale": "idle"}, GOOD),
    same("F10 reset at the next request", {"stale": "next"}, GOOD),
    same("F24 no HTTP", {"garbage_head": True}, MALFORMED, attempts=2),
    *(
        same(f"F17 429, Retry-After {after!r}", {"status": 429, "retry_after": after}, THROTTLED, attempts)
        for after, attempts in [
            ("0", 2),
            ("1000000000", 1),
            ("-1", 2),
            ("soon", 2),
            ("ms:5", 2),
            ("date+0", 2),
            ("", 2),
        ]
    ),
    same("F18 503", {"status": 503}, ERROR, attempts=2),
    same("F18 529", {"status": 529}, ERROR, attempts=2),
    same("F20 500", {"status": 500}, ERROR, attempts=2),
    *(same(f"F19 {status}", {"status": status}, (status, None)) for status in (400, 404, 409, 413, 422)),
    *(same(f"F19 {status}", {"status": status}, CREDENTIAL) for status in (401, 403)),
    same("F23 redirect", {"redirect": "http://127.0.0.1:1/"}, ERROR),
    same("F24 page of HTML", {"html": True}, MALFORMED, attempts=2),
    same("F24 nothing", {"empty": True}, MALFORMED, attempts=2),
    Fault("F24 another shape", {"wrong_shape": True}, MALFORMED, MALFORMED, attempts=2),
    broken("F26 silence inside the answer", {"stall": "body", "stall_after": 3}, "upstream_timeout"),
    broken("F27 cut inside the answer", {"truncate": 700, "framing": "length"}, "upstream_truncated"),
    broken("F27 cut inside a chunk", {"truncate": 700, "framing": "chunked"}, "upstream_truncated"),
    broken("F27 reset inside the answer", {"reset_after": 1000}, "upstream_truncated"),
    Fault("F35 an event of 9 MiB", {"huge_line": 9 << 20}, GOOD, (502, "upstream_malformed"), attempts=2),
    same("F28 no [DONE]", {"no_done": True}, GOOD),
    Fault(
        "F29 no finish and no [DONE]", {"no_done": True, "no_finish_reason": True}, GOOD, (200, "upstream_truncated")
    ),
    Fault("F31 an error in the stream", {"error_event": 3}, GOOD, (200, "upstream_error")),
    Fault("F31 an error in vLLM's form", {"error_event": 3, "error_form": "vllm"}, GOOD, (200, "upstream_error")),
    Fault("F31 an error before content", {"error_event": 0}, GOOD, ERROR, attempts=2),
    Fault("F33 an event that is no JSON", {"malformed_event": 3}, GOOD, (200, "upstream_malformed")),
    same("F34 lines end with CR", {"eol": "cr"}, GOOD),
    same("F34 lines end with CRLF", {"eol": "crlf", "split": 1}, GOOD, said=LETTERS),
    same("F34 a byte at a time", {"split": 1}, GOOD),
    same("F34 BOM and comments", {"bom": True, "comments": True}, GOOD),
    same("F34 lines end in every way", {"eol": "mixed"}, GOOD, said=LETTERS),
    same("F34 the same, a byte at a time", {"eol": "mixed", "split": 1, "bom": True}, GOOD, said=LETTERS),
    *(
        same(f"F34 every letter, {size} bytes at a time", {"split": size, "eol": "crlf"}, GOOD, said=LETTERS)
        for size in (1, 2, 3, 5, 7)
    ),
    same("F34 no space behind the colon", {"no_space": True}, GOOD, said=LETTERS),
    same("F34 an event has many lines of data", {"data_lines": True}, GOOD, said=LETTERS),
    same(
        "F34 the same with CR, no space, and split",
        {"data_lines": True, "no_space": True, "eol": "cr", "split": 3},
        GOOD,
        said=LETTERS,
    ),
    same("F34 events without data", {"dataless": True}, GOOD),
    same(
        "F34 events without data end in every way", {"dataless": True, "eol": "mixed", "split": 1}, GOOD, said=LETTERS
    ),
    same("F34 lines that say nothing, some with a NUL", {"odd_lines": True}, GOOD, said=LETTERS),
    same(
        "F34 the same end in every way",
        {"odd_lines": True, "no_space": True, "eol": "mixed", "split": 2},
        GOOD,
        said=LETTERS,
    ),
    # JSON has no such byte in a string: what is around it is not guessed.
    Fault("F34 a NUL in the JSON", {"spoil": "nul"}, MALFORMED, (200, "upstream_malformed"), 2, said="one ~two"),
    same("F34 the last event is cut off: the mark", {"unended": True}, GOOD),
    same("F34 the last event is cut off: the usage", {"unended": True, "no_done": True}, GOOD),
    Fault(
        "F34 the last event is cut off: the finish",
        {"unended": True, "no_done": True, "no_usage": True},
        GOOD,
        (200, "upstream_truncated"),
    ),
    same("F34 no UTF-8", {"spoil": "utf8"}, GOOD, said=SPOILED, read=READ),
    same("F34 no UTF-8, a byte at a time", {"spoil": "utf8", "split": 1}, GOOD, said=SPOILED, read=READ),
    same("F36 usage is missing", {"no_usage": True}, GOOD),
    same("F36 usage is said twice", {"dup_usage": True}, GOOD),
]
