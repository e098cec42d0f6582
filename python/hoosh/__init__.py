"""hoosh, an AI inference gateway.

Kernels, each useful alone: `hoosh.sse` (event streams), `hoosh.tokens` (counting), `hoosh.cache` (canonical keys),
`hoosh.body` (fields of a JSON object, read and changed in place).
The gateway in process: `hoosh.Gateway`, `hoosh.SyncGateway`. As an ASGI application: `hoosh.asgi`.
Everything that hoosh raises is in `hoosh.errors`.

Importing this package is cheap: no event loop, HTTP client or command line library is loaded before it is used.
"""

from typing import TYPE_CHECKING, Any

from hoosh._native import Config, __version__
from hoosh.errors import HooshError

if TYPE_CHECKING:
    from hoosh.gateway import Gateway, SyncGateway

__all__ = ["Config", "Gateway", "HooshError", "SyncGateway", "__version__"]


def __getattr__(name: str) -> Any:
    """Load the gateway, and with it the event loop and the HTTP client, when it is first named."""
    if name in ("Gateway", "SyncGateway"):
        from hoosh import gateway

        return getattr(gateway, name)
    raise AttributeError(f"module 'hoosh' has no attribute {name!r}")
