"""Signs of life over real sockets: silent streams, early starts, and an official SDK that must not notice."""

import httpx2
import openai
import pytest
import trio
from tests.python.conftest import provider
from tests.upstream import open_upstream

MESSAGES = [{"role": "user", "content": "Say hello"}]
CHAT = {"model": "fake-chat", "messages": MESSAGES, "stream": True}


def early(*tables):
    return "[server]\nkeep_alive_secs = 1\nearly_start_secs = 1\n" + "".join(tables)


def named(upstream, name="one", priority=1):
    return provider(upstream, name, priority) + 'models = ["fake-chat"]\n'


async def test_a_stream_that_is_silent_shows_life_and_the_sdk_does_not_mind(serving, upstream):
    async with (
        serving(early(named(upstream))) as (url, _),
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x") as sdk,
    ):
        upstream.plan(delay_ms=2_500)
        with trio.fail_after(10):
            stream = await sdk.chat.completions.create(model="fake-chat", messages=MESSAGES, stream=True)
            words = [chunk.choices[0].delta.content or "" async for chunk in stream]
        assert "".join(words) == "You said: Say hello"
        upstream.plan(delay_ms=2_500)
        async with httpx2.AsyncClient() as http:
            text = (await http.post(f"{url}/v1/chat/completions", json=CHAT)).text
        assert text.startswith(": keep-alive\n\n: keep-alive\n\ndata: ")
        assert text.endswith("data: [DONE]\n\n")


async def test_the_head_is_there_before_the_content(serving, upstream):
    async with serving(early(named(upstream))) as (url, _), httpx2.AsyncClient() as http:
        upstream.plan(stall="head")
        with trio.fail_after(5):
            async with http.stream("POST", f"{url}/v1/chat/completions", json=CHAT) as answer:
                assert answer.status_code == 200
                assert await answer.aiter_lines().__anext__() == ": keep-alive"


async def test_another_provider_answers_after_an_early_start(serving, upstream):
    async with open_upstream() as second:
        text = early(named(upstream), named(second, "two", 2))
        async with serving(text) as (url, _), httpx2.AsyncClient() as http:
            upstream.plan(delay_ms=1_500, status=500)
            text = (await http.post(f"{url}/v1/chat/completions", json=CHAT)).text
    assert text.startswith(": keep-alive\n\ndata: ")
    assert text.endswith("data: [DONE]\n\n")


async def test_a_refusal_after_an_early_start_is_the_sdks_error(serving, upstream):
    async with (
        serving(early(named(upstream))) as (url, _),
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x") as sdk,
    ):
        upstream.plan(delay_ms=1_500, status=400)
        stream = await sdk.chat.completions.create(model="fake-chat", messages=MESSAGES, stream=True)
        with pytest.raises(openai.APIError):
            async for _ in stream:
                pass
