"""Answers out of the exact cache, beside nginx serving a file of that size."""

import policies
import servers
from load import Bench, in_turn, key_header, middle, ratio
from table import Goal, Part, number

ANSWER = (servers.Path(__file__).resolve().parents[2] / "answer.json").read_text()


def run(bench: Bench) -> Part:
    upstream = servers.upstream(bench.program, bench.origin)
    plain = servers.nginx_file(bench.folder, bench.gateway, ANSWER, name="nginx, a file", cached=False)
    kept = servers.nginx_file(bench.folder, bench.gateway, ANSWER, name="nginx, a file kept open", cached=True)
    hoosh = servers.hoosh(bench.folder, bench.gateway, policies.every(upstream.port), name="hoosh, hits of its cache")
    hoosh.headers = [key_header()]
    with servers.started(upstream, plain, kept, hoosh):
        found = in_turn(
            bench.fewer, [plain, kept, hoosh], lambda one: bench.closed(one, *([] if one.get else ["--distinct", "10"]))
        )
    against = found[plain.name]
    rows = [
        [
            name,
            f"{middle(rounds, lambda one: one.rate):,.0f}",
            number(ratio(rounds, against, lambda one: one.rate)),
            number(middle(rounds, lambda one: one.cpu_us)),
            number(ratio(rounds, against, lambda one: one.cpu_us)),
            f"{middle(rounds, lambda one: one.busy):.0%}",
            str(sum(one.failed for one in rounds)),
        ]
        for name, rounds in found.items()
    ]
    goal = ratio(found[hoosh.name], against, lambda one: one.rate)
    return Part(
        "Cache hits",
        ["", "requests/s", "of nginx", "CPU µs each", "× nginx", "busy", "failed"],
        rows,
        [Goal("Exact-cache hits/s, of nginx serving a file of that size", goal, 0.5, at_least=True)],
        ["nginx is asked by `GET`, because it has no files for `POST`; hoosh by the chat whose answer it has."],
        {name: [vars(one) for one in rounds] for name, rounds in found.items()},
    )
