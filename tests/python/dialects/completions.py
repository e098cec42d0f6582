"""A caller of OpenAI's older completions: a prompt, and a text that goes on from it."""

from openai.types import Completion
from tests.upstream.mind import Asked, Json

from . import chat
from .reply import Reply, Usage, events

CANNOT = {
    *chat.CANNOT, "turns", "system", "images", "document", "audio", "tools", "choice", "parallel", "failed", "schema",
    "any_json", "thinks", "embeddings",
}  # fmt: skip
REFUSED_BY = {"openai_responses": 404, "anthropic": 400}
"""Upstreams that have nothing which goes on from a text, and the status that says so."""
FORM = "prompt"
"""The row of the loss report that says as what else a prompt is told."""
HEADERS = chat.HEADERS
error = chat.error


def path(asked: Asked) -> str:
    return "/v1/completions"


def write(asked: Asked) -> Json:
    body: Json = {"model": asked.model, "prompt": asked.turns[-1].text}
    for name, words in (
        ("cap", "max_tokens"), ("temperature", "temperature"), ("top_p", "top_p"), ("seed", "seed"), ("user", "user"),
    ):  # fmt: skip
        if getattr(asked, name) is not None:
            body[words] = getattr(asked, name)
    if asked.stop:
        body["stop"] = asked.stop
    if asked.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


def _usage(usage: Json) -> Usage:
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    return Usage(usage["prompt_tokens"], None, usage["completion_tokens"], None)


def read(body: Json) -> Reply:
    Completion.model_validate(body)
    assert body["object"] == "text_completion"
    (choice,) = body["choices"]
    return Reply(text=choice["text"], reason=choice["finish_reason"], usage=_usage(body["usage"]))


def read_stream(body: bytes) -> Reply:
    reply = Reply()
    for event in events(body):
        if "error" in event:
            reply.error = event["error"]["message"]
            return reply
        assert event["object"] == "text_completion"
        if event.get("usage"):
            reply.usage = _usage(event["usage"])
        for choice in event["choices"]:
            reply.text += choice["text"]
            if choice["finish_reason"]:
                assert reply.reason is None, "a choice ends once"
                reply.reason = choice["finish_reason"]
    assert body.endswith(b"data: [DONE]\n\n"), "a stream is closed by [DONE]"
    return reply
