"""What an engine says of itself: its models, and how it is."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that an engine serves, loaded or not. What is not known is left out.

    Attributes:
        name: the name by which it is asked for, without the provider's.
        context: tokens of prompt and answer together.
        max_output: tokens of an answer; None: as many as the context leaves.
        dimensions: numbers of a vector, where it gives vectors.
        chat: whether it chats.
        tools: whether it calls functions.
        vision: whether it takes pictures.
        audio: whether it takes sound.
        embeddings: whether it gives vectors.
        structured_output: whether its answers keep to a JSON schema.
        reasoning: whether it thinks apart from the answer.
        quantization: how its weights are stored, as GGUF names it (`Q4_K_M`, `F16`).
        memory_bytes: what it takes in memory, or would.
        accelerator: what computes it: `cpu`, `cuda`, `metal`.
        loaded: whether it is in memory.

    """

    name: str
    context: int | None = None
    max_output: int | None = None
    dimensions: int | None = None
    chat: bool = True
    tools: bool = False
    vision: bool = False
    audio: bool = False
    embeddings: bool = False
    structured_output: bool = False
    reasoning: bool = False
    quantization: str | None = None
    memory_bytes: int | None = None
    accelerator: str | None = None
    loaded: bool = True


@dataclass(frozen=True, slots=True)
class Health:
    """Whether an engine can answer, and if not, why: words for the operator."""

    ok: bool
    words: str = ""


Progress = Callable[[int, int], None]
"""Told of bytes done and of all bytes, now and then, while a model is loaded."""
