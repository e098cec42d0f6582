"""Callers that never read a long answer, many at once, before `hoosh serve` as a program (T30)."""

import contextlib
import json
import os
import resource
import socket
from dataclasses import dataclass

import httpx2
import pytest
import trio

from tests.faults import processes
from tests.faults.reading import got
from tests.faults.soak import gauges, resident_bytes
from tests.faults.test_edge_process import CHAT, HARD, Load, client, hoosh, rows

EACH = 256 << 10
"""The most that hoosh may hold for one of them, bytes."""
BESIDE = 8 << 20
"""What others who are served take meanwhile."""
MODEL = "fake:hold,endless"
COUNTED = CHAT | {"model": "fake:no_usage", "stream": True, "stream_options": {"include_usage": True}}
BODY = json.dumps({"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "Never end"}]}).encode()
REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n" % len(BODY)
) + BODY
DEADLINES = "[deadlines]\nfirst_byte_secs = 600\nconnect_secs = 60\ncaller_stall_secs = {}\n"
SECONDS = 500
"""Nothing is judged by it; a machine that needs longer does not work."""


async def caller(port, at):
    """A caller whose system, too, holds little: else the kernel has megabytes for each of them."""
    sock = trio.socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1024)
    await sock.bind((f"127.0.0.{2 + at % 4}", 0))
    await sock.connect(("127.0.0.1", port))
    await trio.SocketStream(sock).send_all(REQUEST)
    return sock


class Flood:
    """What the upstream knows of them."""

    def __init__(self, upstream):
        self.upstream = upstream

    async def asked(self):
        requests = await trio.to_thread.run_sync(self.upstream.requests)
        return [one for one in requests if MODEL in one["body"]]

    async def until(self, true, count):
        """Until so many of their requests are so."""
        while len([one for one in await self.asked() if true(one)]) < count:
            await trio.sleep(0.1)

    async def release(self):
        await trio.to_thread.run_sync(lambda: httpx2.post(f"{self.upstream.url}/_fake/release"))


class Watch:
    """The most memory that a process had, beyond what it had at first."""

    def __init__(self, pid):
        self.pid, self.before, self.most = pid, resident_bytes(pid), 0

    async def run(self):
        while True:
            self.most = max(self.most, resident_bytes(self.pid) - self.before)
            await trio.sleep(0.01)


async def cut(sock):
    """Until the connection was reset, whose bytes stay unread."""
    while not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        await trio.sleep(0.05)
    sock.close()


@dataclass
class Outcome:
    """What became of all."""

    count: int
    memory: int
    """The most that hoosh had beside what it had before, bytes."""
    answered: int
    """Requests of others, who read."""
    wrong: list[tuple[int, str]]
    unanswered: int
    endings: list[str]
    """Of all rows of the ledger."""


async def never_reading(folder, count, stall_secs):
    """Returns only when the upstream of each of them was stopped, and its own connection reset."""
    with processes.upstream() as upstream, hoosh(folder, upstream, DEADLINES.format(stall_secs)) as process:
        flood = Flood(upstream)
        async with client(process.url) as http, trio.open_nursery() as nursery:
            load = Load(http)
            async with load.running(4, SECONDS):
                # Its tokens are counted, as theirs will be, and it waits for that.
                assert got(await http.post("/v1/chat/completions", json=COUNTED)) == (200, None)
                await load.more(200)
                watch = Watch(process.child.pid)
                nursery.start_soon(watch.run)
                stuck = [await caller(process.port, at) for at in range(count)]
                await flood.until(lambda one: True, count)
                assert gauges(process.url)["hoosh_open_exchanges"] >= count
                await load.more(50)
                # All of them begin at once, and none was cut before.
                await flood.release()
                await flood.until(lambda one: one["sent"], count)
                await load.more(50)
                await flood.until(lambda one: one["cancelled"], count)
                for sock in stuck:
                    await cut(sock)
                await load.more(50)
            nursery.cancel_scope.cancel()
        assert process.stop() == 0
    print(f"{count} never read: {watch.most / count / 1024:.0f} KiB for each")
    endings = [ending for _, ending in rows(folder)]
    return Outcome(count, watch.most, load.answered, load.wrong, load.unanswered, endings)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((50, 5), id="fifty"),
        pytest.param(
            (2_000, 20), id="two_thousand",
            marks=pytest.mark.skipif("HOOSH_HEAVY" not in os.environ, reason="2,000 streams: `make heavy-edge`"),
        ),
    ],
)  # fmt: skip
def outcome(request, tmp_path_factory):
    count, stall_secs = request.param

    async def run():
        with trio.fail_after(SECONDS):
            return await never_reading(tmp_path_factory.mktemp("never"), count, stall_secs)

    with open_files(3 * count):
        return trio.run(run)


@contextlib.contextmanager
def open_files(count):
    """So many may be open here, and in the upstream."""
    before, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before, min(count, HARD)), HARD))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, HARD))


def test_callers_that_never_read_are_cut_and_others_served_beside_them(outcome):
    assert (outcome.wrong, outcome.unanswered) == ([], 0)
    assert outcome.answered > 300
    assert outcome.endings.count("caller_gone") == outcome.count
    assert outcome.endings.count("completed") == outcome.answered + 1
    assert len(outcome.endings) == outcome.count + outcome.answered + 1


def test_callers_that_never_read_take_little_memory_each(outcome):
    assert outcome.memory < outcome.count * EACH + BESIDE
