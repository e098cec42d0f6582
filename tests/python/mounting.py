"""What tests of mounted applications share: how one is mounted, and how the port and the records are watched."""

import httpx2
import trio

KEYS = '[auth]\ntokens = ["right"]\n'
RIGHT = {"authorization": "Bearer right"}


def mount(path="/tools", app="app", public=False):
    words = f'[[server.mounts]]\npath = "{path}"\napp = "tests.python.mounted_apps:{app}"\n'
    return words + ("public = true\n" if public else "")


def client():
    return httpx2.AsyncClient(timeout=20)


async def records(app):
    """What is recorded of the applications' requests, once there is something."""
    with trio.fail_after(10):
        while not (found := [row for row in app.driver.store.requests() if row["path"] == "/tools"]):
            await trio.sleep(0.01)
    return found


async def heard(stream, words):
    """Read until `words` have come, and no more."""
    said = b""
    with trio.fail_after(10):
        while words not in said:
            more = await stream.receive_some()
            assert more, said
            said += more


async def none_open(app):
    with trio.fail_after(10):
        while app.driver.gateway.open_exchanges():
            await trio.sleep(0.01)


async def until(http, url, status):
    with trio.fail_after(10):
        while (answer := await http.get(url)).status_code != status:
            await trio.sleep(0.01)
    return answer


async def mounts_are(http, url, word):
    """Readiness says so, if not at once."""
    with trio.fail_after(10):
        while (await http.get(f"{url}/v1/health/ready")).json()["mounts"] != word:
            await trio.sleep(0.01)


async def raw(url, *parts, until_end=True):
    """Bytes written to the port, and what comes until the connection is closed."""
    stream = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
    async with stream:
        for part in parts:
            await stream.send_all(part)
        said = b""
        try:
            with trio.fail_after(10):
                while more := await stream.receive_some():
                    said += more
        except trio.BrokenResourceError:
            said += b"(reset)"
    return said
