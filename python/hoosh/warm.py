"""Warm the cache of a running gateway: each request of a file is asked once, so that its answer is kept.

A client and nothing more: what is kept is the gateway's to say. A line of the file is a JSON object: the body of a
request (chats are told by `messages`, completions by `prompt`, embeddings by `input`), or `{"endpoint": …, "body": …}`.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import trio

from hoosh import strict
from hoosh.errors import HooshError, InvalidRequest

PATHS = {"chat": "/v1/chat/completions", "completions": "/v1/completions", "embeddings": "/v1/embeddings"}
FIELDS = {"messages": "chat", "prompt": "completions", "input": "embeddings"}
"""Which field tells which endpoint."""

TIMEOUT_SECONDS = 660.0
"""For one answer: a little more than the gateway's own default for all of an exchange."""
MOST_TRIES = 5
"""Of one request that the gateway puts off (429)."""
LONGEST_WAIT_SECONDS = 60
MOST_COMPLAINTS = 20
"""Failures that are told with their lines."""

NO_CACHE = "This server has no cache: turn it on with `enabled = true` in [cache]."


@dataclass(frozen=True, slots=True)
class Line:
    """One request, and where in the file it stands, from 1."""

    number: int
    path: str
    body: dict[str, Any]


@dataclass(slots=True)
class Summary:
    """What became of the requests so far, counted; complaints are `line N: …`, no more than 20."""

    hit: int = 0
    miss: int = 0
    shared: int = 0
    bypass: int = 0
    failed: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def done(self) -> int:
        """How many ended."""
        return self.hit + self.miss + self.shared + self.bypass + self.failed

    def __str__(self) -> str:
        kept = f"{self.miss} answered anew, {self.hit + self.shared} kept already"
        return f"{kept}, {self.bypass} not to be cached, {self.failed} failed"


def read(lines: Iterable[str]) -> Iterator[Line]:
    """The requests of a file; empty lines are passed over.

    Raises:
        InvalidRequest: a line is not one; the message names its number.

    """
    for number, text in enumerate(lines, 1):
        if text.strip():
            yield _line(number, text)


def _line(number: int, text: str) -> Line:
    try:
        given = strict.read(text)
    except ValueError as error:
        raise _wrong(number, f"is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise _wrong(number, "is not a JSON object")
    body: Any = given
    endpoint: Any = None
    if "endpoint" in given:
        body, endpoint = given.get("body"), given["endpoint"]
        if not isinstance(body, dict):
            raise _wrong(number, "names an `endpoint` and has no object as its `body`")
    else:
        endpoint = next((endpoint for name, endpoint in FIELDS.items() if name in body), None)
    path = next((path for name, path in PATHS.items() if endpoint in (name, path)), None)
    if path is None:
        raise _wrong(number, "is no request: it needs `messages`, `prompt` or `input`, or an `endpoint` with a `body`")
    # Both forms of an answer share one place in the cache, and a whole one tells plainly that it failed.
    return Line(number, path, {name: value for name, value in body.items() if name not in ("stream", "stream_options")})


def _wrong(number: int, words: str) -> InvalidRequest:
    return InvalidRequest(f"line {number} {words}.", code="invalid_value", status=400)


async def warm(
    lines: Iterable[Line],
    *,
    server: str,
    key: str | None = None,
    concurrency: int = 4,
    told: Callable[[Summary], None] = lambda summary: None,
) -> Summary:
    """Ask each request once, `concurrency` of them at a time; `told` is called after each.

    Raises:
        HooshError: the gateway has no cache, so that there is nothing to warm (`no_cache`); or there is none (`no_server`).

    """
    summary, waiting = Summary(), iter(lines)
    missing: list[HooshError] = []
    async with _client(server, key, concurrency) as http, trio.open_nursery() as nursery:

        async def work() -> None:
            for line in waiting:
                try:
                    _count(summary, line, await _ask(http, line))
                except httpx2.ConnectError as error:
                    # There is no server: whatever else is asked fails as this did.
                    words = f"Nothing answers at {server}: {error or type(error).__name__}. {summary.done} were asked."
                    stop(HooshError(words, code="no_server"))
                except httpx2.HTTPError as error:
                    _fail(summary, line, f"{server} does not answer: {error or type(error).__name__}")
                except HooshError as error:
                    stop(error)
                told(summary)

        def stop(why: HooshError) -> None:
            missing.append(why)
            nursery.cancel_scope.cancel()

        for _ in range(concurrency):
            nursery.start_soon(work)
    if missing:
        raise missing[0]
    return summary


@asynccontextmanager
async def _client(server: str, key: str | None, concurrency: int) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    limits = httpx2.Limits(max_connections=concurrency)
    base = server.rstrip("/").removesuffix("/v1")
    async with httpx2.AsyncClient(base_url=base, headers=headers, limits=limits, timeout=TIMEOUT_SECONDS) as http:
        yield http


async def _ask(http: httpx2.AsyncClient, line: Line) -> httpx2.Response:
    body, headers = strict.written(line.body), {"content-type": "application/json"}
    for _ in range(MOST_TRIES - 1):
        answer = await http.post(line.path, content=body, headers=headers)
        seconds = answer.headers.get("retry-after", "")
        worth = answer.status_code == 429 and answer.headers.get("x-should-retry") != "false"
        if not (worth and seconds.isdigit() and int(seconds) <= LONGEST_WAIT_SECONDS):
            return answer
        await trio.sleep(int(seconds))
    return await http.post(line.path, content=body, headers=headers)


def _count(summary: Summary, line: Line, answer: httpx2.Response) -> None:
    if answer.status_code != 200:
        return _fail(summary, line, _complaint(answer))
    match answer.headers.get("x-hoosh-cache"):
        case "hit":
            summary.hit += 1
        case "miss":
            summary.miss += 1
        case "shared":
            summary.shared += 1
        case "bypass":
            summary.bypass += 1
        case _:
            raise HooshError(NO_CACHE, code="no_cache")
    return None


def _complaint(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return f"status {answer.status_code}"


def _fail(summary: Summary, line: Line, words: str) -> None:
    summary.failed += 1
    if len(summary.complaints) < MOST_COMPLAINTS:
        summary.complaints.append(f"line {line.number}: {words}")
