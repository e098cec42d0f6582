"""LangChain, through the port: a case each. Asserts what it gives; returns what the upstream must have seen."""

import openai
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import BaseModel

SAID = "You said: Say hello"


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


class Person(BaseModel):
    """A person."""

    name: str
    age: int


def model(url, name="fake-chat", **more):
    return ChatOpenAI(base_url=f"{url}/v1", api_key="unused", model=name, **more)


def chat(url):
    answer = model(url).invoke("Say hello")
    assert answer.content == SAID
    assert answer.usage_metadata["output_tokens"] > 0


async def chat_async(url):
    assert (await model(url).ainvoke("Say hello")).content == SAID
    answers = await model(url).abatch(["Say hello"] * 5)
    assert [answer.content for answer in answers] == [SAID] * 5


def stream(url):
    pieces = list(model(url, stream_usage=True).stream("Say hello"))
    assert "".join(piece.content for piece in pieces) == SAID
    assert sum((piece.usage_metadata or {}).get("output_tokens", 0) for piece in pieces) > 0


async def stream_async(url):
    assert "".join([piece.content async for piece in model(url).astream("Say hello")]) == SAID


def tools(url):
    bound = model(url).bind_tools([weather])
    asked = bound.invoke("Say hello")
    (call,) = asked.tool_calls
    assert call["name"] == "weather"
    assert isinstance(call["args"]["city"], str)
    result = ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"])
    assert bound.invoke([HumanMessage("Say hello"), asked, result]).content.startswith("The tool said: sunny in")
    whole = None
    for piece in bound.stream("Say hello"):
        whole = piece if whole is None else whole + piece
    assert whole.tool_calls == asked.tool_calls


def structured(url):
    for method in ("json_schema", "function_calling"):
        assert isinstance(model(url).with_structured_output(Person, method=method).invoke("Say hello"), Person)


def completions(url):
    made = OpenAI(base_url=f"{url}/v1", api_key="unused", model="fake-instruct")
    assert made.invoke("one") == " after: one"
    assert "".join(made.stream("one")) == " after: one"


def embeddings(url):
    # With its own cutting it would download a vocabulary.
    made = OpenAIEmbeddings(
        base_url=f"{url}/v1", api_key="unused", model="fake-embed", check_embedding_ctx_length=False, dimensions=4
    )
    vectors = made.embed_documents(["a", "b"])
    assert [len(vector) for vector in vectors] == [4, 4]
    assert made.embed_query("a") == vectors[0]


def errors(url):
    for name, kind, code in (
        ("other", openai.NotFoundError, "model_not_found"),
        ("fake:status=500", openai.InternalServerError, "upstream_error"),
        ("fake:status=400", openai.BadRequestError, None),
    ):
        assert failing(url, name, kind).code == code, name


def failing(url, name, kind):
    try:
        model(url, name, max_retries=0).invoke("Say hello")
    except kind as error:
        return error
    raise AssertionError(name)


def retries_of_500(url):
    return fails(url, "fake:status=500")


def retries_of_429(url):
    return fails(url, 'fake:status=429,retry_after="0"')


def retries_of_resets(url):
    return fails(url, "fake:reset_after=0")


def retries_of_streams(url):
    return fails(url, "fake:status=503", ask=lambda made: list(made.stream("Say hello")))


def fails(url, name, ask=lambda made: made.invoke("Say hello")):
    """With its own retries on, as they are by default."""
    try:
        ask(model(url, name))
    except openai.APIError:
        return {"asked": 3}
    raise AssertionError("no error")
