"""Engines in a process of their own: they answer as others do, and whatever becomes of the process costs nobody else."""

import asyncio
import gc
import logging
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2
import openai
import pytest
import trio
from tests.python.conftest import serving
from tests.python.engines import ONCE
from tests.python.hosted import CONFIG, Apart

import hoosh
from hoosh import errors
from hoosh.engines import ChatRequest
from hoosh.engines.host import hosted, process

ROOT = Path(__file__).parents[2]
BUDGET = '[[budgets]]\nname = "default"\ncapacity = 100_000\nslice = 50_000\n'


def told(*words):
    return {"model": "m", "messages": [{"role": "user", "content": " ".join(words)}]}


class Asked:
    """A gateway with the engine, on its port."""

    def __init__(self, app, http, sdk):
        self.app, self.http, self.sdk = app, http, sdk

    @property
    def engine(self):
        return self.app.driver.engines.plugged("apart").engine

    async def post(self, *words, **more):
        return await self.http.post("/v1/chat/completions", json={**told(*words), **more})

    async def words(self, *words, **more):
        answer = await self.post(*words, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()["choices"][0]["message"]["content"]

    async def stream(self, *words):
        return await self.sdk.chat.completions.create(**told(*words), stream=True)

    async def settled(self):
        with trio.fail_after(20):
            while self.app.driver.gateway.open_exchanges():
                await trio.sleep(0.01)


@asynccontextmanager
async def asked(text=ONCE + CONFIG):
    async with (
        serving(text) as (url, app),
        httpx2.AsyncClient(base_url=url, timeout=60) as http,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) as sdk,
    ):
        yield Asked(app, http, sdk)


async def gone(pid):
    """Wait until a process is no more; a zombie is none."""
    with trio.fail_after(20):
        while alive(pid):
            await trio.sleep(0.01)


async def logged(caplog, words):
    with trio.fail_after(20):
        while words not in caplog.text:
            await trio.sleep(0.01)


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


# --- it answers --------------------------------------------------------------------------------------------------------


