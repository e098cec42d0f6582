"""The durable store through the port: whole processes, killed and stopped, under load."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager

import httpx2
import pytest
import trio
from tests.python.conftest import provider
from tests.upstream import answers, open_upstream

import hoosh
from hoosh import Config, store
from hoosh._stores import Place
from hoosh.asgi import Asgi
from hoosh.cli import main
from hoosh.errors import ConfigError

ROUNDS = int(os.environ.get("HOOSH_TORTURE_ROUNDS", "3"))
"""How often the server is killed under load; `make torture` does it more often."""
CALLERS = 12
REQUESTS = 60
"""So many reach the upstream before the server is killed, while others are on their way."""
BUDGET = '[[budgets]]\nname = "default"\ncapacity = {capacity}\nslice = {slice}\n'
CHAT = {"model": "fake-chat", "messages": [{"role": "user", "content": "Say hello"}], "max_tokens": 20}


def config(upstream, folder, capacity=100_000, slice=2_000):
    file = folder / "hoosh.toml"
    file.write_text(
        provider(upstream)
        + 'models = ["fake-chat"]\n'
        + BUDGET.format(capacity=capacity, slice=slice)
        + f"[storage]\npath = '{folder / 'hoosh.db'}'\n"
        + "[retry]\nmax_attempts = 1\n"
    )
    return file


@asynccontextmanager
async def served(file, *arguments):
    """`hoosh serve` as a process: (the process, its base URL). Killed if it still runs at the end."""
    command = [sys.executable, "-m", "hoosh", "serve", "--config", str(file), "--port", "0", *arguments]
    process = await trio.lowlevel.open_process(command, stderr=subprocess.PIPE)
    try:
        yield process, await address(process)
    finally:
        if process.poll() is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            await process.stderr.aclose()


async def address(process):
    """Where it says that it listens; its log may have a line before that."""
    said = b""
    with trio.fail_after(20):
        while not (found := re.search(rb"listening on (http://\S+) .*\n", said)):
            some = await process.stderr.receive_some()
            assert some, said.decode()
            said += some
    return found[1].decode()


async def stopped(process):
    """The exit code of a server that is asked to end."""
    process.send_signal(signal.SIGTERM)
    with trio.fail_after(20):
        return await process.wait()


async def gauges(url):
    async with httpx2.AsyncClient() as http:
        page = (await http.get(f"{url}/metrics")).text
    found = re.findall(r'^hoosh_budget_(\w+)_tokens\{budget="default"\} (\d+)', page, re.MULTILINE)
    return {word: int(value) for word, value in found}


async def call(http, number):
    """One caller's request: plain, a stream, or a stream that is left."""
    body = CHAT | {"stream": number % 3 > 0}
    async with http.stream("POST", "/v1/chat/completions", json=body) as answer:
        async for _ in answer.aiter_raw():
            if number % 3 == 2:
                return


async def load(url, upstream, then=lambda: None):
    """Callers who do not mind what becomes of them, until enough of their requests reached the upstream; `then` is called."""
    until = len(upstream.requests) + REQUESTS

    async def caller(http, number):
        while True:
            number += 1
            try:
                await call(http, number)
            except httpx2.HTTPError:
                await trio.sleep(0.01)

    async with httpx2.AsyncClient(base_url=url, timeout=10) as http, trio.open_nursery() as nursery:
        for number in range(CALLERS):
            nursery.start_soon(caller, http, number * 7)
        with trio.fail_after(60):
            while len(upstream.requests) < until:
                await trio.sleep(0.01)
        # While they are at it.
        then()
        nursery.cancel_scope.cancel()


def delivered(upstream):
    """Tokens that the upstream counted, of each answer that it gave whole."""
    done = [request for request in upstream.requests if request.answered_at is not None and request.method == "POST"]
    return sum(usage(answers.answer("POST", "/v1/chat/completions", request.body, ["fake-chat"])) for request in done)


def usage(answer):
    return (answer.body or answer.events[-1])["usage"]["total_tokens"]


def whole(path):
    report = store.check(path)
    assert report["problems"] == []
    return report, next(budget for budget in report["budgets"] if budget["name"] == "default")


