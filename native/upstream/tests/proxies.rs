//! Ways through proxies: tunnels for TLS, requests that are passed on for the rest.

mod support;

use std::rc::Rc;
use std::sync::Arc;

use hoosh_core::config::Secret;
use hoosh_core::egress::{Proxy, TextFile, TlsTerms};
use hoosh_core::exchange::Stage;
use hoosh_core::http::Origin;
use hoosh_upstream::Upstreams;
use rcgen::{generate_simple_self_signed, CertifiedKey};
use rustls::pki_types::PrivateKeyDer;
use rustls::ServerConfig;
use support::Told::{Connected, Data, End, Failed, Head, Sent};
use support::{accept, get, listen, read_head, run, tell};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// An origin that no address leads to, through a proxy at that of `at`.
fn behind(at: &Origin, origin: Origin) -> Arc<Origin> {
    let authorization = Some(Secret::new("Basic dTpw"));
    let proxy = Proxy { tls: at.tls, host: at.host.clone(), port: at.port, authorization };
    Arc::new(Origin { host: "upstream.invalid".into(), trusted: true, proxy: Some(Arc::new(proxy)), ..origin })
}

#[test]
fn a_request_in_clear_is_passed_on() {
    run(async {
        let (listener, at) = listen().await;
        let origin = behind(&at, Origin { port: 8_080, ..Origin::default() });
        let upstream = tokio::spawn(async move {
            let mut stream = accept(&listener).await;
            let mut heads = Vec::new();
            for _ in 0..2 {
                heads.push(read_head(&mut stream).await);
                stream.write_all(OK).await.expect("an answer");
            }
            heads
        });
        let upstreams = Rc::<Upstreams>::default();
        for target in ["/v1/models?a=b", "/"] {
            let told = tell(&upstreams, get(&origin, target)).await;
            assert_eq!(told, [Connected, Sent, Head(200), Data("ok".into()), End]);
        }
        let expected = |target| {
            format!("GET http://upstream.invalid:8080{target} HTTP/1.1\r\nhost: upstream.invalid:8080\r\nproxy-authorization: Basic dTpw\r\n\r\n")
        };
        assert_eq!(upstream.await.expect("the proxy"), [expected("/v1/models?a=b"), expected("/")]);
    });
}

#[test]
fn tls_goes_through_a_tunnel() {
    run(async {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["upstream.invalid".to_owned()]).expect("one");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let server = builder.expect("versions").with_no_client_auth().with_single_cert(vec![cert.der().clone()], key);
        let acceptor = TlsAcceptor::from(Arc::new(server.expect("a server")));
        let ca = TextFile { path: "ca".into(), text: Secret::new(cert.pem()) };
        let terms = Some(Arc::new(TlsTerms { ca: Some(ca), ..TlsTerms::default() }));

        let (listener, at) = listen().await;
        let origin = behind(&at, Origin { tls: true, port: 443, terms, ..Origin::default() });
        let upstream = tokio::spawn(async move {
            let mut stream = accept(&listener).await;
            let connect = read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.expect("an answer");
            let mut stream = acceptor.accept(stream).await.expect("a handshake");
            let head = read_head(&mut stream).await;
            stream.write_all(OK).await.expect("an answer");
            [connect, head]
        });
        let told = tell(&Rc::default(), get(&origin, "/v1/models")).await;
        assert_eq!(told, [Connected, Sent, Head(200), Data("ok".into()), End]);
        assert_eq!(
            upstream.await.expect("the proxy"),
            [
                "CONNECT upstream.invalid:443 HTTP/1.1\r\nhost: upstream.invalid:443\r\nproxy-authorization: Basic dTpw\r\n\r\n",
                "GET /v1/models HTTP/1.1\r\nhost: upstream.invalid\r\n\r\n"
            ]
        );
    });
}

#[test]
fn a_proxy_that_opens_no_tunnel_is_no_way() {
    run(async {
        for answer in [
            &b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..],
            b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nwhat nobody asked for",
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n",
            b"",
        ] {
            let (listener, at) = listen().await;
            let origin = behind(&at, Origin { tls: true, port: 443, ..Origin::default() });
            let proxy = tokio::spawn(async move {
                let mut stream = accept(&listener).await;
                read_head(&mut stream).await;
                stream.write_all(answer).await.expect("an answer");
                stream.shutdown().await.expect("an end");
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
            let told = tell(&Rc::default(), get(&origin, "/")).await;
            assert_eq!(told, [Failed(Stage::Connect, false)], "{:?}", String::from_utf8_lossy(answer));
            proxy.await.expect("the proxy");
        }
    });
}

#[test]
fn a_proxy_that_talks_without_end_is_left() {
    run(async {
        let (listener, at) = listen().await;
        let origin = behind(&at, Origin { tls: true, port: 443, ..Origin::default() });
        let proxy = tokio::spawn(async move {
            let mut stream = accept(&listener).await;
            read_head(&mut stream).await;
            while stream.write_all(b"x: aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n").await.is_ok() {}
        });
        assert_eq!(tell(&Rc::default(), get(&origin, "/")).await, [Failed(Stage::Connect, false)]);
        proxy.await.expect("the proxy");
    });
}

#[test]
fn a_proxy_that_should_speak_tls_must() {
    run(async {
        let (listener, at) = listen().await;
        let at = Origin { tls: true, ..(*at).clone() };
        let origin = behind(&at, Origin { port: 80, ..Origin::default() });
        let proxy = tokio::spawn(async move {
            let mut stream = accept(&listener).await;
            let first = stream.read_u8().await.expect("a hello");
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("to be written");
            first
        });
        assert_eq!(tell(&Rc::default(), get(&origin, "/")).await, [Failed(Stage::Tls, false)]);
        assert_eq!(proxy.await.expect("the proxy"), 22, "it began with something else than a handshake");
    });
}

#[test]
fn what_the_operator_did_not_name_goes_through_no_proxy() {
    run(async {
        let (listener, at) = listen().await;
        let named = behind(&at, Origin { tls: true, port: 443, ..Origin::default() });
        let stranger = Arc::new(Origin { trusted: false, ..(*named).clone() });
        assert_eq!(tell(&Rc::default(), get(&stranger, "/")).await, [Failed(Stage::Connect, false)]);
        let none = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
        assert!(none.is_err(), "somebody connected");
    });
}
