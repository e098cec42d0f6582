"""Engines that raise, lie, hang, or never come back: each ends as a clean error of its provider, and costs nobody else."""

import asyncio
import logging
import threading

import anyio
import httpx2
import pytest
import trio
from tests.python.conftest import serving
from tests.python.engines import ASK, ENGINE, MESSAGES, ONCE, SHORT, Of, Parrot, pieces

import hoosh
from hoosh import errors
from hoosh._driver import places
from hoosh.engines import Finish, Health, Logprob, Model, Reasoning, Refused, Text, ToolCall, Usage

pytestmark = pytest.mark.usefixtures("transport")


@pytest.fixture(params=["trio", "asyncio"])
def on(request):
    """Runs an async function on an event loop of either kind."""

    async def run(work):
        with trio.fail_after(30):
            if request.param == "trio":
                return await work()
            return await trio.to_thread.run_sync(asyncio.run, work())

    return run


@pytest.fixture
def left_at_once(monkeypatch):
    """A thread that nobody waits for counts as left behind from the first moment on."""
    monkeypatch.setattr(places, "LEFT_SECONDS", 0.0)


async def rows(gateway, count=1):
    with anyio.fail_after(10):
        while len(gateway.ledger) < count:
            await anyio.sleep(0.005)
    return gateway.ledger


def raises(request):
    raise RuntimeError("canary")


def raises_late(request):
    yield "some"
    raise KeyError("canary")


def exits(request):
    raise SystemExit("canary")


async def exits_later(request):
    raise SystemExit("canary")


def finds_nothing(request):
    return None


async def gives_nothing(request):
    return None


WRONG = {
    "raises": (raises, "RuntimeError: canary"),
    "raises_late": (raises_late, "KeyError: 'canary'"),
    "exits": (exits, "canary"),
    "exits_later": (exits_later, "sys.exit(canary)"),
    "none": (finds_nothing, "not NoneType"),
    "async_none": (gives_nothing, "not NoneType"),
    "number": (lambda _: 5, "not int"),
    "dict": ([{"text": "a"}], "not of dict"),
    "bytes": ([b"a"], "not of bytes"),
    "none_piece": (["a", None], "not of NoneType"),
    "class": ([Finish], "not of type"),
    "text_bytes": ([Text(b"a")], "Text is a str, not bytes"),
    "surrogate": (["a\ud83d"], "half of a surrogate pair"),
    "surrogate_reasoning": ([Reasoning("\udc00")], "half of a surrogate pair"),
    "after_finish": ([Finish(), "a"], "only Usage may follow Finish, not Text"),
    "finish_twice": (["a", Finish(), Finish()], "only Usage may follow Finish, not Finish"),
    "finish_word": (["a", Finish("done")], "not 'done'"),
    "finish_list": (["a", Finish(["stop"])], "reason of"),
    "usage_negative": (["a", Usage(-1, 2)], "input_tokens of Usage"),
    "usage_float": (["a", Usage(1, 2.0)], "output_tokens of Usage"),
    "usage_bool": (["a", Usage(True, 2)], "not True"),
    "usage_huge": (["a", Usage(1, 10**30)], "output_tokens of Usage"),
    "call_nameless": ([ToolCall(0, arguments="{}")], "has its name"),
    "call_index": ([ToolCall(-1, name="f")], "not -1"),
    "call_index_float": ([ToolCall(0.5, name="f")], "not 0.5"),
    "call_index_huge": ([ToolCall(10**9, name="f")], "from 0 to 127"),
    "call_dict": ([ToolCall(0, name="f", arguments={"a": 1})], "json.dumps"),
    "call_name": ([ToolCall(0, name=b"f")], "the name of a ToolCall is a str"),
    "logprobs_list": ([Text("a", [Logprob("a", -1.0)])], "a tuple of Logprob, not list"),
    "logprobs_number": ([Text("a", (-1.0,))], "a tuple of Logprob, not tuple"),
    "logprob_nan": ([Text("a", (Logprob("a", float("nan")),))], "0 at most, not nan"),
    "logprob_word": ([Text("a", (Logprob("a", "-1"),))], "0 at most, not '-1'"),
    "logprob_likely": ([Text("a", (Logprob("a", 0.5),))], "0 at most, not 0.5"),
    "logprob_bytes": ([Text("a", (Logprob("a", -1.0, "a"),))], "is bytes or None, not str"),
    "logprob_token": ([Text("a", (Logprob(b"a", -1.0),))], "the token of a Logprob is a str"),
    "logprob_depth": (
        [Text("a", (Logprob("a", -1.0, top=(Logprob("a", -1.0, top=(Logprob("a", -1.0),)),)),))],
        "no top of its own",
    ),
    "logprobs_many": ([Text("a", (Logprob("a", -1.0),) * 1000)], "at most 256, not 1000"),
    "refuses_late": (lambda _: (each for each in late_refusal()), "refuses before it says anything"),
}


