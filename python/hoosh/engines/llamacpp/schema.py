"""A grammar of a JSON schema, by llama-cpp-python's converter, for schemas of which it leaves nothing out.

The converter passes over words that it does not know, and over some that it does where they stand beside others; an answer
to such a schema could break it. It also fetches a `$ref` to another host. So it is only given what this module knows it to keep.
"""

import json
from typing import Any

from hoosh.engines.refused import Refused

NOTES = frozenset(
    [
        "title",
        "description",
        "default",
        "examples",
        "$schema",
        "$id",
        "$comment",
        "$defs",
        "definitions",
        "deprecated",
        "readOnly",
        "writeOnly",
        "format",
    ]
)
"""What says nothing about which values there may be; `format` as the specification has it unless it is asked otherwise."""
KEPT: dict[str, tuple[frozenset[str], str | None]] = {
    "$ref": (frozenset(), None),
    "anyOf": (frozenset(), None),
    "const": (frozenset({"type"}), None),
    "enum": (frozenset({"type"}), None),
    "properties": (frozenset({"type", "required", "additionalProperties"}), "object"),
    "prefixItems": (frozenset({"type"}), "array"),
    "items": (frozenset({"type", "minItems", "maxItems"}), "array"),
}
"""Words that make the rule of a schema, in the converter's order: what else it keeps beside each, and with which type alone.

`pattern` is not among them: what its dot makes may hold a quote, which would end the string.
"""
KEPT_BY_TYPE: dict[str, frozenset[str]] = {
    "string": frozenset({"minLength", "maxLength"}),
    "object": frozenset({"additionalProperties"}),
    "array": frozenset(),
    "integer": frozenset(),
    "number": frozenset(),
    "boolean": frozenset(),
    "null": frozenset(),
}
"""The same of a schema that has a type alone."""
MOST_REPEATED = 2000
"""llama.cpp takes no grammar that repeats something more often."""
DEEPEST = 64


class _Cannot(Exception):
    """What the converter would leave out."""


def checked(schema: object, field: str = "response_format") -> dict[str, Any]:
    """The schema as the converter keeps all of it; it is in `field` of a request.

    Raises:
        Refused: it would not.

    """
    try:
        made = _checked(schema, 0)
        _refs(made, made)
    except _Cannot as cannot:
        words = f"'{field}' has a schema with {cannot}, which this engine cannot hold an answer to."
        raise Refused(400, words, code="unsupported_value", param=field) from None
    return made


def _checked(schema: object, depth: int) -> dict[str, Any]:
    if not isinstance(schema, dict):
        raise _Cannot("a schema that is true or false" if isinstance(schema, bool) else "a schema that is no object")
    if depth > DEEPEST:
        raise _Cannot(f"schemas within each other more than {DEEPEST} deep")
    made = dict(schema)
    if "properties" in made and made.get("additionalProperties") not in (None, False):
        # Properties that may be there need not: an answer without them is as valid.
        del made["additionalProperties"]
    _alone(made)
    for name in ("$defs", "definitions", "properties"):
        if isinstance(inner := made.get(name), dict):
            made[name] = {key: _checked(one, depth + 1) for key, one in inner.items()}
        elif name in made:
            raise _Cannot(f"`{name}` that is no object")
    for name in ("anyOf", "prefixItems"):
        if name in made:
            if not isinstance(made[name], list) or not made[name]:
                raise _Cannot(f"`{name}` that is no list, or an empty one")
            made[name] = [_checked(one, depth + 1) for one in made[name]]
    for name in ("items", "additionalProperties"):
        if isinstance(made.get(name), dict):
            made[name] = _checked(made[name], depth + 1)
    return made


def _alone(schema: dict[str, Any]) -> None:
    """Every word of it is kept where it stands."""
    if schema.get("prefixItems") is not None and schema.get("items") is False:
        del schema["items"]  # there are no more in any case
    words, kind = set(schema) - NOTES, schema.get("type")
    maker = next((word for word in KEPT if word in words), None)
    kept, only = KEPT[maker] if maker is not None else (frozenset[str](), None)
    if isinstance(kind, list):  # of which a schema each is made, without the words beside it
        types, kept = kind, frozenset({"type"})
    else:
        types = [] if kind is None else [kind]
        kept |= {"type" if maker is None else maker}
        if maker is None and isinstance(kind, str):
            kept |= KEPT_BY_TYPE.get(kind, frozenset())
    if not all(isinstance(one, str) and one in KEPT_BY_TYPE and only in (None, one) for one in types):
        raise _Cannot(f"a `type` that does not fit: {json.dumps(kind)[:80]}")
    if left := sorted(words - kept):
        raise _Cannot(f"`{left[0]}`" + (f" beside `{maker}`" if maker is not None else ""))
    if maker == "properties" and not set(schema.get("required", ())) <= set(schema["properties"]):
        raise _Cannot("`required` of what is not in `properties`")
    if maker == "items" and not isinstance(schema["items"], dict):
        raise _Cannot("`items` that is no object")
    for name in ("minLength", "maxLength", "minItems", "maxItems"):
        if name in schema and (type(schema[name]) is not int or not 0 <= schema[name] <= MOST_REPEATED):
            raise _Cannot(f"`{name}` that is no number up to {MOST_REPEATED}")


def _refs(node: object, root: dict[str, Any]) -> None:
    """Every `$ref` is to a definition here, which the converter names by the last part alone."""
    if isinstance(node, list):
        for one in node:
            _refs(one, root)
    elif isinstance(node, dict):
        if "$ref" in node:
            target: Any = root
            ref = node["$ref"]
            if not isinstance(ref, str) or not ref.startswith(("#/$defs/", "#/definitions/")) or ref.count("/") != 2:
                raise _Cannot(f"`$ref` to anything but `$defs`: {json.dumps(ref)[:80]}")
            for part in ref[2:].split("/"):
                target = target.get(part) if isinstance(target, dict) else None
            if target is None:
                raise _Cannot(f"`$ref` to what is not there: {ref[:80]}")
        for name, one in node.items():
            if name not in ("const", "enum", "default", "examples"):
                _refs(one, root)
