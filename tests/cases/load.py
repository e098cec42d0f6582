"""Reads `*.case` files, strictly: whatever is not understood is an error with its line."""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .pattern import CaseError, Pattern, decode

HERE = Path(__file__).parent
ENDS = ("keep", "close", "reset", "stall")
ROW_FIELDS = {
    "ending": str, "status": int, "attempts": int, "usage_source": str, "input_tokens": int, "output_tokens": int,
    "error": str, "terminator_added": bool, "stream": bool, "endpoint": str, "model": str, "provider": str,
    "budget": str, "key": str, "overrun": bool,
}  # fmt: skip

__all__ = ["Answer", "Case", "CaseError", "Exchange", "Request", "Script", "load_cases", "parse_case"]


@dataclass(frozen=True)
class Request:
    """What the caller sends. `content-length` and `host` are the sender's business."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class Script:
    """One answer of the upstream: its bytes, then `keep`, `close`, `reset` or `stall`."""

    raw: bytes
    end: str = "keep"


@dataclass(frozen=True)
class Sent:
    """What a request to the upstream must look like."""

    method: str
    target: str
    headers: tuple[tuple[str, Pattern], ...]
    body: Pattern


@dataclass(frozen=True)
class Answer:
    """What the caller must get."""

    status: int
    headers: tuple[tuple[str, Pattern], ...]
    body: Pattern

    def header(self, name: str) -> Pattern | None:
        """What is asked of a header."""
        return next((pattern for given, pattern in self.headers if given == name), None)


@dataclass(frozen=True)
class Exchange:
    """One request of a case. `row` is None where nothing may be booked."""

    request: Request
    expect: Answer
    row: dict[str, Any] | None


@dataclass(frozen=True)
class Case:
    """One file."""

    name: str
    about: str
    http_only: bool
    config: str
    upstream: tuple[Script, ...]
    exchanges: tuple[Exchange, ...]
    sent: tuple[Sent, ...] = field(default=())

    def config_for(self, upstream: str, refused: str) -> str:
        """The configuration with the fake's addresses in it."""
        return self.config.replace("$UPSTREAM", upstream).replace("$REFUSED", refused)


