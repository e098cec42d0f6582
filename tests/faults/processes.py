"""The processes that the table is put to: a fake upstream, and hoosh in front of it in either form."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).parents[2]
FORMS = ("hypercorn", "serve", "edge_off")
"""Plain hypercorn; `hoosh serve`; `hoosh serve --edge off`."""
START_SECONDS = 30


@dataclass
class Process:
    """A child that listens."""

    child: subprocess.Popen[bytes]
    url: str
    said: list[str] = field(default_factory=list)
    """Lines of its standard error."""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def stop(self, seconds: float = 15) -> int:
        """Ends it in order; its exit code."""
        self.child.terminate()
        return self.child.wait(seconds)


@dataclass
class Upstream(Process):
    """The fake upstream, asked from outside."""

    def requests(self) -> list[Any]:
        found: list[Any] = httpx2.get(f"{self.url}/v1/_fake/requests".replace("/v1", "")).json()["requests"]
        return found


@contextmanager
def upstream() -> Iterator[Upstream]:
    """A fake upstream of its own."""
    command = [sys.executable, "-m", "tests.upstream"]
    with _ended(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)) as child:
        assert child.stdout is not None
        yield Upstream(child, json.loads(child.stdout.readline())["url"])


@contextmanager
def gateway(form: str, file: Path, begins: Callable[[], None] | None = None) -> Iterator[Process]:
    """hoosh with the configuration in `file`. `begins` is called in the child before it becomes hoosh, which
    gets the descriptors that are opened there."""
    # Its store is beside it, and no other's.
    environment = os.environ | {"HOOSH_CONFIG": str(file), "XDG_DATA_HOME": str(file.parent), "HOME": str(file.parent)}
    command = {
        "hypercorn": ["-m", "hypercorn", "-k", "trio", "-b", "127.0.0.1:0", "hoosh.asgi:app"],
        "serve": ["-m", "hoosh", "serve", "--config", str(file), "--port", "0"],
        "edge_off": ["-m", "hoosh", "serve", "--config", str(file), "--port", "0", "--edge", "off"],
    }[form]
    command = [sys.executable, *command]
    begin = {"preexec_fn": begins, "close_fds": begins is None}
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, **begin)
    with _ended(child):
        assert child.stderr is not None
        said: list[str] = []
        for raw in child.stderr:
            said.append(raw.decode(errors="replace").rstrip())
            if found := re.search(r"(?:listening|Running) on (http://127\.0\.0\.1:\d+)", said[-1]):
                break
        else:
            raise AssertionError("it did not start: " + "\n".join(said))
        threading.Thread(target=lambda: said.extend(_last(child.stderr)), daemon=True).start()
        yield Process(child, found[1], said)


def _last(lines: Iterable[bytes]) -> Iterable[str]:
    """Read, so that no pipe fills; of many lines the log's are dropped."""
    return (line.decode(errors="replace").rstrip() for line in lines if not re.match(rb"\d{4}-\d\d-\d\dT", line))


@contextmanager
def _ended(child: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