def late_refusal():
    yield "a"
    raise Refused(400, "canary")


@pytest.mark.parametrize(("chat", "words"), WRONG.values(), ids=WRONG)
async def test_what_is_wrong_is_the_engines_fault_and_told_to_its_operator_alone(chat, words, caplog):
    engine = pieces(*chat) if isinstance(chat, list) else Of(chat)
    async with serving(ONCE + ENGINE) as (url, app), httpx2.AsyncClient(base_url=url) as http:
        app.driver.engines["mine"] = engine
        with caplog.at_level(logging.ERROR, "hoosh"):
            whole = await http.post("/v1/chat/completions", json=ASK)
        assert whole.status_code == 502
        assert whole.json()["error"]["code"] == "upstream_error"
        assert "canary" not in whole.text
        assert words in caplog.text
        stream = await http.post("/v1/chat/completions", json={**ASK, "stream": True})
        assert '"code":"upstream_error"' in stream.text
        assert "canary" not in stream.text
        with trio.fail_after(5):
            while len(app.driver.store.rows()) < 2 or app.driver.gateway.open_exchanges():
                await trio.sleep(0.01)
        assert {row["ending"] for row in app.driver.store.rows()} <= {"refused", "broken"}


def generator_of_nothing(request):
    yield from ()


NAN, LONG = float("nan"), [0.0] * 3
BAD_VECTORS = {
    "none": (lambda _: None, "embed is a list, not NoneType"),
    "few": (lambda _: [[1.0]], "2, not 1"),
    "many": (lambda _: [[1.0]] * 3, "2, not 3"),
    "generator_of_none": (generator_of_nothing, "2, not 0"),
    "flat": (lambda _: [1.0, 2.0], "each vector of embed is a list, not float"),
    "ragged": (lambda _: [[1.0], [1.0, 2.0]], "of one length"),
    "empty": (lambda _: [[], []], "not empty"),
    "nan": (lambda _: [[1.0], [NAN]], "is nan"),
    "infinite": (lambda _: [[1.0], [float("inf")]], "is inf"),
    "too_large": (lambda _: [[1.0], [1e300]], "fits 32 bits"),
    "huge_int": (lambda _: [[1], [10**400]], "made of numbers"),
    "words": (lambda _: ["ab", "cd"], "not str"),
    "numerals": (lambda _: [["1"], ["2"]], "not of str"),
    "nones": (lambda _: [[None], [None]], "made of numbers"),
    "dict": (lambda _: {"a": [1.0], "b": [1.0]}, "not dict"),
    "raises": (raises, "canary"),
}


@pytest.mark.parametrize(("embed", "words"), BAD_VECTORS.values(), ids=BAD_VECTORS)
@pytest.mark.parametrize("is_async", [False, True])
async def test_vectors_that_are_none(embed, words, is_async):
    async def later(request):
        return embed(request)

    engine = type("Vectors", (), {"embed": staticmethod(later if is_async else embed)})()
    async with hoosh.Gateway(ONCE + ENGINE) as gateway:
        gateway.register("mine", engine)
        with pytest.raises(errors.ProviderUnavailable) as caught:
            await gateway.embed(model="m", input=["a", "b"])
        assert words in str(caught.value.__cause__)


