"""The first answer: what `make run` shows, so that a newcomer sees the gateway work or reads what to do next."""

import httpx2
import trio

from hoosh._driver import Driver
from hoosh._native import Config
from hoosh.announce import LIST_SECONDS, Say, first_model

QUESTION = "Say hello in one short sentence."
LOOK_SECONDS = 10
"""With no model at the start, what the providers have said is looked at so often: no request, and nothing is written down."""
KEYED = "Keys are configured, so the first question is yours: send one as 'Authorization: Bearer YOUR_KEY'."


async def first_answer(say: Say, driver: Driver, config: Config, address: str, stop: trio.Event) -> None:
    """Ask one question through the port, as soon as there is a model. At `stop` it is given up without a word."""
    if config.keyed:
        say(KEYED)
        return
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_give_up, stop, nursery.cancel_scope)
        model = await _model(driver, config)
        if model is not None:
            await _ask(say, address, model)
        nursery.cancel_scope.cancel()


async def _give_up(stop: trio.Event, asking: trio.CancelScope) -> None:
    await stop.wait()
    asking.cancel()


async def _model(driver: Driver, config: Config) -> str | None:
    """The first model that is there; None if none will be. That there is none yet, the server says itself, and what to do."""
    with trio.move_on_after(LIST_SECONDS):
        await driver.listed()
    known = driver.gateway.discovered()
    model = await first_model(driver)
    while model is None and config.providers:
        await trio.sleep(LOOK_SECONDS)
        if driver.gateway.discovered() != known:
            known = driver.gateway.discovered()
            model = await first_model(driver)
    return model


async def _ask(say: Say, address: str, model: str) -> None:
    say(f"Asking {model}: {QUESTION}")
    body = {"model": model, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 64}
    try:
        async with httpx2.AsyncClient(timeout=120) as http:
            answer = (await http.post(f"{address}/v1/chat/completions", json=body)).json()
    except httpx2.HTTPError as error:
        say(f"The first question failed: {error}", "warn")
        return
    if "error" in answer:
        say(f"It did not answer: {answer['error']['message']}", "warn")
    else:
        say(f"It answered: {answer['choices'][0]['message']['content']}")
