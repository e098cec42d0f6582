"""The fake upstream speaks Gemini, Ollama, Responses and strict chat: their official SDKs understand it, and it refuses what they refuse."""

import functools
import json

import ollama
import openai
import pydantic
import pytest
import trio
from google import genai
from google.genai import errors, types
from tests.upstream import open_upstream

SAID = "You said: Say hello"
USER = [{"role": "user", "content": "Say hello"}]
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
THOUGHT = "They want me to answer: Say hello"


class Number(pydantic.BaseModel):
    n: int


@pytest.fixture
async def upstream():
    async with open_upstream(strict=True) as upstream:
        yield upstream


@pytest.fixture(params=[None, 1, 7])
def split(request, upstream):
    """The bytes of the next two answers, so many at a time."""
    upstream.plan(split=request.param)
    upstream.plan(split=request.param)


# --- Gemini --------------------------------------------------------------------------------------------------------


@pytest.fixture
def google(upstream):
    client = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=upstream.url))

    async def ask(contents="Say hello", method="generate_content", model="gemini-3-fake", **config):
        given = {"model": model, "contents": contents, "config": types.GenerateContentConfig(**config)}
        answer = await trio.to_thread.run_sync(functools.partial(getattr(client.models, method), **given))
        return answer if method == "generate_content" else await trio.to_thread.run_sync(list, answer)

    return ask


def functions(*names):
    declared = [types.FunctionDeclaration(name=name, parameters_json_schema=CITY) for name in names]
    return {
        "tools": [types.Tool(function_declarations=declared)],
        "automatic_function_calling": types.AutomaticFunctionCallingConfig(disable=True),
    }


async def test_google_whole_and_streamed(google, split):
    answer = await google()
    chunks = await google(method="generate_content_stream")
    assert answer.text == "".join(chunk.text or "" for chunk in chunks) == SAID
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata == answer.usage_metadata
    assert answer.usage_metadata.cached_content_token_count > 0


async def test_google_calls_in_parallel_are_signed_and_go_back(google):
    config = {**functions("weather", "clock"), "thinking_config": types.ThinkingConfig(include_thoughts=True)}
    content = (await google(**config)).candidates[0].content
    calls = [part for part in content.parts if part.function_call]
    assert [call.function_call.name for call in calls] == ["weather", "clock"]
    assert [bool(call.thought_signature) for call in calls] == [True, False]
    assert content.parts[0].thought
    assert content.parts[0].text == THOUGHT
    results = [
        types.Part.from_function_response(name=call.function_call.name, response={"output": "sunny"}) for call in calls
    ]
    turns = [types.Content(role="user", parts=[types.Part(text="Say hello")]), content]
    turns.append(types.Content(role="user", parts=results))
    assert (await google(turns, **config)).text == "The tool said: sunny"
    calls[0].thought_signature = None
    with pytest.raises(errors.ClientError, match="thought_signature"):
        await google(turns, **config)


async def test_google_keeps_to_schemas_and_bounds(google):
    form = {"response_mime_type": "application/json", "response_json_schema": SCHEMA}
    assert json.loads((await google(**form)).text) == {"n": 7}
    short = await google(max_output_tokens=1)
    assert short.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert (await google(stop_sequences=["hello"])).text == "You said: Say "


@pytest.mark.parametrize(
    ("contents", "config", "words"),
    [
        ("x", {"temperature": 3}, "temperature"),
        ("x", {"response_json_schema": SCHEMA}, "response_mime_type"),
        ([types.Content(role="assistant", parts=[types.Part(text="x")])], {}, "valid role"),
        ([types.Content(role="model", parts=[types.Part(text="x", thought_signature=b"no")])], {}, "signature"),
        ([types.Content(role="user", parts=[types.Part.from_function_response(name="f", response={})])], {}, "number of function"),
    ],
)  # fmt: skip
async def test_google_refuses(google, contents, config, words):
    with pytest.raises(errors.ClientError, match=words) as caught:
        await google(contents, **config)
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")


