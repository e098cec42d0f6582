"""What the benchmarks share: free ports, pinned processes that are ended by their ids, CPU time, load."""

import contextlib
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")


def need(*programs: str) -> None:
    """Ends with a plain sentence if a program is missing."""
    missing = [name for name in programs if shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin") is None]
    if missing:
        sys.exit(f"missing: {', '.join(missing)}. On Debian and Ubuntu: apt install nginx-light wrk util-linux")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command: list[str], *, core: int, port: int, **more) -> Iterator[subprocess.Popen]:
    """A process pinned to `core`, from when its port answers until the block ends."""
    process = subprocess.Popen(["taskset", "-c", str(core), *command], **more)
    try:
        for _ in range(400):
            if process.poll() is not None:
                sys.exit(f"{command[0]} ended at once with status {process.returncode}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        else:
            sys.exit(f"{command[0]} does not listen on port {port}")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Round:
    """What one round of load showed."""

    def __init__(self, rate: float, cpu_us: float, failed: int) -> None:
        self.rate, self.cpu_us, self.failed = rate, cpu_us, failed


def load(pid: int, url: str, *, core: int, connections: int, seconds: float) -> Round:
    """Loads `url` by wrk; the CPU time is that of process `pid`."""
    before = cpu_seconds(pid)
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s"]
    out = subprocess.run(
        [*command, "-s", str(HERE / "edge" / "load.lua"), url], capture_output=True, text=True, check=True
    ).stdout
    spent = cpu_seconds(pid) - before
    done = int(re.search(r"(\d+) requests in", out)[1])
    rate = float(re.search(r"Requests/sec:\s*([\d.]+)", out)[1])
    failed = sum(int(n) for n in re.findall(r"(?:Non-2xx or 3xx responses: |connect |read |write |timeout )(\d+)", out))
    return Round(rate, spent / max(done, 1) * 1e6, failed)


def medians(rounds: list[Round]) -> Round:
    """Of each figure on its own; failures are added up."""
    return Round(
        statistics.median(r.rate for r in rounds),
        statistics.median(r.cpu_us for r in rounds),
        sum(r.failed for r in rounds),
    )
