"""Reservations, prices and request records through the port; their rules are tested in native/core/tests/exchange."""

import httpx2
import trio
from tests.python.conftest import provider, serving

CHAT = {"model": "fake-chat", "messages": [{"role": "user", "content": "Say hello"}]}
BUDGET = """
[[budgets]]
name = "default"
capacity = 100_000
[[prices]]
model = "fake-*"
input_usd_per_mtok = 1
output_usd_per_mtok = "2.5"
"""


async def stored(app, rows, requests):
    """The ledger and the request records, once there are so many."""
    store = app.driver.store
    with trio.fail_after(10):
        while len(store.rows()) < rows or len(store.requests()) < requests:
            await trio.sleep(0.01)
    return store.rows(), store.requests()


async def test_what_is_spent_elsewhere_is_reserved_reported_once_and_booked(upstream):
    async with serving(provider(upstream) + BUDGET) as (url, app), httpx2.AsyncClient(base_url=url) as http:
        assert (await http.post("/v1/chat/completions", json=CHAT)).status_code == 200
        held = await http.post("/v1/tokens/reserve", json={"tokens": 5_000, "owner": "nightly"})
        assert held.status_code == 200
        held_id = held.json()["id"]
        pools = (await http.get("/v1/tokens/pools")).json()["pools"]
        assert [(pool["name"], pool["reserved"]) for pool in pools] == [("default", 5_000)]
        report = {"id": held_id, "input_tokens": 3_000, "output_tokens": 400, "model": "fake-chat"}
        told = (await http.post("/v1/tokens/report", json=report)).json()
        assert (told["used"], told["overrun"]) == (3_400, False)
        again = await http.post("/v1/tokens/report", json=report)
        assert (again.status_code, again.json()["error"]["code"]) == (409, "reservation_settled")
        much = await http.post("/v1/tokens/reserve", json={"tokens": 100_001})
        assert (much.status_code, much.json()["error"]["code"]) == (429, "budget_exceeded")
        rows, records = await stored(app, 2, 4)
        pools = (await http.get("/v1/tokens/pools")).json()["pools"]
        costs = (await http.get("/v1/costs")).json()
    assert [row["endpoint"] for row in rows] == ["chat", "tokens"]
    assert sum(row["input_tokens"] + row["output_tokens"] for row in rows) == pools[0]["used"]
    assert pools[0]["reserved"] == 0
    assert rows[1]["cost_nano_usd"] == 3_000 * 1_000 + 400 * 2_500
    assert all(not record["asked"] for record in records)
    assert [record["error"] for record in records] == [None, None, "reservation_settled", "budget_exceeded"]
    assert sum(record["cost_nano_usd"] for record in costs["records"]) == sum(row["cost_nano_usd"] for row in rows)
    assert costs["unpriced_requests"] == 0


async def test_every_request_leaves_a_record(upstream):
    config = (
        provider(upstream)
        + '[auth]\ntokens = [{ token = "right", name = "team" }]\n[cache]\nenabled = true\nmode = "always"\n'
    )
    headers = {"authorization": "Bearer right"}
    async with serving(config) as (url, app), httpx2.AsyncClient(base_url=url) as http:
        for _ in range(2):
            await http.post("/v1/chat/completions", json=CHAT, headers=headers)
        await http.get("/v1/models?key=hidden")
        await http.get("/v1/health")
        await http.get("/nothing", headers=headers)
        rows, records = await stored(app, 1, 3)
    assert (rows[0]["key"], rows[0]["cache"], rows[0]["path"]) == ("team", "miss", "/v1/chat/completions")
    assert [(record["path"], record["status"], record["cache"]) for record in records] == [
        ("/v1/chat/completions", 200, "hit"),
        ("/v1/models", 401, None),
        ("/nothing", 404, None),
    ]
