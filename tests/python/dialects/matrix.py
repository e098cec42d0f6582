"""Writes down what was observed: docs/matrix.md."""

from pathlib import Path

from .world import CALLERS, FORM_PAIRS, FORMS, PAIRS, UPSTREAMS

FILE = Path(__file__).parents[3] / "docs" / "matrix.md"
HEAD = """# What survives between dialects

Made by `make matrix` from what was observed: a caller of each [dialect](dialects.md) asks a provider of each, through the port of
`hoosh serve`; the provider is a fake that reads requests by the types of its official SDK and refuses what the real one
refuses, and the caller reads answers by its own SDK's. `make test` fails where this table is no longer true. Where a
word is not `native`, the [loss report](dialects.md#the-loss-report) named it; a loss that it does not name fails the test, and is a `fault` here until it is mended.

| Word | Means |
| --- | --- |
| native | it arrived as it was meant, in the words of the other dialect |
| emulated, clamped, approximated | it arrived as the loss report says |
| dropped | it did not arrive, and the loss report says so |
| cut | told by cutting the connection, because the caller's dialect has no word for it |
| refused | the caller is told that it cannot be had there |
| – | the caller's dialect cannot ask for it, or the provider has none of it |
| fault | known to be wrong at present; the test that shows it is marked so (`tests/python/dialects/known.py`) |
"""
FIELDS = """
Other fields of a body, which to `{caller}` itself go as they are:

"""
OTHER_FORMS = """
## Callers in other forms

`completions` is `/v1/completions`, a prompt that is gone on from; `array` is `streamGenerateContent` without `alt=sse`, whose stream is one JSON array;
`generate` is `/api/generate`, a prompt without messages.
"""
Observed = dict[tuple[str, str, str], str]
"""By capability, caller and upstream."""


def whole(observed: Observed, rows: list[str], fields: list[tuple[str, str, str]]) -> bool:
    """Whether all of it was run."""
    return observed.keys() == {*((row, *pair) for row in rows for pair in PAIRS + FORM_PAIRS), *fields}


def _table(observed: Observed, rows: list[str], caller: str, upstreams: list[str]) -> str:
    text = "| To | " + " | ".join(f"`{upstream}`" for upstream in upstreams) + " |\n"
    text += "| --- |" + " --- |" * len(upstreams) + "\n"
    for row in rows:
        words = [observed[row, caller, upstream].replace("-", "–") for upstream in upstreams]
        if set(words) != {"–"}:
            text += f"| {row} | " + " | ".join(words) + " |\n"
    return text


def document(observed: Observed, rows: list[str]) -> str:
    """The tables, two for each caller: of capabilities, and of its other fields."""
    text = HEAD
    for caller in CALLERS:
        text += f"\n## Callers of `{caller}`\n\n" + _table(observed, rows, caller, list(UPSTREAMS))
        others = [upstream for upstream in UPSTREAMS if upstream != caller]
        named = list(dict.fromkeys(row for row, of, _ in observed if of == caller and row not in rows))
        text += FIELDS.format(caller=caller) + _table(observed, named, caller, others)
    text += OTHER_FORMS
    for form in FORMS:
        dialect, _, what = form.partition(", ")
        text += f"\n### `{dialect}`: {what}\n\n" + _table(observed, rows, form, list(UPSTREAMS))
    return text
