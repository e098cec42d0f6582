"""`make bench-engines`: the same GGUF computed by Candle, as hoosh does by itself, and by llama.cpp, as its extra does.

Both read the same prompts and go on with as many tokens, with one sequence and with eight, in a process each that is bound to
the same cores. Rounds are in turn, so that what else the machine does falls on both; of each figure the median is told, and
of ratios the median of those within a round. Models of random weights stand in for real ones: the time does not depend on what
the weights say.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEMONSTRATION = ROOT / "python" / "hoosh" / "models" / "hoosh-tiny.gguf"
LINE = re.compile(r"(\d+) sequences: ([\d.]+) tokens/s read, ([\d.]+) tokens/s written")
FIGURES = ["1 read", "1 written", "8 read", "8 written", "MiB"]


@dataclass(frozen=True)
class Engine:
    """What computes, and its command for a model."""

    name: str
    command: list[str]
    environment: dict[str, str]


def measured(engine: Engine, model: Path, cores: str, sizes: list[str]) -> dict[str, float]:
    """Tokens a second, and the most memory that the process had."""
    command = ["taskset", "-c", cores, *engine.command]
    command[command.index("MODEL")] = str(model)
    read, write = os.pipe()
    with os.fdopen(read) as output:
        pid = os.posix_spawnp(
            command[0],
            [*command, *sizes],
            {**os.environ, **engine.environment},
            file_actions=[(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_DUP2, write, 2)],
        )
        os.close(write)
        told = output.read()
    _, status, used = os.wait4(pid, 0)
    if status != 0:
        raise RuntimeError(f"{engine.name} failed on {model}: {told}")
    figures = {"MiB": used.ru_maxrss / 1024}
    for sequences, reading, writing in LINE.findall(told):
        figures |= {f"{sequences} read": float(reading), f"{sequences} written": float(writing)}
    return figures


def models(folder: Path, random_model: str, kinds: list[str], shape: list[str]) -> dict[str, Path]:
    """hoosh-tiny, and a larger one of each kind of weights."""
    made = {"hoosh-tiny": DEMONSTRATION}
    for kind in kinds:
        made[f"{kind}, {shape[0]} wide, {shape[1]} layers"] = folder / f"{kind}.gguf"
        subprocess.run([random_model, folder / f"{kind}.gguf", "llama", kind, *shape], check=True)
    return made


def tell(name: str, rounds: dict[str, list[dict[str, float]]]) -> None:
    """Print the table of a model."""
    ours, theirs = rounds["Candle"], rounds["llama.cpp"]
    print(f"\n{name}\n{'':12}{'Candle':>12}{'llama.cpp':>12}{'ratio':>8}   ratios of the rounds")
    for figure in FIGURES:
        ratios = [one[figure] / other[figure] for one, other in zip(ours, theirs, strict=True)]
        mine, other = (statistics.median(row[figure] for row in rows) for rows in (ours, theirs))
        spread = " ".join(f"{ratio:.2f}" for ratio in sorted(ratios))
        print(f"{figure:12}{mine:12,.1f}{other:12,.1f}{statistics.median(ratios):8.2f}   {spread}", flush=True)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "examples", type=Path, help="folder of the examples `speed` and `random_model`, built as a release"
    )
    parser.add_argument("python", help="a Python with llama-cpp-python")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", default="1", help="as taskset has them; so many threads compute")
    parser.add_argument("--kinds", nargs="*", default=["q8_0", "q4k"], help="of weights, as `random_model` calls them")
    shape = "width, layers and vocabulary of the larger models; as given, some 150 million weights"
    parser.add_argument("--shape", nargs=3, default=["1024", "12", "8192"], help=shape)
    parser.add_argument("--sizes", nargs=2, default=["256", "64"], help="tokens of prompt and answer")
    given = parser.parse_args()
    threads = subprocess.run(
        ["taskset", "-c", given.cores, "nproc"], check=True, capture_output=True, text=True
    ).stdout.strip()
    script = str(ROOT / "tests" / "llamacpp" / "measure_decoder.py")
    engines = [
        Engine("Candle", [str(given.examples / "speed"), "MODEL"], {"CANDLE_NUM_THREADS": threads}),
        Engine("llama.cpp", [given.python, script, "MODEL", threads], {"PYTHONPATH": ""}),
    ]
    unit = "CPU time" if threads == "1" else "the clock"
    print(f"{threads} threads on cores {given.cores}, {given.rounds} rounds, tokens/s by {unit}")
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models(Path(folder), str(given.examples / "random_model"), given.kinds, given.shape).items():
            rounds = defaultdict(list)
            for number in range(given.rounds):
                for engine in engines if number % 2 == 0 else engines[::-1]:
                    rounds[engine.name].append(measured(engine, model, given.cores, given.sizes))
            tell(name, rounds)


if __name__ == "__main__":
    sys.exit(main())
