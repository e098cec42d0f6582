//! Requests part by part: the same judgement as of bytes, without anything that frames them.

use hoosh_core::error::Code;
use hoosh_core::http::HeaderView;
use hoosh_core::wire::{Guard, Part, Refusal};
use proptest::prelude::*;

use super::properties::stream;
use super::run;

/// A request with the body that came of it, and whether that was all.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    line: String,
    length: Option<u64>,
    body: Vec<u8>,
    is_whole: bool,
}

fn parts(pieces: &[&[u8]]) -> (Vec<Seen>, Option<Refusal>) {
    let (mut guard, mut seen) = (Guard::new(), Vec::<Seen>::new());
    for piece in pieces {
        guard.feed(piece);
        loop {
            match guard.next_part() {
                Ok(Some(Part::Head(head))) => seen.push(Seen {
                    line: format!("{} {}", head.method(), head.target()),
                    length: head.length,
                    body: Vec::new(),
                    is_whole: head.length == Some(0),
                }),
                Ok(Some(Part::Data(data))) => seen.last_mut().unwrap().body.extend_from_slice(&data),
                Ok(Some(Part::End)) => {
                    let request = seen.last_mut().unwrap();
                    assert!(!request.is_whole, "a second end");
                    request.is_whole = true;
                }
                Ok(None) => break,
                Err(refusal) => return (seen, Some(refusal)),
            }
        }
    }
    (seen, None)
}

fn request(line: &str, length: Option<u64>, body: &str) -> Seen {
    Seen { line: line.into(), length, body: body.into(), is_whole: true }
}

#[test]
fn requests_come_one_after_another_without_their_framing() {
    let input = b"POST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
        PUT /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n02\r\nde\r\n0\r\nTrailer: t\r\n\r\n\
        GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let expected =
        vec![request("POST /a?b=c", Some(3), "abc"), request("PUT /b", None, "abcde"), request("GET /", Some(0), "")];
    let bytewise: Vec<&[u8]> = input.chunks(1).collect();
    for pieces in [&[&input[..]][..], &bytewise] {
        let (seen, refusal) = parts(pieces);
        assert_eq!((&seen, refusal), (&expected, None));
    }
}

#[test]
fn a_head_says_what_its_request_asks() {
    let mut guard = Guard::new();
    guard.feed(
        b"POST / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-ONE: \t2 \r\nExpect: 100-Continue\r\nContent-Length: 9\r\n\r\n",
    );
    let Some(Part::Head(head)) = guard.next_part().unwrap() else { panic!("no head") };
    assert_eq!(head.get("x-one"), Some(&b"1"[..]));
    assert_eq!(head.get("x-on"), None);
    let fields: Vec<(&[u8], &[u8])> = head.fields().collect();
    assert_eq!(fields[2], (&b"x-ONE"[..], &b"2"[..]));
    assert_eq!(fields.len(), 5);
    assert_eq!(
        (head.length, head.expects, head.is_old, head.is_last, head.shakes),
        (Some(9), true, false, false, false)
    );
    let mut guard = Guard::new();
    guard.feed(b"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n");
    let Some(Part::Head(head)) = guard.next_part().unwrap() else { panic!("no head") };
    assert_eq!((head.length, head.expects, head.is_old, head.is_last), (Some(0), false, true, true));
}

#[test]
fn what_was_good_of_a_body_comes_before_its_fault() {
    let (seen, refusal) =
        parts(&[b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx\r\n"]);
    assert_eq!(refusal.unwrap().failure.code, Code::MalformedRequest);
    assert_eq!(seen, vec![Seen { line: "POST /".into(), body: b"abc".to_vec(), ..Seen::default() }]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn parts_are_refused_as_bytes_are(input in stream(), cut in 0usize..200) {
        let (first, second) = input.split_at(cut.min(input.len()));
        let (bytes, refusal) = run(&[&input]);
        let (seen, refused) = parts(&[first, second]);
        prop_assert_eq!(&refused, &refusal);

        let given_on = String::from_utf8_lossy(&bytes.concat()).into_owned();
        let is_there = seen.iter().all(|request| given_on.contains(&(request.line.clone() + " HTTP/1.")));
        prop_assert!(is_there);
        let (again, _) = parts(&[&input]);
        prop_assert_eq!(seen, again);
    }
}
