"""`hoosh serve` as a program, under load: signals, killed upstreams, and killed engines."""

import contextlib
import json
import os
import resource
import signal
import sqlite3
import sys

import httpx2
import pytest
import trio

from tests.faults import processes
from tests.faults.reading import got
from tests.faults.soak import resident_bytes

CONFIG = """
[retry]
max_attempts = 1
[[providers]]
name = "one"
type = "openai_compatible"
base_url = "{url}/v1"
models = ["fake*"]
[[budgets]]
name = "default"
capacity = 1_000_000_000
"""
HOSTED = '[[providers]]\ntype = "python:tests.python.hosted:Apart"\nname = "apart"\n'
CHAT = {"model": "fake-chat", "messages": [{"role": "user", "content": "Say hello"}]}
CALLERS = 24


@pytest.fixture
def upstream():
    with processes.upstream() as upstream:
        yield upstream


@contextlib.contextmanager
def hoosh(tmp_path, upstream, more="", begins=None):
    file = tmp_path / "hoosh.toml"
    file.write_text(CONFIG.format(url=upstream.url) + more, encoding="utf-8")
    with processes.gateway("serve", file, begins) as process:
        yield process


def client(url):
    return httpx2.AsyncClient(base_url=url, timeout=30, limits=httpx2.Limits(max_connections=None))


class Load:
    """Callers that ask one thing after the other, whole and streamed."""

    def __init__(self, http):
        self.http, self.going = http, True
        self.answered, self.wrong, self.unanswered = 0, [], 0

    async def caller(self, at):
        while self.going:
            body = CHAT | {"stream": (self.answered + at) % 2 == 0, "seed": at}
            try:
                answer = await self.http.post("/v1/chat/completions", json=body)
            except httpx2.HTTPError:
                # Not let in: no new connection, or one that was closed before the head was read.
                self.unanswered += 1
                await trio.sleep(0.01)
                continue
            if got(answer) == (200, None):
                self.answered += 1
            elif got(answer) != (503, "draining"):
                self.wrong.append((answer.status_code, answer.text))

    @contextlib.asynccontextmanager
    async def running(self, count=CALLERS, seconds=120):
        with trio.fail_after(seconds):
            async with trio.open_nursery() as nursery:
                for at in range(count):
                    nursery.start_soon(self.caller, at)
                yield nursery
                self.going = False

    async def more(self, count):
        """So many more answers."""
        most = self.answered + count
        while self.answered < most:
            await trio.sleep(0.01)


def rows(folder):
    """The ledger as the store has it."""
    (file,) = folder.rglob("hoosh.db")
    with contextlib.closing(sqlite3.connect(file)) as store:
        return store.execute("select status, ending from ledger").fetchall()


async def test_sigterm_under_load_loses_no_request_that_was_begun(upstream, tmp_path):
    with hoosh(tmp_path, upstream) as process:
        async with client(process.url) as http:
            load = Load(http)
            async with load.running():
                await load.more(200)
                process.child.send_signal(signal.SIGTERM)
                assert await trio.to_thread.run_sync(process.child.wait, 30) == 0
    assert not load.wrong
    asked = [request for request in upstream.requests() if request["path"].endswith("/completions")]
    assert not [request for request in asked if request["cancelled"]]
    # Whatever was asked upstream was answered, and stands in the ledger.
    assert len(asked) == load.answered
    assert sorted(rows(tmp_path)) == [(200, "completed")] * load.answered


async def test_sighup_under_load_is_noticed_by_nobody(upstream, tmp_path):
    with hoosh(tmp_path, upstream) as process:
        async with client(process.url) as http:
            load = Load(http)
            async with load.running():
                for _ in range(5):
                    await load.more(30)
                    said = process.said.count("Reloaded the configuration.")
                    process.child.send_signal(signal.SIGHUP)
                    while said == process.said.count("Reloaded the configuration."):
                        await trio.sleep(0.01)
                await load.more(30)
        assert process.stop() == 0
    assert (load.wrong, load.unanswered) == ([], 0)


