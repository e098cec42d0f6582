"""What a proxy adds to the time to the first token, and what a stream costs it."""

import policies
import servers
from load import Bench, in_turn, key_header
from table import Part

from parts.latency import SHARE, compared

EVENTS = 8
EVENTS_A_SECOND = 100
# Enough for streams of 80 ms at any rate that is come to here.
CONNECTIONS = 2000


def run(bench: Bench) -> Part:
    paced = ["--events", str(EVENTS), "--rate", str(EVENTS_A_SECOND)]
    upstream = servers.upstream(bench.program, bench.origin, *paced)
    nginx = servers.nginx(bench.folder, bench.gateway, upstream.port, streams=True)
    every = servers.hoosh(bench.folder, bench.gateway, policies.every(upstream.port), name="hoosh, every policy")
    every.headers = [key_header()]
    seconds = 1.0 if bench.quick else 3.0

    def streams(server: servers.Server, rate: float) -> object:
        return bench.open(server, rate, "--stream", seconds=seconds, connections=CONNECTIONS)

    with servers.started(upstream, nginx, every), servers.awake(bench.program, bench.cores):
        streams(nginx, 200)
        # By what a stream costs, because how many can be open says nothing of how busy a server is.
        rate = SHARE / (streams(nginx, 200).cpu_us / 1e6)
        listed = [upstream, nginx, every]
        found = in_turn(bench.fewer, listed, lambda server: streams(server, rate))
    notes = [
        f"{rate:,.0f} streams/s of {EVENTS} pieces, {EVENTS_A_SECOND} a second, which keeps nginx busy to {SHARE:.0%}. Time from "
        "when a request was due to its first content; CPU time is that of a whole stream."
    ]
    return compared(
        "Added time to first token", found, listed, ("first_p50", "first_p99"), notes, "time to first token"
    )
