"""JSON as every reader takes it: what Python's `json` reads and writes beyond that is refused, with what it is and where.

Python's reads `NaN`, `1e999` (infinity) and halves of characters, writes the first two, and gives up on deep nesting with a
`RecursionError`.
"""

import json
import math
from collections import deque
from typing import Any


def read(text: str | bytes) -> Any:
    """The value of JSON text.

    Raises:
        ValueError: it is not JSON, or holds what JSON cannot; the message says what and where, without a full stop.

    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    written(value)
    return value


def written(value: Any) -> bytes:
    """`value` as JSON in UTF-8, without spaces.

    Raises:
        ValueError: JSON cannot hold it; the message says what and where, without a full stop.
        TypeError: a part of it is of a type that JSON lacks.

    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError as error:
        raise ValueError(_fault(value) or str(error)) from error


def _fault(value: Any) -> str | None:
    """What is wrong in `value`, and where: the first that JSON cannot hold, by depth."""
    waiting = deque([("", value)])
    while waiting:
        place, part = waiting.popleft()
        if isinstance(part, str):
            if words := _half(part):
                return f"{place or 'the text'} has {words}"
        elif isinstance(part, float) and not math.isfinite(part):
            return f"{place or 'it'} is {part}, which is no number in JSON"
        elif isinstance(part, list):
            waiting += [(f"{place}[{at}]", entry) for at, entry in enumerate(part)]
        elif isinstance(part, dict):
            for name, entry in part.items():
                if words := _half(str(name)):
                    return f"a name{f' in {place}' if place else ''} has {words}"
                waiting.append((f"{place}.{name}" if place else str(name), entry))
    return None


def _half(text: str) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        # Python's own mark for a byte of the command line, or of standard input, that is no text.
        if 0xDC80 <= code <= 0xDCFF:
            return f"the byte 0x{code - 0xDC00:02x}, which is no UTF-8, at character {error.start + 1}"
        return f"half of a character (\\u{code:04x}) at character {error.start + 1}"
    return None