async def test_an_upstream_that_is_killed_ends_its_streams_alone(upstream, tmp_path):
    with processes.upstream() as doomed:
        other = f'[[providers]]\nname = "doomed"\ntype = "openai_compatible"\nbase_url = "{doomed.url}/v1"\nmodels = ["fake*"]\n'
        with hoosh(tmp_path, upstream, other) as process:
            async with client(process.url) as http:
                load, ended = Load(http), []

                async def stream():
                    body = CHAT | {"model": "doomed/fake:stall=body,stall_after=3", "stream": True}
                    ended.append(got(await http.post("/v1/chat/completions", json=body)))

                async with load.running() as nursery:
                    for _ in range(20):
                        nursery.start_soon(stream)
                    while len([one for one in doomed.requests() if one["sent"]]) < 20:
                        await trio.sleep(0.05)
                    doomed.child.kill()
                    while len(ended) < 20:
                        await trio.sleep(0.01)
                    await load.more(50)
                assert set(ended) == {(200, "upstream_truncated")}
                assert (load.wrong, load.unanswered) == ([], 0)
                answer = await http.post("/v1/chat/completions", json=CHAT | {"model": "doomed/fake-chat"})
                assert got(answer) == (503, "upstream_unavailable")  # its breaker has seen enough
            assert process.stop() == 0


def spoken(words):
    return {"model": "apart/m", "messages": [{"role": "user", "content": words}]}


async def test_an_engine_that_is_killed_ends_its_own_requests_and_comes_again(upstream, tmp_path):
    with hoosh(tmp_path, upstream, HOSTED) as process:
        async with client(process.url) as http:

            async def pid():
                answer = await http.post("/v1/chat/completions", json=spoken("pid"))
                assert answer.status_code == 200, answer.text
                return int(answer.json()["choices"][0]["message"]["content"])

            load = Load(http)
            async with load.running():
                for _ in range(3):
                    child = await pid()
                    async with http.stream(
                        "POST", "/v1/chat/completions", json=spoken("wait a b") | {"stream": True}
                    ) as answer:
                        lines = answer.aiter_lines()
                        while '"b' not in await anext(lines):
                            pass
                        os.kill(child, signal.SIGKILL)
                        rest = "\n".join([line async for line in lines])
                    assert json.loads(rest.rpartition("data: ")[2])["error"]["code"] == "upstream_error"
                    await load.more(30)
                    assert await pid() != child
            assert (load.wrong, load.unanswered) == ([], 0)
        assert process.stop() == 0


# --- descriptors: F62 --------------------------------------------------------------------------------------------------

FEW = 256
HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
"""Descriptors that a process may have here, at most."""


async def test_with_few_descriptors_idle_callers_make_room_and_it_ends_in_order(upstream, tmp_path):
    """Also before it has said what it found: the first callers come in that moment."""

    def begins():
        resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, FEW))

    with hoosh(tmp_path, upstream, HOSTED, begins) as process:
        kept = [await trio.open_tcp_stream("127.0.0.1", process.port) for _ in range(2 * FEW)]
        async with client(process.url) as http:
            load = Load(http)
            async with load.running(4):
                await load.more(40)
                # A process, which takes descriptors of the gateway.
                assert (await http.post("/v1/chat/completions", json=spoken("pid"))).status_code == 200
            assert not load.wrong
        for stream in kept:
            await stream.aclose()
        assert process.stop() == 0
    assert set(rows(tmp_path)) == {(200, "completed")}


async def test_the_limit_of_open_files_is_raised_as_far_as_it_may_be(upstream, tmp_path):
    def begins():
        resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, 2 * FEW))

    with hoosh(tmp_path, upstream, begins=begins) as process:
        kept = [await trio.open_tcp_stream("127.0.0.1", process.port) for _ in range(FEW + 50)]
        async with client(process.url) as http:
            assert (await http.post("/v1/chat/completions", json=CHAT)).status_code == 200
        for stream in kept:
            with trio.move_on_after(0.001) as waits:
                await stream.receive_some()
            assert waits.cancelled_caught, "it was closed"
            await stream.aclose()
        assert process.stop() == 0


COMMAND = """
[[providers]]
name = "two"
type = "openai_compatible"
base_url = "{url}/v1"
models = ["fake*"]
api_key = {{ command = ["{python}", "-c", "print('a-key-of-a-command')"] }}
"""


