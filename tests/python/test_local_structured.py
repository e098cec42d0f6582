"""Answers of models that hoosh computes itself, held to a schema or to the calls that they may make."""

import json

import openai
import pydantic_core
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field
from tests.python.conftest import serving
from tests.python.model_files import changed

import hoosh

ASK = [{"role": "user", "content": "What is hoosh?"}]
TEMPLATE = (
    "{% for tool in tools or [] %}{{ tool | tojson }}\n{% endfor %}"
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
    "{% for call in message.tool_calls or [] %}{{ call.function | tojson }}{% endfor %}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Two models of a template that takes tools: one that knows hoosh, and one that knows nothing."""
    folder = tmp_path_factory.mktemp("models")
    more = {"tokenizer__chat_template": TEMPLATE, "llama__context_length": 2048}
    (folder / "tame.gguf").write_bytes(changed(**more))
    (folder / "wild.gguf").write_bytes(changed(blank=True, **more))
    files = ", ".join(f"{name} = '{folder / name}.gguf'" for name in ("tame", "wild"))
    return f'[[providers]]\ntype = "candle"\nname = "local"\nfiles = {{ {files} }}\n'


@pytest.fixture
async def sdk(config):
    async with serving(config) as (url, _), openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as sdk:
        yield sdk


def asked(**fields):
    return {"model": "local/tame", "messages": ASK, "temperature": 1, "seed": 1} | fields


def schema_format(schema):
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


class Person(BaseModel, extra="forbid"):
    name: str = Field(max_length=12)
    age: int = Field(ge=0, le=150)
    mood: str | None = Field(pattern="^(good|bad)$")


async def test_an_answer_is_parsed_into_a_class(sdk):
    for model in ("local/tame", "local/wild"):
        answer = await sdk.chat.completions.parse(**asked(model=model, n=2), response_format=Person)
        assert [choice.finish_reason for choice in answer.choices] == ["stop", "stop"]
        assert all(isinstance(choice.message.parsed, Person) for choice in answer.choices)
    assert answer.choices[0].message.content != answer.choices[1].message.content


async def test_the_model_in_the_wheel_keeps_to_schemas_too():
    text = '[[providers]]\ntype = "candle"\nname = "local"\n'
    async with serving(text) as (url, _), openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x") as sdk:
        answer = await sdk.chat.completions.parse(**asked(model="local/hoosh-tiny"), response_format=Person)
        assert isinstance(answer.choices[0].message.parsed, Person)
        providers = (await sdk.get("/providers", cast_to=object))["providers"]
        assert providers[0]["models"][0]["structured_output"] == {"value": True, "source": "probed"}


async def test_a_stream_says_the_same(sdk):
    whole = await sdk.chat.completions.parse(**asked(), response_format=Person)
    async with sdk.chat.completions.stream(**asked(), response_format=Person) as stream:
        deltas = [event.delta async for event in stream if event.type == "content.delta"]
        final = await stream.get_final_completion()
    assert "".join(deltas) == whole.choices[0].message.content == final.choices[0].message.content
    assert len(deltas) > 3
    assert isinstance(final.choices[0].message.parsed, Person)


async def test_an_answer_that_is_cut_says_so(sdk):
    fields = asked(response_format=schema_format(Person.model_json_schema()))
    whole = await sdk.chat.completions.create(**fields)
    cut = await sdk.chat.completions.create(**fields, max_tokens=whole.usage.completion_tokens // 2)
    assert (whole.choices[0].finish_reason, cut.choices[0].finish_reason) == ("stop", "length")
    assert whole.choices[0].message.content.startswith(cut.choices[0].message.content)
    with pytest.raises(openai.LengthFinishReasonError):
        await sdk.chat.completions.parse(**asked(max_tokens=3), response_format=Person)


@pytest.mark.parametrize(
    ("response_format", "code"),
    [
        (schema_format({"type": "colour"}), "invalid_schema"),
        (schema_format({"type": "array", "uniqueItems": True}), "invalid_schema"),
        (schema_format({"type": "string", "pattern": "("}), "invalid_schema"),
        (schema_format({"$ref": "https://example.com/schema"}), "invalid_schema"),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, "invalid_schema"),
        ({"type": "grammar"}, "unsupported_value"),
    ],
)
async def test_a_schema_that_cannot_be_kept_to_is_refused(sdk, response_format, code):
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.chat.completions.create(**asked(response_format=response_format))
    assert (caught.value.param, caught.value.code) == ("response_format", code)


class Greet(BaseModel):
    """Greets somebody."""

    person: Person
    times: int = Field(ge=1, le=3)


class Wait(BaseModel, extra="forbid"):
    """Waits."""


TOOLS = [
    openai.pydantic_function_tool(Greet, name="greet"),
    openai.pydantic_function_tool(Wait, name="wait"),
]


def check_call(call):
    arguments = json.loads(call.function.arguments)
    match call.function.name:
        case "greet":
            Greet.model_validate(arguments)
        case "wait":
            Wait.model_validate(arguments)
        case other:
            raise AssertionError(other)


async def test_a_call_goes_round(sdk):
    fields = asked(model="local/wild", tools=TOOLS, tool_choice="required", parallel_tool_calls=False)
    first = (await sdk.chat.completions.create(**fields)).choices[0]
    assert (first.finish_reason, first.message.content) == ("tool_calls", None)
    (call,) = first.message.tool_calls
    check_call(call)
    result = {"role": "tool", "tool_call_id": call.id, "content": "done"}
    again = fields | {"messages": [*ASK, first.message, result], "tool_choice": "none", "max_tokens": 8}
    second = (await sdk.chat.completions.create(**again)).choices[0]
    assert second.message.content
    assert second.message.tool_calls is None


async def test_calls_are_of_the_functions_that_were_chosen(sdk):
    named = {"type": "function", "function": {"name": "greet"}}
    for seed in range(4):
        fields = asked(model="local/wild", tools=TOOLS, tool_choice=named, seed=seed)
        choice = (await sdk.chat.completions.parse(**fields)).choices[0]
        assert [call.function.name for call in choice.message.tool_calls] == ["greet"]
        assert isinstance(choice.message.tool_calls[0].function.parsed_arguments, Greet)


async def test_a_streamed_call_is_the_same(sdk):
    fields = asked(model="local/wild", tools=TOOLS, tool_choice="required", parallel_tool_calls=False)
    whole = (await sdk.chat.completions.create(**fields)).choices[0]
    async with sdk.chat.completions.stream(**fields) as stream:
        async for _ in stream:
            pass
        streamed = (await stream.get_final_completion()).choices[0]
    told = [
        (choice.message.tool_calls[0].function.name, choice.message.tool_calls[0].function.arguments)
        for choice in (whole, streamed)
    ]
    assert told[0] == told[1]
    assert streamed.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "strict": True, "parameters": {"not": {}}}}]},
            "tools",
        ),
        ({"tools": [{"type": "function", "function": {"name": "a b", "strict": True}}]}, "tools"),
    ],
)
async def test_calls_that_cannot_be_made_are_refused(sdk, fields, param):
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.chat.completions.create(**asked(**fields))
    assert caught.value.param == param


