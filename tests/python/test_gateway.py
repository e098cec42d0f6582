"""The gateway in process, on trio and on asyncio, and its sync face."""

import asyncio
import logging
import os
import time
from functools import partial
from pathlib import Path
from types import MappingProxyType

import anyio
import httpx2
import pytest
import trio
from tests.python.conftest import provider, serving

import hoosh
from hoosh import errors
from hoosh._driver import steps
from hoosh._native import step_names

pytestmark = pytest.mark.usefixtures("transport")

MESSAGES = [{"role": "user", "content": "Say hello"}]
ENGINE = '[[providers]]\nname = "mine"\ntype = "engine"\nmodels = ["parrot"]\n'


def named(upstream):
    # Its models are named, so that it is not asked for them, and each plan meets the request that it is meant for.
    return provider(upstream) + 'models = ["fake-chat"]\n'


def test_the_driver_and_the_core_number_steps_alike():
    names = step_names()
    assert [getattr(steps, name) for name in names] == list(range(len(names)))


async def test_chat_stream_embed_and_models(upstream):
    async with hoosh.Gateway(provider(upstream)) as gateway:
        answer = await gateway.chat(model="fake-chat", messages=MESSAGES)
        assert answer["choices"][0]["message"]["content"]
        async with gateway.stream(model="fake-chat", messages=MESSAGES) as chunks:
            words = [c["choices"][0]["delta"].get("content") or "" async for c in chunks]
        assert "".join(words) == answer["choices"][0]["message"]["content"]
        vectors = await gateway.embed(model="fake-embed", input=["a", "b"])
        assert len(vectors["data"]) == 2
        with trio.fail_after(5):
            while not (models := await gateway.models()):
                await trio.sleep(0.01)
        assert "fake-chat" in {model["id"] for model in models}
        with trio.fail_after(5):
            while len(gateway.ledger) < 3:
                await trio.sleep(0.01)
        assert {row["key"] for row in gateway.ledger} == {"local"}


async def test_errors_are_one_tree(upstream):
    async with hoosh.Gateway(provider(upstream)) as gateway:
        with pytest.raises(errors.InvalidRequest) as caught:
            await gateway.chat(model="fake-chat", messages=[])
        assert (caught.value.code, caught.value.param) == ("invalid_value", "messages")
        assert caught.value.request_id
        upstream.reset()
        for _ in range(8):
            upstream.plan(no_finish_reason=True, no_done=True)
        with pytest.raises(errors.HooshError) as caught:
            async with gateway.stream(model="fake-chat", messages=MESSAGES) as chunks:
                async for _ in chunks:
                    pass
        assert caught.value.code == "upstream_truncated"


async def parrot(call):
    await call.text("Hel")
    await call.text("lo")
    await call.finish()


async def test_an_engine_of_this_process_answers():
    async with hoosh.Gateway(ENGINE) as gateway:
        gateway.register("mine", parrot)
        answer = await gateway.chat(model="parrot", messages=MESSAGES)
        assert answer["choices"][0]["message"]["content"] == "Hello"
        assert answer["usage"]["total_tokens"] >= 0
        async with gateway.stream(model="parrot", messages=MESSAGES) as chunks:
            words = [c["choices"][0]["delta"].get("content") or "" async for c in chunks]
        assert words == ["Hel", "lo", ""]


async def broken(call):
    raise RuntimeError("canary")


@pytest.mark.parametrize("streams", [False, True])
async def test_an_engine_that_raises_is_told_as_such(streams):
    async with hoosh.Gateway("[retry]\nmax_attempts = 1\n" + ENGINE) as gateway:
        gateway.register("mine", broken)
        with pytest.raises(errors.ProviderUnavailable, match="engine") as caught:
            if streams:
                async with gateway.stream(model="parrot", messages=MESSAGES) as chunks:
                    await chunks.__anext__()
            else:
                await gateway.chat(model="parrot", messages=MESSAGES)
        assert repr(caught.value.__cause__) == "RuntimeError('canary')"


async def test_an_engine_that_nobody_registered_is_named():
    async with hoosh.Gateway("[retry]\nmax_attempts = 1\n" + ENGINE) as gateway:
        with pytest.raises(errors.ProviderUnavailable, match="registered") as caught:
            await gateway.chat(model="parrot", messages=MESSAGES)
        assert isinstance(caught.value.__cause__, errors.ConfigError)
        assert "'mine'" in str(caught.value.__cause__)


async def test_what_an_engine_raises_is_logged_and_not_shown_over_http(caplog):
    async with serving("[retry]\nmax_attempts = 1\n" + ENGINE) as (url, app), httpx2.AsyncClient() as http:
        app.driver.engines["mine"] = broken
        with caplog.at_level(logging.ERROR, "hoosh"):
            answer = await http.post(f"{url}/v1/chat/completions", json={"model": "parrot", "messages": MESSAGES})
        assert answer.status_code == 502
        assert "canary" not in answer.text
        assert "RuntimeError: canary" in caplog.text


def test_it_runs_on_asyncio_too():
    async def run():
        async with hoosh.Gateway(ENGINE) as gateway:
            gateway.register("mine", parrot)
            return await gateway.chat(model="parrot", messages=MESSAGES)

    assert asyncio.run(run())["choices"][0]["message"]["content"] == "Hello"


def test_the_sync_face():
    with hoosh.SyncGateway(ENGINE) as gateway:
        gateway.register("mine", parrot)
        assert gateway.chat(model="parrot", messages=MESSAGES)["choices"][0]["message"]["content"] == "Hello"
        with gateway.stream(model="parrot", messages=MESSAGES) as chunks:
            assert len(list(chunks)) == 3
        with pytest.raises(errors.UnknownModel):
            gateway.chat(model="other", messages=MESSAGES)


