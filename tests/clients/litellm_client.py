"""LiteLLM, through the port: a case each. Asserts what it gives; returns what the upstream must have seen."""

import litellm
import openai

SAID = "You said: Say hello"
MESSAGES = [{"role": "user", "content": "Say hello"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def asking(url, name="fake-chat", **more):
    # `openai/` says to LiteLLM which dialect is spoken; it is not sent.
    return {"model": f"openai/{name}", "api_base": f"{url}/v1", "api_key": "unused", "messages": MESSAGES, **more}


def chat(url):
    answer = litellm.completion(**asking(url))
    assert answer.choices[0].message.content == SAID
    assert answer.usage.completion_tokens > 0


async def chat_async(url):
    assert (await litellm.acompletion(**asking(url))).choices[0].message.content == SAID


def stream(url):
    chunks = list(litellm.completion(**asking(url, stream=True, stream_options={"include_usage": True})))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == SAID
    assert any(getattr(chunk, "usage", None) for chunk in chunks)


async def stream_async(url):
    chunks = [chunk async for chunk in await litellm.acompletion(**asking(url, stream=True))]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == SAID


def tools(url):
    answer = litellm.completion(**asking(url, tools=[WEATHER]))
    (call,) = answer.choices[0].message.tool_calls
    assert (call.function.name, answer.choices[0].finish_reason) == ("weather", "tool_calls")
    chunks = list(litellm.completion(**asking(url, tools=[WEATHER], stream=True)))
    whole = litellm.stream_chunk_builder(chunks)
    assert whole.choices[0].message.tool_calls[0].function.arguments == call.function.arguments
    back = [*MESSAGES, answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    answer = litellm.completion(**asking(url, tools=[WEATHER]) | {"messages": back})
    assert answer.choices[0].message.content == "The tool said: sunny"


def completions(url):
    given = asking(url, "fake-instruct") | {"prompt": "one", "model": "text-completion-openai/fake-instruct"}
    del given["messages"]
    assert litellm.text_completion(**given).choices[0].text == " after: one"


def embeddings(url):
    given = asking(url, "fake-embed", input=["a", "b"], dimensions=4, allowed_openai_params=["dimensions"])
    del given["messages"]
    answer = litellm.embedding(**given)
    assert [len(item["embedding"]) for item in answer.data] == [4, 4]


def errors(url):
    for name, kind in (
        ("other", litellm.NotFoundError),
        ("fake:status=500", litellm.BadGatewayError),
        ("fake:status=400", litellm.BadRequestError),
        ('fake:status=429,retry_after="0"', litellm.RateLimitError),
        ("fake:stall=head", litellm.Timeout),
    ):
        try:
            litellm.completion(**asking(url, name, max_retries=0, timeout=2))
        except kind:
            continue
        raise AssertionError(name)


def retries_of_500(url):
    return fails(url, "fake:status=500")


def retries_of_429(url):
    return fails(url, 'fake:status=429,retry_after="0"')


def retries_of_resets(url):
    return fails(url, "fake:reset_after=0")


def retries_of_streams(url):
    return fails(url, "fake:status=503", stream=True)


def fails(url, name, **more):
    """With its own retries as they are by default."""
    try:
        list(litellm.completion(**asking(url, name, **more)))
    except openai.APIError:  # of which its own errors are
        return {"asked": 3}
    raise AssertionError("no error")
