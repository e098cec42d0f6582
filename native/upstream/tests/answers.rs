//! Answers in every framing, whole, cut off and malformed.

mod support;

use hoosh_core::exchange::Stage::{Body, Head, Protocol};
use support::Told::{self, Connected, Data, End, Failed, Sent};
use support::{run, told_of};

fn whole(status: u16, text: &str) -> Vec<Told> {
    let data = (!text.is_empty()).then(|| Data(text.to_owned()));
    [Connected, Sent, Told::Head(status)].into_iter().chain(data).chain([End]).collect()
}

fn broken(text: &str, last: Told) -> Vec<Told> {
    let mut told = whole(200, text);
    told.pop();
    told.push(last);
    told
}

fn no_head(last: Told) -> Vec<Told> {
    vec![Connected, Sent, last]
}

#[test]
fn each_framing_is_read_to_its_end() {
    for (answer, told) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", whole(200, "hello")),
        ("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", whole(503, "")),
        ("HTTP/1.1 204 No Content\r\n\r\n", whole(204, "")),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\n\r\n",
            whole(200, "hello!"),
        ),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", whole(200, "")),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-checksum: 1\r\n\r\n",
            whole(200, "hi"),
        ),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", whole(200, "until the end")),
        ("HTTP/1.0 200 OK\r\n\r\nold", whole(200, "old")),
        ("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n", whole(302, "")),
    ] {
        assert_eq!(run(told_of(answer.as_bytes())), told, "{answer:?}");
    }
}

#[test]
fn answers_before_the_answer_are_skipped() {
    let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    assert_eq!(run(told_of(answer.as_bytes())), whole(200, "ok"));
}

#[test]
fn a_long_head_is_read() {
    let answer = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 2\r\n\r\nok", "a".repeat(70 << 10));
    assert_eq!(run(told_of(answer.as_bytes())), whole(200, "ok"));
}

#[test]
fn an_end_within_a_body_is_no_end_of_it() {
    for (answer, text) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello", "hello"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "hello"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhello", "hello"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "hello"),
    ] {
        assert_eq!(run(told_of(answer.as_bytes())), broken(text, Failed(Body, false)), "{answer:?}");
    }
}

#[test]
fn malformed_chunks_break_the_protocol() {
    for (answer, text) in [
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", ""),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n", "hello"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n", ""),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n-1\r\n", "hello"),
    ] {
        assert_eq!(run(told_of(answer.as_bytes())), broken(text, Failed(Protocol, false)), "{answer:?}");
    }
}

#[test]
fn malformed_heads_break_the_protocol() {
    let many: String = (0..200).map(|at| format!("x-{at}: 1\r\n")).collect();
    for answer in [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned(),
        "HTTP/1.1 abc OK\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(200 << 10)),
        format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
    ] {
        assert_eq!(run(told_of(answer.as_bytes())), no_head(Failed(Protocol, false)), "{:.60?}", answer);
    }
}

#[test]
fn an_end_before_or_within_the_head_is_told_as_such() {
    for answer in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\ncontent-le", "HTTP/1.1 100 Continue\r\n\r\n"] {
        assert_eq!(run(told_of(answer.as_bytes())), no_head(Failed(Head, false)), "{answer:?}");
    }
}
