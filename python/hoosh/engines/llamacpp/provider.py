"""Models of llama.cpp as a provider's options name them."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from hoosh.engines.host.hosted import Hosted
from hoosh.engines.llamacpp.described import described
from hoosh.engines.model import Model
from hoosh.errors import ConfigError

PACKAGE = "llama_cpp"
BACKEND = "hoosh.engines.llamacpp.backend:Backend"
MAGIC = b"GGUF"
POOLINGS = ("mean", "cls", "last")
"""How a text's vector is made of those of its tokens: their mean, that of the first, or of the last."""
LOOK_SECONDS = 20
"""How long another Python may take to say whether it has llama-cpp-python."""


class LlamaCpp(Hosted):
    """GGUF files, computed by llama.cpp in one process, which begins with the first request.

    One process for all files of a provider: they share its threads and its device, and end together when idle or when it
    dies. Files that must not are another provider's.

    Args:
        files: the models, and the GGUF file of each.
        context_tokens: tokens of prompt and answer together, at most what a model was made for; None: 8192.
        gpu_layers: how many layers a GPU computes, -1 for all; needs a llama-cpp-python that was built for it.
        threads: how many threads compute; None: a core less than there are.
        max_sequences: answers that a model computes at once. Each has a context of its own in memory.
        embeddings: the files give vectors, and do not chat.
        pooling: how a text's vector is made: `mean`, `cls`, `last`; None: as the model says.
        chat_format: llama-cpp-python's name of how a chat is written; None: the template in the file.
        tools: the templates in the files offer tools, and the models call them as Hermes and Qwen do.
        idle_unload_secs: after how long without a request the process ends, and its memory is free; None: never.
        python: the Python that has llama-cpp-python; None: the one that runs hoosh.

    Raises:
        ConfigError: an option is none, a file is no GGUF, or llama-cpp-python is not there.

    """

    def __init__(
        self,
        *,
        files: dict[str, str],
        context_tokens: int | None = None,
        gpu_layers: int = 0,
        threads: int | None = None,
        max_sequences: int = 1,
        embeddings: bool = False,
        pooling: str | None = None,
        chat_format: str | None = None,
        tools: bool = False,
        idle_unload_secs: float | None = None,
        python: str | None = None,
    ) -> None:
        self._files = _files(files)
        self._at_once = _count("max_sequences", max_sequences, least=1) or 1
        if pooling is not None and (pooling not in POOLINGS or embeddings is not True):
            raise ConfigError(f"`pooling` is one of {', '.join(POOLINGS)}, and for `embeddings = true`")
        self._options = {
            "context_tokens": _count("context_tokens", context_tokens, least=8),
            "gpu_layers": _count("gpu_layers", gpu_layers, least=-1),
            "threads": _count("threads", threads, least=1) or _cores(),
            "max_sequences": self._at_once,
            "embeddings": _flag("embeddings", embeddings),
            "pooling": pooling,
            "chat_format": _text("chat_format", chat_format),
            "tools": _flag("tools", tools),
        }
        if tools and (embeddings or chat_format is not None):
            raise ConfigError("`tools` is for models that chat by the template in their file")
        if python is None and importlib.util.find_spec(PACKAGE) is None:
            raise ConfigError(f"llama-cpp-python is not installed: {sys.executable} -m pip install 'hoosh[llamacpp]'")
        super().__init__(
            BACKEND,
            {"files": self._files, "options": self._options},
            name="llama.cpp",
            python=None if python is None else _python(python),
            idle_seconds=_seconds("idle_unload_secs", idle_unload_secs),
        )
        # What a method is there for is what an engine answers.
        if embeddings:
            self.chat = self.complete = None  # type: ignore[assignment, method-assign]
        else:
            self.embed = None  # type: ignore[assignment, method-assign]

    @property
    def concurrency(self) -> int:
        """How many requests the process has at once."""
        return self._at_once * len(self._files)

    async def models(self) -> list[Model]:
        """The files: as the process knows them, where there is one."""
        if self.pid is not None:
            return await super().models()
        return [described(name, path, self._options, None) for name, path in self._files.items()]


def _files(given: object) -> dict[str, str]:
    if not isinstance(given, dict) or not given:
        raise ConfigError('`files` names the models and their files: files = { "my-model" = "/models/my-model.gguf" }')
    return {_name(name): _gguf(file) for name, file in given.items()}


def _name(given: object) -> str:
    if not isinstance(given, str) or not given:
        raise ConfigError("the names in `files` are text, and not empty")
    return given


def _gguf(given: object) -> str:
    if not isinstance(given, str):
        raise ConfigError(f"a file in `files` is its path, not {given!r}")
    path = Path(given).expanduser()
    try:
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{given} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if magic != MAGIC:
        raise ConfigError(f"{given} is no GGUF file")
    return str(path.resolve())


def _python(given: object) -> str:
    """The interpreter, which has llama-cpp-python."""
    text = _text("python", given)
    assert text is not None
    path = os.path.abspath(
        os.path.expanduser(text)
    )  # not resolved: the link in a virtual environment is what makes it one
    look = f"import importlib.util, sys; sys.exit(3 if importlib.util.find_spec({PACKAGE!r}) is None else 0)"
    try:
        status = subprocess.run(
            [path, "-c", look], stdin=subprocess.DEVNULL, timeout=LOOK_SECONDS, check=False
        ).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"`python`: {given} cannot be run: {error}") from error
    if status != 0:
        raise ConfigError(f"`python`: llama-cpp-python is not installed there: {given} -m pip install llama-cpp-python")
    return path


def _cores() -> int:
    """All but one, which is the gateway's."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


def _count(name: str, given: object, least: int) -> int | None:
    if given is None or (type(given) is int and least <= given < 1 << 31):
        return given
    raise ConfigError(f"`{name}` is a number from {least} on, not {given!r}")


def _seconds(name: str, given: object) -> float | None:
    if given is None or (isinstance(given, int | float) and not isinstance(given, bool) and 0 < given < float("inf")):
        return given
    raise ConfigError(f"`{name}` is a number of seconds above 0, not {given!r}")


def _flag(name: str, given: object) -> bool:
    if isinstance(given, bool):
        return given
    raise ConfigError(f"`{name}` is true or false, not {given!r}")


def _text(name: str, given: object) -> str | None:
    if given is None or (isinstance(given, str) and given):
        return given
    raise ConfigError(f"`{name}` is text, not {given!r}")
