"""`make bench-start`: how long `hoosh serve` takes until it answers `/v1/health`, and what it takes of memory, line by line.

Each line of the first table is a process of its own that imports so much and no more; the second is `hoosh serve` itself.
CPU time holds on a busy machine, wall time hardly: of both the smallest of all runs is told.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STAGES = {
    "Python alone": "",
    "+ trio": "import trio",
    "+ anyio, h11, sniffio": "import trio, anyio, h11, sniffio",
    "+ the native core": "import trio, anyio, h11, sniffio, hoosh._native",
    "+ hypercorn": "import trio, anyio, h11, sniffio, hoosh._native, hypercorn.trio.tcp_server, hypercorn.app_wrappers",
    "+ hoosh's server": "import hoosh.server",
}
TELL = """
import json, resource
kib = int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")))
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([(used.ru_utime + used.ru_stime) * 1000, kib / 1024]))
"""
CONFIG = '[[providers]]\ntype = "openai_compatible"\nbase_url = "http://127.0.0.1:9/v1"\nmodels = ["m"]\n[storage]\npath = "{}"\n'
TICKS = os.sysconf("SC_CLK_TCK")
# Compiled modules are kept, as for everybody who has not said otherwise.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def stage(code: str) -> tuple[float, float]:
    said = subprocess.run(
        [sys.executable, "-c", code + TELL], check=True, capture_output=True, text=True, env=ENVIRONMENT
    ).stdout
    cpu_ms, mib = json.loads(said)
    return cpu_ms, mib


def started(folder: Path, number: int) -> tuple[float, float, float]:
    """Wall and CPU milliseconds until `/v1/health` was answered, and resident MiB a second later."""
    file = folder / f"{number}.toml"
    file.write_text(CONFIG.format(folder / f"{number}.db"), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.perf_counter()
    command = [sys.executable, "-m", "hoosh", "serve", "--config", str(file), "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=ENVIRONMENT) as child:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port)) as sock:
                    sock.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    assert sock.recv(4096).startswith(b"HTTP/1.1 200")
                break
            except ConnectionRefusedError:
                time.sleep(0.001)
        wall_ms = (time.perf_counter() - began) * 1000
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        cpu_ms = (int(fields[11]) + int(fields[12])) / TICKS * 1000
        time.sleep(1)
        mib = int(Path(f"/proc/{child.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
        child.terminate()
    return wall_ms, cpu_ms, mib


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    print(f"{'':24}{'CPU ms':>8}{'MiB':>8}")
    for name, code in STAGES.items():
        cpu_ms, mib = (min(all_of) for all_of in zip(*(stage(code) for _ in range(runs)), strict=True))
        print(f"{name:24}{cpu_ms:8.0f}{mib:8.1f}")
    with tempfile.TemporaryDirectory() as folder:
        wall_ms, cpu_ms, mib = (
            min(all_of) for all_of in zip(*(started(Path(folder), n) for n in range(runs)), strict=True)
        )
    print(
        f"hoosh serve answers /v1/health after {wall_ms:.0f} ms ({cpu_ms:.0f} ms CPU), and takes {mib:.1f} MiB when idle"
    )


if __name__ == "__main__":
    main()
