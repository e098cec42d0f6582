"""`hoosh models`."""

import json
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any

import typer

from hoosh.cli import options, output
from hoosh.cli.output import Complaint

Json = dict[str, Any]

EXAMPLES = """
hoosh models                       a line for each: model, provider, tokens of input, US dollars for a million tokens
                                   of input and of output, what it can do
hoosh models | cut -f1 | sort
hoosh models openai                those of one provider
hoosh models --catalogue           what hoosh knows of models, whether they can be asked here or not
hoosh models --catalogue groq --json
"""

PATIENCE_SECONDS = 0.5
"""After so long somebody at a terminal wants to know what is waited for."""

HEADS = ["MODEL", "PROVIDER", "INPUT", "$ IN", "$ OUT", "CAN"]
NUMBERS = (2, 3, 4)
ABILITIES = ("vision", "audio", "embeddings", "tools", "structured_output", "reasoning")
"""What is worth a word: that a model chats and streams is what most do."""
TOLD_TO_NOBODY = ("unknown_url", "path_not_allowed", "invalid_api_key")
"""How a server answers that tells what its models can do to other keys, or to none."""


def models(
    provider: Annotated[str | None, typer.Argument(metavar="[PROVIDER]", help="Only those of this provider.")] = None,
    catalogue: Annotated[
        bool, typer.Option("--catalogue", help="What hoosh knows of models, with the type in PROVIDER's place.")
    ] = False,
    as_json: options.AsJson = False,
    config: options.Config = None,
    server: options.Server = None,
    key: options.Key = None,
) -> int:
    """List the models that can be asked.

    With what is known of them. Of this process, which needs no server; or of one that runs, with --server.
    """
    from hoosh.cli.ask import gateway, no_models, run

    if catalogue:
        return _catalogue(provider, config, as_json=as_json)
    if run(_models, gateway(config, server, key), provider, as_json):
        return 0
    if provider is not None:
        raise Complaint(f"No model of a provider called {provider} can be asked. `hoosh models` lists all.")
    output.tell(no_models(config, server))
    return 1


async def _models(opening: AbstractAsyncContextManager[Any], provider: str | None, as_json: bool) -> bool:
    """Whether there are any."""
    import trio

    async with opening as gateway:
        with trio.move_on_after(PATIENCE_SECONDS) as patience:
            await gateway.listed()
        if patience.cancelled_caught:
            output.tell("Waiting for the providers to say what they have, 10 seconds at most.")
            await gateway.listed()
        found = [model for model in await gateway.models() if provider in (None, model["owned_by"])]
        known = await _known(gateway) if found else {}
    pairs = [(model, _of(model, known)) for model in found]
    if as_json:
        output.put_json([{**model, "capabilities": told} for model, told in pairs])
    else:
        output.put_table(HEADS, [_row(model, told) for model, told in pairs], right=NUMBERS)
    return bool(found)


async def _known(gateway: Any) -> dict[tuple[str, str], Json]:
    """What is known of each model, by provider and name; nothing where a server does not tell this key."""
    from hoosh.errors import HooshError

    try:
        told = await gateway.capabilities()
    except HooshError as error:
        if error.code not in TOLD_TO_NOBODY:
            raise
        return {}
    return {(provider["name"], model["model"]): model for provider in told for model in provider["models"]}


def _of(model: Json, known: dict[tuple[str, str], Json]) -> Json:
    """What is known of a listed model; some are listed with their provider's name before theirs."""
    name, owner = str(model["id"]), str(model["owned_by"])
    found = known.get((owner, name)) or known.get((owner, name.removeprefix(f"{owner}/"))) or {}
    return {name: value for name, value in found.items() if name != "model"}


def _row(model: Json, told: Json) -> list[str]:
    def value(name: str) -> Any:
        return (told.get(name) or {}).get("value")

    price = value("price") or {}
    return [
        model["id"],
        model["owned_by"],
        str(value("context") or ""),
        price.get("input_usd_per_mtok") or "",
        price.get("output_usd_per_mtok") or "",
        ", ".join(name for name in ABILITIES if value(name)),
    ]


def _catalogue(provider: str | None, config: str | None, *, as_json: bool) -> int:
    from hoosh._environment import load

    told = json.loads(load(config, secrets=False)[0].catalogue())
    if provider is not None:
        kinds = [kind["name"] for kind in told["providers"] if provider in (kind["name"], *kind["aliases"])]
        if not kinds:
            raise Complaint(f"hoosh knows no provider type called {provider}. `hoosh providers` lists them.")
        told["models"] = [model for model in told["models"] if model["provider"] == kinds[0]]
    if as_json:
        output.put_json(told["models"])
    else:
        output.put_table(HEADS, [_listed(model) for model in told["models"]], right=NUMBERS)
    return 0


def _listed(model: Json) -> list[str]:
    shown = {"image": "vision"}
    takes = [shown.get(word, word) for word in model["modalities"] if word != "text"]
    return [
        model["name"],
        model["provider"],
        str(model["context_tokens"] or ""),
        model["input_usd_per_mtok"] or "",
        model["output_usd_per_mtok"] or "",
        ", ".join([*takes, *(word for word in model["capabilities"] if word != "chat")]),
    ]
