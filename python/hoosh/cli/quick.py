"""A plain command line, read without typer's own reading, which loads pydantic and takes 0.4 of the time to the open port.

What may be written is what the command declares to typer. Whatever is not plain (help, a mistake) is left to typer, which
has the words for it.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, get_args, get_type_hints


def options(run: Callable[..., int], arguments: Sequence[str]) -> dict[str, Any] | None:
    """What `arguments` say to `run`, by its parameters; None if typer must look."""
    known = _declared(run)
    said: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        option, equals, value = rest.pop(0).partition("=")
        if option not in known:
            return None
        name, parse = known[option]
        if parse is None:
            if equals:
                return None
            said[name] = True
            continue
        if not equals:
            if not rest or rest[0].startswith("-"):
                return None
            value = rest.pop(0)
        try:
            said[name] = parse(value)
        except Exception:  # typer meets it again, and says it in its own way
            return None
    return said


def _declared(run: Callable[..., int]) -> dict[str, tuple[str, Callable[[str], Any] | None]]:
    """The parameter of each option, and how its value is read; None: it is a flag."""
    declared: dict[str, tuple[str, Callable[[str], Any] | None]] = {}
    hints = get_type_hints(run, include_extras=True)
    for name in inspect.signature(run).parameters:
        type_, info = get_args(hints[name])
        # Of the names in an annotation, typer takes the first for a default, and sets that right later.
        words = [word for word in (info.default, *(info.param_decls or ())) if isinstance(word, str)]
        for word in words or ["--" + name.replace("_", "-")]:
            declared[word] = (name, None if type_ is bool else info.parser or str)
    return declared
