//! Upstreams that do as a test says, and attempts followed to their end.
#![allow(dead_code, reason = "each test crate uses its part")]

use std::future::{poll_fn, Future};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use hoosh_core::exchange::Stage;
use hoosh_core::http::{Body, Origin, UpstreamRequest};
use hoosh_upstream::{Attempt, Event, Upstreams};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A runtime as the edge has one: of a single thread. Nothing in it takes a minute.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let bounded = async { tokio::time::timeout(std::time::Duration::from_secs(60), test).await };
    runtime.block_on(bounded).expect("it hangs")
}

/// An upstream on a port that the system chose.
pub async fn listen() -> (TcpListener, Arc<Origin>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = origin(listener.local_addr().expect("its address"));
    (listener, origin)
}

pub fn origin(address: SocketAddr) -> Arc<Origin> {
    let (host, port) = (address.ip().to_string(), address.port());
    Arc::new(Origin { host, port, trusted: true, ..Origin::default() })
}

pub async fn accept(listener: &TcpListener) -> TcpStream {
    listener.accept().await.expect("a connection").0
}

/// Everything up to the empty line, of a request or of an answer.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("more of a head"));
    }
    String::from_utf8(head).expect("a head in ASCII")
}

pub async fn read_exactly(stream: &mut (impl AsyncRead + Unpin), bytes: usize) -> Vec<u8> {
    let mut body = vec![0; bytes];
    stream.read_exact(&mut body).await.expect("so many bytes");
    body
}

pub fn get(origin: &Arc<Origin>, target: &'static str) -> UpstreamRequest {
    let body = Body::Whole(Bytes::new());
    UpstreamRequest { origin: origin.clone(), method: "GET", target: target.into(), headers: Vec::new(), body }
}

pub fn post(origin: &Arc<Origin>, body: Body) -> UpstreamRequest {
    let headers = vec![("content-type".into(), "application/json".into())];
    UpstreamRequest { origin: origin.clone(), method: "POST", target: "/v1/x".into(), headers, body }
}

pub fn whole(text: &'static str) -> Body {
    Body::Whole(text.into())
}

/// What an attempt told, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Connected,
    Took(usize),
    Sent,
    Head(u16),
    Data(String),
    End,
    Failed(Stage, bool),
}

impl From<Event> for Told {
    fn from(event: Event) -> Told {
        match event {
            Event::Connected => Told::Connected,
            Event::Took(bytes) => Told::Took(bytes),
            Event::Sent => Told::Sent,
            Event::Head(status, _) => Told::Head(status),
            Event::Data(bytes) => Told::Data(String::from_utf8_lossy(&bytes).into_owned()),
            Event::End => Told::End,
            Event::Failed { stage, reused } => Told::Failed(stage, reused),
        }
    }
}

pub async fn next(attempt: &mut Attempt) -> Told {
    poll_fn(|cx| attempt.poll(cx)).await.into()
}

/// What it tells until that.
pub async fn until(attempt: &mut Attempt, last: &Told) {
    loop {
        let told = next(attempt).await;
        if told == *last {
            return;
        }
        assert!(!attempt.is_over(), "{told:?} instead of {last:?}");
    }
}

/// All that an attempt tells whose reader takes everything, but for what it took; data that follow each other are one.
pub async fn follow(attempt: &mut Attempt) -> Vec<Told> {
    let mut all: Vec<Told> = Vec::new();
    attempt.wants(usize::MAX);
    while !attempt.is_over() {
        match (next(attempt).await, all.last_mut()) {
            (Told::Took(_), _) => {}
            (Told::Data(more), Some(Told::Data(text))) => text.push_str(&more),
            (told, _) => all.push(told),
        }
    }
    assert!(is_pending(attempt).await, "something follows the end");
    all
}

pub async fn tell(upstreams: &Rc<Upstreams>, request: UpstreamRequest) -> Vec<Told> {
    follow(&mut Attempt::new(upstreams, request)).await
}

/// Whether it has nothing to tell by now.
pub async fn is_pending(attempt: &mut Attempt) -> bool {
    poll_fn(|cx| Poll::Ready(attempt.poll(cx).is_pending())).await
}

/// Polls the attempt while something else happens; it may tell no more than one byte.
pub async fn meanwhile_taking<T>(attempt: &mut Attempt, other: impl Future<Output = T>) -> T {
    let mut other = pin!(other);
    let mut bytes = 0;
    poll_fn(|cx| {
        while let Poll::Ready(event) = attempt.poll(cx) {
            let Event::Data(data) = event else { panic!("it tells {event:?}") };
            bytes += data.len();
            assert!(bytes <= 1, "it gives more than is wanted");
        }
        other.as_mut().poll(cx)
    })
    .await
}

/// An upstream that reads one head on each of several connections, says a text each, and closes.
pub async fn saying(listener: TcpListener, answers: Vec<Vec<u8>>) {
    for answer in answers {
        let mut stream = accept(&listener).await;
        read_head(&mut stream).await;
        stream.write_all(&answer).await.expect("an answer");
        stream.shutdown().await.expect("its end");
        // A reset in place of an end, where the peer still says something.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    }
}

/// What is told of one answer.
pub async fn told_of(answer: &[u8]) -> Vec<Told> {
    let (listener, origin) = listen().await;
    let upstream = tokio::spawn(saying(listener, vec![answer.to_vec()]));
    let upstreams = Rc::<Upstreams>::default();
    let told = tell(&upstreams, get(&origin, "/")).await;
    drop(upstreams);
    upstream.await.expect("the upstream");
    told
}