async def test_vectors_of_another_length_than_was_asked_for():
    async with hoosh.Gateway(ONCE + ENGINE) as gateway:
        gateway.register("mine", Parrot())
        assert await gateway.embed(model="e", input=["a", "b"], dimensions=2)
        with pytest.raises(errors.ProviderUnavailable) as caught:
            await gateway.embed(model="e", input=["a", "b"], dimensions=3)
        assert "3 dimensions were asked for, and embed gave 2" in str(caught.value.__cause__)


# --- what it says of itself --------------------------------------------------------------------------------------------

SELF = {
    "models_raise": ({"models": raises}, "canary"),
    "models_none": ({"models": lambda: None}, "not of NoneType"),
    "models_strings": ({"models": lambda: ["m"]}, "not of str"),
    "models_string": ({"models": lambda: "m"}, "not of str"),
    "models_twice": ({"models": lambda: [Model(name="m")] * 2}, "lists 'm' twice"),
    "models_nameless": ({"models": lambda: [Model(name="")]}, "is empty"),
    "models_context": ({"models": lambda: [Model(name="m", context="8k")]}, "context of Model 'm' is a number"),
    "models_tools": ({"models": lambda: [Model(name="m", tools=1)]}, "tools of Model 'm' is True or False"),
    "models_memory": ({"models": lambda: [Model(name="m", memory_bytes=-1)]}, "memory_bytes of Model 'm'"),
    "models_quantization": (
        {"models": lambda: [Model(name="m", quantization=8)]},
        "quantization of Model 'm' is a str",
    ),
    "models_bytes": ({"models": lambda: [Model(name=b"m")]}, "is a str"),
    "load_raises": ({"load": lambda model, progress: raises(None)}, "canary"),
    "load_exits": ({"load": lambda model, progress: exits(None)}, "canary"),
}
SELF["models_raise"] = ({"models": lambda: raises(None)}, "canary")


@pytest.mark.parametrize(("more", "words"), SELF.values(), ids=SELF)
async def test_what_it_says_of_itself_is_checked_too(on, more, words):
    async def work():
        async with hoosh.Gateway(ONCE + ENGINE) as gateway:
            gateway.register("mine", Of(lambda _: "yes", **more))
            for _ in range(2):
                with pytest.raises(errors.ProviderUnavailable) as caught:
                    await gateway.chat(**ASK)
                assert words in str(caught.value.__cause__)

    await on(work)


@pytest.mark.parametrize(
    ("health", "words"),
    [
        (raises, "positional"),
        (lambda: raises(None), "canary"),
        (lambda: True, "not bool"),
        (lambda: Health("x"), "Health"),
    ],
)
async def test_a_health_that_is_none_is_a_failure(health, words):
    async with hoosh.Gateway(ONCE + ENGINE) as gateway:
        gateway.register("mine", Of(raises, health=health))
        for wanted in ("canary", words):
            with pytest.raises(errors.ProviderUnavailable) as caught:
                await gateway.chat(**ASK)
            assert wanted in str(caught.value.__cause__)


async def test_an_engine_that_cannot_list_is_told_of_at_the_start(caplog):
    engine = Of(lambda _: "yes", models=lambda: raises(None))
    server = hoosh.Server.builder().provider(hoosh.Provider(type="engine", name="mine", engine=engine)).build()
    async with server.running():
        with trio.fail_after(5):
            while "Engine mine does not say its models" not in caplog.text:
                await trio.sleep(0.01)
    assert "canary" in caplog.text


# --- breaker, budget, deadlines ----------------------------------------------------------------------------------------

BUDGET = '[[budgets]]\nname = "default"\ncapacity = 100_000\nslice = 50_000\n'


async def pools(http):
    (pool,) = (await http.get("/v1/tokens/pools")).json()["pools"]
    return pool


