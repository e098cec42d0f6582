"""What the package promises as a whole: a cheap import, a true stub, one version."""

import ast
import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import hoosh
from hoosh import _native

ROOT = Path(__file__).parents[2]
HEAVY = {
    "anyio", "asyncio", "h11", "hypercorn", "httpcore2", "httpx2", "pydantic", "rich", "ssl", "starlette", "trio", "typer",
}  # fmt: skip


def test_importing_hoosh_loads_nothing_heavy():
    code = "import sys, hoosh, hoosh.errors; print(*{name.partition('.')[0] for name in sys.modules})"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(child.stdout.split())
    assert "hoosh" in loaded
    assert loaded & HEAVY == set()


def test_every_public_name_is_there():
    for name in hoosh.__all__:
        assert getattr(hoosh, name) is not None


def test_the_version_is_that_of_the_workspace():
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    assert hoosh.__version__ == manifest["workspace"]["package"]["version"]


def test_the_stub_says_what_the_extension_has():
    command = [sys.executable, "-m", "mypy.stubtest", "hoosh._native", "--mypy-config-file", "pyproject.toml"]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stdout + child.stderr


def test_the_stub_documents_what_the_extension_documents():
    """Editors show the stub's text and help() the extension's: they are one text."""

    def compare(node: ast.Module | ast.ClassDef, owner: object) -> int:
        compared = 0
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(child)):
                assert inspect.getdoc(getattr(owner, child.name)) == text, child.name
                compared += 1
            if isinstance(child, ast.ClassDef):
                compared += compare(child, getattr(owner, child.name))
        return compared

    stub = Path(hoosh.__file__).with_name("_native.pyi").read_text(encoding="utf-8")
    assert compare(ast.parse(stub), _native) > 0


def test_one_module_reads_the_environment():
    package = Path(hoosh.__file__).parent
    readers = [path for path in package.rglob("*.py") if "os.environ" in path.read_text(encoding="utf-8")]
    assert [path.name for path in readers] == ["_environment.py"]


def test_the_core_knows_no_socket_runtime_file_or_clock():
    banned = [
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "std::fs",
        "std::env",
        "Instant",
        "SystemTime",
        "tokio",
        "pyo3",
        "rand::",
    ]
    for path in (ROOT / "native" / "core" / "src").rglob("*.rs"):
        code = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("//")]
        assert not [word for word in banned for line in code if word in line], path
