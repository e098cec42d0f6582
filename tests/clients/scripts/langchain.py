"""LangChain in four dialects: a tool's round, a stream, and an answer of a given shape."""

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from scripts.said import ANN, KEY, MODEL, QUESTION, TEXT, Person, weather

weather = tool(weather)


def openai_chat(gateway):
    return ChatOpenAI(base_url=f"{gateway}/v1", api_key=KEY, model=MODEL, stream_usage=True)


def openai_responses(gateway):
    return ChatOpenAI(base_url=f"{gateway}/v1", api_key=KEY, model=MODEL, use_responses_api=True)


def anthropic(gateway):
    return ChatAnthropic(base_url=gateway, api_key=KEY, model=MODEL, max_tokens=500)


def google(gateway):
    return ChatGoogleGenerativeAI(base_url=gateway, api_key=KEY, model=MODEL)


def ollama(gateway):
    return ChatOllama(base_url=gateway, model=MODEL)


def text_of(message):
    return (
        message.content if isinstance(message.content, str) else "".join(one.get("text", "") for one in message.content)
    )


def called(model, streamed):
    bound = model.bind_tools([weather])
    messages = [HumanMessage(QUESTION)]
    for _ in range(2):
        answer = whole(bound.stream(messages)) if streamed else bound.invoke(messages)
        messages += [answer, *(weather.invoke(call) for call in answer.tool_calls)]
    assert [call["args"] for call in messages[1].tool_calls] == [{"city": "Oslo"}]
    assert text_of(answer) == TEXT
    assert answer.usage_metadata["output_tokens"] == 5
    return {"asked": 2, "result": "sunny in Oslo", "streamed": streamed}


def whole(pieces):
    gathered = None
    for piece in pieces:
        gathered = piece if gathered is None else gathered + piece
    return gathered


def shaped(model, method, streamed=False):
    assert model.with_structured_output(Person, method=method).invoke(QUESTION) == ANN
    return {"asked": 1, "shape": "response_format" if method == "json_schema" else "Person", "streamed": streamed}


def tool_openai_chat(url):
    return called(openai_chat(url), streamed=False)


def tool_openai_responses(url):
    return called(openai_responses(url), streamed=False)


def tool_anthropic(url):
    return called(anthropic(url), streamed=False)


def tool_google(url):
    return called(google(url), streamed=False)


def tool_ollama(url):
    return called(ollama(url), streamed=True)  # It streams always.


def stream_openai_chat(url):
    return called(openai_chat(url), streamed=True)


def stream_openai_responses(url):
    return called(openai_responses(url), streamed=True)


def stream_anthropic(url):
    return called(anthropic(url), streamed=True)


def stream_google(url):
    return called(google(url), streamed=True)


def schema_openai_chat(url):
    return shaped(openai_chat(url), "json_schema")


def schema_openai_responses(url):
    return shaped(openai_responses(url), "json_schema")


def schema_anthropic(url):
    return shaped(anthropic(url), "json_schema")


def schema_anthropic_by_a_tool(url):
    return shaped(anthropic(url), "function_calling")


def schema_google(url):
    return shaped(google(url), "json_schema")


def schema_ollama(url):
    return shaped(ollama(url), "json_schema", streamed=True)
