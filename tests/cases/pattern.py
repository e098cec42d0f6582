r"""Bytes as the cases write them (`\r`, `\n`, `\t`, `\\`, `\xNN`), and patterns (`\*` for any bytes, `\!` for none)."""

import re
from dataclasses import dataclass

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.|$)", re.DOTALL)
_PLAIN = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}


class CaseError(ValueError):
    """A case file that says something that is not understood."""


def decode(text: str) -> bytes:
    """The bytes that `text` writes."""
    parts = tokens(text)
    if None in parts:
        raise CaseError(r"`\*` means something only in expect and sent")
    return b"".join(part for part in parts if part is not None)


def tokens(text: str) -> list[bytes | None]:
    r"""Bytes, and None for each `\*`."""
    out: list[bytes | None] = []
    at = 0
    for match in _ESCAPE.finditer(text):
        out.append(text[at : match.start()].encode())
        escape = match[1]
        if escape == "*":
            out.append(None)
        elif escape in _PLAIN:
            out.append(_PLAIN[escape])
        elif len(escape) == 3:
            out.append(bytes([int(escape[1:], 16)]))
        else:
            raise CaseError(rf"`\{escape}` is no escape; there are \r \n \t \\ \xNN")
        at = match.end()
    out.append(text[at:].encode())
    return out


@dataclass(frozen=True)
class Pattern:
    r"""What bytes must be: exactly the text, but for each `\*`. The text `\!` alone: that there are none."""

    text: str

    def __post_init__(self) -> None:
        if not self.absent:
            tokens(self.text)

    @property
    def absent(self) -> bool:
        r"""Whether it is `\!`."""
        return self.text == "\\!"

    def regex(self) -> re.Pattern[bytes]:
        """The same as a regular expression over bytes, to be matched whole."""
        parts = [b".*?" if part is None else re.escape(part) for part in tokens(self.text)]
        return re.compile(b"".join(parts), re.DOTALL)

    def matches(self, data: bytes | None) -> bool:
        """Whether `data` (None: absent) is as it must be."""
        if self.absent or data is None:
            return self.absent and data is None
        return self.regex().fullmatch(data) is not None

    def bytes(self) -> bytes:
        r"""The exact bytes of a pattern without `\*`."""
        return decode(self.text)
