"""Each request to hypercorn and to the edge, with an upstream each: what differs is told by the request's name."""

from contextlib import AsyncExitStack

import pytest
import trio

from tests.python.conftest import LISTENERS, provider
from tests.upstream import open_upstream

from .seen import differences, of_answer, of_request, of_rows
from .wire import put
from .worlds import WORLDS

LIST = "/v1/models"
"""Asked by each side in its own time."""


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
async def test_what_is_asked_of_either_is_answered_alike(world):
    async with AsyncExitStack() as stack:
        sides = []
        for serving in LISTENERS.values():
            upstream = await stack.enter_async_context(open_upstream())
            text = world.config + provider(upstream) + world.provider + world.more.replace("{url}", upstream.url)
            url, app = await stack.enter_async_context(serving(text, **world.given()))
            with trio.fail_after(10):
                await app.driver.listed()
            sides.append((int(url.rpartition(":")[2]), upstream, app))
        wrong = []
        for ask in world.asks:
            said = [await _asked(ask, port, upstream, app) for port, upstream, app in sides]
            wrong += [f"{ask.name}\n       {words}" for words in differences(*said)]
        rows = [await _rows(app) for _, _, app in sides]
        wrong += [f"rows\n       {words}" for words in differences(*rows)]
    assert not wrong, f"{len(wrong)} differ, hypercorn first:\n" + "\n".join(wrong)


async def _asked(ask, port, upstream, app):
    for plan in ask.plans:
        upstream.plan(**plan)
    before = len(upstream.requests)
    await _rest(app)
    answers, manner = await put(port, ask)
    if ask.unread and (manner in ("kept", "closed") or app.driver.edge is None):
        manner = "kept or closed"
    said = {
        f"answer {at}, {name}": value
        for at, one in enumerate(answers)
        for name, value in of_answer(one, upstream).items()
    }
    return said | {
        "connection": manner,
        # Slices of a list are asked at once.
        "upstream": sorted(of_request(one) for one in upstream.requests[before:] if one.path != LIST),
    }


async def _rest(app):
    """Until what was asked before is over: its answer can be read a moment before its exchange ends, which metrics count."""
    with trio.move_on_after(5):
        while app.driver.gateway.open_exchanges():
            await trio.sleep(0.001)


async def _rows(app):
    await _rest(app)
    # They are stored in groups, a moment after their exchanges end.
    with trio.move_on_after(5):
        while app.driver.gateway.rows_waiting():
            await trio.sleep(0.001)
    return sorted(of_rows(app.driver.store.rows()), key=repr)
