"""Engines written in Python, asked through the port by the official SDK, and in process on both event loops."""

import threading
import time

import anyio
import anyio.lowlevel
import openai
import pytest
import trio
from tests.python.conftest import serving
from tests.python.engines import ASK, ENGINE, MESSAGES, ONCE, AsyncParrot, Of, Parrot, pieces

import hoosh
from hoosh import errors
from hoosh.engines import Finish, Health, Reasoning, Text, ToolCall, Usage

pytestmark = pytest.mark.usefixtures("transport")

KINDS = {"sync": Parrot, "async": AsyncParrot}


@pytest.fixture(params=KINDS)
async def sdk(request):
    async with serving(ONCE + ENGINE) as (url, app):
        app.driver.engines["mine"] = KINDS[request.param]()
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) as client:
            yield client


async def text(gateway, **more):
    answer = await gateway.chat(**{**ASK, **more})
    return answer["choices"][0]["message"]["content"]


async def chunks_of(gateway, **more):
    async with gateway.stream(**{**ASK, **more}) as chunks:
        return [chunk async for chunk in chunks]


# --- through the port --------------------------------------------------------------------------------------------------


async def test_a_chat_a_stream_completions_and_vectors(sdk):
    whole = await sdk.chat.completions.create(**ASK)
    assert whole.choices[0].message.content == "Say hello "
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage.completion_tokens > 0  # counted, as the engine says nothing of it
    stream = await sdk.chat.completions.create(**ASK, stream=True)
    said = [chunk.choices[0].delta.content async for chunk in stream if chunk.choices]
    assert [word for word in said if word] == ["Say ", "hello "]
    done = await sdk.completions.create(model="m", prompt=["a", "b"], n=2)
    assert [choice.text for choice in done.choices] == ["[a]", "[a]", "[b]", "[b]"]
    assert {choice.finish_reason for choice in done.choices} == {"length"}
    # Each prompt's answers; the largest input and all outputs.
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (3, 16)
    made = await sdk.embeddings.create(model="e", input=["one", "three"], encoding_format="float")
    assert [item.embedding for item in made.data] == [[3.0, 1.0], [5.0, 1.0]]


async def test_every_answer_of_n_is_asked_for(sdk):
    whole = await sdk.chat.completions.create(**ASK, n=3)
    assert [choice.message.content for choice in whole.choices] == ["Say hello "] * 3


async def test_a_stop_string_is_never_leaked(sdk):
    stream = await sdk.chat.completions.create(**ASK, stream=True, stop=["y h", "zzz"])
    chunks = [chunk.choices[0] async for chunk in stream if chunk.choices]
    assert "".join(chunk.delta.content or "" for chunk in chunks) == "Sa"
    assert chunks[-1].finish_reason == "stop"
    # What only looked like the beginning of one is said in the end.
    whole = await sdk.chat.completions.create(**ASK, stop=["lo !", "o x"])
    assert whole.choices[0].message.content == "Say hello "


async def test_tools_are_called():
    calls = [
        ToolCall(0, name="weather", arguments='{"city":'),
        ToolCall(0, arguments='"Oslo"}'),
        ToolCall(1, id="mine", name="clock"),
    ]
    async with serving(ONCE + ENGINE) as (url, app), openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x") as client:
        app.driver.engines["mine"] = pieces(*calls)
        tool = {"type": "function", "function": {"name": "weather"}}
        whole = (await client.chat.completions.create(**ASK, tools=[tool])).choices[0]
        assert whole.finish_reason == "tool_calls"
        first, second = whole.message.tool_calls
        assert (first.function.name, first.function.arguments) == ("weather", '{"city":"Oslo"}')
        assert first.id.startswith("call_")
        assert (second.id, second.function.name, second.function.arguments) == ("mine", "clock", "")


async def test_a_model_that_it_does_not_have_is_not_found(sdk):
    # By the core, if it was told by then what there is, else by the engine.
    with pytest.raises(openai.NotFoundError) as caught:
        await sdk.chat.completions.create(model="mine/other", messages=MESSAGES)
    assert caught.value.code == "model_not_found"


async def test_a_model_that_nobody_was_told_of_is_named():
    async with hoosh.Gateway(ENGINE) as gateway:
        gateway.register("mine", Parrot())
        with pytest.raises(errors.HooshError, match="There is no model 'other' here, but m, e") as caught:
            await text(gateway, model="mine/other")
    assert (caught.value.status, caught.value.param) == (404, "model")


# --- what it is asked --------------------------------------------------------------------------------------------------


