"""What to do where no model can be asked. It depends on whether there is a configuration: with one, hoosh looks for nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

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


def no_models(file: Path | str | None, providers: int) -> Advice:
    """Advice for a configuration out of `file` (None: it was found) with so many providers, none of which has a model."""
    if file is None:
        ways = [
            f"start a local server: {FINDS} is found by itself, within five minutes if it starts later",
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
