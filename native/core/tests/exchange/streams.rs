//! What a stream may leave out, say twice or say wrong, and what its caller gets all the same.

use hoosh_core::exchange::{Stage, Step};
use hoosh_core::ledger::{Ending, UsageSource};

use super::world::*;
use super::{event, finish, role, usage, word, ANSWER, CHAT, STREAM};

const DONE: &str = "data: [DONE]\n\n";

fn choice(index: u32, word: &str, reason: &str) -> String {
    event(&format!(
        r#"{{"id":"c1","choices":[{{"index":{index},"delta":{{"content":"{word}"}},"finish_reason":{reason}}}]}}"#
    ))
}

/// What a caller of `config` gets of a stream of `bytes`, and whether an equal one was then answered from the cache.
fn given(world: &mut World, bytes: &str) -> (String, bool) {
    let mut call = world.post("/v1/chat/completions", STREAM);
    let (u, _) = call.sent(world);
    call.answer(u, 200, "text/event-stream", bytes);
    let stream = call.stream(world);
    call.over(world);
    let mut twin = world.post("/v1/chat/completions", STREAM);
    let hit = twin.is_hit(world);
    (stream, hit)
}

#[test]
fn an_end_mark_alone_is_no_answer() {
    let mut world = World::new(TWO);
    let mut call = world.post("/v1/chat/completions", STREAM);
    for bytes in [DONE, &(role() + DONE), &(usage() + DONE)] {
        let (u, _) = call.sent(&mut world);
        call.answer(u, 200, "text/event-stream", bytes);
    }
    let reply = call.reply(&mut world);
    assert!(String::from_utf8_lossy(&reply.body).contains("upstream_malformed"), "nothing said and nothing finished");
    call.over(&mut world);
}

#[test]
fn only_what_finished_well_is_cached() {
    let whole = role() + &word("a") + &finish() + DONE;
    assert_eq!(given(&mut World::new(CACHED), &whole), (whole, true));
    let reasons = ["null", "\"length\"", "\"content_filter\"", "\"error\"", "\"abort\""];
    for reason in reasons {
        let bytes = choice(0, "a", reason) + DONE;
        assert_eq!(given(&mut World::new(CACHED), &bytes), (bytes, false), "{reason}");
    }
    for reason in ["\"tool_calls\"", "\"function_call\""] {
        let bytes = choice(0, "a", reason) + DONE;
        assert_eq!(given(&mut World::new(CACHED), &bytes), (bytes, true), "{reason}");
    }
    let half = choice(0, "a", "\"stop\"") + &choice(1, "b", "null") + DONE;
    assert_eq!(given(&mut World::new(CACHED), &half), (half, false), "one choice of two");
}

#[test]
fn a_whole_answer_that_did_not_finish_well_is_not_cached() {
    for (reason, cached) in [("\"stop\"", true), ("\"error\"", false), ("null", false), ("\"length\"", false)] {
        let mut world = World::new(CACHED);
        let mut call = world.post("/v1/chat/completions", super::CHAT);
        let (u, _) = call.sent(&mut world);
        call.answer(u, 200, "application/json", &super::ANSWER.replace("\"stop\"", reason));
        assert_eq!(call.reply(&mut world).status, 200);
        call.over(&mut world);
        let mut twin = world.post("/v1/chat/completions", super::CHAT);
        assert_eq!(twin.is_hit(&mut world), cached, "{reason}");
    }
}

#[test]
fn every_choice_must_finish_where_the_mark_is_missing() {
    let open = choice(0, "a", "null") + &choice(1, "b", "null") + &choice(0, "", "\"stop\"");
    let mut world = World::new(ONE);
    let (stream, _) = given(&mut world, &open);
    assert!(stream.ends_with("\"code\":\"upstream_truncated\"}}\n\n"), "{stream}");
    let all = open + &choice(1, "", "\"stop\"");
    let (stream, _) = given(&mut world, &all);
    assert_eq!(stream, all + DONE);
    let endings: Vec<_> = world.rows().iter().map(|row| row.ending).filter(|e| *e != Ending::Dropped).collect();
    assert_eq!(endings, [Ending::Broken, Ending::Completed]);
}

