"""OpenAI's older completions as OpenAI takes them: by the newest official SDK's types. `answers` is the lenient one."""

from openai.types import completion_create_params

from .answers import CREATED, Answer, Refusal
from .forms import OPENAI
from .mind import Asked, Json, Said, Turn, say
from .openai_rules import request_of, typed
from .words import words


def answer(method: str, _target: str, headers: dict[str, str], body: bytes) -> Answer:
    """Answers `POST /v1/completions`."""
    if method != "POST":
        raise Refusal(405, f"Not allowed to {method} on /v1/completions", "method_not_allowed")
    request = request_of(headers, body, OPENAI)
    kind = "Streaming" if request.get("stream") else "NonStreaming"
    typed(getattr(completion_create_params, f"CompletionCreateParams{kind}"), request, OPENAI)
    if request.get("stream_options") and not request.get("stream"):
        raise Refusal(400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.", None)
    asked = _read(request)
    said = say(asked)
    if asked.stream:
        return Answer(events=_chunks(request, asked, said), asked=asked)
    choice = _choice(said.text, _reason(said))
    return Answer(body={**_head(asked), "choices": [choice], "usage": _usage(said)}, asked=asked)


def _read(request: Json) -> Asked:
    stop = request.get("stop") or []
    return Asked(
        model=request["model"],
        turns=[Turn("user", request["prompt"])],
        stop=[stop] if isinstance(stop, str) else list(stop),
        cap=request.get("max_tokens"),
        temperature=request.get("temperature"),
        top_p=request.get("top_p"),
        seed=request.get("seed"),
        user=request.get("user"),
        stream=bool(request.get("stream")),
    )


def _head(asked: Asked) -> Json:
    return {"id": "cmpl-fake", "object": "text_completion", "created": CREATED, "model": asked.model}


def _choice(text: str, reason: str | None) -> Json:
    return {"index": 0, "text": text, "logprobs": None, "finish_reason": reason}


def _reason(said: Said) -> str:
    return "length" if said.reason == "length" else "stop"


def _usage(said: Said) -> Json:
    prompt, completion = said.usage.prompt, said.usage.completion
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _chunks(request: Json, asked: Asked, said: Said) -> list[Json]:
    choices = [_choice(word, None) for word in words(said.text)] + [_choice("", _reason(said))]
    chunks = [{**_head(asked), "choices": [choice]} for choice in choices]
    if (request.get("stream_options") or {}).get("include_usage"):
        chunks.append({**_head(asked), "choices": [], "usage": _usage(said)})
    return chunks
