"""The other fields of each caller's dialect: each is told to the upstream, or named in the loss report, or refused clearly.

A field is told if the upstream is asked otherwise with it than without it. The lists hold every field of the official
SDK's type of a request that the table of capabilities does not, so that one which a new SDK brings fails until it is here.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any

import ollama._types as ollama_types
import typing_extensions
from anthropic.types import message_create_params
from google.genai import types as google_types
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params
from tests.upstream.mind import Json

from .scenarios import ORDER, TOOLS, ask
from .world import CALLERS, UPSTREAMS, Exchange, World


@dataclass(frozen=True)
class Field:
    """A place in a body, and a value for it. `beside` stands in both requests, with it and without."""

    place: str
    value: Any
    beside: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """Its last name."""
        return [part for part in self.place.split(".") if not part.isdigit()][-1]


def _all(values: Json, under: str = "") -> list[Field]:
    return [Field(under + name, value) for name, value in values.items()]


CACHE = {"type": "ephemeral"}
FIELDS: dict[str, list[Field]] = {
    "openai_chat": [
        *_all({
            "frequency_penalty": 0.5, "presence_penalty": 0.5, "logit_bias": {"50256": -100}, "logprobs": True,
            "metadata": {"k": "v"}, "n": 2, "prediction": {"type": "content", "content": "x"},
            "moderation": {"model": "omni-moderation-latest"}, "prompt_cache_key": "k", "prompt_cache_retention": "24h",
            "prompt_cache_options": {"mode": "explicit"}, "safety_identifier": "s", "service_tier": "flex", "store": True,
            "verbosity": "low", "web_search_options": {}, "modalities": ["text", "audio"],
            "messages.0.name": "Bob", "tools.0.function.strict": True, "max_tokens": 50,
        }),
        Field("audio", {"voice": "alloy", "format": "wav"}, (("modalities", ["text", "audio"]),)),
        Field("top_logprobs", 2, (("logprobs", True),)),
        Field("functions", [{"name": "old", "parameters": {"type": "object", "properties": {}}}]),
        Field("function_call", "none", (("functions", [{"name": "old", "parameters": {"type": "object", "properties": {}}}]),)),
    ],
    "openai_responses": _all({
        "access_programs": {"cyber": "standard"}, "background": True, "background_options": {"completion_window": "2h"},
        "context_management": [{"type": "compaction", "compact_threshold": 1_000}], "conversation": "conv_1",
        "image": {"context_compression": "enabled"}, "include": ["message.output_text.logprobs"], "max_tool_calls": 3,
        "metadata": {"k": "v"}, "moderation": {"model": "omni-moderation-latest"}, "prompt": {"id": "pmpt_1"},
        "prompt_cache_key": "k", "prompt_cache_options": {"mode": "explicit"}, "prompt_cache_retention": "24h",
        "safety_identifier": "s", "service_tier": "flex", "text": {"verbosity": "low"}, "truncation": "auto",
        "tools.0.strict": True, "reasoning.context": "all_turns", "previous_response_id": "resp_unknown",
        "top_logprobs": 2, "tools.0.defer_loading": True,
    }),
    "anthropic": [
        *_all({
            "cache_control": CACHE, "container": "c", "diagnostics": {"previous_message_id": "msg_1"}, "inference_geo": "us",
            "service_tier": "standard_only", "speed": "fast", "output_config.effort": "low", "user_profile_id": "u",
            "workspace_id": "w", "tools.0.strict": True, "tools.0.cache_control": CACHE, "tools.0.input_examples": [{"city": "x"}],
            "tools.0.eager_input_streaming": True, "tools.0.defer_loading": True, "tools.0.allowed_callers": ["direct"],
            "messages.0.content.0.cache_control": CACHE,
        }),
        Field("system.0.cache_control", CACHE, (("system", [{"type": "text", "text": "Be brief."}]),)),
    ],
    "gemini": [
        *_all({
            "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
            "cachedContent": "cachedContents/x", "serviceTier": "flex", "store": True, "labels": {"k": "v"},
        }),
        *_all({
            "candidateCount": 2, "responseLogprobs": True, "presencePenalty": 0.5, "frequencyPenalty": 0.5,
            "responseModalities": ["TEXT", "AUDIO"], "mediaResolution": "MEDIA_RESOLUTION_LOW",
            "speechConfig": {"languageCode": "de-DE"}, "enableEnhancedCivicAnswers": True, "audioTimestamp": True,
            "enableAffectiveDialog": True, "routingConfig": {"manualMode": {"modelName": "x"}},
            "modelSelectionConfig": {"featureSelectionPreference": "BALANCED"},
            "audioTranscriptionConfig": {}, "translationConfig": {"targetLanguageCode": "de"},
            "responseFormat": [{"text": {}}],
        }, "generationConfig."),
        Field("generationConfig.logprobs", 2, (("generationConfig.responseLogprobs", True),)),
        Field("generationConfig.responseSchema", {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}},
              (("generationConfig.responseMimeType", "application/json"),)),
    ],
    "ollama": [
        *_all({"keep_alive": "5m", "logprobs": True, "truncate": True, "shift": True}),
        Field("top_logprobs", 2, (("logprobs", True),)),
        *_all({
            "numa": True, "num_ctx": 4_096, "num_batch": 8, "num_gpu": 1, "main_gpu": 1, "low_vram": True, "f16_kv": True,
            "logits_all": True, "vocab_only": True, "use_mmap": True, "use_mlock": True, "embedding_only": True,
            "num_thread": 2, "num_keep": 3, "tfs_z": 0.5, "typical_p": 0.5, "repeat_last_n": 32, "repeat_penalty": 1.5,
            "presence_penalty": 0.5, "frequency_penalty": 0.5, "mirostat": 1, "mirostat_tau": 4.0, "mirostat_eta": 0.2,
            "penalize_newline": True, "min_p": 0.1,
        }, "options."),
    ],
}  # fmt: skip

ELSEWHERE: dict[str, set[str]] = {
    "openai_chat": {
        "messages", "model", "max_completion_tokens", "parallel_tool_calls", "reasoning_effort", "response_format", "seed",
        "stop", "stream", "stream_options", "temperature", "tool_choice", "tools", "top_p", "user",
    },
    "openai_responses": {
        "input", "instructions", "model", "max_output_tokens", "parallel_tool_calls", "reasoning", "store", "stream",
        "stream_options", "temperature", "tool_choice", "tools", "top_p", "user",
    },
    "anthropic": {
        "max_tokens", "messages", "metadata", "model", "stop_sequences", "stream", "system", "thinking", "tool_choice",
        "tools", "output_config",
    },
    "gemini": {
        "responseJsonSchema", "maxOutputTokens", "responseMimeType", "seed", "stopSequences", "temperature",
        "thinkingConfig", "topK", "topP",
    },
    "ollama": {
        "model", "stream", "options", "format", "messages", "tools", "think", "seed", "num_predict", "top_k", "top_p",
        "temperature", "stop",
    },
}  # fmt: skip
"""What the table of capabilities asks for."""


def _hints(params: Any) -> set[str]:
    return set(typing_extensions.get_type_hints(params))


OF_THE_SDK: dict[str, set[str]] = {
    "openai_chat": _hints(completion_create_params.CompletionCreateParamsNonStreaming),
    "openai_responses": _hints(response_create_params.ResponseCreateParamsNonStreaming),
    "anthropic": _hints(message_create_params.MessageCreateParamsNonStreaming),
    "gemini": {str(field.alias) for field in google_types.GenerationConfig.model_fields.values()},
    "ollama": {*ollama_types.ChatRequest.model_fields, *ollama_types.Options.model_fields},
}
"""The fields of the SDK's type."""


