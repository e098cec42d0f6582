"""Makes conversations out of text/: each seed makes the same ones.

Usage: build_text.py [--seed N] [--count N]      (prints them, one JSON object a line)
"""

import argparse
import json
import random
import re
from collections.abc import Iterator

from phrases import Intent, Text

Turn = tuple[str, str]
"""Who speaks (`system`, `user`, `assistant`) and what is said."""
WORD = re.compile(r"[a-z']{4,}")
ASKING = ("what", "how", "why", "when", "where", "who", "which", "can", "could", "is", "are", "do", "does", "will", "may", "should")
NEAR = {"a": "sq", "e": "wr", "i": "uo", "o": "ip", "n": "bm", "t": "ry", "s": "ad", "r": "et", "l": "k", "d": "sf", "u": "yi", "c": "xv"}


class Talk:
    """Draws conversations."""

    def __init__(self, text: Text, seed: int) -> None:
        self._text = text
        self._draw = random.Random(seed)
        self._intents = list(text.intents.values())
        self._weights = [one.weight for one in self._intents]

    def conversations(self) -> Iterator[list[Turn]]:
        """One after another, without end."""
        while True:
            yield self._conversation()

    def _conversation(self) -> list[Turn]:
        draw, turns = self._draw, []
        if draw.random() < 0.16:
            turns.append(("system", self._system()))
        kind = draw.random()
        if kind < 0.05:
            after, then, asked = draw.choice(self._text.follows)
            turns += self._turn(self._text.intents[draw.choice(after)])
            turns += [("user", self._worn(draw.choice(asked), plain=True)), ("assistant", self._text.intents[then].answer)]
        else:
            for _ in range(1 if kind > 0.08 else draw.choices((2, 3), (80, 20))[0]):
                turns += self._turn(self._any())
        return turns

    def _any(self) -> Intent:
        return self._draw.choices(self._intents, self._weights)[0]

    def _turn(self, intent: Intent) -> list[Turn]:
        return [("user", self.question(intent)), ("assistant", intent.answer)]

    def question(self, intent: Intent) -> str:
        """A question that the intent's answer belongs to."""
        said = self.bare(intent)
        if intent.name == "outside" and self._draw.random() < 0.06:
            said = ". ".join([said, *(self.bare(intent) for _ in range(self._draw.randint(1, 4)))])
        return self._worn(said, plain=intent.plain or intent.name == "outside", short=len(said.split()) < 3)

    def bare(self, intent: Intent) -> str:
        """The same as it stands in the text, without what people add and leave out."""
        draw = self._draw
        kinds = [(kind, share) for kind, share in (("ask", 5), ("do", 3), ("about", 3)) if getattr(intent, kind)]
        kind = draw.choices([kind for kind, _ in kinds], [share for _, share in kinds])[0]
        said = self._text.said(draw.choice(getattr(intent, kind)), draw)
        if kind != "ask":
            said = self._text.said(draw.choice(self._text.frames[kind]).replace("{x}", said), draw)
        return said

    def _worn(self, said: str, *, plain: bool, short: bool = False) -> str:
        """`said` as people say it: politely, tersely, hastily."""
        draw, frames = self._draw, self._text.frames
        said = self._other_words(said)
        if not plain and "hoosh" not in said and draw.random() < 0.12:
            said += " " + draw.choice(frames["within"])
        if not short and draw.random() < 0.1:
            said = self._terse(said)
        if not short and draw.random() < 0.08:
            words = said.split()
            words.insert(draw.randint(1, len(words)), draw.choice(self._text.fillers))
            said = " ".join(words)
        asking = said.startswith(ASKING)
        if draw.random() < 0.12:
            said = f"{draw.choice(frames['before'])} {said}"
        if draw.random() < 0.07:
            said = f"{said} {draw.choice(frames['after'])}".replace(" ,", ",").replace(" ?", "?")
        if not plain and draw.random() < 0.05:
            said = f"{draw.choice(frames['context'])} {said}"
        for _ in range(draw.choices((0, 1, 2), (89, 9, 2))[0]):
            said = self._typo(said)
        return self._pointed(self._cased(said), asking)

    def _other_words(self, said: str) -> str:
        draw = self._draw
        words: list[str] = []
        for word in said.split():
            # The words of a command stay: `hoosh check`, `make run`.
            others = None if words and words[-1] in ("hoosh", "make") else self._text.synonyms.get(word)
            words.append(draw.choice(others) if others and draw.random() < 0.18 else word)
        return " ".join(words)

    def _terse(self, said: str) -> str:
        kept = [word for word in said.split() if word not in self._text.dropped or self._draw.random() < 0.3]
        return " ".join(kept) if kept else said

    def _typo(self, said: str) -> str:
        """One slip in one longer word: left out, twice, turned round, or the key beside it."""
        draw = self._draw
        words = list(WORD.finditer(said))
        if not words:
            return said
        at = (match := draw.choice(words)).start() + draw.randint(1, len(match[0]) - 2)
        letter, rest = said[at], said[at + 1 :]
        kind = draw.randint(0, 3)
        if kind == 0:
            return said[:at] + rest
        if kind == 1:
            return said[:at] + letter * 2 + rest
        if kind == 2:
            return said[:at] + rest[:1] + letter + rest[1:]
        return said[:at] + draw.choice(NEAR.get(letter, letter)) + rest

    def _cased(self, said: str) -> str:
        draw = self._draw
        if draw.random() < 0.1:
            said = said.replace("'", "")
        style = draw.choices(("lower", "sentence", "plain", "upper", "title"), (42, 47, 8, 1, 2))[0]
        if style == "lower":
            return said.lower()
        if style == "upper":
            return said.upper()
        if style == "title":
            return said.title()
        if style == "plain":
            return said
        words = ["I" + word[1:] if word in ("i", "i'm", "i'd", "i've", "im") else word for word in said.split()]
        words = [self._text.names.get(word, word) for word in words]
        said = " ".join(words)
        return said if draw.random() < 0.06 else said[:1].upper() + said[1:]

    def _pointed(self, said: str, asking: bool) -> str:
        draw = self._draw
        if said.endswith(("?", "!", ".", ":", "=")):
            return said
        chance = draw.random()
        if asking:
            return said + ("?" if chance < 0.62 else "??" if chance < 0.64 else "." if chance < 0.66 else "")
        return said + ("." if chance < 0.25 else "?" if chance < 0.45 else "!" if chance < 0.5 else "")

    def _system(self) -> str:
        """What an operator may have said first. Sometimes long and about anything, because long prompts must not break."""
        draw = self._draw
        if draw.random() < 0.75:
            return " ".join(draw.choice(self._text.systems) for _ in range(draw.choices((1, 2, 3), (70, 20, 10))[0]))
        anything = self._text.intents["outside"].ask
        count = draw.choices((2, 5, 12), (72, 25, 3))[0]
        said = [self._text.said(draw.choice(anything), draw) for _ in range(count)]
        return " ".join(f"{one[:1].upper()}{one[1:]}." for one in said)


def main() -> None:
    """Print some."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--seed", type=int, default=1)
    wanted.add_argument("--count", type=int, default=20)
    given = wanted.parse_args()
    conversations = Talk(Text(), given.seed).conversations()
    for _ in range(given.count):
        print(json.dumps(next(conversations), ensure_ascii=False))


if __name__ == "__main__":
    main()
