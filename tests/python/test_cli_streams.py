"""Standard streams that are full, closed or left by their reader, under commands and under a server that runs."""

import os
import signal
import socket
import subprocess

import httpx2
import pytest
import trio
from tests.python.test_cli import COMMAND

ENVIRONMENT = os.environ | {"PYTHONUNBUFFERED": ""}
"""Words that cannot be written wait in a buffer, and the interpreter tries again at its end."""
FULL = pytest.param(
    'exec "$@" 2>/dev/full', marks=pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device")
)
GONE = 'trap "" PIPE; { "$@"; echo $? >code; } 2>&1 >/dev/null | true; exit $(cat code)'


@pytest.mark.parametrize("shell", [FULL, 'exec "$@" 2>&-', 'exec "$@" <&- >&- 2>&-'])
async def test_a_server_whose_words_go_nowhere_starts_and_ends_in_order(shell, tmp_path):
    (tmp_path / "hoosh.toml").write_text('[storage]\npath = ":memory:"\n')
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["sh", "-c", shell, "sh", *COMMAND, "serve", "--port", str(port)]
    process = await trio.lowlevel.open_process(command, cwd=tmp_path, env=ENVIRONMENT, stdin=subprocess.DEVNULL)
    try:
        with trio.fail_after(60):
            async with httpx2.AsyncClient() as http:
                while True:
                    assert process.returncode is None
                    try:
                        assert (await http.get(f"http://127.0.0.1:{port}/v1/models")).status_code == 200
                        break
                    except httpx2.ConnectError:
                        await trio.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()


@pytest.mark.parametrize("shell", [FULL, 'exec "$@" 2>&-', GONE])
@pytest.mark.parametrize(("arguments", "code"), [(["check", "--config", "none"], 1), (["bogus"], 2)])
async def test_a_failure_that_nobody_can_be_told_has_its_exit_code(shell, arguments, code, tmp_path):
    done = await trio.run_process(
        ["sh", "-c", shell, "sh", *COMMAND, *arguments],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdin=b"",
        capture_stdout=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, b"")
