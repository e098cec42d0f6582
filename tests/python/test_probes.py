"""What servers say that their models can do is asked of them, told, and binds requests; the rules are tested in the core."""

import httpx2
import pytest
import trio
from tests.python.conftest import provider, serving
from tests.upstream import open_upstream

TOOLS = [{"type": "function", "function": {"name": "f"}}]
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def typed(upstream, kind, more=""):
    """A provider of type `kind` at the fake. The fake takes its address for the root."""
    return provider(upstream).replace("openai_compatible", kind) + f"api_key = 'near-key'\n{more}\n"


def lists(*models, owner, **fields):
    """A list of models as a server answers it."""
    return {"object": "list", "data": [{"id": name, "object": "model", "owned_by": owner, **fields} for name in models]}


def shown(context, *capabilities):
    """What Ollama says of a model."""
    return {
        "license": "words " * 2000,
        "details": {"format": "gguf", "family": "x", "quantization_level": "Q4_K_M"},
        "model_info": {"general.architecture": "x", "x.context_length": context, "tokenizer.ggml.tokens": None},
        "capabilities": list(capabilities),
    }


def props(context, *, tools, vision):
    """What llama.cpp says of its model."""
    return {
        "default_generation_settings": {"id": 0, "n_ctx": context},
        "total_slots": 1,
        "modalities": {"vision": vision, "audio": False},
        "chat_template_caps": {"supports_tools": tools, "supports_tool_calls": tools},
    }


async def told(http, is_there):
    """What is told of each model of the first provider, once it is there."""
    with trio.fail_after(20):
        while True:
            [first, *_] = (await http.get("/v1/providers")).json()["providers"]
            models = {model["model"]: model for model in first["models"]}
            if is_there(models):
                return models
            await trio.sleep(0.02)


def probed(models, model, name):
    """A value that its server said."""
    assert models[model][name]["source"] == "probed", (name, models[model])
    return models[model][name]["value"]


