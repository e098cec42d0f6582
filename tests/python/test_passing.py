"""The endpoints that pass as they are, asked over the port by the official OpenAI SDK."""

import base64
import hashlib
import io
import json
import re
from functools import partial

import httpx2
import openai
import pytest
import trio
from tests.python.conftest import provider
from tests.python.test_server import client, rows

WAV = b"RIFF" + bytes(range(256)) * 40
LONG = hashlib.sha256(b"x").digest() * 20_000
"""640 kB."""


def digest(data):
    return hashlib.sha256(data).hexdigest()


async def test_moderations_rerank_and_images_pass(serving, upstream):
    async with serving(provider(upstream)) as (url, app), client(url) as sdk:
        answer = await sdk.moderations.create(model="omni-moderation-latest", input=["a", "b"])
        assert (answer.model, len(answer.results)) == ("omni-moderation-latest", 2)
        assert (await sdk.moderations.create(input="a")).model == "default", "its provider has one"
        image = await sdk.images.generate(model="one/gpt-image-1", prompt="a cat", n=2)
        assert [part.revised_prompt for part in image.data] == ["a cat"] * 2
        assert upstream.requests[-1].json()["model"] == "gpt-image-1"
        stream = await sdk.images.generate(model="gpt-image-1", prompt="a cat", stream=True)
        assert [event.type async for event in stream] == [
            "image_generation.partial_image",
            "image_generation.completed",
        ]
        for path in ("/v1/rerank", "/v2/rerank"):
            body = {"model": "r", "query": "q", "documents": ["a", "b"]}
            answer = await sdk.post(f"{url}{path}", body=body, cast_to=httpx2.Response)
            assert [result["index"] for result in answer.json()["results"]] == [0, 1]
            assert upstream.requests[-1].path == path
        found = await rows(app, 6)
        told = sorted((row["endpoint"], row["input_tokens"] + row["output_tokens"], row["stream"]) for row in found)
        images = [("images", 16, False), ("images", 16, True)]
        assert told == [*images, *[("moderations", tokens, False) for tokens in (1, 2)], *[("rerank", 9, False)] * 2]


async def test_speech_streams_bytes_or_events(serving, upstream):
    async with serving(provider(upstream)) as (url, app), client(url) as sdk:
        speech = await sdk.audio.speech.create(model="tts-1", voice="alloy", input="hello")
        assert speech.content == b"ID3" + b"hello" * 5_000
        assert speech.response.headers["content-type"] == "audio/mpeg"
        assert speech.response.headers["content-length"] == "25003"
        async with sdk.audio.speech.with_streaming_response.create(
            model="tts-1", voice="alloy", input="hello", stream_format="sse"
        ) as answer:
            lines = [json.loads(line[6:]) async for line in answer.iter_lines() if line.startswith("data: {")]
        assert base64.b64decode(lines[0]["audio"]) == b"ID3"
        assert sorted(row["input_tokens"] for row in await rows(app, 2)) == [1, 11]


async def test_audio_is_transcribed_in_every_form(serving, upstream):
    async with serving(provider(upstream)) as (url, app), client(url) as sdk:
        for audio in (WAV, LONG):
            wanted = f"whisper-1:{digest(audio)}"
            make = partial(sdk.audio.transcriptions.create, file=("a.wav", audio))
            assert (await make(model="whisper-1")).text == wanted
            assert (await make(model="one/whisper-1")).text == wanted, "the provider's name is taken out of the form"
            assert await make(model="whisper-1", response_format="text") == wanted
            events = [event async for event in await make(model="whisper-1", stream=True)]
            assert events[-1].text == wanted
            assert (await sdk.audio.translations.create(model="whisper-1", file=("a.wav", audio))).text == wanted
        found = await rows(app, 10)
        assert sorted(row["endpoint"] for row in found) == ["transcriptions"] * 8 + ["translations"] * 2
        assert {row["model"] for row in found} == {"whisper-1", "one/whisper-1"}


async def test_a_model_behind_the_file_is_found_or_named(serving, upstream):
    """The JavaScript SDK sends fields in the order in which its caller wrote them."""
    async with serving(provider(upstream)) as (url, _), httpx2.AsyncClient() as http:
        form = {"file": ("a.wav", LONG), "model": (None, "whisper-1")}
        for headers in ({}, {"x-hoosh-model": "whisper-1"}):
            answer = await http.post(f"{url}/v1/audio/transcriptions", files=form, headers=headers)
            assert answer.json()["text"] == f"whisper-1:{digest(LONG)}"
        answer = await http.post(f"{url}/v1/audio/transcriptions", files=form, headers={"x-hoosh-model": "other"})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")


