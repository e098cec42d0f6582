"""scripts/run_tests.py: which lines it counts, and that a failure cannot end as a success."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "run_tests.py"
spec = importlib.util.spec_from_file_location("run_tests", SCRIPT)
run_tests = importlib.util.module_from_spec(spec)
sys.modules["run_tests"] = run_tests
spec.loader.exec_module(run_tests)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s", (12, 0, 1)),
        ("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out", (3, 2, 0)),
        ("=================== 7 passed, 2 skipped in 1.20s ===================", (7, 0, 2)),
        ("===== 1 failed, 7 passed, 1 error, 1 xfailed, 3 warnings in 61.20s (0:01:01) =====", (7, 2, 1)),
        ("\x1b[32m===== \x1b[1m5 passed\x1b[0m\x1b[32m in 0.10s\x1b[0m =====", (5, 0, 0)),
        ("5 passed in 0.10s", (5, 0, 0)),
        ("the parser said that 5 passed in 0.10s", None),
        ("collected 5 items", None),
    ],
)
def test_closing_lines(line, expected):
    assert run_tests.counts(line) == expected


@pytest.mark.parametrize(
    ("recipes", "closing", "status"),
    [
        ({"a": "echo 5 passed in 0.10s", "b": "true"}, "6 passed, 0 failed", 0),
        ({"a": "echo 5 passed, 1 skipped in 0.10s", "b": "false"}, "5 passed, 1 failed, 1 skipped", 1),
        ({"a": "echo 5 passed in 0.10s; exit 139"}, "5 passed, 1 failed", 1),
        ({"a": "echo 1 failed, 5 passed in 0.10s; exit 1", "b": "echo 2 passed in 1.00s"}, "7 passed, 1 failed", 1),
        ({"a": "echo 1 failed in 0.10s"}, "0 passed, 1 failed", 1),
    ],
)
def test_the_last_line_adds_up_and_the_status_follows(tmp_path, recipes, closing, status):
    text = "".join(f".PHONY: {name}\n{name}:\n\t@{recipe}\n" for name, recipe in recipes.items())
    (tmp_path / "Makefile").write_text(text, encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    child = subprocess.run(
        [sys.executable, SCRIPT, *recipes],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert child.stdout.splitlines()[-1] == closing
    assert child.returncode == status
