"""The gateway in process, on trio and on asyncio, and its sync face."""

import asyncio
import os

import pytest
import trio
from tests.python.conftest import provider

import hoosh
from hoosh import errors
from hoosh._driver import steps
from hoosh._native import step_names

MESSAGES = [{"role": "user", "content": "Say hello"}]
ENGINE = '[[providers]]\nname = "mine"\ntype = "engine"\nmodels = ["parrot"]\n'


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


async def test_an_engine_that_raises_is_an_attempt_that_failed():
    async def broken(call):
        raise RuntimeError("no")

    async with hoosh.Gateway("[retry]\nmax_attempts = 1\n" + ENGINE) as gateway:
        gateway.register("mine", broken)
        with pytest.raises(errors.ProviderError):
            await gateway.chat(model="parrot", messages=MESSAGES)


def test_it_runs_on_asyncio_too():
    async def run():
        async with hoosh.Gateway(ENGINE) as gateway:
            gateway.register("mine", parrot)
            return await gateway.chat(model="parrot", messages=MESSAGES)

    assert asyncio.run(run())["choices"][0]["message"]["content"] == "Hello"


def test_the_sync_face():
    with hoosh.SyncGateway(ENGINE) as gateway:
        gateway._gateway.register("mine", parrot)
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
