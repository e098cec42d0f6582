"""Drives exchanges on any anyio event loop: does what a step says, reports through the doors, decides nothing.

In the order of one request: `driver` begins an exchange, held by its `doors`, and `exchange` takes its steps; `caller` is
who asked, `writer` writes to it. Each `attempt` is answered over `connections` by an `upstream`, or by an `engine` of this
process; where the provider has `hooks`, `hooked` puts them in front of both ends of the upstream's answer. `loop` is the
gateway's own loop, `tasks` what all need of an event loop, `process` about forks and exits, `thread` about callers without
an event loop. The contract of steps and doors is `native/core/src/exchange/step.rs`.
"""

from hoosh._driver.caller import Caller, Headers, Kept, Took
from hoosh._driver.driver import Driver
from hoosh._driver.engine import Engine, EngineCall

__all__ = ["Caller", "Driver", "Engine", "EngineCall", "Headers", "Kept", "Took"]
