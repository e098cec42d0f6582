"""`python -m tests.faults.soak --minutes 30`: mixed, faulty traffic through `hoosh serve`, watched from outside.

Callers chat, stream, leave, read slowly, send nonsense and ask models whose upstream fails in every way that it can. Each
sample says how much memory, how many descriptors and how many exchanges there are. At the end nothing may be left: no open
exchange, no upstream connection at work, no reserved token. Then SIGTERM comes under load, and every request that was begun
must get its answer. Exit code 1 if something of it does not hold.
"""

import argparse
import collections
import json
import os
import random
import signal
import tempfile
import time
from pathlib import Path

import httpx2
import trio

from tests.faults import processes
from tests.faults.upstream_table import FAULTS

CONFIG = """
[server]
max_buffered_bytes = 268_435_456
[retry]
max_attempts = 2
base_delay_ms = 5
[deadlines]
first_byte_secs = 1
idle_secs = 1
caller_stall_secs = 2
[cache]
enabled = true
max_bytes = 4_000_000
[limits]
max_concurrency = 64
[[budgets]]
name = "default"
capacity = 1_000_000_000_000
"""
PROVIDER = '[[providers]]\nname = "{name}"\ntype = "openai_compatible"\nbase_url = "{url}/{name}/v1"\nmodels = {models}\npriority = {priority}\n'
CALLERS = 24
WARM_SECONDS = 300
"""Until caches, pools and allocators have what they keep; memory is compared from then on."""
LARGEST_GROWTH = 0.10
"""Of the resident memory after warming up."""


class Load:
    """The callers, and what they got."""

    def __init__(self, url: str, seed: int) -> None:
        self.url = url
        self.dice = random.Random(seed)
        self.counts: collections.Counter[str] = collections.Counter()
        self.unanswered = 0
        """Requests that were written and got nothing: no status, no error event."""

    async def call(self, client: httpx2.AsyncClient) -> None:
        kind = self.dice.choices(
            ["whole", "stream", "fault", "faulty stream", "leaver", "slow", "embeddings", "nonsense", "cached"],
            [20, 20, 8, 8, 8, 2, 8, 4, 10],
        )[0]
        try:
            await getattr(self, "_" + kind.replace(" ", "_"))(client)
            self.counts[kind] += 1
        except httpx2.HTTPError as error:
            self.counts[f"{kind}: {error!r}"] += 1
            self.unanswered += 1

    def _body(self, model: str, **more: object) -> dict[str, object]:
        words = " ".join(
            self.dice.choice(["what", "goes", "wrong", "and", "when", "does", "it"])
            for _ in range(self.dice.randrange(4, 200))
        )
        return {"model": model, "messages": [{"role": "user", "content": words}], **more}

    async def _post(self, client: httpx2.AsyncClient, body: object, path: str = "chat/completions") -> httpx2.Response:
        return await client.post(f"{self.url}/v1/{path}", json=body)

    async def _whole(self, client: httpx2.AsyncClient) -> None:
        self.counts[str((await self._post(client, self._body("fake-chat"))).status_code)] += 1

    async def _cached(self, client: httpx2.AsyncClient) -> None:
        body = {
            "model": "fake-chat",
            "temperature": 0,
            "messages": [{"role": "user", "content": f"{self.dice.randrange(50)}"}],
        }
        await self._post(client, body | {"stream": self.dice.random() < 0.5})

    async def _embeddings(self, client: httpx2.AsyncClient) -> None:
        await self._post(client, {"model": "fake-embed", "input": ["a", "b", "c"]}, "embeddings")

    async def _nonsense(self, client: httpx2.AsyncClient) -> None:
        await client.post(
            f"{self.url}/v1/chat/completions",
            content=b'{"model": nonsense',
            headers={"content-type": "application/json"},
        )

    def _fault_model(self) -> str:
        plan = self.dice.choice(FAULTS).plan
        verbs = [name if value is True else f"{name}={json.dumps(value)}" for name, value in plan.items()]
        return f"faulty-{self.dice.randrange(8)}/fake:" + ",".join(verbs)

    async def _fault(self, client: httpx2.AsyncClient) -> None:
        await self._post(client, self._body(self._fault_model()))

    async def _faulty_stream(self, client: httpx2.AsyncClient) -> None:
        await self._read(client, self._body(self._fault_model(), stream=True))

    async def _stream(self, client: httpx2.AsyncClient) -> None:
        await self._read(client, self._body("fake-chat", stream=True))

    async def _slow(self, client: httpx2.AsyncClient) -> None:
        await self._read(client, self._body("fake-chat", stream=True), pause=0.02)

    async def _leaver(self, client: httpx2.AsyncClient) -> None:
        with trio.move_on_after(self.dice.random() * 0.05):
            await self._read(client, self._body("fake:drip_ms=20", stream=True))

    async def _read(self, client: httpx2.AsyncClient, body: object, pause: float = 0) -> None:
        async with client.stream("POST", f"{self.url}/v1/chat/completions", json=body) as answer:
            whole = b""
            async for data in answer.aiter_raw():
                whole += data
                await trio.sleep(pause)
        if answer.status_code == 200 and b"[DONE]" not in whole and b'"error"' not in whole:
            self.counts["cut"] += 1
            self.unanswered += 1


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def gauges(url: str) -> dict[str, float]:
    """Every metric without labels, and sums over labels for the rest."""
    sums: dict[str, float] = collections.defaultdict(float)
    for line in httpx2.get(f"{url}/metrics").text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            sums[name.partition("{")[0]] += float(value)
    return sums


