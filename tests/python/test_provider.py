"""`hoosh.Provider`: the record of the file, and hooks that see, change, refuse, fail and block."""

import json
import logging
import threading
import time

import anyio
import anyio.lowlevel
import httpx2
import pytest
import trio
from scripts import keys
from tests.upstream import open_upstream

import hoosh
from hoosh import Config, errors
from hoosh._driver import hooks
from hoosh._environment import engine_types

MESSAGES = [{"role": "user", "content": "Say hello"}]
ASK = {"model": "fake-chat", "messages": MESSAGES}
SAID = "You said: Say hello"


def provider(upstream, **more):
    # Its models are named, so that it is not asked for them, and each plan meets the request that it is meant for.
    given = {"type": "openai_compatible", "name": "one", "base_url": upstream.url, "models": ["fake-chat"]}
    return hoosh.Provider(**{**given, **more})


def built(*providers, **tables):
    builder = hoosh.Server.builder().provider(*providers).retry(max_attempts=1)
    for table, keys_of_it in tables.items():
        builder.section(table, **keys_of_it)
    return builder.build()


async def say(gateway, **more):
    answer = await gateway.chat(**ASK, **more)
    return answer["choices"][0]["message"]["content"]


async def stream(gateway):
    async with gateway.stream(**ASK) as chunks:
        return "".join([chunk["choices"][0]["delta"].get("content") or "" async for chunk in chunks])


async def rows(gateway, count=1):
    with anyio.fail_after(10):
        while len(gateway.ledger) < count:
            await anyio.sleep(0.005)
    return gateway.ledger


# --- the record --------------------------------------------------------------------------------------------------------

FILE = """
[[providers]]
name = "one"
type = "openai"
base_url = "http://127.0.0.1:1"
api_key = "sk-\\"quoted\\u0001"
priority = -3
models = ["a", "b*"]
rate_limit_rpm = 7
"""


def test_it_is_the_record_of_the_file(monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-1")
    text = FILE.replace('"sk-\\"quoted\\u0001"', '"$MY_KEY"')
    given = {"base_url": "http://127.0.0.1:1", "priority": -3, "models": ("a", "b*"), "rate_limit_rpm": 7}
    made = hoosh.Provider(name="one", type="openai", api_key="$MY_KEY", max_concurrency=None, **given)
    server = hoosh.Server.builder().provider(made).build()
    assert server.config.describe() == Config.parse(text, {"MY_KEY": "sk-1"}).describe()
    assert (made.name, made.type, made.base_url) == ("one", "openai", "http://127.0.0.1:1/v1")


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"type": "opnai"}, 'type = "opnai"'),
        ({"type": "openai", "modles": []}, 'type = "openai"\nmodles = []'),
        ({"type": "openai", "priority": "low"}, 'type = "openai"\npriority = "low"'),
        ({"type": "openai", "models": "all"}, 'type = "openai"\nmodels = "all"'),
        ({"type": "openai", "max_concurrency": 0}, 'type = "openai"\nmax_concurrency = 0'),
        ({"type": "openai", "api_key": "$NOT_THERE"}, 'type = "openai"\napi_key = "$NOT_THERE"'),
        ({"type": "openai", "api_key": 'a"\n\x7f'}, 'type = "openai"\napi_key = "a\\"\\n\\u007f"'),
        ({"type": "openai", "name": "\x01"}, 'type = "openai"\nname = "\\u0001"'),
        ({"type": "openai", "priority": True}, 'type = "openai"\npriority = true'),
        ({"type": "openai", "priority": 0.5}, 'type = "openai"\npriority = 0.5'),
        ({"name": "x"}, 'name = "x"'),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_the_file(given, line):
    with pytest.raises(errors.ConfigError) as of_file:
        Config.parse(f"[[providers]]\n{line}\n", {}, None, engine_types)
    with pytest.raises(errors.ConfigError) as of_python:
        hoosh.Provider(**given)
    assert of_python.value.message == of_file.value.message
    assert of_python.value.line is None


@pytest.mark.parametrize(
    "given",
    [
        {"type": "openai", "auth": "sk-1"},
        {"type": "openai", "base_url": b"http://127.0.0.1:1"},
        {"type": "openai", "name": "\ud800"},
        {"type": "openai", "engine": print},
        {"type": "engine", "on_answer": print},
    ],
    ids=str,
)
def test_what_no_file_could_say_is_refused_too(given):
    with pytest.raises(errors.ConfigError):
        hoosh.Provider(**given)


def test_the_types_of_the_keys_are_those_of_the_core():
    assert keys.FILE.read_text(encoding="utf-8") == keys.text(), "run `make keys`"


