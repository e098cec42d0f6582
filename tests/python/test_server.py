"""The trio server over real sockets, asked by the official OpenAI SDK."""

import re
import signal
import subprocess
import sys
import uuid
from contextlib import asynccontextmanager
from functools import partial

import httpx2
import openai
import pydantic
import pytest
import trio
from tests.python.conftest import provider
from tests.upstream import open_upstream

MESSAGES = [{"role": "user", "content": "Say hello"}]


def client(url, **more):
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=more.pop("api_key", "unused"), **more)


async def rows(app, count):
    with trio.fail_after(5):
        while len(found := app.driver.store.rows()) < count:
            await trio.sleep(0.01)
    return found


async def test_a_chat_is_answered_and_booked(serving, upstream):
    async with serving(provider(upstream)) as (url, app), client(url) as sdk:
        answer = await sdk.chat.completions.create(model="fake-chat", messages=MESSAGES)
        assert answer.choices[0].message.content
        row = (await rows(app, 1))[0]
        assert (row["ending"], row["status"], row["attempts"]) == ("completed", 200, 1)
        assert row["input_tokens"] == answer.usage.prompt_tokens


async def test_a_stream_arrives_whole_and_its_usage_stays_hidden(serving, upstream):
    async with serving(provider(upstream)) as (url, app), client(url) as sdk:
        stream = await sdk.chat.completions.create(model="fake-chat", messages=MESSAGES, stream=True)
        chunks = [chunk async for chunk in stream]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert all(chunk.usage is None for chunk in chunks)
        assert len({chunk.id for chunk in chunks}) == 1
        assert upstream.requests[-1].json()["stream_options"] == {"include_usage": True}
        assert (await rows(app, 1))[0]["usage_source"] == "reported"


