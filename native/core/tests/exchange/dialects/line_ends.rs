//! Streams whose lines end in CRLF, between callers and upstreams that speak the same, wherever they are cut.

use hoosh_core::exchange::Stage;

use super::{one, CONTENTS, GENERATED, STREAMED};
use crate::{finish, role, word, STREAM};

/// What passes between equals: who, what is asked, and what is said.
struct Passing {
    dialect: &'static str,
    path: &'static str,
    asked: &'static str,
    kind: &'static str,
    events: Vec<String>,
    /// An event of the upstream's that breaks off.
    error: &'static str,
    /// How the caller's begins.
    told: &'static str,
}

impl Passing {
    fn whole(&self) -> String {
        self.events.concat()
    }

    /// What comes before it breaks off: words, and nothing that ends the answer.
    fn begun(&self) -> String {
        self.events[..self.events.len().div_ceil(2)].concat()
    }
}

fn all() -> Vec<Passing> {
    let of = |texts: &[&str], end: &str| texts.iter().map(|text| text.replace('\n', "\r\n") + end).collect();
    let chat = [role(), word("hel"), word("lo"), finish(), "data: [DONE]\n\n".into()];
    let images = [
        "event: image_generation.partial_image\ndata: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"AA\"}",
        "event: image_generation.completed\ndata: {\"type\":\"image_generation.completed\",\"usage\":{\"input_tokens\":5,\"output_tokens\":6,\"total_tokens\":11}}",
    ];
    let messages = [
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"model\":\"m\",\"usage\":{\"input_tokens\":8,\"output_tokens\":1}}}",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hel\"}}",
        ": a comment",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}",
    ];
    let response = [
        "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_9\",\"status\":\"in_progress\",\"output\":[]}}",
        "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\"a\"}",
        "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":2,\"response\":{\"id\":\"resp_9\",\"status\":\"completed\",\"output\":[{\"type\":\"message\",\"id\":\"msg_1\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"a\",\"annotations\":[]}]}],\"usage\":{\"input_tokens\":8,\"output_tokens\":2,\"total_tokens\":10}}}",
    ];
    let word = r#"data: {"candidates":[{"content":{"parts":[{"text":"hel"}],"role":"model"},"index":0}],"modelVersion":"m","responseId":"r1"}"#;
    // Blank lines more are no event, and pass too.
    let last = format!("data: {GENERATED}\n\n");
    let lines = [
        r#"{"model":"m","created_at":"x","message":{"role":"assistant","content":"hel"},"done":false}"#,
        r#"{"model":"m","created_at":"x","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":8,"eval_count":2}"#,
    ];
    let end = "\r\n\r\n";
    let passing = |dialect, path, asked, events: Vec<String>, error, told| Passing {
        dialect,
        path,
        asked,
        kind: if dialect == "ollama" { "application/x-ndjson" } else { "text/event-stream" },
        events,
        error,
        told,
    };
    vec![
        passing(
            "openai_chat",
            "/v1/chat/completions",
            STREAM,
            chat.iter().map(|event| event.replace('\n', "\r\n")).collect(),
            "data: {\"error\":{\"message\":\"burnt\"}}\r\n\r\n",
            "data: {\"error\":",
        ),
        passing(
            "openai_chat",
            "/v1/images/generations",
            r#"{"model":"m","prompt":"cat","stream":true}"#,
            of(&images, end),
            "data: {\"error\":{\"message\":\"burnt\"}}\r\n\r\n",
            "data: {\"error\":",
        ),
        passing(
            "anthropic",
            "/v1/messages",
            STREAMED,
            of(&messages, end),
            "event: error\r\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"burnt\"}}\r\n\r\n",
            "event: error\ndata: {\"type\":\"error\"",
        ),
        passing(
            "openai_responses",
            "/v1/responses",
            r#"{"model":"m","input":"hi","stream":true}"#,
            of(&response, end),
            "event: error\r\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"burnt\"}\r\n\r\n",
            "event: error\ndata: {\"type\":\"error\"",
        ),
        passing(
            "gemini",
            "/v1beta/models/m:streamGenerateContent?alt=sse",
            CONTENTS,
            of(&[word, &last], end),
            "data: {\"error\":{\"code\":500,\"message\":\"burnt\",\"status\":\"INTERNAL\"}}\r\n\r\n",
            "data: {\"error\":",
        ),
        passing(
            "ollama",
            "/api/chat",
            r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#,
            of(&lines, "\r\n"),
            "{\"error\":\"burnt\"}\r\n",
            "{\"error\":",
        ),
    ]
}

/// What the caller gets of an upstream that writes `parts`, each in a read of its own, and ends, or else is cut off.
fn got(passing: &Passing, parts: &[&[u8]], ends: bool) -> String {
    let mut world = one(passing.dialect);
    let mut call = world.post(passing.path, passing.asked);
    let (u, _) = call.sent(&mut world);
    call.exchange.head(u, 200, &vec![("content-type", passing.kind)]);
    for part in parts {
        call.exchange.data(u, part.to_vec().into());
    }
    match ends {
        true => call.exchange.end(u),
        false => call.exchange.failed(u, Stage::Body, false),
    }
    call.stream(&mut world)
}

/// Whole, byte by byte, and cut in two at every place.
fn cuts(bytes: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let each = [vec![bytes], bytes.chunks(1).collect()];
    each.into_iter().chain((1..bytes.len()).map(|at| vec![&bytes[..at], &bytes[at..]]))
}

#[test]
fn a_stream_of_crlf_passes_byte_for_byte_wherever_it_is_cut() {
    for passing in all() {
        let whole = passing.whole();
        for parts in cuts(whole.as_bytes()) {
            let stream = got(&passing, &parts, true);
            assert_eq!(
                stream,
                whole,
                "{} {} in {}, first {}",
                passing.dialect,
                passing.path,
                parts.len(),
                parts[0].len()
            );
        }
    }
}

#[test]
fn an_error_stands_behind_a_whole_blank_line_wherever_the_stream_is_cut() {
    for passing in all() {
        let said = passing.begun();
        let broken = said.clone() + passing.error;
        for parts in cuts(broken.as_bytes()) {
            let stream = got(&passing, &parts, true);
            let error = stream.strip_prefix(&said).unwrap_or_else(|| panic!("{} {stream:?}", passing.path));
            assert!(error.starts_with(passing.told) && error.contains("burnt"), "{} {stream:?}", passing.path);
        }
    }
}

#[test]
fn a_blank_line_that_was_cut_off_in_its_middle_is_whole_before_the_error() {
    for passing in all().into_iter().filter(|passing| passing.dialect != "ollama") {
        let said = passing.begun();
        let cut = said.strip_suffix('\n').unwrap();
        for parts in [vec![cut.as_bytes()], cut.as_bytes().chunks(1).collect()] {
            let stream = got(&passing, &parts, false);
            let error = stream.strip_prefix(&said).unwrap_or_else(|| panic!("{} {stream:?}", passing.path));
            assert!(error.starts_with(passing.told), "{} {stream:?}", passing.path);
        }
    }
}

#[test]
fn a_last_line_without_its_line_feed_passes_too() {
    for passing in all().into_iter().filter(|passing| passing.dialect == "ollama") {
        let whole = passing.whole();
        for said in [whole.strip_suffix("\r\n").unwrap(), whole.strip_suffix('\n').unwrap()] {
            assert_eq!(got(&passing, &[said.as_bytes()], true), said);
        }
    }
}
