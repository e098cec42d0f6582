"""bench-edge, with every policy on, against nginx as a bare proxy: same core, same upstream, rounds in turn.

    python benchmarks/edge/run.py target/release/bench-edge [--rounds 7] [--seconds 4] [--connections 64]

Two cores: the one under test has core 0 to itself, the static upstream and wrk share core 1.
"""

import argparse
import contextlib
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from processes import HERE, Round, free_port, load, medians, need, running

ANSWER = (HERE / "answer.json").read_text()
TARGET = 0.70

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error crit;
events {{ worker_connections 4096; multi_accept on; }}
http {{
  access_log off; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 1h;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  {servers}
}}
"""
STATIC = """server {{ listen 127.0.0.1:{port} reuseport;
  location / {{ default_type application/json; return 200 '{answer}'; }} }}"""
PROXY = """upstream static {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port} reuseport; location / {{ proxy_pass http://static; proxy_http_version 1.1;
  proxy_set_header Connection ""; }} }}"""


def nginx(stack: contextlib.ExitStack, port: int, servers: str, core: int) -> int:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    file = Path(folder, "nginx.conf")
    file.write_text(NGINX.format(folder=folder, servers=servers))
    command = ["nginx", "-p", folder, "-e", f"{folder}/error", "-c", str(file)]
    return stack.enter_context(running(command, core=core, port=port)).pid


def hoosh(
    stack: contextlib.ExitStack, binary: str, port: int, upstream: int, core: int, dialect: str = "openai_chat"
) -> int:
    file = Path(stack.enter_context(tempfile.TemporaryDirectory()), "hoosh.toml")
    policies = (HERE / "every-policy.toml").read_text().replace("127.0.0.1:18080", f"127.0.0.1:{upstream}")
    file.write_text(policies.replace("[[providers]]", f'[[providers]]\ndialect = "{dialect}"'))
    command = [binary, "--config", str(file), "--port", str(port)]
    return stack.enter_context(running(command, core=core, port=port)).pid


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary")
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--seconds", type=float, default=4)
    arguments.add_argument("--connections", type=int, default=64)
    arguments.add_argument("--json", help="write the figures to this file")
    given = arguments.parse_args()
    need("nginx", "wrk", "taskset")
    with contextlib.ExitStack() as stack:
        upstream, ports = free_port(), {"nginx": free_port(), "bench-edge": free_port()}
        nginx(stack, upstream, STATIC.format(port=upstream, answer=ANSWER), core=1)
        pids = {
            "nginx": nginx(stack, ports["nginx"], PROXY.format(port=ports["nginx"], upstream=upstream), core=0),
            "bench-edge": hoosh(stack, given.binary, ports["bench-edge"], upstream, core=0),
        }
        rounds: dict[str, list[Round]] = {name: [] for name in pids}
        for number in range(given.rounds + 1):
            for name, pid in pids.items():
                url = f"http://127.0.0.1:{ports[name]}/v1/chat/completions"
                seen = load(pid, url, core=1, connections=given.connections, seconds=given.seconds if number else 1)
                if number:  # the first one warms up
                    rounds[name].append(seen)
    found = {name: medians(seen) for name, seen in rounds.items()}
    print(f"{'':<14}{'requests/s':>12}{'CPU µs each':>14}{'failed':>8}")
    for name, seen in found.items():
        print(f"{name:<14}{seen.rate:>12,.0f}{seen.cpu_us:>14.2f}{seen.failed:>8}")
    ratio = found["bench-edge"].rate / found["nginx"].rate
    cpu = found["nginx"].cpu_us / found["bench-edge"].cpu_us
    print(f"ratio by requests/s {ratio:.2f}, by CPU time {cpu:.2f} (target {TARGET:.2f})")
    if given.json:
        Path(given.json).write_text(json.dumps({name: vars(seen) for name, seen in found.items()}))


if __name__ == "__main__":
    main()