@pytest.mark.parametrize("chat", [raises, raises_late])
async def test_a_failure_is_settled_and_opens_the_breaker(chat):
    async with serving(ONCE + ENGINE + BUDGET) as (url, app), httpx2.AsyncClient(base_url=url) as http:
        app.driver.engines["mine"] = Of(chat)
        codes = []
        for _ in range(7):
            answer = await http.post("/v1/chat/completions", json={**ASK, "max_tokens": 500})
            codes.append(answer.json()["error"]["code"])
        # Five in a row are enough; then nobody is asked.
        assert codes == ["upstream_error"] * 5 + ["upstream_unavailable"] * 2
        with trio.fail_after(5):
            while len(found := app.driver.store.rows()) < 5:
                await trio.sleep(0.01)
        spent = sum(row["input_tokens"] + row["output_tokens"] for row in found)
        pool = await pools(http)
        assert pool["reserved"] == 0
        assert pool["used"] == spent > 0


BLOCKS = threading.Event()


def never_yields(request):
    BLOCKS.wait(3)
    yield "late"


def stalls(request):
    yield "some"
    BLOCKS.wait(3)
    yield "late"


async def never_says(request):
    await anyio.sleep_forever()
    yield "never"


async def never_returns(request):
    await anyio.sleep_forever()


def never_lists():
    BLOCKS.wait(3)
    return [Model(name="m")]


HANGS = {
    "never_yields": {"chat": never_yields},
    "stalls": {"chat": stalls},
    "never_says": {"chat": never_says},
    "never_returns": {"chat": never_returns},
    "never_lists": {"chat": lambda _: "yes", "models": never_lists},
    "never_loads": {"chat": lambda _: "yes", "load": lambda model, progress: BLOCKS.wait(3)},
}


@pytest.mark.parametrize("engine", HANGS.values(), ids=HANGS)
async def test_an_engine_that_hangs_ends_at_its_deadline_and_keeps_nobody(on, engine):
    async def work():
        text = ONCE + SHORT + ENGINE + '[[providers]]\nname = "two"\ntype = "engine"\n' + BUDGET
        async with hoosh.Gateway(text) as gateway:
            gateway.register("mine", Of(**engine))
            gateway.register("two", Parrot())
            async with anyio.create_task_group() as tasks:

                async def hang():
                    with pytest.raises(errors.ProviderTimeout):
                        await gateway.chat(model="mine/m", messages=MESSAGES)

                tasks.start_soon(hang)
                assert await gateway.chat(model="two/m", messages=MESSAGES)
            (quick, slow) = await rows(gateway, 2)
            assert (quick["error"], slow["error"]) == (None, "upstream_timeout")
            assert gateway._driver.gateway.open_exchanges() == 0

    await on(work)


async def test_threads_that_do_not_come_back_are_bounded(on, left_at_once, monkeypatch):
    monkeypatch.setattr(places, "MOST_LEFT", 2)
    go_on, asked = threading.Event(), []

    def chat(request):
        asked.append(request)
        go_on.wait(20)
        return "late"

    async def work():
        async with hoosh.Gateway(ONCE + ENGINE) as gateway:
            gateway.register("mine", Of(chat))
            plugged = gateway._driver.engines["mine"]
            for count in (1, 2):
                with anyio.move_on_after(10) as scope:
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(lambda: gateway.chat(**ASK))
                        while len(asked) < count:
                            await anyio.sleep(0.005)
                        tasks.cancel_scope.cancel()
                assert not scope.cancelled_caught
                with anyio.fail_after(5):  # native threads hear of it, and tell the host
                    while plugged.places.unwanted < count:
                        await anyio.sleep(0.005)
            with pytest.raises(errors.ProviderUnavailable):
                await gateway.chat(**ASK)
            assert len(asked) == 2
            go_on.set()
            with anyio.fail_after(5):
                while plugged.places.unwanted:
                    await anyio.sleep(0.005)
            assert (await gateway.chat(**ASK))["choices"][0]["message"]["content"] == "late"

    await on(work)


