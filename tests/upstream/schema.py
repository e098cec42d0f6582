"""A value that fits a simple JSON schema: enough for structured output and tool arguments."""

from typing import Any

_DEEPEST = 16


def fit(schema: Any, text: str, root: Any, depth: int = 0) -> Any:
    """The least interesting value that `schema` allows; strings say `text`. `root` resolves `#/...` references."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return text
    if reference := schema.get("$ref"):
        return fit(_resolve(reference, root), text, root, depth + 1)
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return fit(schema[choice][0], text, root, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return _of_kind(kind[0] if isinstance(kind, list) else kind, schema, text, root, depth)


def _of_kind(kind: str, schema: Any, text: str, root: Any, depth: int) -> Any:
    match kind:
        case "object":
            return {name: fit(inner, text, root, depth + 1) for name, inner in schema.get("properties", {}).items()}
        case "array":
            return [fit(schema.get("items", {}), text, root, depth + 1)] * max(schema.get("minItems", 1), 1)
        case "integer":
            return schema.get("minimum", 7)
        case "number":
            return schema.get("minimum", 1.5)
        case "boolean":
            return True
        case "null":
            return None
    return text[: schema.get("maxLength", len(text))]


def _resolve(reference: str, root: Any) -> Any:
    place = root
    for step in reference.removeprefix("#/").split("/"):
        place = place[step]
    return place


def resolved(schema: Any, root: Any = None) -> Any:
    """A schema of one piece: what it refers to stands where it is referred to."""
    root = schema if root is None else root
    if isinstance(schema, list):
        return [resolved(inner, root) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    if reference := schema.get("$ref"):
        return resolved(_resolve(reference, root), root)
    return {name: resolved(inner, root) for name, inner in schema.items() if name != "$defs"}
