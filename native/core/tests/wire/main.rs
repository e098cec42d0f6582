//! The wire guard: what it gives on and what it refuses, fed whole, byte by byte and at every split.

mod parts;
mod properties;

use hoosh_core::config::Mount;
use hoosh_core::error::Code;
use hoosh_core::wire::{Guard, Refusal, Websockets, MAX_HEAD};

/// What came out, and why it ended, if it was refused.
type Outcome = (Vec<Vec<u8>>, Option<Refusal>);

fn run(parts: &[&[u8]]) -> Outcome {
    let (mut guard, mut out) = (Guard::new(), Vec::new());
    for part in parts {
        guard.feed(part);
        loop {
            match guard.next() {
                Ok(Some(bytes)) => out.push(bytes),
                Ok(None) => break,
                Err(refusal) => return (out, Some(refusal)),
            }
        }
    }
    (out, None)
}

fn bytewise(input: &[u8]) -> Outcome {
    run(&input.chunks(1).collect::<Vec<_>>())
}

fn passes(input: &[u8], expected: &[u8]) {
    let (out, refusal) = run(&[input]);
    assert_eq!(refusal, None, "{}", input.escape_ascii());
    assert_eq!(out.concat().escape_ascii().to_string(), expected.escape_ascii().to_string());
    let (out, refusal) = bytewise(input);
    assert_eq!((out.concat(), refusal), (expected.to_vec(), None));
}

fn refuses(input: impl AsRef<[u8]>, code: Code, word: &str) {
    let input = input.as_ref();
    let (out, refusal) = run(&[input]);
    let refusal = refusal.unwrap_or_else(|| panic!("passed: {}", input.escape_ascii()));
    assert_eq!((refusal.failure.code, refusal.ending), (code, None), "{}", input.escape_ascii());
    assert!(refusal.failure.message.contains(word), "{}", refusal.failure.message);
    assert_eq!(out, Vec::<Vec<u8>>::new());
    assert_eq!(bytewise(input), (out, Some(refusal)));
}

fn head(line: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n")
}

#[test]
fn what_clients_send_passes_as_it_is() {
    for input in [
        &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"GET /v1/models?a=%20b&c=[1] HTTP/1.1\r\nhost:127.0.0.1:8088\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: a\r\nX: \t caf\xc3\xa9 \r\nEmpty:\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\naPOST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    ] {
        passes(input, input);
    }
}

#[test]
fn an_expectation_is_hidden_from_the_parser_and_left_to_the_exchange() {
    passes(
        b"POST / HTTP/1.1\r\nHost: a\r\nexpect: 100-Continue\r\nContent-Length: 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: a\r\nhoosh-expect: 100-Continue\r\nContent-Length: 3\r\n\r\nabc",
    );
    let old = b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc";
    passes(old, old);
}

#[test]
fn an_upgrade_is_hidden_and_so_is_what_looks_like_a_hidden_header() {
    passes(
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nHoosh-Expect: 100-continue\r\nhoosh-upgrade: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nhoosh-Upgrade: websocket\r\nhoosh-Hoosh-Expect: 100-continue\r\nhoosh-hoosh-upgrade: b\r\n\r\n",
    );
}

#[test]
fn nothing_is_given_on_after_the_last_request() {
    for last in [
        &b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n"[..],
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    ] {
        for more in ["GET /b HTTP/1.1\r\nHost: a\r\n\r\n", "\n\0"] {
            passes(&[last, more.as_bytes()].concat(), last);
        }
    }
    let mut guard = Guard::new();
    guard.feed(b"GET / HTTP/1.0\r\n\r\nGET");
    assert!(guard.next().is_ok_and(|bytes| bytes.is_some()));
    assert!(!guard.in_head());
}

