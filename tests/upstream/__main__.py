"""`python -m tests.upstream --port 0`: prints `{"port": N, "url": "http://..."}` on one line, then serves until ended.

From outside, plans are queued with `POST /_fake/plan` (a JSON object of the fields of `Plan`), and
`GET /_fake/requests` tells what was asked since the last `POST /_fake/forget`, and how many connections stand;
`POST /_fake/release` has those answer that a plan holds back.
"""

import argparse
import contextlib
import json
import signal

import trio

from .server import open_upstream


async def _serve(port: int, key: str | None, models: list[str] | None) -> None:
    async with open_upstream(port=port, key=key, models=models) as upstream:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            print(json.dumps({"port": upstream.port, "url": upstream.url}), flush=True)
            async for _ in signals:
                return


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.upstream", description="A fake OpenAI upstream.")
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose (default)")
    parser.add_argument("--key", help="the only bearer key that is accepted; default: any or none")
    parser.add_argument("--model", action="append", help="a model that it serves; may be repeated")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        trio.run(_serve, options.port, options.key, options.model)


if __name__ == "__main__":
    main()
