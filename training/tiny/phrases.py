"""Reads text/*.toml: intents with their answers and questions, and the words and frames that questions are made of."""

import random
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

TEXT = Path(__file__).resolve().parent / "text"
CHOICE = re.compile(r"\(([^()]*\|[^()]*)\)")
SLOT = re.compile(r"\{([a-z]+)\}")
SYLLABLES = "ba be bi bo bu da de do fa fi go gru ka ki kla lo lu ma mi mo na ne nu pa po pli ra ri ro sa se si sto ta ti tu va wo xi za zo ".split()
ENDINGS = "k l m n p r s t x ng rt sh zz".split()


@dataclass
class Intent:
    """What one answer belongs to. `about` are noun phrases, `do` verb phrases, `ask` whole questions."""

    name: str
    answer: str
    about: list[str] = field(default_factory=list)
    do: list[str] = field(default_factory=list)
    ask: list[str] = field(default_factory=list)
    weight: float = 1.0
    plain: bool = False
    """Its questions are not made about hoosh by words such as `in hoosh`."""


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines() if line.strip()]


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(";") if word.strip()]


def _filled(text: str, row: dict[str, str]) -> str:
    """`text` with the values of a family's row; other slots stay."""
    for key, value in row.items():
        text = text.replace("{" + key + "}", value)
    return text


def _family(table: dict) -> list[Intent]:
    """One intent for each row. `{title}` is also said by the row's other names (`also`)."""
    made = []
    for row in table["rows"]:
        row = {"own": "", **row}
        title = row.get("title")
        variants = [row] + ([{**row, "title": row["also"]}] if "also" in row else [])

        def lines(kind: str, variants: list[dict[str, str]] = variants, table: dict = table) -> list[str]:
            return [line for one in variants for line in _lines(_filled(table.get(kind, ""), one))]

        made.append(
            Intent(_filled(table["name"], row), _filled(table["answer"], {**row, "title": title or ""}),
                   lines("about"), lines("do"), lines("ask"), table.get("weight", 1.0))
        )  # fmt: skip
    return made


class Text:
    """All that the generator knows."""

    def __init__(self, folder: Path = TEXT) -> None:
        tables = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.toml"))}
        self.slots = {name: _words(text) for name, text in tables.pop("words").items()}
        frames = tables.pop("frames")
        self.frames = {name: _lines(frames[name]) for name in ("about", "do", "before", "after", "within", "context")}
        self.fillers, self.dropped = _words(frames["fillers"]), set(_words(frames["dropped"]))
        self.names = {name.lower(): name for name in _words(frames["names"])}
        groups = [line.split() for line in _lines(frames["synonyms"])]
        self.synonyms: dict[str, list[str]] = {}
        for group in groups:
            for word in group:
                known = self.synonyms.setdefault(word, [])
                known += [other for other in group if other != word and other not in known]
        self.systems = _lines(tables.pop("systems")["prompts"])
        follows = tables.pop("dialogues")["follow"]
        self.follows = [(follow["after"], follow["then"], _lines(follow["ask"])) for follow in follows]
        more, weights = [tables.pop("more")["ask"], tables.pop("wider")["ask"]], tables.pop("weights")
        self.intents: dict[str, Intent] = {}
        for table in tables.values():
            made = [one for family in table.get("family", []) for one in _family(family)]
            for given in table.get("intent", []):
                lines = {kind: _lines(given.get(kind, "")) for kind in ("about", "do", "ask")}
                rest = {key: given[key] for key in ("weight", "plain") if key in given}
                made.append(Intent(given["name"], given["answer"], **lines, **rest))
            for one in made:
                if one.name in self.intents:
                    raise ValueError(f"two intents are called {one.name}")
                self.intents[one.name] = one
        for name, lines in (one for table in more for one in table.items()):
            self.intents[name].ask += _lines(lines)
        for name, weight in weights.items():
            self.intents[name].weight = weight

    def said(self, line: str, draw: random.Random) -> str:
        """`line` with one of each choice and a word in each slot."""
        while match := CHOICE.search(line):
            line = line[: match.start()] + draw.choice(match[1].split("|")) + line[match.end() :]
        line = SLOT.sub(lambda match: self._word(match[1], draw), line)
        return " ".join(line.split())

    def _word(self, slot: str, draw: random.Random) -> str:
        if slot == "number":
            return str(draw.choice((draw.randint(0, 20), draw.randint(2, 120), draw.randint(100, 9999))))
        if slot == "nonsense":
            return "".join(draw.choice(SYLLABLES) for _ in range(draw.randint(1, 3))) + draw.choice([*ENDINGS, ""])
        return draw.choice(self.slots[slot])