async def test_usage_is_shown_to_who_asks(serving, upstream):
    async with serving(provider(upstream)) as (url, _), client(url) as sdk:
        stream = await sdk.chat.completions.create(
            model="fake-chat", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        usages = [chunk.usage async for chunk in stream if chunk.usage]
        assert len(usages) == 1


async def test_tools_and_parallel_tools_pass(serving, upstream):
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    async with serving(provider(upstream)) as (url, _), client(url) as sdk:
        answer = await sdk.chat.completions.create(model="fake-chat", messages=MESSAGES, tools=[tool])
        assert answer.choices[0].finish_reason == "tool_calls"
        assert answer.choices[0].message.tool_calls[0].function.name == "weather"
        stream = await sdk.chat.completions.create(model="fake-chat", messages=MESSAGES, tools=[tool], stream=True)
        calls = [call async for chunk in stream for call in (chunk.choices[0].delta.tool_calls or [])]
        assert calls[0].function.name == "weather"


async def test_embeddings_in_both_encodings(serving, upstream):
    async with serving(provider(upstream)) as (url, _), client(url) as sdk:
        answer = await sdk.embeddings.create(model="fake-embed", input=["a", "b"])
        assert [entry.index for entry in answer.data] == [0, 1]
        floats = await sdk.embeddings.create(model="fake-embed", input="a", encoding_format="float")
        assert floats.data[0].embedding == pytest.approx(answer.data[0].embedding)


async def test_more_inputs_than_a_provider_takes_are_asked_in_slices(serving, upstream):
    text = "[limits]\nmax_inputs = 2\n" + provider(upstream)
    async with serving(text) as (url, app), client(url) as sdk:
        answer = await sdk.embeddings.create(model="fake-embed", input=list("abcde"))
        assert [entry.index for entry in answer.data] == list(range(5))
        assert len(await rows(app, 3)) == 3


@pytest.mark.parametrize(
    ("plan", "error", "code"),
    [
        ({"status": 500}, openai.InternalServerError, "upstream_error"),
        ({"status": 429}, openai.RateLimitError, "upstream_rate_limited"),
        ({"status": 401}, openai.InternalServerError, "upstream_credential_rejected"),
        ({"reset_after": 0}, openai.InternalServerError, "upstream_error"),
    ],
)
async def test_failures_have_the_sdks_classes_and_are_not_multiplied(serving, upstream, plan, error, code):
    text = "[retry]\nmax_attempts = 2\nbase_delay_ms = 1\n" + provider(upstream)
    async with serving(text) as (url, _), client(url) as sdk:
        await wait_for_lists(upstream)
        for _ in range(10):
            upstream.plan(**plan)
        with pytest.raises(error) as caught:
            await sdk.chat.completions.create(model="fake-chat", messages=MESSAGES)
        assert caught.value.code == code
        asked = [request for request in upstream.requests if request.path.endswith("/chat/completions")]
        assert len(asked) <= 2


async def test_the_next_provider_answers_for_one_that_fails(serving, upstream):
    async with open_upstream() as second:
        text = provider(upstream, "one", 1) + provider(second, "two", 2)
        async with serving(text) as (url, app), client(url) as sdk:
            await wait_for_lists(upstream, second)
            upstream.plan(status=503)
            answer = await sdk.chat.completions.create(model="fake-chat", messages=MESSAGES)
            assert answer.choices[0].message.content
            row = (await rows(app, 1))[0]
            assert (row["provider"], row["attempts"]) == ("two", 2)


async def wait_for_lists(*upstreams):
    """The gateway has asked for their models, so that a plan meets the request that it is meant for."""
    with trio.fail_after(5):
        for upstream in upstreams:
            while not upstream.requests:
                await trio.sleep(0.01)


async def test_leaving_a_stream_stops_its_upstream(serving, upstream):
    async with serving(provider(upstream)) as (url, app), client(url) as sdk:
        await wait_for_lists(upstream)
        upstream.plan(stall="body", stall_after=2)
        stream = await sdk.chat.completions.create(model="fake-chat", messages=MESSAGES, stream=True)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        await stream.close()
        row = (await rows(app, 1))[0]
        assert row["ending"] == "caller_gone"
        with trio.fail_after(5):
            while not upstream.requests[-1].cancelled:
                await trio.sleep(0.01)


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "code"),
    [
        ("POST", "/v1/chat/completions", {}, b"{", 400, "invalid_json"),
        ("POST", "/v1/chat/completions", {}, b"[]", 400, "invalid_json"),
        ("POST", "/v1/chat/completions", {}, b"{}", 400, "missing_required_parameter"),
        ("POST", "/v1/chat/completions", {}, b'{"model":"fake-chat","messages":1}', 400, "invalid_value"),
        ("POST", "/v1/chat/completions", {"content-type": "text/plain"}, b"{}", 415, "unsupported_media_type"),
        ("POST", "/v1/chat/completions", {"authorization": "Bearer no"}, b"{}", 401, "invalid_api_key"),
        (
            "POST",
            "/v1/chat/completions",
            {},
            b'{"model":"fake-chat","pad":"' + b"x" * 5000 + b'"}',
            413,
            "request_too_large",
        ),
        ("GET", "/v1/chat/completions", {}, b"", 405, "method_not_allowed"),
        ("GET", "/v1/nothing", {}, b"", 404, "unknown_url"),
    ],
)
async def test_bad_requests_are_answered_and_the_connection_stays(
    serving, upstream, method, path, headers, body, status, code
):
    text = '[server]\nmax_body_bytes = 4096\n[auth]\ntokens = ["right"]\n' + provider(upstream)
    async with serving(text) as (url, _), httpx2.AsyncClient() as http:
        given = {"authorization": "Bearer right", "content-type": "application/json", "x-request-id": "mine"} | headers
        answer = await http.request(method, url + path, headers=given, content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert answer.headers["x-request-id"] == "mine"
        assert (await http.get(url + "/v1/health")).status_code == 200


async def test_parallel_tool_calls_keep_their_pieces(serving, upstream):
    names = ("weather", "time")
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
        for name in names
    ]
    async with serving(provider(upstream)) as (url, _), client(url) as sdk:
        stream = await sdk.chat.completions.create(
            model="fake-chat", messages=MESSAGES, tools=tools, parallel_tool_calls=True, stream=True
        )
        calls: dict[int, str] = {}
        async for chunk in stream:
            for call in chunk.choices[0].delta.tool_calls or []:
                calls[call.index] = calls.get(call.index, "") + (call.function.name or "")
        assert tuple(calls.values()) == names


async def test_structured_output_is_parsed_by_the_sdk(serving, upstream):
    class Answer(pydantic.BaseModel):
        word: str
        count: int

    async with serving(provider(upstream)) as (url, _), client(url) as sdk:
        answer = await sdk.chat.completions.parse(model="fake-chat", messages=MESSAGES, response_format=Answer)
        assert isinstance(answer.choices[0].message.parsed, Answer)


async def test_asked_without_the_event_loop(serving, upstream):
    async with serving(provider(upstream)) as (url, _):

        def ask():
            with openai.OpenAI(base_url=f"{url}/v1", api_key="unused") as sdk:
                whole = sdk.chat.completions.create(model="fake-chat", messages=MESSAGES)
                stream = sdk.chat.completions.create(model="fake-chat", messages=MESSAGES, stream=True)
                return whole.choices[0].message.content, "".join(c.choices[0].delta.content or "" for c in stream)

        whole, streamed = await trio.to_thread.run_sync(ask)
        assert whole == streamed


