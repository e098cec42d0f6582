"""hoosh, an AI inference gateway.

Kernels, each useful alone: `hoosh.sse` (event streams), `hoosh.tokens` (counting), `hoosh.cache` (canonical keys),
`hoosh.body` (fields of a JSON object, read and changed in place).
The gateway in process: `hoosh.Gateway`, `hoosh.SyncGateway`. As an ASGI application: `hoosh.asgi`. Both from one program,
with providers, keys and budgets of its own: `hoosh.Server.builder()`, `hoosh.Provider`.
Models of your own that answer in this process: `hoosh.engines`, with `hoosh.testing` to try them.
Everything that hoosh raises is in `hoosh.errors`.

Importing this package is cheap: no event loop, HTTP client or command line library is loaded before it is used.
"""

from hoosh import _early

if _early.is_serve():
    # The imports below are where a signal would meet it that comes right after the start.
    _early.catch()

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hoosh._native import Config, __version__
from hoosh.errors import HooshError

if TYPE_CHECKING:
    from hoosh.builder import Server
    from hoosh.engines.refused import Refused
    from hoosh.gateway import Gateway
    from hoosh.provider import Provider, ProviderAnswer, ProviderRequest
    from hoosh.sync import SyncGateway

__all__ = [
    "Config",
    "Gateway",
    "HooshError",
    "Provider",
    "ProviderAnswer",
    "ProviderRequest",
    "Refused",
    "Server",
    "SyncGateway",
    "__version__",
]

_HOMES = {
    "Gateway": "gateway",
    "Provider": "provider",
    "ProviderAnswer": "provider",
    "ProviderRequest": "provider",
    "Refused": "engines.refused",
    "Server": "builder",
    "SyncGateway": "sync",
}


def __getattr__(name: str) -> Any:
    """Load what brings an event loop and HTTP with it when it is first named."""
    if home := _HOMES.get(name):
        return getattr(import_module(f"hoosh.{home}"), name)
    raise AttributeError(f"module 'hoosh' has no attribute {name!r}")
