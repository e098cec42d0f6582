"""The bar that shows how a model of this process comes into memory, before it is asked."""

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hoosh.cli import output
from hoosh.errors import HooshError

if TYPE_CHECKING:
    from hoosh.gateway import Gateway

Json = dict[str, Any]


async def loaded(gateway: "Gateway", body: Json) -> None:
    """Have the model that a chat asks for in memory, if it is computed here, and show how far that is.

    Only on a terminal: elsewhere the question itself loads it. What goes wrong is for the question to say.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        return
    with suppress(HooshError):
        first = await _first(gateway, body)
        if first is not None and await _is_to_load(gateway, *first):
            await _load(gateway, *first)


async def _first(gateway: "Gateway", body: Json) -> tuple[str, str] | None:
    """The provider that will be asked first, and its model."""
    told = await gateway.explain({"endpoint": "chat", "body": body})
    for candidate in told["candidates"]:
        if candidate["excluded"] is None:
            return candidate["provider"], candidate["model"]
    return None


async def _is_to_load(gateway: "Gateway", provider: str, model: str) -> bool:
    told = (one for one in await gateway.capabilities() if one["name"] == provider)
    models = (known for one in told for known in one["models"] if known["model"] == model)
    return any(known["loaded"]["value"] is False for known in models)


async def _load(gateway: "Gateway", provider: str, model: str) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    # It makes room for the answer once it is full.
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"Loading {output.shown(model)}", total=None)
        await gateway.load(provider, model, lambda done, size: progress.update(task, completed=done, total=size))
