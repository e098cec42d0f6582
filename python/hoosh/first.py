"""The first answer: what `make run` shows, so that a newcomer sees the gateway work or reads what to do next."""

import httpx2
import trio

from hoosh._native import Config
from hoosh.announce import Say

QUESTION = "Say hello in one short sentence."
WAIT_SECONDS = 5
"""How long providers have to say which models they serve."""
KEYED = "Keys are configured, so the first question is yours: send one as 'Authorization: Bearer YOUR_KEY'."


async def first_answer(say: Say, config: Config, address: str) -> None:
    """Ask one question through the port, or say why not and what to do."""
    if config.keyed:
        say(KEYED)
        return
    try:
        await _ask(say, address)
    except httpx2.HTTPError as error:
        say(f"The first question failed: {error}", "warn")


async def _ask(say: Say, address: str) -> None:
    async with httpx2.AsyncClient(timeout=120) as http:
        model = await _model(http, address)
        if model is None:
            return  # the server says so itself, and what to do
        say(f"Asking {model}: {QUESTION}")
        body = {"model": model, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 64}
        answer = (await http.post(f"{address}/v1/chat/completions", json=body)).json()
        if "error" in answer:
            say(f"It did not answer: {answer['error']['message']}", "warn")
        else:
            say(f"It answered: {answer['choices'][0]['message']['content']}")


async def _model(http: httpx2.AsyncClient, address: str) -> str | None:
    for _ in range(WAIT_SECONDS * 10):
        answer = await http.get(f"{address}/v1/models")
        names = [entry["id"] for entry in answer.json().get("data", [])]
        if chats := [name for name in names if "embed" not in name]:
            return str(chats[0])
        await trio.sleep(0.1)
    return None