async def test_images_are_edited_and_varied(serving, upstream):
    async with serving(provider(upstream)) as (url, _), client(url) as sdk:
        picture = ("a.png", WAV, "image/png")
        edited = await sdk.images.edit(model="gpt-image-1", image=picture, prompt="a hat")
        assert edited.data[0].revised_prompt == digest(WAV)
        stream = await sdk.images.edit(model="gpt-image-1", image=picture, prompt="a hat", stream=True)
        assert [event.type async for event in stream] == ["image_edit.partial_image", "image_edit.completed"]
        varied = await sdk.images.create_variation(image=picture, n=2)
        assert len(varied.data) == 2


async def test_files_are_kept_listed_read_and_deleted(serving, upstream):
    async with serving(provider(upstream)) as (url, app), client(url) as sdk:
        made = await sdk.files.create(file=("data.jsonl", LONG), purpose="batch")
        assert (made.bytes, made.filename) == (len(LONG), "data.jsonl")
        await sdk.files.create(file=("other.jsonl", b"{}\n"), purpose="fine-tune")
        assert [file.id async for file in sdk.files.list(purpose="batch", limit=5, order="asc")] == [made.id]
        assert upstream.requests[-1].path.startswith("/v1/files?")
        assert "purpose=batch" in upstream.requests[-1].path
        assert (await sdk.files.retrieve(made.id)).filename == "data.jsonl"
        content = await sdk.files.content(made.id)
        assert content.content == LONG
        assert content.response.headers["content-disposition"] == 'attachment; filename="data.jsonl"'
        assert (await sdk.files.delete(made.id)).deleted
        with pytest.raises(openai.NotFoundError) as caught:
            await sdk.files.retrieve(made.id)
        assert "No such File" in str(caught.value)
        assert {row["endpoint"] for row in await rows(app, 7)} == {"files"}


def test_the_sdk_without_async_works_too(serving):
    async def main():
        from tests.upstream import open_upstream

        async with open_upstream() as upstream, serving(provider(upstream)) as (url, _):
            await trio.to_thread.run_sync(ask, url)

    def ask(url):
        with openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) as sdk:
            wanted = f"whisper-1:{digest(LONG)}"
            assert sdk.audio.transcriptions.create(model="whisper-1", file=io.BytesIO(LONG)).text == wanted
            made = sdk.files.create(file=io.BytesIO(LONG), purpose="batch")
            assert sdk.files.content(made.id).content == LONG
            assert sdk.moderations.create(input="x").results
            assert sdk.images.generate(model="gpt-image-1", prompt="x").data

    trio.run(main)


async def test_what_goes_before_chat_is_as_openai_has_it(serving, upstream):
    """Token arrays, base64 vectors, dimensions, n, echo, logprobs: as the SDK sends them, byte for byte."""
    async with serving(provider(upstream)) as (url, _), client(url) as sdk:
        for given, count in (("a", 1), (["a", "b"], 2), ([1, 2, 3], 1), ([[1, 2], [3]], 2)):
            answer = await sdk.embeddings.create(model="fake-embed", input=given, dimensions=8)
            assert [len(vector.embedding) for vector in answer.data] == [8] * count, given
            assert upstream.requests[-1].json()["encoding_format"] == "base64", "the SDK's own default"
        answer = await sdk.embeddings.create(model="fake-embed", input="a", encoding_format="float")
        assert len(answer.data[0].embedding) == 16
        for prompt, count in (("a", 1), ([1, 2, 3], 1), ([[1, 2], [3]], 2), (["a", "b"], 2)):
            answer = await sdk.completions.create(
                model="fake-instruct", prompt=prompt, n=2, echo=True, logprobs=2, best_of=2, max_tokens=5
            )
            assert len(answer.choices) == 2 * count, prompt
            sent = upstream.requests[-1].json()
            assert (sent["prompt"], sent["echo"], sent["logprobs"]) == (prompt, True, 2)


# --- uploads that go wrong -----------------------------------------------------------------------------------------


