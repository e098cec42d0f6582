"""What providers take, by the types of their newest official SDKs: a field that these do not know is refused.

The types say what may be sent and of which type it is; that is made a JSON schema which allows nothing else. Rules that
go beyond types (what must follow what, signatures) are each dialect's own.
"""

import functools
import typing
from collections.abc import Callable
from typing import Any

import jsonschema
import pydantic
import typing_extensions
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

Check = Callable[[Any], str | None]
"""What is wrong with a body, in words; None if nothing is."""


class _Schema(GenerateJsonSchema):
    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        return {"not": {}}  # a file of Python's, which no JSON holds


def _close(type_: Any, seen: set[Any]) -> None:
    """Has each typed dictionary below `type_` refuse what it does not name."""
    if not typing_extensions.is_typeddict(type_):
        for argument in typing.get_args(type_):
            _close(argument, seen)
    elif type_ not in seen:
        seen.add(type_)
        if not hasattr(type_, "__pydantic_config__"):
            type_.__pydantic_config__ = pydantic.ConfigDict(extra="forbid", arbitrary_types_allowed=True)
        for hint in typing_extensions.get_type_hints(type_, include_extras=True).values():
            _close(hint, seen)


@functools.cache
def check(type_: Any) -> Check:
    """Judges bodies by a typed dictionary of an SDK's."""
    _close(type_, set())
    schema = pydantic.TypeAdapter(type_).json_schema(schema_generator=_Schema)
    validator = jsonschema.Draft202012Validator(schema)

    def judge(body: Any) -> str | None:
        worst = jsonschema.exceptions.best_match(validator.iter_errors(body))
        return None if worst is None else f"{'.'.join(map(str, worst.absolute_path))}: {worst.message[:300]}"

    return judge
