"""`hoosh info`."""

import platform
import sys
from typing import TYPE_CHECKING

from hoosh import __version__
from hoosh.cli import options, output
from hoosh.cli.output import Complaint
from hoosh.errors import HooshError

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

    Versions, the file in force, where it would be served, and whether a server answers there.
    """
    from hoosh._environment import load
    from hoosh._environment import server as named
    from hoosh.cli.ask import address, run, running

    found, file = load(config)
    facts: dict[str, object] = {
        "version": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "configuration": None if file is None else str(file.absolute()),
        "providers": len(found.providers),
        "warnings": len(found.warnings),
    }
    url = named(server) or (address(found) if found.port else None)
    facts["address"] = url
    facts["server"] = None if url is None else run(_version, running(config, url, key))
    if as_json:
        output.put_json(facts)
        return 0
    none = {
        "configuration": "none: what is found",
        "address": "the system chooses the port",
        "server": "none answers there: start `hoosh serve`",
    }
    rows = [[name, none.get(name, "-") if value is None else str(value)] for name, value in facts.items()]
    output.put_table(["", ""], rows)
    return 0


async def _version(opening: "Server") -> str | None:
    """The version of the server that answers, if one does."""
    async with opening as asked:
        try:
            return str((await asked.get("/v1/health")).get("version"))
        except (Complaint, HooshError):
            return None
