"""Calls of functions in what a model of llama.cpp writes; the same that native/candle/src/tools.rs finds."""

import json

import pytest

from hoosh.engines import ChatRequest, Finish, Logprob, Refused, Text, ToolCall, Usage
from hoosh.engines.llamacpp import tools

TOOLS = [{"type": "function", "function": {"name": name}} for name in ("a", "b")]


def read(text):
    """All pieces, with neighbouring texts joined, however the text is cut."""
    whole = joined([text])
    for size in (1, 3, 7):
        assert joined(text[at : at + size] for at in range(0, len(text), size)) == whole
    return whole


def joined(chunks):
    reader, pieces, all_of = tools.Reader(), [], []
    for chunk in chunks:
        pieces += reader.push(chunk)
    for piece in pieces + reader.finish():
        if all_of and isinstance(all_of[-1], str) and isinstance(piece, Text):
            all_of[-1] += piece.text
        else:
            all_of.append(piece.text if isinstance(piece, Text) else (piece.index, piece.name, piece.arguments))
    return all_of


def test_calls_are_found_and_the_space_around_them_is_dropped():
    written = 'Let me see.\n<tool_call>\n{"name": "a", "arguments": {"x": [1, "é"]}}\n</tool_call>\n<tool_call>{"name": "b"}</tool_call>\n'
    assert read(written) == ["Let me see.", (0, "a", '{"x": [1, "é"]}'), (1, "b", "{}")]


def test_a_call_without_its_end_is_one():
    assert read('<tool_call>{"name": "a", "arguments": "{}"}') == [(0, "a", "{}")]


@pytest.mark.parametrize(
    "written",
    [
        "a < b, <tool_cal and <tool_call",
        "<tool_call>no json</tool_call> and on",
        '<tool_call>{"x": 1}</tool_call>',
        "<tool_call>[]</tool_call>",
        "<tool_call>" + "[" * 50_000 + "</tool_call>",
        "  \n text \n ",
        "<tool_call>{",
    ],
    ids=lambda written: written[:40],
)
def test_what_only_looks_like_a_call_is_text(written):
    assert read(written) == [written]


def test_an_answer_with_calls_ends_so_and_keeps_how_likely_its_tokens_were():
    likely = (Logprob("a", -1.0),)
    said = [Text("hi ", likely), Text('<tool_call>{"name": "a"}</tool_call>', likely), Finish("stop"), Usage(1, 2)]
    assert list(tools.found(said)) == [
        Text("hi", likely),
        ToolCall(0, name="a", arguments="{}"),
        Text("", likely),
        Finish("tool_calls"),
        Usage(1, 2),
    ]
    assert list(tools.found([Text("hi"), Finish("stop")])) == [Text("hi"), Finish("stop")]
    cut = [Text('<tool_call>{"name": "a"}</tool_call>'), Finish("length")]
    assert list(tools.found(cut))[-1] == Finish("length")


def test_a_call_that_is_demanded_is_told_when_it_is_whole():
    said = [Text('{"name": "a", '), Text('"arguments": {"x": 1}}'), Finish("stop"), Usage(1, 2)]
    alive, _, call, *rest = tools.demanded(said)
    assert (alive, call, rest) == (
        Text(""),
        ToolCall(0, name="a", arguments='{"x": 1}'),
        [Finish("tool_calls"), Usage(1, 2)],
    )
    assert list(tools.demanded([Text('{"na'), Finish("length")])) == [Text(""), Finish("length")]


def request(**more):
    raw = {"tools": more.get("tools", TOOLS), **more}
    return ChatRequest(model="m", messages=(), tools=tuple(raw["tools"]), tool_choice=raw.get("tool_choice"), raw=raw)


def test_what_a_chat_offers():
    assert tools.of_request(request(tools=[])) == tools.of_request(request(tool_choice="none")) == tools.Tools()
    assert tools.of_request(request()) == tools.of_request(request(tool_choice="auto")) == tools.Tools(tuple(TOOLS))
    one = tools.of_request(request(tool_choice=TOOLS[1])).demanded
    assert one["properties"]["name"] == {"const": "b"}
    several = tools.of_request(request(tool_choice="required")).demanded
    assert [form["properties"]["name"]["const"] for form in several["anyOf"]] == ["a", "b"]


def with_place(name, *values):
    place = {"$defs": {"place": {"enum": list(values)}}}
    parameters = {"type": "object", "properties": {"at": {"$ref": "#/$defs/place"}}, **place}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def test_definitions_are_where_references_look_for_them():
    both = [with_place("a", "x"), with_place("b", "x")]
    demanded = tools.of_request(request(tools=both, tool_choice="required")).demanded
    assert demanded["$defs"] == {"place": {"enum": ["x"]}}
    assert "$defs" not in json.dumps(demanded["anyOf"]).replace("#/$defs", "")
    with pytest.raises(Refused, match="in two ways"):
        tools.of_request(request(tools=[with_place("a", "x"), with_place("b", "y")], tool_choice="required"))


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"tool_choice": {"type": "function", "function": {"name": "c"}}}, "tool_choice"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tools": [{"type": "retrieval"}]}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "a", "strict": True}}]}, "tools"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        (
            {
                "tools": [{"type": "function", "function": {"name": "a", "parameters": {"oneOf": []}}}],
                "tool_choice": "required",
            },
            "tools",
        ),
    ],
)
def test_what_cannot_be_offered(more, param):
    with pytest.raises(Refused) as caught:
        tools.of_request(request(**more))
    assert caught.value.param == param
