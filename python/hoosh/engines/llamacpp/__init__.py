"""GGUF models computed by llama.cpp, through llama-cpp-python, in a process of their own: `pip install hoosh[llamacpp]`.

    [[providers]]
    type = "llama-cpp-python"
    name = "local"
    options = { files = { "qwen3-0.6b" = "/models/qwen3-0.6b-q8_0.gguf" } }

This is the gateway's side, which knows the options and loads nothing. The process has `backend`, whose `model`s it asks:
`fields` are what a request may say, `prompt` makes a text of a chat, `schema` a grammar of a JSON schema.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hoosh.engines.llamacpp.provider import LlamaCpp

__all__ = ["LlamaCpp"]


def __getattr__(name: str) -> Any:
    """Load the gateway's side when it is named: the process has neither it nor what it needs."""
    if name == "LlamaCpp":
        from hoosh.engines.llamacpp.provider import LlamaCpp

        return LlamaCpp
    raise AttributeError(f"module 'hoosh.engines.llamacpp' has no attribute {name!r}")
