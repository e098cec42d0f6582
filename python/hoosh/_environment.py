"""The one module that reads the environment and looks for the configuration file."""

import os
import sys
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
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}. Name another file with --config.") from error
    return parse(text), file


def server_and_key(server: str | None, key: str | None) -> tuple[str, str | None]:
    """Where a running gateway is and the key for it: as given, else `$HOOSH_SERVER` and `$HOOSH_KEY`, else this machine's."""
    address = server or os.environ.get("HOOSH_SERVER") or "http://127.0.0.1:8088"
    return address, key or os.environ.get("HOOSH_KEY") or None


def store_file() -> Path:
    """Where the store is if nobody says: `hoosh/hoosh.db` in the platform's data folder.

    Raises:
        ConfigError: this user has none.

    """
    if sys.platform == "win32":
        folder = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        folder = "~/Library/Application Support"
    else:
        folder = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return expanded(folder) / "hoosh" / "hoosh.db"


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path whose `~` is the user's home.

    Raises:
        ConfigError: this user has none.

    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{path} is below the home folder, and there is none. Write [storage] path.") from error