async def test_request_ids_are_uuids_and_strict_upstreams_get_no_others(serving, upstream):
    strict = provider(upstream).replace("openai_compatible", "llamacpp")
    async with serving(strict) as (url, _), httpx2.AsyncClient() as caller:
        ask = {"model": "fake-chat", "messages": MESSAGES}
        answer = await caller.post(f"{url}/v1/chat/completions", json=ask)
        assert uuid.UUID(answer.headers["x-request-id"]).version == 4
        assert upstream.requests[-1].header("x-request-id") == answer.headers["x-request-id"]
        answer = await caller.post(f"{url}/v1/chat/completions", json=ask, headers={"x-request-id": "mine"})
        assert answer.headers["x-request-id"] == "mine"
        assert upstream.requests[-1].header("x-request-id") is None


async def test_head_is_answered_with_what_get_would_say_of_its_body(serving, upstream):
    async with serving(provider(upstream)) as (url, _), httpx2.AsyncClient() as http:
        for path in ("/v1/health", "/v1/models"):
            get, head = await http.get(url + path), await http.head(url + path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-length"] == str(len(get.content))


# --- reload ------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def program(file, *options):
    """`hoosh serve` as a program: gives (the process, its port, a function that gives the next line it says)."""
    command = [sys.executable, "-m", "hoosh", "serve", "--config", file, *options]
    async with trio.open_nursery() as nursery:
        run = partial(trio.run_process, command, check=False)
        process = await nursery.start(partial(run, stdin=subprocess.PIPE, stderr=subprocess.PIPE))
        said = bytearray()

        async def line():
            while True:
                while b"\n" not in said:
                    said.extend(more := await process.stderr.receive_some())
                    assert more, said
                found, _, rest = bytes(said).partition(b"\n")
                said[:] = rest
                # Lines of the log begin with their time, and are tested elsewhere.
                if not re.match(rb"\d{4}-\d\d-\d\dT", found):
                    return found.decode()

        try:
            with trio.fail_after(30):
                port = int(re.search(r"http://[\d.]+:(\d+) ", await line())[1])
                while not (await line()).startswith("Try"):
                    pass
                yield process, port, line
        finally:
            process.kill()
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("where", ["options", "file"])
async def test_a_reload_opens_no_listener_to_everybody(upstream, tmp_path, where):
    file = tmp_path / "hoosh.toml"
    options = ["--port", "0", *(["--bind", "0.0.0.0"] if where == "options" else [])]
    server = '[server]\nbind = "0.0.0.0"\n' if where == "file" else ""
    file.write_text(f'{server}[auth]\ntokens = ["right"]\n{provider(upstream)}')
    async with program(file, *options) as (process, port, line), httpx2.AsyncClient() as http:

        async def status(key):
            headers = {"authorization": f"Bearer {key}"} if key else {}
            return (await http.get(f"http://127.0.0.1:{port}/v1/models", headers=headers)).status_code

        assert (await status(None), await status("right")) == (401, 200)
        file.write_text(provider(upstream))
        process.send_signal(signal.SIGHUP)
        assert re.match("Kept the configuration, .*`bind` is 0.0.0.0, .* no .auth. tokens", await line())
        assert (await status(None), await status("right")) == (401, 200)
        file.write_text(f'{server}[auth]\ntokens = ["new"]\n{provider(upstream)}')
        process.send_signal(signal.SIGHUP)
        assert await line() == "Reloaded the configuration."
        assert (await status("right"), await status("new")) == (401, 200)


async def test_a_reload_says_when_another_address_takes_effect(upstream, tmp_path):
    file = tmp_path / "hoosh.toml"
    file.write_text(provider(upstream))
    async with program(file, "--port", "0") as (process, _, line):
        for server in ('bind = "localhost"\nport = 1', "port = 2", ""):
            file.write_text(f"[server]\n{server}\n{provider(upstream)}")
            process.send_signal(signal.SIGHUP)
            assert await line() == "Reloaded the configuration."
            if "bind" in server:
                assert (
                    await line() == "  It listens on localhost port 0 from the next start, and until then where it did."
                )


async def test_a_connection_serves_as_many_requests_as_it_is_asked(serving, upstream):
    async with serving(provider(upstream) + 'models = ["fake-chat"]\n') as (url, _):
        limit = 1_000  # hypercorn's own, at which it closes
        stream = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
        ask = b"HEAD /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        async with stream:
            for _ in range(limit + 5):
                await stream.send_all(ask)
                answer = await stream.receive_some()
                assert answer.startswith(b"HTTP/1.1 200")
                assert b"connection: close" not in answer.lower()
