"""ASGI applications for `test_mounted*`: what they saw and do is asked of them through the port, or told them here."""

import json

import trio

SEEN = ("type", "path", "root_path", "query_string", "client", "server", "scheme", "http_version")


class Told:
    """What a test tells the applications, and they it."""

    def __init__(self):
        self.starts = self.ends = 0
        self.refuses = ""
        """What the next start says, if it is to fail."""
        self.crash = trio.Event()
        self.left = trio.Event()
        self.go_on = trio.Event()


told = Told()


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
    elif scope["type"] == "websocket":
        await websocket(scope, receive, send)
    else:
        await ROUTES[scope["path"].removeprefix(scope["root_path"])](scope, receive, send)


async def lifespan(scope, receive, send):
    await receive()
    if told.refuses:
        await send({"type": "lifespan.startup.failed", "message": told.refuses})
        return
    told.starts += 1
    scope["state"]["shared"] = "from the lifespan"
    await send({"type": "lifespan.startup.complete"})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crash)
        await receive()
        nursery.cancel_scope.cancel()
    told.ends += 1
    await send({"type": "lifespan.shutdown.complete"})


async def crash():
    await told.crash.wait()
    told.crash = trio.Event()
    raise RuntimeError("told to crash")


async def answer(send, body, status=200, headers=()):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


async def what(scope, receive, send):
    """Says what it saw."""
    seen = {name: scope[name] for name in SEEN if name not in ("query_string", "client", "server")}
    seen["query"] = scope["query_string"].decode()
    seen["client"], seen["server"] = scope["client"], scope["server"]
    seen["headers"] = sorted([name.decode(), value.decode()] for name, value in scope["headers"])
    seen["state"] = {name: value for name, value in scope["state"].items() if name in ("shared", "hoosh")}
    await answer(
        send, json.dumps(seen).encode(), 201, [(b"x-mine", b"yes"), (b"connection", b"x-hop"), (b"x-hop", b"1")]
    )


async def echo(scope, receive, send):
    """Gives each piece back as it comes."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": message["body"], "more_body": more})


async def count(scope, receive, send):
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message["body"])
        more = message.get("more_body", False)
    await answer(send, str(size).encode())


async def unread(scope, receive, send):
    await answer(send, b"not read")


async def much(scope, receive, send):
    """More than sockets hold."""
    await answer(send, b"x" * (50 << 20))


async def drip(scope, receive, send):
    """Says one line, and goes on when it is told."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"one\n", "more_body": True})
    await told.go_on.wait()
    await send({"type": "http.response.body", "body": b"two\n"})


async def until_left(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"one\n", "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass
    told.left.set()


async def silent(scope, receive, send):
    """Makes the file that it is asked for, and says nothing."""
    await trio.Path(scope["query_string"].decode()).touch()
    await trio.sleep_forever()


async def until_file(scope, receive, send):
    """Answers at once, and ends when there is the file that it is asked for."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while not await trio.Path(scope["query_string"].decode()).exists():
        await trio.sleep(0.01)
    await send({"type": "http.response.body", "body": b"done\n"})


async def raising(scope, receive, send):
    raise RuntimeError("before its answer")


async def raising_later(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"one\n", "more_body": True})
    raise RuntimeError("in its answer")


async def nothing(scope, receive, send):
    pass


ROUTES = {
    "/what": what,
    "/what it": what,
    "": what,
    "/echo": echo,
    "/count": count,
    "/unread": unread,
    "/much": much,
    "/drip": drip,
    "/until-left": until_left,
    "/silent": silent,
    "/until-file": until_file,
    "/raising": raising,
    "/raising-later": raising_later,
    "/nothing": nothing,
}


async def websocket(scope, receive, send):
    """Echoes, or refuses, or fails."""
    await receive()
    if scope["path"].endswith("/no"):
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": json.dumps(scope["state"]["hoosh"])})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "raise":
            raise RuntimeError("in a websocket")
        if message.get("text") == "bye":
            await send({"type": "websocket.close", "code": 4000})
            return
        await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})
    told.left.set()


async def plain(scope, receive, send):
    """Knows no lifespan."""
    assert scope["type"] == "http", scope["type"]
    await answer(send, b"plain " + scope["path"].encode())


no_app = "words"
