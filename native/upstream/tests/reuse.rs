//! Which connections serve another request, and which never do.

mod support;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hoosh_core::exchange::Stage;
use hoosh_core::http::{Body, Origin};
use hoosh_upstream::{Attempt, Settings, Upstreams};
use support::Told::{Connected, Data, End, Failed, Head, Sent};
use support::{accept, follow, get, listen, next, post, read_exactly, read_head, run, tell, until};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// One request over a new connection, answered by `answer`. Returns the upstream's end.
async fn serve(upstreams: &Rc<Upstreams>, listener: &TcpListener, origin: &Arc<Origin>, answer: &[u8]) -> TcpStream {
    let mut attempt = Attempt::new(upstreams, get(origin, "/first"));
    until(&mut attempt, &Sent).await;
    let mut stream = accept(listener).await;
    assert!(read_head(&mut stream).await.starts_with("GET /first "));
    stream.write_all(answer).await.expect("an answer");
    follow(&mut attempt).await;
    stream
}

/// Whether the next request comes over `stream`, and not over a new connection.
async fn is_reused(
    upstreams: &Rc<Upstreams>,
    listener: &TcpListener,
    origin: &Arc<Origin>,
    stream: &mut TcpStream,
) -> bool {
    let mut attempt = Attempt::new(upstreams, get(origin, "/next"));
    until(&mut attempt, &Sent).await;
    tokio::select_biased(stream, listener).await
}

mod tokio {
    pub use ::tokio::*;

    /// Whichever of both has something first: the connection that there is, or a new one.
    pub async fn select_biased(stream: &mut net::TcpStream, listener: &net::TcpListener) -> bool {
        let mut byte = [0];
        std::future::poll_fn(|cx| {
            let mut peeked = io::ReadBuf::new(&mut byte);
            if let std::task::Poll::Ready(Ok(1)) = stream.poll_peek(cx, &mut peeked) {
                return std::task::Poll::Ready(true);
            }
            listener.poll_accept(cx).map(|accepted| {
                accepted.expect("a connection");
                false
            })
        })
        .await
    }
}

#[test]
fn a_connection_serves_again_after_a_whole_answer() {
    run(async {
        for answer in [
            OK,
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\nno",
        ] {
            let (listener, origin) = listen().await;
            let upstreams = Rc::<Upstreams>::default();
            let mut stream = serve(&upstreams, &listener, &origin, answer).await;
            assert_eq!(upstreams.idle(), 1);
            assert!(is_reused(&upstreams, &listener, &origin, &mut stream).await);
            assert_eq!(upstreams.idle(), 0);
        }
    });
}

#[test]
fn it_does_not_after_an_answer_that_leaves_doubt() {
    run(async {
        for answer in [
            &b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"[..],
            b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
            // Two lengths.
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            // More than the answer.
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
            b"HTTP/1.1 204 No Content\r\n\r\nok",
        ] {
            let (listener, origin) = listen().await;
            let upstreams = Rc::<Upstreams>::default();
            let mut stream = serve(&upstreams, &listener, &origin, answer).await;
            assert_eq!(upstreams.idle(), 0, "{:?}", String::from_utf8_lossy(answer));
            assert!(!is_reused(&upstreams, &listener, &origin, &mut stream).await);
        }
    });
}

#[test]
fn words_that_nobody_asked_for_are_no_answer() {
    run(async {
        let (listener, origin) = listen().await;
        let upstreams = Rc::<Upstreams>::default();
        let mut stream = serve(&upstreams, &listener, &origin, OK).await;
        // Written without the runtime, which therefore has not heard of it when the next request begins.
        let stray = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
        assert_eq!(stream.try_write(stray).expect("to be written"), stray.len());
        assert!(!is_reused(&upstreams, &listener, &origin, &mut stream).await);
    });
}

