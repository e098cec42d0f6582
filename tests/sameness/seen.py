"""What is compared of an answer, of a request upstream and of a row: everything but ids, times and the listener's own framing."""

import re

FRAMING = ("date", "server", "connection", "keep-alive", "transfer-encoding")
"""Headers that belong to each listener."""
TIMES = ("at_us", "first_content_us", "duration_us", "request_id")
"""Columns of a row that no two runs share."""
PROBED = 'endpoint="other"'
"""In metrics, what a connection that is kept is probed with."""
_UUID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ID = re.compile(rb'("id":\s*")[^"]*(")')
_CLOCK = re.compile(
    rb'("(?:created|created_at|expires_at|since_us|latency_ms|for_secs|retry_in_secs|remaining)":\s*)[\d.]+'
)
_BENCHED = re.compile(rb'"models":\[[^\]]*"throttled"[^\]]*\]')
"""A model that is benched for a second: whether it still is hangs on when one looks."""
_LIMITED = (
    b'"status":"limited","reason":"throttled","retry_in_secs":0',
    b'"status":"up","reason":null,"retry_in_secs":null',
)
"""The same of its provider."""
_SPENT = re.compile(r"^(\w+_seconds_(?:sum|bucket)\S* )\S+$", re.MULTILINE)


def of_answer(answer, upstream):
    """An answer as it can be compared. `upstream` is whose address stands for `UPSTREAM`."""
    headers = sorted((name, _value(name, value)) for name, value in answer.headers if name not in FRAMING)
    body = _CLOCK.sub(rb"\g<1>0", _ID.sub(rb"\g<1>ID\2", _UUID.sub(b"UUID", answer.body)))
    body = _BENCHED.sub(b'"models":[]', body.replace(upstream.url.encode(), b"UPSTREAM"))
    body = body.replace(*_LIMITED)
    if b'"latency_ms"' in body or body.startswith(b'{"providers":'):
        headers = [one for one in headers if one[0] != "content-length"]
    if (answer.header("content-type") or "").startswith("text/plain; version="):
        lines = _SPENT.sub(r"\1S", body.decode()).splitlines()
        # How soon the loop has what was just said stored is each one's own.
        body = {line for line in lines if PROBED not in line and not line.startswith("hoosh_ledger_rows_waiting ")}
        headers = [one for one in headers if one[0] != "content-length"]
    return {
        "interim": answer.interim,
        "status": answer.status,
        "headers": headers,
        "body": body,
        "whole": answer.whole,
    }


def _value(name, value):
    if name in ("x-request-id", "request-id"):
        return _UUID.sub(b"UUID", value.encode()).decode()
    if name.startswith(("x-ratelimit-reset-", "x-ratelimit-remaining-", "retry-after")):
        return "TIME"
    return value


def of_request(recorded):
    """A request that an upstream got. In which order headers come, and how names are spelled, is the client's own."""
    headers = sorted(
        (name, _UUID.sub(b"UUID", value.encode()).decode())
        for name, value in recorded.headers
        if name not in ("host", "connection") and (name, value) != ("content-length", "0")
    )
    return recorded.method, recorded.path, headers, recorded.body


def of_rows(rows):
    """The ledger's rows."""
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


def differences(one, other):
    """Where two of these differ, in words."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            f"{name}: {words}"
            for name in one.keys() | other.keys()
            for words in differences(one.get(name), other.get(name))
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [words for pair in zip(one, other, strict=True) for words in differences(*pair)]
    if isinstance(one, set) and isinstance(other, set):
        one, other = one - other, other - one
    return [] if one == other else [f"{_short(one)}\n       not {_short(other)}"]


def _short(value):
    text = repr(value)
    return text if len(text) < 1_500 else f"{text[:700]} … {text[-300:]} ({len(text)})"
