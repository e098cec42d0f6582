"""From the start of a process to its listening, and to its first answer."""

import socket
import statistics
import subprocess
import time

import machine
import policies
import servers
from load import Bench
from servers import NotReadyError, Server
from table import Goal, Part

HEALTH = b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
LISTENING_MS = 150


def run(bench: Bench) -> Part:
    starts = 3 if bench.quick else 10
    upstream = servers.upstream(bench.program, bench.origin)
    rows, figures = [], {}
    with servers.started(upstream):
        for name in ("nginx", "hoosh, every policy"):
            seen = [_started(_server(bench, upstream, name)) for _ in range(starts)]
            middles = [statistics.median(column) for column in zip(*seen, strict=True)]
            least = [min(column) for column in zip(*seen, strict=True)]
            figures[name] = seen
            rows.append([name, *(f"{a:,.0f} ({b:,.0f})" for a, b in zip(middles, least, strict=True))])
            listening = middles[0]
    return Part(
        "Start",
        ["", "listening, ms", "first answer of `/v1/health`, ms", "CPU until then, ms"],
        rows,
        [Goal("Listening after the start", listening, LISTENING_MS, "ms")],
        [
            f"Median of {starts} starts (and the shortest), from exec on, compiled modules in place. nginx passes the health path on."
        ],
        figures,
    )


def _server(bench: Bench, upstream: Server, name: str) -> Server:
    if name == "nginx":
        return servers.nginx(bench.folder, bench.gateway, upstream.port)
    return servers.hoosh(bench.folder, bench.gateway, policies.every(upstream.port), name=name)


def _started(server: Server) -> tuple[float, float, float]:
    """Milliseconds until it listened, until it answered, and of CPU time until then."""
    began = time.perf_counter()
    process = subprocess.Popen(
        ["taskset", "-c", ",".join(map(str, server.cores)), *server.command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **server.more,
    )
    try:
        with _connected(server.port, process) as asking:
            listening = time.perf_counter()
            asking.sendall(HEALTH)
            answer = asking.recv(4096)
        answered = time.perf_counter()
        if not answer.startswith(b"HTTP/1.1 200"):
            raise NotReadyError(f"{server.name} answers {answer[:80]!r}")
        cpu = machine.cpu_seconds(machine.tree(process.pid))
    finally:
        process.terminate()
        process.wait(20)
    return (listening - began) * 1000, (answered - began) * 1000, cpu * 1000


def _connected(port: int, process: subprocess.Popen) -> socket.socket:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=30)
        except ConnectionRefusedError:
            time.sleep(0.0005)
    raise NotReadyError(f"nothing listens on port {port}")
