//! Streams, both ways.

use super::*;
use crate::dialects::neutral::CallKind;
use crate::dialects::Listener;
use crate::error::Code;

/// As the Gemini API streams: usage in each event, a signature in a part of its own, no end mark.
const STREAM: &str = concat!(
    r#"data: {"candidates": [{"content": {"parts": [{"text": "I think","thought": true}],"role": "model"},"index": 0}],"usageMetadata": {"promptTokenCount": 10,"totalTokenCount": 30,"thoughtsTokenCount": 20},"modelVersion": "gemini-3-pro","responseId": "r-1"}"#,
    "\r\n\r\n",
    r#"data: {"candidates": [{"content": {"parts": [{"text": "Grüße 😀"}],"role": "model"},"index": 0}],"usageMetadata": {"promptTokenCount": 10,"candidatesTokenCount": 2,"totalTokenCount": 32,"thoughtsTokenCount": 20},"modelVersion": "gemini-3-pro","responseId": "r-1"}"#,
    "\r\n\r\n",
    r#"data: {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f","args": {"x": 1}},"thoughtSignature": "Cg=="}, {"functionCall": {"name": "g","args": {}}}],"role": "model"},"index": 0}],"responseId": "r-1"}"#,
    "\r\n\r\n",
    r#"data: {"candidates": [{"content": {"parts": [{"text": "","thoughtSignature": "EoQ="}],"role": "model"},"finishReason": "STOP","index": 0}],"usageMetadata": {"promptTokenCount": 10,"candidatesTokenCount": 5,"totalTokenCount": 35,"thoughtsTokenCount": 20,"cachedContentTokenCount": 4},"modelVersion": "gemini-3-pro","responseId": "r-1"}"#,
    "\r\n\r\n",
);

fn event(json: &str) -> String {
    format!("data: {json}\n\n")
}

const HI: &str = r#"{"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"index":0}]}"#;
const STOP: &str = r#"{"candidates":[{"content":{"parts":[],"role":"model"},"finishReason":"STOP","index":0}]}"#;

#[test]
fn a_stream_decodes_to_the_same_at_every_split() {
    let (whole, complete) = decode(STREAM.as_bytes(), STREAM.len());
    assert_eq!(complete, Ok(true));
    assert_eq!(whole.last(), Some(&Item::Finish { choice: 0, reason: "tool_calls".into() }));
    assert!(whole.contains(&Item::Usage(USAGE)));
    for size in 1..STREAM.len() {
        let mut decoder = Gemini.decoder();
        let mut framer = Framer::new(Limits::default());
        let mut items = Vec::new();
        for chunk in [&STREAM.as_bytes()[..size], &STREAM.as_bytes()[size..]] {
            framer.push(bytes::Bytes::copy_from_slice(chunk));
            while let Some(frame) = framer.next_frame().unwrap() {
                assert_eq!(decoder.take(&frame, &mut items), Fed::Open);
            }
        }
        assert!(decoder.finish(&mut items));
        assert_eq!(items, whole, "split at {size}");
    }
    assert_eq!(decode(STREAM.as_bytes(), 1).0, whole);
}

/// What a stream says, with pieces joined and without counts.
fn joined(items: &[Item]) -> Vec<Item> {
    let mut all: Vec<Item> = Vec::new();
    for item in items.iter().filter(|item| !matches!(item, Item::Usage(_) | Item::UsageDetail { .. })) {
        match (all.last_mut(), item) {
            (Some(Item::Text { text, .. }), Item::Text { text: more, .. }) => text.push_str(more),
            _ => all.push(item.clone()),
        }
    }
    all
}

#[test]
fn what_is_encoded_decodes_to_the_same_items() {
    let (items, _) = decode(STREAM.as_bytes(), 100);
    let (again, complete) = decode(&encode(&items, Form::Usual), 7);
    assert_eq!(complete, Ok(true));
    assert_eq!(joined(&again), joined(&items));
    assert!(again.contains(&Item::UsageDetail { reasoning_tokens: 20 }));
    assert!(again.contains(&Item::Usage(USAGE)));
}

