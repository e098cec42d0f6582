"""The one module that reads the environment and looks for the configuration file."""

import os
from pathlib import Path

from hoosh._native import Config
from hoosh.errors import ConfigError


def parse(text: str) -> Config:
    """Check a configuration's text; `$NAME` in it is the environment's.

    Raises:
        ConfigError: something in it is wrong.

    """
    return Config.parse(text, dict(os.environ))


def load(path: str | os.PathLike[str] | None = None) -> tuple[Config, Path | None]:
    """Find and check the configuration: the file given, else `$HOOSH_CONFIG`, else `hoosh.toml` here, else what is found.

    Returns the configuration and the file that it came from, None if it was found.

    Raises:
        ConfigError: the file cannot be read, or something in it is wrong.

    """
    named = path if path is not None else os.environ.get("HOOSH_CONFIG") or None
    if named is not None and not os.fspath(named):
        raise ConfigError("The name of the configuration file is empty. Leave it out for hoosh.toml or what is found.")
    file = Path(named) if named is not None else Path("hoosh.toml")
    if named is None and not file.exists():
        return Config.found(dict(os.environ)), None
    return parse(_read(file, "Name another file with --config.")), file


def text(given: str | os.PathLike[str]) -> str:
    """The text of a configuration: `given` itself, or that of the file of this name.

    Raises:
        ConfigError: the file cannot be read.

    """
    if isinstance(given, str) and is_text(given):
        return given
    return _read(Path(given), "Name another file.")


def is_text(given: str) -> bool:
    """Whether this is a configuration and no path: a path has neither a line's end nor `=`, and a configuration has one."""
    return "\n" in given or "=" in given


def _read(file: Path, hint: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}. {hint}") from error
