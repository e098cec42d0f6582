"""Earlier responses across a server that is killed: OpenAI's official SDK through both listeners of `hoosh serve`."""

import sys
from contextlib import asynccontextmanager

import openai
import pytest
import trio
from tests.python.conftest import provider
from tests.python.kept_responses import SAID, keeping
from tests.python.test_store import served, stopped

from hoosh import store
from hoosh.errors import ConfigError
from hoosh.gateway import Gateway

HISTORY = '[dialects]\nhistory = "store"\n'
KEYS = '[auth]\ntokens = ["mine", "theirs"]\n'
RESPONSES = """
[[providers]]
name = "one"
type = "openai_compatible"
dialect = "openai_responses"
base_url = "{url}"
models = ["m"]
"""


@pytest.fixture(params=["on", "off"], ids=["edge", "hypercorn"])
def edge(request):
    return request.param


def written(folder, text):
    file = folder / "hoosh.toml"
    file.write_text(f"{KEYS}{text}[storage]\npath = '{folder / 'hoosh.db'}'\n")
    return file


def chat(upstream):
    return provider(upstream) + 'models = ["fake-chat"]\n'


@asynccontextmanager
async def sdks(file, edge):
    """The server's process, and the SDK with either of two keys. The process is killed at the end, if it still runs."""
    async with served(file, "--edge", edge) as (process, url):
        made = {"base_url": f"{url}/v1", "max_retries": 0}
        async with (
            openai.AsyncOpenAI(api_key="mine", **made) as mine,
            openai.AsyncOpenAI(api_key="theirs", **made) as theirs,
        ):
            yield process, mine, theirs


async def on_the_disk(file, turns):
    """Waits until the store has them: what came in the last milliseconds a kill may lose."""
    with trio.fail_after(20):
        while store.info(file.parent / "hoosh.db")["turns"] != turns:
            await trio.sleep(0.01)


def asked(upstream):
    return [message["role"] for message in upstream.requests[-1].json()["messages"]]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_conversation_goes_on_after_a_kill_for_its_key_alone(upstream, tmp_path, edge, stream):
    file = written(tmp_path, HISTORY + chat(upstream))
    async with sdks(file, edge) as (process, mine, _):
        if stream:
            events = [event async for event in await mine.responses.create(model="fake-chat", input="Hi", stream=True)]
            first = events[-1].response
        else:
            first = await mine.responses.create(model="fake-chat", input="Hi")
        await on_the_disk(file, 1)
        process.kill()
    async with sdks(file, edge) as (process, mine, theirs):
        with pytest.raises(openai.BadRequestError) as caught:
            await theirs.responses.create(model="fake-chat", input="And?", previous_response_id=first.id)
        assert caught.value.code == "previous_response_not_found"
        with pytest.raises(openai.NotFoundError):
            await theirs.responses.retrieve(first.id)
        second = await mine.responses.create(model="fake-chat", input="And?", previous_response_id=first.id)
        assert asked(upstream) == ["user", "assistant", "user"]
        assert second.output_text
        assert (await mine.responses.retrieve(first.id)).output_text == first.output_text
        # An orderly end waits for what is not stored yet.
        assert await stopped(process) == 0
    async with sdks(file, edge) as (process, mine, _):
        await mine.responses.create(model="fake-chat", input="So?", previous_response_id=second.id)
        assert asked(upstream) == ["user", "assistant", "user", "assistant", "user"]
        items = [item async for item in await mine.responses.input_items.list(first.id)]
        assert [item.content[0].text for item in items] == ["Hi"]


async def test_what_is_deleted_is_gone_from_the_disk(upstream, tmp_path, edge):
    file = written(tmp_path, HISTORY + chat(upstream))
    async with sdks(file, edge) as (process, mine, _):
        response = await mine.responses.create(model="fake-chat", input="Hi")
        await on_the_disk(file, 1)
        process.kill()
    async with sdks(file, edge) as (process, mine, theirs):
        with pytest.raises(openai.NotFoundError):
            await theirs.responses.delete(response.id)
        await mine.responses.delete(response.id)
        process.kill()
        await process.wait()
        assert store.check(tmp_path / "hoosh.db")["turns"] == 0
    async with sdks(file, edge) as (_, mine, _):
        with pytest.raises(openai.NotFoundError):
            await mine.responses.retrieve(response.id)


async def test_without_history_in_the_store_no_words_are_on_the_disk(upstream, tmp_path, edge):
    file = written(tmp_path, HISTORY + chat(upstream))
    async with sdks(file, edge) as (process, mine, _):
        await mine.responses.create(model="fake-chat", input="Hi")
        await on_the_disk(file, 1)
        process.kill()
    file = written(tmp_path, chat(upstream))
    async with sdks(file, edge) as (process, mine, _):
        await on_the_disk(file, 0)
        response = await mine.responses.create(model="fake-chat", input="a sentence that nobody else has")
        assert (await mine.responses.retrieve(response.id)).id == response.id
        assert await stopped(process) == 0
    assert b"a sentence that nobody else has" not in (tmp_path / "hoosh.db").read_bytes()
    assert store.check(tmp_path / "hoosh.db")["turns"] == 0


async def test_who_keeps_a_response_is_asked_for_it_after_a_kill_by_its_key_alone(tmp_path, edge):
    with keeping() as (url, keeper):
        file = written(tmp_path, RESPONSES.format(url=url))
        async with sdks(file, edge) as (process, mine, _):
            response = await mine.responses.create(model="m", input="Say hello", background=True)
            with trio.fail_after(20):
                while store.info(tmp_path / "hoosh.db")["homes"] != 1:
                    await trio.sleep(0.01)
            process.kill()
        async with sdks(file, edge) as (_, mine, theirs):
            count = len(keeper.asked)
            for ask in (theirs.responses.retrieve, theirs.responses.cancel, theirs.responses.delete):
                with pytest.raises(openai.NotFoundError):
                    await ask(response.id)
            with pytest.raises(openai.BadRequestError):
                await theirs.responses.create(model="m", input="And?", previous_response_id=response.id)
            assert [what for what in keeper.asked[count:] if what[1] != "/v1/models"] == []
            polled = response
            while polled.status in {"queued", "in_progress"}:
                polled = await mine.responses.retrieve(response.id)
            assert (polled.status, polled.output_text) == ("completed", SAID)
            assert ("GET", f"/v1/responses/{response.id}", None) in keeper.asked


@pytest.mark.parametrize("storage", ["", '[storage]\npath = ":memory:"\n'])
def test_history_in_the_store_asks_for_a_store(storage):
    with pytest.raises(ConfigError, match=r"\[storage\] path"):
        Gateway(HISTORY + storage)


async def test_a_store_of_the_format_before_gets_the_tables(tmp_path):
    file = tmp_path / "hoosh.db"
    async with Gateway(f"[storage]\npath = '{file}'\n"):
        pass
    older = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])"
    script = "DROP TABLE turns; DROP TABLE homes; CREATE INDEX ledger_at ON ledger (at_us); PRAGMA user_version = 3;"
    await trio.run_process([sys.executable, "-c", older, str(file), script])
    assert store.check(file)["turns"] == 0, "it is read as it is"
    async with Gateway(f"[storage]\npath = '{file}'\n"):
        pass
    report = store.check(file)
    assert (report["format"], report["turns"], report["homes"], report["problems"]) == (5, 0, 0, [])