async def test_killed_under_load_it_never_overspends(tmp_path):
    async with open_upstream() as upstream:
        file, path = config(upstream, tmp_path, capacity=30_000 * ROUNDS, slice=1_500), tmp_path / "hoosh.db"
        before = 0
        for _ in range(ROUNDS):
            async with served(file) as (process, url):
                assert (await gauges(url))["used"] >= before
                await load(url, upstream, process.kill)
                await process.wait()
            report, budget = whole(path)
            taken = budget["used"] + budget["lost"]
            assert report["holder"] is None
            assert delivered(upstream) <= taken <= budget["capacity"]
            assert budget["used"] > before
            before = budget["used"]
        assert report["crashed"] == ROUNDS

        async with served(file) as (process, url):
            await load(url, upstream)
            with trio.fail_after(10):
                while (now := await gauges(url))["reserved"]:
                    await trio.sleep(0.05)
            assert now["used"] + now["lost"] <= now["capacity"]
            assert await stopped(process) == 0
        report, after = whole(path)
        assert (after["used"], after["lost"]) == (now["used"], now["lost"]), "an orderly end loses nothing"
        assert report["crashed"] == ROUNDS
        assert delivered(upstream) <= after["used"] + after["lost"] <= after["capacity"]


async def test_a_spent_budget_stays_spent(upstream, tmp_path):
    file = config(upstream, tmp_path, capacity=400, slice=100)
    for again in (False, True):
        async with served(file) as (process, url), httpx2.AsyncClient(base_url=url) as http:
            statuses = [(await http.post("/v1/chat/completions", json=CHAT)).status_code for _ in range(40)]
            assert (200 in statuses, 429 in statuses) == (not again, True)
            assert await stopped(process) == 0
    _, budget = whole(tmp_path / "hoosh.db")
    assert budget["lost"] == 0
    assert 300 <= budget["used"] <= 400


async def test_a_second_process_is_refused(upstream, tmp_path):
    file = config(upstream, tmp_path)
    async with served(file) as (process, _):
        command = [sys.executable, "-m", "hoosh", "serve", "--config", str(file), "--port", "0"]
        second = await trio.run_process(command, capture_stderr=True, check=False)
        words = (
            f"hoosh: The store {tmp_path / 'hoosh.db'} is in use by process {process.pid} (hoosh serve). Two processes"
        )
        assert second.returncode == 1
        assert second.stderr.decode().startswith(words)
        assert second.stderr.count(b"\n") == 1


async def test_check_info_and_backup_beside_a_server(upstream, tmp_path, capsys):
    file, copy = config(upstream, tmp_path), tmp_path / "copy.db"

    def hoosh_store(*arguments):
        code = main(["store", *arguments])
        said = capsys.readouterr()
        return code, said.out + said.err

    async with served(file) as (process, url), httpx2.AsyncClient(base_url=url) as http:
        assert (await http.post("/v1/chat/completions", json=CHAT)).status_code == 200
        code, said = hoosh_store("info", "--config", str(file))
        assert (code, f"open in process {process.pid} (hoosh serve)" in said) == (0, True)
        with trio.fail_after(5):
            while store.info(tmp_path / "hoosh.db")["rows"] < 1:
                await trio.sleep(0.02)
        assert hoosh_store("backup", "--config", str(file), str(copy))[0] == 0
        code, said = hoosh_store("backup", "--config", str(file), str(copy))
        assert (code, "is there already" in said) == (1, True)
        code, said = hoosh_store("check", "--path", str(copy))
        assert (code, "All is well." in said, "1 ledger row, " in said) == (0, True, True)
    with sqlite3.connect(copy) as other:
        other.execute("UPDATE ledger SET output_tokens = output_tokens + 1")
    other.close()
    code, said = hoosh_store("check", "--path", str(copy))
    assert (code, "problem: budget default, run 1: its rows add up to" in said) == (1, True)
    code, said = hoosh_store("info", "--path", str(tmp_path / "none.db"))
    assert (code, said.startswith("hoosh: There is no store at")) == (1, True)


HOLD = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


