"""OpenAI's official SDK through the port, in front of a provider that speaks the Responses API and keeps what it made."""

import openai
import pytest
from tests.python.kept_responses import SAID, keeping

TEXT = """
[auth]
tokens = ["mine", "theirs"]
[[providers]]
name = "one"
type = "openai_compatible"
dialect = "openai_responses"
base_url = "{url}"
models = ["m"]
"""


@pytest.fixture
def provider():
    with keeping() as (url, keeper):
        yield url, keeper


@pytest.fixture
async def sdks(serving, provider):
    """The SDK with either of two keys, and what the provider was asked."""
    url, keeper = provider
    async with serving(TEXT.format(url=url)) as (base, _):
        made = {"base_url": f"{base}/v1", "max_retries": 0}
        async with (
            openai.AsyncOpenAI(api_key="mine", **made) as mine,
            openai.AsyncOpenAI(api_key="theirs", **made) as theirs,
        ):
            yield mine, theirs, keeper


def begin(sdk, **more):
    return sdk.responses.create(model="m", input="Say hello", background=True, **more)


async def test_a_background_response_is_polled_to_its_end(sdks):
    sdk, _, keeper = sdks
    response = await begin(sdk)
    seen = [response.status]
    while response.status in {"queued", "in_progress"}:
        response = await sdk.responses.retrieve(response.id)
        seen.append(response.status)
    assert (seen, response.output_text) == (["queued", "queued", "completed"], SAID)
    assert response.usage.total_tokens == 10
    assert keeper.asked[0][2]["background"] is True
    assert keeper.asked[-1] == ("GET", f"/v1/responses/{response.id}", None)


async def test_it_is_cancelled_and_thrown_away_where_it_is_kept(sdks):
    sdk, _, keeper = sdks
    response = await begin(sdk)
    assert (await sdk.responses.cancel(response.id)).status == "cancelled"
    items = [item async for item in await sdk.responses.input_items.list(response.id, order="asc")]
    assert [item.content[0].text for item in items] == ["Say hello"]
    assert keeper.asked[-1][1] == f"/v1/responses/{response.id}/input_items?order=asc"
    await sdk.responses.delete(response.id)
    assert not keeper.kept
    with pytest.raises(openai.NotFoundError):
        await sdk.responses.retrieve(response.id)


async def test_its_stream_is_taken_up_again(sdks):
    sdk, _, _ = sdks
    response = await begin(sdk)
    events = await sdk.responses.retrieve(response.id, stream=True, starting_after=0)
    kinds = [event.type async for event in events]
    assert kinds == ["response.in_progress", "response.completed"]


async def test_no_other_key_reaches_it(sdks):
    mine, theirs, keeper = sdks
    response = await begin(mine)
    asked = len(keeper.asked)
    for ask in (theirs.responses.retrieve, theirs.responses.cancel, theirs.responses.delete):
        with pytest.raises(openai.NotFoundError):
            await ask(response.id)
    with pytest.raises(openai.BadRequestError) as caught:
        await theirs.responses.create(model="m", input="And?", previous_response_id=response.id)
    assert caught.value.code == "previous_response_not_found"
    assert len(keeper.asked) == asked


async def test_what_the_provider_keeps_is_asked_of_it(sdks):
    sdk, _, keeper = sdks
    for more in ({"conversation": "conv_1"}, {"prompt": {"id": "pmpt_1"}}):
        response = await sdk.responses.create(model="m", **more)
        assert response.output_text == SAID
        assert keeper.asked[-1][2] == {"model": "m", **more}
        assert (await sdk.responses.retrieve(response.id)).output_text == SAID
