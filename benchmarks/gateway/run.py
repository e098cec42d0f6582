"""`make bench-gateway`: what the gateway costs beside nginx and its peers. README.md here says how it is measured.

python benchmarks/gateway/run.py target/release/hoosh-load [--quick] [--only cpu,hits] [--peer name=url] [--json FILE]
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from subprocess import CalledProcessError

# The suite's own modules, and what all benchmarks share, wherever it is started.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import installed
import machine
from load import Bench
from parts import PARTS
from processes import need
from servers import NotReadyError
from table import goals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path, help="hoosh-load")
    parser.add_argument("--only", help=f"these parts, with commas between: {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: about three minutes")
    parser.add_argument("--poisson", action="store_true", help="latencies with gaps as between independent callers")
    parser.add_argument(
        "--peer", action="append", default=[], metavar="NAME=URL", help="another gateway that runs already"
    )
    parser.add_argument("--install", action="store_true", help="install LiteLLM and Portkey into .peers first")
    parser.add_argument("--json", type=Path, help="write every round to this file")
    given = parser.parse_args()
    wanted = given.only.split(",") if given.only else list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: {', '.join(PARTS)}")
    need("nginx", "taskset", "chrt")
    if given.install and "peers" in wanted:
        installed.install()
    print(f"{machine.description()}\n")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(
            given.program.resolve(),
            Path(folder),
            **cores(),
            quick=given.quick,
            counters=machine.counts_instructions(),
            poisson=given.poisson,
            peers=given.peer,
        )
        machine.raise_file_limit(1 << 16)
        found, failed = {}, []
        for name in wanted:
            print(f"{name} ...", file=sys.stderr, flush=True)
            try:
                found[name] = PARTS[name](bench)
                print(found[name].markdown(), flush=True)
            except (NotReadyError, CalledProcessError) as error:
                # The other parts are worth the time that they took.
                failed.append(name)
                print(f"### {name}\n\nNot measured: {error}\n", flush=True)
    print(goals(list(found.values())))
    print(f"{(time.monotonic() - began) / 60:.1f} minutes.")
    if given.json:
        given.json.write_text(json.dumps({name: part.figures for name, part in found.items()}))
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


def cores() -> dict[str, list[int]]:
    """The gateway has one to itself; load and upstream share another, unless there are enough for each."""
    there = sorted(os.sched_getaffinity(0))
    if len(there) < 2:
        sys.exit("two cores are needed: one for the gateway, one for what asks it")
    if len(there) < 4:
        return {"gateway": there[:1], "pair": there[:2], "caller": there[1:2], "origin": there[1:2]}
    return {"gateway": there[:1], "pair": there[:2], "caller": there[2:3], "origin": there[3:4]}


if __name__ == "__main__":
    main()
