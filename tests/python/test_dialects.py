"""All 25 pairs of dialects, through the real port: what a caller gets, what an upstream is asked, and what is said of the rest.

docs/matrix.md is made of this run; `make matrix` writes it anew.
"""

import json
import os
from pathlib import Path

import pytest
from tests.python.dialects import courses, faults, fields
from tests.python.dialects.known import KNOWN
from tests.python.dialects.matrix import FILE, Observed, document, whole
from tests.python.dialects.scenarios import FEATURES, run
from tests.python.dialects.world import CALLERS, FORM_PAIRS, PAIRS, UPSTREAMS

SCENARIOS = [*FEATURES, *courses.COURSES, *faults.COURSES]
ROWS = [scenario.row for scenario in SCENARIOS]
OTHERS = [
    (caller, upstream, field)
    for caller in CALLERS
    for upstream in fields.others(caller)
    for field in fields.FIELDS[caller]
]
PLACES = [(f"`{field.place}`", caller, upstream) for caller, upstream, field in OTHERS]
OBSERVED: Observed = {}


@pytest.fixture
def observe(request):
    """Writes down what a test saw; what is known to be wrong must go wrong."""

    def run(here, work):
        if here in KNOWN:
            request.applymarker(pytest.mark.xfail(strict=True, reason=KNOWN[here], raises=AssertionError))
            OBSERVED[here] = "fault"
        OBSERVED[here] = work()

    return run


@pytest.mark.parametrize(("caller", "upstream"), PAIRS + FORM_PAIRS, ids=map(">".join, PAIRS + FORM_PAIRS))
@pytest.mark.parametrize("scenario", SCENARIOS, ids=ROWS)
def test_a_pair(observe, world, scenario, caller, upstream):
    observe((scenario.row, caller, upstream), lambda: run(scenario, world, caller, upstream))


@pytest.mark.parametrize(("caller", "upstream", "field"), OTHERS, ids=[f"{f.place}-{c}>{u}" for c, u, f in OTHERS])
def test_a_field_is_told_or_named(observe, world, caller, upstream, field):
    observe((f"`{field.place}`", caller, upstream), lambda: fields.run(world, caller, upstream, field))


@pytest.mark.parametrize("caller", fields.FIELDS)
def test_each_field_of_the_sdk_is_asked_for(caller):
    asked = {part for field in fields.FIELDS[caller] for part in (field.name, field.place.split(".")[0])}
    assert fields.OF_THE_SDK[caller] <= asked | fields.ELSEWHERE[caller]


@pytest.mark.parametrize(
    "table", [CALLERS, UPSTREAMS, faults.BEGUN, fields.FIELDS, fields.ELSEWHERE, fields.OF_THE_SDK]
)
def test_each_dialect_is_asked_and_asks(table):
    schema = json.loads((Path(__file__).parents[2] / "docs" / "hoosh.schema.json").read_text())
    word, _ = schema["properties"]["providers"]["items"]["properties"]["dialect"]["anyOf"]
    assert set(table) == set(word["enum"])


def test_what_is_known_to_be_wrong_is_among_what_is_asked():
    assert KNOWN.keys() <= {*((row, *pair) for row in ROWS for pair in PAIRS + FORM_PAIRS), *PLACES}


def test_the_matrix_is_what_was_observed():
    if not whole(OBSERVED, ROWS, PLACES):
        pytest.skip("only some of it was run, or went well")
    observed = document(OBSERVED, ROWS)
    if os.environ.get("UPDATE_MATRIX"):
        FILE.write_text(observed)
    assert FILE.read_text() == observed, "what is observed is not what docs/matrix.md says: see `make matrix`"
