"""`hoosh.Server.builder()`: a configuration built in a program, mounted, served and asked in process."""

import contextlib
import inspect
import os
import re
import signal
import socket
import subprocess
import sys
from functools import partial

import httpx2
import openai
import pytest
import trio
from tests.python.conftest import provider as toml_provider
from tests.python.test_asgi import (
    SERVERS,
    chat_stream_models_and_an_error,
    fastapi_host,
    leaving_a_stream_stops_its_upstream,
    listener,
    starlette_host,
)
from tests.upstream import open_upstream

import hoosh
from hoosh import Config, errors
from hoosh._native import config_keys
from hoosh.asgi import target_of
from hoosh.builder import Builder

MESSAGES = [{"role": "user", "content": "Say hello"}]
ASK = {"model": "fake-chat", "messages": MESSAGES}


def provider(upstream, **more):
    given = {
        "type": "openai_compatible",
        "name": "one",
        "base_url": upstream.url,
        "models": ["fake-chat"],
        "priority": 1,
    }
    return hoosh.Provider(**{**given, **more})


async def parrot(call):
    await call.text("Hello")
    await call.finish()


# --- what it makes -----------------------------------------------------------------------------------------------------

FILE = """
[server]
bind = "0.0.0.0"
port = 0
strategy = "round_robin"
[auth]
tokens = [{ token = "$TEAM_KEY", name = "team", models = ["gpt-*"], budget = "team", rate_limit_rpm = 60 }, "plain"]
[[providers]]
type = "openai"
api_key = "sk-1"
[[providers]]
type = "ollama"
priority = 2
[[budgets]]
name = "team"
capacity = 1_000_000
slice = 20_000
[cache]
enabled = true
ttl_secs = 60
[retry]
max_attempts = 2
[limits]
max_concurrency = 100
[deadlines]
idle_secs = 30
"""


def test_it_makes_what_the_file_makes(monkeypatch):
    monkeypatch.setenv("TEAM_KEY", "key-of-the-team")
    server = (
        hoosh.Server.builder()
        .bind("0.0.0.0")
        .port(0)
        .server(strategy="round_robin")
        .provider(hoosh.Provider(type="openai", api_key="sk-1"), hoosh.Provider(type="ollama", priority=2))
        .pool("team", 1_000_000, slice=20_000)
        .key("$TEAM_KEY", name="team", models=["gpt-*"], budget="team", rate_limit_rpm=60)
        .key("plain")
        .cache(ttl_secs=60)
        .retry(max_attempts=2)
        .limits(max_concurrency=100)
        .deadlines(idle_secs=30)
        .build()
    )
    of_file = Config.parse(FILE, {"TEAM_KEY": "key-of-the-team"})
    assert server.config.describe() == of_file.describe()
    assert server.config.warnings == of_file.warnings


def test_it_adds_to_a_file_and_goes_before_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TEAM_KEY", "key-of-the-team")
    file = tmp_path / "my.toml"
    file.write_text(FILE)
    for given in (file, str(file), FILE):
        builder = hoosh.Server.builder().config(given).port(9).cache(enabled=False, max_entries=5)
        builder.pool("other", 5).key("third", budget="other").provider(hoosh.Provider(type="vllm"))
        config = builder.build().config
        assert (config.bind, config.port) == ("0.0.0.0", 9)
        assert [name for name, _, _ in config.providers] == ["openai", "ollama", "vllm"]
        described = config.describe()
        for line in ("ttl_secs = 60", "max_entries = 5", "enabled = false", "capacity = 1000000", "idle_secs = 30"):
            assert line in described.replace("_0", "0")


def test_each_table_of_the_schema_can_be_reached():
    """Without a list of tables here: what has no method of its own has `section`, or is one of the lists."""
    methods = {name for name, _ in inspect.getmembers(Builder, inspect.isfunction)}
    for header, keys in config_keys():
        single = header.strip("[]")
        if (
            header.startswith("[[") or header == "a credential" or "." in single
        ):  # what lies within a list is given with its entry
            continue
        if single not in methods:
            assert single == "auth", f"[{single}] has no method; section({single!r}, ...) sets it"
        builder = hoosh.Server.builder().section(single, no_such_key=1)
        with pytest.raises(errors.ConfigError, match="no_such_key") as caught:
            builder.build()
        assert keys[0][0] in caught.value.message


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda b: b.cache(ttl_sec=1), "unknown key `ttl_sec` in [cache]; did you mean `ttl_secs`?"),
        (lambda b: b.section("cahce", x=1), "unknown table `cahce`; did you mean `cache`?"),
        (lambda b: b.port(70_000), "`port` in [server] must be from 0 to 65535, not 70000"),
        (lambda b: b.pool("a", 1).pool("a", 1), "two budgets are called `a`"),
        (lambda b: b.key("k", budget="no"), "`budget` in [[auth.tokens]] is not known: `no`"),
        (lambda b: b.key("k").key("k"), "tokens `key-1` and `key-2` are the same"),
        (
            lambda b: b.provider(hoosh.Provider(type="vllm"), hoosh.Provider(type="vllm")),
            "`name` in [[providers]] is taken",
        ),
        (lambda b: b.bind("0.0.0.0"), "tokens"),
        (lambda b: b.hooks("no", auth=print), "the provider of these hooks is not known: `no`"),
        (lambda b: b.engine("no", parrot), "no provider of type engine is called `no`"),
        (lambda b: b.config("[cache]\nttl_secs = 0"), "`ttl_secs` in [cache] must be from 1"),
        (lambda b: b.config("= = =").port(1), "not valid TOML"),
        (lambda b: b.config("cache = 7").cache(ttl_secs=1), "`cache` is a table"),
        (lambda b: b.config("providers = 7").provider(hoosh.Provider(type="vllm")), "`providers` is a list of tables"),
        (lambda b: b.config("no/such/file"), "no/such/file cannot be read"),
        (lambda b: b.prefix("ai"), "a prefix begins with `/`"),
        (lambda b: b.limits(max_waiting=object()), "`max_waiting` cannot be object"),
    ],
)
def test_what_is_wrong_is_said_by_the_core(build, words):
    with pytest.raises(errors.ConfigError) as caught:
        build(hoosh.Server.builder()).build()
    assert words in caught.value.message