def load_cases(folder: Path = HERE) -> list[Case]:
    """Every case of the table, by name."""
    return [parse_case(path.stem, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.case"))]


@dataclass(frozen=True)
class _Section:
    word: str
    more: str
    line: int
    lines: list[str]

    def fail(self, message: str) -> CaseError:
        return CaseError(f"line {self.line} ({self.word}): {message}")

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def parse_case(name: str, text: str) -> Case:
    """One case from the text of its file."""
    try:
        return _case(name, _sections(text))
    except CaseError as error:
        raise CaseError(f"{name}.case: {error}") from error


def _sections(text: str) -> list[_Section]:
    sections: list[_Section] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("--- "):
            word, _, more = line.removeprefix("--- ").strip().partition(" ")
            sections.append(_Section(word, more, number, []))
        elif sections:
            sections[-1].lines.append(line)
        elif line.strip():
            raise CaseError(f"line {number}: text before the first section")
    return sections


def _case(name: str, sections: list[_Section]) -> Case:
    about = _only(sections, "about")
    config = _only(sections, "config")
    if about.more not in ("", "http"):
        raise about.fail(f"`http` or nothing, not {about.more!r}")
    for section in sections:
        if section.word not in ("about", "config", "request", "upstream", "sent", "expect", "row"):
            raise section.fail("no such section")
        if section.more and section.word not in ("about", "upstream"):
            raise section.fail(f"nothing stands after this word, not {section.more!r}")
    _toml(config)
    return Case(
        name=name,
        about=" ".join(about.text.split()),
        http_only=about.more == "http",
        config=config.text,
        upstream=tuple(_script(section) for section in sections if section.word == "upstream"),
        exchanges=tuple(_exchanges(sections)),
        sent=tuple(_sent(section) for section in sections if section.word == "sent"),
    )


def _only(sections: list[_Section], word: str) -> _Section:
    found = [section for section in sections if section.word == word]
    if len(found) != 1:
        raise CaseError(f"`--- {word}` must stand exactly once, not {len(found)} times")
    return found[0]


def _exchanges(sections: list[_Section]) -> list[Exchange]:
    triples = [section for section in sections if section.word in ("request", "expect", "row")]
    words = [section.word for section in triples]
    if not triples or words != ["request", "expect", "row"] * (len(triples) // 3):
        raise CaseError(
            f"request, expect and row must follow each other in this order, not {', '.join(words) or 'be missing'}"
        )
    return [
        Exchange(_request(triples[at]), _expect(triples[at + 1]), _row(triples[at + 2]))
        for at in range(0, len(triples), 3)
    ]


def _head_and_body(section: _Section) -> tuple[str, list[tuple[str, str]], str]:
    """First line, header lines, and the lines of the body joined."""
    lines = section.lines
    if not lines or not lines[0].strip():
        raise section.fail("the first line is missing")
    gap = lines.index("") if "" in lines else len(lines)
    headers = []
    for line in lines[1:gap]:
        name, colon, value = line.partition(":")
        if not colon or not re.fullmatch(r"[a-z0-9-]+", name):
            raise section.fail(f"not a header line with a name in lower case: {line!r}")
        headers.append((name, value.strip()))
    return lines[0], headers, "".join(lines[gap + 1 :])


def _request_line(section: _Section, line: str) -> tuple[str, str]:
    if not (match := re.fullmatch(r"([A-Z]+) (/\S*)", line)):
        raise section.fail(f"not a request line such as `POST /v1/chat/completions`: {line!r}")
    return match[1], match[2]


def _request(section: _Section) -> Request:
    line, headers, body = _head_and_body(section)
    method, target = _request_line(section, line)
    return Request(method, target, tuple(headers), decode(body))


def _script(section: _Section) -> Script:
    end = section.more or "keep"
    if end not in ENDS:
        raise section.fail(f"an answer ends with {', '.join(ENDS)}, not {end!r}")
    text = "".join(section.lines)
    raw = decode(text.replace("\\L", "\0"))
    if b"\0" in raw:
        head, found, body = raw.partition(b"\r\n\r\n")
        if not found or b"\0" in body:
            raise section.fail("\\L stands in a head that ends with \\r\\n\\r\\n")
        raw = head.replace(b"\0", str(len(body)).encode()) + found + body
    if not raw and end in ("keep", "close"):
        raise section.fail("an answer without bytes can only `reset` or `stall`")
    return Script(raw, end)


def _sent(section: _Section) -> Sent:
    line, headers, body = _head_and_body(section)
    method, target = _request_line(section, line)
    return Sent(method, target, tuple((name, Pattern(value)) for name, value in headers), Pattern(body))


def _expect(section: _Section) -> Answer:
    line, headers, body = _head_and_body(section)
    if not re.fullmatch(r"[1-5]\d\d", line):
        raise section.fail(f"not a status: {line!r}")
    return Answer(int(line), tuple((name, Pattern(value)) for name, value in headers), Pattern(body))


def _row(section: _Section) -> dict[str, Any] | None:
    if section.text.strip() == "none":
        return None
    row = _toml(section)
    for name, value in row.items():
        if name not in ROW_FIELDS:
            raise section.fail(f"no field of a row: {name}; there are {', '.join(ROW_FIELDS)}")
        if type(value) is not ROW_FIELDS[name]:
            raise section.fail(f"{name} is {ROW_FIELDS[name].__name__}, not {value!r}")
    if missing := {"ending", "status", "attempts"} - row.keys():
        raise section.fail(f"a row says at least ending, status and attempts; missing: {', '.join(sorted(missing))}")
    return row


def _toml(section: _Section) -> dict[str, Any]:
    try:
        return tomllib.loads(section.text)
    except tomllib.TOMLDecodeError as error:
        raise section.fail(f"not TOML: {error}") from error