#[test]
fn a_body_that_is_cut_off_is_refused_and_a_head_is_not() {
    let cut = |input: &[u8]| {
        let mut guard = Guard::new();
        guard.feed(input);
        while guard.next().unwrap().is_some() {}
        let refusal = guard.end();
        assert_eq!(guard.end(), None, "once");
        refusal.map(|refusal| (refusal.failure.code, refusal.ending))
    };
    let incomplete = Some((Code::IncompleteBody, Some(&b""[..])));
    assert_eq!(cut(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab"), incomplete);
    for body in ["", "2\r\na", "2\r\nab", "2\r\nab\r\n", "0\r\n"] {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(cut(format!("{head}{body}").as_bytes()), incomplete);
    }
    for whole in ["", "GET", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"] {
        assert_eq!(cut(whole.as_bytes()), None);
    }
}

#[test]
fn bytes_are_given_on_request_by_request() {
    let (out, _) =
        run(&[b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nxGET /b HTTP/1.1\r\nHost: a\r\n\r\nGET /c"]);
    let ends: Vec<usize> = out.iter().map(Vec::len).collect();
    assert_eq!(ends, [48, 1, 28]);
}

#[test]
fn one_empty_line_before_a_request_is_skipped() {
    passes(
        b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    );
    refuses("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Code::MalformedRequest, "method");
}

#[test]
fn extensions_and_trailers_are_dropped() {
    let start = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = b"0A ;name=\"value\"\r\n0123456789\r\n00\r\nX-Sum: 1\r\n\r\n";
    passes(&[&start[..], body].concat(), &[&start[..], b"a\r\n0123456789\r\n0\r\n\r\n"].concat());
}

#[test]
fn request_lines_are_strict() {
    for (line, word) in [
        ("GET  / HTTP/1.1", "single spaces"),
        ("GET / HTTP/1.1 ", "single spaces"),
        ("GET /", "single spaces"),
        ("GET / http/1.1", "version"),
        ("GET http://b/ HTTP/1.1", "path"),
        ("OPTIONS * HTTP/1.1", "path"),
        ("CONNECT a:80 HTTP/1.1", "path"),
        ("GET /#a HTTP/1.1", "percent-encoded"),
        ("GET /?a=\" HTTP/1.1", "percent-encoded"),
        ("GET /a<b HTTP/1.1", "percent-encoded"),
        ("GET /{a} HTTP/1.1", "percent-encoded"),
        ("GET /a\\b HTTP/1.1", "percent-encoded"),
        ("GET /\u{e4} HTTP/1.1", "percent-encoded"),
        ("GET /\0 HTTP/1.1", "percent-encoded"),
        (" GET / HTTP/1.1", "method"),
        ("G(T / HTTP/1.1", "method"),
        ("\u{16}\u{3}\u{1}\u{2}", "method"),
    ] {
        refuses(format!("{line}\r\nHost: a\r\n\r\n"), Code::MalformedRequest, word);
    }
}

#[test]
fn other_versions_are_named() {
    refuses("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Code::WrongVersion, "HTTP/1.1");
    refuses("GET / HTTP/3.0\r\nHost: a\r\n\r\n", Code::WrongVersion, "HTTP/1.1");
}

#[test]
fn header_lines_are_strict() {
    for (line, word) in [
        ("A : b", "name"),
        (" A: b", "folded"),
        ("A: b\r\n\tc", "folded"),
        ("A", "colon"),
        (": b", "name"),
        ("A\u{e4}: b", "name"),
        ("A: b\rc", "control"),
        ("A: b\0", "control"),
        ("A: b\u{7f}", "control"),
        ("Host: b", "two Host"),
        ("Upgrade: h2c", "h2c"),
        ("Upgrade: websocket, H2C", "h2c"),
    ] {
        refuses(head(line), Code::MalformedRequest, word);
    }
    refuses(head("Expect: 200-ok"), Code::ExpectationFailed, "100-continue");
    refuses(head("Expect: 100-continue\r\nExpect: 100-continue"), Code::ExpectationFailed, "once");
}

#[test]
fn lines_end_in_crlf() {
    for input in [
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\nB: c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "\n",
    ] {
        refuses(input, Code::MalformedRequest, "");
    }
}

#[test]
fn hosts_are_names_or_addresses() {
    for host in ["a/..", "a\\b", "a@b", "a?b", "a#b", "a b", "a,b", "\u{e4}"] {
        refuses(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), Code::MalformedRequest, "Host");
    }
    refuses("GET / HTTP/1.1\r\n\r\n", Code::MalformedRequest, "no Host");
}

#[test]
fn framing_is_certain() {
    for line in [
        "Content-Length: 4, 4",
        "Content-Length: +4",
        "Content-Length: -1",
        "Content-Length:",
        "Content-Length: 4\r\nContent-Length: 4",
    ] {
        refuses(head(line), Code::MalformedRequest, "Content-Length");
    }
    refuses(head("Content-Length: 9999999999999999999"), Code::MalformedRequest, "Content-Length");
    refuses(head("Content-Length: 4\r\nTransfer-Encoding: chunked"), Code::MalformedRequest, "both");
    refuses("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Code::MalformedRequest, "1.0");
    for coding in [
        "gzip",
        "chunked, identity",
        "gzip, chunked",
        "xchunked",
        "",
        "chunked\r\nTransfer-Encoding: chunked",
        "\x0bchunked",
    ] {
        let code = if coding.starts_with('\x0b') { Code::MalformedRequest } else { Code::UnsupportedCoding };
        refuses(head(&format!("Transfer-Encoding: {coding}")), code, "");
    }
}

#[test]
fn floods_of_heads_are_refused_before_they_are_kept() {
    refuses(head(&format!("A: {}", "b".repeat(MAX_HEAD))), Code::HeadTooLarge, "64 KiB");
    refuses(head(&"A: b\r\n".repeat(100)), Code::HeadTooLarge, "100 headers");
    let mut guard = Guard::new();
    guard.feed(&[b'A'; 33]);
    assert!(guard.next().is_err(), "no method is as long");
    let mut guard = Guard::new();
    guard.feed(b"GET /");
    let fed = (1..).find(|_| {
        guard.feed(&[b'a'; 1024]);
        guard.next().is_err()
    });
    assert_eq!(fed, Some(MAX_HEAD / 1024));
}

#[test]
fn a_head_that_never_ends_is_known_as_begun() {
    let mut guard = Guard::new();
    assert!(!guard.in_head());
    guard.feed(b"GET /");
    assert_eq!(guard.next(), Ok(None));
    assert!(guard.in_head());
    assert_eq!(guard.slow_head().failure.code, Code::BodyTimeout);
    guard.feed(b" HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(guard.next(), Ok(None), "what follows a refusal is not read");
}

#[test]
fn chunks_are_strict_and_their_fault_leaves_a_clean_end() {
    let start = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let long = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(300));
    let trailers = format!("0\r\n{}\r\n", "A: b\r\n".repeat(2000));
    for (body, clean) in [
        ("+4\r\nabcd\r\n", "0\r\n\r\n"),
        ("4_0\r\n", "0\r\n\r\n"),
        ("0x1\r\n", "0\r\n\r\n"),
        (" 1\r\n", "0\r\n\r\n"),
        ("1 a\r\n", "0\r\n\r\n"),
        ("1 \r\n", "0\r\n\r\n"),
        ("\r\n", "0\r\n\r\n"),
        ("1\na\n0\n\n", "0\r\n\r\n"),
        ("1;a\nb\r\n", "0\r\n\r\n"),
        ("1;a\rb\r\n", "0\r\n\r\n"),
        ("1;\0\r\n", "0\r\n\r\n"),
        ("1111111111111111\r\n", "0\r\n\r\n"),
        (&long, "0\r\n\r\n"),
        ("3\r\nabcd\r\n", "3\r\nabc\r\n0\r\n\r\n"),
        ("3\r\nabc\n0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n"),
        ("2\r\nab\r\nzz\r\n", "2\r\nab\r\n0\r\n\r\n"),
        ("0\r\nbad\r\n\r\n", "0\r\n\r\n"),
        ("0\r\nA : b\r\n\r\n", "0\r\n\r\n"),
        ("0\r\nA: b\n\r\n", "0\r\n\r\n"),
        (&trailers, "0\r\n\r\n"),
    ] {
        let input = [start, body.as_bytes()].concat();
        for (out, refusal) in [run(&[&input]), bytewise(&input)] {
            let refusal = refusal.unwrap_or_else(|| panic!("passed: {}", body.escape_debug()));
            assert_eq!(refusal.failure.code, Code::MalformedRequest);
            let seen = [out.concat(), refusal.ending.unwrap_or_default().to_vec()].concat();
            assert_eq!(
                seen.escape_ascii().to_string(),
                [start, clean.as_bytes()].concat().escape_ascii().to_string(),
                "{body:?}"
            );
        }
    }
}

// --- websockets --------------------------------------------------------------------------------------------------------

const SHAKE: &str = "GET /ai/tools/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

fn with_websockets() -> Guard {
    let mount = Mount { path: "/tools".into(), app: "a:b".into(), public: false };
    Guard::new().with_websockets(Websockets::of(&[mount.into()], "/ai"))
}

fn next(guard: &mut Guard) -> String {
    String::from_utf8(guard.next().unwrap().unwrap_or_default()).unwrap()
}

#[test]
fn a_handshake_for_a_mount_keeps_its_upgrade_and_what_follows_waits() {
    let mut guard = with_websockets();
    guard.feed(SHAKE.as_bytes());
    guard.feed(b"\x81\x00");
    assert_eq!(next(&mut guard), SHAKE);
    assert!(guard.is_shaking());
    assert_eq!(guard.next().unwrap(), None);
    assert!(!guard.in_head());
    guard.switched();
    assert_eq!(guard.next().unwrap(), Some(b"\x81\x00".to_vec()));
    guard.feed(b"\x00\n\n GET");
    assert_eq!(guard.next().unwrap(), Some(b"\x00\n\n GET".to_vec()), "a websocket's bytes are nobody's to judge");
    assert_eq!(guard.end(), None);
}

#[test]
fn after_a_refused_handshake_the_next_request_is_judged() {
    let mut guard = with_websockets();
    guard.feed(SHAKE.as_bytes());
    guard.feed(b"GET / HTTP/1.1\nHost: a\n\n");
    assert_eq!(next(&mut guard), SHAKE);
    guard.stayed();
    assert!(guard.next().is_err());
    let mut guard = with_websockets();
    guard.feed(SHAKE.as_bytes());
    guard.feed(SHAKE.as_bytes());
    assert_eq!(next(&mut guard), SHAKE);
    guard.stayed();
    assert_eq!(next(&mut guard), SHAKE);
}

#[test]
fn what_waits_behind_a_handshake_is_bounded() {
    let mut guard = with_websockets();
    guard.feed(SHAKE.as_bytes());
    next(&mut guard);
    assert!(!guard.is_full());
    guard.feed(&vec![0; MAX_HEAD]);
    assert!(guard.is_full());
    guard.switched();
    assert!(!guard.is_full());
}

#[test]
fn other_handshakes_are_requests_like_any_other() {
    let elsewhere = SHAKE.replace("/ai/tools", "/tools");
    let beside = SHAKE.replace("/ws", "hed");
    let encoded = SHAKE.replace("/tools", "/%74ools");
    let posted = SHAKE.replace("GET", "POST");
    let old = SHAKE.replace("HTTP/1.1", "HTTP/1.0");
    let closing = SHAKE.replace("Connection: Upgrade", "Connection: Upgrade, close");
    let unnamed = SHAKE.replace("Connection: Upgrade\r\n", "");
    let twice = SHAKE.replace("Upgrade: websocket", "Upgrade: websocket\r\nUpgrade: other");
    let several = SHAKE.replace("Upgrade: websocket", "Upgrade: other, websocket");
    let with_body = SHAKE.replace("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\n");
    for head in [elsewhere, beside, encoded, posted, old, closing, unnamed, twice, several, with_body] {
        let mut guard = with_websockets();
        guard.feed(head.as_bytes());
        assert!(!next(&mut guard).contains("\r\nUpgrade:"), "{head}");
        assert!(!guard.is_shaking(), "{head}");
    }
    let mut plain = Guard::new();
    plain.feed(SHAKE.as_bytes());
    assert!(!next(&mut plain).contains("\r\nUpgrade:"));
}