async def test_its_key_may_be_in_a_file(upstream, tmp_path):
    key = tmp_path / "key"
    key.write_text("sk-of-the-file\n")
    server = built(provider(upstream, api_key={"file": str(key)}))
    async with server.running():
        assert await say(server.gateway) == SAID
    assert upstream.requests[-1].header("authorization") == "Bearer sk-of-the-file"
    key.unlink()
    with pytest.raises(errors.ConfigError, match="key cannot be read: No such file"):
        provider(upstream, api_key={"file": str(key)})


# --- what hooks see and change -----------------------------------------------------------------------------------------


async def test_auth_gives_the_credential_of_each_request_and_of_the_list_of_models(upstream, on):
    asked = []

    async def auth(request):
        asked.append((request.provider, request.endpoint, request.method, request.url))
        return f"sk-{len(asked)}"

    async def work():
        server = built(provider(upstream, auth=auth, models=None, api_key="sk-file"))
        async with server.running():
            await server.gateway.listed()
            assert await say(server.gateway) == SAID
            assert await stream(server.gateway) == SAID

    await on(work)
    assert [r.header("authorization") for r in upstream.requests] == ["Bearer sk-1", "Bearer sk-2", "Bearer sk-3"]
    assert asked[0] == ("one", "models", "GET", f"{upstream.url}/v1/models")
    assert asked[1] == ("one", "chat", "POST", f"{upstream.url}/v1/chat/completions")


async def test_auth_may_give_headers_that_sign_what_is_sent(upstream):
    def auth(request):
        return {"X-Signature": str(len(request.content)), "authorization": "Signed"}

    def on_request(request):
        request.body["seed"] = 7

    server = built(provider(upstream, auth=auth, on_request=on_request))
    async with server.running():
        await say(server.gateway)
    (asked,) = upstream.requests
    assert asked.header("x-signature") == str(len(asked.body))
    assert (asked.header("authorization"), asked.json()["seed"]) == ("Signed", 7)


@pytest.mark.parametrize("returns", [True, False])
async def test_on_request_changes_the_body_and_the_headers(upstream, on, returns):
    def on_request(request):
        assert threading.current_thread() is not threading.main_thread()
        request.headers["x-team"] = "é"
        if returns:
            return {**request.body, "messages": [{"role": "user", "content": "Something else"}]}
        request.body["messages"][0]["content"] = "Something else"
        return None

    async def work():
        server = built(provider(upstream, on_request=on_request))
        async with server.running():
            return await say(server.gateway)

    assert await on(work) == "You said: Something else"
    assert upstream.requests[0].header("x-team") == "é"


