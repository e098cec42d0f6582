"""Leave of the core to ask an application, and what the application is told with it."""

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, NamedTuple

Headers = list[tuple[bytes, bytes]]

CALLER = b"hoosh-caller"
"""By which the edge says who asks; of a caller it is dropped."""
OF_CONNECTION = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"expect",
    )
)
"""Headers of one connection (RFC 9110 section 7.6.1), and what is answered before the application is asked (`expect`)."""
KEPT = frozenset((b"content-length", b"host"))
"""That no `Connection` header takes away."""


class Passage(NamedTuple):
    """Leave to ask the application below `mount`."""

    mount: str
    request_id: str
    key: str | None
    """The name of the caller's key, where one was asked for."""


def scope_of(
    scope: MutableMapping[str, Any], passage: Passage, root: str, shared: Mapping[str, Any]
) -> MutableMapping[str, Any]:
    """What the application sees of a request that came as `scope`.

    `root`: where the paths of the gateway begin; `shared`: the state of its lifespan.
    """
    mine = {"request_id": passage.request_id, "key": passage.key}
    headers = [(name, value) for name, value in end_to_end(scope["headers"]) if name not in (CALLER, b"x-request-id")]
    if passage.key is not None:
        headers = [(name, value) for name, value in headers if name != b"authorization"]
    extensions = {name: value for name, value in scope.get("extensions", {}).items() if not name.startswith("hoosh.")}
    return {
        **scope,
        "headers": [*headers, (b"x-request-id", passage.request_id.encode())],
        "root_path": root + passage.mount,
        "state": {**shared, "hoosh": mine},
        "extensions": extensions,
    }


def end_to_end(given: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Without those of one connection, and with names in lower case."""
    headers = [(bytes(name).lower(), bytes(value)) for name, value in given]
    named = {word.strip().lower() for name, value in headers if name == b"connection" for word in value.split(b",")}
    dropped = OF_CONNECTION | (named - KEPT)
    return [(name, value) for name, value in headers if name not in dropped]


def answered(given: Iterable[tuple[bytes, bytes]], request_id: str) -> Headers:
    """The headers of an application's answer as the caller gets them."""
    headers = end_to_end(given)
    if all(name != b"x-request-id" for name, _ in headers):
        headers.append((b"x-request-id", request_id.encode()))
    return headers
