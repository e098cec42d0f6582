"""Who may ask from where, over real sockets: names, web pages, and what browsers are told."""

import httpx2
import pytest
from tests.python.conftest import provider

CHAT = {"model": "fake-chat", "messages": [{"role": "user", "content": "Say hello"}]}


def asked(upstream):
    return [request for request in upstream.requests if request.path.endswith("/chat/completions")]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"host": "evil.example"}, "host_not_allowed"),
        ({"origin": "https://evil.example"}, "origin_not_allowed"),
        ({"origin": "null"}, "origin_not_allowed"),
        ({"host": "evil.example", "origin": "http://evil.example"}, "host_not_allowed"),
    ],
)
async def test_without_keys_a_foreign_page_spends_nothing(serving, upstream, headers, code):
    async with serving(provider(upstream)) as (url, _), httpx2.AsyncClient(base_url=url) as http:
        for answer in (
            await http.post("/v1/chat/completions", json=CHAT, headers=headers),
            # What a page may send without asking before: a "simple" request.
            await http.post("/v1/chat/completions", content=b"{}", headers={"content-type": "text/plain"} | headers),
            await http.get("/v1/models", headers=headers),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, code)
        assert (await http.get("/v1/health", headers=headers)).status_code == 200
        assert not asked(upstream)
        assert (await http.post("/v1/chat/completions", json=CHAT)).status_code == 200


async def test_a_named_page_asks_before_and_reads_its_answer(serving, upstream):
    page = "https://app.example"
    text = f'[server]\ncors_origins = ["{page}"]\n[auth]\ntokens = ["right"]\n{provider(upstream)}'
    async with serving(text) as (url, _), httpx2.AsyncClient(base_url=url) as http:
        before = await http.options(
            "/v1/chat/completions",
            headers={
                "origin": page,
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization,content-type,x-stainless-os",
            },
        )
        assert (before.status_code, before.content) == (200, b"")
        assert before.headers["access-control-allow-origin"] == page
        assert before.headers["access-control-allow-headers"] == "authorization, content-type, x-stainless-os"
        headers = {"origin": page, "authorization": "Bearer right"}
        for body in (CHAT, CHAT | {"stream": True}):
            answer = await http.post("/v1/chat/completions", json=body, headers=headers)
            assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, page)
            assert answer.headers["x-request-id"]
        other = await http.post("/v1/chat/completions", json=CHAT, headers=headers | {"origin": "https://evil.example"})
        assert other.status_code == 200  # it had the key, and no browser lets its page read this
        assert "access-control-allow-origin" not in other.headers


async def test_with_keys_only_the_health_paths_are_open(serving, upstream):
    async with serving(f'[auth]\ntokens = ["right"]\n{provider(upstream)}') as (url, _), httpx2.AsyncClient() as http:
        for path in ("/v1/models", "/v1/models/fake-chat", "/metrics", "/v1/chat/completions", "/v1/x", "/", "/health"):
            for method in ("GET", "POST", "OPTIONS", "DELETE"):
                assert (await http.request(method, url + path)).status_code == 401, (method, path)
        for path in ("/v1/health", "/v1/health/ready"):
            assert (await http.get(url + path)).status_code == 200
