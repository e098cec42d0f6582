"""A gateway in a process of its own, before one upstream that speaks all five dialects, each as strictly as its provider."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import trio
from tests.faults.processes import gateway
from tests.upstream import Plan, Recorded, Upstream, open_upstream
from tests.upstream.mind import Asked

from . import anthropic, array, chat, completions, gemini, generate, ollama, responses
from .reply import Reply

CALLERS: dict[str, Any] = {
    "openai_chat": chat,
    "openai_responses": responses,
    "anthropic": anthropic,
    "gemini": gemini,
    "ollama": ollama,
}
FORMS: dict[str, Any] = {
    "openai_chat, completions": completions,
    "gemini, array": array,
    "ollama, generate": generate,
}
"""Callers that ask in another form of a dialect than its usual one."""
SPOKEN = CALLERS | FORMS
UPSTREAMS = {
    "openai_chat": ("openai", "gpt-5-fake"),
    "openai_responses": ("openai", "gpt-5-fake"),
    "anthropic": ("anthropic", "claude-fake"),
    "gemini": ("gemini", "gemini-3-fake"),
    "ollama": ("ollama", "llama-fake"),
}
"""The type of each provider and how its model is called."""
EMBEDDING = {"openai_chat": "fake-embed", "gemini": "gemini-embed-fake", "ollama": "llama-embed-fake"}
FAULTS = ("400", "429", "500", "error_event", "truncated", "truncated_stream")
"""A provider that fails is asked less afterwards: each of these has one of its own for each pair."""
PAIRS = [(caller, upstream) for caller in CALLERS for upstream in UPSTREAMS]
FORM_PAIRS = [(form, upstream) for form in FORMS for upstream in UPSTREAMS]
SECONDS = 20


def name(upstream: str, caller: str | None = None, fault: str | None = None) -> str:
    """Of the provider of `upstream`; of that which fails so for `caller`."""
    return f"{upstream}.{(caller or '').replace(', ', '-')}.{fault}" if fault else upstream


def _config(url: str, log: Path, more: str) -> str:
    names = [(upstream, name(upstream)) for upstream in UPSTREAMS]
    names += [(upstream, name(upstream, caller, fault)) for caller, upstream in PAIRS + FORM_PAIRS for fault in FAULTS]
    text = more.replace("{url}", url) + f'[retry]\nmax_attempts = 1\n[log]\naccess = "json"\nfile = "{log}"\n'
    for upstream, provider in names:
        kind, model = UPSTREAMS[upstream]
        models = [model, EMBEDDING[upstream]] if upstream in EMBEDDING else [model]
        text += f'[[providers]]\nname = "{provider}"\ntype = "{kind}"\ndialect = "{upstream}"\nbase_url = "{url}"\n'
        text += f'api_key = "sk-fake"\nmodels = {json.dumps(models)}\n'
    return text


@dataclass
class Exchange:
    """One request through the gateway: what the caller got, and what the upstream was asked."""

    status: int
    headers: dict[str, str]
    body: bytes
    reply: Reply | None
    """Of an answer, whole or streamed."""
    error: str | None
    """The words of an error."""
    cut: bool
    """The connection was cut in the answer."""
    upstream: Recorded | None
    record: dict[str, Any]
    """What the log says of it."""
    lost: dict[str, str]
    """The loss report: of each field what became of it."""

    @property
    def asked(self) -> Asked:
        """What the upstream was asked."""
        assert self.upstream is not None, "no upstream was asked"
        assert self.upstream.asked is not None, (
            f"the upstream refused: {self.upstream.body.decode()[:2_000]}\n{self.error}"
        )
        return self.upstream.asked

    @property
    def answer(self) -> Reply:
        """What the caller understood."""
        assert self.reply is not None, (
            f"{self.status}: {self.error}; the upstream got {self.upstream and self.upstream.body}"
        )
        return self.reply


@dataclass
class World:
    """The two processes, and a client."""

    upstream: Upstream
    token: Any
    url: str
    client: httpx2.Client
    log: Path
    read: int = 0
    """How much of the log was read."""

    def ask(self, caller: str, asked: Asked, plan: Plan | None = None) -> Exchange:
        """Asks as a caller of that dialect would."""
        spoken = SPOKEN[caller]
        return self.post(caller, spoken.path(asked), spoken.write(asked), stream=asked.stream, plan=plan)

    def post(
        self,
        caller: str,
        path: str,
        body: Any,
        *,
        stream: bool = False,
        plan: Plan | None = None,
        understand: bool = True,
    ) -> Exchange:
        """Sends a body as it is. The answer is read unless it is not to be understood."""
        spoken = SPOKEN[caller]
        before = len(self.asked())
        if plan is not None:
            self.upstream.plan(plan)
        got, cut = b"", False
        with self.client.stream("POST", self.url + path, json=body, headers=spoken.HEADERS) as response:
            try:
                for piece in response.iter_bytes():
                    got += piece
            except httpx2.RemoteProtocolError:
                cut = True
        assert self.upstream.plans_left == 0, "the plan was for this request"
        came = self.asked()[before:]
        assert len(came) <= 1, "one request is asked once"
        reply = error = None
        if response.status_code >= 400:
            error = spoken.error(json.loads(got))
        elif understand and not cut:
            reply = spoken.read_stream(got) if stream else spoken.read(json.loads(got))
        headers = dict(response.headers)
        record = self.record(headers["x-request-id"])
        told = {
            field for part in headers.get("x-hoosh-loss", "").split(";") for field in part.partition("=")[2].split(",")
        }
        said = {field for field, change in losses(record["loss"] or "").items() if change != "renamed"}
        assert told - {""} <= said, "the header says no more than the record"
        return Exchange(
            response.status_code, headers, got, reply, error, cut, came[0] if came else None,
            record, losses(record["loss"] or ""),
        )  # fmt: skip

    def asked(self) -> list[Recorded]:
        """What callers had the upstream asked; the gateway asks Ollama's servers for their models by itself."""
        return [request for request in self.upstream.requests if request.method == "POST"]

    def record(self, id_: str) -> Any:
        """The log's line of a request."""
        with self.log.open() as lines:
            lines.seek(self.read)
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                at = lines.tell()
                line = lines.readline()
                if not line.endswith("\n"):
                    lines.seek(at)
                    time.sleep(0.001)
                    continue
                self.read = lines.tell()
                record = json.loads(line)
                if record.get("request_id") == id_:
                    return record
        raise AssertionError("the log has no line of the request")

    def wait(self, request: Recorded) -> None:
        """Until the connection of `request` has ended."""

        async def closed() -> None:
            with trio.fail_after(SECONDS):
                await request.closed.wait()

        trio.from_thread.run(closed, trio_token=self.token)

    def next_after(self, before: int) -> Recorded:
        """The first request of a caller's beyond so many, as soon as it has come."""

        async def come() -> None:
            with trio.fail_after(SECONDS):
                while len(self.asked()) <= before:
                    await self.upstream.wait_for(len(self.upstream.requests) + 1)

        trio.from_thread.run(come, trio_token=self.token)
        return self.asked()[before]


