"""An event stream as its standard has it read, and what a caller of OpenAI's chats makes of an answer.

Written anew and not with `hoosh.sse`, which is what is tested.
"""

import json
import re
from typing import Any

import httpx2


def events(stream: bytes) -> list[str]:
    """The data of each event that a browser would dispatch."""
    text = stream.decode("utf-8", errors="replace").removeprefix("\ufeff")
    found: list[str] = []
    data: list[str] = []
    # What follows the last line end is no line.
    for line in re.split("\r\n|\n|\r", text)[:-1]:
        name, _, value = line.partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))
        elif not line:
            found += ["\n".join(data)] if data else []
            data = []
    return found


def is_stream(answer: httpx2.Response) -> bool:
    return answer.headers["content-type"].startswith("text/event-stream")


def body_of(answer: httpx2.Response) -> Any:
    """The JSON of a whole answer. What is no UTF-8 in it is read as browsers do."""
    return json.loads(answer.content.decode("utf-8", errors="replace"))


def got(answer: httpx2.Response) -> tuple[int, str | None]:
    """Status and code; of a stream, the code of its last event."""
    if not is_stream(answer):
        return answer.status_code, body_of(answer).get("error", {}).get("code")
    found = events(answer.content)
    if found[-1] == "[DONE]":
        finished = [json.loads(event)["choices"] for event in found[:-1]]
        assert any(choices and choices[0].get("finish_reason") for choices in finished)
        return answer.status_code, None
    assert "[DONE]" not in found
    return answer.status_code, json.loads(found[-1])["error"]["code"]


def text_of(answer: httpx2.Response) -> str:
    """What was said."""
    if not is_stream(answer):
        return str(body_of(answer)["choices"][0]["message"]["content"])
    chunks = [json.loads(event) for event in events(answer.content) if event != "[DONE]"]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])
