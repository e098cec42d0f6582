"""A real llama.cpp server (llama-cpp-python) with a tiny model of random weights. `make test-llamacpp` sets it up."""

import os
import socket
import subprocess
import time
from pathlib import Path

import httpx2
import pytest

ENVIRONMENT = Path(__file__).resolve().parents[2] / ".llamacpp"


class Server:
    """The server's process and where it listens."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.url, self.process = url, process
        self.requests: list[object] = []


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    script = Path(__file__).with_name("make_tiny_gguf.py")
    subprocess.run([ENVIRONMENT / "bin" / "python", script, path], check=True)
    return path


@pytest.fixture(scope="session")
def caller(tmp_path_factory):
    """The same model, with a template that offers tools."""
    path = tmp_path_factory.mktemp("model") / "caller.gguf"
    script = Path(__file__).with_name("make_tiny_gguf.py")
    subprocess.run([ENVIRONMENT / "bin" / "python", script, path, "--tools"], check=True)
    return path


@pytest.fixture(scope="session")
def llama(model, tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("log") / "server.log"
    words = [
        "--model",
        model,
        "--model_alias",
        "tiny",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--embedding",
        "true",
    ]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [ENVIRONMENT / "bin" / "python", "-m", "llama_cpp.server", *words, "--n_ctx", "512"],
            stdout=out,
            stderr=out,
            env={**os.environ, "PYTHONPATH": ""},
        )
        try:
            _await(f"http://127.0.0.1:{port}/v1/models", process, log)
            yield Server(f"http://127.0.0.1:{port}", process)
        finally:
            process.terminate()
            process.wait(20)


def _await(url, process, log):
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx2.get(url).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"llama.cpp's server did not start:\n{log.read_text()}")