#[test]
fn a_connection_that_was_closed_while_idle_is_not_used() {
    run(async {
        let (listener, origin) = listen().await;
        let upstreams = Rc::<Upstreams>::default();
        drop(serve(&upstreams, &listener, &origin, OK).await);
        let mut attempt = Attempt::new(&upstreams, get(&origin, "/"));
        until(&mut attempt, &Sent).await;
        let mut stream = accept(&listener).await;
        read_head(&mut stream).await;
        stream.write_all(OK).await.expect("an answer");
        assert_eq!(follow(&mut attempt).await, [Head(200), Data("ok".into()), End]);
    });
}

#[test]
fn a_connection_that_is_closed_under_a_request_is_told_as_reused() {
    run(async {
        let (listener, origin) = listen().await;
        let upstreams = Rc::<Upstreams>::default();
        let mut stream = serve(&upstreams, &listener, &origin, OK).await;
        let mut attempt = Attempt::new(&upstreams, get(&origin, "/"));
        assert_eq!(next(&mut attempt).await, Connected);
        assert_eq!(next(&mut attempt).await, Sent);
        read_head(&mut stream).await;
        drop(stream);
        assert_eq!(follow(&mut attempt).await, [Failed(Stage::Head, true)]);
    });
}

#[test]
fn others_that_were_idle_for_as_long_are_forgotten_with_it() {
    run(async {
        let (listener, origin) = listen().await;
        let upstreams = Rc::<Upstreams>::default();
        // Two at once, so that there are two connections.
        let mut attempts = [Attempt::new(&upstreams, get(&origin, "/a")), Attempt::new(&upstreams, get(&origin, "/b"))];
        let mut streams = Vec::new();
        for attempt in &mut attempts {
            until(attempt, &Sent).await;
            let mut stream = accept(&listener).await;
            read_head(&mut stream).await;
            stream.write_all(OK).await.expect("an answer");
            streams.push(stream);
        }
        for attempt in &mut attempts {
            follow(attempt).await;
        }
        assert_eq!(upstreams.idle(), 2);
        let mut attempt = Attempt::new(&upstreams, get(&origin, "/"));
        until(&mut attempt, &Sent).await;
        read_head(&mut streams[1]).await;
        streams.remove(1);
        assert_eq!(follow(&mut attempt).await, [Failed(Stage::Head, true)]);
        assert_eq!(upstreams.idle(), 0);
    });
}

#[test]
fn an_answer_before_the_request_is_the_last_of_its_connection() {
    run(async {
        let (listener, origin) = listen().await;
        let upstreams = Rc::<Upstreams>::default();
        let mut attempt = Attempt::new(&upstreams, post(&origin, Body::Streamed { length: None }));
        assert_eq!(next(&mut attempt).await, Connected);
        attempt.feed(Some("first".into()));
        until(&mut attempt, &support::Told::Took(5)).await;
        let mut stream = accept(&listener).await;
        let head = read_head(&mut stream).await;
        assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
        stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno").await.expect("an answer");
        until(&mut attempt, &Head(413)).await;
        attempt.feed(Some("second".into()));
        attempt.feed(None);
        assert_eq!(follow(&mut attempt).await, [Data("no".into()), End]);
        assert_eq!(upstreams.idle(), 0);
        assert_eq!(read_exactly(&mut stream, 10).await, b"5\r\nfirst\r\n");
        let mut rest = Vec::new();
        let end = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await;
        assert_eq!((end.is_err(), rest.len()), (true, 0), "the rest was sent: {rest:?}");
    });
}

#[test]
fn an_answer_is_heard_though_its_connection_takes_nothing_more() {
    run(async {
        let (listener, origin) = listen().await;
        let upstreams = Rc::<Upstreams>::default();
        let mut attempt = Attempt::new(&upstreams, post(&origin, Body::Whole(vec![b'a'; 32 << 20].into())));
        assert_eq!(next(&mut attempt).await, Connected);
        assert!(matches!(next(&mut attempt).await, support::Told::Took(_)));
        let mut stream = accept(&listener).await;
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno").await.expect("an answer");
        // Closed with unread bytes: a reset.
        drop(stream);
        assert_eq!(follow(&mut attempt).await, [Head(413), Data("no".into()), End]);
        assert_eq!(upstreams.idle(), 0);
    });
}