def test_a_fault_of_the_file_has_its_line_and_one_of_a_list_its_number():
    with pytest.raises(errors.ConfigError) as caught:
        hoosh.Server.builder().config("[server]\n\nport = -1").cache().build()
    assert caught.value.line == 3
    with pytest.raises(errors.ConfigError) as caught:
        hoosh.Server.builder().pool("a", 1).pool("b", 0).build()
    assert caught.value.__notes__ == ["in entry 2 of [[budgets]]"]


def test_secrets_are_not_shown():
    made = hoosh.Provider(type="openai", api_key="sk-canary")
    server = hoosh.Server.builder().provider(made).key("canary-key").build()
    shown = repr(made) + repr(server) + server.config.describe() + repr(server.config)
    with pytest.raises(errors.ConfigError) as caught:
        hoosh.Server.builder().provider(made).key("canary key").build()
    assert "canary" not in shown + str(caught.value)


# --- mounted -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mount", [starlette_host, fastapi_host])
@pytest.mark.parametrize("serve", SERVERS)
async def test_two_of_them_mount_in_one_host_and_share_their_gateways_with_it(upstream, serve, mount):
    """Each on its own: keys, providers, ledgers; and the host asks them in process, on its own event loop."""
    async with open_upstream() as other:
        one = hoosh.Server.builder().provider(provider(upstream)).build()
        two = hoosh.Server.builder().provider(provider(other, name="two")).key("two-key").prefix("/two").build()
        in_process = []

        @contextlib.asynccontextmanager
        async def lifespan(host):
            async with one.running(), two.running():
                in_process.append(await two.gateway.chat(**ASK))
                yield

        host = mount(one.app, lifespan)
        host.mount("/two", two.app)
        with trio.fail_after(30), listener() as sock:
            url = f"http://127.0.0.1:{sock.getsockname()[1]}"
            async with serve(host, sock), openai.AsyncOpenAI(base_url=f"{url}/two/v1", api_key="two-key") as sdk:
                await chat_stream_models_and_an_error(f"{url}/ai")
                await leaving_a_stream_stops_its_upstream(f"{url}/ai", upstream)
                await sdk.chat.completions.create(**ASK)
                with pytest.raises(openai.AuthenticationError):
                    await sdk.with_options(api_key="no").chat.completions.create(**ASK)
                while len(two.gateway.ledger) < 2 or len(one.gateway.ledger) < 3:
                    await trio.sleep(0.01)
        assert in_process[0]["choices"]
        assert [row["key"] for row in two.gateway.ledger] == ["local", "key-1"]
        assert len(other.requests) == 2


@pytest.mark.parametrize(
    ("path", "root", "prefix", "target"),
    [
        ("/v1/models", "", "", "/v1/models"),
        ("/ai/v1/models", "/ai", "", "/v1/models"),
        ("/ai/v1/models", "", "/ai", "/v1/models"),
        ("/ai/v1/models", "/ai", "/ai", "/v1/models"),
        ("/v1/models", "", "/ai", "/"),
        ("/aiv1/models", "", "/ai", "/"),
        ("/ai/ai/v1/models", "", "/ai", "/ai/v1/models"),
        ("/deep/ai/v1/models", "/deep", "/ai", "/v1/models"),
        ("/deep/ai/v1/models", "/deep/ai", "/ai", "/v1/models"),
    ],
)
def test_a_prefix_is_taken_off_once(path, root, prefix, target):
    assert target_of({"path": path, "root_path": root}, prefix) == target


async def test_what_is_not_below_the_prefix_is_not_found(upstream):
    server = hoosh.Server.builder().provider(provider(upstream)).prefix("/ai").build()
    transport = httpx2.ASGITransport(server.app)
    async with server.running(), httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        assert (await http.get("/ai/v1/health")).status_code == 200
        answer = await http.get("/v1/health")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_url")


