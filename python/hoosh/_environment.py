"""The one module that reads the environment and looks for the configuration file."""

import os
import sys
from itertools import count
from pathlib import Path

from hoosh._native import Config, TlsTerms
from hoosh.errors import ConfigError

ENGINES = "hoosh.providers"
"""The group of entry points by which packages offer engines."""


def parse(text: str, *, secrets: bool = True, folder: Path | None = None) -> Config:
    """Check a configuration's text; `$NAME` in it is the environment's.

    Without `secrets` no file or command is read for a credential: it is for who asks no provider. `folder` is that of the
    configuration's own file, in which the catalogue's is found.

    Raises:
        ConfigError: something in it is wrong.

    """
    interrupts: list[BaseException] = []
    numbers = count(1)

    def read(kind: str, words: list[str]) -> str:
        if kind == "catalogue":
            # No secret: it is read for those who ask no provider too.
            words = [os.fspath((folder or Path()) / words[0])]
        elif not secrets:
            # Each is another, because two that are the same are a mistake.
            return f"not-read-{next(numbers)}"
        try:
            return credential(kind, words)
        except KeyboardInterrupt as interrupt:
            interrupts.append(interrupt)
            raise OSError("it was interrupted") from interrupt

    try:
        return Config.parse(text, dict(os.environ), read, engine_types, keeps if secrets else lambda terms: None)
    except ConfigError:
        # The core makes a mistake in the file of whatever is raised there.
        if interrupts:
            raise interrupts[0] from None
        raise


def engine_types() -> list[str]:
    """The types of engines that installed packages offer, by entry point."""
    # Few configurations have one, and looking takes its time.
    from importlib.metadata import entry_points

    return sorted(entry_points(group=ENGINES).names)


def keeps(terms: TlsTerms) -> None:
    """Hold that these terms of TLS can be kept, whichever way is taken later: that their files are what they should be.

    Raises:
        OSError: why they cannot.

    """
    # Few configurations have any, and what it needs takes its time to load.
    from hoosh._driver import trust

    trust.context(terms)
    terms.check()


def credential(kind: str, words: list[str]) -> str:
    """The text of a file, of certificates, a key or a catalogue too, or what a program prints; no shell reads the words.

    Raises:
        OSError: why it cannot be had, in words that quote nothing of it.

    """
    # Few configurations have one, and what it needs takes its time to load.
    from hoosh import _credential

    return _credential.read(kind, words)


def load(path: str | os.PathLike[str] | None = None, *, secrets: bool = True) -> tuple[Config, Path | None]:
    """Find and check the configuration: the file given, else `$HOOSH_CONFIG`, else `hoosh.toml` here, else what is found.

    Returns the configuration and the file that it came from, None if it was found; `secrets` is `parse`'s.

    Raises:
        ConfigError: the file cannot be read, or something in it is wrong.

    """
    file = file_of(path)
    if file is None:
        return found(), None
    return parse(_read(file, "Name another file with --config."), secrets=secrets, folder=file.parent), file


def file_of(path: str | os.PathLike[str] | None = None) -> Path | None:
    """The file that `load` reads; None if it takes what is found.

    Raises:
        ConfigError: its name is empty.

    """
    named = path if path is not None else os.environ.get("HOOSH_CONFIG") or None
    if named is not None and not os.fspath(named):
        raise ConfigError("The name of the configuration file is empty. Leave it out for hoosh.toml or what is found.")
    file = Path(named) if named is not None else Path("hoosh.toml")
    return None if named is None and not file.exists() else file


def text(given: str | os.PathLike[str]) -> str:
    """The text of a configuration: `given` itself, or that of the file of this name.

    Raises:
        ConfigError: the file cannot be read.

    """
    if isinstance(given, str) and is_text(given):
        return given
    return _read(Path(given), "Name another file.")


def folder(given: str | os.PathLike[str] | None) -> Path | None:
    """The folder of the file that `text` reads; None where the text itself is given, or nothing."""
    return None if given is None or (isinstance(given, str) and is_text(given)) else Path(given).parent


def is_text(given: str) -> bool:
    """Whether this is a configuration and no path: a path has neither a line's end nor `=`, and a configuration has one."""
    return "\n" in given or "=" in given


def server(given: str | None) -> str | None:
    """The running gateway that a command asks: the one given, else `$HOOSH_SERVER`."""
    return given or os.environ.get("HOOSH_SERVER") or None


def key(given: str | None) -> str | None:
    """The key for it: the one given, else `$HOOSH_KEY`."""
    return given or os.environ.get("HOOSH_KEY") or None


def is_set(variable: str) -> bool:
    """Whether the environment has a value for this variable, as the core takes it."""
    return bool(os.environ.get(variable, "").strip())


def leave_a_core() -> None:
    """Have what computes models leave one core to the gateway, unless the environment says how many threads it takes.

    Its library has no other way to be told (`native/candle/src/threads.rs`).
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ.setdefault("CANDLE_NUM_THREADS", str(max(1, cores - 1)))


def found() -> Config:
    """What hoosh does without a file."""
    return Config.found(dict(os.environ))


def _read(file: Path, hint: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"{file} cannot be read: {why}. {hint}") from error


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
