//! How far attempts come that fail, and what the wire has of them.

mod support;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use hoosh_core::exchange::Stage;
use hoosh_core::http::{Body, Origin};
use hoosh_upstream::{Attempt, Upstreams};
use socket2::SockRef;
use support::Told::{Connected, Failed, Head, Sent};
use support::{accept, follow, get, listen, next, origin, post, read_exactly, read_head, run, tell, until, whole};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[test]
fn nobody_listens() {
    run(async {
        let (listener, origin) = listen().await;
        drop(listener);
        assert_eq!(tell(&Rc::default(), get(&origin, "/")).await, [Failed(Stage::Connect, false)]);
    });
}

#[test]
fn a_name_that_nobody_knows() {
    run(async {
        let origin = Origin { host: "nobody.invalid".into(), port: 80, trusted: true, ..Origin::default() };
        assert_eq!(tell(&Rc::default(), get(&Arc::new(origin), "/")).await, [Failed(Stage::Connect, false)]);
    });
}

#[test]
fn a_name_is_looked_up() {
    run(async {
        let (listener, _) = listen().await;
        let port = listener.local_addr().expect("its address").port();
        let origin = Origin { host: "localhost".into(), port, trusted: true, ..Origin::default() };
        let mut attempt = Attempt::new(&Rc::default(), get(&Arc::new(origin), "/"));
        assert_eq!(next(&mut attempt).await, Connected);
        assert_eq!(next(&mut attempt).await, Sent);
        let head = read_head(&mut accept(&listener).await).await;
        assert!(head.contains(&format!("\r\nhost: localhost:{port}\r\n")), "{head}");
    });
}

#[test]
fn what_the_operator_did_not_name_does_not_lead_here() {
    run(async {
        let upstreams = Rc::<Upstreams>::default();
        for bind in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(bind).await else { continue };
            let address = listener.local_addr().expect("its address");
            for host in [address.ip().to_string(), "localhost".to_owned(), "127.1".to_owned(), "0x7f000001".to_owned()]
            {
                let stranger = Origin { host, port: address.port(), ..Origin::default() };
                let told = tell(&upstreams, get(&Arc::new(stranger), "/")).await;
                assert_eq!(told, [Failed(Stage::Connect, false)]);
            }
            let none = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
            assert!(none.is_err(), "somebody connected");
        }
    });
}

#[test]
fn what_is_sent_is_the_request_and_nothing_else() {
    run(async {
        let (listener, origin) = listen().await;
        let upstreams = Rc::<Upstreams>::default();
        let mut attempt = Attempt::new(&upstreams, post(&origin, whole("{\"a\":1}")));
        until(&mut attempt, &Sent).await;
        let mut stream = accept(&listener).await;
        let authority = origin.authority();
        assert_eq!(
            read_head(&mut stream).await,
            format!("POST /v1/x HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n")
        );
        assert_eq!(read_exactly(&mut stream, 7).await, b"{\"a\":1}");

        let mut attempt = Attempt::new(&upstreams, get(&origin, "/v1/models?a=b"));
        until(&mut attempt, &Sent).await;
        let head = read_head(&mut accept(&listener).await).await;
        assert_eq!(head, format!("GET /v1/models?a=b HTTP/1.1\r\nhost: {authority}\r\n\r\n"));
    });
}

#[test]
fn what_cannot_be_written_is_not_sent() {
    run(async {
        let (_listener, origin) = listen().await;
        let mut request = get(&origin, "/");
        request.headers.push(("x".into(), "a\r\nb: c".into()));
        assert_eq!(tell(&Rc::default(), request).await, [Failed(Stage::Send, false)]);
        let request = get(&origin, "/a b");
        assert_eq!(tell(&Rc::default(), request).await, [Failed(Stage::Send, false)]);
    });
}

#[test]
fn sent_is_told_while_the_upstream_is_silent() {
    run(async {
        let (_listener, origin) = listen().await;
        let mut attempt = Attempt::new(&Rc::default(), post(&origin, whole("{}")));
        let mut told = Vec::new();
        while told.last() != Some(&Sent) {
            told.push(next(&mut attempt).await);
        }
        assert_eq!((told.first(), told.last()), (Some(&Connected), Some(&Sent)));
    });
}