async def test_it_runs_once_and_ends_for_good(upstream):
    server = hoosh.Server.builder().provider(provider(upstream)).build()
    with pytest.raises(errors.InvalidRequest, match=re.escape("async with server.running()")):
        await server.gateway.chat(**ASK)
    for _ in range(2):
        async with server.running():
            with pytest.raises(errors.InvalidRequest, match="runs already"):
                async with server.running():
                    pass
            assert await server.gateway.chat(**ASK)
    server.close()
    server.close()
    transport = httpx2.ASGITransport(server.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        answer = await http.post("/v1/chat/completions", json=ASK)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "draining")


async def test_close_ends_the_loop_that_runs_beside_a_host(upstream):
    server = hoosh.Server.builder().provider(provider(upstream)).build()
    transport = httpx2.ASGITransport(server.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        assert (await http.post("/v1/chat/completions", json=ASK)).status_code == 200
        assert server.app.driver.runs
        await trio.to_thread.run_sync(server.close)
        with trio.fail_after(5):
            while server.app.driver.runs:
                await trio.sleep(0.01)
    assert len(server.gateway.ledger) == 1


async def test_engines_and_hooks_for_the_providers_of_a_file(upstream):
    text = (
        toml_provider(upstream)
        + 'models = ["fake-chat"]\n[[providers]]\nname = "mine"\ntype = "engine"\nmodels = ["parrot"]\n'
    )
    seen = []
    server = hoosh.Server.builder().config(text).hooks("one", on_request=seen.append).engine("mine", parrot).build()
    async with server.running():
        assert await server.gateway.chat(**ASK)
        answer = await server.gateway.chat(model="parrot", messages=MESSAGES)
    assert answer["choices"][0]["message"]["content"] == "Hello"
    assert len(seen) == 1


# --- served ------------------------------------------------------------------------------------------------------------

PROGRAM = """
import os, sys
import hoosh

def on_answer(answer):
    answer.body["seen"] = True

provider = hoosh.Provider(type="openai_compatible", name="one", base_url="$URL", models=["fake-chat"], on_answer=on_answer)
engine = hoosh.Provider(type="engine", name="mine", models=["parrot"], engine=print)
builder = hoosh.Server.builder().port(0).prefix("/ai").provider(provider, engine).config(sys.argv[1])
sys.exit(builder.build().serve())
"""


async def test_serve_is_hoosh_serve_for_a_program(upstream, tmp_path):
    file = tmp_path / "base.toml"
    file.write_text('[auth]\ntokens = ["first"]\n')
    environment = {**os.environ, "URL": upstream.url, "PYTHONPATH": os.pathsep.join(sys.path)}
    async with trio.open_nursery() as nursery:
        command = [sys.executable, "-c", PROGRAM, str(file)]
        run = partial(trio.run_process, command, env=environment, check=False, stdin=subprocess.PIPE)
        process = await nursery.start(partial(run, stderr=subprocess.PIPE))

        async def said(words):
            got = b""
            while words not in got:
                got += (more := await process.stderr.receive_some())
                assert more, got
            return got.decode()

        try:
            with trio.fail_after(30):
                started = await said(b"/ai/v1/chat/completions")
                assert "provider mine (engine) in this process\n" in started
                url = re.search(r"listening on (\S+) \(built in this program\)", started)[1]
                async with httpx2.AsyncClient(base_url=f"{url}/ai/v1") as http:

                    async def status(key):
                        headers = {"authorization": f"Bearer {key}"}
                        answer = await http.post("/chat/completions", json=ASK, headers=headers)
                        assert answer.status_code != 200 or answer.json()["seen"] is True
                        return answer.status_code

                    assert [await status("first"), await status("second")] == [200, 401]
                    file.write_text('[auth]\ntokens = ["second"]\n')
                    process.send_signal(signal.SIGHUP)
                    await said(b"Reloaded")
                    assert [await status("first"), await status("second")] == [401, 200]
                    file.write_text("[auth\n")
                    process.send_signal(signal.SIGHUP)
                    assert "line 1" in await said(b"wrong")
                    assert await status("second") == 200
        finally:
            process.send_signal(signal.SIGTERM)
            with trio.CancelScope(shield=True), trio.move_on_after(20):
                await process.wait()
            nursery.cancel_scope.cancel()
    assert process.returncode == 0


def test_an_address_that_others_reach_needs_keys_and_one_that_is_taken_is_said():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        server = hoosh.Server.builder().provider(hoosh.Provider(type="vllm")).port(sock.getsockname()[1]).build()
        with pytest.raises(errors.ConfigError, match="Cannot listen"):
            server.serve()


def test_a_type_of_ones_own():
    acme = {"name": "acme", "origin": "http://127.0.0.1:9", "local": True}
    server = hoosh.Server.builder().config('[[providers]]\ntype = "acme"\n').catalogue(providers=[acme]).build()
    try:
        assert server.config.providers == [("acme", "acme", "http://127.0.0.1:9/v1")]
    finally:
        server.close()
