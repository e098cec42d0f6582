"""`hoosh serve`: the ASGI application under an embedded hypercorn on trio, with signals and a drain that ends."""

import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import hypercorn.trio
import trio
from hypercorn.config import Config as HypercornConfig

from hoosh._environment import load
from hoosh._native import Config, error_body
from hoosh.asgi import Asgi, Message, Receive, Send
from hoosh.errors import ConfigError

DRAIN_SECONDS = 30
"""How long requests in progress may take after SIGTERM; a caller that stopped reading must not hold the exit open."""
MOST_HEADERS = 100


def serve(config: Config, file: Path | None, *, show_first: bool = False) -> int:
    """Serve until a signal says to stop. Returns the exit code. `show_first`: ask one question and show the answer."""
    return trio.run(partial(_serve, config, file, show_first))


async def _serve(config: Config, file: Path | None, show_first: bool) -> int:
    settings = HypercornConfig()
    host = f"[{config.bind}]" if ":" in config.bind else config.bind
    settings.bind = [f"{host}:{config.port}"]
    settings.graceful_timeout = DRAIN_SECONDS
    settings.h11_max_incomplete_size = 64 << 10
    settings.alpn_protocols = ["http/1.1"]
    settings.errorlog = None
    app = Asgi(config)
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_signals, app, file, stop, nursery.cancel_scope)
        binds = await nursery.start(
            partial(hypercorn.trio.serve, guarded(app), settings, shutdown_trigger=stop.wait, mode="asgi")
        )
        _announce(config, file, binds[0])
        if show_first:
            from hoosh.first import first_answer

            nursery.start_soon(first_answer, binds[0])
        await stop.wait()
        with trio.move_on_after(DRAIN_SECONDS + 5):
            while app.driver.gateway.open_exchanges():  # noqa: ASYNC110 - the count has no event, and this is the exit
                await trio.sleep(0.02)
        # hypercorn waits for callers that never read again; everything that began has ended or had its time.
        await trio.sleep(0.2)
        nursery.cancel_scope.cancel()
    return 0


async def _signals(app: Asgi, file: Path | None, stop: trio.Event, scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for number in signals:
            if number == signal.SIGHUP:
                _reload(app, file)
            elif stop.is_set():
                scope.cancel()
            else:
                _say("Stopping: requests in progress may end. Signal again to stop at once.")
                app.driver.gateway.drain()
                stop.set()


def _reload(app: Asgi, file: Path | None) -> None:
    try:
        app.driver.reload(load(file)[0])
        _say("Reloaded the configuration.")
    except ConfigError as error:
        _say(f"Kept the configuration, because the new one is wrong: {error}")


def _announce(config: Config, file: Path | None, address: str) -> None:
    _say(f"hoosh is listening on {address} ({file or 'no hoosh.toml: what was found'})")
    for name, kind, url in config.providers:
        _say(f"  provider {name} ({kind}) {url or 'in this process'}")
    for warning in config.warnings:
        _say(f"  warning: {warning}")
    _say(f"Try: curl {address}/v1/models")


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def guarded(app: Asgi) -> Any:
    """Refuse what hypercorn lets pass and two parsers could read in two ways (RFC 9112 sections 3.2 and 6.1)."""

    async def guard(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (fault := wire_fault(scope)):
            await _refuse(fault, send)
            return
        await app(scope, receive, send)

    return guard


def wire_fault(scope: Any) -> str | None:
    """What is wrong with a request head, or None."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    names = [name for name, _ in headers]
    lengths = [value for name, value in headers if name == b"content-length"]
    if len(headers) > MOST_HEADERS:
        return f"more than {MOST_HEADERS} headers"
    if b"transfer-encoding" in names and (lengths or scope["http_version"] == "1.0"):
        return "Transfer-Encoding where it must not be"
    if any(not value.isdigit() for value in lengths):
        return "a malformed Content-Length"
    hosts = [value for name, value in headers if name == b"host"]
    if any(set(value) & set(b"/\\@?# \t") for value in hosts):
        return "a malformed Host"
    if not scope["path"].startswith("/"):
        return "a target that is not a path"
    return None


async def _refuse(fault: str, send: Send) -> None:
    body = error_body("malformed_request", f"The request has {fault}.")
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    start: Message = {"type": "http.response.start", "status": 400, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})