def head(length, more=""):
    return (
        f"POST /v1/files HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=b\r\n{length}\r\n{more}\r\n"
    ).encode()


PART = b'--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n'


async def connect(url):
    return await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))


async def until(check):
    with trio.fail_after(10):
        while not check():
            await trio.sleep(0.01)


@pytest.mark.parametrize("framing", ["content-length: 1000000", "transfer-encoding: chunked"])
async def test_an_upload_that_is_cut_off_is_never_whole_upstream(serving, upstream, framing):
    async with serving(provider(upstream)) as (url, app):
        data = PART + b"x" * 300_000
        sent = data if "length" in framing else b"%x\r\n%s\r\n" % (len(data), data)
        before = upstream.open
        stream = await connect(url)
        await stream.send_all(head(framing) + sent)
        await until(lambda: upstream.open > before)
        await trio.sleep(0.2)
        await stream.aclose()
        await until(lambda: upstream.cut_off)
        assert all(request.path != "/v1/files" for request in upstream.requests)
        assert 0 < upstream.cut_off[0] <= len(data)
        await until(lambda: app.driver.gateway.open_exchanges() == 0)


async def test_an_answer_before_the_end_of_the_upload_reaches_its_caller(serving, upstream):
    upstream.plan(early=True, status=413)
    async with serving(provider(upstream) + 'models = ["m"]\n') as (url, _):
        stream = await connect(url)
        await stream.send_all(head("content-length: 100000000") + PART + b"x" * 50_000)
        got = b""
        with trio.fail_after(10):
            while b"\r\n\r\n" not in got:
                got += await stream.receive_some()
        assert got.startswith(b"HTTP/1.1 413"), got


async def test_a_slow_upstream_stops_its_caller_and_little_is_held(serving):
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    text = f'[[providers]]\nname = "one"\ntype = "openai_compatible"\nbase_url = "http://127.0.0.1:{listener.socket.getsockname()[1]}"\nmodels = ["m"]\n'
    async with serving(text) as (url, _), await connect(url) as stream, httpx2.AsyncClient() as http:
        await stream.send_all(head("content-length: 100000000"))
        sent = 0
        upstream = await listener.accept()  # and reads nothing
        with trio.move_on_after(2):
            while True:
                await stream.send_all(b"x" * 65_536)
                sent += 65_536
        assert sent < 20_000_000, "the sockets on the way are all that is in between"
        held = re.search(r"^hoosh_buffered_bytes (\d+)", (await http.get(f"{url}/metrics")).text, re.MULTILINE)
        assert int(held[1]) <= 256 << 10
        await stream.aclose()
        with trio.fail_after(10):
            with pytest.raises(trio.BrokenResourceError):
                while await upstream.receive_some():
                    pass
                raise trio.BrokenResourceError
        await upstream.aclose()
        await listener.aclose()


@pytest.mark.parametrize(
    ("path", "kind", "code"),
    [
        ("/v1/files", "multipart/form-data", "unsupported_media_type"),
        ("/v1/files", "application/json", "unsupported_media_type"),
        ("/v1/moderations", "multipart/form-data; boundary=b", "unsupported_media_type"),
    ],
)
async def test_the_media_type_must_fit(serving, upstream, path, kind, code):
    async with serving(provider(upstream)) as (url, _), httpx2.AsyncClient() as http:
        answer = await http.post(f"{url}{path}", content=b"{}", headers={"content-type": kind})
        assert (answer.status_code, answer.json()["error"]["code"]) == (415, code)


async def test_each_kind_of_body_has_its_bound(serving, upstream):
    text = "[server]\nmax_file_bytes = 300_000\nmax_audio_bytes = 200_000\n" + provider(upstream)
    async with serving(text) as (url, _), client(url, max_retries=0) as sdk:
        with pytest.raises(openai.APIStatusError) as caught:
            await sdk.files.create(file=("f", b"x" * 300_000), purpose="batch")
        assert (caught.value.status_code, "max_file_bytes" in str(caught.value)) == (413, True)
        assert (await sdk.files.create(file=("f", b"x" * 299_000), purpose="batch")).bytes == 299_000
        with pytest.raises(openai.APIStatusError) as caught:
            await sdk.audio.transcriptions.create(model="w", file=("f", b"x" * 200_000))
        assert (caught.value.status_code, "max_audio_bytes" in str(caught.value)) == (413, True)