async def test_google_embeds_and_counts(upstream):
    client = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=upstream.url))
    ask = trio.to_thread.run_sync
    vectors = await ask(lambda: client.models.embed_content(model="embed-fake", contents=["a", "b"]))
    assert [len(vector.values) for vector in vectors.embeddings] == [16, 16]
    assert (await ask(lambda: client.models.count_tokens(model="gemini-3-fake", contents="Say hello"))).total_tokens > 3


# --- Ollama --------------------------------------------------------------------------------------------------------


@pytest.fixture
def llama(upstream):
    client = ollama.AsyncClient(host=upstream.url)
    return functools.partial(client.chat, model="llama-fake", messages=USER)


async def test_ollama_whole_and_streamed(llama, split):
    answer = await llama(think=True)
    lines = [line async for line in await llama(think=True, stream=True)]
    assert answer.message.content == "".join(line.message.content or "" for line in lines) == SAID
    assert answer.message.thinking == "".join(line.message.thinking or "" for line in lines) == THOUGHT
    assert (answer.eval_count, answer.done_reason) == (lines[-1].eval_count, "stop")


async def test_ollama_calls_in_parallel_and_results_go_back(llama):
    tools = [{"type": "function", "function": {"name": name, "parameters": CITY}} for name in ("weather", "clock")]
    message = (await llama(tools=tools)).message
    assert [call.function.name for call in message.tool_calls] == ["weather", "clock"]
    results = [{"role": "tool", "tool_name": call.function.name, "content": "sunny"} for call in message.tool_calls]
    assert (await llama(messages=[*USER, message, *results], tools=tools)).message.content == "The tool said: sunny"


async def test_ollama_keeps_to_schemas_and_bounds(llama):
    assert json.loads((await llama(format=SCHEMA)).message.content) == {"n": 7}
    assert (await llama(options={"num_predict": 1})).done_reason == "length"
    assert (await llama(options={"stop": ["hello"]})).message.content == "You said: Say "


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"options": {"no_such": 1}}, "no_such"),
        ({"think": "very"}, "think"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "role"),
        ({"messages": [{"role": "user", "content": "x", "tool_name": "n"}]}, "tool_name"),
    ],
)
async def test_ollama_refuses(llama, more, words):
    with pytest.raises(ollama.ResponseError, match=words) as caught:
        await llama(**more)
    assert caught.value.status_code == 400


async def test_ollama_completes_and_embeds(upstream):
    client = ollama.AsyncClient(host=upstream.url)
    assert (await client.generate(model="llama-fake", prompt="Say hello")).response == SAID
    assert [len(v) for v in (await client.embed(model="llama-fake", input=["a", "b"])).embeddings] == [16, 16]


# --- Responses -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def sdk(upstream):
    async with openai.AsyncOpenAI(base_url=f"{upstream.url}/v1", api_key="k", max_retries=0) as sdk:
        yield sdk


def function(name):
    return {"type": "function", "name": name, "parameters": CITY, "strict": False}


def respond(sdk, **more):
    return sdk.responses.create(**{"model": "gpt-fake", "input": "Say hello", **more})


async def test_responses_whole_and_streamed(sdk, split):
    answer = await respond(sdk)
    async with sdk.responses.stream(model="gpt-fake", input="Say hello") as stream:
        kinds = [event.type async for event in stream]
        streamed = await stream.get_final_response()
    assert answer.output_text == streamed.output_text == SAID
    assert answer.usage == streamed.usage
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")


