"""The parts of the suite: each starts what it needs, measures, and gives back one table."""

from collections.abc import Callable

from load import Bench
from table import Part

from parts import cpu, faults, first_token, hits, latency, memory, peers, scale, start, threads

# In the order in which they run. The benchmark's README says of each what it does.
PARTS: dict[str, Callable[[Bench], Part]] = {
    "start": start.run,
    "cpu": cpu.run,
    "hits": hits.run,
    "threads": threads.run,
    "latency": latency.run,
    "first-token": first_token.run,
    "memory": memory.run,
    "scale": scale.run,
    "faults": faults.run,
    "peers": peers.run,
}
