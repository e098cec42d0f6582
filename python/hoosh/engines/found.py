"""Engines that a configuration names: `type = "python:my_module:MyModel"`, or the name of an entry point.

An entry point is how an installed package offers a type of provider:

    [project.entry-points."hoosh.providers"]
    acme = "acme_hoosh:AcmeModel"

They are looked for only where a configuration names a type that nobody else knows: it takes as long as there are packages.
"""

import difflib
import importlib
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from hoosh._environment import ENGINES as GROUP
from hoosh._environment import engine_types as types
from hoosh.errors import ConfigError

__all__ = ["GROUP", "last_line", "made", "types"]


def made(provider: str, kind: str, target: str, options: str) -> Any:
    """The engine of `provider`: of kind `python` the class `module:Class`, of kind `entry` what a package offers.

    Args:
        provider: the provider's name, for the words of errors.
        kind: `python` or `entry`.
        target: where it is, or the entry point's name.
        options: JSON, an object: the keyword arguments.

    Raises:
        ConfigError: it is not there, cannot be imported or made, or takes other options.

    """
    where = f"provider `{provider}`"
    maker = imported(where, target) if kind == "python" else _offered(where, target)
    given: Mapping[str, Any] = json.loads(options)
    if inspect.iscoroutinefunction(maker):
        if given:
            raise ConfigError(f"{where}: `{target}` is a coroutine function, which takes no options")
        return maker
    if not callable(maker):
        raise ConfigError(
            f"{where}: `{target}` is {type(maker).__name__}, and no class or function that makes an engine"
        )
    _check_options(where, target, maker, given)
    try:
        engine = maker(**given)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.message}") from error
    except Exception as error:
        raise ConfigError(f"{where}: `{target}` could not be made: {last_line(error)}") from error
    if inspect.isawaitable(engine):
        raise ConfigError(f"{where}: `{target}` gives an awaitable, and no engine; it is not made by `async` code")
    return engine


def last_line(error: BaseException) -> str:
    """What a traceback ends with, in one line, and where: the last place that is not the standard library's."""
    words = "".join(traceback.format_exception_only(error)).strip().splitlines()
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) or not frames:
        return " ".join(line.strip() for line in words)
    library = os.path.dirname(os.__file__)
    theirs = [
        frame for frame in frames if frame.filename.startswith((library, "<")) and "-packages" not in frame.filename
    ]
    own = [frame for frame in frames if frame not in theirs] or frames
    return f"{words[0]} ({os.path.basename(own[-1].filename)}, line {own[-1].lineno})"


def imported(where: str, target: str) -> Any:
    """What `target`, a module and an attribute of it, names; `where` begins what is said of a wrong one.

    Raises:
        ConfigError: it is not there, or cannot be imported.

    """
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute or ":" in attribute:
        raise ConfigError(f'{where}: write type = "python:module:Class", not "python:{target}"')
    module = _module(where, module_name)
    made: Any = module
    for name in attribute.split("."):
        if not hasattr(made, name):
            near = difflib.get_close_matches(name, [word for word in dir(made) if not word.startswith("_")], 1)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            raise ConfigError(f"{where}: module `{module_name}` ({_file(module)}) has no `{attribute}`{hint}")
        made = getattr(made, name)
    return made


def _module(where: str, name: str) -> Any:
    # A module beside the configuration is what a beginner has, and a console script does not look there. It comes last,
    # so that no file here takes the place of an installed package.
    if (here := os.getcwd()) not in sys.path and "" not in sys.path:
        sys.path.append(here)
        importlib.invalidate_caches()
    return _loaded(where, name, lambda: importlib.import_module(name))


def _offered(where: str, name: str) -> Any:
    points = list({point.value: point for point in entry_points(group=GROUP, name=name)}.values())
    if not points:
        words = f"no installed package offers the type `{name}` (entry point group {GROUP})"
        known = f"; those that do offer {', '.join(types())}" if types() else ""
        raise ConfigError(f"{where}: {words}{known}")
    if len(points) > 1:
        raise ConfigError(f"{where}: {' and '.join(map(_package, points))} both offer the type `{name}`; remove one")
    point = points[0]
    try:
        return _loaded(where, point.module, point.load)
    except AttributeError as error:
        words = f"the type `{name}` of {_package(point)} is not there: {error}"
        raise ConfigError(f"{where}: {words}") from error


def _loaded(where: str, name: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except ModuleNotFoundError as error:
        missing = error.name or name
        if missing == name or name.startswith(f"{missing}."):
            words = f"there is no module `{missing}`, neither installed for {sys.executable} nor in {os.getcwd()}"
        else:
            words = f"`{name}` needs the module `{missing}`, which is not installed"
        help_ = f"Install what has it: {sys.executable} -m pip install {missing.partition('.')[0].replace('_', '-')}"
        raise ConfigError(f"{where}: {words}. {help_}") from error
    except AttributeError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{where}: `{name}` cannot be imported: {last_line(error)}") from error


def _check_options(where: str, target: str, maker: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """The names of the options are those of its arguments.

    Raises:
        ConfigError: one is unknown, or missing.

    """
    try:
        known = inspect.signature(maker).parameters.values()
    except (TypeError, ValueError):  # written in another language, which says it itself
        return
    named = [one for one in known if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    takes = ", ".join(f"`{one.name}`" for one in named) or "none"
    open_ended = any(one.kind is one.VAR_KEYWORD for one in known)
    for name in options:
        if not open_ended and name not in {one.name for one in named}:
            near = difflib.get_close_matches(name, [one.name for one in named], 1)
            hint = f"; did you mean `{near[0]}`?" if near else f"; it takes {takes}"
            raise ConfigError(f"{where}: `{target}` does not know the option `{name}`{hint}")
    if missing := [one.name for one in named if one.default is one.empty and one.name not in options]:
        words = f"`{target}` needs the option `{missing[0]}`"
        raise ConfigError(f"{where}: {words}: write options = {{ {missing[0]} = ... }}")


def _file(module: Any) -> str:
    return getattr(module, "__file__", None) or "built in"


def _package(point: EntryPoint) -> str:
    return f"package {point.dist.name}" if point.dist is not None else f"`{point.value}`"
