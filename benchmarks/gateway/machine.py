"""Processes as the kernel sees them: their CPU time, memory and instructions, and what machine this is."""

import contextlib
import datetime
import os
import platform
import re
import resource
import subprocess
from collections.abc import Iterable
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 2**20


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time so far."""
    return sum((int(fields[11]) + int(fields[12])) / TICKS for pid in pids if (fields := _stat(pid)))


def memory_mib(pids: Iterable[int]) -> float:
    """What they hold of memory, shared pages in equal parts: the proportional set size."""
    total = 0
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1]) * 1024
    return total / MIB


def listener(port: int) -> int | None:
    """The process that listens on a port of this machine, if its descriptors can be read."""
    sockets = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{fields[9]}]")
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and sockets & set(_descriptors(entry)):
            return int(entry.name)
    return None


def pin(pids: Iterable[int], cores: Iterable[int]) -> None:
    """Every thread of them."""
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), set(cores))


def raise_file_limit(wanted: int) -> int:
    """As many descriptors as the system allows, for this process and what it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (max(wanted, hard), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        except (ValueError, PermissionError):
            continue
        return limit
    return soft


def counts_instructions() -> bool:
    """Whether `perf stat` has counters here; many virtual machines have none."""
    try:
        said = subprocess.run(
            ["perf", "stat", "-x,", "-e", "instructions:u", "true"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return False
    return said.returncode == 0 and said.stderr.split(",")[0].strip().isdigit()


def description() -> str:
    """Processor, cores, kernel and day."""
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    load = os.getloadavg()[0]
    return (
        f"{datetime.date.today():%d %B %Y}, {model[1] if model else platform.machine()}, {os.cpu_count()} cores, "
        f"{memory:.0f} GiB, Linux {platform.release()}, load before {load:.1f}"
    )


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name: state, parent and so on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _descriptors(process: Path) -> list[str]:
    found = []
    with contextlib.suppress(OSError):
        for link in (process / "fd").iterdir():
            # It may be closed by now, as the one that lists them is.
            with contextlib.suppress(OSError):
                found.append(os.readlink(link))
    return found
