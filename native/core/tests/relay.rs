//! A stream passes to the caller equal at every split, whatever ends its lines, with usage shown or hidden.

use bytes::Bytes;
use hoosh_core::dialects::neutral::Endpoint;
use hoosh_core::dialects::openai::pieces::Pieces;
use hoosh_core::dialects::openai::relay::{Ended, Fed, Relay};

const EVENTS: [&str; 6] = [
    ": a comment",
    r#"data: {"id":"c1","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}"#,
    r#"data: {"id":"c2","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":null}]}"#,
    r#"data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    r#"data: {"id":"c1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#,
    "data: [DONE]",
];

fn relayed(parts: &[&[u8]], show_usage: bool) -> Vec<u8> {
    let mut relay = Relay::new(Endpoint::Chat, false, show_usage, 1);
    let mut pieces = Pieces::default();
    for part in parts {
        match relay.feed(Bytes::copy_from_slice(part), &mut pieces) {
            Fed::Open => {}
            Fed::Done => return pieces.list.concat(),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(relay.finish(&mut pieces), Ended::Completed);
    pieces.list.concat()
}

fn every_split(input: &[u8], show_usage: bool) {
    let whole = relayed(&[input], show_usage);
    for cut in 1..input.len() {
        let (first, second) = input.split_at(cut);
        let split = relayed(&[first, second], show_usage);
        assert_eq!(split.escape_ascii().to_string(), whole.escape_ascii().to_string(), "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(relayed(&bytes, show_usage).escape_ascii().to_string(), whole.escape_ascii().to_string());
}

#[test]
fn a_stream_is_equal_at_every_split() {
    for end in ["\n", "\r\n", "\r"] {
        for events in [&EVENTS[..], &EVENTS[..5], &EVENTS[..4]] {
            let stream: String = events.iter().map(|event| format!("{event}{end}{end}")).collect();
            every_split(stream.as_bytes(), true);
            every_split(stream.as_bytes(), false);
        }
    }
}

#[test]
fn what_is_hidden_takes_its_line_ends_with_it() {
    let stream: String = EVENTS.iter().map(|event| format!("{event}\r\n\r\n")).collect();
    let shown = String::from_utf8(relayed(&[stream.as_bytes()], false)).unwrap_or_default();
    assert!(!shown.contains("usage"));
    assert!(shown.ends_with("\"stop\"}]}\r\n\r\ndata: [DONE]\r\n\r\n"), "{shown:?}");
}
