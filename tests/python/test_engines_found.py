"""Engines that a configuration names: imported, made, kept over reloads, closed; and what is said where that fails."""

import json
import os
import subprocess
import sys
import textwrap

import pytest
import trio
from tests.python.conftest import serving
from tests.python.engines import MESSAGES, ONCE

import hoosh
from hoosh import Config, errors
from hoosh._driver import engines as registry
from hoosh.engines import found

MODULE = """
import hoosh.engines

MADE = []

class Echo:
    def __init__(self, greeting="Hello", *, times=1):
        self.greeting, self.times, self.closed = greeting, times, 0
        MADE.append(self)

    def chat(self, request):
        yield f"{self.greeting} " * self.times

    def close(self):
        self.closed += 1

class Strict:
    def __init__(self, path):
        pass

    def chat(self, request):
        return "yes"

class Open(Echo):
    def __init__(self, **options):
        super().__init__(str(sorted(options.items())))

class Outer:
    class Inner(Echo):
        pass

class Broken:
    def __init__(self):
        raise ValueError("the weights are cut off")

class Fileless:
    def __init__(self):
        import pathlib

        pathlib.Path("nowhere/at/all").read_text()

class Particular:
    def __init__(self):
        raise hoosh.errors.ConfigError("write a better path")

class Empty:
    pass

async def later():
    return Echo()

async def low_level(call):
    await call.text("low")
    await call.finish()

def factory(greeting):
    return Echo(greeting)

NUMBER = 5
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module `my_models` that nobody installed, in a working directory of its own."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_models.py").write_text(MODULE)
    (tmp_path / "my_broken.py").write_text("import my_models\n\nraise OSError('no device')\n")
    (tmp_path / "my_exit.py").write_text("import sys\nsys.exit(3)\n")
    (tmp_path / "my_syntax.py").write_text("def f(:\n")
    (tmp_path / "my_needy.py").write_text("import numpypy.linalg\n")
    yield lambda: sys.modules["my_models"]
    for name in ("my_models", "my_broken", "my_exit", "my_syntax", "my_needy", "acme_hoosh"):
        sys.modules.pop(name, None)


def made(target, kind="python", **options):
    return found.made("mine", kind, target, json.dumps(options))


def text_of(target, **options):
    written = "".join(f"{name} = {json.dumps(value)}, " for name, value in options.items()).rstrip(", ")
    return f'{ONCE}[[providers]]\nname = "mine"\ntype = "{target}"\noptions = {{ {written} }}\n'


async def said(gateway):
    answer = await gateway.chat(model="mine/m", messages=MESSAGES)
    return answer["choices"][0]["message"]["content"]


# --- what is made ------------------------------------------------------------------------------------------------------


def test_a_class_a_nested_one_a_factory_and_a_function_are_made(module):
    assert made("my_models:Echo", times=2).times == 2
    assert type(made("my_models:Outer.Inner")).__qualname__ == "Outer.Inner"
    assert made("my_models:factory", greeting="Hi").greeting == "Hi"
    assert made("my_models:Open", a=1, b=[2]).greeting == "[('a', 1), ('b', [2])]"
    assert made("my_models:low_level") is module().low_level


WRONG = {
    "no_module": ("my_modles:Echo", {}, r"there is no module `my_modles`, neither installed for .* nor in "),
    "no_submodule": ("my_models.more:Echo", {}, "there is no module `my_models.more`|cannot be imported"),
    "install": ("my_modles:Echo", {}, r"-m pip install my-modles$"),
    "needy": (
        "my_needy:Echo",
        {},
        "`my_needy` needs the module `numpypy`, which is not installed. .* install numpypy$",
    ),
    "broken": ("my_broken:Echo", {}, r"`my_broken` cannot be imported: OSError: no device \(my_broken.py, line 3\)"),
    "exits": ("my_exit:Echo", {}, "`my_exit` cannot be imported: SystemExit: 3"),
    "syntax": ("my_syntax:Echo", {}, "`my_syntax` cannot be imported: .*SyntaxError"),
    "attribute": ("my_models:Ehco", {}, r"module `my_models` \(.*my_models.py\) has no `Ehco`; did you mean `Echo`"),
    "nested": ("my_models:Outer.No", {}, "has no `Outer.No`$"),
    "target": ("my_models", {}, 'write type = "python:module:Class"'),
    "number": ("my_models:NUMBER", {}, "is int, and no class or function"),
    "raises": ("my_models:Broken", {}, r"could not be made: ValueError: the weights are cut off \(my_models.py, line "),
    "library": (
        "my_models:Fileless",
        {},
        r"could not be made: FileNotFoundError: .*nowhere/at/all' \(my_models.py, line ",
    ),
    "config": ("my_models:Particular", {}, "provider `mine`: write a better path$"),
    "awaitable": ("my_models:later", {"a": 1}, "takes no options"),
    "option": ("my_models:Echo", {"greetnig": "Hi"}, "does not know the option `greetnig`; did you mean `greeting`"),
    "options": ("my_models:Strict", {"path": 1, "zzz": 2}, "does not know the option `zzz`; it takes `path`"),
    "missing": ("my_models:Strict", {}, r"needs the option `path`: write options = \{ path = ... \}"),
}


@pytest.mark.parametrize(("target", "options", "words"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_made_says_why_and_what_helps(module, target, options, words):
    with pytest.raises(errors.ConfigError, match="provider `mine`") as caught:
        made(target, **options)
    assert "\n" not in caught.value.message
    with pytest.raises(errors.ConfigError, match=words):
        made(target, **options)


def test_options_are_not_shown_where_they_are_wrong(module):
    with pytest.raises(errors.ConfigError) as caught:
        made("my_models:Strict", path="a", token="sk-canary")
    assert "canary" not in str(caught.value)


# --- entry points ------------------------------------------------------------------------------------------------------


@pytest.fixture
def installed(module, tmp_path, monkeypatch):
    """Packages as an installer leaves them, which offer types of providers."""

    def install(package, **points):
        folder = tmp_path / "site" / f"{package}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in points.items()]
        (folder / "entry_points.txt").write_text("\n".join([f"[{found.GROUP}]", *lines]) + "\n")

    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "acme_hoosh.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return install


def test_packages_offer_types(installed):
    installed("acme-hoosh", acme="acme_hoosh:Echo", gone="acme_hoosh:Gone", lost="acme_lost:Echo")
    # hoosh offers one itself, where it is installed.
    assert set(found.types()) - {"llama-cpp-python"} == {"acme", "gone", "lost"}
    assert made("acme", "entry", greeting="Hi").greeting == "Hi"
    with pytest.raises(errors.ConfigError, match="the type `gone` of package acme-hoosh is not there"):
        made("gone", "entry")
    with pytest.raises(errors.ConfigError, match="there is no module `acme_lost`"):
        made("lost", "entry")
    with pytest.raises(
        errors.ConfigError,
        match=r"no installed package offers the type `other` .* offer acme, gone, (llama-cpp-python, )?lost",
    ):
        made("other", "entry")


def test_two_packages_that_offer_one_type_are_named(installed):
    installed("acme-hoosh", acme="acme_hoosh:Echo")
    installed("other-hoosh", acme="acme_hoosh:Open")
    with pytest.raises(
        errors.ConfigError, match=r"package (acme|other)-hoosh and package (acme|other)-hoosh both offer"
    ):
        made("acme", "entry")


def test_a_start_without_engines_of_python_loads_nothing_of_them(tmp_path):
    code = """
    import sys, trio, hoosh

    async def parrot(call):
        await call.text("Hello")
        await call.finish()

    async def main():
        async with hoosh.Gateway('[[providers]]\\nname = "mine"\\ntype = "engine"\\nmodels = ["m"]\\n') as gateway:
            print(len(await gateway.models()))

    trio.run(main)
    named = [name for name in sys.modules if name.startswith(("hoosh.engines.", "hoosh._driver.plugged", "importlib.meta"))]
    print(*sorted(named))
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, env=environment
    )
    assert child.stdout == "1\nhoosh.engines.refused\n"


