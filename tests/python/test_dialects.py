"""All 25 pairs of dialects, through the real port: what a caller gets, what an upstream is asked, and what is said of the rest.

docs/matrix.md is made of this run; `make matrix` writes it anew.
"""

import os

import pytest
from tests.python.dialects import courses, faults
from tests.python.dialects.known import KNOWN
from tests.python.dialects.matrix import FILE, Observed, document, whole
from tests.python.dialects.scenarios import FEATURES
from tests.python.dialects.world import PAIRS, open_world

SCENARIOS = [*FEATURES, *courses.COURSES, *faults.COURSES]
ROWS = [scenario.row for scenario in SCENARIOS]
OBSERVED: Observed = {}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with open_world(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.mark.parametrize(("caller", "upstream"), PAIRS, ids=map(">".join, PAIRS))
@pytest.mark.parametrize("scenario", SCENARIOS, ids=ROWS)
def test_a_pair(request, world, scenario, caller, upstream):
    here = scenario.row, caller, upstream
    if here in KNOWN:
        request.applymarker(pytest.mark.xfail(strict=True, reason=KNOWN[here], raises=AssertionError))
        OBSERVED[here] = "fault"
    OBSERVED[here] = scenario.run(world, caller, upstream)


def test_the_matrix_is_what_was_observed():
    if not whole(OBSERVED, ROWS):
        pytest.skip("only some of it was run, or went well")
    observed = document(OBSERVED, ROWS)
    if os.environ.get("UPDATE_MATRIX"):
        FILE.write_text(observed)
    assert FILE.read_text() == observed, "what is observed is not what docs/matrix.md says: see `make matrix`"
