"""A caller of the Gemini API that does not ask for events: a stream is one array, whose elements come one by one."""

import json

from tests.upstream.mind import Asked

from . import gemini
from .reply import Reply

CANNOT = gemini.CANNOT
HEADERS = gemini.HEADERS
write, read, error = gemini.write, gemini.read, gemini.error


def path(asked: Asked) -> str:
    return gemini.path(asked).removesuffix("?alt=sse")


def read_stream(body: bytes) -> Reply:
    responses = json.loads(body)
    assert isinstance(responses, list)
    return gemini.read_responses(responses)