async def test_a_store_that_fails_is_told_of_and_its_rows_wait(upstream, tmp_path, caplog):
    text = provider(upstream) + 'models = ["fake-chat"]\n'
    app = Asgi(Config.parse(text, {}), Place(str(tmp_path / "hoosh.db"), "a test"))
    async with app.running():
        hold = [sys.executable, "-c", HOLD, str(tmp_path / "hoosh.db")]
        other = await trio.lowlevel.open_process(hold, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert (await other.stdout.receive_some()).startswith(b"held")
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as http:
            assert (await http.post("/v1/chat/completions", json=CHAT)).status_code == 200
        with trio.fail_after(10):
            while "held by another program" not in caplog.text:
                await trio.sleep(0.02)
        assert app.driver.store.rows() == []
        await other.stdin.aclose()
        await other.wait()
        with trio.fail_after(10):
            while not app.driver.store.rows():
                await trio.sleep(0.02)
    assert "The store works again." in caplog.text


def test_in_process_a_store_is_kept_where_a_path_is_written(tmp_path, data_folder):
    async def answer(call):
        yield {"text": "hello", "index": 0}
        yield {"finish": "stop", "index": 0}
        yield {"usage": {"input_tokens": 3, "output_tokens": 2}}

    text = '[[providers]]\ntype = "engine"\nname = "mine"\nmodels = ["m"]\n' + BUDGET.format(capacity=5_000, slice=500)
    with hoosh.SyncGateway(text) as gateway:
        assert gateway._gateway._driver.store.path is None
    path = tmp_path / "folder" / "mine.db"
    for _ in range(2):
        gateway = hoosh.SyncGateway(text + f"[storage]\npath = '{path}'\n")
        with gateway, pytest.raises(ConfigError, match="in use by process"):
            hoosh.SyncGateway(text + f"[storage]\npath = '{path}'\n").__enter__()
        # The same object runs again.
        with gateway:
            assert gateway._gateway._driver.store.path == str(path)
    assert store.info(path)["crashed"] == 0
    assert not (tmp_path / "home").exists()


def test_closing_again_what_has_ended_is_nothing(tmp_path):
    """And an exit, which closes all that is not collected, says nothing."""
    code = f"""
import hoosh
text = '[[providers]]\\ntype = "engine"\\nname = "mine"\\nmodels = ["m"]\\n[storage]\\npath = "{tmp_path / "own.db"}"\\n'
gateway = hoosh.SyncGateway(text).start()
gateway.close()
gateway.close()
with hoosh.SyncGateway(text) as again:
    pass
again.close()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_after_a_fork_it_raises_and_the_lock_goes_with_the_parent(tmp_path):
    """In a process of its own: forking one that has threads is what must be survived."""
    script = f"""
import asyncio, os, sys
from hoosh import Config, SyncGateway
text = '[[providers]]\\ntype = "engine"\\nname = "mine"\\nmodels = ["m"]\\n[storage]\\npath = "{tmp_path}/hoosh.db"\\n'
gateway = SyncGateway(text)
gateway.__enter__()
driver = gateway._gateway._driver
if os.fork() == 0:
    try:
        driver._exchange()
    except RuntimeError as error:
        print(error, flush=True)
    try:
        driver.store.take()
    except RuntimeError as error:
        print(error, flush=True)
    sys.stdin.read()  # until told to go: the parent is gone by then
    os._exit(0)
os._exit(0)
"""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    assert process.wait(20) == 0
    said = process.stdout.readline() + process.stdout.readline()
    process.stdout.close()
    assert b"belongs to the process that forked this one" in said
    assert b"was made before a fork" in said
    # The child lives, and the store can be had.
    with hoosh.SyncGateway(f"[storage]\npath = '{tmp_path}/hoosh.db'\n"):
        pass
    process.stdin.close()


def test_the_default_place_is_the_platforms(data_folder, tmp_path):
    path = store.path_of(None)
    assert str(path).startswith(str(tmp_path))
    assert store.place(Config.parse("", {}), "x", needed=True).path == str(path)
    assert store.place(Config.parse("", {}), "x", needed=False) is None
    nothing = Config.parse('[storage]\npath = ":memory:"\n', {})
    assert store.place(nothing, "x", needed=True) is None


async def test_an_application_keeps_a_store_where_there_are_budgets(upstream, tmp_path, data_folder, monkeypatch):
    monkeypatch.setenv("HOOSH_CONFIG", str(tmp_path / "hoosh.toml"))
    for budgets, kept in (("", False), (BUDGET.format(capacity=5_000, slice=500), True)):
        (tmp_path / "hoosh.toml").write_text(provider(upstream) + budgets)
        for app, expected in ((Asgi(), kept), (Asgi(Config.parse(provider(upstream) + budgets, {})), False)):
            async with app.running():
                assert (app.driver.store.path is not None) == expected
    assert store.info(store.path_of(None))["crashed"] == 0


async def test_keys_are_noted_and_after_a_reload_too(upstream, tmp_path):
    def keyed(token):
        tokens = f'[auth]\ntokens = [{{ token = "{token}", name = "team" }}]\n'
        return Config.parse(provider(upstream) + tokens + f"[storage]\npath = '{tmp_path}/hoosh.db'\n", {})

    app = Asgi(keyed("sk-secret-one"))
    async with app.running():
        app.driver.reload(keyed("sk-secret-two"))
    with sqlite3.connect(tmp_path / "hoosh.db") as other:
        rows = other.execute("SELECT name, fingerprint FROM keys").fetchall()
    other.close()
    assert [name for name, _ in rows] == ["team", "team"]
    assert len({fingerprint for _, fingerprint in rows}) == 2
    assert b"sk-secret" not in (tmp_path / "hoosh.db").read_bytes()