# Any answer validates.

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-1000, 1000), st.sampled_from([0.5, -1.25, 3e3]), st.text(max_size=4)
)
NAMES = st.one_of(st.sampled_from(["a", "b", "name", "x y", 'q"uote', "back\\slash", "é", "日本"]), st.text(max_size=3))
PATTERNS = ["^[a-c]{1,4}$", "^(yes|no)$", r"^\d{2,3}-[A-F]$", "^x?y+z{0,2}$", r"^\w{1,3}\s\w$", '^[^a-z"]{2}$']
FORMATS = ["date", "date-time", "uuid", "ipv4"]


def bounds(low, high, least, most, numbers):
    """Two bounds in order."""
    pairs = st.tuples(numbers, numbers).map(sorted)
    return pairs.map(lambda pair: {low: pair[0], high: pair[1]}).filter(
        lambda pair: least <= pair[low] <= pair[high] <= most
    )


INTEGERS = st.one_of(
    bounds("minimum", "maximum", -5000, 5000, st.integers(-5000, 5000)),
    bounds("exclusiveMinimum", "maximum", -99, 99, st.integers(-99, 99)).filter(
        lambda b: b["exclusiveMinimum"] < b["maximum"]
    ),
    st.sampled_from([{"multipleOf": 7, "minimum": 0, "maximum": 100}, {"minimum": 3}, {"maximum": -2}, {}]),
).map(lambda more: {"type": "integer", **more})
NUMBERS = st.one_of(
    bounds("minimum", "maximum", -50, 50, st.integers(-200, 200).map(lambda number: number / 4)),
    st.sampled_from([{"minimum": 0, "exclusiveMaximum": 1}, {"exclusiveMinimum": -0.5, "maximum": 0.5}]),
).map(lambda more: {"type": "number", **more})
STRINGS = st.one_of(
    bounds("minLength", "maxLength", 0, 6, st.integers(0, 6)),
    st.sampled_from(PATTERNS).map(lambda pattern: {"pattern": pattern}),
    st.sampled_from(FORMATS).map(lambda name: {"format": name}),
).map(lambda more: {"type": "string", **more})
LEAVES = st.one_of(
    st.sampled_from(["leaf", "list"]).map(lambda name: {"$ref": f"#/$defs/{name}"}),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": ["integer", "null"], "minimum": 1, "maximum": 9}]),
    INTEGERS,
    NUMBERS,
    STRINGS,
    SCALARS.map(lambda value: {"const": value}),
    st.lists(SCALARS, min_size=1, max_size=4).map(lambda values: {"enum": values}),
)


