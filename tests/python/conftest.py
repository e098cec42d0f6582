"""Fixtures: a fake upstream, and hoosh in front of it, each on a port that the system chose."""

from contextlib import asynccontextmanager
from functools import partial

import hypercorn.trio
import pytest
import trio
from hypercorn.config import Config as HypercornConfig
from tests.upstream import open_upstream

from hoosh import Config
from hoosh.asgi import Asgi
from hoosh.server import guarded

PROVIDER = """
[[providers]]
name = "{name}"
type = "openai_compatible"
base_url = "{url}"
priority = {priority}
"""


def provider(upstream, name="one", priority=1):
    return PROVIDER.format(name=name, url=upstream.url, priority=priority)


@asynccontextmanager
async def serving(text):
    """The server with configuration `text`: gives (base URL, the ASGI application)."""
    app = Asgi(Config.parse(text, {}))
    settings = HypercornConfig()
    settings.bind = ["127.0.0.1:0"]
    settings.errorlog = None
    async with trio.open_nursery() as nursery:
        stop = trio.Event()
        binds = await nursery.start(
            partial(hypercorn.trio.serve, guarded(app), settings, shutdown_trigger=stop.wait, mode="asgi")
        )
        try:
            yield binds[0], app
        finally:
            stop.set()
            with trio.CancelScope(shield=True), trio.move_on_after(2):
                while app.driver.gateway.open_exchanges():
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()


@pytest.fixture
async def upstream():
    async with open_upstream() as upstream:
        yield upstream
