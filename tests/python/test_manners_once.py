"""`Idempotency-Key` over real sockets, as the official SDK sends it."""

import httpx2
import openai
import pytest
import trio
from tests.python.conftest import provider

MESSAGES = [{"role": "user", "content": "Say hello"}]
CHAT = {"model": "fake-chat", "messages": MESSAGES}


def named(upstream):
    return "[retry]\nmax_attempts = 1\n" + provider(upstream) + 'models = ["fake-chat"]\n'


def passing(upstream):
    """Its models are named, so that nobody asks for a list of them."""
    return provider(upstream) + 'models = ["gpt-image-1", "tts-1", "r", "whisper-1"]\n'


async def test_an_answer_and_a_stream_are_given_again(serving, upstream):
    async with serving(named(upstream)) as (url, app), openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x") as sdk:
        for stream in (False, True):
            said = []
            for _ in range(3):
                raw = await sdk.chat.completions.with_raw_response.create(
                    model="fake-chat", messages=MESSAGES, stream=stream, extra_headers={"Idempotency-Key": f"k{stream}"}
                )
                said.append(raw.headers.get("idempotent-replayed"))
                if stream:
                    words = [chunk.choices[0].delta.content or "" async for chunk in raw.parse()]
                    assert "".join(words) == "You said: Say hello"
                else:
                    assert raw.parse().choices[0].message.content == "You said: Say hello"
            assert said == [None, "true", "true"]
        assert len(upstream.requests) == 2
        assert len(app.driver.store.rows()) <= 2


async def test_the_sdks_retry_after_a_passing_failure_is_answered_anew(serving, upstream):
    async with serving(named(upstream)) as (url, _), openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x") as sdk:
        upstream.plan(status=503)
        create = sdk.chat.completions.create
        key = {"Idempotency-Key": "k"}
        with pytest.raises(openai.InternalServerError):
            await create(model="fake-chat", messages=MESSAGES, extra_headers=key)
        answer = await create(model="fake-chat", messages=MESSAGES, extra_headers=key)
        assert answer.choices[0].message.content


async def test_concurrent_twins_ask_once(serving, upstream):
    async with serving(named(upstream)) as (url, _), httpx2.AsyncClient(base_url=url, timeout=30) as http:
        upstream.plan(delay_ms=500)
        statuses = []

        async def ask(body):
            answer = await http.post("/v1/chat/completions", json=body, headers={"idempotency-key": "k"})
            statuses.append(answer.status_code)

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(ask, CHAT)
        assert sorted(statuses) == [200] + [409] * 19
        statuses.clear()
        await ask(CHAT)
        await ask(CHAT | {"temperature": 1})
        assert statuses == [200, 422]
        assert len(upstream.requests) == 1


async def test_what_passes_as_it_is_is_paid_for_once(serving, upstream):
    asked = {
        "/v1/images/generations": {"model": "gpt-image-1", "prompt": "a cat"},
        "/v1/audio/speech": {"model": "tts-1", "voice": "alloy", "input": "hello"},
        "/v1/moderations": {"input": "a"},
        "/v1/rerank": {"model": "r", "query": "q", "documents": ["a", "b"]},
    }
    async with serving(passing(upstream)) as (url, _), httpx2.AsyncClient(base_url=url, timeout=30) as http:
        for path, body in asked.items():
            first, again = [await http.post(path, json=body, headers={"idempotency-key": "k"}) for _ in range(2)]
            assert (first.status_code, again.status_code) == (200, 200), first.text
            assert again.content == first.content
            assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
            for name in ("content-type", "content-length", "x-hoosh-model"):
                assert again.headers[name] == first.headers[name]
        other = await http.post(
            "/v1/rerank", json={**asked["/v1/rerank"], "query": "p"}, headers={"idempotency-key": "k"}
        )
        assert other.status_code == 422
        assert len(upstream.requests) == len(asked)


async def test_pictures_in_the_making_are_not_made_twice(serving, upstream):
    async with serving(passing(upstream)) as (url, _), httpx2.AsyncClient(base_url=url, timeout=30) as http:
        upstream.plan(delay_ms=500)
        statuses = []

        async def ask():
            body = {"model": "gpt-image-1", "prompt": "a cat"}
            answer = await http.post("/v1/images/generations", json=body, headers={"idempotency-key": "k"})
            statuses.append(answer.status_code)

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask)
        assert sorted(statuses) == [200] + [409] * 4
        await ask()
        assert (statuses[-1], len(upstream.requests)) == (200, 1)


async def test_an_upload_is_sent_each_time(serving, upstream):
    async with serving(passing(upstream)) as (url, _), httpx2.AsyncClient(base_url=url, timeout=30) as http:
        for _ in range(2):
            answer = await http.post(
                "/v1/audio/transcriptions",
                files={"file": ("a.wav", b"RIFF")},
                data={"model": "whisper-1"},
                headers={"idempotency-key": "k"},
            )
            assert (answer.status_code, answer.headers.get("idempotent-replayed")) == (200, None)
        assert len(upstream.requests) == 2