async def test_it_is_asked_in_fields_with_types():
    seen = []

    def chat(request):
        seen.append(request)
        return "yes"

    async with hoosh.Gateway(ENGINE) as gateway:
        gateway.register("mine", Of(chat))
        parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
        more = {
            "messages": [*MESSAGES, {"role": "user", "content": parts}],
            "max_completion_tokens": 9,
            "max_tokens": 7,
        }
        more |= {"stop": "x", "seed": 5, "n": 2, "temperature": 0.5, "top_p": 0.25, "mystery": [1]}
        assert await text(gateway, **more, response_format={"type": "json_object"}) == "yes"
        assert await text(gateway) == "yes"
    first, second, plain = seen
    assert first.texts == [("user", "Say hello"), ("user", "a")]
    assert (first.max_tokens, first.temperature, first.top_p, first.stop) == (7, 0.5, 0.25, ("x",))
    assert (first.seed, first.choice, second.seed, second.choice) == (5, 0, 6, 1)
    assert first.response_format == {"type": "json_object"}
    assert first.raw["mystery"] == [1]
    assert (plain.max_tokens, plain.temperature, plain.stop, plain.seed, plain.tools) == (None, None, (), None, ())


@pytest.mark.parametrize(
    "more",
    [
        {"stop": 5},
        {"stop": ["a", 1]},
        {"seed": "x"},
        {"seed": True},
        {"tools": {}},
        {"tools": [1]},
        {"tool_choice": 1},
        {"response_format": "json"},
    ],
    ids=str,
)
async def test_what_no_engine_could_read_is_the_callers_fault(more):
    async with hoosh.Gateway(ENGINE) as gateway:
        gateway.register("mine", Parrot())
        with pytest.raises(errors.InvalidRequest) as caught:
            await text(gateway, **more)
    assert caught.value.param == next(iter(more))


# --- either way, on either loop ----------------------------------------------------------------------------------------


def plain(request):
    return "one word"


def listed(request):
    return ["one ", Text("word")]


def generated(request):
    yield "one "
    yield Text("")
    yield Text("word")
    yield Finish()
    yield Usage(1, 2)


async def returned(request):
    return "one word"


async def listed_later(request):
    await anyio.lowlevel.checkpoint()
    return listed(request)


async def generated_later(request):
    async def each():
        for piece in listed(request):
            await anyio.lowlevel.checkpoint()
            yield piece

    return each()


def disguised(request):
    return returned(request)


def disguised_generator(request):
    async def each():
        yield "one "
        yield "word"

    return each()


WAYS = [plain, listed, generated, returned, listed_later, generated_later, disguised, disguised_generator]


@pytest.mark.parametrize("chat", WAYS)
@pytest.mark.parametrize("concurrency", [None, 1])
async def test_an_answer_may_be_given_in_any_way(on, chat, concurrency):
    async def work():
        async with hoosh.Gateway(ENGINE) as gateway:
            gateway.register("mine", Of(chat, concurrency=concurrency))
            assert await text(gateway) == "one word"
            chunks = await chunks_of(gateway)
            assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == "one word"

    await on(work)


class Array:
    """As arrays of numpy are: no sequence, but one that can be listed."""

    def __init__(self, rows):
        self._rows = rows

    def tolist(self):
        return self._rows


async def embed_later(request):
    return [[1.0, 2.0]]


VECTORS = [
    lambda request: [[1, 2.0]],
    lambda request: ((number for number in (1, 2)) for _ in request.inputs),
    lambda request: Array([[1.0, 2.0]]),
    lambda request: [Array([1.0, 2.0])],
    lambda request: [memoryview(__import__("array").array("f", [1, 2]))],
    embed_later,
    lambda request: embed_later(request),
]


@pytest.mark.parametrize("embed", VECTORS)
async def test_vectors_may_be_given_in_any_way(on, embed):
    engine = type("Vectors", (), {"embed": staticmethod(embed)})()

    async def work():
        async with hoosh.Gateway(ENGINE) as gateway:
            gateway.register("mine", engine)
            answer = await gateway.embed(model="m", input="a")
            assert [item["embedding"] for item in answer["data"]] == [[1.0, 2.0]]

    await on(work)


def test_the_sync_face_and_the_builder():
    with hoosh.SyncGateway(ENGINE) as gateway:
        gateway.register("mine", Parrot())
        assert gateway.chat(**ASK)["choices"][0]["message"]["content"] == "Say hello "
    made = hoosh.Provider(type="engine", name="mine", engine=Of(plain, concurrency=2, models=Parrot().models))
    assert made.keys["max_concurrency"] == 2
    given = hoosh.Provider(type="engine", name="mine", max_concurrency=9, engine=Of(plain, concurrency=2))
    assert given.keys["max_concurrency"] == 9


