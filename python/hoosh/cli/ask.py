"""Who is asked: a gateway in this process, so that no server is needed, or a hoosh that runs elsewhere."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import trio

from hoosh import _environment
from hoosh._native import Config
from hoosh.cli import output
from hoosh.cli.client import Server

Result = TypeVar("Result")


def gateway(config: str | None, server: str | None, key: str | None) -> AbstractAsyncContextManager[Any]:
    """The server that is named, else a gateway of this process; both are asked in the words of `hoosh.Gateway`."""
    url = _environment.server(server)
    if url is not None:
        return Server(url, _environment.key(key))
    from hoosh.gateway import Gateway

    return Gateway(_environment.load(config)[0], stored=False)


def no_models(config: str | None, server: str | None) -> str:
    """What to do where nothing can be asked, in one line: whoever is asked has no models."""
    url = _environment.server(server)
    if url is not None:
        return f"No model can be asked: the server at {url} has none. Its log says why."
    from hoosh import advice

    found, file = _environment.load(config, secrets=False)
    return advice.no_models(file, len(found.providers)).sentence


def running(config: str | None, server: str | None, key: str | None) -> Server:
    """The server that is named, else the one that serves this configuration.

    Raises:
        Complaint: the configuration does not say where that is.

    """
    return Server(*place(config, server, key))


def place(config: str | None, server: str | None, key: str | None) -> tuple[str, str | None]:
    """Where that server is, and the key for it. Raises as `running` does."""
    url = _environment.server(server)
    return url or address(_environment.load(config, secrets=False)[0]), _environment.key(key)


def address(config: Config) -> str:
    """Where a server of `config` is reached from this machine."""
    if config.port == 0:
        raise output.Complaint("The system chose the port of that server. Name it with --server http://HOST:PORT.")
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    host = everywhere.get(config.bind, config.bind)
    return f"http://{f'[{host}]' if ':' in host else host}:{config.port}"


def run(command: Callable[..., Awaitable[Result]], *arguments: object) -> Result:
    """Run it on trio; returns what it does."""
    # Ctrl-C is met where the command waits, and not inside of the driver's tasks, whose group would wrap it.
    return trio.run(command, *arguments, restrict_keyboard_interrupt_to_checkpoints=True)