async def test_what_hooks_only_look_at_passes_byte_for_byte(upstream):
    body = (
        b'{ "model":"fake-chat", "unknown": [1.0, 1E2, "\\ud800\\u00e9"],"messages":[{"role":"user","content":"Hi"}] }'
    )
    seen = []
    server = built(provider(upstream, on_request=seen.append, on_answer=seen.append))
    async with server.running():
        transport = httpx2.ASGITransport(server.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            headers = {"content-type": "application/json"}
            answer = await http.post("/v1/chat/completions", content=body, headers=headers)
    assert upstream.requests[0].body == body
    assert answer.json()["choices"][0]["message"]["content"] == "You said: Hi"
    assert [type(item).__name__ for item in seen] == ["ProviderRequest", "ProviderAnswer"]


async def test_on_answer_sees_a_whole_answer_and_each_event(upstream, on):
    seen = []

    async def on_answer(answer):
        seen.append(answer.streams)
        await anyio.lowlevel.checkpoint()
        for choice in answer.body["choices"]:
            said = choice["delta"] if answer.streams else choice["message"]
            if said.get("content"):
                said["content"] = said["content"].upper()
        return answer.body if answer.streams else None

    async def work():
        server = built(provider(upstream, on_answer=on_answer))
        async with server.running():
            assert await say(server.gateway) == SAID.upper()
            assert await stream(server.gateway) == SAID.upper()
            return await rows(server.gateway, 2)

    booked = await on(work)
    assert seen[0] is False
    assert len(seen) > 4
    assert set(seen[1:]) == {True}
    assert [row["ending"] for row in booked] == ["completed", "completed"]
    assert {row["usage_source"] for row in booked} == {"reported"}
    assert len({request.connection for request in upstream.requests}) == 1


async def test_hooks_of_one_request_tell_each_other(upstream):
    def on_request(request):
        request.state["began"] = True

    def on_answer(answer):
        answer.body["began"] = answer.request.state["began"]

    server = built(provider(upstream, on_request=on_request, on_answer=on_answer))
    async with server.running():
        assert (await server.gateway.chat(**ASK))["began"] is True


async def test_on_answer_does_not_see_errors(upstream):
    seen = []
    upstream.plan(status=400)
    server = built(provider(upstream, on_answer=seen.append))
    async with server.running():
        with pytest.raises(errors.InvalidRequest):
            await say(server.gateway)
    assert seen == []


async def test_a_long_answer_is_seen_whole(upstream):
    words = "x" * (3 << 20)
    seen = []
    server = built(provider(upstream, on_answer=seen.append))
    async with server.running():
        answer = await server.gateway.chat(model="fake-chat", messages=[{"role": "user", "content": words}])
    assert answer["choices"][0]["message"]["content"] == f"You said: {words}"
    assert len(seen) == 1


async def test_a_cached_answer_passed_the_hooks_before(upstream):
    seen = []

    def on_answer(answer):
        seen.append(answer)
        answer.body["choices"][0]["message"]["content"] = "changed"

    server = built(provider(upstream, on_answer=on_answer), cache={"enabled": True})
    async with server.running():
        assert [await say(server.gateway, temperature=0) for _ in range(2)] == ["changed", "changed"]
    assert len(seen) == len(upstream.requests) == 1


# --- hooks that decline ------------------------------------------------------------------------------------------------


def no(_):
    raise errors.InvalidRequest("Not this.", status=422, param="messages")


async def test_a_request_that_is_declined_goes_nowhere(upstream):
    async with open_upstream() as other:
        server = built(provider(upstream, on_request=no), provider(other, name="two", priority=20))
        async with server.running():
            with pytest.raises(errors.InvalidRequest, match="Not this") as caught:
                await say(server.gateway)
            (row,) = await rows(server.gateway)
        assert (caught.value.code, caught.value.status, caught.value.param) == ("upstream_refused", 422, "messages")
        assert (row["provider"], row["input_tokens"], row["usage_source"]) == ("one", 0, "none")
        assert upstream.requests == other.requests == []


async def test_an_answer_that_is_declined_is_booked_and_not_seen(upstream):
    async with open_upstream() as other:
        server = built(provider(upstream, on_answer=no), provider(other, name="two", priority=20))
        async with server.running():
            with pytest.raises(errors.InvalidRequest, match="Not this"):
                await say(server.gateway)
            (row,) = await rows(server.gateway)
        assert row["usage_source"] == "bound"
        assert row["input_tokens"] > 0
        assert other.requests == []


async def test_a_stream_that_is_declined_in_its_middle_ends_with_the_words_and_stops_its_provider(upstream):
    def on_answer(answer):
        if answer.body["choices"][0]["delta"].get("content") == " Say":
            no(answer)

    upstream.plan(stall="body", stall_after=4)
    server = built(provider(upstream, on_answer=on_answer))
    got = []
    async with server.running():
        with pytest.raises(errors.HooshError, match="Not this"):
            async with server.gateway.stream(**ASK) as chunks:
                async for chunk in chunks:
                    got += [chunk["choices"][0]["delta"].get("content") or ""]
        with trio.fail_after(5):
            await upstream.requests[0].closed.wait()
        (row,) = await rows(server.gateway)
    assert "".join(got) == "You said:"
    assert row["ending"] == "broken"


# --- hooks that misbehave ----------------------------------------------------------------------------------------------


async def wrong(_):
    raise RuntimeError("canary")


NONSENSE = {
    "raises": wrong,
    "a list": lambda _: [],
    "a number": lambda _: 7,
    "NaN": lambda _: {"x": float("nan")},
    "an object": lambda _: {"x": object()},
}
CREDENTIALS = {
    "nothing": lambda _: None,
    "empty": lambda _: "",
    "two lines": lambda _: "canary\r\nx-evil: 1",
    "a name of two lines": lambda _: {"x\r\ny": "1"},
    "not latin": lambda _: "canary-日本",
    "framing": lambda _: {"Content-Length": "0"},
    "a number": lambda _: {"x": 7},
    "bytes": lambda _: b"canary",
}
CASES = [
    *(("on_request", hook, name) for name, hook in NONSENSE.items()),
    *(("on_answer", hook, name) for name, hook in NONSENSE.items()),
    ("auth", wrong, "raises"),
    *(("auth", hook, name) for name, hook in CREDENTIALS.items()),
]


@pytest.mark.parametrize(("kind", "hook", "name"), CASES, ids=[f"{kind}: {name}" for kind, _, name in CASES])
async def test_a_hook_that_fails_is_an_error_of_the_provider_and_another_is_asked(upstream, kind, hook, name, caplog):
    server = built(provider(upstream, **{kind: hook}))
    transport = httpx2.ASGITransport(server.app)
    async with server.running(), httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        for streams in (False, True):
            with caplog.at_level(logging.ERROR, "hoosh"):
                answer = await http.post("/v1/chat/completions", json={**ASK, "stream": streams})
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_error")
            assert "canary" not in answer.text
        assert f"in {kind}" in caplog.text or "in auth or on_request" in caplog.text
        assert ("RuntimeError: canary" in caplog.text) == ("canary" in caplog.text) == (name == "raises")
        with pytest.raises(errors.ProviderUnavailable, match="hook") as caught:
            await say(server.gateway)
        assert caught.value.__cause__ is not None
    async with open_upstream() as other:
        server = hoosh.Server.builder().provider(
            provider(upstream, **{kind: hook}), provider(other, name="two", priority=20)
        )
        server = server.build()
        async with server.running():
            assert await say(server.gateway) == await stream(server.gateway) == SAID


def blocks(_):
    time.sleep(3)


async def hangs(_):
    await anyio.sleep_forever()


@pytest.mark.parametrize("hook", [blocks, hangs])
@pytest.mark.parametrize("kind", ["auth", "on_request", "on_answer"])
async def test_a_hook_that_blocks_or_never_returns_keeps_nobody_else(upstream, on, kind, hook):
    async with open_upstream() as other:

        async def work():
            quiet = provider(other, name="two", models=["other/*", "fake-chat"], priority=20)
            deadlines = {"connect_secs": 1, "first_byte_secs": 1, "idle_secs": 1}
            server = built(provider(upstream, **{kind: hook}), quiet, deadlines=deadlines)
            async with server.running(), anyio.create_task_group() as tasks:

                async def fail():
                    with pytest.raises(errors.ProviderTimeout):
                        await server.gateway.chat(model="one/fake-chat", messages=MESSAGES)

                began = time.monotonic()
                tasks.start_soon(fail)
                await anyio.sleep(0.05)
                answer = await server.gateway.chat(model="two/fake-chat", messages=MESSAGES)
                assert answer["choices"]
                assert time.monotonic() - began < 0.9
            return time.monotonic() - began

        assert await on(work) < 2.5


async def test_an_event_without_an_end_is_the_providers_fault(upstream):
    upstream.plan(huge_line=9 << 20)
    server = built(provider(upstream, on_answer=lambda _: None))
    async with server.running():
        with pytest.raises(errors.MalformedReply):
            await stream(server.gateway)


async def test_a_caller_that_leaves_cancels_the_hook(upstream):
    ended = trio.Event()

    async def on_request(request):
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    server = built(provider(upstream, on_request=on_request))
    async with server.running():
        with trio.move_on_after(0.2):
            await say(server.gateway)
        with trio.fail_after(1):
            await ended.wait()
        assert server.app.driver.gateway.open_exchanges() == 0


async def test_the_breaker_leaves_a_provider_alone_whose_hooks_fail(upstream):
    server = built(provider(upstream, on_request=wrong))
    async with server.running():
        codes = []
        for _ in range(7):
            with pytest.raises(errors.ProviderUnavailable) as caught:
                await say(server.gateway)
            codes.append(caught.value.code)
    assert codes[0] == "upstream_error"
    assert codes[-1] == "upstream_unavailable"


async def test_limits_and_budgets_hold_for_it(upstream):
    server = built(provider(upstream, on_request=lambda _: None, rate_limit_rpm=1))
    async with server.running():
        await say(server.gateway)
        with pytest.raises(errors.RateLimited):
            await say(server.gateway)
    server = hoosh.Server.builder().provider(provider(upstream, on_request=lambda _: None)).pool("default", 200).build()
    async with server.running():
        await say(server.gateway, max_tokens=20)
        with pytest.raises(errors.BudgetExceeded):
            await server.gateway.chat(model="fake-chat", messages=[{"role": "user", "content": "word " * 100}])
    assert json.loads(upstream.requests[-1].body)["max_tokens"] == 20


async def test_secrets_of_a_request_are_not_in_its_repr(upstream):
    seen = []
    server = built(provider(upstream, api_key="sk-canary", on_request=seen.append))
    async with server.running():
        await say(server.gateway)
    assert seen[0].headers["authorization"] == "Bearer sk-canary"
    assert "canary" not in repr(seen[0])
    assert hooks.FRAMING.isdisjoint(seen[0].headers)
