"""What a model is given for a chat: by the template in its file, or by a format that llama-cpp-python knows by name."""

import json
from dataclasses import dataclass
from typing import Any

from llama_cpp import llama_chat_format

from hoosh.engines.llamacpp.fields import wrong
from hoosh.engines.llamacpp.model import TEMPLATE
from hoosh.engines.llamacpp.tools import OPEN, Tools
from hoosh.engines.refused import Refused
from hoosh.engines.request import ChatRequest, Json


@dataclass(frozen=True, slots=True)
class Prompt:
    """What to go on from."""

    tokens: list[int]
    stops: tuple[str, ...] = ()
    """Where the format has an answer end, besides the tokens that end it."""


class _Made(Exception):
    """The prompt, on its way out of the format."""


class _Listener:
    """Stands in for the model while a format asks it, so that the prompt can be had and the answer be ours.

    Formats are functions that write a prompt and have the model answer it at once. Their way to answer turns the whole
    answer into text anew for each token, and counts no tokens in a stream.
    """

    verbose = False

    def __init__(self, llama: Any) -> None:
        self.tokenize = llama.tokenize

    def create_completion(self, *, prompt: str | list[int], stop: Any = (), **_: Any) -> None:
        raise _Made(prompt, (stop,) if isinstance(stop, str) else tuple(stop or ()))


def of_chat(llama: Any, request: ChatRequest, tools: Tools) -> Prompt:
    """What a chat comes to.

    Raises:
        Refused: a message holds what is no text, or the model's template does not take the messages.

    """
    messages, name = [_message(message) for message in request.messages], llama.chat_format
    handler = llama._chat_handlers.get(name)
    if handler is None and name == TEMPLATE:
        words = "This model has no chat template. Its provider's options can name one: chat_format."
        raise Refused(400, words, code="unsupported_endpoint", param="model")
    if tools.offered and "tools" not in llama.metadata.get("tokenizer.chat_template", ""):
        raise wrong("tools", "have no place in this model's chat template", "unsupported_value")
    handler = handler or llama_chat_format.get_chat_completion_handler(name)
    try:
        # Of a tool that has to be called formats make a grammar; ours is made elsewhere.
        offered = {"tools": list(tools.offered), "tool_choice": "auto"} if tools.offered else {}
        handler(llama=_Listener(llama), messages=messages, stream=True, **offered)
    except _Made as made:
        prompt, stops = made.args
        tokens = of_text(llama, prompt) if isinstance(prompt, str) else prompt
        if tools.demanded is not None:
            tokens += llama.tokenize(f"{OPEN}\n".encode(), False, True)
        return Prompt(tokens, tuple(stop for stop in stops if stop))
    except Exception as error:  # a template is a program, and may raise anything
        raise wrong("messages", f"cannot be written as this model's template has it: {error}") from error
    raise RuntimeError(f"the chat format {name} asks the model nothing")


def of_text(llama: Any, text: str) -> list[int]:
    """A text to go on from: after the token that begins one, where the model has such a token."""
    tokens: list[int] = llama.tokenize(text.encode(errors="replace"), True, True)
    return tokens


def _message(message: Json) -> Json:
    """A message with its content as one text, as templates and formats want it."""
    if isinstance(calls := message.get("tool_calls"), list):
        message = {**message, "tool_calls": [_call(call) for call in calls]}
    content = message.get("content")
    if not isinstance(content, list):
        return message
    texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
    if len(texts) < len(content) or not all(isinstance(text, str) for text in texts):
        words = "may only hold text: this engine sees no pictures and hears nothing"
        raise wrong("messages", words, "unsupported_value")
    return {**message, "content": "".join(map(str, texts))}


def _call(call: Any) -> Any:
    """A call with its arguments as an object, which templates write as JSON."""
    match call:
        case {"function": {"arguments": str(arguments)} as function}:
            try:
                return {**call, "function": {**function, "arguments": json.loads(arguments)}}
            except (ValueError, RecursionError):
                return call
    return call
