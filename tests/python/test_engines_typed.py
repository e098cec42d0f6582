"""The protocol of engines, as a type checker reads it: what is one may be registered, what is none may not."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
GOOD = """
from collections.abc import AsyncIterator, Iterator

import hoosh
from hoosh.engines import ChatRequest, CompletionRequest, Delta, EmbedRequest, Finish, Health, Model, Progress
from hoosh.engines import Closes, ListsModels, LoadsModels, TellsHealth


class Plain:
    def chat(self, request: ChatRequest) -> Iterator[str]:
        yield str(request.max_tokens)

    def models(self) -> list[Model]:
        return []

    def load(self, model: str, progress: Progress) -> None:
        progress(1, 2)

    def unload(self, model: str) -> None: ...

    def health(self) -> Health:
        return Health(True)

    def close(self) -> None: ...


class Later:
    async def chat(self, request: ChatRequest) -> AsyncIterator[str | Delta]:
        yield "a"
        yield Finish("length")

    async def models(self) -> list[Model]:
        return []


class Others:
    def complete(self, request: CompletionRequest) -> str:
        return request.prompt

    async def embed(self, request: EmbedRequest) -> list[list[float]]:
        return [[float(len(text))] for text in request.inputs]


async def function(call: object) -> None: ...


gateway = hoosh.Gateway()
gateway.register("a", Plain())
gateway.register("b", Later())
gateway.register("c", Others())
gateway.register("d", function)
hoosh.Provider(type="engine", name="a", engine=Plain())
hoosh.Server.builder().engine("a", Others())
parts: tuple[Closes, ListsModels, LoadsModels, TellsHealth] = (Plain(), Plain(), Plain(), Plain())
later: ListsModels = Later()
"""
BAD = """
import hoosh


class Wrong:
    def chat(self, request: int) -> str:
        return "a"


class Bytes:
    def embed(self, request: object) -> bytes | None:
        return None


hoosh.Gateway().register("a", Wrong())
hoosh.Gateway().register("a", Bytes())
hoosh.Gateway().register("a", 5)
"""


def checked(tmp_path, text):
    (tmp_path / "engine.py").write_text(text)
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(tmp_path / "engine.py")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def test_engines_are_engines(tmp_path):
    assert checked(tmp_path, GOOD).startswith("Success"), checked(tmp_path, GOOD)


def test_what_is_none_is_found(tmp_path):
    found = checked(tmp_path, BAD)
    assert found.count("[arg-type]") == 3, found
