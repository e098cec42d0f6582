"""An exchange as those hold it who work for it."""

from collections.abc import Callable

from hoosh._driver.tasks import Bell
from hoosh._native import Exchange


class Doors:
    """The one reference to an exchange: whoever uses a door of it calls `step` then, which takes the steps that follow.

    Dropping is what frees its places and reservations. It must not wait until the last frame or error that knew the
    exchange is collected, so that all hold this instead.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.bell = Bell()
        """Wakes whoever drives it."""
        self.step: Callable[[], None] = self.bell.ring

    def drop(self) -> None:
        """Drop the exchange, wherever it stands. No door is used after that."""
        del self.exchange, self.step
