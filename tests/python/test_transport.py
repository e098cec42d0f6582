"""Calls of this program that native threads drive: left, stalled, cut off, misused; beside each other, and over again."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from functools import partial

import anyio
import pytest
import trio

import hoosh
from hoosh import errors

MESSAGES = [{"role": "user", "content": "Say hello"}]
BURST = [{"role": "user", "content": "word " * 200}]
"""The fake upstream says it again, word by word and without a pause."""
ENGINE = '[[providers]]\nname = "mine"\ntype = "engine"\nmodels = ["parrot"]\n'
NATIVE = partial(hoosh.Gateway, transport="native")
SYNC = partial(hoosh.SyncGateway, transport="native")


def named(*urls, more=""):
    # Their models are named, so that they are not asked for them, and each plan meets the request that it is meant for.
    one = '[[providers]]\nname = "{}"\ntype = "openai_compatible"\nbase_url = "{}"\nmodels = ["fake-chat"]\npriority = {}\n'
    return more + "".join(one.format(f"p{at}", url, at + 1) for at, url in enumerate(urls))


@pytest.fixture(params=["trio", "asyncio"])
def on(request):
    """Runs an async function on an event loop of either kind; the fake upstream stays on trio's."""

    async def run(work):
        with trio.fail_after(30):
            if request.param == "trio":
                return await work()
            return await trio.to_thread.run_sync(asyncio.run, work())

    return run


async def eventually(true):
    with anyio.fail_after(10):
        while not true():
            await anyio.sleep(0.005)


def words_of(chunk):
    return chunk["choices"][0]["delta"].get("content") or "" if chunk["choices"] else ""


def content(answer):
    return answer["choices"][0]["message"]["content"]


async def parrot(call):
    await call.text("Hello")
    await call.finish()


# --- chosen ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [hoosh.Gateway, hoosh.SyncGateway, lambda text, transport: hoosh.Server.builder().transport(transport)]
)
def test_an_unknown_transport_is_named_with_those_that_there_are(make):
    with pytest.raises(errors.ConfigError, match=r"no transport is called 'rust'; there are 'python', 'native'"):
        make(ENGINE, transport="rust")


async def test_the_builders_gateway_is_driven_natively_too(upstream, on):
    server = hoosh.Server.builder().config(named(upstream.url)).transport("native").build()

    async def work():
        async with server.running():
            assert content(await server.gateway.chat(model="fake-chat", messages=MESSAGES))
            async with server.gateway.stream(model="fake-chat", messages=MESSAGES) as chunks:
                assert "".join([words_of(chunk) async for chunk in chunks])

    await on(work)


async def test_hooks_of_a_provider_are_asked_on_the_event_loop(upstream, on):
    seen = []

    async def auth(request):
        seen.append(threading.get_ident())
        return {"authorization": "Bearer made-here"}

    hooked = hoosh.Provider(
        type="openai_compatible", name="one", base_url=upstream.url, models=["fake-chat"], auth=auth
    )
    server = hoosh.Server.builder().provider(hooked).transport("native").build()

    async def work():
        async with server.running():
            assert content(await server.gateway.chat(model="fake-chat", messages=MESSAGES))
            return threading.get_ident()

    assert await on(work) == seen[0]
    assert upstream.requests[0].header("authorization") == "Bearer made-here"


async def test_what_is_asked_beside_chats_is_answered(upstream, on):
    async def work():
        async with NATIVE(named(upstream.url)) as gateway:
            assert [model["id"] for model in await gateway.models()] == ["fake-chat"]
            assert (await gateway.capabilities())[0]["name"] == "p0"
            question = {"endpoint": "chat", "body": {"model": "fake-chat", "messages": MESSAGES}}
            assert "p0" in str(await gateway.explain(question))
            await eventually(lambda: len(gateway.requests) == 3)

    await on(work)


async def test_a_reload_holds_for_what_begins_after_it(upstream, on):
    async def work():
        async with NATIVE(named("http://127.0.0.1:9", more="[retry]\nmax_attempts = 1\n")) as gateway:
            with pytest.raises(errors.ProviderUnavailable):
                await gateway.chat(model="fake-chat", messages=MESSAGES)
            gateway._driver.reload(hoosh.Config.parse(named(upstream.url), {}))
            assert content(await gateway.chat(model="fake-chat", messages=MESSAGES))

    await on(work)


# --- left --------------------------------------------------------------------------------------------------------------


