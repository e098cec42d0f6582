"""Bytes to a listener, and its answers as they came."""

from dataclasses import dataclass, field

import trio

SECONDS = 30
"""After which a connection hangs: told, and compared, as any other difference."""
PROBE = b"HEAD /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(frozen=True)
class Ask:
    """What a caller writes on a connection of its own, and how many answers it waits for."""

    name: str
    parts: tuple[bytes, ...]
    """Written one after the other: those behind the first when a `100 Continue` or an answer came."""
    plans: tuple[dict, ...] = ()
    """What the upstream does with the requests that come to it."""
    methods: tuple[bytes, ...] = ()
    """Of each request, where there are several."""
    unread: bool = False
    """Part of its body is never read, so that a listener may close behind the answer, if it says so."""


@dataclass
class Answer:
    """One answer; `interim` are the statuses of 1xx before it."""

    status: int
    version: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    interim: list[int] = field(default_factory=list)
    whole: bool = True

    def header(self, name):
        return next((value for given, value in self.headers if given == name), None)


class _Reader:
    def __init__(self, stream, on_data):
        self.stream, self.got, self.on_data = stream, b"", on_data
        self.ended = False

    async def more(self):
        try:
            data = await self.stream.receive_some(1 << 16)
        except trio.BrokenResourceError:
            data = b""
        self.on_data.set()
        self.got += data
        self.ended = not data
        return bool(data)

    async def until(self, true):
        while not true(self.got):
            if not await self.more():
                return False
        return True

    async def take(self, size):
        whole = await self.until(lambda got: len(got) >= size)
        out, self.got = self.got[:size], self.got[size:]
        return out, whole

    async def line(self):
        await self.until(lambda got: b"\r\n" in got)
        line, _, self.got = self.got.partition(b"\r\n")
        return line


async def _answer(reader, method):
    interim = []
    while True:
        if not await reader.until(lambda got: b"\r\n\r\n" in got):
            return None
        head, _, reader.got = reader.got.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status = first.split(" ")[:2]
        if not 100 <= int(status) < 200:
            break
        interim.append(int(status))
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    answer = Answer(int(status), version, headers, interim=interim)
    if method == b"HEAD" or answer.status in (204, 304):
        return answer
    if answer.header("transfer-encoding") == "chunked":
        while size := int((await reader.line()).partition(b";")[0] or b"0", 16):
            piece, answer.whole = await reader.take(size)
            answer.body += piece
            await reader.line()
            if not answer.whole:
                return answer
        while await reader.line():
            pass
    elif (length := answer.header("content-length")) is not None:
        answer.body, answer.whole = await reader.take(int(length))
    else:
        while await reader.more():
            pass
        answer.body, reader.got = reader.got, b""
    return answer


async def put(port, ask, seconds=SECONDS):
    """The answers to `ask`, and what became of the connection: `kept` for another request, `closed` as was said in the last
    answer or known from its version, `dropped`, or that it `hangs`."""
    methods = ask.methods or (ask.parts[0].partition(b" ")[0],)
    answers = []
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        with trio.move_on_after(seconds):
            heard = trio.Event()
            reader = _Reader(stream, heard)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_write, stream, ask.parts, heard)
                for method in methods:
                    answer = await _answer(reader, method)
                    if answer is None:
                        break
                    answers.append(answer)
                nursery.cancel_scope.cancel()
            if await _is_kept(stream, reader):
                return answers, "kept"
            return answers, "closed" if answers and _is_last(ask, answers[-1]) else "dropped"
    return answers, "hangs"


async def _write(stream, parts, heard):
    try:
        for at, part in enumerate(parts):
            if at:
                await heard.wait()
            await stream.send_all(part)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # refused, and the rest is not wanted


def _is_last(ask, answer):
    return answer.header("connection") == "close" or b" HTTP/1.0\r\n" in ask.parts[0]


async def _is_kept(stream, reader):
    try:
        await stream.send_all(PROBE)
    except trio.BrokenResourceError:
        return False
    return await _answer(reader, b"HEAD") is not None