async def run(
    hoosh: processes.Process, upstream: processes.Upstream, minutes: float, seed: int, callers: int
) -> list[str]:
    load, wrong = Load(hoosh.url, seed), []
    samples: list[tuple[float, int, int]] = []
    started = time.monotonic()
    limits = httpx2.Limits(max_connections=callers, max_keepalive_connections=callers)
    async with httpx2.AsyncClient(timeout=30, limits=limits) as client:

        async def caller() -> None:
            while time.monotonic() - started < minutes * 60:
                await load.call(client)

        async with trio.open_nursery() as nursery:
            for _ in range(callers):
                nursery.start_soon(caller)
            while time.monotonic() - started < minutes * 60:
                await trio.sleep(10)
                at = time.monotonic() - started
                samples.append((at, resident_bytes(hoosh.child.pid), descriptors(hoosh.child.pid)))
                await client.post(f"{upstream.url}/_fake/forget")
                print(
                    f"{at:6.0f} s  {samples[-1][1] / 2**20:7.1f} MiB  {samples[-1][2]:4} descriptors  {sum(load.counts.values())} calls",
                    flush=True,
                )
    await trio.sleep(4)
    wrong += left(hoosh, upstream, load, samples)
    wrong += await under_sigterm(hoosh, load)
    print(dict(load.counts))
    return wrong


def left(
    hoosh: processes.Process, upstream: processes.Upstream, load: Load, samples: list[tuple[float, int, int]]
) -> list[str]:
    """What should not be there when all is quiet."""
    wrong = held(hoosh.url)
    at_work = [request for request in upstream.requests() if not request["cancelled"] and not request.get("sent")]
    if len(at_work) > 1:
        wrong.append(f"{len(at_work)} upstream requests are still at work")
    if load.unanswered:
        wrong.append(f"{load.unanswered} calls got no whole answer and no error")
    wrong += grown([resident for at, resident, _ in samples if at >= WARM_SECONDS])
    if samples and samples[-1][2] > samples[0][2] + 2 * CALLERS:
        wrong.append(f"descriptors grew from {samples[0][2]} to {samples[-1][2]}")
    return wrong


def held(url: str) -> list[str]:
    """What a gateway still holds, though nobody asks."""
    now = gauges(url)
    quiet = ("hoosh_buffered_bytes", "hoosh_budget_reserved_tokens")
    wrong = [f"{name} is {now[name]:.0f}, and nobody asks" for name in quiet if now[name]]
    if now["hoosh_open_exchanges"] > 1:  # the one that answers this
        wrong.append(f"{now['hoosh_open_exchanges']:.0f} exchanges are open")
    return wrong


def grown(warm: list[int]) -> list[str]:
    """Whether resident memory, sampled after warming up, grew by more than it may."""
    if len(warm) < 6:
        print("memory: not judged, the run is too short")
        return []
    first, last = sum(warm[:3]) / 3, sum(warm[-3:]) / 3
    print(f"memory: {first / 2**20:.1f} MiB after warming up, {last / 2**20:.1f} MiB at the end")
    if last > first * (1 + LARGEST_GROWTH):
        return [f"memory grew from {first / 2**20:.1f} to {last / 2**20:.1f} MiB"]
    return []


async def under_sigterm(hoosh: processes.Process, load: Load) -> list[str]:
    """Streams of a second and more are in progress when the signal comes: each must end whole."""
    whole, begun, cut = 0, 0, []

    async with httpx2.AsyncClient(timeout=60) as client, trio.open_nursery() as nursery:

        async def stream() -> None:
            nonlocal whole, begun
            body = {
                "model": "fake:drip_ms=300",
                "stream": True,
                "messages": [{"role": "user", "content": "a b c d e f g h i j"}],
            }
            got = b""
            try:
                async with client.stream("POST", f"{load.url}/v1/chat/completions", json=body) as answer:
                    begun += 1
                    async for data in answer.aiter_raw():
                        got += data
                if b"[DONE]" in got:
                    whole += 1
                else:
                    cut.append(got[-200:])
            except httpx2.HTTPError as error:
                cut.append(repr(error).encode())

        for _ in range(60):
            nursery.start_soon(stream)
        with trio.move_on_after(30):
            while begun < 60:
                await trio.sleep(0.01)
        hoosh.child.send_signal(signal.SIGTERM)
    print(f"SIGTERM: {whole} of 60 streams ended whole")
    code = await trio.to_thread.run_sync(hoosh.child.wait, 40)
    return [f"cut by SIGTERM: {words!r}" for words in cut[:3]] + ([f"exit code {code}"] if code else [])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--callers", type=int, default=CALLERS)
    options = parser.parse_args()
    with processes.upstream() as upstream, tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "hoosh.toml")
        text = CONFIG + PROVIDER.format(name="good", url=upstream.url, models='["fake*"]', priority=1)
        for at in range(8):
            text += PROVIDER.format(name=f"faulty-{at}", url=upstream.url, models='["fake:*"]', priority=2)
        file.write_text(text, encoding="utf-8")
        with processes.gateway("serve", file) as hoosh:
            wrong = trio.run(run, hoosh, upstream, options.minutes, options.seed, options.callers)
    print("\n".join(f"WRONG: {words}" for words in wrong) or "nothing is left, nothing was lost")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
