"""`hypercorn -k trio hoosh.asgi:app`, every policy on, against a naive hypercorn + httpx relay, rounds in turn.

    .venv/bin/python benchmarks/python/run.py [--rounds 7] [--seconds 5] [--connections 32]

Each server is one process on core 0; the static upstream and wrk share core 1. Then calls of `hoosh.Gateway` in one process on
core 0, with `transport="python"` and with `"native"`, policies and upstream as above.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "relay"))
import run as relay
from processes import HERE, Round, free_port, load, medians, need, running

TARGET = 1.3


def hypercorn(stack: contextlib.ExitStack, app: str, port: int, folder: str, environment: dict[str, str]) -> int:
    python = Path(folder, "hypercorn.toml")
    python.write_text("keep_alive_max_requests = 1000000000\n")
    command = [sys.executable, "-m", "hypercorn", "-k", "trio", "-w", "0", "-c", str(python)]
    command += ["-b", f"127.0.0.1:{port}", "--log-level", "error", app]
    more = {"cwd": folder, "env": os.environ | {"PYTHONPATH": str(HERE / "python")} | environment}
    return stack.enter_context(running(command, core=0, port=port, **more)).pid


def inside(folder: str, transport: str, seconds: float, tasks: int) -> Round:
    """Calls in process, as many as go into the time."""
    config = Path(folder, "hoosh.toml")
    command = ["taskset", "-c", "0", sys.executable, str(HERE / "python" / "inside.py"), str(config), transport]
    out = subprocess.run([*command, f"{seconds:g}", str(tasks)], capture_output=True, text=True, check=True).stdout
    seen = json.loads(out)
    return Round(seen["rate"], seen["cpu_us"], 0)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--seconds", type=float, default=5)
    arguments.add_argument("--connections", type=int, default=32)
    given = arguments.parse_args()
    need("nginx", "wrk", "taskset")
    with contextlib.ExitStack() as stack:
        upstream, ports = free_port(), {"naive": free_port(), "hoosh": free_port()}
        relay.nginx(stack, upstream, relay.STATIC.format(port=upstream, answer=relay.ANSWER), core=1)
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        text = (HERE / "every-policy.toml").read_text()
        # The application reads hoosh.toml in its working directory.
        Path(folder, "hoosh.toml").write_text(text.replace("127.0.0.1:18080", f"127.0.0.1:{upstream}"))
        environment = {"UPSTREAM": f"http://127.0.0.1:{upstream}"}
        pids = {
            "naive": hypercorn(stack, "naive:app", ports["naive"], folder, environment),
            "hoosh": hypercorn(stack, "hoosh.asgi:app", ports["hoosh"], folder, environment),
        }
        rounds: dict[str, list[Round]] = {name: [] for name in pids}
        for number in range(given.rounds + 1):
            for name, pid in pids.items():
                url = f"http://127.0.0.1:{ports[name]}/v1/chat/completions"
                seen = load(pid, url, core=1, connections=given.connections, seconds=given.seconds if number else 2)
                if number:  # the first one warms up
                    rounds[name].append(seen)
        calls: dict[str, list[Round]] = {"python": [], "native": []}
        for _ in range(given.rounds):
            for transport, seen_calls in calls.items():
                seen_calls.append(inside(folder, transport, given.seconds, given.connections))
    found = {name: medians(seen) for name, seen in rounds.items()}
    print(f"{'':<14}{'requests/s':>12}{'CPU µs each':>14}{'failed':>8}")
    for name, seen in found.items():
        print(f"{name:<14}{seen.rate:>12,.0f}{seen.cpu_us:>14.0f}{seen.failed:>8}")
    print(f"ratio by requests/s {found['hoosh'].rate / found['naive'].rate:.2f} (target {TARGET:.2f})")
    print(f"{'in process':<14}{'calls/s':>12}{'CPU µs each':>14}")
    each = {}
    for transport, seen_calls in calls.items():
        each[transport] = statistics.median(seen.cpu_us for seen in seen_calls)
        rate = statistics.median(seen.rate for seen in seen_calls)
        print(f"{transport:<14}{rate:>12,.0f}{each[transport]:>14.0f}")
    print(f"ratio by CPU time {each['native'] / each['python']:.2f}")


if __name__ == "__main__":
    main()
