"""The log as `hoosh serve` writes it. What stands in its lines is tested in native/core/tests/exchange/journal.rs."""

import json
import os
import re
import signal
import sys
import threading

import httpx2
import trio
from tests.python.conftest import provider
from tests.python.test_server import program

from hoosh._driver import Driver
from hoosh._native import Config
from hoosh.announce import Voice

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


async def ended(process):
    with trio.fail_after(10):
        while process.poll() is None:
            await trio.sleep(0.02)
    return process.returncode


async def test_a_line_for_each_request_goes_to_the_standard_error(upstream, tmp_path):
    file = tmp_path / "hoosh.toml"
    file.write_text(provider(upstream))
    async with program(file, "--port", "0") as (process, port, _), httpx2.AsyncClient() as http:
        await http.get(f"http://127.0.0.1:{port}/nothing?key=hidden")
        said = b""
        with trio.fail_after(10):
            while b"/nothing" not in said or not said.endswith(b"\n"):
                said += await process.stderr.receive_some()
    assert re.search(f"^{TIME} 404 GET /nothing key=anonymous error=unknown_url ", said.decode(), re.MULTILINE)
    assert b"hidden" not in said


async def test_a_file_gets_the_last_line_and_may_be_moved_away(upstream, tmp_path):
    file, log = tmp_path / "hoosh.toml", tmp_path / "hoosh.log"
    file.write_text(f'{provider(upstream)}[log]\naccess = "json"\nfile = "{log}"\n')

    async def lines(path):
        with trio.fail_after(10):
            while not path.exists() or not path.read_text().endswith("\n"):
                await trio.sleep(0.01)
        return [json.loads(line) for line in path.read_text().splitlines()]

    async with program(file, "--port", "0") as (process, port, _), httpx2.AsyncClient() as http:
        await http.get(f"http://127.0.0.1:{port}/first")
        [line] = await lines(log)
        assert (line["path"], line["status"], line["asked"]) == ("/first", 404, False)
        assert re.fullmatch(TIME, line["time"])
        log.rename(tmp_path / "old.log")
        await http.get(f"http://127.0.0.1:{port}/second")
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == 0
    assert [line["path"] for line in await lines(log)] == ["/second"]


async def test_a_standard_error_that_nobody_reads_stops_neither_the_server_nor_its_end(upstream, tmp_path):
    file = tmp_path / "hoosh.toml"
    file.write_text(provider(upstream))
    # A pipe holds 64 KiB; these lines are half as much again.
    path, headers = "/" + "x" * 120, {"x-request-id": "y" * 128}
    async with program(file, "--port", "0") as (process, port, _), httpx2.AsyncClient() as http:
        for _ in range(250):
            assert (await http.get(f"http://127.0.0.1:{port}{path}", headers=headers)).status_code == 404
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == 0


def test_words_for_a_pipe_with_little_room_keep_nobody_waiting_and_come_in_order(monkeypatch):
    """poll() calls a pipe writable that has one page left: less than a traceback may be."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    filled = 0
    try:
        while True:
            filled += os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    os.read(reader, 4096)
    with os.fdopen(writer, "w") as stderr, os.fdopen(reader, "rb") as pipe:
        monkeypatch.setattr(sys, "stderr", stderr)
        driver = Driver(Config.parse("", {}))
        voice = Voice(driver.gateway, driver.log)

        def speak():
            voice("first " + "y" * 10_000)
            driver.log.write(1, b"a line of the log\n", None)
            for _ in range(2):
                voice("too much " + "z" * 100_000)

        speaker = threading.Thread(target=speak, daemon=True)
        speaker.start()
        speaker.join(10)
        waits = speaker.is_alive()
        pipe.read(filled - 4096)
        assert not waits
        assert pipe.readline() == b"first " + b"y" * 10_000 + b"\n"
        assert pipe.readline() == b"a line of the log\n"
        driver.log.flush(10)
        voice("heard again")
        assert pipe.readline() == b"2 messages before this were left out: nobody read them.\n"
        assert pipe.readline() == b"heard again\n"
        driver.log.flush(10)
        driver.log.close()
        voice("after the end")
        assert pipe.readline() == b"after the end\n"
