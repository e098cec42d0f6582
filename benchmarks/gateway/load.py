"""Runs `hoosh-load` against a server, and says what both of them saw."""

import dataclasses
import json
import statistics
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import machine
import policies
from servers import Server


@dataclasses.dataclass
class Round:
    """One run of load: rates a second, times in microseconds, CPU time of the server for each good answer."""

    rate: float
    cpu_us: float
    busy: float  # share of one core that the server had
    good: int
    failed: int  # without an answer, or with another status than 200
    said: dict  # all that hoosh-load printed
    instructions: float | None = None  # for each good answer, user space

    def time(self, name: str) -> float:
        """`p50`, `first_p99` and so on, in microseconds."""
        return self.said.get(f"{name}_us", float("nan"))


@dataclasses.dataclass
class Bench:
    """How things are measured in this run."""

    program: Path
    folder: Path
    gateway: list[int]  # the cores of the server that is measured
    pair: list[int]  # two cores, for two threads
    caller: list[int]  # of the load
    origin: list[int]  # of the upstream
    quick: bool = False
    counters: bool = False
    poisson: bool = False
    peers: list[str] = dataclasses.field(default_factory=list)

    @property
    def rounds(self) -> int:
        return 3 if self.quick else 7

    @property
    def fewer(self) -> int:
        """For what differs by more than a few per cent."""
        return 3 if self.quick else 5

    @property
    def seconds(self) -> float:
        return 0.7 if self.quick else 1.5

    @property
    def cores(self) -> set[int]:
        return {*self.gateway, *self.caller, *self.origin}

    def closed(self, server: Server, *arguments: str, seconds: float | None = None, connections: int = 64) -> Round:
        """As fast as so many connections can."""
        seconds = self.seconds if seconds is None else seconds
        return self._run(server, "closed", ["--connections", str(connections), "--seconds", str(seconds), *arguments])

    def most(self, server: Server) -> float:
        """Requests a second that it can do: the median of three rounds after one that warms it up."""
        return statistics.median([self.closed(server, seconds=0.5).rate for _ in range(4)][1:])

    def open(self, server: Server, rate: float, *arguments: str, seconds: float, connections: int = 256) -> Round:
        """At a rate, each request timed from when it was due; the first 0.3 s are not counted."""
        words = ["--connections", str(connections), "--seconds", str(seconds), "--rate", f"{rate:.1f}", *arguments]
        if self.poisson:
            words.append("--poisson")
        return self._run(server, "open", [*words, "--warm", "0.3"])

    def hold(self, server: Server, count: int, *arguments: str, seconds: float, ramp: float) -> Iterator[dict]:
        """Streams or connections held open: yields once when all are there, and again at the end."""
        words = ["--count", str(count), "--seconds", str(seconds), "--ramp", str(ramp), *arguments]
        with subprocess.Popen(self._command(server, "hold", words), stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                yield json.loads(line)

    def _command(self, server: Server, what: str, words: list[str]) -> list[str]:
        cores = ",".join(map(str, self.caller))
        command = ["taskset", "-c", cores, str(self.program), what, "--url", server.url, *words]
        for header in server.headers:
            command += ["--header", header]
        return [*command, "--get"] if server.get else command

    def _run(self, server: Server, what: str, words: list[str]) -> Round:
        command = self._command(server, what, words)
        if self.counters and server.pids:
            pids = ",".join(map(str, server.pids))
            command = ["perf", "stat", "-x,", "-e", "instructions:u", "-p", pids, "--", *command]
        before = machine.cpu_seconds(server.pids)
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        spent = machine.cpu_seconds(server.pids) - before
        said = json.loads(done.stdout)
        # CPU time counts for all that was answered, also while the load warmed up.
        answers = said["good"] * (1 + 0.3 / said["seconds"] if "--warm" in words else 1)
        wrong = said["failed"] + said["answers"] - said["good"]
        each = 1 / max(answers, 1)
        counted = done.stderr.split(",")[0].strip() if self.counters else ""
        instructions = int(counted) * each if counted.isdigit() else None
        busy = spent / (said["seconds"] + (0.3 if "--warm" in words else 0))
        return Round(said["rate"], spent * each * 1e6, busy, said["good"], wrong, said, instructions)


def in_turn(
    rounds: int, servers: list[Server], measure: Callable[[Server], Round], *, warm: bool = True
) -> dict[str, list[Round]]:
    """A round of each server after the other, so often; one more before warms them up."""
    found: dict[str, list[Round]] = {server.name: [] for server in servers}
    for number in range(-1 if warm else 0, rounds):
        for server in servers:
            seen = measure(server)
            if number >= 0:
                found[server.name].append(seen)
    return found


def middle(rounds: list[Round], figure: Callable[[Round], float]) -> float:
    return statistics.median(figure(one) for one in rounds)


def ratio(of: list[Round], to: list[Round], figure: Callable[[Round], float]) -> float:
    """The median of the ratios within each round, which a machine that is slower for a while changes less."""
    pairs = zip(of, to, strict=True)
    return statistics.median(figure(one) / figure(other) if figure(other) else float("nan") for one, other in pairs)


def key_header() -> str:
    return f"Authorization: Bearer {policies.KEY}"
