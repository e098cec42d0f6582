//! TLS: whom a connection may be to. Everything that is not so fails, before a byte of the request is sent.

mod support;

use std::rc::Rc;
use std::sync::Arc;

use hoosh_core::config::Secret;
use hoosh_core::egress::{Identity, Pin, TextFile, TlsTerms};
use hoosh_core::exchange::Stage;
use hoosh_core::http::Origin;
use hoosh_upstream::{check, Attempt, Settings, Upstreams};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, IsCa, KeyPair, PublicKeyData};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, RootCertStore, ServerConfig};
use support::Told::{Connected, Data, End, Failed, Head, Sent};
use support::{accept, follow, get, listen, next, read_head, run, tell, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tokio_rustls::TlsAcceptor;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// An authority that nobody else knows.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
struct Leaf {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "an authority");
        let key = KeyPair::generate().expect("a key");
        Authority(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    fn leaf(&self, name: &str) -> Leaf {
        self.leaf_of(CertificateParams::new([name.to_owned()]).expect("a name"))
    }

    fn leaf_of(&self, params: CertificateParams) -> Leaf {
        let key = KeyPair::generate().expect("a key");
        Leaf { certificate: params.signed_by(&key, &self.0).expect("a certificate"), key }
    }

    fn file(&self) -> TextFile {
        file("ca.pem", &self.0.pem())
    }

    fn terms(&self) -> TlsTerms {
        TlsTerms { ca: Some(self.file()), ..TlsTerms::default() }
    }
}

impl Leaf {
    fn pin(&self) -> Pin {
        let key = self.key.subject_public_key_info();
        Pin(ring::digest::digest(&ring::digest::SHA256, &key).as_ref().try_into().expect("32 bytes"))
    }

    fn identity(&self) -> Identity {
        Identity {
            certificate: file("me.pem", &self.certificate.pem()),
            key: file("me.key", &self.key.serialize_pem()),
        }
    }

    /// A server that shows it, and asks for a certificate of `clients` if they are given.
    fn server(&self, clients: Option<&Authority>) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().expect("versions");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.0.der().clone()).expect("a root");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.expect("a verifier"))
            }
        };
        let certificate: CertificateDer<'static> = self.certificate.der().clone();
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).expect("a key");
        builder.with_single_cert(vec![certificate], key).expect("a server")
    }
}

fn file(path: &str, text: &str) -> TextFile {
    TextFile { path: path.into(), text: Secret::new(text) }
}

async fn listen_as(host: &str, terms: Option<TlsTerms>) -> (TcpListener, Arc<Origin>) {
    let (listener, clear) = listen().await;
    let origin = Origin { tls: true, host: host.into(), terms: terms.map(Arc::new), ..(*clear).clone() };
    (listener, Arc::new(origin))
}

