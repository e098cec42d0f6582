"""Other gateways that are here, doing what the bare hoosh does, beside it and nginx."""

import contextlib

import installed
import machine
import policies
import servers
from load import Bench, in_turn, key_header, middle, ratio
from table import Part, number


def run(bench: Bench) -> Part:
    upstream = servers.upstream(bench.program, bench.origin)
    nginx = servers.nginx(bench.folder, bench.gateway, upstream.port)
    bare = servers.hoosh(bench.folder, bench.gateway, policies.bare(upstream.port), name="hoosh, bare")
    every = servers.hoosh(bench.folder, bench.gateway, policies.every(upstream.port), name="hoosh, every policy")
    every.headers = [key_header()]
    peers, notes = installed.peers(bench, upstream.port)
    for words in bench.peers:
        name, _, url = words.partition("=")
        peers.append(servers.Running(name, url, bench.gateway, []))
    rounds = 2 if bench.quick else 3
    with servers.started(upstream, nginx, bare, every), contextlib.ExitStack() as stack:
        peers = [peer for peer in peers if _comes_up(peer, stack, notes)]
        listed = [nginx, bare, every, *peers]
        # Some answer before they can: the first round warms them up, and the processes are counted after it.
        for server in peers:
            bench.closed(server, seconds=1)
            server.look_again()
        idle = {server.name: machine.memory_mib(server.pids) for server in listed}
        found = in_turn(rounds, listed, lambda one: bench.closed(one, seconds=2 * bench.seconds))
        memory = {server.name: machine.memory_mib(server.pids) for server in listed}
    rows = [
        [
            name,
            f"{middle(seen, lambda one: one.rate):,.0f}",
            number(middle(seen, lambda one: one.cpu_us)),
            number(ratio(seen, found[nginx.name], lambda one: one.cpu_us)),
            number(middle(seen, lambda one: one.time("p50")) / 1000),
            number(middle(seen, lambda one: one.time("p99")) / 1000),
            f"{idle[name]:,.0f}",
            f"{memory[name]:,.0f}",
            str(sum(one.failed for one in seen)),
        ]
        for name, seen in found.items()
    ]
    return Part(
        "Peers",
        ["", "requests/s", "CPU µs each", "× nginx", "p50 ms", "p99 ms", "MiB before", "MiB after", "failed"],
        rows,
        notes=["One core each, 64 connections, every answer from the same upstream.", *notes],
        figures={name: [vars(one) for one in seen] for name, seen in found.items()},
    )


def _comes_up(peer: servers.Server, stack: contextlib.ExitStack, notes: list[str]) -> bool:
    """One that does not is left out, and the notes say why."""
    try:
        stack.enter_context(servers.started(peer))
    except servers.NotReadyError as error:
        notes.append(f"Left out: {error}")
        return False
    return True
