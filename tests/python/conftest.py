"""Fixtures: a fake upstream, and hoosh in front of it, each on a port that the system chose."""

import os
import signal
import sys
from contextlib import asynccontextmanager
from functools import partial

import hypothesis
import pytest
import trio
from tests.upstream import open_upstream

from hoosh import Config, server
from hoosh.asgi import Asgi
from hoosh.embedded import listen, open_listeners

# As in `make test`, each run draws the same cases; `make property` asks for others.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.register_profile("fresh", print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# A shell without job control runs what is in its background with interrupts ignored, and children of it inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

PROVIDER = """
[[providers]]
name = "{name}"
type = "openai_compatible"
base_url = "{url}"
priority = {priority}
"""


def provider(upstream, name="one", priority=1):
    return PROVIDER.format(name=name, url=upstream.url, priority=priority)


LISTENER = os.environ.get("HOOSH_TEST_LISTENER", "edge")
"""What answers callers in these tests: `edge`, as in `hoosh serve`, or `hypercorn`, as with `--edge off`."""


@asynccontextmanager
async def serving(text, listener=LISTENER):
    """The server with configuration `text`: gives (base URL, the ASGI application)."""
    config = Config.parse(text, {}).listening("127.0.0.1", 0)
    app, stop = Asgi(config), trio.Event()
    if listener == "edge":
        front = app.behind_edge(config)
        app.driver.open()
        answer = partial(server.answer, app, front.edge, stop, trio.Event())
    else:
        answer = partial(listen, app, await open_listeners("127.0.0.1", 0), stop)
    async with trio.open_nursery() as nursery:
        address = await nursery.start(answer)
        try:
            yield address, app
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


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    """What a test keeps without saying where lies in a folder of its own."""
    name = {"darwin": "HOME", "win32": "LOCALAPPDATA"}.get(sys.platform, "XDG_DATA_HOME")
    monkeypatch.setenv(name, str(tmp_path / "home"))