@pytest.mark.parametrize(
    "more", ["", HOSTED, COMMAND], ids=["waiting for signals", "an engine", "a credential's command"]
)
async def test_descriptors_beyond_those_that_select_takes_are_none_the_worse(upstream, tmp_path, more):
    """As after a start into a storm of callers."""

    def begins():
        resource.setrlimit(resource.RLIMIT_NOFILE, (4 * FEW + 500, HARD))
        null = os.open(os.devnull, os.O_RDONLY)
        for place in range(3, 4 * FEW):
            os.dup2(null, place)

    with hoosh(tmp_path, upstream, more.format(url=upstream.url, python=sys.executable), begins) as process:
        async with client(process.url) as http:
            asked = [
                CHAT,
                *([spoken("pid")] if more == HOSTED else []),
                *([CHAT | {"model": "two/fake-chat"}] if more == COMMAND else []),
            ]
            for body in asked:
                answer = await http.post("/v1/chat/completions", json=body)
                assert answer.status_code == 200, answer.text
        assert process.stop() == 0
    keys = [dict(one["headers"]).get("authorization") for one in upstream.requests()]
    assert ("Bearer a-key-of-a-command" in keys) == (more == COMMAND)


# --- a full disk: F47; many of one kind: F53 ------------------------------------------------------------------------------


async def test_what_a_full_disk_does_not_take_waits_and_is_stored_when_there_is_room(upstream, tmp_path):
    told = "It is asked again; what is to be stored waits"
    with hoosh(tmp_path, upstream) as process:
        async with client(process.url) as http:
            load = Load(http)
            async with load.running(4):
                await load.more(20)
                # No file of it grows from now on.
                resource.prlimit(process.child.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
                while not any(told in line for line in process.said):
                    await load.more(1)
                await load.more(20)
                assert len(rows(tmp_path)) < load.answered
                resource.prlimit(process.child.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
                while not any("The store works again." in line for line in process.said):
                    await load.more(1)
            assert (load.wrong, load.unanswered) == ([], 0)
        assert process.stop() == 0
    assert rows(tmp_path) == [(200, "completed")] * load.answered


async def test_two_hundred_twins_ask_once(upstream, tmp_path):
    twin = CHAT | {"model": "fake:delay_ms=500", "temperature": 0}
    with hoosh(tmp_path, upstream, "[cache]\nenabled = true\n") as process:
        async with client(process.url) as http:
            answers = []

            async def ask():
                answers.append(await http.post("/v1/chat/completions", json=twin))

            async with trio.open_nursery() as nursery:
                for _ in range(200):
                    nursery.start_soon(ask)
            assert {got(answer) for answer in answers} == {(200, None)}
        assert process.stop() == 0
    assert len([one for one in upstream.requests() if "delay_ms" in one["body"]]) == 1


# --- very many idle connections -----------------------------------------------------------------------------------------


SPARE = 1_200
IDLE = 20_000 if HARD == resource.RLIM_INFINITY else min(20_000, HARD - SPARE)
"""Both processes hold one end of each."""


@pytest.mark.skipif(
    "HOOSH_HEAVY" not in os.environ, reason="takes up to 21,200 descriptors in each process: `make heavy-edge`"
)
@pytest.mark.parametrize("most", [IDLE + 100, IDLE // 2], ids=["all kept", "half of them"])
async def test_twenty_thousand_idle_connections_hold_up_nobody(upstream, tmp_path, most):
    resource.setrlimit(resource.RLIMIT_NOFILE, (IDLE + SPARE, HARD))
    with hoosh(tmp_path, upstream, f"[server]\nmax_connections = {most}\n") as process:
        before = resident_bytes(process.child.pid)
        async with client(process.url) as http:
            load, kept = Load(http), []
            async with load.running(4):
                for at in range(IDLE):
                    # From four addresses, as the system is slow to find a free port where most are taken.
                    mine = f"127.0.0.{2 + at % 4}"
                    kept.append(await trio.open_tcp_stream("127.0.0.1", process.port, local_address=mine))
                    if at % 1_000 == 0:
                        await load.more(1)
                await load.more(100)
                each = (resident_bytes(process.child.pid) - before) / min(most, IDLE) / 1024
                print(f"{IDLE} opened, at most {most} kept: {each:.1f} KiB for each that is")
            assert not load.wrong
            assert not load.unanswered or most < IDLE  # one of the callers' own may have been the longest idle
            for stream in kept:
                await stream.aclose()
        assert process.stop() == 0