async def ask(http, model, **fields):
    """The code of its refusal; None if it is answered."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}
    answer = await http.post("/v1/chat/completions", json=body)
    return None if answer.status_code == 200 else answer.json()["error"]["code"]


def long(words):
    return [{"role": "user", "content": "why " * words}]


async def test_ollama_is_asked_of_each_of_its_models(upstream):
    upstream.key = "near-key"
    upstream.says = {
        "GET /v1/models": lists("fake-chat", "fake-vector", "fake-lies", owner="library"),
        "POST /api/show fake-chat": shown(256, "completion", "tools"),
        "POST /api/show fake-vector": shown(512, "embedding"),
        "POST /api/show fake-lies": shown(-4096),
    }
    async with serving(typed(upstream, "ollama")) as (url, _), httpx2.AsyncClient(base_url=url) as http:
        models = await told(http, lambda models: models.get("fake-vector", {}).get("quantization", {}).get("value"))
        assert probed(models, "fake-chat", "context") == 256
        assert probed(models, "fake-chat", "quantization") == "Q4_K_M"
        assert (probed(models, "fake-chat", "tools"), probed(models, "fake-chat", "vision")) == (True, False)
        assert (probed(models, "fake-vector", "chat"), probed(models, "fake-vector", "embeddings")) == (False, True)
        assert models["fake-lies"]["context"] == {"value": None, "source": "unknown"}

        assert await ask(http, "fake-chat", tools=TOOLS) is None
        assert await ask(http, "fake-chat", messages=[{"role": "user", "content": [IMAGE]}]) == "unsupported_by_model"
        assert await ask(http, "fake-chat", messages=long(500)) == "context_length_exceeded"
        assert await ask(http, "fake-vector") == "unsupported_by_model"
        question = {"body": {"model": "fake-vector", "messages": [{"role": "user", "content": "hi"}]}}
        explained = (await http.post("/v1/explain", json=question)).json()
        assert [candidate["excluded"]["reason"] for candidate in explained["candidates"]] == ["answers_no_chats"]
    shows = [request for request in upstream.requests if request.path == "/api/show"]
    assert sorted(request.json()["model"] for request in shows) == ["fake-chat", "fake-lies", "fake-vector"]
    assert {request.header("authorization") for request in shows} == {"Bearer near-key"}


@pytest.mark.parametrize("kind", ["llamacpp", "openai_compatible"])
async def test_llama_cpp_is_asked_for_its_properties(upstream, kind):
    meta = {"n_ctx_train": 131072, "n_embd": 4096, "size": 4_912_898_304}
    upstream.says = {
        "GET /v1/models": lists("fake-chat", owner="llamacpp", meta=meta),
        "GET /props": props(256, tools=False, vision=False),
    }
    async with open_upstream() as far:
        # The far one takes what the near one cannot.
        text = typed(upstream, kind) + provider(far, "far", 2) + "models = ['fake-chat']\n"
        async with serving(text) as (url, _), httpx2.AsyncClient(base_url=url) as http:
            models = await told(http, lambda models: models.get("fake-chat", {}).get("context", {}).get("value"))
            assert (probed(models, "fake-chat", "context"), probed(models, "fake-chat", "tools")) == (256, False)
            assert probed(models, "fake-chat", "memory_bytes") == 4_912_898_304
            for fields in ({"tools": TOOLS}, {"messages": long(500)}):
                assert await ask(http, "fake-chat", **fields) is None
            assert await ask(http, "one/fake-chat", tools=TOOLS) == "unsupported_by_model"
        assert sum(request.method == "POST" for request in far.requests) == 2
    assert not any(request.method == "POST" for request in upstream.requests)


@pytest.mark.parametrize("kind", ["vllm", "openai_compatible"])
async def test_vllm_says_it_in_its_list_and_the_operators_word_goes_before(upstream, kind):
    upstream.says = {"GET /v1/models": lists("fake-chat", "other", owner="vllm", max_model_len=256)}
    known = "[[models]]\nname = 'other'\ncontext_tokens = 100_000\n"
    async with serving(typed(upstream, kind) + known) as (url, _), httpx2.AsyncClient(base_url=url) as http:
        models = await told(http, lambda models: "other" in models)
        assert probed(models, "fake-chat", "context") == 256
        assert models["other"]["context"] == {"value": 100_000, "source": "configured"}
        assert await ask(http, "fake-chat", messages=long(500)) == "context_length_exceeded"
    assert [request.path for request in upstream.requests] == ["/v1/models"]


@pytest.mark.parametrize(
    "plan",
    [
        {"stall": "head"},
        {"reset_after": 0},
        {"status": 500},
        {"raw": b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>"},
    ],
)
async def test_a_server_that_fails_to_tell_serves_all_the_same(upstream, plan):
    upstream.says = {"GET /v1/models": lists("fake-chat", owner="library")}
    upstream.plan()
    upstream.plan(**plan)
    async with serving(typed(upstream, "ollama")) as (url, _), httpx2.AsyncClient(base_url=url) as http:
        with trio.fail_after(20):
            await upstream.wait_for(2)
            assert upstream.requests[1].path == "/api/show"
            assert await ask(http, "fake-chat", tools=TOOLS) is None
        models = await told(http, lambda models: "fake-chat" in models)
        assert models["fake-chat"]["tools"] == {"value": None, "source": "unknown"}
        health = (await http.get("/v1/health/providers")).json()["providers"][0]
        assert health["status"] == "up", "what it is asked beside requests says nothing of its health"


async def test_a_remote_service_is_asked_nothing_of_the_kind(upstream):
    upstream.says = {"GET /v1/models": lists("fake-chat", owner="library", max_model_len=256)}
    async with serving(typed(upstream, "mistral")) as (url, app), httpx2.AsyncClient(base_url=url) as http:
        await app.driver.listed()
        models = await told(http, lambda models: "fake-chat" in models)
        assert models["fake-chat"]["context"] == {"value": None, "source": "unknown"}
        assert await ask(http, "fake-chat", messages=long(500)) is None
    assert [request.path for request in upstream.requests] == ["/v1/models", "/v1/chat/completions"]
