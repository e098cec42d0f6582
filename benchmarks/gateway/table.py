"""Figures as Markdown, and which of them meet what they were to meet."""

import dataclasses
import math


@dataclasses.dataclass
class Goal:
    """One line of what the suite must show."""

    what: str
    figure: float
    target: float
    unit: str = ""
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.figure >= self.target if self.at_least else self.figure <= self.target

    def row(self) -> list[str]:
        sign = "≥" if self.at_least else "≤"
        met = "not measured" if math.isnan(self.figure) else "yes" if self.met else "**no**"
        return [self.what, number(self.figure, self.unit), f"{sign} {number(self.target, self.unit)}", met]


@dataclasses.dataclass
class Part:
    """What a part of the suite found."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    goals: list[Goal] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    figures: dict = dataclasses.field(default_factory=dict)  # for --json

    def markdown(self) -> str:
        text = f"### {self.title}\n\n{table(self.columns, self.rows)}"
        return text + "".join(f"\n{note}\n" for note in self.notes)


def table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def goals(parts: list[Part]) -> str:
    rows = [goal.row() for part in parts for goal in part.goals]
    return table(["What", "Figure", "Target", "Met"], rows) if rows else ""


def number(value: float, unit: str = "") -> str:
    if math.isnan(value):
        return "–"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}{' ' + unit if unit else ''}"
