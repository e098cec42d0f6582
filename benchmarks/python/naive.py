"""The relay that one writes first: ASGI on trio, one httpx client, no policy at all.

`UPSTREAM=http://127.0.0.1:8000 hypercorn -k trio naive:app`
"""

import json
import os

import httpx

UPSTREAM = os.environ["UPSTREAM"]
client: httpx.AsyncClient | None = None


async def app(scope, receive, send) -> None:
    global client
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                client = httpx.AsyncClient(limits=httpx.Limits(max_connections=512, max_keepalive_connections=512))
            elif client is not None:
                await client.aclose()
            await send({"type": event["type"] + ".complete"})
            if event["type"] == "lifespan.shutdown":
                return
    body = b""
    more = True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    headers = {"content-type": "application/json", "authorization": "Bearer operator-key"}
    url = UPSTREAM + scope["path"]
    if json.loads(body).get("stream"):
        async with client.stream("POST", url, content=body, headers=headers) as answer:
            await start(send, answer, [])
            async for chunk in answer.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    answer = await client.post(url, content=body, headers=headers)
    await start(send, answer, [(b"content-length", str(len(answer.content)).encode())])
    await send({"type": "http.response.body", "body": answer.content})


async def start(send, answer: httpx.Response, more: list) -> None:
    kind = answer.headers.get("content-type", "application/json").encode()
    headers = [(b"content-type", kind), *more]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
