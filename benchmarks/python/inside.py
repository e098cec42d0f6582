"""Calls of `hoosh.Gateway` in this process, as many as a span holds: prints the calls and the CPU time of each, microseconds.

python inside.py CONFIG TRANSPORT SECONDS TASKS
"""

import itertools
import json
import sys
import time
from pathlib import Path

import trio

import hoosh

ASKED = itertools.count()
"""No question is asked twice, so that the cache is looked into and has nothing."""


async def main(config: Path, transport: str, seconds: float, tasks: int) -> None:
    calls = 0

    async def ask(gateway: hoosh.Gateway, until: float) -> None:
        nonlocal calls
        while time.monotonic() < until:
            said = f"{next(ASKED)} " + "word " * 40
            await gateway.chat(model="small-chat-1", messages=[{"role": "user", "content": said}])
            calls += 1

    async def load(gateway: hoosh.Gateway, span: float) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(tasks):
                nursery.start_soon(ask, gateway, time.monotonic() + span)

    async with hoosh.Gateway(config, stored=False, transport=transport) as gateway:
        await load(gateway, seconds / 4)  # warms up
        calls, began, spent = 0, time.monotonic(), time.process_time()
        await load(gateway, seconds)
        each = (time.process_time() - spent) / calls * 1e6
        print(json.dumps({"rate": calls / (time.monotonic() - began), "cpu_us": each}))


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
