"""Engines of this process: what is written in Rust has its words carried without Python, and what Python's may say."""

import asyncio
import threading

import anyio
import pytest

import hoosh
from hoosh import errors
from hoosh._driver.native import EngineFailed
from hoosh._driver.tasks import now
from hoosh._native import HEAVIEST
from hoosh._native import test_engine as scripted

pytestmark = pytest.mark.usefixtures("transport")

MESSAGES = [{"role": "user", "content": "hi"}]
ENGINE = """
[retry]
max_attempts = 1
[[providers]]
name = "mine"
type = "engine"
models = ["parrot"]
"""
HELLO = [("text", "Hel"), ("text", "lo"), ("finish", "stop"), ("usage", "3 2")]


async def ask(gateway, **fields):
    return await gateway.chat(model="parrot", messages=MESSAGES, **fields)


async def words(gateway):
    async with gateway.stream(model="parrot", messages=MESSAGES) as chunks:
        return [chunk["choices"][0]["delta"].get("content") or "" async for chunk in chunks]


async def test_its_words_come_whole_and_streamed():
    engine, gauge = scripted([("reasoning", "hm"), *HELLO])
    async with hoosh.Gateway(ENGINE) as gateway:
        gateway.register("mine", engine)
        answer = await ask(gateway)
        assert answer["choices"][0]["message"] == {"role": "assistant", "content": "Hello", "reasoning_content": "hm"}
        assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        assert await words(gateway) == ["", "Hel", "lo", ""]
        assert gauge.alive() == 0


def test_it_answers_on_asyncio_and_without_a_loop():
    engine, _ = scripted(HELLO)

    async def run():
        async with hoosh.Gateway(ENGINE) as gateway:
            gateway.register("mine", engine)
            return await words(gateway)

    assert asyncio.run(run()) == ["Hel", "lo", ""]
    with hoosh.SyncGateway(ENGINE) as gateway:
        gateway.register("mine", engine)
        assert gateway.chat(model="parrot", messages=MESSAGES)["choices"][0]["message"]["content"] == "Hello"


async def test_many_at_once_each_get_their_own():
    engine, gauge = scripted([("text", "word ")] * 200 + HELLO[2:])
    async with hoosh.Gateway(ENGINE) as gateway:
        gateway.register("mine", engine)
        got = []

        async def one():
            got.append("".join(await words(gateway)))

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(one)
        assert got == ["word " * 200] * 20
        assert gauge.alive() == 0


async def test_it_is_not_read_faster_than_its_words_are_taken():
    """More than all windows on the way, so that the engine waits for its reader."""
    piece = "x" * 1000
    engine, gauge = scripted([("text", piece)] * 2000 + HELLO[2:])
    async with hoosh.Gateway(ENGINE) as gateway:
        gateway.register("mine", engine)
        async with gateway.stream(model="parrot", messages=MESSAGES) as chunks:
            await chunks.__anext__()
            await anyio.sleep(0.05)
            assert gauge.alive() == 1, "it has not said all"
            rest = [chunk["choices"][0]["delta"].get("content") or "" async for chunk in chunks]
        assert len("".join(rest)) == 1999 * len(piece)
        assert gauge.alive() == 0


@pytest.mark.parametrize("size", [HEAVIEST + 1, 5 * HEAVIEST])
async def test_an_item_heavier_than_a_window_comes_through(size):
    engine, _ = scripted([("text", "a" * (HEAVIEST - 1)), ("text", "b" * size), *HELLO[2:]])

    async def python(call):
        await call.text("a" * (HEAVIEST - 1))
        await call.text("b" * size)
        await call.finish()

    for mine in (engine, python):
        async with hoosh.Gateway(ENGINE) as gateway:
            gateway.register("mine", mine)
            with anyio.fail_after(20):
                assert len("".join(await words(gateway))) == HEAVIEST - 1 + size


@pytest.mark.parametrize("streams", [False, True])
async def test_what_it_refuses_is_told_in_its_words(streams):
    async def python(call):
        await call.refuse(400, "scripted", "The script says 400.")

    native, gauge = scripted([("refuse", "400")])
    for engine in (native, python):
        async with hoosh.Gateway(ENGINE) as gateway:
            gateway.register("mine", engine)
            with pytest.raises(errors.InvalidRequest, match=r"The script says 400\.") as caught:
                await (words(gateway) if streams else ask(gateway))
            assert (caught.value.code, caught.value.status) == ("scripted", 400)
    assert gauge.alive() == 0


async def test_when_it_is_full_the_caller_is_told_when_to_come_again():
    async def python(call):
        await call.refuse(429, "scripted", "Full.", 7)

    for engine in (scripted([("refuse", "429")])[0], python):
        async with hoosh.Gateway(ENGINE) as gateway:
            gateway.register("mine", engine)
            with pytest.raises(errors.HooshError) as caught:
                await ask(gateway)
            assert (caught.value.code, caught.value.retry_after) == ("upstream_rate_limited", 7)


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ([("fail", "a wheel came off")], "a wheel came off"),
        ([("panic", "")], "the engine panicked: as the script says"),
    ],
)
@pytest.mark.parametrize("begun", [False, True])
async def test_one_that_breaks_is_an_attempt_that_failed(script, cause, begun, transport, capfd):
    engine, gauge = scripted([*HELLO[:1] * begun, *script])
    async with hoosh.Gateway(ENGINE) as gateway:
        gateway.register("mine", engine)
        with pytest.raises(errors.ProviderUnavailable, match="engine failed") as caught:
            await ask(gateway)
        assert gauge.alive() == 0
        if transport == "native":
            # It answers without Python, so that its words are the operator's, as behind the port.
            gateway._driver.inside.flush(5)
            assert cause.removeprefix("the engine panicked: ") in capfd.readouterr().err
            return
        assert isinstance(caught.value.__cause__, EngineFailed)
        assert str(caught.value.__cause__) == cause