/// Answers one request on each of `times` connections; one whose handshake fails is counted as nothing. Returns how many.
async fn serve(listener: TcpListener, config: ServerConfig, times: usize) -> usize {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let mut answered = 0;
    for _ in 0..times {
        let Ok(mut stream) = acceptor.accept(accept(&listener).await).await else { continue };
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && matches!(stream.read_buf(&mut head).await, Ok(1..)) {}
        if head.is_empty() {
            continue;
        }
        answered += 1;
        stream.write_all(OK).await.expect("an answer");
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    answered
}

/// What is told of one request, and how many the upstream read.
fn asked(host: &str, terms: TlsTerms, config: ServerConfig) -> (Vec<support::Told>, usize) {
    run(async {
        let (listener, origin) = listen_as(host, Some(terms)).await;
        let upstream = tokio::spawn(serve(listener, config, 1));
        let upstreams = Rc::<Upstreams>::default();
        let told = tell(&upstreams, get(&origin, "/")).await;
        drop(upstreams);
        (told, upstream.await.expect("the upstream"))
    })
}

fn answered() -> (Vec<support::Told>, usize) {
    (vec![Connected, Sent, Head(200), Data("ok".into()), End], 1)
}

fn refused() -> (Vec<support::Told>, usize) {
    (vec![Failed(Stage::Tls, false)], 0)
}

#[test]
fn an_authority_of_ones_own_vouches() {
    let authority = Authority::new();
    let leaf = authority.leaf("localhost");
    assert_eq!(asked("localhost", authority.terms(), leaf.server(None)), answered());
    let leaf = authority.leaf("127.0.0.1");
    assert_eq!(asked("127.0.0.1", authority.terms(), leaf.server(None)), answered());
}

#[test]
fn any_other_does_not() {
    let (authority, other) = (Authority::new(), Authority::new());
    let leaf = other.leaf("localhost");
    assert_eq!(asked("localhost", authority.terms(), leaf.server(None)), refused());
    // Nor does ours where the system's are asked.
    assert_eq!(asked("localhost", TlsTerms::default(), leaf.server(None)), refused());
}

#[test]
fn a_certificate_is_for_its_own_name_and_time() {
    let authority = Authority::new();
    let leaf = authority.leaf("other.example");
    assert_eq!(asked("localhost", authority.terms(), leaf.server(None)), refused());
    let leaf = authority.leaf("localhost");
    assert_eq!(asked("127.0.0.1", authority.terms(), leaf.server(None)), refused());
    for (from, until) in [(2001, 2002), (2200, 2201)] {
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(from, 1, 1), rcgen::date_time_ymd(until, 1, 1));
        let leaf = authority.leaf_of(params);
        assert_eq!(asked("localhost", authority.terms(), leaf.server(None)), refused());
    }
}

#[test]
fn a_pin_is_asked_beside_the_authority() {
    let authority = Authority::new();
    let (leaf, other) = (authority.leaf("localhost"), authority.leaf("localhost"));
    let pinned = |pins: &[Pin]| TlsTerms { pins: pins.to_vec(), ..authority.terms() };
    assert_eq!(asked("localhost", pinned(&[leaf.pin()]), leaf.server(None)), answered());
    assert_eq!(asked("localhost", pinned(&[other.pin(), leaf.pin()]), leaf.server(None)), answered());
    assert_eq!(asked("localhost", pinned(&[other.pin()]), leaf.server(None)), refused());
    // A pin alone vouches for nothing.
    let terms = TlsTerms { pins: vec![leaf.pin()], ca: Some(Authority::new().file()), identity: None };
    assert_eq!(asked("localhost", terms, leaf.server(None)), refused());
    let terms = TlsTerms { pins: vec![leaf.pin()], ..pinned(&[leaf.pin()]) };
    assert_eq!(asked("127.0.0.1", terms, leaf.server(None)), refused());
}

#[test]
fn a_certificate_of_ones_own_is_shown() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let (leaf, me) = (authority.leaf("localhost"), clients.leaf("me"));
    let shown = |me: &Leaf| TlsTerms { identity: Some(me.identity()), ..authority.terms() };
    assert_eq!(asked("localhost", shown(&me), leaf.server(Some(&clients))), answered());
    // In TLS 1.3 an upstream refuses it after the handshake, from the client's point of view.
    for terms in [authority.terms(), shown(&Authority::new().leaf("me"))] {
        let (told, requests) = asked("localhost", terms, leaf.server(Some(&clients)));
        assert!(matches!(told.last(), Some(Failed(..))) && !told.contains(&Head(200)), "{told:?}");
        assert_eq!(requests, 0);
    }
}

#[test]
fn what_speaks_no_tls_is_told_as_such() {
    run(async {
        let authority = Authority::new();
        for said in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\x15\x03\x01\x00\x02\x02\x28", b""] {
            let (listener, origin) = listen_as("localhost", Some(authority.terms())).await;
            let upstream = tokio::spawn(async move {
                let mut stream = accept(&listener).await;
                stream.read_u8().await.expect("a hello");
                stream.write_all(said).await.expect("to be written");
            });
            assert_eq!(tell(&Rc::default(), get(&origin, "/")).await, [Failed(Stage::Tls, false)]);
            upstream.await.expect("the upstream");
        }
    });
}