def test_an_engine_that_never_comes_back_holds_up_no_exit():
    import subprocess
    import sys

    code = f"""
import sys, threading, hoosh, trio, asyncio

class Hangs:
    def chat(self, request):
        threading.Event().wait()

async def main():
    async with hoosh.Gateway({ONCE + SHORT + ENGINE!r}) as gateway:
        gateway.register("mine", Hangs())
        try:
            await gateway.chat(model="m", messages={MESSAGES!r})
        except hoosh.errors.ProviderTimeout:
            print("timed out")

asyncio.run(main()) if sys.argv[1] == "asyncio" else trio.run(main)
"""
    for loop in ("trio", "asyncio"):
        child = subprocess.run(
            [sys.executable, "-c", code, loop], capture_output=True, text=True, timeout=20, check=True
        )
        assert child.stdout == "timed out\n"


# --- refusals ----------------------------------------------------------------------------------------------------------


def refusing(*given, **more):
    def chat(request):
        raise Refused(*given, **more)

    return chat


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ((400, "Too odd."), 400, "odd"),
        ((413, "Too long."), 413, "odd"),
        ((422, "Not this."), 422, "odd"),
        ((429, "Full."), 429, "upstream_rate_limited"),
        ((503, "Full."), 502, "upstream_error"),
    ],
)
async def test_it_refuses_as_an_upstream_does(given, status, code, is_async):
    chat = refusing(*given, code="odd", param="messages", retry_after=6.5)

    async def later(request):
        chat(request)

    async with serving(ONCE + ENGINE) as (url, app), httpx2.AsyncClient(base_url=url) as http:
        app.driver.engines["mine"] = Of(later if is_async else chat)
        for stream in (False, True):
            answer = await http.post("/v1/chat/completions", json={**ASK, "stream": stream})
            error = answer.json()["error"]
            assert (answer.status_code, error["code"]) == (status, code)
            if status < 429 and code == "odd":
                assert (error["message"], error["param"]) == (given[1], "messages")
            if status == 429:
                assert answer.headers["retry-after"] == "7"
                break  # the model is left alone now


async def test_what_it_does_not_offer_is_told():
    async with serving(ONCE + ENGINE) as (url, app), httpx2.AsyncClient(base_url=url) as http:
        app.driver.engines["mine"] = Of(None, embed=Parrot().embed)
        answer = await http.post("/v1/chat/completions", json=ASK)
        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == "This model does not answer chat; it answers embeddings."
        app.driver.engines["mine"] = Of(lambda _: "yes")
        answer = await http.post("/v1/embeddings", json={"model": "m", "input": "a"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "endpoint_not_supported")


@pytest.mark.parametrize("tokens", [[1, 2], [[1, 2]]])
async def test_numbers_of_tokens_are_refused(tokens):
    async with serving(ONCE + ENGINE) as (url, app), httpx2.AsyncClient(base_url=url) as http:
        app.driver.engines["mine"] = Parrot()
        for path, model, field in (("/v1/embeddings", "e", "input"), ("/v1/completions", "m", "prompt")):
            answer = await http.post(path, json={"model": model, field: tokens})
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)


@pytest.mark.parametrize(
    ("given", "more"), [((200, "no"), {}), (("400", "no"), {}), ((400, "no"), {"retry_after": -1}), ((700, ""), {})]
)
def test_a_refusal_that_is_none_is_told_to_its_author(given, more):
    with pytest.raises(ValueError, match=r"a refusal has a status|a number of seconds"):
        Refused(*given, **more)


async def test_a_refusal_may_be_told_in_hooshs_own_words():
    def chat(request):
        raise errors.InvalidRequest("Not this.", status=422, param="messages")

    async with hoosh.Gateway(ENGINE) as gateway:
        gateway.register("mine", Of(chat))
        with pytest.raises(errors.InvalidRequest, match="Not this") as caught:
            await gateway.chat(**ASK)
    assert (caught.value.status, caught.value.param) == (422, "messages")


async def test_another_provider_answers_in_its_place():
    text = ENGINE + '[[providers]]\nname = "two"\ntype = "engine"\npriority = 20\n'
    async with hoosh.Gateway(text) as gateway:
        gateway.register("mine", Of(raises))
        gateway.register("two", Parrot())
        answer = await gateway.chat(**ASK)
        assert answer["choices"][0]["message"]["content"] == "Say hello "
