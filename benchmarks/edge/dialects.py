"""What it costs the edge to go from one dialect to another: requests/s of each pair beside the caller's own dialect.

    python benchmarks/edge/dialects.py target/release/bench-edge [--rounds 5] [--seconds 3] [--callers openai_chat,anthropic]

Two cores, as in run.py: bench-edge has core 0 to itself, the static upstreams and wrk share core 1. Rounds in turn.
"""

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from edge.run import STATIC, hoosh, nginx
from processes import HERE, Round, free_port, load, medians, need

TARGET = 0.60
SAYS = "Because air scatters blue light more than red."

# A whole answer of each dialect, as its provider writes it.
ANSWERS = {
    "openai_chat": json.loads((HERE / "answer.json").read_text()),
    "openai_responses": {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000000,
        "status": "completed",
        "model": "small-chat-1",
        "output": [
            {
                "id": "msg_1",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": SAYS, "annotations": []}],
            }
        ],
        "usage": {"input_tokens": 70, "output_tokens": 9, "total_tokens": 79},
    },
    "anthropic": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "small-chat-1",
        "content": [{"type": "text", "text": SAYS}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 70, "output_tokens": 9},
    },
    "gemini": {
        "candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [{"text": SAYS}]}}],
        "usageMetadata": {"promptTokenCount": 70, "candidatesTokenCount": 9, "totalTokenCount": 79},
        "modelVersion": "small-chat-1",
    },
    "ollama": {
        "model": "small-chat-1",
        "created_at": "2026-01-01T00:00:00Z",
        "message": {"role": "assistant", "content": SAYS},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 70,
        "eval_count": 9,
    },
}
# Where a caller of each asks.
PATHS = {
    "openai_chat": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/small-chat-1:generateContent",
    "ollama": "/api/chat",
}


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=3)
    arguments.add_argument("--connections", type=int, default=64)
    arguments.add_argument("--callers", default=",".join(PATHS))
    given = arguments.parse_args()
    need("nginx", "wrk", "taskset")
    with contextlib.ExitStack() as stack:
        upstreams = {dialect: free_port() for dialect in ANSWERS}
        servers = [STATIC.format(port=upstreams[name], answer=json.dumps(ANSWERS[name])) for name in ANSWERS]
        nginx(stack, upstreams["ollama"], "\n".join(servers), core=1)
        edges = {}
        for dialect, upstream in upstreams.items():
            port = free_port()
            edges[dialect] = port, hoosh(stack, given.binary, port, upstream, core=0, dialect=dialect)
        callers = given.callers.split(",")
        seen: dict[tuple[str, str], list[Round]] = {(a, b): [] for a in callers for b in edges}
        for number in range(given.rounds + 1):
            for caller, upstream in seen:
                port, pid = edges[upstream]
                url = f"http://127.0.0.1:{port}{PATHS[caller]}"
                os.environ["LOAD_DIALECT"] = caller  # load.lua reads it
                one = load(pid, url, core=1, connections=given.connections, seconds=given.seconds if number else 1)
                if number:  # the first one warms up
                    seen[caller, upstream].append(one)
    found = {pair: medians(rounds) for pair, rounds in seen.items()}
    print(f"{'caller':<18}{'upstream':<18}{'requests/s':>12}{'CPU µs each':>14}{'of same':>9}{'failed':>8}")
    for (caller, upstream), one in found.items():
        ratio = one.rate / found[caller, caller].rate
        print(f"{caller:<18}{upstream:<18}{one.rate:>12,.0f}{one.cpu_us:>14.2f}{ratio:>9.2f}{one.failed:>8}")
    worst = min(one.rate / found[caller, caller].rate for (caller, _), one in found.items())
    print(f"least ratio {worst:.2f} (target {TARGET:.2f})")


if __name__ == "__main__":
    main()
