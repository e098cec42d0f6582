"""Two threads against one at the same load: what sharing costs."""

import policies
import servers
from load import Bench, in_turn, key_header, middle, ratio
from table import Goal, Part, number

# Of what one core can do: two have little to do then, and wake more often for less.
SHARE = 0.5


def run(bench: Bench) -> Part:
    upstream = servers.upstream(bench.program, bench.origin)
    config = policies.every(upstream.port)
    one = servers.hoosh(bench.folder, bench.gateway, config, name="one thread, one core")
    two = servers.hoosh(bench.folder, bench.pair, config, name="two threads, two cores", threads=2)
    for server in (one, two):
        server.headers = [key_header()]
    with servers.started(upstream, one, two):
        rate = bench.most(one) * SHARE
        found = in_turn(bench.fewer, [one, two], lambda server: bench.open(server, rate, seconds=bench.seconds))
    rows = [
        [
            name,
            f"{middle(rounds, lambda seen: seen.rate):,.0f}",
            number(middle(rounds, lambda seen: seen.cpu_us)),
            number(ratio(rounds, found[one.name], lambda seen: seen.cpu_us)),
            str(sum(seen.failed for seen in rounds)),
        ]
        for name, rounds in found.items()
    ]
    figure = ratio(found[two.name], found[one.name], lambda seen: seen.cpu_us)
    notes = [f"At {SHARE:.0%} of what one thread can do, {rate:,.0f} requests/s."]
    if not servers.knows_threads():
        figure = float("nan")
        notes.append("This hoosh has no `[server] threads`: both are the same.")
    return Part(
        "Two threads against one",
        ["", "requests/s", "CPU µs each", "× one thread", "failed"],
        rows,
        [Goal("CPU time of a request, two threads, × one at equal load", figure, 1.1)],
        notes,
        {name: [vars(seen) for seen in rounds] for name, rounds in found.items()},
    )
