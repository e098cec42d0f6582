"""`[providers.tls]` in the driver of Python: whom a connection may be to, and that nothing else is ever let in its place."""

import base64
import contextlib
import datetime
import hashlib
import ssl
import threading

import pytest
import trio
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa

import hoosh
from hoosh import _environment, errors
from hoosh._driver import trust


@pytest.fixture
def authority():
    return trustme.CA()


@pytest.fixture
def files(tmp_path, authority):
    """Files of the authority, and of a certificate with its key."""
    mine = authority.issue_cert("me@example.org")
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    (tmp_path / "me.pem").write_bytes(b"".join(blob.bytes() for blob in mine.cert_chain_pems))
    (tmp_path / "me.key").write_bytes(mine.private_key_pem.bytes())
    (tmp_path / "both.pem").write_bytes(mine.private_key_and_cert_chain_pem.bytes())
    (tmp_path / "nonsense.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    (tmp_path / "text.pem").write_text("nothing of the kind")
    (tmp_path / "other.key").write_bytes(authority.issue_cert("other.example").private_key_pem.bytes())
    return tmp_path


@contextlib.asynccontextmanager
async def serving(upstream, certificate, clients=None):
    """The port of an address that speaks TLS for `upstream`, and asks callers for a certificate of `clients`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    if clients is not None:
        clients.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED

    async def carry(stream):
        with contextlib.suppress(trio.BrokenResourceError):
            await stream.do_handshake()
            async with await trio.open_tcp_stream("127.0.0.1", upstream.port) as behind, trio.open_nursery() as nursery:

                async def pump(source, sink):
                    with contextlib.suppress(trio.BrokenResourceError):
                        async for data in source:
                            await sink.send_all(data)
                    nursery.cancel_scope.cancel()

                nursery.start_soon(pump, stream, behind)
                nursery.start_soon(pump, behind, stream)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_ssl_over_tcp_listeners(0, context, host="127.0.0.1", https_compatible=True)
        nursery.start_soon(trio.serve_listeners, carry, listeners)
        yield listeners[0].transport_listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


def config(port, keys, host="localhost"):
    return (
        f'[retry]\nmax_attempts = 1\n[[providers]]\nname = "0"\ntype = "openai_compatible"\nmodels = ["fake-chat"]\n'
        f'base_url = "https://{host}:{port}"\n[providers.tls]\n{keys}\n'
    )


def pin_of(certificate):
    pem = certificate.cert_chain_pems[0].bytes().decode()
    return base64.b64encode(hashlib.sha256(trust.public_key(ssl.PEM_cert_to_DER_cert(pem))).digest()).decode()


async def said(on, port, keys, **of):
    async def work():
        async with hoosh.Gateway(config(port, keys, **of)) as gateway:
            try:
                answer = await gateway.chat(model="fake-chat", messages=[{"role": "user", "content": "Say hello"}])
                return answer["choices"][0]["message"]["content"]
            except errors.HooshError as error:
                return error.code

    return await on(work)


async def test_an_authority_of_ones_own_vouches_alone(upstream, authority, files, on):
    async with serving(upstream, authority.issue_cert("localhost")) as port:
        assert await said(on, port, f'ca_file = "{files}/ca.pem"') == "You said: Say hello"
        assert await said(on, port, f'ca_file = "{files}/ca.pem"', host="127.0.0.1") == "upstream_unreachable"
    async with serving(upstream, trustme.CA().issue_cert("localhost")) as port:
        assert await said(on, port, f'ca_file = "{files}/ca.pem"') == "upstream_unreachable"


async def test_a_pin_is_asked_beside_the_authority(upstream, authority, files, on):
    leaf, other = authority.issue_cert("localhost"), authority.issue_cert("localhost")
    ca = f'ca_file = "{files}/ca.pem"\n'
    async with serving(upstream, leaf) as port:
        assert await said(on, port, f'{ca}pins = ["{pin_of(other)}", "sha256/{pin_of(leaf)}"]') == "You said: Say hello"
        before = len(upstream.requests)
        assert await said(on, port, f'{ca}pins = ["{pin_of(other)}"]') == "upstream_unreachable"
        assert await said(on, port, f'pins = ["{pin_of(leaf)}"]') == "upstream_unreachable"
        assert len(upstream.requests) == before


@pytest.mark.parametrize(
    "keys", ['client_cert_file = "{}/me.pem"\nclient_key_file = "{}/me.key"', 'client_cert_file = "{}/both.pem"']
)
async def test_a_certificate_of_ones_own_is_shown(upstream, authority, files, on, keys):
    ca = f'ca_file = "{files}/ca.pem"\n'
    async with serving(upstream, authority.issue_cert("localhost"), clients=authority) as port:
        assert await said(on, port, ca + keys.format(files, files)) == "You said: Say hello"
        before = len(upstream.requests)
        assert await said(on, port, ca) in ("upstream_unreachable", "upstream_error")
        assert len(upstream.requests) == before


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ('ca_file = "{}/absent.pem"', "`ca_file` in [providers.tls] cannot be had: the file {}/absent.pem cannot be read: No such file"),
        ('ca_file = "{}"', "it is no regular file"),
        ('ca_file = "{}/nonsense.pem"', "`tls` in [[providers]] cannot be kept: {}/nonsense.pem holds no certificates in PEM"),
        ('ca_file = "{}/text.pem"', "{}/text.pem holds no certificates in PEM"),
        ('ca_file = "{}/me.key"', "{}/me.key holds no certificates in PEM"),
        ('client_cert_file = "{}/me.pem"', "are no certificate and key of each other"),
        ('client_cert_file = "{}/me.pem"\nclient_key_file = "{}/other.key"', "are no certificate and key of each other"),
        ('client_cert_file = "{}/me.pem"\nclient_key_file = "{}/absent.key"', "`client_key_file` in [providers.tls] cannot be had"),
        ('client_cert_file = "{}/nonsense.pem"\nclient_key_file = "{}/me.key"', "are no certificate and key of each other"),
        ('pins = ["abc"]', "a pin is the SHA-256 of a public key"),
    ],
)  # fmt: skip
def test_what_is_not_whole_is_a_mistake_at_the_start(files, keys, words):
    text = config(443, keys.replace("{}", str(files)))
    with pytest.raises(errors.ConfigError) as caught:
        _environment.parse(text)
    assert words.replace("{}", str(files)) in str(caught.value)
    assert "BEGIN" not in str(caught.value)
    if "cannot be" in words and "pins" not in keys:
        _environment.parse(text, secrets=False)  # who asks no provider needs none of it


def test_a_key_with_a_passphrase_is_a_mistake_and_asks_nobody(files):
    key, found = files / "locked.key", []
    plain = serialization.load_pem_private_key((files / "me.key").read_bytes(), None)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    key.write_bytes(plain.private_bytes(*form, serialization.BestAvailableEncryption(b"x")))

    def parse():
        with pytest.raises(errors.ConfigError) as caught:
            _environment.parse(config(443, f'client_cert_file = "{files}/me.pem"\nclient_key_file = "{key}"'))
        found.append(str(caught.value))

    thread = threading.Thread(target=parse, daemon=True)  # one that asks at the terminal never ends
    thread.start()
    thread.join(20)
    assert found
    assert "are no certificate and key of each other" in found[0]


def test_what_only_one_of_the_ways_can_use_is_a_mistake_too(files):
    """OpenSSL takes a key of a kind that nobody uses any more, and rustls does not."""
    key, name = dsa.generate_private_key(2048), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "me")])
    now = datetime.datetime.now(datetime.UTC)
    unsigned = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (files / "old.pem").write_bytes(
        unsigned.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + key.private_bytes(*form)
    )
    with pytest.raises(errors.ConfigError, match=r"old\.pem: does not go with"):
        _environment.parse(config(443, f'client_cert_file = "{files}/old.pem"'))


def test_a_public_key_is_what_another_library_says(files):
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for name in ("ca.pem", "me.pem"):
        certificate = x509.load_pem_x509_certificate((files / name).read_bytes())
        der = certificate.public_bytes(serialization.Encoding.DER)
        assert trust.public_key(der) == certificate.public_key().public_bytes(*form)


def test_the_description_names_files_and_shows_none(files):
    shown = _environment.parse(
        config(443, f'ca_file = "{files}/ca.pem"\nclient_cert_file = "{files}/both.pem"')
    ).describe()
    assert f'ca_file = "{files}/ca.pem"' in shown
    assert "BEGIN" not in shown


def test_a_provider_of_a_builder_has_terms_too(files):
    keys = {"type": "openai", "api_key": "k"}
    built = hoosh.Server.builder().provider(hoosh.Provider(**keys, tls={"ca_file": f"{files}/ca.pem"})).build()
    assert f'ca_file = "{files}/ca.pem"' in built.config.describe()
    with pytest.raises(errors.ConfigError, match="cannot be had"):
        hoosh.Server.builder().provider(hoosh.Provider(**keys, tls={"ca_file": f"{files}/absent.pem"})).build()
