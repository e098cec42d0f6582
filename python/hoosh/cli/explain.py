"""`hoosh explain`."""

import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated, Any

import typer

from hoosh import strict
from hoosh.cli import options, output
from hoosh.cli.output import Complaint
from hoosh.errors import HooshError

Json = dict[str, Any]

EXAMPLES = """
hoosh explain -m gpt-4o                      of a short chat, in this process
hoosh explain -m gpt-4o --as team --stream   in the name of that key
hoosh explain request.json --server http://10.0.0.5:8088
hoosh explain -m gpt-4o --json | jq .candidates
"""
TOOL = {"type": "function", "function": {"name": "tool", "parameters": {"type": "object", "properties": {}}}}


def explain(
    file: Annotated[str | None, typer.Argument(help="Body of a request; `-` is standard input.")] = None,
    model: Annotated[str | None, typer.Option("-m", "--model", help="Model of a short chat, or of the body.")] = None,
    stream: Annotated[bool, typer.Option("--stream", help="As a stream.")] = False,
    tools: Annotated[bool, typer.Option("--tools", help="With a tool.")] = False,
    endpoint: Annotated[str, typer.Option(metavar="WORD", help="chat, completions or embeddings.")] = "chat",
    name: Annotated[str | None, typer.Option("--as", metavar="NAME", help="As this key of [auth] tokens.")] = None,
    as_json: options.AsJson = False,
    config: options.Config = None,
    server: options.Server = None,
    key: options.Key = None,
) -> int:
    """Say what would become of a request.

    Who would be asked and who not and why, limits, budget, cache and deadlines. Nobody is asked and nothing is taken. It
    ends with 1 where the request would be refused.
    """
    from hoosh.cli.ask import gateway, no_models, run

    if file is None and model is None:
        raise typer.BadParameter("name a model with -m, or a file with a request")
    body = _short(endpoint) if file is None else _read(file)
    body |= ({} if model is None else {"model": model}) | ({"stream": True} if stream else {})
    body |= {"tools": [TOOL]} if tools else {}
    question: Json = {"endpoint": endpoint, "body": body, **({} if name is None else {"key": name})}
    refused, models = run(_explain, gateway(config, server, key), question, as_json)
    if not models:
        output.tell(no_models(config, server))
    return 1 if refused else 0


def _short(endpoint: str) -> Json:
    if endpoint == "embeddings":
        return {"input": "Hi"}
    return {"prompt": "Hi"} if endpoint == "completions" else {"messages": [{"role": "user", "content": "Hi"}]}


def _read(file: str) -> Json:
    try:
        body = strict.read(sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes())
    except OSError as error:
        raise Complaint(f"{file} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise Complaint(f"{file} is not JSON: {output.shown(str(error))}.") from error
    if not isinstance(body, dict):
        raise Complaint(f"{file} is no request: the body of one is a JSON object.")
    return body


async def _explain(opening: AbstractAsyncContextManager[Any], question: Json, as_json: bool) -> tuple[bool, bool]:
    """Whether it would be refused, and whether any model is known that can be asked."""
    import trio

    async with opening as gateway:
        with trio.move_on_after(2):
            await gateway.listed()
        told = await gateway.explain(question)
        refused = told["outcome"] == "refused"
        # Whoever has not said what it has is asked for anything: that it would be asked is true, and not all.
        models = refused or await _models(gateway)
    if as_json:
        output.put_json(told)
    else:
        output.put(_lines(told))
        heads = ["ORDER", "PROVIDER", "MODEL", "STATE"]
        output.put_table(heads, [_candidate(candidate) for candidate in told["candidates"]])
    return refused, models


async def _models(gateway: Any) -> bool:
    try:
        return bool(await gateway.models())
    except HooshError:  # this key may not see them
        return True


def _lines(told: Json) -> str:
    refusal, request = told["refusal"], told["request"]
    said = {
        "outcome": told["outcome"] if refusal is None else f"refused with {refusal['status']} {refusal['code']}",
        "why": refusal and refusal["message"],
        "key": request["key"],
        "input": _tokens("at most", request["input_tokens_bound"]),
        "output": _tokens("at most", request["output_cap_tokens"]),
        "budget": told["budget"] and _budget(told["budget"]),
        "cache": told["cache"] and " ".join(filter(None, (told["cache"]["result"], told["cache"]["key"]))),
        "attempts": f"{told['max_attempts']} at most, {told['strategy']}",
        "deadlines": ", ".join(f"{name.removesuffix('_secs')} {secs} s" for name, secs in told["deadlines"].items()),
    }
    lines = [(name, words) for name, words in said.items() if words is not None]
    lines += [(limit["limit"].replace("_", " "), _limit(limit)) for limit in told["limits"]]
    return "".join(f"{name}\t{output.shown(str(words))}\n" for name, words in lines)


def _tokens(words: str, number: int | None) -> str | None:
    return None if number is None else f"{words} {number} tokens"


def _budget(budget: Json) -> str:
    left = budget["capacity"] - budget["used"] - budget["reserved"]
    granted = budget["granted_tokens"]
    verdict = "refused" if granted is None else f"{granted} granted"
    return f"{budget['name']}: {budget['needed_tokens']} needed, {verdict}, {max(left, 0)} of {budget['capacity']} left"


def _limit(limit: Json) -> str:
    if "per_minute" in limit:
        return f"{limit['verdict']}, {limit['per_minute']} a minute"
    return f"{limit['verdict']}, {limit['in_progress']} of {limit['max']} in progress, {limit['waiting']} waiting"


def _candidate(candidate: Json) -> list[str]:
    excluded, order = candidate["excluded"], candidate.get("order")
    if excluded is not None:
        after = excluded.get("retry_in_secs")
        state = f"excluded: {excluded['reason']}" + (f", again in {after} s" if after else "")
    else:
        state = "waits for a place" if candidate["waits"] else "free"
    return ["-" if order is None else str(order), candidate["provider"], candidate.get("model") or "-", state]
