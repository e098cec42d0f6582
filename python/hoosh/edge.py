"""The native edge as `hoosh serve` starts it: the sockets are open, and the store, before an event loop is loaded."""

import os
import time
from collections.abc import Sequence
from typing import NamedTuple

from hoosh._native import Config, Edge, Gateway, MemoryStore, Store
from hoosh._stores import KEPT_ROWS, Place, opened
from hoosh.errors import ConfigError

HOLDER = "hoosh serve"
"""What the store's file says of whoever has it open."""


class Front(NamedTuple):
    """A gateway whose callers the edge answers, and whose loop the edge runs."""

    gateway: Gateway
    edge: Edge
    store: MemoryStore | Store


def opened_front(config: Config, place: Place | None, hooked: Sequence[str] = (), prefix: str = "") -> Front:
    """Listen where `config` says, with the store at `place`; callers wait for their answers until `edge.accept()`.

    `hooked`: the providers with callables of this process. `prefix`: the path below which it answers, such as `/ai`.

    Raises:
        ConfigError: the address or the store is not to be had.

    """
    gateway = Gateway(config.hooked(list(hooked)), int.from_bytes(os.urandom(8), "little"))
    try:
        edge = Edge(gateway, config.bind, config.port, prefix, config.threads, time.monotonic_ns() // 1000)
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (os error")[0]
        words = f"Cannot listen on {config.bind} port {config.port}: {why}. Choose with --bind and --port."
        raise ConfigError(words) from error
    store = MemoryStore(KEPT_ROWS) if place is None else opened(place, config, edge)
    edge.start_loop(store)
    return Front(gateway, edge, store)


def guarded(config: Config) -> Config:
    """A configuration that may be served where it listens.

    Raises:
        ConfigError: others can reach the address, and there are no keys.

    """
    if reason := config.exposed():
        raise ConfigError(reason)
    return config
