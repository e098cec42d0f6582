"""Writes python/hoosh/_keys.py: the keys of each table of the configuration as types, from the core's own table.

Usage: keys.py      (`make keys` calls it; a test compares what is committed)
"""

from pathlib import Path

from hoosh._native import config_keys

FILE = Path(__file__).resolve().parent.parent / "python" / "hoosh" / "_keys.py"
HEAD = '''"""The keys of the configuration as types, for editors and type checkers. Written by scripts/keys.py: `make keys`."""

from collections.abc import Mapping, Sequence
from typing import Literal, Required, TypedDict
'''
TYPES = {
    "text": "str",
    "secret": "str",
    "credential": "str | CredentialKeys",
    "boolean": "bool",
    "integer": "int",
    "texts": "Sequence[str]",
    "credentials": "Sequence[str | CredentialKeys]",
    "table": "Mapping[str, object]",
    "named": "Mapping[str, str]",
    "decimal": "str | int | float",
    "tables": "Sequence[str | Mapping[str, object]]",
}


def name(header: str) -> str:
    """The class of a table: `[[auth.tokens]]` is `TokenKeys`, and that of a credential `CredentialKeys`.

    Where two tables end alike, the whole path names the inner one: `[[catalogue.providers]]` is `CatalogueProviderKeys`.
    """
    path = header.strip("[]").removeprefix("a ")
    last = path.rpartition(".")[2]
    alone = "." not in path or sum(known.strip("[]").rpartition(".")[2] == last for known, _ in config_keys()) < 2
    words = (last if alone else path).replace(".", "_").split("_")
    if header.startswith("[["):
        words[-1] = {"aliases": "alias"}.get(words[-1], words[-1].removesuffix("s"))
    return "".join(word.title() for word in words) + "Keys"


def table_of_its_own(header: str, key: str) -> str:
    """The type of a key whose tables are described below: one, or as many as one likes."""
    inner = f"{header.strip('[]')}.{key}".removeprefix(".") if header.startswith("[") else key
    many = any(known == f"[[{inner}]]" for known, _ in config_keys())
    return f'Sequence["{name(f"[[{inner}]]")}"]' if many else f'"{name(inner)}"'


def text() -> str:
    """The whole module."""
    parts = [HEAD]
    for header, keys in config_keys():
        table = f"`{header}`" if header.startswith("[") else header
        parts.append(f'\n\nclass {name(header)}(TypedDict, total=False):\n    """Keys of {table}."""\n')
        for key, kind, words, required, default, about in keys:
            listed = ", ".join(f'"{word}"' for word in words)
            of = f"Literal[{listed}]" if kind == "word" else TYPES.get(kind) or table_of_its_own(header, key)
            of = f"Required[{of}]" if required else of
            told = about if required else f"{about} Left out: {default}."
            parts.append(f'\n    {key}: {of}\n    """{told}"""\n')
    return "".join(parts)


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
