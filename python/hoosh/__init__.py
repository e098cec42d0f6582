"""hoosh, an AI inference gateway.

Kernels, each useful alone: `hoosh.sse` (event streams), `hoosh.tokens` (counting), `hoosh.cache` (canonical keys),
`hoosh.body` (fields of a JSON object, read and changed in place).
Everything that hoosh raises is in `hoosh.errors`.

Importing this package is cheap: no event loop, HTTP client or command line library is loaded before it is used.
"""

from hoosh._native import Config, __version__
from hoosh.errors import HooshError

__all__ = ["Config", "HooshError", "__version__"]