async def test_a_call_that_is_cancelled_ends_its_upstream_at_once(upstream, on):
    upstream.plan(stall="head")

    async def work():
        async with NATIVE(named(upstream.url)) as gateway:
            with anyio.move_on_after(0.2) as scope:
                await gateway.chat(model="fake-chat", messages=MESSAGES)
            assert scope.cancelled_caught
            await eventually(lambda: gateway.ledger)
            assert gateway.ledger[0]["ending"] == "dropped"
            await eventually(lambda: gateway._driver.gateway.open_exchanges() == 0)
            assert not gateway._driver.callers
            await eventually(lambda: upstream.requests[0].closed_at is not None)

    await on(work)


async def test_a_stream_that_is_left_ends_its_upstream_at_once(upstream, on):
    upstream.plan(stall="body", stall_after=3)

    async def work():
        async with NATIVE(named(upstream.url)) as gateway:
            async with gateway.stream(model="fake-chat", messages=BURST) as chunks:
                async for _ in chunks:
                    break
            await eventually(lambda: gateway.ledger)
            assert gateway.ledger[0]["ending"] == "dropped"
            await eventually(lambda: upstream.requests[0].closed_at is not None)
            # The gateway serves on.
            assert content(await gateway.chat(model="fake-chat", messages=MESSAGES))

    await on(work)


async def test_a_gateway_that_ends_ends_what_others_still_ask(upstream, on):
    upstream.plan(stall="head")
    ended = []

    async def ask(gateway):
        try:
            await gateway.chat(model="fake-chat", messages=MESSAGES)
        except errors.HooshError as error:
            ended.append(error.code)

    async def work():
        async with anyio.create_task_group() as tasks, NATIVE(named(upstream.url)) as gateway:
            tasks.start_soon(ask, gateway)
            await eventually(lambda: gateway._driver.gateway.open_exchanges() == 1)

    await on(work)
    assert ended == ["draining"]


