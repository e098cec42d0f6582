"""Holds what a driver got against what a case expects. Each returns the differences in words; none is well."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .load import Answer, Case
from .pattern import Pattern

Headers = Iterable[tuple[str, str]]


def check_answer(expect: Answer, status: int, headers: Headers, body: bytes) -> list[str]:
    """Differences between the answer that a caller got and the one expected."""
    wrong = [] if status == expect.status else [f"status {status}, expected {expect.status}"]
    wrong += _headers(expect.headers, headers)
    if not expect.body.matches(body):
        wrong.append(f"body\n  got      {body!r}\n  expected {expect.body.text}")
    return wrong


def check_row(expect: Mapping[str, Any] | None, row: Mapping[str, Any] | None) -> list[str]:
    """Differences between the ledger row and the one expected; None on either side: no row."""
    if expect is None or row is None:
        return [] if expect is row else [f"row {row!r}, expected {expect!r}"]
    return [
        f"row {name} is {row.get(name)!r}, expected {value!r}"
        for name, value in expect.items()
        if row.get(name) != value
    ]


def check_sent(case: Case, requests: Iterable[Any], *, as_json: bool = False) -> list[str]:
    """Differences between what the fake recorded (`Upstream.requests`) and what it should have been sent.

    `as_json`: bodies may be written differently as long as they say the same; for callers that have no bytes of their own.
    """
    got = list(requests)
    wrong = [] if len(got) == len(case.upstream) else [f"{len(got)} requests upstream, expected {len(case.upstream)}"]
    for at, (expect, request) in enumerate(zip(case.sent, got, strict=False)):
        here = f"upstream request {at}: "
        if (request.method, request.path) != (expect.method, expect.target):
            wrong.append(f"{here}{request.method} {request.path}, expected {expect.method} {expect.target}")
        wrong += [here + text for text in _headers(expect.headers, request.headers)]
        same = as_json and json.loads(request.body) == json.loads(expect.body.bytes())
        if not same and not expect.body.matches(request.body):
            wrong.append(f"{here}body\n  got      {request.body!r}\n  expected {expect.body.text}")
    return wrong


def _headers(expect: Iterable[tuple[str, Pattern]], headers: Headers) -> list[str]:
    got = {name.lower(): value for name, value in reversed(list(headers))}
    return [
        f"header {name}: {got.get(name)!r}, expected {pattern.text}"
        for name, pattern in expect
        if not pattern.matches(got[name].encode("latin-1") if name in got else None)
    ]


def neutral_events(expect: Answer) -> list[Pattern]:
    """What an in-process caller must get for an expected event stream: the JSON of each event, without the framing.

    Comments, `[DONE]` and a BOM are framing too. Patterns stay patterns.
    """
    text = expect.body.text.removeprefix("\\xef\\xbb\\xbf").replace("\\r\\n", "\\n").replace("\\r", "\\n")
    events = []
    for block in re.split(r"(?:\\n){2}", text):
        lines = [
            line.removeprefix("data:").removeprefix(" ") for line in block.split("\\n") if line.startswith("data:")
        ]
        if lines and lines != ["[DONE]"]:
            events.append(Pattern("\\n".join(lines)))
    return events
