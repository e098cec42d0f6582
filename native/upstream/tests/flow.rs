//! Both directions wait for whoever takes: answers for credit, uploads for the upstream.

mod support;

use std::rc::Rc;
use std::time::Duration;

use hoosh_core::exchange::Stage;
use hoosh_core::http::Body;
use hoosh_upstream::Attempt;
use support::Told::{Connected, Data, End, Failed, Head, Sent, Took};
use support::{accept, follow, get, is_pending, listen, next, post, read_exactly, read_head, run, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn an_answer_is_given_within_the_credit() {
    run(async {
        let (listener, origin) = listen().await;
        let mut attempt = Attempt::new(&Rc::default(), get(&origin, "/"));
        until(&mut attempt, &Sent).await;
        let mut stream = accept(&listener).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789").await.expect("an answer");
        until(&mut attempt, &Head(200)).await;
        assert!(is_pending(&mut attempt).await);
        attempt.wants(4);
        assert_eq!(next(&mut attempt).await, Data("0123".into()));
        assert!(is_pending(&mut attempt).await);
        attempt.wants(100);
        assert_eq!(next(&mut attempt).await, Data("456789".into()));
        assert_eq!(next(&mut attempt).await, End);
    });
}

#[test]
fn an_upstream_is_not_read_on_without_credit() {
    run(async {
        let (listener, origin) = listen().await;
        let mut attempt = Attempt::new(&Rc::default(), get(&origin, "/"));
        until(&mut attempt, &Sent).await;
        let mut stream = accept(&listener).await;
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("a head");
        until(&mut attempt, &Head(200)).await;
        attempt.wants(1);
        let written = support::meanwhile_taking(&mut attempt, async {
            let (mut written, piece) = (0, vec![b'a'; 64 << 10]);
            while let Ok(Ok(bytes)) = tokio::time::timeout(Duration::from_millis(300), stream.write(&piece)).await {
                written += bytes;
                assert!(written < 64 << 20, "it is read without credit");
            }
            written
        })
        .await;
        // The rest comes once it is wanted.
        drop(stream);
        let told = follow(&mut attempt).await;
        let [Data(text), End] = &told[..] else { panic!("{} events", told.len()) };
        assert_eq!(text.len(), written - 1);
    });
}

#[test]
fn an_upload_is_sent_as_it_comes() {
    run(async {
        let (listener, origin) = listen().await;
        let mut attempt = Attempt::new(&Rc::default(), post(&origin, Body::Streamed { length: Some(9) }));
        assert_eq!(next(&mut attempt).await, Connected);
        assert!(is_pending(&mut attempt).await);
        let mut stream = accept(&listener).await;
        let head = read_head(&mut stream).await;
        assert!(head.contains("content-length: 9\r\n") && !head.contains("transfer-encoding"), "{head}");
        for piece in ["one", "two"] {
            attempt.feed(Some(piece.into()));
            assert_eq!(next(&mut attempt).await, Took(3));
            assert!(is_pending(&mut attempt).await);
            assert_eq!(read_exactly(&mut stream, 3).await, piece.as_bytes());
        }
        attempt.feed(Some("six".into()));
        attempt.feed(None);
        assert_eq!(next(&mut attempt).await, Took(3));
        assert_eq!(next(&mut attempt).await, Sent);
        assert_eq!(read_exactly(&mut stream, 3).await, b"six");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("an answer");
        assert_eq!(follow(&mut attempt).await, [Head(200), End]);
    });
}

#[test]
fn an_upload_of_unknown_length_is_chunked_and_ended() {
    run(async {
        let (listener, origin) = listen().await;
        let mut attempt = Attempt::new(&Rc::default(), post(&origin, Body::Streamed { length: None }));
        assert_eq!(next(&mut attempt).await, Connected);
        attempt.feed(Some("hello".into()));
        assert_eq!(next(&mut attempt).await, Took(5));
        assert!(is_pending(&mut attempt).await);
        attempt.feed(None);
        assert_eq!(next(&mut attempt).await, Sent);
        let mut stream = accept(&listener).await;
        read_head(&mut stream).await;
        assert_eq!(read_exactly(&mut stream, 15).await, b"5\r\nhello\r\n0\r\n\r\n");
    });
}

#[test]
fn an_upload_of_another_length_is_cut_off_and_not_ended() {
    run(async {
        for (length, piece) in [(100, "hello"), (2, "hello")] {
            let (listener, origin) = listen().await;
            let mut attempt = Attempt::new(&Rc::default(), post(&origin, Body::Streamed { length: Some(length) }));
            assert_eq!(next(&mut attempt).await, Connected);
            attempt.feed(Some(piece.into()));
            attempt.feed(None);
            assert_eq!(follow(&mut attempt).await, [Failed(Stage::Send, false)]);
            let mut stream = accept(&listener).await;
            let mut all = Vec::new();
            assert!(stream.read_to_end(&mut all).await.is_err(), "{all:?}");
        }
    });
}

#[test]
fn an_upload_waits_for_an_upstream_that_does_not_read() {
    run(async {
        let (listener, origin) = listen().await;
        let mut attempt = Attempt::new(&Rc::default(), post(&origin, Body::Streamed { length: None }));
        assert_eq!(next(&mut attempt).await, Connected);
        let mut stream = accept(&listener).await;
        let piece = vec![b'a'; 1 << 20];
        let mut fed = 0usize;
        loop {
            attempt.feed(Some(piece.clone().into()));
            fed += piece.len();
            let mut taken = 0;
            while taken < piece.len() {
                match tokio::time::timeout(Duration::from_millis(300), next(&mut attempt)).await {
                    Ok(Took(bytes)) => taken += bytes,
                    Ok(other) => panic!("{other:?}"),
                    Err(_) => break,
                }
            }
            if taken < piece.len() {
                break;
            }
            assert!(fed < 64 << 20, "it takes without end");
        }
        attempt.feed(None);
        let reader = tokio::spawn(async move {
            read_head(&mut stream).await;
            let mut body = Vec::new();
            while !body.ends_with(b"\r\n0\r\n\r\n") {
                stream.read_buf(&mut body).await.expect("more");
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("an answer");
            body.iter().filter(|byte| **byte == b'a').count()
        });
        assert_eq!(follow(&mut attempt).await, [Sent, Head(200), End]);
        let letters = reader.await.expect("the reader");
        assert!(letters >= fed && letters < fed + 4_096, "{letters} of {fed}");
    });
}
