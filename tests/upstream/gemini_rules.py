"""What Google takes, by the types of its newest official SDK, and what it refuses beyond types.

Left out is what that SDK says is of Vertex alone (`_to_mldev` in its `models.py`). Rules:
https://ai.google.dev/gemini-api/docs/function-calling, .../thought-signatures
"""

import base64
import re
from typing import Any

import pydantic
from google.genai import types

from .answers import Refusal
from .forms import GEMINI
from .mind import sign

# https://ai.google.dev/gemini-api/docs/thought-signatures: what passes the check in place of a signature.
_WORDS = (b"context_engineering_is_the_way_to_go", b"skip_thought_signature_validator")
# Written as they stand, where the field is base64, or encoded.
_DUMMIES = (*_WORDS, *map(base64.urlsafe_b64decode, _WORDS))
_CLOSED = pydantic.ConfigDict(
    extra="forbid", alias_generator=pydantic.alias_generators.to_camel, populate_by_name=True, val_json_bytes="base64"
)


class Generate(pydantic.BaseModel):
    """The body of `generateContent`."""

    model_config = _CLOSED
    contents: list[types.Content]
    system_instruction: types.Content | None = None
    tools: list[types.Tool] | None = None
    tool_config: types.ToolConfig | None = None
    safety_settings: list[types.SafetySetting] | None = None
    generation_config: types.GenerationConfig | None = None
    cached_content: str | None = None
    service_tier: str | None = None
    store: bool | None = None
    labels: dict[str, str] | None = None
    continuation_token: str | None = None


class Count(pydantic.BaseModel):
    """The body of `countTokens`."""

    model_config = _CLOSED
    contents: list[types.Content]


class Embed(pydantic.BaseModel):
    """The body of `embedContent`."""

    model_config = _CLOSED
    model: str | None = None
    content: types.Content
    task_type: str | None = None
    title: str | None = None
    output_dimensionality: int | None = None


class Batch(pydantic.BaseModel):
    """The body of `batchEmbedContents`."""

    model_config = _CLOSED
    requests: list[Embed]


_VERTEX = {
    "GenerationConfig": ("audio_timestamp", "routing_config", "model_selection_config", "enable_affective_dialog"),
    "Blob": ("display_name",),
    "SafetySetting": ("method",),
    "FunctionCall": ("partial_args", "will_continue"),
    "FunctionCallingConfig": ("stream_function_call_arguments",),
    "Tool": ("retrieval", "enterprise_web_search", "parallel_ai_search", "exa_ai_search"),
}


def refusal(message: str, status: int = 400) -> Refusal:
    """An error in Google's shape."""
    return Refusal(status, message, form=GEMINI)


def _judge_vertex(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _judge_vertex(item)
    if isinstance(value, pydantic.BaseModel):
        for name in value.model_fields_set:
            if name in _VERTEX.get(type(value).__name__, ()):
                raise refusal(f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')
            _judge_vertex(getattr(value, name))


def judge(model: str, request: Generate) -> None:
    """Refuses what Google refuses beyond types."""
    _judge_vertex(request)
    config = request.generation_config or types.GenerationConfig()
    if config.response_json_schema is not None and config.response_schema is not None:
        raise refusal("Only one of response_schema and response_json_schema may be set.")
    if (config.response_json_schema or config.response_schema) and config.response_mime_type != "application/json":
        raise refusal("response_schema only allowed with response_mime_type 'application/json'")
    if config.temperature is not None and not 0 <= config.temperature <= 2:
        raise refusal("temperature must be in the range [0.0, 2.0]")
    if len(config.stop_sequences or []) > 5:
        raise refusal("The number of stop_sequences must be at most 5")
    thinking = config.thinking_config
    if thinking and thinking.thinking_budget is not None and thinking.thinking_level is not None:
        raise refusal("Only one of thinking_budget and thinking_level may be set.")
    for tool in request.tools or []:
        for function in tool.function_declarations or []:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}", function.name or ""):
                raise refusal(f"Invalid function name: {function.name}")
            if function.parameters is not None and function.parameters_json_schema is not None:
                raise refusal("Only one of parameters and parameters_json_schema may be set.")
    if not request.contents:
        raise refusal("contents are required")
    _judge_contents(model, request.contents)


def _judge_contents(model: str, contents: list[types.Content]) -> None:
    waiting = 0
    for at, content in enumerate(contents):
        parts = content.parts or []
        if content.role not in (None, "user", "model"):
            raise refusal(f"Please use a valid role: user, model. (contents[{at}] has {content.role})")
        if not parts or any(part.model_fields_set <= {"thought", "thought_signature"} for part in parts):
            raise refusal(f"contents[{at}].parts: must not be empty, and each must have initialized data.")
        responses = sum(part.function_response is not None for part in parts)
        calls = sum(part.function_call is not None for part in parts)
        if responses != waiting:
            raise refusal(
                "Please ensure that the number of function response parts is equal to the number of function call "
                "parts of the function call turn."
            )
        if calls and (at == 0 or content.role != "model"):
            raise refusal("Please ensure that function call turn comes immediately after a user turn.")
        waiting = calls
        for part in parts:
            _judge_signature(part)
    _judge_current(model, contents)


def _judge_signature(part: types.Part) -> None:
    given = part.thought_signature
    if given is None or given in _DUMMIES:
        return
    signed = part.function_call.name if part.function_call else part.text
    if signed and given != base64.b64decode(sign(signed)):
        raise refusal("Thought signature is not valid.")


def _judge_current(model: str, contents: list[types.Content]) -> None:
    """Gemini 3 takes no call of the turn that is under way whose step is not signed."""
    if not model.startswith("gemini-3"):
        return
    for content in reversed(contents):
        parts = content.parts or []
        if content.role != "model" and not any(part.function_response for part in parts):
            return
        calls = [part for part in parts if part.function_call]
        if calls and not calls[0].thought_signature:
            raise refusal("Function call is missing a thought_signature in functionCall parts.")