async def test_it_answers_as_an_engine_of_this_process_does():
    async with asked() as it:
        answer = (await it.post("say", "a", "b")).json()
        assert answer["choices"][0]["message"]["content"] == "a b "
        assert answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"] == (7, 2)
        chunks = [chunk async for chunk in await it.stream("say", "a", "b")]
        assert "".join(c.choices[0].delta.content or "" for c in chunks) == "a b "
        (choice,) = (await it.post("everything")).json()["choices"]
        assert choice["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
        assert (choice["message"]["content"], choice["finish_reason"]) == ("text", "tool_calls")
        (choice,) = (await it.post("likely", logprobs=True, top_logprobs=2)).json()["choices"]
        first, second, third = choice["logprobs"]["content"]
        assert (first["token"], first["logprob"], first["bytes"]) == ("a", -0.5, [97])
        assert [(one["token"], one["logprob"]) for one in first["top_logprobs"]] == [("a", -0.5), ("c", -1.5)]
        assert (second["token"], third["bytes"]) == ("b", [0xF0])
        said = await it.words("fields", temperature=0.5, seed=4, max_tokens=9, user="me")
        assert said == "0.5 4 9 me 0"
        several = (await it.post("fields", n=2, seed=4, user="me")).json()["choices"]
        assert [one["message"]["content"] for one in several] == ["None 4 None me 0", "None 5 None me 1"]
        done = await it.http.post("/v1/completions", json={"model": "m", "prompt": "p"})
        assert done.json()["choices"][0]["text"] == "[p]"
        made = await it.sdk.embeddings.create(model="e", input=["a", "bcd"], encoding_format="float")
        assert [one.embedding for one in made.data] == [[1.0, 0.5], [3.0, 0.5]]
        assert {model.id async for model in it.sdk.models.list()} >= {"m", "e"}


async def test_its_refusals_and_failures_are_those_of_any_engine(caplog):
    async with asked() as it:
        refused = await it.post("refuse")
        assert (refused.status_code, refused.json()["error"]["message"]) == (413, "too much of it")
        for words in (["fail"], ["fail", "a"], ["leave"], ["bytes"], ["surrogate"]):
            failed = await it.post(*words)
            assert (failed.status_code, failed.json()["error"]["code"]) == (502, "upstream_error"), words
            assert "canary" not in failed.text
            await it.words("say", "a")  # so that no five are in a row
        assert "ValueError: canary" in caplog.text
        assert "SystemExit: canary" in caplog.text
        assert "not of bytes" in caplog.text
        assert "half of a surrogate pair" in caplog.text


async def test_its_process_begins_with_the_first_call_and_is_apart():
    async with asked() as it:
        pid = int(await it.words("pid"))
        assert pid == it.engine.pid != os.getpid()
        assert int(await it.words("pid")) == pid
        assert os.getsid(pid) == pid != os.getsid(0)  # a terminal's interrupt does not reach it
        assert os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
        assert int(await it.words("pid")) == pid
    assert not alive(pid)


async def test_no_process_begins_before_anybody_asks():
    engine = Apart()
    server = hoosh.Server.builder().provider(hoosh.Provider(type="engine", name="apart", engine=Idle(engine))).build()
    async with server.running():
        assert engine.pid is None
        await server.gateway.chat(**told("say", "a"))
        assert engine.pid is not None
        await engine.close()


class Idle:
    """An engine that knows its models without a process, as that of llama.cpp does."""

    def __init__(self, engine):
        self.chat = engine.chat


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
async def test_it_needs_no_loop_in_particular(backend):
    async def work():
        async with hoosh.Gateway(ONCE + CONFIG) as gateway:
            answer = await gateway.chat(**told("say", "a"))
            assert answer["choices"][0]["message"]["content"] == "a "
            with pytest.raises(errors.ProviderUnavailable) as caught:
                await gateway.chat(**told("die"))
            assert "was ended by SIGABRT" in str(caught.value.__cause__)
            assert (await gateway.embed(model="e", input=["a"]))["data"]

    with trio.fail_after(60):
        if backend == "trio":
            await work()
        else:
            await trio.to_thread.run_sync(asyncio.run, work())


async def test_loading_is_told_of():
    told_of = []
    async with hoosh.Gateway(CONFIG) as gateway:
        await gateway.load("apart", "m", lambda done, whole: told_of.append((done, whole)))
        assert told_of == [(0, 3), (1, 3), (2, 3), (3, 3)]
        answer = await gateway.chat(**told("counts"))
        assert answer["choices"][0]["message"]["content"] == "0 0 1"
        await gateway.unload("apart", "m")
        answer = await gateway.chat(**told("counts"))  # which loads it again
        assert answer["choices"][0]["message"]["content"] == "0 0 1"


async def test_nothing_is_let_go_where_there_is_no_process():
    engine = Apart()
    await engine.unload("m")
    assert engine.pid is None


async def test_what_it_prints_is_in_nobodys_way():
    async with asked() as it:
        assert await it.words("print") == "done"


# --- it is left, and left alone ----------------------------------------------------------------------------------------


async def test_a_caller_that_leaves_ends_its_call():
    async with asked() as it:
        stream = await it.stream("wait", "a")
        async for _ in stream:
            break
        await stream.close()
        with trio.fail_after(20):
            while not (await it.words("counts")).startswith("1 "):
                await trio.sleep(0.01)


async def test_an_answer_goes_no_further_ahead_than_it_is_read():
    async with asked() as it, it.http.stream("POST", "/v1/chat/completions", json={**told("endless"), "stream": True}):
        said = -1
        with trio.fail_after(20):
            while (now := int((await it.words("counts")).split()[1])) != said:
                said = now
                await trio.sleep(0.2)
        # A mebibyte in its process, and what the gateway and the system hold of a stream.
        assert said < 20_000
        pid = it.engine.pid
    assert not alive(pid)


async def test_a_call_that_never_ends_costs_its_process_once_nobody_wants_it(monkeypatch, caplog):
    monkeypatch.setattr(process, "STUCK_SECONDS", 0.1)
    async with asked() as it:
        stream = await it.stream("hang", "a")
        async for _ in stream:
            break
        pid = it.engine.pid
        await stream.close()
        await gone(pid)
        assert int(await it.words("pid")) != pid
        await logged(caplog, "did not end what nobody wanted any more")


async def test_an_idle_process_ends_and_begins_again():
    async with hoosh.Gateway(ONCE + '[[providers]]\nname = "apart"\ntype = "engine"\n') as gateway:
        engine = hosted.Hosted("tests.python.hosted:Told", {}, idle_seconds=0.05)
        gateway.register("apart", engine)
        first = (await gateway.chat(**told("pid")))["choices"][0]["message"]["content"]
        await gone(int(first))
        assert engine.pid is None
        second = (await gateway.chat(**told("pid")))["choices"][0]["message"]["content"]
        assert first != second
        await engine.close()


# --- it dies -----------------------------------------------------------------------------------------------------------


async def test_a_killed_process_costs_its_calls_a_clean_error_and_no_more(caplog):
    async with asked(ONCE + CONFIG + BUDGET) as it:
        pid = int(await it.words("pid"))
        stream = await it.stream("wait", "a")
        async for _ in stream:
            break
        whole = []

        async def waits():
            whole.append(await it.post("wait"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(waits)
            with trio.fail_after(20):
                while len(it.engine._process._calls) < 2:
                    await trio.sleep(0.01)
            os.kill(pid, signal.SIGKILL)
        assert (whole[0].status_code, whole[0].json()["error"]["code"]) == (502, "upstream_error")
        with pytest.raises(openai.APIError) as caught:
            async for _ in stream:
                pass
        assert caught.value.code == "upstream_error"
        await it.settled()
        (pool,) = (await it.http.get("/v1/tokens/pools")).json()["pools"]
        assert pool["reserved"] == 0
        await logged(caplog, "its process was ended by SIGKILL; it begins again with the next request")
        assert int(await it.words("pid")) != pid


async def test_with_tries_left_nobody_notices():
    async with asked(CONFIG) as it:
        pid = int(await it.words("pid"))
        os.kill(pid, signal.SIGKILL)
        assert await it.words("say", "a") == "a "


async def test_its_last_words_are_logged_and_no_caller_sees_them(caplog):
    async with asked() as it:
        answer = await it.post("die")
        assert answer.status_code == 502
        assert "last words" not in answer.text
        await logged(caplog, "was ended by SIGABRT; it printed last: first line | last words [31m")


async def test_one_that_dies_again_and_again_rests(monkeypatch, caplog):
    monkeypatch.setattr(hosted, "FIRST_REST_SECONDS", 1000.0)
    monkeypatch.setattr(hosted, "LONGEST_REST_SECONDS", 4000.0)
    async with asked() as it:
        assert [(await it.post("die")).status_code for _ in range(2)] == [502, 502]
        answer = await it.post("say", "a")
        assert answer.json()["error"]["code"] == "upstream_error"
        assert it.engine.pid is None
        assert caplog.text.count("its process was ended") == 2
        assert "it begins again after 1000 s" in caplog.text
        it.engine._rests_until = 0.0
        assert await it.words("say", "a") == "a "
        # An answer makes it a first death again.
        assert (await it.post("die")).status_code == 502
        assert await it.words("say", "a") == "a "


async def test_each_death_in_a_row_doubles_its_rest():
    engine = Apart()
    rests = []
    for _ in range(9):
        engine._dies()
        rests.append(round(engine._rest()))
    assert rests == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    engine._answered()
    engine._dies()
    assert engine._rest() == 0


WRONG = {
    "garbage": "does not keep to the protocol: a message is no JSON",
    "array": "does not keep to the protocol: a message is no JSON object",
    "huge": "does not keep to the protocol: a message between hoosh and its engine has more than 64 MiB",
    "half": "its process ended with status 0",
    "stranger": "does not keep to the protocol: it answers what nobody asked",
    "nonsense": "does not keep to the protocol: it says what has no meaning",
    "flood": "does not keep to the protocol: it says more than is taken",
}


@pytest.mark.parametrize(("does", "words"), WRONG.items(), ids=WRONG)
async def test_one_that_does_not_keep_to_the_protocol_is_ended(does, words, caplog):
    async with asked() as it:
        pid = int(await it.words("pid"))
        if does == "flood":  # of a caller who takes nothing
            async with it.http.stream("POST", "/v1/chat/completions", json={**told(does), "stream": True}):
                await gone(pid)
        else:
            answer = await it.post(does)
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_error")
        await gone(pid)
        await logged(caplog, words)
        await it.settled()
        assert int(await it.words("pid")) != pid


async def test_what_is_said_and_is_nothing_fails_the_call():
    async with asked() as it:
        answer = await it.post("kinds")
        assert answer.status_code == 502
        assert await it.words("say", "a") == "a "


@pytest.mark.parametrize(
    ("options", "target", "words"),
    [
        ({"broken": "canary"}, "tests.python.hosted:Told", "ValueError: canary"),
        ({"unknown": 1}, "tests.python.hosted:Told", "unexpected keyword argument 'unknown'"),
        ({}, "tests.python.hosted:Nobody", "has no attribute 'Nobody'"),
        ({}, "tests.python.nowhere:Told", "No module named 'tests.python.nowhere'"),
    ],
)
async def test_an_engine_that_cannot_be_made_there(options, target, words, caplog):
    async with hoosh.Gateway(ONCE + '[[providers]]\nname = "apart"\ntype = "engine"\n') as gateway:
        gateway.register("apart", hosted.Hosted(target, options))
        with pytest.raises(errors.ProviderUnavailable) as caught:
            await gateway.chat(**told("say", "a"))
        assert words in str(caught.value.__cause__)
        assert "Traceback" in caplog.text


def test_options_that_are_no_json():
    with pytest.raises(errors.ConfigError, match="go to another process, as JSON"):
        hosted.Hosted("a:B", {"path": Path()})


async def test_an_interpreter_that_is_not_there():
    async with hoosh.Gateway(ONCE + '[[providers]]\nname = "apart"\ntype = "engine"\n') as gateway:
        gateway.register("apart", hosted.Hosted("a:B", {}, python="/nowhere/python"))
        with pytest.raises(errors.ProviderUnavailable) as caught:
            await gateway.chat(**told("say", "a"))
        assert isinstance(caught.value.__cause__, FileNotFoundError)


# --- no process is left behind -----------------------------------------------------------------------------------------

GATEWAY = """
import trio
from hoosh.engines import ChatRequest
from tests.python.hosted import Apart

async def main():
    engine = Apart()
    words = ({"role": "user", "content": "DOES"},)
    async for piece in await engine.chat(ChatRequest(model="m", messages=words)):
        print(engine.pid, flush=True)
    await trio.sleep_forever()

trio.run(main)
"""


def program(code):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment)


@pytest.mark.parametrize("does", ["say a", "wait a", "hang a", "endless"])
async def test_it_ends_with_its_gateway_however_that_ends(does):
    with program(GATEWAY.replace("DOES", does)) as gateway:
        try:
            pid = int(await trio.to_thread.run_sync(gateway.stdout.readline))
            assert alive(pid)
        finally:
            gateway.kill()
        await gone(pid)


async def test_it_ends_with_an_engine_that_nobody_has_any_more():
    engine = Apart()
    answer = await engine.chat(ChatRequest(model="m", messages=({"role": "user", "content": "pid"},)))
    (said,) = [piece async for piece in answer]
    del engine, answer
    gc.collect()
    await gone(int(said.text))


async def test_a_closed_engine_answers_nobody():
    engine = Apart()
    await engine.models()
    pid = engine.pid
    await engine.close()
    assert not alive(pid)
    with pytest.raises(RuntimeError, match="closed"):
        await engine.models()
    await engine.close()


async def test_calls_that_begin_while_it_ends_are_answered_by_another(caplog):
    caplog.set_level(logging.CRITICAL, "hoosh")
    engine = hosted.Hosted("tests.python.hosted:Told", {}, idle_seconds=0.001)
    with anyio.fail_after(60):
        for _ in range(5):
            assert len(await engine.models()) == 2
            await anyio.sleep(0.001)
    await engine.close()


async def test_a_request_that_cannot_be_written_fails_alone(monkeypatch):
    async with asked() as it:
        pid = int(await it.words("pid"))
        monkeypatch.setattr("hoosh.engines.host.frames.LARGEST", 1000)
        answer = await it.post("say", "x" * 2000)
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_error")
        assert int(await it.words("pid")) == pid
