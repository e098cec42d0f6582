"""What the gateway and a child write to each other: JSON objects, each after its length in four bytes."""

import json
import struct
from typing import Any

Message = dict[str, Any]

LENGTH = struct.Struct(">I")
LARGEST = 64 << 20
"""Bytes of one message; twice the largest body that a gateway takes unless it is told otherwise."""
TOO_LARGE = f"a message between hoosh and its engine has more than {LARGEST >> 20} MiB"


class BadFrame(Exception):
    """The other end does not keep to the protocol. Nothing that follows can be trusted."""


def frame(message: Message) -> bytes:
    """A message as it is written.

    Raises:
        TypeError: it holds what JSON does not.
        ValueError: it is too large.

    """
    # In ASCII, so that half of a surrogate pair gets through to whoever judges it.
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    if len(body) > LARGEST:
        raise ValueError(TOO_LARGE)
    return LENGTH.pack(len(body)) + body


class Frames:
    """Messages out of bytes as they come."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[tuple[Message, int]]:
        """The messages that are whole now, each with its size.

        Raises:
            BadFrame: these are none.

        """
        self._held += data
        messages: list[tuple[Message, int]] = []
        start = 0
        while len(self._held) - start >= LENGTH.size:
            (size,) = LENGTH.unpack_from(self._held, start)
            if size > LARGEST:
                raise BadFrame(TOO_LARGE)
            begin = start + LENGTH.size
            if len(self._held) < begin + size:
                break
            start = begin + size
            messages.append((_message(bytes(self._held[begin:start])), LENGTH.size + size))
        del self._held[:start]
        return messages


def _message(body: bytes) -> Message:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadFrame(f"a message is no JSON: {error}") from error
    if not isinstance(message, dict):
        raise BadFrame("a message is no JSON object")
    return message
