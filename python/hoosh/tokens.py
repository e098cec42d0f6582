"""Counting tokens as OpenAI's models do, exactly and without a network.

    count("Hello, world!", model="gpt-4o-mini")     # 4
    encode("Hello, world!", encoding="cl100k_base") # [9906, 11, 1917, 0]
    count_messages([{"role": "user", "content": "Hello"}], model="gpt-4")  # MessageCount(tokens=8, estimated=False)

Two encodings are inside hoosh: `cl100k_base` (GPT-4, GPT-3.5, the embedding models) and `o200k_base` (GPT-4o and everything
after it). A vocabulary is unpacked when it is first needed, which takes some ten milliseconds and tens of megabytes. What
looks like a special token (`<|endoftext|>`) is counted as the text that it is. Time is linear in the text, whatever it
is. Text must be encodable as UTF-8: a lone surrogate raises UnicodeEncodeError.

Sources: `openai/tiktoken` for encodings and the models that use them; for messages and tools the OpenAI cookbook,
`examples/How_to_count_tokens_with_tiktoken.ipynb`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from hoosh import _native

__all__ = ["Encoding", "MessageCount", "count", "count_messages", "encode", "encoding_for_model"]

Encoding = Literal["cl100k_base", "o200k_base"]


class MessageCount(NamedTuple):
    """Tokens of a conversation, and whether that is exact."""

    tokens: int
    """Prompt tokens."""
    estimated: bool
    """The published recipe does not cover all of it: tools, images, several parts, or a model outside its families."""


def count(text: str, *, encoding: Encoding | None = None, model: str | None = None) -> int:
    """How many tokens `text` has. Exactly one of `encoding` and `model` is given; `provider/model` will do.

    Raises:
        InvalidRequest: no such encoding, or none is known for the model.

    """
    return _native.tokens_count(text, encoding, model)


def encode(text: str, *, encoding: Encoding | None = None, model: str | None = None) -> list[int]:
    """The token ids of `text`. Arguments and errors are those of `count`."""
    return _native.tokens_encode(text, encoding, model)


def encoding_for_model(model: str) -> Encoding | None:
    """The encoding of an OpenAI model, by its name or a name that begins like it; None if none of those here is known."""
    return _native.tokens_encoding_for_model(model)


def count_messages(
    messages: Sequence[Mapping[str, Any]], *, model: str, tools: Sequence[Mapping[str, Any]] | None = None
) -> MessageCount:
    """Prompt tokens of a conversation, in the shape of OpenAI's chat completions, as `model` is billed for it.

    Exact for text on the families that the recipe was published for (GPT-4, GPT-3.5). Tools and their calls, images (at
    the largest size, because the true one is not known here), several parts, and other models make it an estimate; a
    model without a known encoding is counted with o200k_base.

    Raises:
        InvalidRequest: `messages` or `tools` (`param` says which) have another shape.

    """
    return MessageCount(*_native.tokens_count_messages(messages, model, tools))
