"""An upstream that fails now and then: how many answers callers get, and what that costs."""

import policies
import servers
from load import Bench, in_turn, key_header, middle
from table import Part, number

SHARES = {"throttled": 0.005, "failed": 0.01, "reset": 0.01, "truncated": 0.01}
# Far below what anybody can do, so that what is measured is the faults.
RATE = 1000.0


def run(bench: Bench) -> Part:
    faults = [word for name, share in SHARES.items() for word in (f"--{name}", str(share))]
    upstream = servers.upstream(bench.program, bench.origin, *faults)
    nginx = servers.nginx(bench.folder, bench.gateway, upstream.port)
    hoosh = servers.hoosh(bench.folder, bench.gateway, policies.every(upstream.port), name="hoosh, every policy")
    hoosh.headers = [key_header()]
    with servers.started(upstream, nginx, hoosh):
        listed = [upstream, nginx, hoosh]
        found = in_turn(3, listed, lambda one: bench.open(one, RATE, seconds=2 * bench.seconds))
    rows = []
    for server in listed:
        rounds = found[server.name]
        good, wrong = sum(one.good for one in rounds), sum(one.failed for one in rounds)
        rows.append(
            [
                "direct call" if server is upstream else server.name,
                f"{good / (good + wrong):.2%}",
                number(middle(rounds, lambda one: one.time("p50"))),
                number(middle(rounds, lambda one: one.time("p99"))),
                "" if server is upstream else number(middle(rounds, lambda one: one.cpu_us)),
            ]
        )
    shares = ", ".join(f"{share:.1%} {name}" for name, share in SHARES.items())
    return Part(
        "An upstream that fails",
        ["", "good answers", "p50 µs", "p99 µs", "CPU µs each"],
        rows,
        notes=[
            f"{RATE:,.0f} requests/s to an upstream of which {shares}. One upstream, so there is nobody else to ask."
        ],
        figures={name: [vars(one) for one in rounds] for name, rounds in found.items()},
    )
