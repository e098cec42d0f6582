"""Faults of the upstream: all columns answer alike, ask as often as they may, and go on serving."""

import json

import httpx2
import pytest

from tests.faults import processes
from tests.faults.upstream_table import FAULTS, Fault

CONFIG = """
[retry]
max_attempts = 2
base_delay_ms = 1
max_delay_ms = 2
budget_percent = 100
[deadlines]
connect_secs = 1
first_byte_secs = 1
idle_secs = 1
"""
PROVIDER = (
    '[[providers]]\nname = "f{at}"\ntype = "openai_compatible"\nbase_url = "{url}/f{at}/v1"\nmodels = ["fake*"]\n'
)
SAID = "Say what goes wrong, at some length, so that there is something to cut in two. " * 12


@pytest.fixture(scope="module")
def upstream():
    with processes.upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module", params=processes.FORMS)
def hoosh(request, upstream, tmp_path_factory):
    """Providers `f0`, `f1`, …, all of them the same upstream under another path; and two that nobody answers for."""
    file = tmp_path_factory.mktemp("faults") / "hoosh.toml"
    text = CONFIG + "".join(PROVIDER.format(at=at, url=upstream.url) for at in range(2 * len(FAULTS)))
    text += '[[providers]]\nname = "nowhere"\ntype = "openai_compatible"\nbase_url = "http://nowhere.invalid/v1"\nmodels = ["fake*"]\n'
    text += '[[providers]]\nname = "refused"\ntype = "openai_compatible"\nbase_url = "http://127.0.0.1:1/v1"\nmodels = ["fake*"]\n'
    file.write_text(text, encoding="utf-8")
    with processes.gateway(request.param, file) as hoosh, httpx2.Client(base_url=hoosh.url, timeout=20) as client:
        yield client
        client.close()
        assert hoosh.stop() == 0


def asked(upstream, at):
    """What callers had it asked. The gateway itself probes a provider by its list of models."""
    return [one for one in upstream.requests() if one["method"] == "POST" and one["path"].startswith(f"/f{at}/")]


def model_of(plan):
    verbs = [name if value is True else f"{name}={json.dumps(value)}" for name, value in plan.items()]
    return "fake:" + ",".join(verbs)


def ask(client, at, model, *, stream):
    body = {"model": f"f{at}/{model}", "messages": [{"role": "user", "content": SAID}], "stream": stream}
    return client.post("/v1/chat/completions", json=body)


def got(answer):
    """Status and code; of a stream, the code of its last event."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return answer.status_code, answer.json().get("error", {}).get("code")
    events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    if events[-1] == "[DONE]":
        finished = [json.loads(event)["choices"] for event in events[:-1]]
        assert any(choices and choices[0].get("finish_reason") for choices in finished)
        return answer.status_code, None
    assert "[DONE]" not in events
    return answer.status_code, json.loads(events[-1])["error"]["code"]


RUNS = [
    pytest.param(form, at, id=f"{form}-{fault.name}")
    for form in processes.FORMS
    for at, fault in enumerate(FAULTS)
    # Without the edge, a part of them: what asks upstreams then is what plain hypercorn has too.
    if form != "edge_off" or at % 5 == 0
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("hoosh", "at"), RUNS, indirect=["hoosh"])
def test_a_fault_of_the_upstream(hoosh, upstream, at, stream):
    fault: Fault = FAULTS[at]
    at = 2 * at + stream
    before = len(asked(upstream, at))
    answer = ask(hoosh, at, model_of(fault.plan), stream=stream)
    expected = fault.stream if stream else fault.whole
    status, code = got(answer)
    assert (status, code if expected[1] or expected[0] == 200 else None) == expected
    assert answer.headers["x-request-id"]
    if expected[0] != 200:
        assert answer.headers["x-should-retry"] == "false"
    attempts = 1 if expected[0] == 200 else fault.attempts
    assert len(asked(upstream, at)) - before == attempts

    # Nothing of it is left for the next request: no half of an answer on a kept connection, no wrong word on the provider.
    benched = fault.plan.get("status") in (401, 403, 429)
    assert got(ask(hoosh, at, "fake-chat", stream=stream))[0] == 200 or benched


@pytest.mark.parametrize("provider", ["nowhere", "refused"], ids=["F13 no such host", "F14 refused"])
def test_nobody_is_there(hoosh, provider):
    body = {"model": f"{provider}/fake-chat", "messages": [{"role": "user", "content": SAID}]}
    answer = hoosh.post("/v1/chat/completions", json=body)
    assert got(answer) == (502, "upstream_unreachable")
