"""`hoosh models`."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from hoosh.cli import options, output

EXAMPLES = """
hoosh models                       a line for each: the model, a tab, its provider
hoosh models | cut -f1 | sort
hoosh models --json
"""

PATIENCE_SECONDS = 0.5
"""After so long somebody at a terminal wants to know what is waited for."""


def models(
    as_json: options.AsJson = False,
    config: options.Config = None,
    server: options.Server = None,
    key: options.Key = None,
) -> int:
    """List the models that can be asked.

    Of this process, which needs no server; or of one that runs, with --server.
    """
    from hoosh.cli.ask import gateway, no_models, run

    if run(_models, gateway(config, server, key), as_json):
        return 0
    output.tell(no_models(config, server))
    return 1


async def _models(opening: AbstractAsyncContextManager[Any], as_json: bool) -> bool:
    """Whether there are any."""
    import trio

    async with opening as gateway:
        with trio.move_on_after(PATIENCE_SECONDS) as patience:
            await gateway.listed()
        if patience.cancelled_caught:
            output.tell("Waiting for the providers to say what they have, 10 seconds at most.")
            await gateway.listed()
        found = await gateway.models()
    if as_json:
        output.put_json(found)
    else:
        output.put_table(["MODEL", "PROVIDER"], [[model["id"], model["owned_by"]] for model in found])
    return bool(found)
