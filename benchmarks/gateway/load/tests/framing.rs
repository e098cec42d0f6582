//! Bodies and events, whole and in pieces.

use hoosh_load::events::Events;
use hoosh_load::framing::{Chunks, Framing};

/// Feeds `bytes` in pieces of `size`: the body, what was left over, and whether it ended.
fn fed(mut framing: Framing, bytes: &[u8], size: usize) -> std::io::Result<(Vec<u8>, usize, bool)> {
    let (mut body, mut taken, mut ended) = (Vec::new(), 0, false);
    for piece in bytes.chunks(size) {
        let fed = framing.feed(piece, &mut |shown| body.extend_from_slice(shown))?;
        taken += fed.taken;
        ended = fed.ended;
        if ended {
            break;
        }
    }
    Ok((body, bytes.len() - taken, ended))
}

#[test]
fn chunks_are_joined_however_they_are_cut() {
    let bytes = b"5;name=\"x\"\r\nhello\r\n11\r\n, chunked world!!\r\n0\r\nTrailer: 1\r\n\r\nnext";
    for size in 1..=bytes.len() {
        let (body, _, ended) = fed(Framing::Chunked(Chunks::default()), bytes, size).unwrap();
        assert_eq!((&*body, ended), (&b"hello, chunked world!!"[..], true), "in pieces of {size}");
    }
    let (_, left, _) = fed(Framing::Chunked(Chunks::default()), bytes, bytes.len()).unwrap();
    assert_eq!(left, 4, "what follows is not taken");
}

#[test]
fn a_length_ends_where_it_says() {
    for size in 1..6 {
        let (body, _, ended) = fed(Framing::Length(5), b"hello", size).unwrap();
        assert_eq!((&*body, ended), (&b"hello"[..], true));
    }
    assert_eq!(fed(Framing::Length(5), b"hell", 2).unwrap(), (b"hell".to_vec(), 0, false));
}

#[test]
fn broken_chunks_are_errors() {
    for bytes in [&b"x\r\n"[..], b"2\r\nabc\r\n", b"fffffffffffffffff\r\n"] {
        assert!(fed(Framing::Chunked(Chunks::default()), bytes, 64).is_err(), "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn events_are_counted_however_they_are_cut() {
    let stream = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n: alive\n\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"data: x\"}}]}\r\n\r\nevent: x\ndata:{\"choices\":[]}\n\ndata: [DONE]\n\n";
    for size in 1..=stream.len() {
        let mut events = Events::default();
        for (number, piece) in stream.as_bytes().chunks(size).enumerate() {
            events.feed(piece);
            let content = stream.find("data: x").unwrap() + 20;
            if (number + 1) * size < stream.find("data: x").unwrap() {
                assert!(events.first.is_none(), "a role is no content");
            } else if (number + 1) * size > content + 20 {
                assert!(events.first.is_some());
            }
        }
        assert_eq!((events.count, events.done), (3, true), "in pieces of {size}");
    }
}

#[test]
fn a_line_without_end_is_not_kept() {
    let mut events = Events::default();
    events.feed(b"data: ");
    for _ in 0..100 {
        events.feed(&[b'x'; 1000]);
    }
    events.feed(b"\ndata: [DONE]\n");
    assert_eq!((events.count, events.done), (1, true));
}
