"""CPU time of each request, and requests a second on one core: bare, each policy alone, all of them, beside nginx."""

import policies
import servers
from load import Bench, Round, in_turn, key_header, middle, ratio
from table import Goal, Part, number

# What one policy may cost before its profile and the reason are to be told.
POLICY_US = 0.5


def run(bench: Bench) -> Part:
    upstream = servers.upstream(bench.program, bench.origin)
    nginx = servers.nginx(bench.folder, bench.gateway, upstream.port)
    bare = servers.hoosh(bench.folder, bench.gateway, policies.bare(upstream.port), name="hoosh, bare")
    alone = []
    for policy, said in policies.ALONE.items():
        server = servers.hoosh(bench.folder, bench.gateway, policies.alone(policy, upstream.port), name=f"+ {said}")
        server.headers = [key_header()] if policies.needs_key(policy) else []
        alone.append(server)
    every = servers.hoosh(bench.folder, bench.gateway, policies.every(upstream.port), name="hoosh, every policy")
    every.headers = [key_header()]
    listed = [nginx, bare, *alone, every]
    with servers.started(upstream, *listed):
        found = in_turn(bench.rounds, listed, bench.closed)
    rows = [_row(name, rounds, found[nginx.name], found[bare.name]) for name, rounds in found.items()]
    costs = {server.name: _adds(found[server.name], found[bare.name]) for server in alone}
    dear = [f"{name.removeprefix('+ ')} {cost:.1f} µs" for name, cost in costs.items() if cost > POLICY_US]
    notes = [f"Policies that cost more than {POLICY_US} µs: {', '.join(dear) or 'none'}."]
    if not bench.counters:
        notes.append("No instructions are counted: `perf stat -e instructions:u` has no counter on this machine.")
    return Part(
        "CPU time and throughput on one core",
        ["", "requests/s", "of nginx", "CPU µs each", "× nginx", "adds to bare, µs", "instructions", "busy", "failed"],
        rows,
        [
            Goal(
                "Requests/s on one core, every policy, of nginx",
                ratio(found[every.name], found[nginx.name], lambda one: one.rate),
                0.70,
                at_least=True,
            ),
            Goal(
                "CPU time of a request, every policy, × nginx",
                ratio(found[every.name], found[nginx.name], lambda one: one.cpu_us),
                1.45,
            ),
        ],
        notes,
        {name: [vars(one) for one in rounds] for name, rounds in found.items()},
    )


def _row(name: str, rounds: list[Round], nginx: list[Round], bare: list[Round]) -> list[str]:
    counted = [one.instructions for one in rounds if one.instructions is not None]
    return [
        name,
        f"{middle(rounds, lambda one: one.rate):,.0f}",
        number(ratio(rounds, nginx, lambda one: one.rate)),
        number(middle(rounds, lambda one: one.cpu_us)),
        number(ratio(rounds, nginx, lambda one: one.cpu_us)),
        number(_adds(rounds, bare)) if name.startswith("+") else "",
        f"{sum(counted) / len(counted):,.0f}" if counted else "–",
        f"{middle(rounds, lambda one: one.busy):.0%}",
        str(sum(one.failed for one in rounds)),
    ]


def _adds(rounds: list[Round], bare: list[Round]) -> float:
    """By the ratio within each round, so that the machine's moods do not add up."""
    return (ratio(rounds, bare, lambda one: one.cpu_us) - 1) * middle(bare, lambda one: one.cpu_us)
