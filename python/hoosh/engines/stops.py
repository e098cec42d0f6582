"""Stop strings, so that no engine has to look for them: also one that comes in two pieces is never leaked."""


class Stops:
    """Text on its way to a caller who named where it ends."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self._longest = max(map(len, stops), default=0)
        self._held = ""

    def see(self, text: str) -> tuple[str, bool]:
        """What may be said after `text` came, and whether that was all of it."""
        if not self._stops:
            return text, False
        self._held += text
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            said, self._held = self._held[: min(found)], ""
            return said, True
        # The longest end that may be the beginning of one.
        keep = next(
            (
                size
                for size in range(min(self._longest - 1, len(self._held)), 0, -1)
                if any(stop.startswith(self._held[-size:]) for stop in self._stops)
            ),
            0,
        )
        said = self._held[: len(self._held) - keep]
        self._held = self._held[len(said) :]
        return said, False

    def rest(self) -> str:
        """What was held back, once nothing more comes."""
        held, self._held = self._held, ""
        return held
