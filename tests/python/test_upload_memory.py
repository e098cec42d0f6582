"""What `hoosh serve` holds of a large upload: a window, whatever its length."""

import hashlib
import re
from pathlib import Path

import h11
import trio
from tests.python.test_server import program

SIZE = 200_000_000
PIECE = bytes(range(256)) * 1_024
HEAD = b'--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n'
TAIL = b"\r\n--b--\r\n"
MOST_KIB = 40 << 10
"""By which the process may grow: the window, sockets' and the server's queues, and what the allocator keeps."""


def peak_kib(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


class Sink:
    """An upstream that hashes what it is sent and keeps none of it."""

    def __init__(self):
        self.digest, self.size, self.length = hashlib.sha256(), 0, None

    async def serve(self, stream):
        http = h11.Connection(h11.SERVER)
        while not isinstance(event := http.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                http.receive_data(await stream.receive_some(65_536))
            elif isinstance(event, h11.Request):
                self.length = dict(event.headers).get(b"content-length")
            elif isinstance(event, h11.Data):
                self.digest.update(event.data)
                self.size += len(event.data)
            elif isinstance(event, h11.ConnectionClosed):
                return
        answer = b'{"id":"file-1"}'
        await stream.send_all(
            http.send(
                h11.Response(
                    status_code=200,
                    headers=[("content-type", "application/json"), ("content-length", str(len(answer)))],
                )
            )
        )
        await stream.send_all(http.send(h11.Data(data=answer)))


async def test_an_upload_of_200_mb_passes_in_little_memory(tmp_path):
    sink, listener = Sink(), (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    address = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
    file = tmp_path / "hoosh.toml"
    file.write_text(
        f'[[providers]]\nname = "one"\ntype = "openai_compatible"\nbase_url = "{address}"\nmodels = ["m"]\n'
    )
    wanted = hashlib.sha256(HEAD)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, sink.serve, [listener])
        async with program(str(file), "--port", "0") as (process, port, _):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            before = peak_kib(process.pid)
            count = SIZE // len(PIECE)
            length = len(HEAD) + count * len(PIECE) + len(TAIL)
            await stream.send_all(
                b"POST /v1/files HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=b\r\n"
                b"content-length: %d\r\n\r\n" % length + HEAD
            )
            for _ in range(count):
                await stream.send_all(PIECE)
                wanted.update(PIECE)
            await stream.send_all(TAIL)
            wanted.update(TAIL)
            with trio.fail_after(60):
                answer = await stream.receive_some()
            assert answer.startswith(b"HTTP/1.1 200"), answer
            assert (sink.size, sink.length) == (length, str(length).encode())
            assert sink.digest.digest() == wanted.digest()
            grown = peak_kib(process.pid) - before
            assert grown < MOST_KIB, f"{grown} KiB"
            await stream.aclose()
        nursery.cancel_scope.cancel()
