"""docs/http.md lists what the core has: codes, metrics and columns of the ledger. The Makefile's targets are explained."""

import re
from pathlib import Path

import httpx2
import trio
from tests.python.conftest import provider, serving

from hoosh import _native

ROOT = Path(__file__).parents[2]
CHAT = {"model": "fake-chat", "messages": [{"role": "user", "content": "Say hello"}]}


def table(section: str) -> list[list[str]]:
    """The cells of each row below a heading of docs/http.md, head and rule left out."""
    text = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
    part = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in re.findall(r"^\|.*", part, re.MULTILINE)]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_each_code_has_its_line():
    listed = [(*words(code), int(status[:3]), *words(kind), fault) for code, status, kind, fault, _ in table("Errors")]
    assert sorted(listed) == sorted(_native.error_codes())


async def test_each_metric_and_column_has_its_line(upstream):
    # With a budget, a cache and a mount, so that their gauges are shown; counters of several labels are once something happened.
    mounted = '[[server.mounts]]\npath = "/tools"\napp = "tests.python.mounted_apps:plain"\n'
    config = (
        mounted + provider(upstream) + '[[budgets]]\nname = "default"\ncapacity = 100_000\n[cache]\nenabled = true\n'
    )
    async with serving(config) as (url, app), httpx2.AsyncClient(base_url=url) as http:
        assert (await http.post("/v1/chat/completions", json=CHAT)).status_code == 200
        page = (await http.get("/metrics")).text
        with trio.fail_after(10):
            while not (rows := app.driver.store.rows()):
                await trio.sleep(0.01)
    assert [words(column) for column, _ in table("The ledger")] == [[column] for column in rows[0]]

    listed = {words(name)[0]: (kind, set(words(labels))) for name, kind, labels, _ in table("Metrics")}
    assert listed == {
        name: (kind, labels_of(name, page)) for name, kind in re.findall(r"^# TYPE (\S+) (\S+)", page, re.MULTILINE)
    }


async def test_each_capability_has_its_line():
    config = '[[providers]]\ntype = "ollama"\nmodels = ["m"]\n'
    async with serving(config) as (url, _), httpx2.AsyncClient(base_url=url) as http:
        [told] = (await http.get("/v1/providers")).json()["providers"]
    [model] = told["models"]
    rows = [words(row[0])[0] for row in table("Capabilities") if words(row[0])]
    assert rows == ["configured", "probed", "catalogue", "unknown", *list(model)[1:]]


def labels_of(name: str, page: str) -> set[str]:
    """Labels of its first series; a histogram's bounds are its form."""
    series = re.search(rf"^{name}(?:_sum)?(?:\{{(.*)\}})? \S+$", page, re.MULTILINE)
    return set(re.findall(r'(\w+)="', series[1] or ""))


def test_each_target_of_the_makefile_is_explained():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = " ".join(re.findall(r"^(?:\.PHONY|TESTS) ?:=? (.*)", makefile, re.MULTILINE)).split()
    told = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))
    targets = [target for target in targets if target != "$(TESTS)"]
    assert [target for target in targets if not re.search(rf"(make |`){target}(?![\w-])", told)] == []
