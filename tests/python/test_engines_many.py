"""Many short answers of engines of Python, with callers that leave, failures and refusals: nothing is left of them."""

import random

import httpx2
import pytest
import trio
import trio.lowlevel
from tests.python.conftest import serving
from tests.python.engines import ENGINE, MESSAGES

from hoosh.engines import Refused, ToolCall, Usage

CALLS = 400
AT_ONCE = 20
CONFIG = (
    ENGINE
    + '[retry]\nmax_attempts = 1\nbudget_percent = 0\n[[budgets]]\nname = "default"\ncapacity = 100_000_000\n[cache]\nenabled = false\n'
)


class Moody:
    """Does, by the seed of a request, whatever an engine can do."""

    def chat(self, request):
        chance = random.Random(request.seed)
        mood = chance.random()
        if mood < 0.1:
            raise Refused(chance.choice([400, 422]), "Not today.")
        for at in range(chance.randrange(1, 60)):
            yield "word " * chance.choice([0, 1, 1, 1, 50])
            if at == 3 and mood < 0.15:
                raise RuntimeError("canary")
            if at == 5 and mood < 0.3:
                request.cancelled.wait(0.02)
        if mood > 0.9:
            yield ToolCall(0, name="f", arguments="{}")
        if mood > 0.8:
            yield Usage(7, 70)


class AsyncMoody(Moody):
    async def chat(self, request):
        for piece in Moody.chat(self, request):
            await trio.lowlevel.checkpoint()
            yield piece


@pytest.mark.parametrize("engine", [Moody(), AsyncMoody()], ids=["sync", "async"])
async def test_nothing_is_left_of_many(engine):
    chance = random.Random(5)
    plans = [(seed, chance.random() < 0.3, chance.random() < 0.7, chance.random() / 50) for seed in range(CALLS)]
    async with serving(CONFIG) as (url, app), httpx2.AsyncClient(base_url=url, timeout=30) as http:
        app.driver.register("mine", engine)
        answered = set()

        async def call(seed, leaves, streams, after):
            body = {"model": "m", "messages": MESSAGES, "seed": seed, "stream": streams, "max_tokens": 100}
            with trio.move_on_after(after if leaves else 30):
                async with http.stream("POST", "/v1/chat/completions", json=body) as answer:
                    answered.add(answer.status_code)
                    async for _ in answer.aiter_bytes():
                        pass

        async def each(mine):
            for plan in mine:
                await call(*plan)

        async with trio.open_nursery() as nursery:
            for at in range(AT_ONCE):
                nursery.start_soon(each, plans[at::AT_ONCE])
        assert answered >= {200, 400, 422}
        places = app.driver.engines["mine"].places
        with trio.fail_after(20):
            while app.driver.gateway.open_exchanges() or places.unwanted or app.driver.gateway.rows_waiting():
                await trio.sleep(0.01)
        (pool,) = (await http.get("/v1/tokens/pools")).json()["pools"]
        rows = app.driver.store.rows()
        assert pool["reserved"] == 0
        assert pool["used"] == sum(row["input_tokens"] + row["output_tokens"] for row in rows)
        assert places._limit().borrowed_tokens == 0