#[test]
fn a_stream_says_what_a_whole_answer_says() {
    let mut whole = Vec::new();
    Gemini.read_answer(Endpoint::Chat, super::answers::CALLS.as_bytes(), &mut whole);
    let stream = event(&super::answers::CALLS.replace('\n', " "));
    assert_eq!(decode(stream.as_bytes(), 50), (whole.clone(), Ok(true)));
    let written = Gemini.write_answer(&reply(Form::Usual), &whole, &USAGE);
    let mut again = Vec::new();
    Gemini.read_answer(Endpoint::Chat, &written, &mut again);
    assert_eq!(joined(&decode(&encode(&whole, Form::Usual), 50).0), joined(&again));
}

#[test]
fn an_array_holds_what_the_events_hold() {
    let (items, _) = decode(STREAM.as_bytes(), 100);
    let array = encode(&items, Form::Array);
    let list = json(&array);
    let events = String::from_utf8(encode(&items, Form::Usual)).unwrap();
    let events: Vec<_> =
        events.split("\r\n\r\n").filter_map(|event| event.strip_prefix("data: ")).map(|e| json(e.as_bytes())).collect();
    assert_eq!(list.as_array(), Some(&events));
    let mut again = Vec::new();
    Gemini.read_answer(Endpoint::Chat, &array, &mut again);
    assert_eq!(joined(&again), joined(&items));
    assert_eq!(Gemini.stream_type(Form::Array), "application/json");
}

