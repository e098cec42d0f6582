"""The same table before Anthropic's newest version of its API, which takes keys of bearers, and no sampling."""

import pytest
from tests.python.dialects import courses, faults
from tests.python.dialects.known import KNOWN
from tests.python.dialects.scenarios import FEATURES, run
from tests.python.dialects.world import CALLERS, open_world

NEWEST = "2026-10-21"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with open_world(tmp_path_factory.mktemp("world"), f'[dialects]\nanthropic_version = "{NEWEST}"\n') as world:
        yield world


# A caller of Anthropic's own names its version itself.
@pytest.mark.parametrize("caller", [caller for caller in CALLERS if caller != "anthropic"])
@pytest.mark.parametrize("scenario", [*FEATURES, *courses.COURSES, *faults.COURSES], ids=lambda scenario: scenario.row)
def test_a_caller(request, world, scenario, caller):
    here = scenario.row, caller, "anthropic"
    if here in KNOWN:
        request.applymarker(pytest.mark.xfail(strict=True, reason=KNOWN[here], raises=AssertionError))
    word = run(scenario, world, caller, "anthropic")
    assert word in ("dropped", "-") or scenario.row not in ("temperature", "`top_p`", "`top_k`")
    for asked in world.asked():
        assert asked.header("anthropic-version") == NEWEST
        assert (asked.header("authorization"), asked.header("x-api-key")) == ("Bearer sk-fake", None)
