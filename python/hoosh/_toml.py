"""Values of Python as TOML, for the core's own parser: there is one reader of configurations, and it reads text."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hoosh import _environment
from hoosh._native import Config
from hoosh.errors import ConfigError

Table = dict[str, Any]


def parse(tables: Mapping[str, Any], *, folder: Path | None = None) -> Config:
    """Check a configuration that is made of tables, as if it stood in a file of `folder`.

    Raises:
        ConfigError: in the core's words; a note says which entry of a list it means, as there is no line to name.

    """
    lines: list[str] = []
    places: list[str] = []
    for header, value in tables.items():
        entries = value if isinstance(value, list | tuple) else None
        if entries is None:
            lines.append(f"{_key(header)} = {_value(value, header)}")
            places.append("")
            continue
        lines += [f"{_key(header)} = [", *(f"  {_value(entry, header)}," for entry in entries), "]"]
        places += ["", *(f"in entry {at} of [[{header}]]" for at in range(1, len(entries) + 1)), ""]
    try:
        return _environment.parse("\n".join(lines), folder=folder)
    except ConfigError as error:
        place = places[error.line - 1] if error.line is not None and error.line <= len(places) else ""
        raise _elsewhere(error, place) from None


def _elsewhere(error: ConfigError, place: str) -> ConfigError:
    told = ConfigError(error.message)
    if place:
        told.add_note(place)
    return told


def _key(name: object) -> str:
    if not isinstance(name, str):
        raise ConfigError(f"the name of a key is text, not {type(name).__name__}")
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _text(text: str) -> str:
    if any(0xD800 <= ord(c) < 0xE000 for c in text):
        raise ConfigError("half of a surrogate pair is no text")
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: object, key: str) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return repr(value) if math.isfinite(value) else str(value)
        case str():
            return _text(value)
        case Mapping():
            # None is what an argument is that was left out.
            pairs = (f"{_key(name)} = {_value(item, name)}" for name, item in value.items() if item is not None)
            return f"{{ {', '.join(pairs)} }}"
        case bytes() | bytearray():
            pass
        case Sequence():
            return f"[{', '.join(_value(item, key) for item in value)}]"
    raise ConfigError(
        f"`{key}` cannot be {type(value).__name__}; a configuration holds text, numbers, lists and tables"
    )
