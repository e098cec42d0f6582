"""`hoosh providers`."""

import json
from typing import Any

from hoosh.cli import options, output

Json = dict[str, Any]

EXAMPLES = """
hoosh providers                    a line for each type: name, dialect, address, key's variable, whether it is set,
                                   what else it offers, and the providers of that type here
hoosh providers | awk -F'\\t' '$5 == "set"'
hoosh providers --json
"""


def providers(as_json: options.AsJson = False, config: options.Config = None) -> int:
    """List the provider types that hoosh knows.

    And which of them are configured here; those of the configuration's own catalogue are among them. Nobody is asked, and no
    key is shown.
    """
    from hoosh._environment import is_set, load

    found = load(config, secrets=False)[0]
    told = json.loads(found.catalogue())["providers"]
    for kind in told:
        variable = kind["key_variable"]
        kind["key_set"] = None if variable is None else is_set(variable)
        kind["configured"] = [name for name, of, _ in found.providers if of == kind["name"]]
    if as_json:
        output.put_json(told)
    else:
        heads = ["TYPE", "DIALECT", "ADDRESS", "KEY", "IS", "ALSO OFFERS", "CONFIGURED AS"]
        output.put_table(heads, [_row(kind) for kind in told])
    return 0


def _row(kind: Json) -> list[str]:
    in_process = kind["dialect"] is None
    return [
        kind["name"],
        kind["dialect"] or "",
        kind["address"] or ("in this process" if in_process else "base_url"),
        kind["key_variable"] or "",
        {None: "", True: "set", False: "not set"}[kind["key_set"]],
        ", ".join(kind["services"]),
        ", ".join(kind["configured"]),
    ]