def put(body: Json, place: str, value: Any) -> None:
    """Sets a value deep in a body."""
    *way, last = place.split(".")
    at: Any = body
    for step in way:
        at = at[int(step)] if step.isdigit() else at.setdefault(step, {})
    at[int(last) if last.isdigit() else last] = value


def run(world: World, caller: str, upstream: str, field: Field) -> str:
    """The word for a field."""
    body = CALLERS[caller].write(ask(upstream, tools=TOOLS[:1]))
    if caller == "anthropic":
        body["messages"][0]["content"] = [{"type": "text", "text": "Say hello"}]
    for place, value in field.beside:
        put(body, place, value)
    without = _post(world, caller, upstream, body)
    assert without.status == 200, without.error
    told = copy.deepcopy(body)
    put(told, field.place, field.value)
    with_it = _post(world, caller, upstream, told)
    if with_it.upstream is None:
        assert with_it.status == 400, with_it.error
        return "refused"
    assert with_it.status == 200, f"the upstream was asked for what it does not take: {with_it.error}"
    for row in with_it.lost:
        assert row.startswith("message.") or row.split(".")[0].removesuffix("[]") in told, f"{row} is not in the body"
    more = {change for row, change in with_it.lost.items() if without.lost.get(row) != change}
    rows = more - {"renamed"}
    if _said(with_it) != _said(without):
        return max(rows, default="native", key=ORDER.index)
    # What is so anyway is told as another name of it.
    if more == {"renamed"}:
        return "native"
    assert rows, f"nothing was told to the upstream, and the loss report does not name it: {with_it.lost}"
    return max(rows, key=ORDER.index)


def _post(world: World, caller: str, upstream: str, body: Json) -> Exchange:
    return world.post(caller, CALLERS[caller].path(ask(upstream)), body, understand=False)


def _said(exchange: Exchange) -> Any:
    assert exchange.upstream is not None
    return exchange.upstream.path, json.loads(exchange.upstream.body)


def others(caller: str) -> list[str]:
    """The upstreams that do not speak the caller's dialect: to those that do the body goes byte for byte."""
    return [upstream for upstream in UPSTREAMS if upstream != caller]
