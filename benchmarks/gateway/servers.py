"""What is measured, as processes: each pinned, started without waiting, asked on its port, and ended by its id."""

import contextlib
import functools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import machine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from processes import free_port

PATIENCE_SECONDS = 120


class NotReadyError(Exception):
    """A server that does not come up, with what it said."""


class Server:
    """A process that listens on a port of 127.0.0.1. `headers` and `get` say how it wants to be asked."""

    def __init__(self, name: str, command: list[str], port: int, cores: list[int], **more) -> None:
        self.name, self.command, self.port, self.cores = name, command, port, cores
        self.headers: list[str] = []
        self.get = False
        self.more = more  # for `subprocess.Popen`
        self._process: subprocess.Popen | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 — it lives as long as the server
        self.pids: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/chat/completions"

    def start(self) -> None:
        cores = ",".join(map(str, self.cores))
        self._process = subprocess.Popen(
            ["taskset", "-c", cores, *self.command], stdout=self._said, stderr=subprocess.STDOUT, **self.more
        )

    def ready(self, patience: float = PATIENCE_SECONDS) -> None:
        """Waits until it listens.

        Raises:
            NotReadyError: it does not.

        """
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if self._process.poll() is not None:
                self._give_up(f"ended at once with status {self._process.returncode}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                self.pids = machine.tree(self._process.pid)
                return
            time.sleep(0.02)
        self._give_up(f"does not listen within {patience:.0f} s")

    def look_again(self) -> None:
        """Counts processes that were started since."""
        self.pids = machine.tree(self._process.pid)

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            for pid in machine.tree(self._process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            self._process.wait()
        self._said.close()

    def said(self) -> str:
        self._said.seek(0)
        return self._said.read().decode(errors="replace")

    def _give_up(self, why: str) -> None:
        raise NotReadyError(f"{self.name} {why}. It said:\n{self.said()[-2000:]}")


class Running(Server):
    """A server that somebody else started, as `--peer name=url`: pinned like the others, and left as it is afterwards."""

    def __init__(self, name: str, url: str, cores: list[int], headers: list[str]) -> None:
        port = int(url.removeprefix("http://").partition("/")[0].rpartition(":")[2])
        super().__init__(name, [], port, cores)
        self.headers, self._url = headers, url

    @property
    def url(self) -> str:
        return self._url

    def start(self) -> None:
        pass

    def ready(self, patience: float = PATIENCE_SECONDS) -> None:
        pid = machine.listener(self.port)
        if pid is None:
            raise NotReadyError(
                f"nobody whose process can be seen listens on port {self.port}, where {self.name} is to be"
            )
        self.pids = machine.tree(pid)
        machine.pin(self.pids, self.cores)

    def look_again(self) -> None:
        pass

    def stop(self) -> None:
        pass


@contextlib.contextmanager
def started(*servers: Server) -> Iterator[None]:
    """All of them at once, because some take long to load."""
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.ready()
        yield
    finally:
        for server in servers:
            server.stop()


NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error crit;
worker_rlimit_nofile {files}; events {{ worker_connections {connections}; multi_accept on; }}
http {{
  access_log off; tcp_nodelay on; sendfile on; keepalive_requests 1000000000; keepalive_timeout 1h; {more}
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  {servers}
}}
"""
PROXY = """upstream chats {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port} reuseport backlog=4096; location / {{ proxy_pass http://chats; proxy_http_version 1.1;
  proxy_set_header Connection ""; {proxying} }} }}"""
FILE = """server {{ listen 127.0.0.1:{port} reuseport; root {folder}; default_type application/json; }}"""


def nginx(folder: Path, cores: list[int], upstream: int, *, name: str = "nginx", streams: bool = False) -> Server:
    """As a bare proxy: one worker, kept connections to the upstream, nothing logged; streams are not buffered."""
    port = free_port()
    proxying = "proxy_buffering off;" if streams else ""
    return _nginx(folder, cores, port, name, PROXY.format(port=port, upstream=upstream, proxying=proxying))


def nginx_file(folder: Path, cores: list[int], answer: str, *, name: str, cached: bool) -> Server:
    """Serving a static file of `answer`. With `cached` it keeps the file open, which nginx does not by itself."""
    port = free_port()
    file = folder / f"static-{port}" / "v1" / "chat" / "completions"
    file.parent.mkdir(parents=True)
    file.write_text(answer)
    servers = FILE.format(port=port, folder=folder / f"static-{port}")
    server = _nginx(folder, cores, port, name, servers, "open_file_cache max=10 inactive=1h;" if cached else "")
    server.get = True
    return server


def _nginx(folder: Path, cores: list[int], port: int, name: str, servers: str, more: str = "") -> Server:
    own = folder / f"nginx-{port}"
    own.mkdir()
    file = own / "nginx.conf"
    files = machine.raise_file_limit(0)
    # With less than a sixteenth left nginx closes connections whose request has not come yet (ngx_drain_connections).
    connections = files * 5 // 4
    file.write_text(NGINX.format(folder=own, servers=servers, files=files, connections=connections, more=more))
    return Server(name, ["nginx", "-p", str(own), "-e", f"{own}/error", "-c", str(file)], port, cores)


@functools.cache
def knows_threads() -> bool:
    """Whether this hoosh has `[server] threads`: the native edge."""
    said = subprocess.run([sys.executable, "-m", "hoosh", "config", "schema"], capture_output=True, check=True).stdout
    server = json.loads(said)["properties"]["server"]
    return '"threads"' in json.dumps(server)


def hoosh(
    folder: Path, cores: list[int], config: str, *, name: str, threads: int = 1, arguments: tuple[str, ...] = ()
) -> Server:
    """`hoosh serve` with a configuration whose ports are in place already."""
    port = free_port()
    file = folder / f"hoosh-{port}.toml"
    config = config.replace("{folder}", str(folder)).replace("{port}", str(port))
    threads_line = f"threads = {threads}\n" if knows_threads() else ""
    file.write_text(f"[server]\n{threads_line}{config}")
    command = [sys.executable, "-m", "hoosh", "serve", "--config", str(file), "--port", str(port), *arguments]
    return Server(name, command, port, cores, cwd=folder)


def upstream(load: Path, cores: list[int], *arguments: str) -> Server:
    port = free_port()
    return Server("upstream", [str(load), "upstream", "--listen", f"127.0.0.1:{port}", *arguments], port, cores)


def spinner(load: Path, core: int) -> subprocess.Popen:
    """Keeps a core awake while nobody else wants it, so that no wake-up from idleness is measured."""
    return subprocess.Popen(["chrt", "-i", "0", "taskset", "-c", str(core), str(load), "spin"])


@contextlib.contextmanager
def awake(load: Path, cores: set[int]) -> Iterator[None]:
    spinners = [spinner(load, core) for core in cores]
    try:
        yield
    finally:
        for process in spinners:
            process.kill()
            process.wait()
