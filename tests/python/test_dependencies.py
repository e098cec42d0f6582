"""docs/dependencies.md lists what the manifests name and nothing else; builds that share crates agree on their features."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def load(path: Path) -> dict:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def crates() -> set[str]:
    names = set()
    workspace = load(ROOT / "Cargo.toml")
    for data in [workspace, *(load(ROOT / member / "Cargo.toml") for member in workspace["workspace"]["members"])]:
        tables = [data, data.get("workspace", {}), *data.get("target", {}).values()]
        for table in tables:
            for kind in ("dependencies", "dev-dependencies", "build-dependencies"):
                names |= set(table.get(kind, {}))
    return {name for name in names if not name.startswith("hoosh")}


def packages() -> set[str]:
    data = load(ROOT / "pyproject.toml")
    lines = [*data["build-system"]["requires"], *data["project"]["dependencies"]]
    for extra in data["project"]["optional-dependencies"].values():
        lines += extra
    for file in (ROOT / "tests" / "clients").glob("requirements*.txt"):
        lines += file.read_text(encoding="utf-8").splitlines()
    names = {re.split(r"[\[<>=!~; ]", line)[0] for line in lines}
    for folder in ("js", "clients/js", "clients/cli"):
        names |= set(json.loads((ROOT / "tests" / folder / "package.json").read_text(encoding="utf-8"))["dependencies"])
    go = (ROOT / "tests" / "clients" / "go" / "go.mod").read_text(encoding="utf-8")
    return names | set(re.findall(r"^(?:require )?\s*(\S+) v[\d.]+$", go, re.MULTILINE))


def test_each_direct_dependency_has_its_line():
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert listed == crates() | packages()


def makefile(variable: str) -> list[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return re.search(rf"^{variable} := (.*)$", text, re.MULTILINE)[1].split()


def built(edges: str, *selection: str) -> set[str]:
    """Each crate with its features, as cargo would compile it for this selection of packages."""
    command = ["cargo", "tree", "--locked", "--prefix", "none", "--edges", edges, "--format", "{p} [{f}]", *selection]
    tree = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    crates = {line.removesuffix(" (*)") for line in tree.splitlines() if line}
    return {crate for crate in crates if not crate.startswith("hoosh-py ")}  # `test-engine` is of the extension alone


# Features that differ in one small crate have all that stand on it compiled again: minutes, and nobody notices.
@pytest.mark.skipif(not shutil.which("cargo"), reason="needs cargo")
@pytest.mark.parametrize(
    ("edges", "selection", "alone"),
    [
        pytest.param("normal,build", ["--package", "hoosh-py"], set(), id="the extension"),
        pytest.param("normal,build", makefile("CRATES"), set(), id="the simulator"),
        pytest.param(
            "normal,build,dev", [*makefile("CRATES"), "--features", "hoosh-core/shuttle"], {"hoosh-core"}, id="shuttle"
        ),
    ],
)
def test_each_crate_is_compiled_once_for_all_tests(edges, selection, alone):
    of_tests = built("normal,build,dev", *makefile("CRATES"))
    names = {crate.split()[0] + crate.split()[1] for crate in of_tests}
    again = {crate for crate in built(edges, *selection) - of_tests if crate.split()[0] + crate.split()[1] in names}
    assert {crate.split()[0] for crate in again} == alone, f"named with these features in native/py/Cargo.toml? {again}"
