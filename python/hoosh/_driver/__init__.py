"""Drives exchanges on any anyio event loop: does what a step says, reports through the doors, decides nothing.

In the order of one request: `driver` begins an exchange, held by its `doors`, and `exchange` takes its steps; `caller` is
who asked, `writer` writes to it. Each `attempt` is answered over `connections` by an `upstream`, or by an `engine` of this
process. Where the provider has `hooks`, `hooked` puts them in front of both ends of the upstream's answer. `loop` is the
gateway's own loop, `tasks` what all need of an event loop, `process` about forks and exits, `thread` about callers without
an event loop, `inside` about calls that native threads drive instead of all this.

`engines` are those of one gateway. `plugged` asks an engine object: its methods may block (`asking`), so that they run in
threads (`places`, `aside`) and what they yield comes by a `handover`; each answer is a `speech`, whose pieces are checked
(`said`) and cut (`hoosh.engines.stops`); its models are loaded and let go (`residence`). The contract of steps and doors is `native/core/src/exchange/step.rs`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hoosh._driver.caller import Caller, Headers, Kept, Took
    from hoosh._driver.driver import Driver
    from hoosh._driver.engine import Engine, EngineCall, EngineFunction

__all__ = ["Caller", "Driver", "Engine", "EngineCall", "EngineFunction", "Headers", "Kept", "Took"]

_HOMES = {
    "Caller": "caller",
    "Driver": "driver",
    "Engine": "engine",
    "EngineCall": "engine",
    "EngineFunction": "engine",
    "Headers": "caller",
    "Kept": "caller",
    "Took": "caller",
}


def __getattr__(name: str) -> Any:
    """Load an event loop when it is first wanted: the edge alone needs none."""
    if home := _HOMES.get(name):
        return getattr(import_module(f"hoosh._driver.{home}"), name)
    raise AttributeError(f"module 'hoosh._driver' has no attribute {name!r}")
