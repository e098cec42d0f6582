"""Headers that go through, and a provider's attempt to split an answer with one."""

import httpx2
from tests.python.conftest import provider

CHAT = {"model": "fake-chat", "messages": [{"role": "user", "content": "Say hello"}]}


async def test_named_headers_go_both_ways_and_no_others(serving, upstream):
    text = (
        '[server]\npass_request_headers = ["openai-organization"]\npass_response_headers = ["openai-processing-ms"]\n'
        + provider(upstream)
        + 'models = ["fake-chat"]\nheaders = { x-team = "search" }\n'
    )
    async with serving(text) as (url, _), httpx2.AsyncClient(base_url=url) as http:
        for body in (CHAT, CHAT | {"stream": True}):
            upstream.plan(headers={"openai-processing-ms": "7", "openai-version": "1", "set-cookie": "a=b"})
            headers = {
                "openai-organization": "org",
                "openai-project": "p",
                "cookie": "a=b",
                "authorization": "Bearer x",
            }
            answer = await http.post("/v1/chat/completions", json=body, headers=headers)
            assert (answer.status_code, answer.headers["openai-processing-ms"]) == (200, "7")
            assert "openai-version" not in answer.headers
            assert "set-cookie" not in answer.headers
            asked = upstream.requests[-1]
            assert (asked.header("openai-organization"), asked.header("x-team")) == ("org", "search")
            assert [asked.header(name) for name in ("openai-project", "cookie", "authorization")] == [None] * 3


async def test_an_upstream_cannot_split_an_answer(serving, upstream):
    text = '[server]\npass_response_headers = ["x-note"]\n' + provider(upstream) + 'models = ["fake-chat"]\n'
    body = b'{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}]}'
    async with serving(text) as (url, _), httpx2.AsyncClient(base_url=url) as http:
        for value in (b"a\rset-cookie: x", b"a\x00b", b"a\nset-cookie: x"):
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-note: %b\r\ncontent-length: %d\r\n\r\n"
            upstream.plan(raw=head % (value, len(body)) + body, raw_end="close")
            answer = await http.post("/v1/chat/completions", json=CHAT)
            assert "set-cookie" not in answer.headers
            assert "x-note" not in answer.headers or answer.headers["x-note"] == "a"