#[test]
fn an_upstream_that_wants_another_protocol_is_refused() {
    let authority = Authority::new();
    let mut config = authority.leaf("localhost").server(None);
    config.alpn_protocols = vec![b"h2".to_vec()];
    assert_eq!(asked("localhost", authority.terms(), config), refused());
    let mut config = authority.leaf("localhost").server(None);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    assert_eq!(asked("localhost", authority.terms(), config), answered());
}

async fn handshake(acceptor: &TlsAcceptor, listener: &TcpListener) -> TlsStream<TcpStream> {
    acceptor.accept(accept(listener).await).await.expect("a handshake")
}

#[test]
fn sessions_are_resumed_and_connections_reused() {
    run(async {
        let authority = Authority::new();
        let (listener, origin) = listen_as("localhost", Some(authority.terms())).await;
        let acceptor = TlsAcceptor::from(Arc::new(authority.leaf("localhost").server(None)));
        let settings = Settings::default();
        let upstream = tokio::spawn(async move {
            let mut kinds = Vec::new();
            for requests in [2, 1] {
                let mut stream = handshake(&acceptor, &listener).await;
                for _ in 0..requests {
                    read_head(&mut stream).await;
                    stream.write_all(OK).await.expect("an answer");
                }
                kinds.push(stream.get_ref().1.handshake_kind());
                stream.shutdown().await.expect("an end");
            }
            kinds
        });
        let upstreams = Rc::new(Upstreams::new(settings.clone()));
        for _ in 0..2 {
            assert_eq!(tell(&upstreams, get(&origin, "/")).await, answered().0);
        }
        // Another thread has its own connections, and the sessions of all.
        let upstreams = Rc::new(Upstreams::new(settings));
        assert_eq!(tell(&upstreams, get(&origin, "/")).await, answered().0);
        let kinds = upstream.await.expect("the upstream");
        assert_eq!(kinds, [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)]);
    });
}

#[test]
fn terms_tell_pools_apart() {
    run(async {
        let authority = Authority::new();
        let (listener, origin) = listen_as("localhost", Some(authority.terms())).await;
        let upstream = tokio::spawn(serve(listener, authority.leaf("localhost").server(None), 1));
        let upstreams = Rc::<Upstreams>::default();
        assert_eq!(tell(&upstreams, get(&origin, "/")).await, answered().0);
        assert_eq!(upstreams.idle(), 1);
        let pinned = TlsTerms { pins: vec![Pin([0; 32])], ..authority.terms() };
        let strict = Arc::new(Origin { terms: Some(Arc::new(pinned)), ..(*origin).clone() });
        // Not over the connection that there is: the listener is gone with its task's one turn.
        let mut attempt = Attempt::new(&upstreams, get(&strict, "/"));
        assert_eq!(upstreams.idle(), 1);
        drop(attempt.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())));
        drop((attempt, upstreams));
        assert_eq!(upstream.await.expect("the upstream"), 1);
    });
}

#[test]
fn words_that_nobody_asked_for_are_no_answer_in_tls_either() {
    run(async {
        let authority = Authority::new();
        let (listener, origin) = listen_as("localhost", Some(authority.terms())).await;
        let acceptor = TlsAcceptor::from(Arc::new(authority.leaf("localhost").server(None)));
        let (said, heard) = tokio::sync::oneshot::channel();
        let upstream = tokio::spawn(async move {
            let mut stream = handshake(&acceptor, &listener).await;
            read_head(&mut stream).await;
            stream.write_all(OK).await.expect("an answer");
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil").await.expect("to be written");
            said.send(()).expect("a listener");
            let mut second = handshake(&acceptor, &listener).await;
            read_head(&mut second).await;
            second.write_all(OK).await.expect("an answer");
            let _ = second.read_to_end(&mut Vec::new()).await;
        });
        let upstreams = Rc::<Upstreams>::default();
        assert_eq!(tell(&upstreams, get(&origin, "/")).await, answered().0);
        heard.await.expect("the stray answer");
        assert_eq!(tell(&upstreams, get(&origin, "/")).await, answered().0);
        drop(upstreams);
        upstream.await.expect("the upstream");
    });
}

