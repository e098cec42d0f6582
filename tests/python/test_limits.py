"""Limits, credentials and health through the port."""

import httpx2
import pytest
import trio
from tests.python.conftest import provider, serving
from tests.upstream import open_upstream

CHAT = {"model": "fake-chat", "messages": [{"role": "user", "content": "Say hello"}]}
KEY = '[[auth.tokens]]\ntoken = "k"\n'
AS_K = {"authorization": "Bearer k"}


def named(upstream, more=""):
    """A provider whose models are named, so that the gateway asks for no list."""
    return provider(upstream) + f'models = ["fake-chat", "fake-instruct"]\n{more}\n'


async def post(http, url, body=CHAT, **headers):
    return await http.post(f"{url}/v1/chat/completions", json=body, headers=headers)


async def one_provider(http, url):
    answer = await http.get(f"{url}/v1/health/providers")
    assert answer.status_code == 200
    return answer.json()["providers"][0]


# --- credentials -----------------------------------------------------------------------------------------------------


async def test_a_401_on_one_of_two_keys_costs_no_answer():
    async with open_upstream(key="good") as upstream:
        text = named(upstream, 'api_keys = ["bad", "good"]')
        async with serving(text) as (url, app), httpx2.AsyncClient() as http:
            assert [(await post(http, url)).status_code for _ in range(5)] == [200] * 5
            sent = [request.header("authorization") for request in upstream.requests]
            assert sent.count("Bearer bad") == 1
            assert sent.count("Bearer good") == 5
            report = await one_provider(http, url)
            assert report["status"] == "up"
            assert report["last_error"] == "upstream_credential_rejected"
            assert [one["status"] for one in report["credentials"]] == ["down", "up"]
            metrics = (await http.get(f"{url}/metrics")).text
            assert 'hoosh_credential_up{provider="one",credential="1"} 0' in metrics
            assert 'hoosh_credential_up{provider="one",credential="2"} 1' in metrics
            assert 'hoosh_provider_up{provider="one"} 1' in metrics
            with trio.fail_after(5):
                while len(app.driver.store.rows()) < 5:
                    await trio.sleep(0.01)
            assert [row["attempts"] for row in app.driver.store.rows()] == [2, 1, 1, 1, 1]


async def test_a_400_never_opens_a_breaker(upstream):
    async with serving(named(upstream)) as (url, _), httpx2.AsyncClient() as http:
        assert (await post(http, url)).status_code == 200
        for _ in range(12):
            upstream.plan(status=400)
            assert (await post(http, url)).status_code == 400
        report = await one_provider(http, url)
        assert (report["status"], report["consecutive_failures"], report["last_error"]) == ("up", 0, None)
        assert (await post(http, url)).status_code == 200


@pytest.mark.parametrize(
    ("form", "least", "most"),
    [
        ("7", 7, 7),
        ("date+90", 88, 90),
        ("ms:90500", 91, 91),
        ("1000000000", 86_400, 86_400),
        ("1e9", 1, 1),
        ("-1", 1, 1),
        ("soon", 1, 1),
        ("", 1, 1),
        (None, 1, 1),
    ],
)
async def test_every_retry_after_benches_the_model_and_no_other(upstream, form, least, most):
    text = "[retry]\nmax_attempts = 1\n" + named(upstream)
    async with serving(text) as (url, _), httpx2.AsyncClient() as http:
        upstream.plan(status=429, retry_after=form)
        first = await post(http, url)
        assert first.status_code == 429
        assert first.json()["error"]["code"] == "upstream_rate_limited"
        again = await post(http, url)
        assert again.status_code == 429
        assert least <= int(again.headers["retry-after"]) <= most
        assert 0 <= int(again.headers["retry-after"]) * 1000 - int(again.headers["retry-after-ms"]) < 1000
        assert len(upstream.requests) == 1
        assert (await post(http, url, CHAT | {"model": "fake-instruct"})).status_code == 200
        report = await one_provider(http, url)
        assert [one["model"] for one in report["models"]] == ["fake-chat"]
        assert (report["status"], report["reason"]) == ("limited", "throttled")


async def test_spent_money_is_told_and_not_asked_for_again(upstream):
    body = '{"error":{"message":"Quota.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}'
    async with serving(named(upstream)) as (url, _), httpx2.AsyncClient() as http:
        upstream.plan(status=429, body=body)
        for _ in range(2):
            answer = await post(http, url)
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_quota_exhausted")
        assert len(upstream.requests) == 1


# --- limits ----------------------------------------------------------------------------------------------------------


