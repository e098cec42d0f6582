"""Reading and changing the top-level fields of a JSON object without building a tree.

    body = b'{"model": "small", "n": 1.0, "messages": []}'
    fields = scan(body)
    body[fields["model"]]                                       # b'"small"'
    edit(body, {"model": b'"large"', "n": None, "user": b'"u"'}) # b'{"model": "large", "messages": [],"user":"u"}'

The text is checked once against RFC 8259, all of it. Nothing recurses, so that depth is a limit (128) and never a crash.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hoosh import _native

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["edit", "scan"]


def scan(body: "Buffer") -> "dict[str, slice[int, int, int]]":
    """Where the value of each top-level field is, in bytes, in the order of the text.

    Raises:
        InvalidRequest: not a JSON object in UTF-8; a top-level key that occurs twice (`param` names it); more than 128
            containers within containers. The message names the first wrong byte.

    """
    return _native.body_scan(body)


def edit(body: "Buffer", changes: "Mapping[str, Buffer | None]") -> bytes:
    """`body` with single top-level fields replaced, added at the end, or (None) removed; every other byte stays as it was.

    Args:
        body: a JSON object.
        changes: the new value of each field, as JSON text in UTF-8.

    Raises:
        InvalidRequest: as for `scan`; or a new value is not JSON (`param` names its field).

    """
    return _native.body_edit(body, list(changes.items()))
