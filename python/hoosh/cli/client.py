"""A hoosh that runs elsewhere, asked over HTTP in the words of `hoosh.Gateway`."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from types import TracebackType
from typing import Any

import httpx2

from hoosh import sse, strict
from hoosh.cli.output import Complaint, shown
from hoosh.errors import HooshError, from_code

Json = dict[str, Any]

CONNECT_SECONDS = 5
JSON = {"content-type": "application/json"}
ANSWER_SECONDS = 600
"""How long an answer may take: `total_secs` of a gateway as it comes."""


class Server:
    """A running gateway.

    Args:
        url: where it listens: `http://host:port`, with or without `/v1`.
        key: one of its `[auth] tokens`, where it has some.

    """

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = (url if "://" in url else f"http://{url}").rstrip("/").removesuffix("/v1")
        self.keyed = key is not None
        if key is not None and not (key.isascii() and key.isprintable()):
            raise Complaint(
                "The key holds a character that no key has: keys are visible ASCII. See --key and $HOOSH_KEY."
            )
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        try:
            self._http = httpx2.AsyncClient(
                base_url=self.url, headers=headers, timeout=httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
            )
        except (httpx2.InvalidURL, ValueError) as error:
            raise Complaint(f"The server's address is none: {error}. Write it as http://HOST:PORT.") from error
        where = self._http.base_url
        if where.scheme not in ("http", "https") or not where.host or not 0 < (where.port or 80) < 1 << 16:
            raise Complaint(f"{shown(url)} is no address of a server. Write it as http://HOST:PORT.")

    async def __aenter__(self) -> "Server":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def chat(self, **fields: Any) -> Json:
        """`POST /v1/chat/completions`: the whole answer."""
        return await self.post("/v1/chat/completions", fields)

    async def models(self) -> list[Json]:
        """`GET /v1/models`."""
        data: list[Json] = (await self.get("/v1/models", holds="data"))["data"]
        return data

    async def capabilities(self) -> list[Json]:
        """`GET /v1/providers`."""
        providers: list[Json] = (await self.get("/v1/providers", holds="providers"))["providers"]
        return providers

    async def explain(self, question: Json) -> Json:
        """`POST /v1/explain`."""
        return await self._ask("POST", "/v1/explain", question, (), "outcome")

    async def listed(self) -> None:
        """Nothing to wait for: a server that runs knows what its providers have."""

    async def get(self, path: str, also: tuple[int, ...] = (), holds: str | None = None) -> Json:
        """What `path` answers; `also` are statuses that are no failure there, `holds` a field without which it is not hoosh's."""
        return await self._ask("GET", path, None, also, holds)

    async def post(self, path: str, body: Json) -> Json:
        """What `path` answers to `body`."""
        return await self._ask("POST", path, body, (), None)

    @asynccontextmanager
    async def stream(self, **fields: Any) -> AsyncIterator[AsyncIterator[Json]]:
        """`POST /v1/chat/completions` as a stream of its chunks."""
        begun = False
        try:
            sent = _sent({**fields, "stream": True})
            request = self._http.stream("POST", "/v1/chat/completions", content=sent, headers=JSON)
            async with request as answer:
                if answer.status_code != 200:
                    raise self._failure(answer, await answer.aread())
                if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                    raise self._foreign(answer)
                begun = True
                async with aclosing(self._chunks(answer)) as chunks:
                    yield chunks
        except httpx2.TransportError as error:
            raise (_broken_off() if begun else self._unreachable(error)) from error

    async def _chunks(self, answer: httpx2.Response) -> AsyncGenerator[Json, None]:
        parser = sse.Parser()
        async with aclosing(answer.aiter_bytes()) as pieces:
            async for data in pieces:
                for event in parser.feed(data):
                    if event.data == "[DONE]":
                        return
                    try:
                        chunk: Any = json.loads(event.data)
                    except (ValueError, RecursionError) as error:
                        raise self._foreign(answer) from error
                    if not isinstance(chunk, dict):
                        raise self._foreign(answer)
                    if "error" in chunk:
                        raise self._failure(answer, event.data.encode())
                    yield chunk
        raise _broken_off()

    async def _ask(self, method: str, path: str, body: Json | None, also: tuple[int, ...], holds: str | None) -> Json:
        try:
            if body is None:
                answer = await self._http.request(method, path)
            else:
                answer = await self._http.request(method, path, content=_sent(body), headers=JSON)
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error
        if answer.status_code != 200 and answer.status_code not in also:
            raise self._failure(answer, answer.content)
        try:
            said: Any = answer.json()
        except (ValueError, RecursionError) as error:
            raise self._foreign(answer) from error
        if not isinstance(said, dict) or (holds is not None and holds not in said):
            raise self._foreign(answer)
        return said

    def _failure(self, answer: httpx2.Response, body: bytes) -> HooshError | Complaint:
        try:
            error = json.loads(body)["error"]
            message, code = shown(str(error["message"])), shown(str(error.get("code") or "error"))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return self._foreign(answer)
        status = answer.status_code if answer.status_code >= 400 else 502
        return from_code(code, status, message, request_id=answer.headers.get("x-request-id"))

    def _foreign(self, answer: httpx2.Response) -> Complaint:
        # Nothing of it is quoted: it may be a page, or anything.
        return self._not_hoosh(f"status {answer.status_code}")

    def _not_hoosh(self, how: str) -> Complaint:
        words = f"{self.url} does not answer as hoosh does ({how}). Is it hoosh that listens there?"
        return Complaint(f"{words} Name another with --server.")

    def _unreachable(self, error: httpx2.TransportError) -> Complaint:
        if isinstance(error, httpx2.RemoteProtocolError):  # whose words quote what came
            return self._not_hoosh("no HTTP")
        why = str(error) or type(error).__name__
        words = f"Nothing answers at {self.url}: {why}. Start it with `hoosh serve`, or name another with --server."
        return Complaint(words)


def _sent(body: Json) -> bytes:
    try:
        return strict.written(body)
    except ValueError as error:
        raise Complaint(f"The request cannot be sent: {shown(str(error))}.") from error


def _broken_off() -> HooshError:
    return from_code("upstream_truncated", 502, "The server broke off in the middle of its answer.")
