"""Canonical cache keys: one key for all spellings of a request, and another for every other request."""

from typing import TYPE_CHECKING

from hoosh import _native

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["key"]


def key(body: "Buffer", tenant: str) -> str:
    r"""The key of the JSON object `body` for `tenant`: 64 hexadecimal digits, a BLAKE3 hash.

    Equal under the order of keys, white space, string escapes (`"\u0061"` is `"a"`) and the spelling of numbers (`1`,
    `1.0` and `10e-1`, compared as decimals of any size, never through floating point). Everything that can change an
    answer is part of it, known field or not; left out is what cannot: `stream`, `stream_options`, `user`,
    `safety_identifier`, `metadata`, `prompt_cache_key`, `prompt_cache_retention`, and `pool`. The reasons are in
    `native/core/src/cachekey.rs`. Different tenants never share a key, and no two pieces can run together: all carry
    their length.

    Args:
        body: the request as it was received, `bytes` or any buffer; a copy is made of what is not `bytes`.
        tenant: whom the answer belongs to, any text.

    Raises:
        InvalidRequest: not a JSON object in UTF-8; a key that occurs twice in one object (`param` names it), so that two
            readers could disagree on it; more than 128 containers within containers; a number whose exponent has more
            than 18 digits.

    """
    return _native.cache_key(body, tenant)
