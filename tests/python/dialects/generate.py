"""A caller of Ollama's `/api/generate`: one prompt in place of messages."""

import base64
import json

import ollama._types as types
from tests.upstream.mind import Asked, Json

from . import ollama
from .reply import Reply

CANNOT = ollama.CANNOT | {"turns", "tools"}
HEADERS = ollama.HEADERS
error = ollama.error


def path(asked: Asked) -> str:
    return "/api/generate"


def write(asked: Asked) -> Json:
    body = ollama.write(asked)
    del body["messages"]
    *_, turn = asked.turns
    body["prompt"] = turn.text
    if asked.system:
        body["system"] = "\n".join(asked.system)
    if turn.images:
        body["images"] = [base64.b64encode(image.data).decode() for image in turn.images]
    return body


def read(body: Json) -> Reply:
    types.GenerateResponse.model_validate(body)
    assert "message" not in body
    message = {"role": "assistant", "content": body["response"], "thinking": body.get("thinking")}
    return ollama.read({**body, "message": message})


def read_stream(body: bytes) -> Reply:
    assert body.endswith(b"\n"), "each line is whole"
    told, last = {"response": "", "thinking": ""}, {}
    for line in body.decode().removesuffix("\n").split("\n"):
        last = json.loads(line)
        if "error" in last:
            return Reply(text=told["response"], error=last["error"])
        types.GenerateResponse.model_validate(last)
        for name in told:
            told[name] += last.get(name) or ""
    return read({**last, **told})
