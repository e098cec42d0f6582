//! Streams: passed as they are, or told anew.

use hoosh_core::ledger::Ending;

use super::{one, STREAMED};
use crate::{finish, role, usage, word, STREAM};

fn events() -> Vec<&'static str> {
    vec![
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"model\":\"m\",\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":8,\"output_tokens\":1}}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "event: ping\ndata: {\"type\": \"ping\"}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hel\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"lo\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    ]
}

#[test]
fn a_stream_of_the_same_dialect_passes_byte_for_byte_at_every_split() {
    let whole = events().concat();
    for at in (1..whole.len()).step_by(7) {
        let mut world = one("anthropic");
        let mut call = world.post("/v1/messages", STREAMED);
        let (u, _) = call.sent(&mut world);
        call.partial(u, 200, "text/event-stream", &whole[..at]);
        call.exchange.data(u, whole.as_bytes()[at..].to_vec().into());
        call.exchange.end(u);
        assert_eq!(call.stream(&mut world), whole, "{at}");
        call.over(&mut world);
        let row = &world.rows()[0];
        assert_eq!((row.usage.total(), row.ending), (10, Ending::Completed));
    }
}

#[test]
fn streams_cross_both_ways_at_every_split() {
    let anthropic = events().concat();
    let openai = role() + &word("hel") + &word("lo") + &finish() + &usage() + "data: [DONE]\n\n";
    for (dialect, path, body, upstream) in
        [("anthropic", "/v1/chat/completions", STREAM, &anthropic), ("openai_chat", "/v1/messages", STREAMED, &openai)]
    {
        let mut first = None;
        for at in (1..upstream.len()).step_by(5) {
            let mut world = one(dialect);
            let mut call = world.begin_with("POST", path, Some(body), &[("x-request-id", "r")]);
            let (u, _) = call.sent(&mut world);
            call.partial(u, 200, "text/event-stream", &upstream[..at]);
            call.exchange.data(u, upstream.as_bytes()[at..].to_vec().into());
            call.exchange.end(u);
            let stream = call.stream(&mut world);
            call.over(&mut world);
            assert_eq!(world.rows()[0].usage.total(), 10);
            assert_eq!(stream, *first.get_or_insert(stream.clone()), "{at}");
        }
        let stream = first.unwrap();
        assert!(stream.contains("\"hel\"") && stream.contains("\"lo\""), "{stream}");
        match dialect {
            "anthropic" => {
                assert!(stream.ends_with("data: [DONE]\n\n") && !stream.contains("message_start"), "{stream}")
            }
            _ => assert!(
                stream.starts_with("event: message_start") && stream.contains("event: message_stop"),
                "{stream}"
            ),
        }
    }
}

#[test]
fn a_broken_stream_ends_with_the_dialects_error_event() {
    let mut world = one("openai_chat");
    let mut call = world.post("/v1/messages", STREAMED);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "text/event-stream", &(role() + &word("a")));
    let stream = call.stream(&mut world);
    assert!(stream.contains("event: error\ndata: {\"type\":\"error\""), "{stream}");
    call.over(&mut world);
    assert_eq!(world.rows()[0].ending, Ending::Broken);
}

#[test]
fn a_stream_that_passed_as_it_is_ends_with_one_error_and_no_second_beginning() {
    let mut world = one("openai_responses");
    let mut call = world.post("/v1/responses", r#"{"model":"m","input":"hi","stream":true}"#);
    let (u, _) = call.sent(&mut world);
    let passed = concat!(
        "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_9\",\"status\":\"in_progress\",\"output\":[]}}\n\n",
        "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\"a\"}\n\n",
    );
    call.answer(u, 200, "text/event-stream", passed);
    let stream = call.stream(&mut world);
    let rest = stream.strip_prefix(passed).unwrap();
    assert!(rest.starts_with("event: error\ndata: {\"type\":\"error\""), "{rest}");
    assert_eq!(rest.matches("event: ").count(), 1, "{rest}");
}
