"""The command line as a process: what goes wrong is one sentence on stderr and an exit code."""

import os
import signal
import socket
import subprocess
import sys
from functools import partial

import pytest
import trio
from tests.python.conftest import provider

COMMAND = [sys.executable, "-m", "hoosh"]
CHUNK = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":%b}]}\n\n'
)
FACE = b"\\ud83d", b"\\ude00"
"""Both halves of one character, as JSON."""


@pytest.fixture
def folder(upstream, tmp_path):
    (tmp_path / "hoosh.toml").write_text(provider(upstream) + 'models = ["fake-chat"]\n')
    return tmp_path


async def run(folder, *arguments, environment=None, stdout=None, stdin=b""):
    """Run `hoosh`: (exit code, standard output, standard error)."""
    inherited = {name: value for name, value in os.environ.items() if name != "HOOSH_CONFIG"}
    with trio.fail_after(30):
        done = await trio.run_process(
            [*COMMAND, *arguments],
            cwd=folder,
            env=inherited | (environment or {}),
            stdin=stdin,
            capture_stderr=True,
            check=False,
            **({"capture_stdout": True} if stdout is None else {"stdout": stdout}),
        )
    return done.returncode, done.stdout, done.stderr.decode()


SECRET = """
[server]
port = 1
[storage]
path = "store.db"
[[providers]]
type = "openai"
api_keys = [{ command = ["sh", "-c", "echo >> ran; exit 3"] }, { file = "none" }]
"""


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("info", ""),
        ("health", "http://127.0.0.1:1"),
        ("pools", "http://127.0.0.1:1"),
        ("costs", "http://127.0.0.1:1"),
        ("store info", "store.db"),
        ("store check", "store.db"),
        ("store backup copy.db", "store.db"),
    ],
)
async def test_who_asks_no_provider_needs_no_key_of_one(command, words, tmp_path):
    (tmp_path / "hoosh.toml").write_text(SECRET)
    code, _, said = await run(tmp_path, *command.split())
    assert code == (1 if words else 0)
    assert words in said
    assert "cannot be had" not in said
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("command", ["check", "models", "explain -m m", "infer -m m hi", "serve"])
async def test_who_asks_providers_reads_their_keys_once(command, tmp_path):
    (tmp_path / "hoosh.toml").write_text(SECRET)
    code, _, said = await run(tmp_path, *command.split())
    assert code == 1
    assert "the command sh ended with 3" in one_sentence(said)
    assert (tmp_path / "ran").read_text() == "\n"


def one_sentence(said):
    assert said.startswith("hoosh")
    assert said.count("\n") == 1
    return said


async def test_an_address_that_is_taken(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, _, said = await run(folder, "serve", "--port", port)
    assert code == 1
    assert port in one_sentence(said)


@pytest.mark.parametrize("bind", ["203.0.113.7", "nowhere.invalid", "x" * 70])
async def test_an_address_that_is_not_ours(folder, bind):
    (folder / "hoosh.toml").write_text('[auth]\ntokens = ["k"]\n' + (folder / "hoosh.toml").read_text())
    code, _, said = await run(folder, "serve", "--bind", bind, "--port", "0")
    assert code == 1
    assert bind in one_sentence(said)


@pytest.mark.parametrize("port", ["70000", "-1", "x", ""])
async def test_a_port_that_is_none(folder, port):
    code, _, said = await run(folder, "serve", f"--port={port}")
    assert (code, "0 to 65535" in said, "Traceback" in said) == (2, True, False)


FULL = [["check"], ["models"], ["infer", "-m", "fake-chat", "Hi", "--json"], ["--help"], ["cache", "warm", "--help"]]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", FULL)
async def test_output_that_cannot_be_written(folder, command):
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        code, _, said = await run(folder, *command, stdout=full)
    finally:
        os.close(full)
    assert code == 1
    assert "Standard output" in one_sentence(said)


async def test_an_empty_name_is_no_configuration(folder):
    code, _, said = await run(folder, "check", "--config", "")
    assert code == 1
    assert "empty" in one_sentence(said)
    code, text, _ = await run(folder, "check", environment={"HOOSH_CONFIG": ""})
    assert (code, b'"fake-chat"' in text) == (0, True)


def says(*deltas):
    events = [CHUNK % delta for delta in deltas]
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + b"".join(events) + b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("encoding", "text"), [("utf-8", "a\U0001f600b\\ud83d\n".encode()), ("ascii", b"a\\U0001f600b\\ud83d\n")]
)
async def test_a_character_that_is_cut_in_two_is_written_whole(folder, upstream, encoding, text):
    high, low = FACE
    deltas = [
        b'{"content":"a%b"}' % high,
        b'{"content":"%bb"}' % low,
        b'{"content":"%b"},"finish_reason":"stop"' % high,
    ]
    upstream.plan(raw=says(*deltas), raw_end="close")
    code, out, said = await run(folder, "infer", "-m", "fake-chat", "Hi", environment={"PYTHONIOENCODING": encoding})
    assert (code, out, said) == (0, text, "")


async def test_an_interrupt_while_an_answer_is_printed(folder, upstream):
    upstream.plan(stall="body", stall_after=3)
    async with trio.open_nursery() as nursery:
        command = [*COMMAND, "infer", "-m", "fake-chat", "one two three"]
        start = partial(trio.run_process, command, cwd=folder, check=False, capture_stderr=True)
        process = await nursery.start(partial(start, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE))
        said = b""
        try:
            with trio.fail_after(30):
                await process.stdout.receive_some()
                process.send_signal(signal.SIGINT)
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
    assert process.returncode == 130
    assert said == b""


async def test_models_are_awaited_and_shown_as_one_line_each(tmp_path, upstream):
    body = b'{"object":"list","data":[{"id":"a\\r\\nb\\u001b[2J","object":"model"}]}'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    upstream.plan(raw=head + body, delay_ms=1500)
    (tmp_path / "hoosh.toml").write_text(provider(upstream))
    code, out, said = await run(tmp_path, "models")
    assert (code, out) == (0, b"a\\r\\nb\\x1b[2J\tone\t\t\t\t\n")
    assert said.startswith("Waiting")
