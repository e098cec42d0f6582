"""`hoosh config schema`."""

from hoosh.cli import output

EXAMPLES = """
hoosh config schema > hoosh.schema.json
echo '#:schema ./hoosh.schema.json'        as the first line of hoosh.toml: editors complete and check it then
"""


def schema() -> int:
    """Print the JSON Schema of hoosh.toml, for editors."""
    from hoosh._native import config_schema

    output.put(config_schema())
    return 0