async def test_responses_calls_and_thoughts_go_back(sdk):
    given = {"tools": [function("weather"), function("clock")], "reasoning": {"effort": "low", "summary": "auto"}}
    answer = await respond(sdk, **given, store=False)
    assert [item.type for item in answer.output] == ["reasoning", "function_call", "function_call"]
    assert answer.output[0].summary[0].text == THOUGHT
    results = [
        {"type": "function_call_output", "call_id": item.call_id, "output": "sunny"} for item in answer.output[1:]
    ]
    turns = [*USER, *(item.model_dump(exclude_none=True) for item in answer.output), *results]
    assert (await respond(sdk, **given, input=turns)).output_text == "The tool said: sunny"
    with pytest.raises(openai.BadRequestError, match="No tool output"):
        await respond(sdk, **given, input=turns[:-1])
    turns[1]["encrypted_content"] = "bm8="
    with pytest.raises(openai.BadRequestError, match="encrypted"):
        await respond(sdk, **given, input=turns)


async def test_responses_are_kept(sdk):
    first = await respond(sdk)
    assert (await respond(sdk, input="And now?", previous_response_id=first.id)).output_text == "You said: And now?"
    assert (await sdk.responses.retrieve(first.id)).output_text == SAID
    await sdk.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        await sdk.responses.retrieve(first.id)


async def test_responses_keep_to_schemas_and_refuse(sdk):
    parsed = await sdk.responses.parse(model="gpt-fake", input="Say hello", text_format=Number)
    assert parsed.output_parsed.n == 7
    for more, words in (
        ({"extra_body": {"stop": ["x"]}}, "stop"),
        ({"max_output_tokens": 1}, "max_output_tokens"),
        ({"text": {"format": {"type": "json_schema", "name": "n", "schema": CITY, "strict": True}}}, "additionalProperties"),
    ):  # fmt: skip
        with pytest.raises(openai.BadRequestError, match=words):
            await respond(sdk, **more)


# --- chat, as strict as OpenAI itself --------------------------------------------------------------------------------


def chat(sdk, **more):
    return sdk.chat.completions.create(**{"model": "gpt-fake", "messages": USER, **more})


async def test_chat_whole_and_streamed(sdk, split):
    answer = await chat(sdk, reasoning_effort="low")
    options = {"stream": True, "stream_options": {"include_usage": True}, "reasoning_effort": "low"}
    chunks = [chunk async for chunk in await chat(sdk, **options)]
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert answer.choices[0].message.content == said == SAID
    assert answer.usage == chunks[-1].usage
    assert answer.usage.completion_tokens_details.reasoning_tokens > 0


async def test_chat_calls_go_back_and_what_openai_refuses_is_refused(sdk):
    tools = [{"type": "function", "function": {"name": name, "parameters": CITY}} for name in ("weather", "clock")]
    message = (await chat(sdk, tools=tools)).choices[0].message
    results = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in message.tool_calls]
    turns = [*USER, message.model_dump(exclude_none=True), *results]
    assert (await chat(sdk, messages=turns, tools=tools)).choices[0].message.content == "The tool said: sunny"
    parsed = await sdk.chat.completions.parse(model="gpt-fake", messages=USER, response_format=Number)
    assert parsed.choices[0].message.parsed.n == 7
    for more, words in (
        ({"messages": turns[:-1]}, "tool_calls"),
        ({"messages": [*USER, results[0]]}, "preceeding"),
        ({"extra_body": {"top_k": 1}}, "top_k"),
    ):
        with pytest.raises(openai.BadRequestError, match=words):
            await chat(sdk, **more)


# --- faults, in each one's shape -------------------------------------------------------------------------------------


async def test_planned_faults_have_the_shape_of_the_dialect(upstream, google, llama, sdk):
    upstream.plan(status=429, retry_after="7")
    with pytest.raises(errors.ClientError) as caught:
        await google()
    assert caught.value.status == "RESOURCE_EXHAUSTED"
    upstream.plan(status=500)
    with pytest.raises(ollama.ResponseError, match="Internal Server Error"):
        await llama()
    upstream.plan(error_event=1)
    with pytest.raises(ollama.ResponseError):
        [line async for line in await llama(stream=True)]
    upstream.plan(status=400)
    with pytest.raises(openai.BadRequestError):
        await respond(sdk)
    upstream.plan(error_event=4)
    kinds = [event.type async for event in await respond(sdk, stream=True)]
    assert kinds[-1] == "error"
