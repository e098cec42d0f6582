"""Faults of the upstream: all columns answer alike, ask as often as they may, and go on serving."""

import contextlib
import functools
import json

import httpx2
import pytest

from tests.faults import processes
from tests.faults.reading import events, got, text_of
from tests.faults.upstream_table import FAULTS, GOOD, SAID, Fault

CONFIG = """
[retry]
max_attempts = 2
base_delay_ms = 1
max_delay_ms = 2
budget_percent = 100
[deadlines]
connect_secs = 1
first_byte_secs = 2
idle_secs = 2
"""
PROVIDER = (
    '[[providers]]\nname = "f{at}"\ntype = "openai_compatible"\nbase_url = "{url}/f{at}/v1"\nmodels = ["fake*"]\n'
)


@pytest.fixture(scope="module")
def upstream():
    with processes.upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def opened(upstream, tmp_path_factory):
    """Opens hoosh in one of its forms, once: pytest would end a fixture of the module's with each row."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def open_one(form):
            file = tmp_path_factory.mktemp(form) / "hoosh.toml"
            file.write_text(config(upstream), encoding="utf-8")
            return stack.enter_context(answering(form, file))

        yield open_one


@pytest.fixture(params=processes.FORMS)
def hoosh(request, opened):
    return opened(request.param)


def config(upstream):
    """Providers `f0`, `f1`, …, all of them the same upstream under another path; and two that nobody answers for."""
    text = CONFIG + "".join(PROVIDER.format(at=at, url=upstream.url) for at in range(2 * len(FAULTS)))
    text += '[[providers]]\nname = "nowhere"\ntype = "openai_compatible"\nbase_url = "http://nowhere.invalid/v1"\nmodels = ["fake*"]\n'
    text += '[[providers]]\nname = "refused"\ntype = "openai_compatible"\nbase_url = "http://127.0.0.1:1/v1"\nmodels = ["fake*"]\n'
    return text


@contextlib.contextmanager
def answering(form, file):
    with processes.gateway(form, file) as hoosh, httpx2.Client(base_url=hoosh.url, timeout=20) as client:
        yield client
        client.close()
        assert hoosh.stop() == 0


def asked(upstream, at):
    """What callers had it asked. The gateway itself probes a provider by its list of models."""
    return [one for one in upstream.requests() if one["method"] == "POST" and one["path"].startswith(f"/f{at}/")]


def model_of(plan):
    verbs = [name if value is True else f"{name}={json.dumps(value)}" for name, value in plan.items()]
    return "fake:" + ",".join(verbs)


def ask(client, at, model, *, stream, said=SAID):
    body = {"model": f"f{at}/{model}", "messages": [{"role": "user", "content": said}], "stream": stream}
    return client.post("/v1/chat/completions", json=body)


RUNS = [
    pytest.param(form, at, id=f"{form}-{fault.name}")
    for form in processes.FORMS
    for at, fault in enumerate(FAULTS)
    # Without the edge, a part of them: what asks upstreams then is what plain hypercorn has too.
    if form != "edge_off" or at % 5 == 0
]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("hoosh", "at"), RUNS, indirect=["hoosh"])
def test_a_fault_of_the_upstream(hoosh, upstream, at, stream):
    fault: Fault = FAULTS[at]
    at = 2 * at + stream
    before = len(asked(upstream, at))
    answer = ask(hoosh, at, model_of(fault.plan), stream=stream, said=fault.said)
    expected = fault.stream if stream else fault.whole
    status, code = got(answer)
    assert (status, code if expected[1] or expected[0] == 200 else None) == expected
    assert answer.headers["x-request-id"]
    if expected == GOOD:
        assert text_of(answer) == "You said: " + (fault.read or fault.said)
    if expected[0] != 200:
        assert answer.headers["x-should-retry"] == "false"
    attempts = 1 if expected[0] == 200 else fault.attempts
    assert len(asked(upstream, at)) - before == attempts

    # Nothing of it is left for the next request: no half of an answer on a kept connection, no wrong word on the provider.
    benched = fault.plan.get("status") in (401, 403, 429)
    assert got(ask(hoosh, at, "fake-chat", stream=stream))[0] == 200 or benched


READ = [
    pytest.param(at, id=fault.name)
    for at, fault in enumerate(FAULTS)
    if fault.name.startswith("F34") and fault.whole == fault.stream == GOOD
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("at", READ)
@pytest.mark.parametrize("hoosh", ["serve"], indirect=True)
def test_f34_a_caller_of_another_dialect_reads_the_same_words(hoosh, at, stream):
    fault: Fault = FAULTS[at]
    body = {"model": f"f{2 * at + stream}/{model_of(fault.plan)}", "max_tokens": 1_000, "stream": stream}
    answer = hoosh.post("/v1/messages", json=body | {"messages": [{"role": "user", "content": fault.said}]})
    said = [json.loads(event) for event in events(answer.content)] if stream else [answer.json()]
    assert said[-1]["type"] == ("message_stop" if stream else "message")
    parts = [one["delta"] for one in said if one["type"] == "content_block_delta"] if stream else said[0]["content"]
    assert "".join(part["text"] for part in parts) == "You said: " + (fault.read or fault.said)


@pytest.mark.parametrize("provider", ["nowhere", "refused"], ids=["F13 no such host", "F14 refused"])
def test_nobody_is_there(hoosh, provider):
    body = {"model": f"{provider}/fake-chat", "messages": [{"role": "user", "content": SAID}]}
    answer = hoosh.post("/v1/chat/completions", json=body)
    assert got(answer) == (502, "upstream_unreachable")


@pytest.mark.parametrize(("hoosh", "at"), [("serve", 0), ("hypercorn", 1)], indirect=["hoosh"])
def test_f34_a_stream_that_is_cut_in_two_anywhere(hoosh, at):
    """At each byte of an event with letters of all lengths, its CRLFs among them."""
    at = 2 * FAULTS.index(next(fault for fault in FAULTS if fault.name == "F34 lines end with CRLF")) + at
    said = "\u2028\U0001f600\u00fc"
    asked = ask(hoosh, at, "fake:eol=crlf", stream=True, said=said).content
    begins = asked.index(b"\r\n\r\n") + 4
    for cut in range(begins, asked.index("ü".encode()) + 60):
        answer = ask(hoosh, at, f"fake:eol=crlf,split_at={cut}", stream=True, said=said)
        assert (got(answer), text_of(answer)) == ((200, None), f"You said: {said}"), cut
