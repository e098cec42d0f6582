"""How the lines of a stream's events are written: in each way that the standard allows, and in some that it does not.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

import json
from itertools import cycle, islice

from .forms import Form, Json
from .plan import Plan

SPOILT = {"~": b"\xff", "^": b"\xf0\x9f\x98", "`": b"\xed\xa0\x80", "|": b"\xc0\xaf"}
"""Letters of a text, and what `spoil=utf8` makes of them: a byte that is never UTF-8, three quarters of a character, half
of a pair, a slash that is written too long."""

_ENDS = {
    "lf": [b"\n"],
    "cr": [b"\r"],
    "crlf": [b"\r\n"],
    # A CR is never before an LF that ends a line of its own: they would be one line end.
    "mixed": [b"\n", b"\r\n", b"\r\n", b"\r", b"\r", b"\r\n", b"\n"],
}
_ODD_LINES = [
    b"no colon",
    b"unknown: field",
    b": a comment with a \0",
    b"id: with a \0",
    b"retry: soon",
    b"Data: upper case",
]


def spoilt(data: bytes, plan: Plan) -> bytes:
    """The JSON with its text spoilt, as far as the plan wants that."""
    marks = {"utf8": SPOILT, "nul": {"~": b"\0"}, None: {}}[plan.spoil]
    for mark, raw in marks.items():
        data = data.replace(mark.encode(), raw)
    return data


def written(form: Form, event: Json, data: bytes, plan: Plan, at: int) -> bytes:
    """The event, number `at` of its stream, with what stands before it."""
    if form.last is None and not form.content_type.startswith("text/event-stream"):
        return form.frame(event, data, b"\n")  # a line is all that there is
    block = form.frame(event, data, b"\n").replace(b"\r\n", b"\n")
    lines = [line for line in block.split(b"\n") if line]
    if plan.data_lines:
        lines = [piece for line in lines for piece in _by_members(line)]
    if plan.odd_lines:
        lines = [*_ODD_LINES, *lines, *_ODD_LINES]
    if plan.no_space:
        lines = [line.replace(b": ", b":", 1) for line in lines]
    before = [b": still here", b""] if plan.comments else []
    before += [b"event: ping", b"id: 7", b""] if plan.dataless else []
    own = b"\r\n" in form.frame({}, b"", b"\n")  # Google's lines end so, whatever is planned
    ends = cycle(_ENDS["crlf" if own and plan.eol == "lf" else plan.eol])
    return b"".join(line + end for line, end in zip([*before, *lines, b""], islice(ends, at % 7, None), strict=False))


def _by_members(line: bytes) -> list[bytes]:
    """The JSON of a `data` line, each member in a line of its own; any other line as it is."""
    try:
        value = json.loads(line.removeprefix(b"data: "))
    except ValueError:
        return [line]
    return [b"data: " + piece for piece in json.dumps(value, ensure_ascii=False, indent=1).encode().split(b"\n")]
