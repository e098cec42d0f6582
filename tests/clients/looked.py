"""What the scripted upstream says to libraries, and what it must have been asked by them."""

import json

from tests.clients.scripted import Scripted

ANN = {"name": "Ann", "age": 3}
CALLS = {"weather": {"city": "Oslo"}, "Person": ANN, "PartialPerson": ANN, "final_result": ANN}
"""All but the first: the tools that Instructor, LangChain and Pydantic AI make of a shape."""
QUESTION = "How is the weather in Oslo?"
CONFIG = 'models = ["scripted"]\n[retry]\nmax_attempts = 1\n'
"""Beside the provider: named, so that it is not asked for its models."""


def scripted():
    return Scripted(dict(CALLS), text="It is sunny in Oslo.", shaped=ANN)


def looked_at(scripted, code, said):
    """That the program ended well, and that the upstream was asked for what its last line says."""
    shown = f"{said}\n{json.dumps(scripted.requests)[:8000]}"
    assert code == 0, shown
    seen = json.loads(said.splitlines()[-1])
    assert len(scripted.requests) == seen["asked"], shown
    for asked in scripted.requests:
        assert asked["model"] == "scripted"
        assert QUESTION in json.dumps(asked["messages"]), shown
        assert bool(asked.get("stream")) == seen.get("streamed", False), shown
    if "result" in seen:
        (result, *_) = scripted.results()
        assert seen["result"] in result["content"], shown
        assert result["tool_call_id"] == called(scripted.requests[-1])["weather"], shown
    if "shape" in seen:
        assert set(shape(scripted.requests[-1], seen["shape"])["properties"]) == {"name", "age"}, shown


def called(asked):
    """The calls that went back, the tool's name to the call's id."""
    calls = [call for message in asked["messages"] for call in message.get("tool_calls") or []]
    return {call["function"]["name"]: call["id"] for call in calls}


def shape(asked, by):
    """The schema of the answer, by `response_format` or by the tool of that name."""
    if by == "response_format":
        return asked["response_format"]["json_schema"]["schema"]
    (tool,) = [tool["function"] for tool in asked["tools"] if tool["function"]["name"] == by]
    return tool["parameters"]
