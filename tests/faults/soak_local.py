"""`python -m tests.faults.soak_local --count 10000`: short answers of a model of this process, asked through the port in every manner.

Callers ask whole, stream, leave in the midst, stop reading, hold the answer to a schema, ask for several answers and for what the
model refuses. At the end memory has not grown, nothing is reserved or open, and every slot of the model answers again. Exit
code 1 if something of it does not hold.
"""

import argparse
import collections
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx2
import trio

from tests.faults import processes
from tests.faults.soak import grown, held, resident_bytes

CONFIG = """
[deadlines]
caller_stall_secs = 2
[[providers]]
type = "candle"
name = "local"
max_sequences = 4
cache_bytes = 16_777_216
[[budgets]]
name = "default"
capacity = 1_000_000_000
"""
CALLERS = 12
QUESTIONS = ["What is hoosh?", "How do budgets work?", "Hello!", "Which commands are there?", "What about routing?"]
SCHEMA = {
    "type": "object",
    "properties": {"name": {"enum": ["hoosh", "other"]}, "fast": {"type": "boolean"}},
    "required": ["name", "fast"],
    "additionalProperties": False,
}
WARM_SHARE = 0.3
"""Of all answers, until caches and allocators have what they keep; memory is compared from then on."""


class Load:
    """The callers, and what they got."""

    def __init__(self, url: str, seed: int) -> None:
        self.url = f"{url}/v1/chat/completions"
        self.dice = random.Random(seed)
        self.counts: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []

    @property
    def done(self) -> int:
        return sum(self.counts.values())

    async def call(self, client: httpx2.AsyncClient) -> None:
        kinds = {"whole": 30, "stream": 25, "leave": 20, "schema": 8, "several": 6, "refused": 8, "stall": 1}
        kind = self.dice.choices(list(kinds), list(kinds.values()))[0]
        try:
            await getattr(self, "_" + kind)(client)
        except httpx2.HTTPError as error:
            self.wrong.append(f"{kind}: {error!r}")
        self.counts[kind] += 1

    def _body(self, **more: object) -> dict[str, object]:
        question = {"role": "user", "content": self.dice.choice(QUESTIONS)}
        sampling = {"temperature": self.dice.choice([0, 0.7, 1.5]), "seed": self.dice.randrange(1 << 30)}
        limit = {"max_tokens": self.dice.randrange(1, 40)}
        return {"model": "local/hoosh-tiny", "messages": [question]} | sampling | limit | more

    async def _asked(self, client: httpx2.AsyncClient, kind: str, body: object) -> list[Any]:
        """The choices of an answer; none where there is no answer, which is remembered."""
        answer = await client.post(self.url, json=body)
        if answer.status_code != 200:
            self.wrong.append(f"{kind}: {answer.status_code} {answer.text[:200]}")
            return []
        choices: list[Any] = answer.json()["choices"]
        return choices

    async def _whole(self, client: httpx2.AsyncClient) -> None:
        await self._asked(client, "whole", self._body())

    async def _several(self, client: httpx2.AsyncClient) -> None:
        if len(await self._asked(client, "several", self._body(n=2))) != 2:
            self.wrong.append("several: not two answers")

    async def _schema(self, client: httpx2.AsyncClient) -> None:
        form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
        for choice in await self._asked(client, "schema", self._body(response_format=form, max_tokens=200)):
            text = choice["message"]["content"]
            if choice["finish_reason"] == "stop" and set(json.loads(text)) != {"name", "fast"}:
                self.wrong.append(f"schema: {text[:200]}")

    async def _refused(self, client: httpx2.AsyncClient) -> None:
        wrong = self.dice.choice([{"temperature": 9}, {"max_tokens": -1}, {"logit_bias": "x"}, {"n": 0}])
        answer = await client.post(self.url, json=self._body() | wrong)
        if answer.status_code != 400:
            self.wrong.append(f"refused: {answer.status_code} for {wrong}")

    async def _stream(self, client: httpx2.AsyncClient) -> None:
        if b"[DONE]" not in await self._read(client, pause=0):
            self.wrong.append("stream: not whole")

    async def _leave(self, client: httpx2.AsyncClient) -> None:
        with trio.move_on_after(self.dice.random() * 0.1):
            await self._read(client, pause=0)

    async def _stall(self, client: httpx2.AsyncClient) -> None:
        # Longer than a caller may: whether it is cut depends on how much the socket took before.
        with trio.move_on_after(5):
            await self._read(client, pause=3)

    async def _read(self, client: httpx2.AsyncClient, pause: float) -> bytes:
        whole = b""
        async with client.stream("POST", self.url, json=self._body(stream=True)) as answer:
            async for data in answer.aiter_raw():
                whole += data
                await trio.sleep(pause)
        return whole


async def run(hoosh: processes.Process, count: int, seed: int) -> list[str]:
    load = Load(hoosh.url, seed)
    samples: list[tuple[int, int]] = []
    limits = httpx2.Limits(max_connections=CALLERS, max_keepalive_connections=CALLERS)
    async with httpx2.AsyncClient(timeout=60, limits=limits) as client:

        async def caller() -> None:
            while load.done < count:
                await load.call(client)

        async with trio.open_nursery() as nursery:
            for _ in range(CALLERS):
                nursery.start_soon(caller)
            while load.done < count:
                await trio.sleep(5)
                samples.append((load.done, resident_bytes(hoosh.child.pid)))
                print(f"{load.done:6} answers  {samples[-1][1] / 2**20:7.1f} MiB", flush=True)
        await trio.sleep(4)
        wrong = [*load.wrong[:10], *await left(hoosh, client, samples, count)]
    print(dict(load.counts))
    return wrong


async def left(
    hoosh: processes.Process, client: httpx2.AsyncClient, samples: list[tuple[int, int]], count: int
) -> list[str]:
    """What should not be there when all is quiet."""
    warm = [resident for done, resident in samples if done >= count * WARM_SHARE]
    wrong = held(hoosh.url) + grown(warm)
    load = Load(hoosh.url, 0)
    began = time.monotonic()
    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(load._whole, client)
    print(f"four at once are answered in {time.monotonic() - began:.2f} s")
    return [*wrong, *load.wrong]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak_local", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "hoosh.toml")
        file.write_text(CONFIG, encoding="utf-8")
        with processes.gateway("serve", file) as hoosh:
            wrong = trio.run(run, hoosh, options.count, options.seed)
    print("\n".join(f"WRONG: {words}" for words in wrong) or "nothing is left, nothing was lost")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
