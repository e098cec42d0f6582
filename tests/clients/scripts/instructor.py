"""Instructor over OpenAI's and Anthropic's SDK: a person out of a tool, out of JSON, and piece by piece."""

import anthropic
import instructor
import openai
from scripts.said import ANN, KEY, MODEL, QUESTION, Person

MESSAGES = [{"role": "user", "content": QUESTION}]


def made_openai(url, mode):
    return instructor.from_openai(openai.OpenAI(base_url=f"{url}/v1", api_key=KEY), mode=mode)


def made_anthropic(url, mode):
    return instructor.from_anthropic(anthropic.Anthropic(base_url=url, api_key=KEY), mode=mode)


def asked(client, **more):
    return client.chat.completions.create(model=MODEL, messages=MESSAGES, response_model=Person, max_retries=0, **more)


def openai_tools(url):
    assert asked(made_openai(url, instructor.Mode.TOOLS)).model_dump() == ANN.model_dump()
    return {"asked": 1, "shape": "Person"}


def openai_json_schema(url):
    assert asked(made_openai(url, instructor.Mode.JSON_SCHEMA)).model_dump() == ANN.model_dump()
    return {"asked": 1, "shape": "response_format"}


def openai_partial(url):
    client = made_openai(url, instructor.Mode.TOOLS)
    *_, last = client.chat.completions.create_partial(model=MODEL, messages=MESSAGES, response_model=Person)
    assert (last.name, last.age) == ("Ann", 3)
    return {"asked": 1, "shape": "PartialPerson", "streamed": True}


def anthropic_tools(url):
    assert asked(made_anthropic(url, instructor.Mode.TOOLS), max_tokens=100).model_dump() == ANN.model_dump()
    return {"asked": 1, "shape": "Person"}