async def test_what_it_lists_is_listed(on):
    server = hoosh.Server.builder().provider(hoosh.Provider(type="engine", name="mine", engine=Parrot())).build()

    async def work():
        async with server.running():
            await server.gateway.listed()
            models = await server.gateway.models()
            assert [model["id"] for model in models] == ["m", "e"]
            with pytest.raises(errors.UnknownModel):
                await text(server.gateway, model="other")

    await on(work)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Parrot, "is an instance: Parrot"),
        (object(), "has a method `chat`"),
        ("no", "str is neither"),
        (Of(plain, concurrency=0), "is a number from 1 on, not 0"),
        (Of(plain, concurrency="two"), "not 'two'"),
    ],
)
def test_what_is_no_engine_is_told_at_once(given, words):
    with pytest.raises(errors.ConfigError, match=words):
        hoosh.Gateway(ENGINE).register("mine", given)
    with pytest.raises(errors.ConfigError, match=words):
        hoosh.Provider(type="engine", name="mine", engine=given)


# --- one at a time, and no further than is read ------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
async def test_concurrency_is_kept(on, is_async):
    now, most = 0, 0
    lock = threading.Lock()

    def count(by):
        nonlocal now, most
        with lock:
            now += by
            most = max(most, now)

    def chat(request):
        count(1)
        yield "a"
        time.sleep(0.01)
        yield "b"
        count(-1)

    async def chat_later(request):
        count(1)
        yield "a"
        await anyio.sleep(0.01)
        yield "b"
        count(-1)

    async def work():
        async with hoosh.Gateway(ENGINE) as gateway:
            gateway.register("mine", Of(chat_later if is_async else chat, concurrency=2))
            async with anyio.create_task_group() as tasks:
                for _ in range(8):
                    tasks.start_soon(text, gateway)
        assert most == 2

    await on(work)


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_slow_reader_stops_the_engine(is_async):
    said = 0

    def chat(request):
        nonlocal said
        for _ in range(100_000):
            said += 1
            yield "x" * 1000

    async def chat_later(request):
        for piece in chat(request):
            yield piece

    async with hoosh.Gateway(ENGINE) as gateway:
        gateway.register("mine", Of(chat_later if is_async else chat))
        async with gateway.stream(**ASK) as chunks:
            assert await chunks.__anext__()
            before = -1
            with trio.fail_after(10):
                while before != said:
                    before = said
                    await trio.sleep(0.2)
            assert said < 2_000


async def test_an_engine_that_works_holds_up_nobody():
    go_on = threading.Event()

    def chat(request):
        yield "a"
        go_on.wait(10)
        yield "b"

    async with hoosh.Gateway(ENGINE + '[[providers]]\nname = "two"\ntype = "engine"\n') as gateway:
        gateway.register("mine", Of(chat))
        gateway.register("two", Parrot())
        async with gateway.stream(**{**ASK, "model": "mine/m"}) as chunks:
            assert await chunks.__anext__()
            assert await text(gateway, model="two/m") == "Say hello "
            go_on.set()
            said = [chunk["choices"][0]["delta"].get("content") async for chunk in chunks]
            assert said[0] == "b"


async def test_an_item_of_any_size_goes():
    long = "ä€😀x" * 60_000
    async with hoosh.Gateway(ENGINE) as gateway:
        gateway.register("mine", pieces(long, ToolCall(0, name="f", arguments=long)))
        with trio.fail_after(20):
            answer = await gateway.chat(**ASK)
            chunks = await chunks_of(gateway)
        assert answer["choices"][0]["message"]["content"] == long
        assert answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == long
        assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == long
        vectors = Of(None, embed=lambda request: [[0.5] * 50_000] * len(request.inputs))
        gateway.register("mine", vectors)
        with trio.fail_after(20):
            made = await gateway.embed(model="m", input=["a", "b"])
        assert [len(item["embedding"]) for item in made["data"]] == [50_000, 50_000]


