"""The native half of hoosh. Private: import the public modules of `hoosh` instead."""

from typing import Final

__all__ = ["__version__", "error_codes"]
__version__: Final[str]

def error_codes() -> list[tuple[str, int, str, str]]: ...
