"""Proxies of the environment, and addresses that the operator did not name, in the driver of Python."""

import contextlib
import socket
import ssl

import pytest
import trio
import trustme

import hoosh
from hoosh import _environment, _native, errors
from hoosh._driver import connections, ways

VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@contextlib.asynccontextmanager
async def proxying(upstream, answer=b"HTTP/1.1 200 Connection established\r\n\r\n", context=None):
    """A proxy whose every way leads to `upstream`: its port, and the heads that it was told."""
    heads = []

    async def head_of(stream):
        head = b""
        while not head.endswith(b"\r\n\r\n") and (more := await stream.receive_some(1)):
            head += more
        return head

    async def carry(stream):
        with contextlib.suppress(trio.BrokenResourceError):
            heads.append(head := await head_of(stream))
            behind = await trio.open_tcp_stream("127.0.0.1", upstream.port)
            if head.startswith(b"CONNECT "):
                await stream.send_all(answer)
                if context is not None:
                    stream = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
            else:
                method, target, rest = head.split(b" ", 2)
                await behind.send_all(b" ".join([method, b"/" + target.split(b"/", 3)[3], rest]))
            async with behind, trio.open_nursery() as nursery:

                async def pump(source, sink):
                    with contextlib.suppress(trio.BrokenResourceError):
                        async for data in source:
                            await sink.send_all(data)
                    nursery.cancel_scope.cancel()

                nursery.start_soon(pump, stream, behind)
                nursery.start_soon(pump, behind, stream)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, carry, listeners)
        yield listeners[0].socket.getsockname()[1], heads
        nursery.cancel_scope.cancel()


def config(url, more=""):
    return (
        f'[retry]\nmax_attempts = 1\n[[providers]]\nname = "0"\ntype = "openai_compatible"\nmodels = ["fake-chat"]\n'
        f'base_url = "{url}"\n{more}'
    )


async def said(on, text):
    async def work():
        async with hoosh.Gateway(text) as gateway:
            try:
                answer = await gateway.chat(model="fake-chat", messages=[{"role": "user", "content": "Say hello"}])
                return answer["choices"][0]["message"]["content"]
            except errors.HooshError as error:
                return error.code

    return await on(work)


async def test_a_request_in_clear_is_passed_on(upstream, on, monkeypatch):
    async with proxying(upstream) as (port, heads):
        monkeypatch.setenv("HTTP_PROXY", f"http://user:p%40ss@127.0.0.1:{port}")
        assert await said(on, config("http://upstream.invalid:81/v1")) == "You said: Say hello"
    assert heads[0].startswith(
        b"POST http://upstream.invalid:81/v1/chat/completions HTTP/1.1\r\nhost: upstream.invalid:81\r\n"
    )
    assert b"\r\nproxy-authorization: Basic dXNlcjpwQHNz\r\n" in heads[0]


async def test_tls_goes_through_a_tunnel(upstream, on, monkeypatch, tmp_path):
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("upstream.invalid").configure_cert(context)
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    async with proxying(upstream, context=context) as (port, heads):
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{port}")
        text = config("https://upstream.invalid", f'[providers.tls]\nca_file = "{tmp_path}/ca.pem"')
        assert await said(on, text) == "You said: Say hello"
    assert heads == [b"CONNECT upstream.invalid:443 HTTP/1.1\r\nhost: upstream.invalid:443\r\n\r\n"]


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nmore", b"SSH-2.0\r\n\r\n"]
)
async def test_a_proxy_that_opens_no_tunnel_is_no_way(upstream, on, monkeypatch, answer):
    async with proxying(upstream, answer=answer) as (port, heads):
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{port}")
        assert await said(on, config("https://upstream.invalid")) == "upstream_unreachable"
    assert len(heads) == 1
    assert not upstream.requests


async def test_this_machine_and_exceptions_are_reached_without_one(upstream, on, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert await said(on, config(upstream.url)) == "You said: Say hello"
    for list_, through in [("", True), ("other.example", True), ("example", False), ("*", False)]:
        monkeypatch.setenv("NO_PROXY", list_)
        shown = _environment.parse(config("https://a.example")).describe()
        assert ("# through the proxy 127.0.0.1 on port 9, of the environment" in shown) == through


def test_a_proxy_that_cannot_be_used_is_a_mistake(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:secret@127.0.0.1:9")
    with pytest.raises(errors.ConfigError, match="environment variable `HTTPS_PROXY` names a SOCKS proxy") as caught:
        _environment.parse(config("https://a.example"))
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    found = _environment.found()
    assert "openai" not in [name for name, *_ in found.providers]
    assert any("openai is left out" in warning for warning in found.warnings)


# --- what the operator did not name ------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "::1", "::ffff:127.0.0.1"])
async def test_what_the_operator_did_not_name_does_not_lead_here(on, host):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]

        async def work():
            pool = connections.Connections()
            with pytest.raises(ways.Unreachable) as caught:
                await pool.take((False, host, port, False, None, None))
            assert caught.value.stage == "connect"

        await on(work)
        with pytest.raises(BlockingIOError):
            listener.accept()


async def test_nor_through_a_proxy(on):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        proxy = (False, "127.0.0.1", listener.getsockname()[1], None)

        async def work():
            with pytest.raises(ways.Unreachable):
                await connections.Connections().take((True, "a.example", 443, False, None, proxy))

        await on(work)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_addresses_are_judged_as_the_core_does():
    assert _native.is_forbidden("169.254.169.254")
    assert _native.is_forbidden("fe80::1%eth0")
    assert not _native.is_forbidden("1.1.1.1")
    with pytest.raises(ValueError, match="no address"):
        _native.is_forbidden("localhost")
