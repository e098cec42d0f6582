"""What a proxy adds to the time of an answer, at a fixed rate of 30 % of what nginx can do."""

import policies
import servers
from load import Bench, Round, in_turn, key_header, middle
from servers import Server
from table import Goal, Part, number

SHARE = 0.3


def run(bench: Bench) -> Part:
    upstream = servers.upstream(bench.program, bench.origin)
    nginx = servers.nginx(bench.folder, bench.gateway, upstream.port)
    bare = servers.hoosh(bench.folder, bench.gateway, policies.bare(upstream.port), name="hoosh, bare")
    every = servers.hoosh(bench.folder, bench.gateway, policies.every(upstream.port), name="hoosh, every policy")
    every.headers = [key_header()]
    seconds = 1.0 if bench.quick else 3.0
    with servers.started(upstream, nginx, bare, every), servers.awake(bench.program, bench.cores):
        rate = bench.most(nginx) * SHARE
        listed = [upstream, nginx, bare, every]
        found = in_turn(bench.fewer, listed, lambda server: bench.open(server, rate, seconds=seconds))
    gaps = "gaps as between independent callers" if bench.poisson else "equal gaps"
    return compared(
        "Added latency",
        found,
        [upstream, nginx, bare, every],
        ("p50", "p99"),
        [
            f"{rate:,.0f} requests/s, {SHARE:.0%} of what nginx can do, in {gaps}; each timed from when it was due; a spinner of "
            "idle priority on each core. What is added is the difference to a direct call in the same round."
        ],
        "latency",
    )


def compared(
    title: str, found: dict[str, list[Round]], listed: list[Server], names: tuple[str, str], notes: list[str], word: str
) -> Part:
    """The first server is the direct call, the second nginx, the last what the goals are about."""
    direct, nginx, last = (found[server.name] for server in (listed[0], listed[1], listed[-1]))
    rows = []
    for server in listed:
        rounds = found[server.name]
        row = [
            server.name if server is not listed[0] else "direct call",
            f"{middle(rounds, lambda one: one.rate):,.0f}",
        ]
        for name in names:
            row.append(number(middle(rounds, lambda one, name=name: one.time(name))))
            row.append("" if server is listed[0] else number(_added(rounds, direct, name)))
            row.append("" if server in listed[:2] else number(_times(rounds, nginx, direct, name)))
        row.append(number(middle(rounds, lambda one: one.cpu_us)) if server is not listed[0] else "")
        rows.append([*row, str(sum(one.failed for one in rounds))])
    columns = ["", "requests/s"]
    for name in ("p50", "p99"):
        columns += [f"{name} µs", "added", "× nginx's"]
    goals = [
        Goal(f"Added {word} p50, every policy, × what nginx adds", _times(last, nginx, direct, names[0]), 1.5),
        Goal(f"Added {word} p99, every policy, × what nginx adds", _times(last, nginx, direct, names[1]), 2.0),
    ]
    figures = {name: [vars(one) for one in rounds] for name, rounds in found.items()}
    return Part(title, [*columns, "CPU µs each", "failed"], rows, goals, notes, figures)


def _added(rounds: list[Round], direct: list[Round], name: str) -> float:
    """The median of the differences within each round."""
    pairs = zip(rounds, direct, strict=True)
    differences = sorted(one.time(name) - other.time(name) for one, other in pairs)
    return differences[len(differences) // 2]


def _times(rounds: list[Round], nginx: list[Round], direct: list[Round], name: str) -> float:
    return _added(rounds, direct, name) / max(_added(nginx, direct, name), 1e-9)
