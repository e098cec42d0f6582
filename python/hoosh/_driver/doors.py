"""An exchange as those hold it who work for it."""

from hoosh._driver.tasks import Bell
from hoosh._native import Exchange


class Doors:
    """The one reference to an exchange: whoever uses a door of it rings, so that it is asked what to do next.

    Dropping is what frees its places and reservations. It must not wait until the last frame or error that knew the
    exchange is collected, so that all hold this instead.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.bell = Bell()
        self.ring = self.bell.ring

    def drop(self) -> None:
        """Drop the exchange, wherever it stands. No door is used after that."""
        del self.exchange
