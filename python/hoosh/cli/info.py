"""`hoosh info`."""

import platform
import sys
from typing import TYPE_CHECKING

from hoosh import __version__
from hoosh.cli import options, output
from hoosh.cli.output import Complaint
from hoosh.errors import ConfigError, HooshError

if TYPE_CHECKING:
    from hoosh.cli.client import Server

EXAMPLES = """
hoosh info
hoosh info --json
"""


def info(
    as_json: options.AsJson = False,
    config: options.Config = None,
    server: options.Server = None,
    key: options.Key = None,
) -> int:
    """Say what is here.

    Versions, the file in force, where it would be served, and whether a server answers there. It ends with 1 where the file
    is wrong.
    """
    from hoosh._environment import file_of, load
    from hoosh._environment import server as named
    from hoosh.cli.ask import address, run, running

    facts: dict[str, object] = {
        "version": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    file, url, wrong = file_of(config), named(server), None
    facts["configuration"] = None if file is None else str(file.absolute())
    try:
        found = load(config, secrets=False)[0]
    except ConfigError as error:
        wrong = error
        facts["error"] = {"message": error.message, "line": error.line}
    else:
        facts["providers"], facts["warnings"] = len(found.providers), len(found.warnings)
        url = url or (address(found) if found.port else None)
    if url is not None or wrong is None:
        facts["address"] = url
        facts["server"] = None if url is None else run(_version, running(config, url, key))
    _put(facts, as_json)
    if wrong is not None:
        raise wrong
    return 0


def _put(facts: dict[str, object], as_json: bool) -> None:
    if as_json:
        output.put_json(facts)
        return
    none = {
        "configuration": "none: what is found",
        "address": "the system chooses the port",
        "server": "no hoosh answers there: start `hoosh serve`",
    }
    facts.pop("error", None)  # it is told after them
    rows = [[name, none.get(name, "-") if value is None else str(value)] for name, value in facts.items()]
    output.put_table(["", ""], rows)


async def _version(opening: "Server") -> str | None:
    """The version of the server that answers, if one does."""
    async with opening as asked:
        try:
            return str((await asked.get("/v1/health")).get("version"))
        except (Complaint, HooshError):
            return None
