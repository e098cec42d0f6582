"""docs/dependencies.md lists what the manifests name, and nothing else."""

import json
import re
import tomllib
from pathlib import Path

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
    lines += (ROOT / "tests" / "clients" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    lines += json.loads((ROOT / "tests" / "js" / "package.json").read_text(encoding="utf-8"))["dependencies"]
    return {re.split(r"[\[<>=!~; ]", line)[0] for line in lines}


def test_each_direct_dependency_has_its_line():
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert listed == crates() | packages()
