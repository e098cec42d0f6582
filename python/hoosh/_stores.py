"""Stores in files: where, opened by whom, and what a fork does to them."""

import os
import weakref
from typing import NamedTuple

from hoosh._native import Config, Edge, Store, WakeQueue

KEPT_ROWS = 100_000
"""Ledger rows that a store in memory keeps."""


class Place(NamedTuple):
    """A file for a store, and the words by which an operator knows who has it open."""

    path: str
    holder: str


_OPEN: "weakref.WeakSet[Store]" = weakref.WeakSet()


def opened(place: Place, config: Config, told: WakeQueue | Edge) -> Store:
    """Open the store at `place`; `told` hears of its answers.

    Raises:
        ConfigError: another process has it, it is not ours, or cannot be written.

    """
    store = Store(place.path, config, place.holder, told)
    _OPEN.add(store)
    return store


def _forked() -> None:
    # A child has the lock's open file too, and would keep others out when its parent is gone.
    for store in list(_OPEN):
        store.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
