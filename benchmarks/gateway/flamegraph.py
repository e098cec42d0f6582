"""`make flamegraph`: where the CPU time of a loaded gateway goes, by `perf`, as an SVG that any browser shows.

    python benchmarks/gateway/flamegraph.py target/release/hoosh-load [--seconds 5] [--policy every|bare|…] [--out flamegraph.svg]

The width of a frame is its share of the samples; pointing at one names it. The stacks as text stand beside it, for `grep`.
"""

import argparse
import collections
import html
import re
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import machine
import policies
import servers
from load import Bench, key_header
from processes import need
from run import cores

WIDTH, ROW, LETTER = 1600, 17, 6.6
# Narrower frames are left out of the picture, not of the text.
NARROWEST = 0.3
# Bytes of stack that are kept of each sample, for unwinding without frame pointers.
STACK_BYTES = 16384


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path, help="hoosh-load")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--policy", default="every", choices=["every", "bare", *policies.ALONE])
    parser.add_argument("--stream", action="store_true", help="streams in place of whole answers")
    parser.add_argument("--out", type=Path, default=Path("flamegraph.svg"))
    given = parser.parse_args()
    need("perf", "taskset")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(given.program.resolve(), Path(folder), **cores())
        stacks = fold(recorded(bench, given))
    if not stacks:
        sys.exit("perf saw nothing")
    given.out.with_suffix(".folded").write_text("".join(f"{';'.join(s)} {n}\n" for s, n in sorted(stacks.items())))
    given.out.write_text(drawn(stacks, f"hoosh serve, {given.policy} policy, {machine.description()}"))
    print(f"{sum(stacks.values()):,} samples: {given.out}, {given.out.with_suffix('.folded')}")


def recorded(bench: Bench, given: argparse.Namespace) -> Iterable[str]:
    """What `perf script` says of a gateway under load."""
    upstream = servers.upstream(bench.program, bench.origin)
    config = {"every": policies.every, "bare": policies.bare}.get(given.policy)
    text = config(upstream.port) if config else policies.alone(given.policy, upstream.port)
    hoosh = servers.hoosh(bench.folder, bench.gateway, text, name="hoosh")
    if given.policy == "every" or policies.needs_key(given.policy):
        hoosh.headers = [key_header()]
    data = bench.folder / "perf.data"
    with servers.started(upstream, hoosh):
        bench.closed(hoosh, seconds=1)
        hoosh.look_again()
        # A clock in place of the processor's counters, which many virtual machines do not have.
        command = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "499", "--call-graph", f"dwarf,{STACK_BYTES}"]
        command += ["-o", str(data), "-p", ",".join(map(str, hoosh.pids))]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as perf:
            bench.closed(hoosh, *(["--stream"] if given.stream else []), seconds=given.seconds)
            perf.send_signal(2)
            said = perf.communicate()[1]
        if not data.exists():
            sys.exit(f"perf recorded nothing: {said}")
    # Names of inlined functions would take minutes to look up.
    command = ["perf", "script", "-i", str(data), "--no-inline", "-F", "comm,ip,sym"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def fold(lines: Iterable[str]) -> dict[tuple[str, ...], int]:
    """How often each stack was seen, outermost frame first, under the name of its thread."""
    stacks: dict[tuple[str, ...], int] = collections.Counter()
    for name, frames in _samples(lines):
        stacks[(name, *reversed(frames))] += 1
    return stacks


def _samples(lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    name, frames = "", []
    for line in [*lines, ""]:
        if not line.strip():
            if name:
                yield name, frames
            name, frames = "", []
        elif not line.startswith((" ", "\t")) or not name:
            name = line.strip()
        else:
            frames.append(_plain(line.strip().partition(" ")[2]))


def _plain(symbol: str) -> str:
    """A function's name without the hash that the compiler adds, and without what separates stacks."""
    return re.sub(r"::h[0-9a-f]{16}$", "", symbol).replace(";", ",") or "[unknown]"


def drawn(stacks: dict[tuple[str, ...], int], title: str) -> str:
    """The SVG: each frame over the one that called it, brothers in the order of their names."""
    total = sum(stacks.values())
    depth = max(map(len, stacks)) + 1
    height = (depth + 2) * ROW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="monospace" font-size="11">',
        f'<rect width="100%" height="100%" fill="#fff"/><text x="8" y="14">{html.escape(title)}</text>',
    ]
    tree = _tree(stacks)
    parts += _frames(tree, "all", total, total, 0.0, height - ROW)
    return "\n".join([*parts, "</svg>\n"])


def _tree(stacks: dict[tuple[str, ...], int]) -> dict:
    """Name → [samples, the same of what it called]."""
    root: dict = {}
    for stack, count in stacks.items():
        level = root
        for name in stack:
            node = level.setdefault(name, [0, {}])
            node[0] += count
            level = node[1]
    return root


def _frames(level: dict, name: str, count: int, total: int, x: float, y: float) -> Iterator[str]:
    width = count / total * WIDTH
    if width < NARROWEST:
        return
    # A colour of its own for each name, the same in every picture.
    hue = zlib.crc32(name.encode()) % 50
    words = html.escape(name)
    shown = html.escape(name[: max(int(width / LETTER) - 1, 0)])
    yield (
        f'<g><title>{words}: {count:,} samples, {count / total:.1%}</title><rect x="{x:.1f}" y="{y:.0f}" width="{width:.1f}" '
        f'height="{ROW - 1}" fill="hsl({hue},80%,65%)"/><text x="{x + 2:.1f}" y="{y + 12:.0f}">{shown}</text></g>'
    )
    for below, (its, calls) in sorted(level.items()):
        yield from _frames(calls, below, its, total, x, y - ROW)
        x += its / total * WIDTH


if __name__ == "__main__":
    main()