#[test]
fn calls_in_pieces_come_out_whole() {
    let piece = |index, id: Option<&str>, name: Option<&str>, arguments: &str| Item::ToolCall {
        choice: 0,
        index,
        id: id.map(Into::into),
        name: name.map(Into::into),
        arguments: arguments.into(),
        kind: CallKind::Function,
    };
    let items = [
        piece(0, Some("a"), Some("f"), ""),
        piece(0, None, None, "{\"x\""),
        piece(1, Some("b"), Some("g"), "{"),
        piece(0, None, None, ":1}"),
        piece(1, None, None, "}"),
        piece(2, Some("c"), Some("h"), ""),
        Item::Text { choice: 0, text: "Wait".into(), logprobs: vec![] },
        piece(3, Some("d"), Some("broken"), "{\"x\""),
        Item::Finish { choice: 0, reason: "tool_calls".into() },
    ];
    let (again, complete) = decode(&encode(&items, Form::Usual), 33);
    assert_eq!(complete, Ok(true));
    let calls: Vec<_> = again
        .iter()
        .filter_map(|item| match item {
            Item::ToolCall { index, id, name, arguments, .. } => {
                Some((*index, id.clone().unwrap(), name.clone().unwrap(), arguments.clone()))
            }
            _ => None,
        })
        .collect();
    let call = |index, id: &str, name: &str, arguments: &str| (index, id.into(), name.into(), arguments.into());
    assert_eq!(
        calls,
        [
            call(0, "a", "f", r#"{"x":1}"#),
            call(1, "b", "g", "{}"),
            call(2, "c", "h", "{}"),
            call(3, "d", "broken", r#"{"arguments":"{\"x\""}"#)
        ]
    );
}

/// Several Gemini adapters made a clean end of it (tashfeenahmed/freellmapi#1288, SamSaffron/term-llm#954).
#[test]
fn a_stream_without_a_finish_reason_is_not_complete() {
    assert_eq!(decode(event(HI).as_bytes(), 10).1, Ok(false));
    assert_eq!(decode(b"", 10).1, Ok(false));
}

/// Chevey339/kelivo#1003.
#[test]
fn a_stop_on_an_early_empty_event_does_not_end_the_stream() {
    let stream = [event(STOP), event(HI), event(STOP)].concat();
    let (items, complete) = decode(stream.as_bytes(), 10);
    assert_eq!(complete, Ok(true));
    let text = Item::Text { choice: 0, text: "Hi".into(), logprobs: vec![] };
    assert_eq!(items, [text, Item::Finish { choice: 0, reason: "stop".into() }]);
}

/// Events count up, and one may leave out what another told.
#[test]
fn counts_of_a_stream_are_put_together() {
    let counting = |counts: &str| event(&format!("{{\"usageMetadata\":{counts}}}"));
    let stream = [
        counting(r#"{"candidatesTokenCount":1}"#),
        counting(r#"{"promptTokenCount":10,"totalTokenCount":11}"#),
        event(HI),
        counting(r#"{"candidatesTokenCount":5,"thoughtsTokenCount":20,"totalTokenCount":35}"#),
        counting(r#"{"promptTokenCount":10,"candidatesTokenCount":5}"#),
        event(STOP),
    ];
    let (items, complete) = decode(stream.concat().as_bytes(), 10);
    assert_eq!(complete, Ok(true));
    let told: Vec<_> = items
        .iter()
        .filter_map(|item| match item {
            Item::Usage(usage) => Some((usage.input_tokens, usage.output_tokens)),
            Item::UsageDetail { reasoning_tokens } => Some((0, *reasoning_tokens)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(10, 1), (10, 25), (0, 20)]);
}

/// diegosouzapw/OmniRoute#4177.
#[test]
fn an_error_inside_an_event_ends_the_stream() {
    let error = r#"{"error":{"code":503,"message":"Overloaded.","status":"UNAVAILABLE"}}"#;
    let stream = [event(HI), event(error), event(STOP)].concat();
    assert_eq!(decode(stream.as_bytes(), 10).1, Err(Fed::Error("Overloaded.".into())));
}

/// theopenco/llmgateway#3616.
#[test]
fn bare_json_of_an_error_behind_the_events_is_read() {
    let error = "{\n  \"error\": {\n    \"code\": 500,\n    \"message\": \"Internal.\"\n  }\n}\n\n";
    let stream = [&event(HI), error].concat();
    assert_eq!(decode(stream.as_bytes(), 10).1, Err(Fed::Error("Internal.".into())));
}

#[test]
fn comments_pass_and_nonsense_does_not() {
    let stream = [": keep-alive\n\n".into(), event(HI), event(STOP)].concat();
    assert_eq!(decode(stream.as_bytes(), 10).1, Ok(true));
    for bad in ["nonsense", "[]", "{\"choices\":[]}", "\"x\""] {
        assert_eq!(decode(event(bad).as_bytes(), 10).1, Err(Fed::Malformed), "{bad}");
    }
    let marked = [event(HI), event(STOP), event("[DONE]")].concat();
    assert_eq!(decode(marked.as_bytes(), 10).1, Err(Fed::Done));
}

#[test]
fn a_broken_stream_ends_with_an_error_that_the_clients_know() {
    let failure = Failure::new(Code::UpstreamTruncated, "It broke off.");
    for form in [Form::Usual, Form::Array] {
        let (mut encoder, mut out) = (Gemini.encoder(reply(form)), Vec::new());
        encoder.item(&Item::Text { choice: 0, text: "Hi".into(), logprobs: vec![] }, &mut out);
        assert!(encoder.error(&failure, &mut out));
        let text = String::from_utf8(out).unwrap();
        match form {
            Form::Array => assert_eq!(json(text.as_bytes())[1]["error"]["message"], "It broke off."),
            _ => assert!(text.contains("\r\n\r\ndata: {\"error\":{\"code\":502,"), "{text}"),
        }
    }
}

#[test]
fn an_empty_answer_is_still_one() {
    assert_eq!(json(&encode(&[], Form::Array)).as_array().map(Vec::len), Some(1));
    let text = String::from_utf8(encode(&[], Form::Usual)).unwrap();
    assert!(text.contains("\"usageMetadata\""), "{text}");
}

#[test]
fn a_stop_before_words_does_not_end_them() {
    let limit = STOP.replace("STOP", "MAX_TOKENS");
    let call = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}}}]}}]}"#;
    let signature = r#"{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"EoQ="}]}}]}"#;
    for (events, complete) in [
        (vec![STOP, STOP, HI], false),
        (vec![STOP, STOP, call], false),
        (vec![STOP, STOP, HI, STOP], true),
        (vec![HI, STOP, STOP], true),
        (vec![limit.as_str(), HI], true),
        (vec![HI, STOP, signature], true),
    ] {
        let stream: String = events.iter().map(|json| event(json)).collect();
        assert_eq!(decode(stream.as_bytes(), 40).1, Ok(complete), "{stream}");
    }
}

#[test]
fn an_error_behind_the_events_is_read_without_a_blank_line_too() {
    let tail = r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#;
    for begun in ["", &event(HI)] {
        let (mut listener, mut items) = (Listener::of(&Gemini), Vec::new());
        listener.push(format!("{begun}{tail}").into());
        while let Some((fed, _)) = listener.next_event(&mut items) {
            assert_eq!(fed, Fed::Open);
        }
        assert_eq!(listener.finish(&mut items).0, Fed::Error("The model is overloaded.".into()));
    }
}
