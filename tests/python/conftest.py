"""Fixtures: a fake upstream, and hoosh in front of it, each on a port that the system chose."""

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager

import hypothesis
import pytest
import trio
from tests.python import mounted_apps
from tests.upstream import open_upstream

import hoosh
from hoosh import Config, embedded, server
from hoosh.asgi import Asgi

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


@asynccontextmanager
async def hypercorn_serving(text, **given):
    """hypercorn with configuration `text`, and what else `Asgi` is given: gives (base URL, the ASGI application)."""
    app = Asgi(Config.parse(text, {}), **given)

    async def answer(stop, task_status):
        await embedded.listen(app, await embedded.open_listeners("127.0.0.1", 0), stop, task_status=task_status)

    async with answering(app, answer) as url:
        yield url, app


@asynccontextmanager
async def edge_serving(text, **given):
    """The same behind the native edge."""
    config = Config.parse(text, {}).listening("127.0.0.1", 0)
    app = Asgi(config, **given)
    edge = app.behind_edge(config).edge
    app.driver.open()

    async def answer(stop, task_status):
        await server.answer(app, edge, stop, trio.Event(), task_status=task_status)

    async with answering(app, answer) as url:
        yield url, app


@asynccontextmanager
async def answering(app, answer):
    async with trio.open_nursery() as nursery:
        stop = trio.Event()

        async def run(task_status=trio.TASK_STATUS_IGNORED):
            await answer(stop, task_status)

        url = await nursery.start(run)
        try:
            yield url
        finally:
            stop.set()
            with trio.CancelScope(shield=True), trio.move_on_after(2):
                while app.driver.gateway.open_exchanges():
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()


LISTENERS = {"hypercorn": hypercorn_serving, "edge": edge_serving}
"""Both that `hoosh serve` has: the other one with `--edge off`."""
serving = LISTENERS[os.environ.get("HOOSH_TEST_LISTENER", "edge")]
"""What answers where a test does not say."""


@pytest.fixture(name="serving", params=LISTENERS.values(), ids=LISTENERS)
def each_listener(request):
    """A test that takes this is put to both."""
    return request.param


@pytest.fixture
async def upstream():
    async with open_upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A gateway in a process of its own before providers of all dialects, for every test of a file."""
    from tests.python.dialects.world import open_world  # with every SDK, which the other files do without

    with open_world(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture(params=["trio", "asyncio"])
def on(request):
    """Runs an async function in a host of either kind; the fake upstream stays in trio's."""

    async def run(work):
        with trio.fail_after(20):
            if request.param == "trio":
                return await work()
            return await trio.to_thread.run_sync(asyncio.run, work())

    return run


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    """What a test keeps without saying where lies in a folder of its own."""
    name = {"darwin": "HOME", "win32": "LOCALAPPDATA"}.get(sys.platform, "XDG_DATA_HOME")
    monkeypatch.setenv(name, str(tmp_path / "home"))


@pytest.fixture
def told(monkeypatch):
    """What a test and the applications of `mounted_apps` tell one another, anew for each."""
    fresh = mounted_apps.Told()
    monkeypatch.setattr(mounted_apps, "told", fresh)
    return fresh


@pytest.fixture
def soon(monkeypatch):
    """A mounted application that ended starts again at once."""
    monkeypatch.setattr("hoosh.mounted.mounts.FIRST_WAIT_SECONDS", 0.01)


@pytest.fixture(params=["python", "native"])
def transport(request, monkeypatch):
    """Has every gateway that a test makes use either transport, also in a program of its own (test_lifetime)."""
    for made in (hoosh.Gateway, hoosh.SyncGateway):
        monkeypatch.setitem(made.__init__.__kwdefaults__, "transport", request.param)
    monkeypatch.setenv("HOOSH_TEST_TRANSPORT", request.param)
    return request.param
