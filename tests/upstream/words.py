"""Words and their count."""

import re


def words(text: str) -> list[str]:
    """The pieces that count as one token each: a word with the space before it."""
    return re.findall(r"\s*\S+|\s+$", text)


def sevens(text: str) -> list[str]:
    """Arguments as they are streamed: seven characters at a time."""
    return re.findall(r".{1,7}", text, re.DOTALL)
