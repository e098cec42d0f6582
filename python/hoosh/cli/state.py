"""`hoosh health`, `hoosh pools` and `hoosh costs`: the state of a server that runs."""

from typing import TYPE_CHECKING, Any

from hoosh.cli import options, output
from hoosh.errors import HooshError

if TYPE_CHECKING:
    from hoosh.cli.client import Server

Json = dict[str, Any]

EXAMPLES = {
    "health": """
hoosh health                              the server of this configuration
hoosh health --server http://10.0.0.5:8088
hoosh health > /dev/null && echo ready    it ends with 0 where requests are taken, else with 1
""",
    "pools": """
hoosh pools                   a line for each: name, capacity, used, reserved, lost, available
hoosh pools --json | jq '.pools[] | select(.available < 1000)'
""",
    "costs": """
hoosh costs                   a line for each model: provider, model, requests, input, output, US dollars
hoosh costs --json | jq .total_cost_usd
""",
}


def health(
    as_json: options.AsJson = False,
    config: options.Config = None,
    server: options.Server = None,
    key: options.Key = None,
) -> int:
    """Say how a server and its providers are.

    It ends with 0 while the server takes requests, else with 1.
    """
    from hoosh.cli.ask import run, running

    async def ask(opening: "Server") -> int:
        async with opening as asked:
            state = await asked.get("/v1/health/ready", also=(503,), holds="status")
            providers, refusal = await _providers(asked)
        if as_json:
            output.put_json(state if providers is None else {**state, "providers": providers})
        else:
            output.put(f"{state['status']}\t{asked.url}\n")
            rows = [_provider(provider) for provider in providers or []]
            output.put_table(["PROVIDER", "STATUS", "REASON", "RETRY IN"], rows)
        if refusal is not None:
            raise refusal
        return 0 if state["status"] == "ready" else 1

    return run(ask, running(config, server, key))


async def _providers(asked: "Server") -> tuple[list[Json] | None, HooshError | None]:
    """None where the server does not tell, or not this key; and the refusal of a key that it does not know."""
    try:
        return (await asked.get("/v1/health/providers", holds="providers"))["providers"], None
    except HooshError as error:
        if error.code not in ("unknown_url", "invalid_api_key", "path_not_allowed"):
            raise
        # Who has no key is told what everybody may know.
        return None, error if asked.keyed and error.code == "invalid_api_key" else None


def _provider(provider: Json) -> list[str]:
    retry = provider.get("retry_in_secs")
    return [
        str(provider["name"]),
        str(provider["status"]),
        str(provider.get("reason") or ""),
        "" if not retry else f"{retry:g} s",
    ]


def pools(
    as_json: options.AsJson = False,
    config: options.Config = None,
    server: options.Server = None,
    key: options.Key = None,
) -> int:
    """List the budgets of a server, in tokens.

    Capacity, used, reserved, lost by crashes, and available.
    """
    numbers = ("capacity", "used", "reserved", "lost", "available")

    def show(said: Json) -> None:
        rows = [[str(pool["name"]), *(_count(pool.get(name)) for name in numbers)] for pool in said["pools"]]
        output.put_table(["POOL", *(name.upper() for name in numbers)], rows, right=(1, 2, 3, 4, 5))

    return _shown("/v1/tokens/pools", "pools", show, as_json, config, server, key)


def costs(
    as_json: options.AsJson = False,
    config: options.Config = None,
    server: options.Server = None,
    key: options.Key = None,
) -> int:
    """Say what a server's requests cost.

    By provider and model; `-` where a price is not known, also as the total where none is.
    """

    def show(said: Json) -> None:
        rows = [
            [
                str(record["provider"]),
                str(record["model"]),
                *(_count(record.get(name)) for name in ("requests", "input_tokens", "output_tokens")),
                _dollars(record.get("cost_usd")),
            ]
            for record in said["records"]
        ]
        if rows:
            priced = any(record.get("cost_usd") is not None for record in said["records"])
            rows.append(["total", "", "", "", "", _dollars(said.get("total_cost_usd") if priced else None)])
        heads = ["PROVIDER", "MODEL", "REQUESTS", "INPUT", "OUTPUT", "US DOLLARS"]
        output.put_table(heads, rows, right=(2, 3, 4, 5))
        if unpriced := said.get("unpriced_requests"):
            words = "1 request that used tokens has" if unpriced == 1 else f"{unpriced} requests that used tokens have"
            output.tell(f"{words} no price, and stands in no sum of dollars: set [[prices]].")

    return _shown("/v1/costs", "records", show, as_json, config, server, key)


def _shown(
    path: str, holds: str, show: Any, as_json: bool, config: str | None, server: str | None, key: str | None
) -> int:
    from hoosh.cli.ask import run, running

    async def ask(opening: "Server") -> int:
        async with opening as asked:
            said = await asked.get(path, holds=holds)
        if as_json:
            output.put_json(said)
        else:
            show(said)
        return 0

    return run(ask, running(config, server, key))


def _count(number: Any) -> str:
    return "-" if number is None else str(number)


def _dollars(amount: str | None) -> str:
    return "-" if amount is None else amount