#[test]
fn a_long_body_is_not_sent_before_the_system_took_it() {
    run(async {
        let (listener, origin) = listen().await;
        let body = vec![b'a'; 32 << 20];
        let mut attempt = Attempt::new(&Rc::default(), post(&origin, Body::Whole(body.into())));
        assert_eq!(next(&mut attempt).await, Connected);
        let mut stream = accept(&listener).await;
        // Nobody reads: it takes what the sockets hold, far less than all of it.
        let mut taken = 0;
        while let Ok(told) = tokio::time::timeout(std::time::Duration::from_millis(200), next(&mut attempt)).await {
            let support::Told::Took(bytes) = told else { panic!("{told:?}") };
            taken += bytes;
        }
        assert!(taken < 32 << 20, "{taken}");
        let reader = tokio::spawn(async move {
            read_head(&mut stream).await;
            read_exactly(&mut stream, 32 << 20).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("an answer");
        });
        assert_eq!(follow(&mut attempt).await, [Sent, Head(200), support::Told::End]);
        reader.await.expect("the reader");
    });
}

#[test]
fn a_reset_while_the_request_is_written() {
    run(async {
        let (listener, origin) = listen().await;
        let body = Body::Whole(vec![b'a'; 32 << 20].into());
        let mut attempt = Attempt::new(&Rc::default(), post(&origin, body));
        assert_eq!(next(&mut attempt).await, Connected);
        let stream = accept(&listener).await;
        SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).expect("to reset");
        drop(stream);
        assert_eq!(follow(&mut attempt).await, [Failed(Stage::Send, false)]);
    });
}

#[test]
fn a_reset_while_the_answer_is_awaited() {
    run(async {
        let (listener, origin) = listen().await;
        let mut attempt = Attempt::new(&Rc::default(), get(&origin, "/"));
        until(&mut attempt, &Sent).await;
        let mut stream = accept(&listener).await;
        read_head(&mut stream).await;
        SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).expect("to reset");
        drop(stream);
        assert_eq!(follow(&mut attempt).await, [Failed(Stage::Head, false)]);
    });
}

#[test]
fn dropping_an_attempt_closes_its_socket() {
    run(async {
        let (listener, origin) = listen().await;
        let upstreams = Rc::<Upstreams>::default();
        // While it is asked, and within the answer.
        for answer in [&b""[..], b"HTTP/1.1 200 OK\r\n\r\nsome"] {
            let mut attempt = Attempt::new(&upstreams, get(&origin, "/"));
            until(&mut attempt, &Sent).await;
            let mut stream = accept(&listener).await;
            read_head(&mut stream).await;
            if !answer.is_empty() {
                stream.write_all(answer).await.expect("an answer");
                until(&mut attempt, &Head(200)).await;
            }
            drop(attempt);
            let mut rest = Vec::new();
            // The first was written whole: an end. Unread bytes make it a reset.
            let end = stream.read_to_end(&mut rest).await;
            assert!(end.is_err() || rest.is_empty());
            assert_eq!(upstreams.idle(), 0);
        }
    });
}

#[test]
fn dropping_an_attempt_that_is_written_resets() {
    run(async {
        let (listener, origin) = listen().await;
        let mut attempt = Attempt::new(&Rc::default(), post(&origin, Body::Streamed { length: Some(100) }));
        assert_eq!(next(&mut attempt).await, Connected);
        attempt.feed(Some("half".into()));
        until(&mut attempt, &support::Told::Took(4)).await;
        let mut stream = accept(&listener).await;
        read_head(&mut stream).await;
        drop(attempt);
        let mut rest = Vec::new();
        assert!(stream.read_to_end(&mut rest).await.is_err(), "an end in place of a reset, after {rest:?}");
    });
}

#[test]
fn an_ipv6_address_is_one() {
    run(async {
        let Ok(listener) = TcpListener::bind("[::1]:0").await else { return };
        let address: SocketAddr = listener.local_addr().expect("its address");
        let mut attempt = Attempt::new(&Rc::default(), get(&origin(address), "/"));
        until(&mut attempt, &Sent).await;
        let head = read_head(&mut accept(&listener).await).await;
        assert!(head.contains(&format!("host: [::1]:{}\r\n", address.port())), "{head}");
    });
}