async def test_a_key_is_told_of_its_limits_and_the_upstreams_own_stay_inside(upstream):
    limits = KEY + "rate_limit_rpm = 3\nrate_limit_tpm = 60_000\nmax_tokens_limit = 50\n"
    async with serving(limits + named(upstream)) as (url, _), httpx2.AsyncClient() as http:
        upstream.plan(headers={"x-ratelimit-limit-requests": "77777", "x-ratelimit-limit-images": "5"})
        answer = await post(http, url, **AS_K)
        assert answer.status_code == 200
        assert answer.headers["x-ratelimit-limit-requests"] == "3"
        assert answer.headers["x-ratelimit-remaining-requests"] == "2"
        assert answer.headers["x-ratelimit-reset-requests"].endswith("s")
        assert answer.headers["x-ratelimit-limit-tokens"] == "60000"
        assert "x-ratelimit-limit-images" not in answer.headers
        assert answer.headers["x-hoosh-max-tokens"] == "50"
        assert upstream.requests[-1].json()["max_tokens"] == 50
        used = answer.json()["usage"]["total_tokens"]
        answer = await post(http, url, CHAT | {"stream": True, "max_tokens": 10}, **AS_K)
        assert answer.headers["x-ratelimit-remaining-requests"] == "1"
        assert "x-hoosh-max-tokens" not in answer.headers
        assert int(answer.headers["x-ratelimit-remaining-tokens"]) <= 60_000 - used
        await post(http, url, **AS_K)
        refused = await post(http, url, **AS_K)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert refused.headers["x-ratelimit-remaining-requests"] == "0"
        wait_ms = int(refused.headers["retry-after-ms"])
        assert 0 < wait_ms <= 20_000
        assert int(refused.headers["retry-after"]) == -(-wait_ms // 1000)


async def test_tokens_a_minute_bound_what_many_callers_begin_at_once(upstream):
    body = CHAT | {"max_tokens": 400}
    async with serving(KEY + "rate_limit_tpm = 2_000\n" + named(upstream)) as (url, _), httpx2.AsyncClient() as http:
        statuses = []

        async def ask():
            statuses.append((await post(http, url, body, **AS_K)).status_code)

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                upstream.plan(delay_ms=1000)
            for _ in range(10):
                nursery.start_soon(ask)
        # Three of about 500 tokens fit, and a fourth does; what they used is little, and comes back.
        assert statuses.count(200) in (3, 4)
        assert set(statuses) == {200, 429}
        assert (await post(http, url, body, **AS_K)).status_code == 200
        large = await post(http, url, CHAT | {"max_tokens": 5_000}, **AS_K)
        assert (large.status_code, large.json()["error"]["code"]) == (413, "request_exceeds_rate_limit")
        assert large.headers["x-should-retry"] == "false"


async def test_whoever_comes_before_its_turn_waits_for_it_unless_it_comes_too_late(upstream):
    body = CHAT | {"max_tokens": 40_000}
    limits = "[limits]\nrate_wait_secs = 50\n" + KEY + "rate_limit_tpm = 60_000\n"
    async with serving(limits + named(upstream)) as (url, _), httpx2.AsyncClient() as http:
        statuses = []

        async def ask():
            statuses.append((await post(http, url, body, **AS_K)).status_code)

        upstream.plan(delay_ms=500)
        with trio.fail_after(15):  # By the rate alone the second's turn would come in 20 seconds.
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(ask)
                    await trio.sleep(0.02)
        assert statuses.count(200) >= 2
        metrics = (await http.get(f"{url}/metrics", headers=AS_K)).text
        assert 'hoosh_limit_waiting{limit="key_tokens"} 0' in metrics
    limits = limits.replace("tpm = 60_000", "rpm = 1")
    async with serving(limits + named(upstream)) as (url, _), httpx2.AsyncClient() as http:
        assert (await post(http, url, **AS_K)).status_code == 200
        refused = await post(http, url, **AS_K)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert 50 <= int(refused.headers["retry-after"]) <= 60


# --- health ----------------------------------------------------------------------------------------------------------


async def test_a_provider_that_fails_is_told_and_the_gateway_stays_ready(upstream):
    text = KEY + "[retry]\nmax_attempts = 1\n" + named(upstream)
    async with serving(text) as (url, app), httpx2.AsyncClient() as http:
        for _ in range(5):
            upstream.plan(status=503)
            assert (await post(http, url, **AS_K)).status_code == 502
        assert (await http.get(f"{url}/v1/health/providers")).status_code == 401
        answer = await http.get(f"{url}/v1/health/providers", headers=AS_K)
        report = answer.json()["providers"][0]
        assert (report["status"], report["reason"], report["last_error"]) == ("down", "failing", "upstream_error")
        assert 0 < report["retry_in_secs"] <= 10
        ready = await http.get(f"{url}/v1/health/ready")
        assert (ready.status_code, ready.json()["status"], ready.json()["providers"]) == (200, "ready", "down")
        app.driver.gateway.drain()
        ready = await http.get(f"{url}/v1/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (503, "draining")
        assert (await http.get(f"{url}/v1/health")).status_code == 200
