"""What both of OpenAI's dialects have in common: keys, types, strict schemas, pictures as data URLs."""

import base64
import json
import re
from typing import Any

from .answers import Refusal
from .forms import Form
from .mind import Image, Json
from .params import check

_DATA_URL = re.compile(r"data:(?P<type>[\w.+/-]+);base64,(?P<data>.*)", re.DOTALL)


def request_of(headers: dict[str, str], body: bytes, form: Form) -> Json:
    """The body of a request with a key."""
    if not headers.get("authorization", "").startswith("Bearer "):
        raise Refusal(401, "You didn't provide an API key.", None, form=form)
    try:
        request = json.loads(body)
    except ValueError:
        raise Refusal(400, "We could not parse the JSON body of your request.", form=form) from None
    if not isinstance(request, dict):
        raise Refusal(400, "The body of your request is not a JSON object.", form=form)
    return request


def typed(type_: Any, request: Json, form: Form) -> None:
    """Refuses what the SDK's type does not allow."""
    if wrong := check(type_)(request):
        place, _, words = wrong.partition(": ")
        code = "unknown_parameter" if "were unexpected" in words else "invalid_type"
        raise Refusal(400, f"Invalid value: {words}", code, place or None, form)


def strict(schema: Any, place: str, form: Form) -> None:
    """https://platform.openai.com/docs/guides/structured-outputs: closed, and all of it required."""
    if isinstance(schema, list):
        for inner in schema:
            strict(inner, place, form)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object":
        words = f"Invalid schema for {place}: "
        if schema.get("additionalProperties") is not False:
            words += "'additionalProperties' is required to be supplied and to be false."
            raise Refusal(400, words, "invalid_json_schema", place, form)
        if set(schema.get("required", [])) != set(schema.get("properties", {})):
            words += "'required' is required to be supplied and to be an array including every key in properties."
            raise Refusal(400, words, "invalid_json_schema", place, form)
    for name, inner in schema.items():
        if name not in ("enum", "const", "default", "required"):
            strict(list(inner.values()) if name in ("properties", "$defs") else inner, place, form)


def picture(url: str, form: Form) -> Image:
    """A picture as its bytes; its address where it is only that."""
    found = _DATA_URL.fullmatch(url)
    if found is None:
        return Image("url", url.encode())
    try:
        return Image(found["type"], base64.b64decode(found["data"], validate=True))
    except ValueError:
        raise Refusal(400, "Invalid base64 image_url.", "invalid_image_format", form=form) from None
