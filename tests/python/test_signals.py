"""What signals do while a key command runs: at the start, and during a reload."""

import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trio.testing
from tests.python.test_credential import gone

from hoosh import _early
from hoosh.server import Reloads

SCRIPT = "sleep 777 & echo $! > child; while [ -e slow ]; do sleep 0.02; done; kill $!; echo key"
TEXT = f"""
[server]
port = 0
[[providers]]
type = "openai_compatible"
base_url = "http://127.0.0.1:9"
models = ["m"]
api_key = {{ command = ["sh", "-c", "{SCRIPT}"] }}
"""


@asynccontextmanager
async def started(folder, before=()):
    """`hoosh serve` in `folder`, behind the command `before`: gives (the process, a function that reads what it says until these words)."""
    (folder / "hoosh.toml").write_text(TEXT)
    async with trio.open_nursery() as nursery:
        run = partial(trio.run_process, [*before, sys.executable, "-m", "hoosh", "serve"], cwd=folder, check=False)
        process = await nursery.start(partial(run, stderr=subprocess.PIPE))
        said = bytearray()

        async def until(words):
            while words not in said:
                said.extend(more := await process.stderr.receive_some())
                assert more, said
            before, _, said[:] = bytes(said).partition(words)
            return before

        try:
            with trio.fail_after(30):
                yield process, until
        finally:
            (folder / "slow").unlink(missing_ok=True)
            process.kill()
            nursery.cancel_scope.cancel()


async def runs(folder):
    """The command has begun."""
    child = folder / "child"
    while not child.exists() or not child.read_text().endswith("\n"):
        await trio.sleep(0.01)


async def reloading(folder, process, until):
    """Have it started, and in the middle of a reload."""
    await until(b"Try: ")
    (folder / "child").unlink()
    (folder / "slow").touch()
    process.send_signal(signal.SIGHUP)
    await runs(folder)


async def rest(process):
    said = b""
    while more := await process.stderr.receive_some():
        said += more
    return said


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
async def test_a_start_ends_at_once_without_a_word_and_the_command_with_it(number, code, tmp_path):
    (tmp_path / "slow").touch()
    async with started(tmp_path) as (process, _):
        await runs(tmp_path)
        process.send_signal(number)
        assert await rest(process) == b""
        assert await process.wait() == code
        assert gone(tmp_path / "child")


@pytest.mark.parametrize("before", [(), ("sh", "-c", "trap '' HUP; exec \"$@\"", "nohup")], ids=["alone", "nohup"])
async def test_a_reload_that_is_asked_for_during_the_start_is_done_after_it(before, tmp_path):
    (tmp_path / "slow").touch()
    async with started(tmp_path, before) as (process, until):
        await runs(tmp_path)
        process.send_signal(signal.SIGHUP)
        (tmp_path / "slow").unlink()
        assert b"listening on" in await until(b"Reloaded the configuration.")


async def test_a_signal_to_end_does_not_wait_for_a_reload(tmp_path):
    async with started(tmp_path) as (process, until):
        await reloading(tmp_path, process, until)
        process.send_signal(signal.SIGTERM)
        await until(b"Stopping: ")
        assert b"configuration" not in await rest(process)
        assert await process.wait() == 0
        assert gone(tmp_path / "child")


async def test_reloads_that_are_asked_for_during_one_are_one_after_it():
    begun, go_on = 0, trio.Semaphore(0)

    async def reload():
        nonlocal begun
        begun += 1
        await go_on.acquire()

    reloads = Reloads(reload)
    reloads.ask()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reloads.run)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(3):
            reloads.ask()
        for _ in range(3):
            go_on.release()
            await trio.testing.wait_all_tasks_blocked()
        assert begun == 2
        reloads.ask()
        await trio.testing.wait_all_tasks_blocked()
        reloads.give_up()
        reloads.ask()
    assert begun == 3


async def test_a_reload_that_is_asked_for_during_one_is_done_after_it(tmp_path):
    async with started(tmp_path) as (process, until):
        await reloading(tmp_path, process, until)
        (tmp_path / "hoosh.toml").write_text(TEXT.replace("port = 0", "port = 1"))
        process.send_signal(signal.SIGHUP)
        (tmp_path / "slow").unlink()
        await until(b"Reloaded the configuration.")
        await until(b"Reloaded the configuration.\n  It listens on 127.0.0.1 port 1 from the next start")


@pytest.mark.parametrize(
    ("argv", "orig", "serves"),
    [
        (["-m", "serve", "--port", "0"], ["python", "-m", "hoosh", "serve", "--port", "0"], True),
        (["/usr/bin/hoosh", "serve"], ["python", "/usr/bin/hoosh", "serve"], True),
        (["-m", "serve"], ["python", "-m", "other", "serve"], False),
        (["/usr/bin/hoosh", "infer"], ["python", "/usr/bin/hoosh", "infer"], False),
        (["/usr/bin/other", "serve"], ["python", "/usr/bin/other", "serve"], False),
        ([""], ["python"], False),
    ],
)
def test_only_the_program_itself_takes_its_signals_at_the_import(argv, orig, serves, monkeypatch):
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(sys, "orig_argv", orig)
    assert _early.is_serve() == serves
