"""Memory: idle, for each connection that waits, for each stream that is open."""

import time

import machine
import policies
import servers
from load import Bench, key_header
from servers import Server
from table import Goal, Part, number

STREAMS = 10_000
# Descriptors that a process needs besides its connections.
SPARE = 300
SECONDS = 5.0
RAMP = 2000.0


def run(bench: Bench) -> Part:
    # A stream has two connections at the gateway.
    limit = machine.raise_file_limit(2 * STREAMS + SPARE)
    streams = min(1_000 if bench.quick else STREAMS, (limit - SPARE) // 2)
    rows, figures = [], {}
    off = ("--edge", "off") if servers.knows_threads() else ()
    upstream = servers.upstream(bench.program, bench.origin, "--events", "100000", "--rate", "1")
    with servers.started(upstream):
        for name in ("nginx", "hoosh, every policy"):
            figures[name] = seen = _measured(bench, upstream, name, streams)
            rows.append(
                [
                    name,
                    number(seen["idle_mib"]),
                    number(seen["connection_kib"]),
                    f"{seen['connections_lasted']:,}",
                    number(seen["stream_kib"]),
                    f"{seen['streams_lasted']:,}",
                    f"{seen['events_per_second']:,.0f}",
                    f"{seen['busy']:.0%}",
                    number(seen["after_mib"]),
                ]
            )
        hypercorn = _idle(_hoosh(bench, upstream, "hoosh, `--edge off`", *off))
    rows.append(["hoosh, `--edge off`", number(hypercorn), *[""] * 7])
    hoosh = figures["hoosh, every policy"]
    notes = [
        f"{streams:,} of each. Proportional set size of the process tree, so without the kernel's buffers of the sockets."
    ]
    if streams < STREAMS and not bench.quick:
        notes.append(f"{STREAMS:,} streams need {2 * STREAMS + SPARE:,} descriptors; this system gives {limit:,}.")
    return Part(
        "Memory",
        [
            "",
            "idle MiB",
            "idle connection KiB",
            "lasted",
            "open stream KiB",
            "lasted",
            "events/s",
            "busy",
            "afterwards MiB",
        ],
        rows,
        [
            Goal("Open stream, one event a second, both sides", hoosh["stream_kib"], 48, "KiB"),
            Goal("Idle, the edge as `hoosh serve` starts it", hoosh["idle_mib"], 30, "MiB"),
            Goal("Idle, hypercorn loaded (`--edge off`)", hypercorn, 70, "MiB"),
        ],
        notes,
        figures,
    )


def _measured(bench: Bench, upstream: Server, name: str, streams: int) -> dict:
    seen: dict = {}
    for what in ("connection", "stream"):
        # Each in a process of its own: an allocator keeps what it once had.
        server = _server(bench, upstream, name)
        with servers.started(server):
            idle = _settled(server)
            # Idle connections have had one answer each, which hoosh's cache gives.
            arguments = ["--stream"] if what == "stream" else ["--distinct", "1"]
            told = []
            before = 0.0
            for line in bench.hold(server, streams, *arguments, seconds=SECONDS, ramp=RAMP):
                if not told:
                    time.sleep(SECONDS / 2)
                    seen[f"{what}_kib"] = (machine.memory_mib(server.pids) - idle) * 1024 / max(line["there"], 1)
                    before = machine.cpu_seconds(server.pids)
                else:
                    seen["busy"] = (machine.cpu_seconds(server.pids) - before) / (SECONDS / 2)
                told.append(line)
            # For what ends now to be freed.
            time.sleep(SECONDS)
            seen["idle_mib"] = idle
            seen["after_mib"] = machine.memory_mib(server.pids)
            seen[f"{what}s_lasted"] = told[-1]["lasted"]
            seen["events_per_second"] = told[-1]["events_per_second"]
    return seen


def _settled(server: Server) -> float:
    """MiB a while after the start, when all is loaded that is going to be."""
    time.sleep(2)
    server.look_again()
    return machine.memory_mib(server.pids)


def _idle(server: Server) -> float:
    with servers.started(server):
        return _settled(server)


def _server(bench: Bench, upstream: Server, name: str) -> Server:
    if name == "nginx":
        return servers.nginx(bench.folder, bench.gateway, upstream.port, streams=True)
    return _hoosh(bench, upstream, name)


def _hoosh(bench: Bench, upstream: Server, name: str, *arguments: str) -> Server:
    config = policies.every(upstream.port)
    server = servers.hoosh(bench.folder, bench.gateway, config, name=name, arguments=arguments)
    server.headers = [key_header()]
    return server