_LOST = re.compile(r"(?:^|; )(renamed|emulated|clamped|approximated|dropped) (\S+?)(?= \(|;|$)")


def losses(full: str) -> dict[str, str]:
    """`dropped a (why); clamped b (0 to 1)` by field."""
    return {field: change for change, field in _LOST.findall(full)}


def answered(world: World, upstream: str, edit: Callable[[bytes], bytes], asked: Asked) -> dict[str, Any]:
    """What the upstream would answer to such a request, with its body edited: as the very bytes of a plan."""
    spoken = CALLERS[upstream]
    asked = replace(asked, model=UPSTREAMS[upstream][1])
    headers = spoken.HEADERS
    answer = httpx2.post(world.upstream.url + spoken.path(asked), json=spoken.write(asked), headers=headers)
    assert answer.status_code == 200, answer.text
    body = edit(answer.content)
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {answer.headers['content-type']}\r\nconnection: close\r\n\r\n"
    return {"raw": head.encode() + body, "raw_end": "close"}


@contextmanager
def open_world(folder: Path, more: str = "") -> Iterator[World]:
    """The upstream in a thread, the gateway in a process. `more` of its configuration, in which `{url}` is the upstream's."""
    started: Any = {}
    ready = threading.Event()

    async def serve() -> None:
        async with open_upstream(key=None, strict=True) as upstream:
            started.update(upstream=upstream, token=trio.lowlevel.current_trio_token(), stop=trio.Event())
            ready.set()
            await started["stop"].wait()

    thread = threading.Thread(target=trio.run, args=(serve,), daemon=True)
    thread.start()
    assert ready.wait(SECONDS)
    try:
        file, log = folder / "hoosh.toml", folder / "log"
        log.touch()
        file.write_text(_config(started["upstream"].url, log, more))
        with gateway("serve", file) as process, httpx2.Client(timeout=SECONDS) as client:
            yield World(started["upstream"], started["token"], process.url, client, log)
    finally:
        trio.from_thread.run_sync(started["stop"].set, trio_token=started["token"])
        thread.join(SECONDS)