@st.composite
def objects(draw, inner):
    properties = draw(st.dictionaries(NAMES, inner, max_size=4))
    required = [name for name in properties if draw(st.booleans())]
    rest = draw(st.sampled_from([False, False, {"type": "boolean"}]))
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": rest}


def nested(inner):
    size = bounds("minItems", "maxItems", 0, 3, st.integers(0, 3))
    arrays = st.tuples(inner, size).map(lambda parts: {"type": "array", "items": parts[0], **parts[1]})
    tuples = st.lists(inner, min_size=1, max_size=3).map(
        lambda items: {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}
    )
    either = st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options})
    return st.one_of(objects(inner), arrays, tuples, either)


DEFINITIONS = {
    "leaf": {"type": "string", "maxLength": 3},
    # Goes on as long as the model likes.
    "list": {
        "type": "object",
        "properties": {
            "value": {"$ref": "#/$defs/leaf"},
            "next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/list"}]},
        },
        "required": ["value", "next"],
        "additionalProperties": False,
    },
}
SCHEMAS = st.recursive(LEAVES, nested, max_leaves=6).map(lambda schema: {**schema, "$defs": DEFINITIONS})


@pytest.fixture(scope="module")
def gateway(config):
    with hoosh.SyncGateway(config) as gateway:
        yield gateway


@settings(max_examples=300, deadline=None)
@given(schema=SCHEMAS, seed=st.integers(0, 2**32), model=st.sampled_from(["tame", "wild"]))
def test_every_answer_validates(gateway, schema, seed, model):
    """An answer that is complete keeps to its schema; one that is cut is the beginning of one that does."""
    fields = asked(model=f"local/{model}", seed=seed, response_format=schema_format(schema))
    answer = gateway.chat(**fields, max_tokens=200)
    for choice in answer["choices"]:
        text = choice["message"]["content"]
        if choice["finish_reason"] == "stop":
            Draft202012Validator(schema).validate(json.loads(text))
        else:
            assert choice["finish_reason"] == "length"
            pydantic_core.from_json(text.rstrip("\ufffd"), allow_partial="trailing-strings")
    cut = gateway.chat(**fields, max_tokens=5)
    for choice, whole in zip(cut["choices"], answer["choices"], strict=True):
        assert whole["message"]["content"].startswith(choice["message"]["content"].rstrip("\ufffd"))
