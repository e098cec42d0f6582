"""What is told of a model of llama.cpp, whether it is in memory or not."""

import os
from typing import Any, Protocol

from hoosh.engines.model import Model


class Known(Protocol):
    """What is known once it is in memory."""

    @property
    def context(self) -> int:
        """Tokens of prompt and answer together."""

    @property
    def quantization(self) -> str:
        """How its weights are stored."""


def described(name: str, path: str, options: dict[str, Any], known: Known | None) -> Model:
    """A model, as its provider's options and what is known of it have it."""
    vectors: bool = options["embeddings"]
    return Model(
        name=name,
        context=options["context_tokens"] if known is None else known.context,
        chat=not vectors,
        embeddings=vectors,
        structured_output=not vectors,
        tools=options["tools"],
        quantization=None if known is None else known.quantization,
        memory_bytes=os.path.getsize(path) if os.path.exists(path) else None,
        accelerator=None if options["gpu_layers"] else "cpu",
        loaded=known is not None,
    )
