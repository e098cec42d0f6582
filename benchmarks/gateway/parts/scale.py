"""Very many routes, keys, budgets and cache entries against ten of each."""

import time

import machine
import policies
import servers
from load import Bench, in_turn, middle, ratio
from servers import Server
from table import Goal, Part, number

TEN = {"routes": 10, "keys": 10, "budgets": 10, "entries": 10}
MANY = {"routes": 10_000, "keys": 100_000, "budgets": 100_000, "entries": 1_000_000}
QUICK = {"routes": 1_000, "keys": 10_000, "budgets": 10_000, "entries": 50_000}
# For a configuration of many megabytes.
PATIENCE_SECONDS = 120
# For a million answers; the table says how many there were.
FILLING_SECONDS = 90


def run(bench: Bench) -> Part:
    sizes = {"ten of each": TEN, "very many": QUICK if bench.quick else MANY}
    upstream = servers.upstream(bench.program, bench.origin)
    listed = {
        name: servers.hoosh(bench.folder, bench.gateway, policies.many(upstream.port, **size), name=name)
        for name, size in sizes.items()
    }
    with servers.started(upstream):
        began = time.monotonic()
        try:
            for server in listed.values():
                server.start()
            for server in listed.values():
                server.ready(PATIENCE_SECONDS)
            ready = time.monotonic() - began
            filled = {name: _filled(bench, server, sizes[name]) for name, server in listed.items()}
            hits = in_turn(bench.fewer, list(listed.values()), lambda one: _hits(bench, one, sizes[one.name]))
            misses = in_turn(bench.fewer, list(listed.values()), lambda one: _misses(bench, one, sizes[one.name]))
            memory = {name: machine.memory_mib(server.pids) for name, server in listed.items()}
        finally:
            for server in listed.values():
                server.stop()
    few, lot = listed
    rows = [
        [
            name,
            f"{middle(misses[name], lambda one: one.rate):,.0f}",
            number(ratio(misses[name], misses[few], lambda one: one.rate)),
            number(middle(misses[name], lambda one: one.cpu_us)),
            f"{middle(hits[name], lambda one: one.rate):,.0f}",
            number(ratio(hits[name], hits[few], lambda one: one.rate)),
            number(middle(hits[name], lambda one: one.cpu_us)),
            f"{filled[name]:,}",
            f"{memory[name]:,.0f}",
            str(sum(one.failed for one in misses[name] + hits[name])),
        ]
        for name in listed
    ]
    size = sizes[lot]
    return Part(
        "Very many against ten",
        ["", "misses/s", "of ten", "CPU µs", "hits/s", "of ten", "CPU µs", "answers kept before", "MiB", "failed"],
        rows,
        [
            Goal(
                "Throughput with very many of everything, of ten (cache misses)",
                _rate(misses, lot, few),
                0.8,
                at_least=True,
            ),
            Goal("The same, cache hits", _rate(hits, lot, few), 0.8, at_least=True),
        ],
        [
            f"{size['routes']:,} models, each at a provider of its own, {size['keys']:,} keys, {size['budgets']:,} budgets, "
            f"{size['entries']:,} cache entries, all asked in turn. Both were ready {ready:.1f} s after their start."
        ],
        {"misses": _plain(misses), "hits": _plain(hits), "memory_mib": memory, "ready_seconds": ready},
    )


def _spread(size: dict[str, int]) -> list[str]:
    return ["--models", str(size["routes"]), "--keys", str(size["keys"])]


def _filled(bench: Bench, server: Server, size: dict[str, int]) -> int:
    """Asks once for everything that the cache is to hold."""
    count = size["entries"]
    arguments = [*_spread(size), "--distinct", str(count), "--requests", str(count)]
    return bench.closed(server, *arguments, seconds=FILLING_SECONDS).good


def _hits(bench: Bench, server: Server, size: dict[str, int]) -> object:
    # Each round goes on where nobody knows: the same numbers in the same order would meet a warm part of the memory.
    first = str(time.monotonic_ns() % size["entries"])
    return bench.closed(server, *_spread(size), "--distinct", str(size["entries"]), "--first", first)


def _misses(bench: Bench, server: Server, size: dict[str, int]) -> object:
    return bench.closed(server, *_spread(size))


def _rate(found: dict, of: str, to: str) -> float:
    return ratio(found[of], found[to], lambda one: one.rate)


def _plain(found: dict) -> dict:
    return {name: [vars(one) for one in rounds] for name, rounds in found.items()}