def test_secrets_stay_out_of_errors(monkeypatch):
    monkeypatch.setitem(os.environ, "KEY", "sk-canary-1234")
    config = ENGINE + '[auth]\ntokens = ["$KEY"]\n'
    with hoosh.SyncGateway(config) as gateway, pytest.raises(errors.HooshError) as caught:
        gateway.chat(model="other", messages=MESSAGES)
    assert "canary" not in repr(caught.value) + str(caught.value)


# --- leaving a stream early --------------------------------------------------------------------------------------------


BURST = [{"role": "user", "content": "word " * 200}]
"""The fake upstream says it again, word by word and without a pause."""


@pytest.mark.filterwarnings("error::ResourceWarning", "error::pytest.PytestUnraisableExceptionWarning")
async def test_a_stream_that_is_left_early_ends_quietly(upstream, on):
    upstream.plan(stall="body", stall_after=100)

    async def work():
        async with hoosh.Gateway(named(upstream)) as gateway:
            async with gateway.stream(model="fake-chat", messages=BURST) as chunks:
                async for _ in chunks:
                    await anyio.sleep(0.05)
                    break
            with anyio.fail_after(5):
                while not gateway.ledger:
                    await anyio.sleep(0.005)
            assert gateway._driver.gateway.open_exchanges() == 0
            return gateway.ledger[0]["ending"]

    assert await on(work) == "dropped"


@pytest.mark.parametrize("error", [KeyError("mine"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
async def test_what_the_user_raises_in_a_stream_stays_as_it_is(upstream, on, error):
    async def work():
        async with hoosh.Gateway(named(upstream)) as gateway:
            try:
                async with gateway.stream(model="fake-chat", messages=BURST) as chunks:
                    await chunks.__anext__()
                    await anyio.sleep(0.05)
                    raise error
            except BaseException as caught:
                return caught

    assert await on(work) is error


async def test_the_sync_face_leaves_a_stream_as_quietly(upstream):
    def work():
        with hoosh.SyncGateway(named(upstream)) as gateway:
            with gateway.stream(model="fake-chat", messages=BURST) as chunks:
                next(chunks)
                time.sleep(0.05)
            with pytest.raises(KeyError), gateway.stream(model="fake-chat", messages=BURST) as chunks:
                next(chunks)
                time.sleep(0.05)
                raise KeyError("mine")

    await trio.to_thread.run_sync(work)


async def test_a_stream_whose_chunks_nobody_takes_does_not_end_as_if_it_were_whole(upstream, on):
    async def work():
        text = "[deadlines]\ncaller_stall_secs = 1\n" + named(upstream)
        asking = {"model": "fake-chat", "messages": BURST}
        async with hoosh.Gateway(text) as gateway, gateway.stream(**asking) as chunks:
            await chunks.__anext__()
            with anyio.fail_after(10):
                while gateway._driver.gateway.open_exchanges():
                    await anyio.sleep(0.01)
            with pytest.raises(errors.RequestError, match="caller_stall_secs"):
                async for _ in chunks:
                    pass

    await on(work)


# --- used wrongly --------------------------------------------------------------------------------------------------------


async def test_a_gateway_that_does_not_run_says_so():
    gateway = hoosh.Gateway(ENGINE + '[[budgets]]\nname = "default"\ncapacity = 1000\n')
    gateway.register("mine", parrot)

    async def refuses():
        with trio.fail_after(5):
            for ask in (gateway.models, partial(gateway.chat, model="parrot", messages=MESSAGES)):
                with pytest.raises(errors.InvalidRequest, match="does not run"):
                    await ask()
            with pytest.raises(errors.InvalidRequest, match="does not run"):
                async with gateway.stream(model="parrot", messages=MESSAGES) as chunks:
                    await chunks.__anext__()

    await refuses()
    async with gateway:
        assert await gateway.chat(model="parrot", messages=MESSAGES)
        with pytest.raises(errors.InvalidRequest, match="runs already"):
            await gateway.__aenter__()
    await refuses()


def test_a_sync_gateway_that_does_not_run_says_so():
    gateway = hoosh.SyncGateway(ENGINE)
    for _ in range(2):
        with pytest.raises(errors.InvalidRequest, match="does not run"):
            gateway.models()
        with gateway:
            assert gateway.models()


async def test_what_cannot_be_asked_is_an_invalid_request(upstream):
    async with hoosh.Gateway(named(upstream)) as gateway:
        with pytest.raises(errors.InvalidRequest, match=r"stream\(") as caught:
            await gateway.chat(model="fake-chat", messages=MESSAGES, stream=True)
        assert caught.value.param == "stream"
        endless: list[object] = []
        endless.append(endless)
        for stop in ({1, 2}, b"x", endless, float("nan")):
            with pytest.raises(errors.InvalidRequest):
                await gateway.chat(model="fake-chat", messages=MESSAGES, stop=stop)
        for messages in (None, 1, [{1, 2}]):
            with pytest.raises(errors.InvalidRequest):
                async with gateway.stream(model="fake-chat", messages=messages) as chunks:
                    await chunks.__anext__()
        assert await gateway.chat(model="fake-chat", messages=tuple(map(MappingProxyType, MESSAGES)))
        upstream.plan(status=400, body='{"error":{"message":"too long","code":"context_length_exceeded"}}')
        with pytest.raises(errors.InvalidRequest, match="too long") as caught:
            await gateway.chat(model="fake-chat", messages=MESSAGES)
        assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize("given", ["", Path("")], ids=repr)
def test_an_empty_name_is_no_configuration(given):
    with pytest.raises(errors.ConfigError):
        hoosh.Gateway(given)
