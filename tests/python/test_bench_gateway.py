"""What the gateway's benchmarks make of numbers: benchmarks/gateway."""

import os
import socket
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs /proc")
GATEWAY = Path(__file__).parents[2] / "benchmarks" / "gateway"


@pytest.fixture(autouse=True)
def modules(monkeypatch):
    """The suite's modules by their own names, as run.py has them."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(GATEWAY.parent))
    monkeypatch.syspath_prepend(str(GATEWAY))
    yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(GATEWAY.parent)):
            del sys.modules[name]


def test_ratios_are_taken_within_rounds():
    import load

    rounds = lambda *rates: [load.Round(rate, 0, 1, 1, 0, {}) for rate in rates]  # noqa: E731
    # The machine is ten times slower in the second round, for both.
    assert load.ratio(rounds(50, 5, 60), rounds(100, 10, 100), lambda one: one.rate) == 0.5


def test_goals_say_whether_they_are_met():
    from table import Goal, Part, goals

    part = Part(
        "t",
        ["a"],
        [["1"]],
        [Goal("a", 0.7, 0.7, at_least=True), Goal("b", 1.5, 1.45, "µs"), Goal("c", float("nan"), 1)],
    )
    lines = goals([part]).splitlines()[2:]
    assert [line.split("|")[4].strip() for line in lines] == ["yes", "**no**", "not measured"]
    assert lines[1] == "| b | 1.50 µs | ≤ 1.45 µs | **no** |"


def test_each_policy_makes_a_configuration_that_hoosh_takes():
    import policies

    from hoosh._native import Config

    texts = [policies.bare(1), policies.every(1), policies.many(1, routes=3, keys=4, budgets=2, entries=5)]
    texts += [policies.alone(policy, 1) for policy in policies.ALONE]
    for text in texts:
        Config.parse(f"[server]\nthreads = 1\n{text}", {})


def test_stacks_are_folded_and_drawn():
    import flamegraph

    said = """edge-0
\t  10 std::write::h0123456789abcdef
\t  20 main<T>

edge-0
\t  10 std::write::h0123456789abcdef
\t  20 main<T>

edge-0
\t  30 poll
\t  20 main<T>
""".splitlines()
    stacks = flamegraph.fold(said)
    assert stacks == {("edge-0", "main<T>", "std::write"): 2, ("edge-0", "main<T>", "poll"): 1}
    titles = [
        title.text
        for title in ElementTree.fromstring(flamegraph.drawn(stacks, "a & b")).iter("{http://www.w3.org/2000/svg}title")
    ]
    assert titles[:3] == ["all: 3 samples, 100.0%", "edge-0: 3 samples, 100.0%", "main<T>: 3 samples, 100.0%"]
    assert "std::write: 2 samples, 66.7%" in titles


@needs_proc
def test_a_process_and_its_children_are_counted():
    import machine

    with subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); sum(range(10**7)); time.sleep(60)"], stdout=-1
    ) as child:
        child.stdout.readline()
        try:
            assert child.pid in machine.tree(os.getpid())
            assert machine.memory_mib([child.pid]) > 1
        finally:
            child.kill()
    assert machine.cpu_seconds([child.pid]) == 0, "who has ended counts for nothing"


@needs_proc
def test_who_listens_is_found():
    import machine

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        assert machine.listener(port) is None
        sock.listen()
        assert machine.listener(port) == os.getpid()