# --- leaving -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_caller_that_leaves_closes_the_generator(on, is_async):
    closed = threading.Event()
    seen = []

    def chat(request):
        seen.append(request)
        try:
            for _ in range(10_000):
                yield "x"
                time.sleep(0.001)
        finally:
            closed.set()

    async def chat_later(request):
        seen.append(request)
        try:
            while True:
                yield "x"
                await anyio.sleep(0.001)
        finally:
            closed.set()

    async def work():
        async with hoosh.Gateway(ENGINE) as gateway:
            gateway.register("mine", Of(chat_later if is_async else chat))
            async with gateway.stream(**ASK) as chunks:
                await chunks.__anext__()
            with anyio.fail_after(5):
                while not (closed.is_set() and gateway._driver.engines["mine"].places.unwanted == 0):
                    await anyio.sleep(0.01)
        assert seen[0].cancelled.is_set()

    await on(work)


async def test_blocking_code_can_see_that_it_is_not_wanted():
    woken = threading.Event()

    def chat(request):
        yield "a"
        if request.cancelled.wait(20):
            woken.set()

    async with hoosh.Gateway(ENGINE) as gateway:
        gateway.register("mine", Of(chat))
        async with gateway.stream(**ASK) as chunks:
            await chunks.__anext__()
        with trio.fail_after(5):
            await trio.to_thread.run_sync(woken.wait)


# --- health, load, unload, close ---------------------------------------------------------------------------------------


class Loaded(Parrot):
    """Brings its model into memory first."""

    def __init__(self):
        self.told, self.fails, self.go_on = [], 0, threading.Event()
        self.go_on.set()

    def load(self, model, progress):
        self.told.append(("load", model))
        self.go_on.wait(10)
        progress(1, 2)
        if self.fails:
            self.fails -= 1
            raise MemoryError("canary")
        progress(2, 2)

    def unload(self, model):
        self.told.append(("unload", model))

    def close(self):
        self.told.append(("close",))


async def test_a_model_is_loaded_once_whoever_asks(on):
    engine = Loaded()
    engine.go_on.clear()

    async def work():
        async with hoosh.Gateway(ENGINE) as gateway:
            gateway.register("mine", engine)
            async with anyio.create_task_group() as tasks:
                for _ in range(5):
                    tasks.start_soon(text, gateway)
                with anyio.fail_after(5):
                    while not engine.told:
                        await anyio.sleep(0.01)
                engine.go_on.set()
            done = []
            await gateway.load("mine", "m", lambda *progress: done.append(progress))
            assert (engine.told, done) == ([("load", "m")], [])
            await gateway.unload("mine", "m")
            await gateway.load("mine", "m", lambda *progress: done.append(progress))
            assert done == [(1, 2), (2, 2)]
            assert await text(gateway) == "Say hello "
        assert engine.told == [("load", "m"), ("unload", "m"), ("load", "m")]  # whoever made it closes it

    await on(work)


async def test_a_load_goes_on_for_the_next_though_who_asked_is_gone():
    engine = Loaded()
    engine.go_on.clear()
    async with hoosh.Gateway(ENGINE) as gateway:
        gateway.register("mine", engine)
        with trio.move_on_after(0.1):
            await text(gateway)
        engine.go_on.set()
        assert await text(gateway) == "Say hello "
        assert engine.told == [("load", "m")]


async def test_a_load_that_fails_is_tried_again():
    engine = Loaded()
    engine.fails = 1
    async with hoosh.Gateway(ONCE + ENGINE) as gateway:
        gateway.register("mine", engine)
        with pytest.raises(errors.ProviderUnavailable) as caught:
            await text(gateway)
        assert repr(caught.value.__cause__) == "MemoryError('canary')"
        assert await text(gateway) == "Say hello "
        with pytest.raises(errors.ConfigError, match="called `other`; there are: mine"):
            await gateway.load("other", "m")


async def test_after_a_failure_it_is_asked_how_it_is():
    asked, how, ills = [], [Health(False, "warming up"), Health(True)], [RuntimeError("canary")]

    def chat(request):
        asked.append("chat")
        if ills:
            raise ills.pop()
        return "well"

    def health():
        asked.append("health")
        return how.pop(0)

    async with hoosh.Gateway(ONCE + ENGINE) as gateway:
        gateway.register("mine", Of(chat, health=health))
        for _ in range(2):
            with pytest.raises(errors.ProviderUnavailable):
                await text(gateway)
        assert await text(gateway) == await text(gateway) == "well"
    assert asked == ["chat", "health", "health", "chat", "chat"]


async def test_what_it_thinks_is_no_part_of_the_answer():
    async with hoosh.Gateway(ENGINE) as gateway:
        gateway.register("mine", pieces(Reasoning("hmm"), "yes"))
        assert await text(gateway) == "yes"