#[test]
fn a_body_that_ends_with_its_connection_needs_the_end_of_tls() {
    run(async {
        let authority = Authority::new();
        let (listener, origin) = listen_as("localhost", Some(authority.terms())).await;
        let acceptor = TlsAcceptor::from(Arc::new(authority.leaf("localhost").server(None)));
        let upstream = tokio::spawn(async move {
            for is_whole in [true, false] {
                let mut stream = handshake(&acceptor, &listener).await;
                read_head(&mut stream).await;
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nsome").await.expect("an answer");
                if is_whole {
                    stream.shutdown().await.expect("an end");
                } else {
                    stream.get_mut().0.shutdown().await.expect("an end without a word");
                }
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        });
        let upstreams = Rc::<Upstreams>::default();
        let told = tell(&upstreams, get(&origin, "/")).await;
        assert_eq!(told[2..], [Head(200), Data("some".into()), End]);
        let mut attempt = Attempt::new(&upstreams, get(&origin, "/"));
        until(&mut attempt, &Head(200)).await;
        assert_eq!(follow(&mut attempt).await, [Data("some".into()), Failed(Stage::Body, false)]);
        drop(attempt);
        upstream.await.expect("the upstream");
    });
}

#[test]
fn a_handshake_that_never_ends_is_left_with_its_attempt() {
    run(async {
        let authority = Authority::new();
        let (listener, origin) = listen_as("localhost", Some(authority.terms())).await;
        let mut attempt = Attempt::new(&Rc::default(), get(&origin, "/"));
        let mut stream = tokio::select! {
            told = next(&mut attempt) => panic!("{told:?}"),
            stream = accept(&listener) => stream,
        };
        drop(attempt);
        // Whatever it said before, then the end.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
}

#[test]
fn what_is_no_certificate_or_key_is_said_at_the_start() {
    let authority = Authority::new();
    let (me, other) = (authority.leaf("me"), authority.leaf("me"));
    let broken = authority.0.pem().replace("MII", "!!!");
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (ca, wrong) in [
        ("", "ca.pem: holds no certificate in PEM"),
        ("nonsense", "ca.pem: holds no certificate in PEM"),
        (&me.key.serialize_pem(), "ca.pem: holds no certificate in PEM"),
        (&broken, "ca.pem: not in PEM"),
        (nonsense, "ca.pem: no certificate of an authority"),
    ] {
        let terms = TlsTerms { ca: Some(file("ca.pem", ca)), ..TlsTerms::default() };
        let error = check(&terms).expect_err(wrong);
        assert!(error.starts_with(wrong), "{error}");
    }
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for (key, wrong) in [
        ("", "me.key: holds no private key"),
        (encrypted, "me.key: holds no private key in PEM without a passphrase"),
        (&me.certificate.pem(), "me.key: holds no private key"),
        (&other.key.serialize_pem(), "me.key: does not go with me.pem"),
    ] {
        let identity = Identity { key: file("me.key", key), ..me.identity() };
        let error = check(&TlsTerms { identity: Some(identity), ..TlsTerms::default() }).expect_err(wrong);
        assert!(error.starts_with(wrong), "{error}");
        assert!(!error.contains("BEGIN"), "{error}");
    }
    let identity = Identity { certificate: file("me.pem", nonsense), ..me.identity() };
    check(&TlsTerms { identity: Some(identity), ..TlsTerms::default() }).expect_err("no certificate");
    check(&TlsTerms { identity: Some(me.identity()), pins: vec![me.pin()], ..authority.terms() }).expect("good terms");
}

#[test]
fn terms_that_cannot_be_kept_connect_to_nobody() {
    let authority = Authority::new();
    let leaf = authority.leaf("localhost");
    let none = TlsTerms { ca: Some(file("ca.pem", "")), ..TlsTerms::default() };
    assert_eq!(asked("localhost", none, leaf.server(None)), refused());
    let identity = Identity { key: file("me.key", ""), ..leaf.identity() };
    let terms = TlsTerms { identity: Some(identity), ..authority.terms() };
    assert_eq!(asked("localhost", terms, leaf.server(None)), refused());
}
