"""tests/cases: one table of requests, upstream bytes, caller bytes and ledger rows, put to all four drivers."""

import os

import pytest
import trio
from tests.cases import check_row, check_sent, load_cases
from tests.cases.drivers import DRIVERS

CASES = load_cases()
RUNS = [
    pytest.param(case, driver, split, id=f"{case.name}-{driver}" + ("-split" if split else ""))
    for case in CASES
    for driver in DRIVERS
    # Whole, and in pieces that cut lines, escapes and characters.
    for split in (None, 7)
    if not (case.http_only and driver.startswith("in_process")) and not (split and not case.upstream)
]


def test_the_table_is_long_enough_to_judge_by():
    assert len(CASES) >= 40
    assert len({case.about for case in CASES}) == len(CASES)


SLOWER = 20 if "HOOSH_C_WRAPPER" in os.environ else 1
"""Under valgrind loading a vocabulary alone takes many seconds."""


@pytest.mark.parametrize(("case", "driver", "split"), RUNS)
async def test_case(case, driver, split, upstream, tmp_path):
    for script in case.upstream:
        upstream.plan(raw=script.raw, raw_end=script.end, split=split)
    wrong = []
    config = case.config_for(upstream.url, upstream.refused_url)
    with trio.fail_after(60 * SLOWER):
        async with DRIVERS[driver](config, tmp_path) as running:
            for exchange in case.exchanges:
                booked = len(running.rows())
                wrong += await running.ask(exchange.request, exchange.expect)
                if exchange.row is not None:
                    await more_rows(running, booked)
                rows = running.rows()[booked:]
                wrong += check_row(exchange.row, rows[0] if rows else None)
    wrong += check_sent(case, upstream.requests, as_json=driver.startswith("in_process"))
    assert not wrong, f"{case.about}\n" + "\n".join(wrong)


async def more_rows(running, booked):
    """Rows are stored in the background; one that never comes is told by the comparison."""
    with trio.move_on_after(5 * SLOWER):
        while len(running.rows()) == booked:
            await trio.sleep(0.005)