#[test]
fn what_is_kept_is_bounded() {
    run(async {
        let settings = Settings { most_idle: 3, most_idle_of_one: 2, ..Settings::default() };
        let upstreams = Rc::new(Upstreams::new(settings));
        let mut kept = Vec::new();
        for _ in 0..2 {
            let (listener, origin) = listen().await;
            let mut attempts: Vec<_> = (0..3).map(|_| Attempt::new(&upstreams, get(&origin, "/"))).collect();
            for attempt in &mut attempts {
                until(attempt, &Sent).await;
                let mut stream = accept(&listener).await;
                stream.write_all(OK).await.expect("an answer");
                follow(attempt).await;
                kept.push(stream);
            }
        }
        assert_eq!(upstreams.idle(), 3);
        for (at, stream) in kept.iter_mut().enumerate() {
            read_head(stream).await;
            // The longest idle of the first, and one more of it for the second's sake; then the longest idle of the second.
            let mut byte = [0];
            let closed = matches!(stream.try_read(&mut byte), Ok(0))
                || (at < 2 || at == 3) && {
                    stream.readable().await.is_ok() && matches!(stream.try_read(&mut byte), Ok(0))
                };
            assert_eq!(closed, [true, true, false, true, false, false][at], "{at}");
        }
    });
}

#[test]
fn nothing_is_kept_for_longer_than_it_may_be() {
    run(async {
        let zero = Duration::ZERO;
        for settings in [Settings { idle: zero, ..Settings::default() }, Settings { age: zero, ..Settings::default() }]
        {
            let (listener, origin) = listen().await;
            let upstreams = Rc::new(Upstreams::new(settings));
            let _stream = serve(&upstreams, &listener, &origin, OK).await;
            assert_eq!(upstreams.idle(), 0);
        }
    });
}

#[test]
fn what_its_peer_closed_expires() {
    run(async {
        let (listener, origin) = listen().await;
        let upstreams = Rc::<Upstreams>::default();
        let stream = serve(&upstreams, &listener, &origin, OK).await;
        upstreams.expire();
        assert_eq!(upstreams.idle(), 1);
        drop(stream);
        upstreams.expire();
        assert_eq!(upstreams.idle(), 0);
    });
}

#[test]
fn origins_that_differ_in_anything_share_nothing() {
    run(async {
        let (listener, origin) = listen().await;
        let upstreams = Rc::<Upstreams>::default();
        let mut stream = serve(&upstreams, &listener, &origin, OK).await;
        let stranger = Arc::new(Origin { trusted: false, ..(*origin).clone() });
        assert_eq!(tell(&upstreams, get(&stranger, "/")).await, [Failed(Stage::Connect, false)]);
        let equal = Arc::new((*origin).clone());
        assert!(is_reused(&upstreams, &listener, &equal, &mut stream).await);
    });
}

#[test]
fn the_gateways_own_questions_are_bounded_and_share_connections() {
    run(async {
        let (listener, origin) = listen().await;
        let upstreams = Rc::<Upstreams>::default();
        let _stream = {
            let mut stream = serve(&upstreams, &listener, &origin, OK).await;
            let asked = upstreams.fetch(get(&origin, "/v1/models"));
            let answered = async {
                assert!(read_head(&mut stream).await.starts_with("GET /v1/models "));
                stream.write_all(OK).await.expect("an answer");
            };
            let (said, ()) = ::tokio::join!(asked, answered);
            assert_eq!(said, Ok((200, "ok".into())));
            stream
        };
        assert_eq!(upstreams.idle(), 1);
    });
}