def test_a_blocked_thread_hears_an_interrupt(tmp_path):
    program = f"""
import os, signal, sys, threading, time
import hoosh
began = threading.Event()
async def slow(call):
    began.set()
    import trio
    await trio.sleep_forever()
def interrupt():
    began.wait(10)
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)
gateway = hoosh.SyncGateway({ENGINE!r}, transport="native").start()
gateway.register("mine", slow)
threading.Thread(target=interrupt).start()
try:
    gateway.chat(model="parrot", messages={MESSAGES!r})
except KeyboardInterrupt:
    print("heard")
gateway.close()
print([row["ending"] for row in gateway.ledger])
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, env=environment, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert done.stdout == "heard\n['dropped']\n", done.stderr


# --- upstreams that fail -----------------------------------------------------------------------------------------------


async def test_an_upstream_that_stalls_is_given_up_by_its_deadline(upstream, on):
    upstream.plan(stall="body", stall_after=2)

    async def work():
        async with NATIVE(named(upstream.url, more="[deadlines]\nidle_secs = 1\n")) as gateway:
            with pytest.raises(errors.ProviderTimeout):
                async with gateway.stream(model="fake-chat", messages=BURST) as chunks:
                    async for _ in chunks:
                        pass

    await on(work)


@pytest.mark.parametrize("streams", [False, True])
async def test_an_upstream_that_dies_is_told_or_another_asked(upstream, on, streams):
    upstream.plan(reset_after=200)

    async def work():
        async with NATIVE(named(upstream.url, upstream.url)) as gateway:
            if not streams:
                assert content(await gateway.chat(model="fake-chat", messages=BURST))
                return
            with pytest.raises(errors.ProviderError) as caught:
                async with gateway.stream(model="fake-chat", messages=BURST) as chunks:
                    async for _ in chunks:
                        pass
            assert caught.value.code == "upstream_truncated"

    if streams:
        upstream.reset()
        upstream.plan(reset_after=5_000)
    await on(work)


# --- misused -----------------------------------------------------------------------------------------------------------


async def test_another_event_loop_is_told_to_enter_a_gateway_of_its_own(upstream):
    async with NATIVE(named(upstream.url)) as gateway:

        async def elsewhere():
            with pytest.raises(errors.InvalidRequest, match="event loop that entered it"):
                await gateway.chat(model="fake-chat", messages=MESSAGES)
            with pytest.raises(errors.InvalidRequest, match="event loop that entered it"):
                async with gateway.stream(model="fake-chat", messages=MESSAGES):
                    pass

        await trio.to_thread.run_sync(asyncio.run, elsewhere())
        assert content(await gateway.chat(model="fake-chat", messages=MESSAGES))


async def test_two_event_loops_have_a_gateway_each(upstream):
    async def ask(count):
        async with NATIVE(named(upstream.url)) as gateway:
            for _ in range(count):
                assert content(await gateway.chat(model="fake-chat", messages=MESSAGES))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, 20)
        nursery.start_soon(trio.to_thread.run_sync, asyncio.run, ask(20))


async def test_after_its_end_it_says_so_and_may_be_entered_again(upstream, on):
    async def work():
        gateway = NATIVE(named(upstream.url))
        for _ in range(2):
            async with gateway:
                assert content(await gateway.chat(model="fake-chat", messages=MESSAGES))
            with pytest.raises(errors.InvalidRequest, match="does not run"):
                await gateway.chat(model="fake-chat", messages=MESSAGES)
        gateway.close()
        with pytest.raises(errors.InvalidRequest, match="closed"):
            await gateway.__aenter__()

    await on(work)


# --- many --------------------------------------------------------------------------------------------------------------


async def test_two_hundred_calls_at_once(upstream, on):
    got = []

    async def ask(gateway, number):
        said = [{"role": "user", "content": f"number {number}"}]
        if number % 2:
            got.append((number, content(await gateway.chat(model="fake-chat", messages=said))))
            return
        async with gateway.stream(model="fake-chat", messages=said) as chunks:
            got.append((number, "".join([words_of(chunk) async for chunk in chunks])))

    async def work():
        async with NATIVE(named(upstream.url)) as gateway:
            async with anyio.create_task_group() as tasks:
                for number in range(200):
                    tasks.start_soon(ask, gateway, number)
            await eventually(lambda: len(gateway.ledger) == 200)
            assert gateway._driver.gateway.open_exchanges() == 0

    await on(work)
    assert sorted(number for number, _ in got) == list(range(200))
    assert all(f"number {number}" in words for number, words in got)


async def test_fifty_threads_ask_one_gateway(upstream):
    def ask(gateway, number):
        said = [{"role": "user", "content": f"number {number}"}]
        assert f"number {number}" in content(gateway.chat(model="fake-chat", messages=said))
        with gateway.stream(model="fake-chat", messages=said) as chunks:
            assert f"number {number}" in "".join(map(words_of, chunks))

    def work():
        with SYNC(named(upstream.url)) as gateway:
            failed = []

            def one(number):
                try:
                    ask(gateway, number)
                except BaseException as error:
                    failed.append(error)

            threads = [threading.Thread(target=one, args=(number,)) for number in range(50)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not failed

    await trio.to_thread.run_sync(work)


async def test_two_streams_of_one_thread_take_turns(upstream):
    def work():
        asking = {"model": "fake-chat", "messages": BURST}
        with SYNC(named(upstream.url)) as gateway, gateway.stream(**asking) as one, gateway.stream(**asking) as other:
            pairs = list(zip(one, other, strict=True))
        assert "".join(words_of(chunk) for chunk, _ in pairs) == "".join(words_of(chunk) for _, chunk in pairs)

    await trio.to_thread.run_sync(work)


async def test_who_takes_nothing_stops_its_own_upstream_and_no_other(upstream, on):
    # More than the buffers of two sockets hold and the core lets lie.
    long = [{"role": "user", "content": ("x" * 8_000 + " ") * 3_000}]

    async def work():
        async with NATIVE(named(upstream.url)) as gateway:
            async with gateway.stream(model="fake-chat", messages=long) as slow:
                await slow.__anext__()
                for _ in range(20):
                    assert content(await gateway.chat(model="fake-chat", messages=MESSAGES))
                assert gateway._driver.gateway.open_exchanges() == 1
                assert upstream.requests[0].answered_at is None
                words = [words_of(chunk) async for chunk in slow]
            assert sum(map(len, words)) >= 24_000_000

    await on(work)


async def test_a_caller_that_takes_nothing_is_cut_off_after_what_is_there(upstream, on):
    async def work():
        text = named(upstream.url, more="[deadlines]\ncaller_stall_secs = 1\n")
        async with NATIVE(text) as gateway, gateway.stream(model="fake-chat", messages=BURST) as chunks:
            await chunks.__anext__()
            await eventually(lambda: gateway._driver.gateway.open_exchanges() == 0)
            taken = 0
            with pytest.raises(errors.RequestError, match="caller_stall_secs"):
                async for _ in chunks:
                    taken += 1
            assert taken > 0

    await on(work)


async def test_what_a_store_keeps_is_there_for_the_next(upstream, tmp_path, on):
    text = named(upstream.url, more=f"[storage]\npath = '{tmp_path / 'hoosh.db'}'\n")

    async def work():
        for count in (1, 2):
            async with NATIVE(text) as gateway:
                assert content(await gateway.chat(model="fake-chat", messages=MESSAGES))
                await eventually(lambda count=count, gateway=gateway: len(gateway.ledger) == count)

    await on(work)
    assert hoosh.store.check(tmp_path / "hoosh.db")["problems"] == []
