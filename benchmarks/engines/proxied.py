"""`make bench-proxied`: how long a proxied chat takes while a model of this process writes, beside how long it takes without.

One gateway has a model of its own and an upstream over HTTP (the tests' fake one, which answers at once). Chats go to the
upstream one after another; in every second round streams of the model run at the same time. Rounds are in turn; what is told
is the median of their percentiles and the ratio. The model's threads go after others (nice 10), which is what is measured.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx2
import trio

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.faults import processes  # noqa: E402 - the processes that the tests of faults start, too

CONFIG = """
[[providers]]
type = "candle"
name = "local"
{files}
[[providers]]
name = "far"
type = "openai_compatible"
base_url = "{url}/v1"
models = ["fake*"]
"""


async def chats(client: httpx2.AsyncClient, url: str, count: int) -> list[float]:
    """Milliseconds that each of `count` proxied chats took."""
    body = {"model": "fake-chat", "messages": [{"role": "user", "content": "What goes wrong, and when does it?"}]}
    took = []
    for _ in range(count):
        began = time.perf_counter()
        answer = await client.post(f"{url}/v1/chat/completions", json=body)
        took.append((time.perf_counter() - began) * 1000)
        answer.raise_for_status()
    return took


async def writing(client: httpx2.AsyncClient, url: str, model: str, told: list[int]) -> None:
    """Have the model write until nobody wants it any more; counts its chunks."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "What is hoosh?"}],
        "stream": True,
        "temperature": 1.5,
        "max_tokens": 200,
    }
    while True:
        async with client.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    assert "error" not in json.loads(line[6:]), line
                    told[0] += 1


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


async def run(url: str, model: str, streams: int, rounds: int, count: int) -> None:
    figures: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    told = [0]
    async with httpx2.AsyncClient(timeout=60) as client:
        await chats(client, url, 50)
        for _ in range(rounds):
            for is_busy in (False, True):
                async with trio.open_nursery() as nursery:
                    if is_busy:
                        for _ in range(streams):
                            nursery.start_soon(writing, client, url, model, told)
                        await trio.sleep(0.5)
                    took = await chats(client, url, count)
                    nursery.cancel_scope.cancel()
                figures[is_busy].append((percentile(took, 0.5), percentile(took, 0.99)))
    idle, busy = (
        [statistics.median(part) for part in zip(*figures[is_busy], strict=True)] for is_busy in (False, True)
    )
    print(f"{rounds} rounds of {count} chats, {streams} streams of {model}, {told[0]} chunks of it")
    for name, without, beside in zip(("p50", "p99"), idle, busy, strict=True):
        print(f"{name}: {without:.2f} ms alone, {beside:.2f} ms beside a model that writes: {beside / without:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a GGUF file; else hoosh-tiny")
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--chats", type=int, default=500)
    options = parser.parse_args()
    name = "local/hoosh-tiny" if options.model is None else "local/model"
    files = "" if options.model is None else f"files = {{ model = {json.dumps(os.path.abspath(options.model))} }}"
    with processes.upstream() as upstream, tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "hoosh.toml")
        file.write_text(CONFIG.format(files=files, url=upstream.url), encoding="utf-8")
        with processes.gateway("serve", file) as hoosh:
            trio.run(run, hoosh.url, name, options.streams, options.rounds, options.chats)


if __name__ == "__main__":
    main()
