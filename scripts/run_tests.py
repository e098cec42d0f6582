"""Runs make targets one after another, lets their output through, and closes with one line that adds up their counts.

Usage: run_tests.py TARGET...      (`make test` calls it; MAKE names the make to use)

A target whose output has closing lines of cargo test, pytest or the simulator adds what they counted; any other target (lints, a
simulator run, a header comparison) counts as one test. All targets run even after one has failed, so that one run
shows everything there is to mend. Exits 1 if anything failed.
"""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass

_CARGO = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored")
_PYTEST = re.compile(r"^(?:=+ )?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s(?: \([\d:]+\))?(?: =+)?$")
_SIMULATOR = re.compile(r"^(\d+) passed, (\d+) failed$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_WORDS = {"passed": 0, "xpassed": 0, "failed": 1, "error": 1, "errors": 1, "skipped": 2, "xfailed": 2}


@dataclass
class Tally:
    """Tests by how they ended; `ignored` of cargo and `xfailed` of pytest are skipped ones."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, passed: int, failed: int, skipped: int) -> None:
        """Adds counts."""
        self.passed += passed
        self.failed += failed
        self.skipped += skipped


def counts(line: str) -> tuple[int, int, int] | None:
    """What a runner's closing line says as (passed, failed, skipped); None for any other line."""
    line = _COLOUR.sub("", line).strip()
    if match := _CARGO.match(line):
        return int(match[1]), int(match[2]), int(match[3])
    if match := _SIMULATOR.match(line):
        return int(match[1]), int(match[2]), 0
    if match := _PYTEST.match(line):
        found = [0, 0, 0]
        for part in match[1].split(", "):
            number, word = part.split()
            if word in _WORDS:
                found[_WORDS[word]] += int(number)
        return found[0], found[1], found[2]
    return None


def run(command: list[str]) -> tuple[int, Tally, bool]:
    """Runs `command` with its output passed on; its exit status, its counts, and whether it printed any."""
    tally, counted = Tally(), False
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            if found := counts(line):
                tally.add(*found)
                counted = True
    return child.returncode, tally, counted


def main(targets: list[str]) -> int:
    """Runs all targets and prints the sum; 0 if nothing failed."""
    make = os.environ.get("MAKE", "make")
    total, broken = Tally(), list[str]()
    for target in targets:
        print(f"\n--- make {target}", flush=True)
        began = time.monotonic()
        status, tally, counted = run([make, "--no-print-directory", target])
        if not counted:
            tally.add(status == 0, status != 0, 0)
        elif status != 0 and tally.failed == 0:
            tally.add(0, 1, 0)  # such as a crash before the runner could count
        if status != 0 or tally.failed:
            broken.append(target)
        total.add(tally.passed, tally.failed, tally.skipped)
        print(f"--- make {target}: {'failed' if target in broken else 'passed'} in {time.monotonic() - began:.0f} s")
    print()
    if broken:
        print("To see one failure again: " + "; ".join(f"make {target}" for target in broken))
    print(f"{total.passed} passed, {total.failed} failed" + (f", {total.skipped} skipped" if total.skipped else ""))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
