"""What other threads wake on one event loop: exchanges, the gateway's loop, and engines that have more to say."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import anyio

from hoosh._driver.tasks import Bell, Bells
from hoosh._native import WakeQueue


class Woken:
    """Bells by number. `first` is that of the gateway's loop."""

    def __init__(self, first: int) -> None:
        self.queue = WakeQueue()
        self.bells: Bells = {}
        self._numbers = count(first + 1)

    def number(self) -> int:
        """One that nobody had. From any thread."""
        return next(self._numbers)

    @contextmanager
    def bell(self) -> Iterator[tuple[int, Bell]]:
        """A number and its bell, as long as the context lasts."""
        number, bell = self.number(), Bell()
        self.bells[number] = bell
        try:
            yield number, bell
        finally:
            del self.bells[number]

    async def hear(self) -> None:
        """Ring for whoever another thread, or an exchange, woke."""
        while True:
            await anyio.wait_readable(self.queue.fileno())
            for number in self.queue.take():
                if bell := self.bells.get(number):
                    bell.ring()