# --- in a configuration ------------------------------------------------------------------------------------------------


async def test_a_configuration_makes_them_and_ends_them(module):
    async with hoosh.Gateway(text_of("python:my_models:Echo", greeting="Hi", times=2)) as gateway:
        assert await said(gateway) == "Hi Hi "
        (engine,) = module().MADE
        assert engine.closed == 0
    assert engine.closed == 1
    # Whatever runs again has engines of its own.
    async with gateway:
        assert await said(gateway) == "Hi Hi "
    assert [each.closed for each in module().MADE] == [1, 1]


async def test_the_type_of_a_package_is_one_of_the_configuration(installed):
    installed("acme-hoosh", acme="acme_hoosh:Echo")
    async with hoosh.Gateway(text_of("acme", greeting="Hi")) as gateway:
        assert await said(gateway) == "Hi "


async def test_what_a_program_registers_goes_before(module):
    async with hoosh.Gateway(text_of("python:my_models:Echo")) as gateway:
        gateway.register("mine", module().Echo("mine"))
        assert await said(gateway) == "mine "


async def test_a_start_that_fails_says_so(module):
    with pytest.raises(errors.ConfigError, match="the weights are cut off"):
        async with hoosh.Gateway(text_of("python:my_models:Broken")):
            pass


async def test_a_reload_keeps_makes_and_ends(module):
    first = text_of("python:my_models:Echo", greeting="one")
    async with serving(first) as (_, app):
        gateway = hoosh.Gateway._of(app.driver)
        assert await said(gateway) == "one "
        app.driver.reload(Config.parse(first + "[limits]\nmax_concurrency = 9\n", {}))
        assert len(module().MADE) == 1
        app.driver.reload(Config.parse(text_of("python:my_models:Echo", greeting="two"), {}))
        assert await said(gateway) == "two "
        before, after = module().MADE
        with trio.fail_after(5):
            while not before.closed:
                await trio.sleep(0.01)
        assert after.closed == 0
        wrong = Config.parse(text_of("python:my_models:Echo", greetnig="three"), {})
        with pytest.raises(errors.ConfigError, match="greetnig"):
            app.driver.reload(wrong)
        assert await said(gateway) == "two "
        app.driver.reload(Config.parse('[[providers]]\nname = "mine"\ntype = "engine"\n', {}))
        with pytest.raises(errors.ProviderUnavailable, match="none is registered"):
            await said(gateway)
    assert (before.closed, after.closed) == (1, 1)


def test_what_a_program_registers_itself_is_not_made():
    config = Config.parse('[[providers]]\nname = "mine"\ntype = "engine"\n', {})
    assert registry.declared(config) == {}