#[test]
fn an_empty_id_is_none() {
    let azure = event(r#"{"id":"","model":"","object":"","choices":[],"prompt_filter_results":[]}"#);
    let bytes = azure.clone() + &role() + &word("a") + &finish();
    let mut world = World::new(ONE);
    let (stream, _) = given(&mut world, &(bytes.clone() + DONE));
    assert_eq!(stream, bytes.clone() + DONE);
    // Nor is that chunk the model for usage that is counted.
    let wanted = STREAM.replace("true", "true,\"stream_options\":{\"include_usage\":true}");
    let mut call = world.post("/v1/chat/completions", &wanted);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "text/event-stream", &(bytes.clone() + DONE));
    let stream = call.stream(&mut world);
    let counted = stream.strip_prefix(&bytes).expect("the chunks as they came");
    assert!(counted.starts_with(r#"data: {"id":"c1","choices":[],"usage":{"prompt_tokens":"#), "{counted}");
    call.over(&mut world);
}

#[test]
fn usage_in_two_chunks_is_one() {
    let half = |usage: &str| event(&format!(r#"{{"id":"c1","choices":[],"usage":{{{usage}}}}}"#));
    let halves = half("\"prompt_tokens\":50") + &half("\"completion_tokens\":7");
    let bytes = role() + &word("a") + &finish() + &halves + DONE;
    let mut world = World::new(ONE);
    given(&mut world, &bytes);
    let row = world.rows().remove(0);
    assert_eq!((row.usage.input_tokens, row.usage.output_tokens), (50, 7));
    let wanted = STREAM.replace("true", "true,\"stream_options\":{\"include_usage\":true}");
    let mut call = world.post("/v1/chat/completions", &wanted);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "text/event-stream", &bytes);
    let stream = call.stream(&mut world);
    let shown = r#""usage":{"prompt_tokens":50,"completion_tokens":7,"total_tokens":57}"#;
    assert_eq!(stream.matches("usage").count(), 1, "{stream}");
    assert!(stream.contains(shown), "{stream}");
    call.over(&mut world);
}

#[test]
fn a_mark_with_spaces_is_a_mark() {
    let bytes = role() + &word("a") + &finish();
    let (stream, _) = given(&mut World::new(ONE), &(bytes.clone() + "data: [DONE] \n\n"));
    assert_eq!(stream, bytes + DONE);
}

#[test]
fn what_breaks_off_after_its_finish_is_complete() {
    for silent in [false, true] {
        let mut world = World::new(ONE);
        let mut call = world.post("/v1/chat/completions", STREAM);
        let (u, _) = call.sent(&mut world);
        let bytes = role() + &word("a") + &finish() + &usage();
        call.partial(u, 200, "text/event-stream", &bytes);
        if !silent {
            call.exchange.failed(u, Stage::Body, false);
        }
        assert_eq!(call.stream(&mut world).replace(": keep-alive\n\n", ""), role() + &word("a") + &finish() + DONE);
        call.over(&mut world);
        let row = world.rows().remove(0);
        assert_eq!((row.ending, row.terminator_added, row.usage.total()), (Ending::Completed, true, 10));
    }
}

#[test]
fn a_silent_stream_that_is_complete_is_left() {
    let mut world = World::new(ONE);
    let mut call = world.post("/v1/chat/completions", STREAM);
    let (u, _) = call.sent(&mut world);
    call.partial(u, 200, "text/event-stream", &(word("a") + &finish()));
    let patience = call.waits(&mut world).expect("it waits for more");
    world.pass(patience);
    assert!(call.until(&mut world, |step| matches!(step, Step::Abort { .. })));
}

#[test]
fn once_a_stream_began_no_other_attempt_follows() {
    let mut world = World::new(TWO);
    let mut call = world.post("/v1/chat/completions", STREAM);
    let (u, _) = call.sent(&mut world);
    let prelude = format!(": {}\n\n", "x".repeat(1_000)).repeat(70);
    call.partial(u, 200, "text/event-stream", &(role() + &prelude));
    call.exchange.failed(u, Stage::Body, false);
    let stream = call.stream(&mut world);
    assert!(stream.starts_with(&role()) && stream.ends_with("\"code\":\"upstream_truncated\"}}\n\n"));
    call.over(&mut world);
    let row = world.rows().remove(0);
    assert_eq!((row.attempts, row.ending, row.usage.source), (1, Ending::Broken, UsageSource::Counted));
}

#[test]
fn a_stream_is_complete_when_all_choices_that_were_asked_for_finished() {
    let asked = STREAM.replacen('{', "{\"n\":2,", 1);
    let ended = |bytes: &str| {
        let mut world = World::new(ONE);
        let mut call = world.post("/v1/chat/completions", &asked);
        let (u, _) = call.sent(&mut world);
        call.answer(u, 200, "text/event-stream", bytes);
        call.stream(&mut world)
    };
    let (zero, one) = (choice(0, "a", "\"stop\""), choice(1, "b", "\"stop\""));
    assert!(ended(&(zero.clone() + &one)).ends_with(DONE));
    assert!(ended(&zero).contains("upstream_truncated"), "the second never came");
    assert!(ended(&one).contains("upstream_truncated"), "the first never came");
}

#[test]
fn bytes_that_are_no_utf8_are_read_as_browsers_read_them() {
    let spoil = |text: String, mark: &[u8]| {
        let at = text.find('~').unwrap();
        [&text.as_bytes()[..at], mark, &text.as_bytes()[at + 1..]].concat()
    };
    for mark in [&b"\xff"[..], b"\xe2\x82", b"\xed\xa0\x80"] {
        let shown = String::from_utf8_lossy(mark).into_owned();
        let mut world = World::new(ONE);
        let mut call = world.post("/v1/chat/completions", STREAM);
        let (u, _) = call.sent(&mut world);
        call.answer(u, 200, "text/event-stream", &spoil(role() + &word("a~b") + &finish() + DONE, mark));
        let stream = call.stream(&mut world);
        assert_eq!(stream, role() + &word(&format!("a{shown}b")) + &finish() + DONE);
        call.over(&mut world);
        let mut call = world.post("/v1/chat/completions", CHAT);
        let (u, _) = call.sent(&mut world);
        call.answer(u, 200, "application/json", &spoil(ANSWER.replace("content\":\"", "content\":\"~"), mark));
        let reply = call.reply(&mut world);
        assert_eq!(reply.status, 200);
        assert!(String::from_utf8(reply.body.to_vec()).unwrap().contains(&format!("content\":\"{shown}")));
        call.over(&mut world);
    }
}
