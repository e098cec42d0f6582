"""TLS to upstreams: whom a connection may be to, and what is shown of us. What of it cannot be had fails; nothing stands in."""

import hashlib
import ssl

from hoosh._native import TlsTerms


def context(terms: TlsTerms | None) -> ssl.SSLContext:
    """What connections on these terms are made with. Reads files.

    Raises:
        OSError: a file is not what it should be; `ssl.SSLError` is one.

    """
    made = _of_system() if terms is None or terms.ca is None else _of(*terms.ca)
    made.set_alpn_protocols(["http/1.1"])
    if terms is not None and terms.identity is not None:
        certificate, key = terms.identity
        try:
            # Without a password of ours OpenSSL would ask at the terminal.
            made.load_cert_chain(certificate, key, password=lambda: "")
        except OSError as error:
            raise OSError(
                f"{certificate} and {key} are no certificate and key of each other: {_words(error)}"
            ) from None
    return made


def is_pinned(terms: TlsTerms | None, tls: ssl.SSLObject) -> bool:
    """Whether the peer has a key that the operator wrote down, where there is any."""
    if terms is None or not (pins := terms.pins):
        return True
    certificate = tls.getpeercert(True)
    return certificate is not None and hashlib.sha256(public_key(certificate)).digest() in pins


def public_key(certificate: bytes) -> bytes:
    """The `SubjectPublicKeyInfo` of a certificate in DER that OpenSSL has accepted (RFC 5280, section 4.1)."""
    start, _ = _element(certificate, 0)
    start, _ = _element(certificate, start)
    if certificate[start] == 0xA0:
        _, start = _element(certificate, start)  # the version
    for _ in range(5):  # serial number, signature, issuer, validity, subject
        _, start = _element(certificate, start)
    return certificate[start : _element(certificate, start)[1]]


def _element(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element at `at` begins, and where it ends."""
    length, start = der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(der[start : start + count]), start + count
    return start, start + length


def _of_system() -> ssl.SSLContext:
    """The authorities that httpx2 trusts: the system's, or those of `$SSL_CERT_FILE` or `$SSL_CERT_DIR`."""
    import httpx2

    return httpx2.create_ssl_context()


def _of(path: str, authorities: str) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Whatever the operator trusts is the end of a chain, and need not look like the authorities of the web.
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        made.load_verify_locations(cadata=authorities)
    except (ssl.SSLError, ValueError) as error:  # what is not in ASCII is a `ValueError`
        raise OSError(f"{path} holds no certificates in PEM: {_words(error)}") from None
    return made


def _words(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
