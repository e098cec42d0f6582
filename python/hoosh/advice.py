"""What to do where no model can be asked. It depends on whether there is a configuration: with one, hoosh looks for nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hoosh._native import DEMONSTRATION

NO_CHAT = ("embed", "rerank", "moderation", "whisper", "tts", "dall-e", "image", "transcribe")
"""In the names of models that are no good for a question."""
FINDS = "Ollama (port 11434), llama.cpp (8080), LM Studio (1234) or vLLM (8000)"


class Advice(NamedTuple):
    """How it stands, and what to do: any one of these."""

    state: str
    ways: Sequence[str]

    def __str__(self) -> str:
        return f"{self.state} Do one of these:\n" + ";\n".join(f"  - {way}" for way in self.ways) + "."

    @property
    def sentence(self) -> str:
        """The same in one line."""
        *others, last = self.ways
        return f"{self.state} Do one of these: {'; '.join(others)}; or {last}."


def first_model(names: Sequence[str]) -> str | None:
    """Of models that are there one for a question: the first that can chat, by its name; the demonstration if there is no other."""
    chats = [name for name in names if name.isprintable() and not any(word in name for word in NO_CHAT)]
    return next((name for name in chats if not is_demonstration(name)), chats[0] if chats else None)


def is_demonstration(model: str) -> bool:
    """Whether this is the model that comes with hoosh, with its provider in front or not."""
    return model.rpartition("/")[2] == DEMONSTRATION


def only_demonstration() -> Advice:
    """Advice where nothing was found, and the model that comes with hoosh is all there is."""
    return Advice(
        "No other model was found than hoosh-tiny, a demonstration that can tell of hoosh and of nothing else.",
        [
            f"start a local server: {FINDS} is found by itself, within seconds if it starts later",
            "set the key of a service, such as OPENAI_API_KEY, and start again",
            "have hoosh compute a model out of a GGUF file, or name other providers: `hoosh init` writes a file to begin with",
        ],
    )


def no_models(file: Path | str | None, providers: int) -> Advice:
    """Advice for a configuration out of `file` (None: it was found) with so many providers, none of which has a model."""
    if file is None:
        ways = [
            f"start a local server: {FINDS} is found by itself, within seconds if it starts later",
            "set the key of a service, such as OPENAI_API_KEY, and start again",
            "write a configuration: `hoosh init`",
        ]
        return Advice("No model can be asked yet.", ways)
    where = file if isinstance(file, Path) else "the configuration"
    if providers:
        ways = [
            "start the local servers that it names",
            'have a provider that does not tell its models name them: `models = ["..."]`',
            f"see what is in force: `hoosh check{_option(file)}`",
        ]
        return Advice(f"No model can be asked yet: no provider in {where} has said that it has one.", ways)
    ways = [
        f"add a [[providers]] to {where} and start again (`hoosh init example.toml` shows how)",
        "move it away and start again, so that local servers and keys in the environment are found",
    ]
    return Advice(f"No model can be asked: no provider is in {where}, and with a file hoosh looks for none.", ways)


def _option(file: Path | str) -> str:
    return f" --config {file}" if isinstance(file, Path) and file != Path("hoosh.toml") else ""
