"""The first answer: what `make run` shows, so that a newcomer sees the gateway work or reads what to do next."""

import json

import httpx2
import trio

from hoosh import sse
from hoosh._driver import Driver
from hoosh._native import Config
from hoosh.announce import LIST_SECONDS, Say, first_model, question

LINE = 100
"""Characters of an answer that make a line of it."""
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
    model = first_model(driver.gateway)
    while model is None and config.providers:
        await trio.sleep(LOOK_SECONDS)
        if driver.gateway.discovered() != known:
            known = driver.gateway.discovered()
            model = first_model(driver.gateway)
    return model


async def _ask(say: Say, address: str, model: str) -> None:
    asked = question(model)
    say(f"Asking {model}: {asked}")
    body = {"model": model, "messages": [{"role": "user", "content": asked}], "max_tokens": 64, "stream": True}
    told = Told(say)
    try:
        async with (
            httpx2.AsyncClient(timeout=120) as http,
            http.stream("POST", f"{address}/v1/chat/completions", json=body) as answer,
        ):
            if answer.status_code != 200:
                told.refused(await answer.aread())
            parser = sse.Parser()
            async for piece in answer.aiter_bytes():
                for event in parser.feed(piece):
                    told.event(event.data)
    except httpx2.HTTPError as error:
        say(f"The first question failed: {error}", "warn")
        return
    told.end()


class Told:
    """What a stream says, given on line by line while it comes."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._text, self._error = "", ""
        self._begun = False

    def event(self, data: str) -> None:
        """One event of the stream."""
        if data == "[DONE]":
            return
        chunk = json.loads(data)
        if "error" in chunk:
            self._error = chunk["error"]["message"]
        for choice in chunk.get("choices", []):
            self._text += choice["delta"].get("content") or ""
        while len(self._text) > LINE and (cut := self._text.rfind(" ", 0, LINE)) > 0:
            self._line(self._text[:cut])
            self._text = self._text[cut + 1 :]

    def refused(self, body: bytes) -> None:
        """The body of an answer that is no stream."""
        try:
            self._error = json.loads(body)["error"]["message"]
        except (ValueError, KeyError, TypeError):
            self._error = body.decode(errors="replace")

    def end(self) -> None:
        """The answer is over."""
        if self._error:
            self._say(f"It did not answer: {self._error}", "warn")
        elif self._text.strip():
            self._line(self._text)

    def _line(self, text: str) -> None:
        self._say(text.strip() if self._begun else f"It answers: {text.strip()}")
        self._begun = True