async def test_a_caller_that_leaves_stops_it():
    engine, gauge = scripted([*HELLO[:2], ("silence", "")])
    async with hoosh.Gateway(ENGINE) as gateway:
        gateway.register("mine", engine)
        async with gateway.stream(model="parrot", messages=MESSAGES) as chunks:
            await chunks.__anext__()
            assert gauge.alive() == 1
        with anyio.fail_after(5):
            while gauge.alive():
                await anyio.sleep(0.01)


async def test_a_silent_one_is_given_up():
    engine, gauge = scripted([("silence", "")])
    async with hoosh.Gateway("[deadlines]\nfirst_byte_secs = 1\n" + ENGINE) as gateway:
        gateway.register("mine", engine)
        with pytest.raises(errors.HooshError) as caught:
            await ask(gateway)
        assert caught.value.code == "upstream_timeout"
        with anyio.fail_after(5):
            while gauge.alive():
                await anyio.sleep(0.01)
        engine, _ = scripted(HELLO)
        gateway.register("mine", engine)
        assert (await ask(gateway))["choices"][0]["message"]["content"] == "Hello", "its place is free"


async def test_python_says_what_an_engine_may_say():
    async def thoughtful(call):
        await call.reasoning("hm")
        await call.text("né", logprobs=[("n", b"n", -0.5, [("n", b"n", -0.5)]), ("é", "é".encode(), -1.5, [])])
        await call.finish()
        await call.usage(4, 2, cached_tokens=3)

    async with hoosh.Gateway(ENGINE) as gateway:
        gateway.register("mine", thoughtful)
        answer = await ask(gateway)
        choice = answer["choices"][0]
        assert choice["message"]["reasoning_content"] == "hm"
        second = {"token": "é", "logprob": -1.5, "bytes": [195, 169], "top_logprobs": []}
        assert choice["logprobs"]["content"][1] == second
        assert answer["usage"]["prompt_tokens_details"] == {"cached_tokens": 3}


def test_what_it_has_is_told_and_loaded():
    engine, _ = scripted([])
    [card] = engine.cards()
    wanted = {"model": "scripted", "context": 4096, "chat": True, "tools": False, "quantization": "F16", "loaded": True}
    assert {name: card[name] for name in wanted} == wanted
    steps = []
    assert engine.load("scripted", lambda done, of: steps.append((done, of))) is None
    assert steps == [(1, 2), (2, 2)]
    assert engine.load("other") == (404, "model_not_found", "There is no other.", None)
    assert engine.unload("scripted")
    assert not engine.unload("other")


async def test_its_models_are_loaded_by_the_gateway_too():
    engine, _ = scripted([])
    steps = []
    async with hoosh.Gateway(ENGINE) as gateway:
        gateway.register("mine", engine)
        await gateway.load("mine", "scripted", lambda done, of: steps.append((done, of)))
        assert steps == [(1, 2), (2, 2)]
        await gateway.unload("mine", "scripted")
        with pytest.raises(hoosh.Refused, match="There is no other") as caught:
            await gateway.load("mine", "other")
    assert (caught.value.status, caught.value.code) == (404, "model_not_found")


def test_progress_that_raises_is_raised_once():
    engine, _ = scripted([])
    calls = []

    def progress(done, of):
        calls.append(threading.get_ident())
        raise KeyError("canary")

    with pytest.raises(KeyError, match="canary"):
        engine.load("scripted", progress)
    assert len(calls) == 1


async def test_what_it_reports_is_listed_and_told():
    engine, _ = scripted(HELLO)
    async with hoosh.Gateway('[[providers]]\nname = "mine"\ntype = "engine"\n') as gateway:
        gateway.register("mine", engine)
        assert [model["id"] for model in await gateway.models()] == ["scripted"]
        with pytest.raises(errors.UnknownModel):
            await ask(gateway)
        answer = await gateway.chat(model="scripted", messages=MESSAGES)
        assert answer["choices"][0]["message"]["content"] == "Hello"
        with pytest.raises(errors.InvalidRequest) as caught:
            await gateway.embed(model="scripted", input="a")
        assert caught.value.code == "unsupported_by_model"
        [provider] = await gateway.capabilities()
        assert (provider["name"], provider["kind"], provider["health"]["status"]) == ("mine", "engine", "up")
        [model] = provider["models"]
        assert model["quantization"] == {"value": "F16", "source": "probed"}
        assert model["max_output"] == {"value": None, "source": "unknown"}


async def test_an_engine_of_python_reports_by_dicts():
    async with hoosh.Gateway('[[providers]]\nname = "mine"\ntype = "engine"\n') as gateway:
        report = gateway._driver.gateway.report_cards
        report("mine", [{"model": "words", "chat": True, "context": 10, "quantization": None}], *now())
        assert [model["id"] for model in await gateway.models()] == ["words"]
        for wrong in ({}, {"model": 3}, {"model": "m", "chat": "yes"}, {"model": "m", "context": -1}):
            with pytest.raises(ValueError, match="of a model is missing"):
                report("mine", [wrong], *now())
        assert [model["id"] for model in await gateway.models()] == ["words"]
