"""Files and commands that have more, or take longer, or leave more behind than a credential should."""

import contextvars
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hoosh import _credential, _environment

MOST = _credential.MOST_BYTES
PRINT = "import sys; sys.stdout.write('x' * int(sys.argv[1]))"


def refused(kind, *words):
    with pytest.raises(OSError) as caught:
        _credential.read(kind, [str(word) for word in words])
    return str(caught.value)


def alive(pid):
    """Whether it runs: what nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(file):
    """Whether the process whose number is in `file` ends, which one that was killed does soon."""
    pid, end = int(file.read_text()), time.monotonic() + 10
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not alive(pid)


def test_what_a_command_prints_has_a_bound():
    assert refused("command", "yes", "x") == "the command yes printed more than 64 KiB"
    assert _credential.read("command", [sys.executable, "-c", PRINT, str(MOST)]) == "x" * MOST
    assert "more than 64 KiB" in refused("command", sys.executable, "-c", PRINT, MOST + 1)


def test_what_a_file_has_has_a_bound(tmp_path):
    file, fifo = tmp_path / "key", tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, "/dev/zero"):
        assert refused("file", path) == f"the file {path} cannot be read: it is no regular file"
    file.write_text("x" * MOST)
    assert _credential.read("file", [str(file)]) == "x" * MOST
    file.write_text("x" * (MOST + 1))
    assert refused("file", file) == f"the file {file} has more than 64 KiB"


def test_files_of_certificates_may_be_longer(tmp_path):
    file, most = tmp_path / "all.pem", _credential.MOST_FILE_BYTES
    file.write_text("x" * most)
    assert _credential.read("pem", [str(file)]) == "x" * most
    file.write_text("x" * (most + 1))
    assert refused("pem", file) == f"the file {file} has more than 4096 KiB"


def test_at_the_time_limit_a_command_is_killed_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr(_credential, "COMMAND_SECONDS", 0.3)
    child = tmp_path / "child"
    # In one the children hold the output, in the other the program has closed it.
    for rest in ("wait", "exec >&-; wait"):
        script = f"sleep 777 & echo $! > '{child}'; {rest}"
        assert refused("command", "sh", "-c", script) == "the command sh did not end within 0.3 seconds"
        assert gone(child)


def test_a_command_is_killed_when_nobody_waits_for_it_any_more(tmp_path):
    child, error = tmp_path / "child", []

    def wait():
        error.append(refused("command", "sh", "-c", f"sleep 777 & echo $! > '{child}'; wait"))

    with _credential.while_waiting():
        thread = threading.Thread(target=contextvars.copy_context().run, args=(wait,))
        thread.start()
        while not child.exists() or not child.read_text():
            time.sleep(0.01)
    thread.join(10)
    assert error == ["the command sh is no longer waited for"]
    assert gone(child)


def test_a_command_is_killed_when_the_program_ends(tmp_path):
    child = tmp_path / "child"
    code = f"""
import pathlib, threading, time
from hoosh import _credential, _environment
words = ["sh", "-c", "sleep 777 & echo $! > '{child}'; wait"]
threading.Thread(target=_credential.read, args=("command", words), daemon=True).start()
while not (file := pathlib.Path({str(child)!r})).exists() or not file.read_text():
    time.sleep(0.01)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
    assert gone(child)


def test_what_a_command_leaves_running_is_not_waited_for(tmp_path):
    child = tmp_path / "child"
    script = f"sleep 777 & echo $! > '{child}'; echo key"
    try:
        assert _credential.read("command", ["sh", "-c", script]) == "key\n"
    finally:
        os.kill(int(child.read_text()), signal.SIGKILL)  # it is there


def test_nothing_is_told_as_nothing(tmp_path):
    (tmp_path / "key").write_text(" \n")
    assert refused("file", tmp_path / "key") == f"the file {tmp_path / 'key'} is empty"
    assert refused("command", "echo") == "the command echo printed nothing"


def test_an_interrupt_while_one_is_read_is_no_mistake_of_the_file(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_environment, "credential", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _environment.parse("[[providers]]\ntype = 'openai'\napi_key = { file = 'key' }")


def test_what_a_signal_wants_waits_until_the_command_that_is_being_started_is_known(monkeypatch):
    known, start = [], subprocess.Popen

    def started(*arguments, **options):
        process = start(*arguments, **options)
        assert _credential.postpone(lambda: known.append(process in _credential._running))
        return process

    monkeypatch.setattr(subprocess, "Popen", started)
    assert _credential.read("command", ["echo", "key"]) == "key\n"
    assert known == [True]
    assert not _credential.postpone(list)
