//! Engines of this process: what they say, what they leave out, how long they may take.

use hoosh_core::clock::SECOND;
use hoosh_core::dialects::neutral::Item;
use hoosh_core::exchange::Stage;
use hoosh_core::ledger::{Usage, UsageSource};

use super::world::*;
use super::{CHAT, STREAM};

fn text(words: &str) -> Item {
    Item::Text { choice: 0, text: words.into(), logprobs: Vec::new() }
}

fn finish(reason: &str) -> Item {
    Item::Finish { choice: 0, reason: reason.into() }
}

fn used(input: u64, output: u64) -> Item {
    let source = UsageSource::Reported;
    Item::Usage(Usage { input_tokens: input, output_tokens: output, source, ..Usage::default() })
}

#[test]
fn usage_that_an_engine_leaves_out_is_counted_before_the_answer() {
    let mut world = World::new(ENGINES);
    let mut call = world.post("/v1/chat/completions", CHAT);
    let u = call.called(&mut world);
    for item in [text("hello there"), finish("stop")] {
        call.exchange.delta(u, item);
    }
    call.exchange.end(u);
    let reply = call.reply(&mut world);
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    call.over(&mut world);
    let row = world.rows().remove(0);
    assert_eq!((row.usage.source, row.usage.output_tokens), (UsageSource::Counted, 2));
    let (input, total) = (row.usage.input_tokens, row.usage.total());
    let shown = format!(r#""usage":{{"prompt_tokens":{input},"completion_tokens":2,"total_tokens":{total}}}"#);
    assert!(body.contains(&shown), "{body}");
}

#[test]
fn what_a_failed_engine_said_of_usage_goes_with_it() {
    let mut world = World::new(ENGINES);
    let mut call = world.post("/v1/chat/completions", CHAT);
    let u = call.called(&mut world);
    call.exchange.delta(u, used(1_000, 1_000));
    call.exchange.failed(u, Stage::Body, false);
    let u = call.called(&mut world);
    call.exchange.delta(u, text("hello"));
    call.exchange.delta(u, finish("stop"));
    call.exchange.end(u);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    let row = world.rows().remove(0);
    assert_eq!((row.attempts, row.usage.output_tokens), (2, 1), "{row:?}");
}

#[test]
fn an_engine_that_fails_is_told_as_one() {
    for (stage, code, word) in
        [(Stage::Connect, "upstream_unreachable", "registered"), (Stage::Body, "upstream_error", "engine failed")]
    {
        let mut world = World::new(&format!("[retry]\nmax_attempts = 1\n{ENGINES}"));
        let mut call = world.post("/v1/chat/completions", CHAT);
        let u = call.called(&mut world);
        call.exchange.failed(u, stage, false);
        let reply = call.reply(&mut world);
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(reply.status, 502);
        assert!(body.contains(code) && body.contains(word), "{body}");
    }
}

#[test]
fn an_engine_has_the_time_of_a_first_byte_to_begin() {
    let mut world = World::new(ENGINES);
    let mut call = world.post("/v1/chat/completions", STREAM);
    let u = call.called(&mut world);
    assert_eq!(call.waits(&mut world), Some(60 * SECOND));
    call.exchange.delta(u, text("a"));
    assert_eq!(call.waits(&mut world), Some(SECOND), "then the pauses are bound");
}

#[test]
fn only_what_an_engine_finished_well_is_cached() {
    let config = format!("[cache]\nenabled = true\nmode = \"always\"\n{ENGINES}");
    for (reason, cached) in [("stop", true), ("error", false), ("length", false)] {
        let mut world = World::new(&config);
        let mut call = world.post("/v1/chat/completions", CHAT);
        let u = call.called(&mut world);
        for item in [text("hello"), finish(reason), used(3, 1)] {
            call.exchange.delta(u, item);
        }
        call.exchange.end(u);
        assert_eq!(call.reply(&mut world).status, 200);
        call.over(&mut world);
        let mut twin = world.post("/v1/chat/completions", CHAT);
        assert_eq!(twin.is_hit(&mut world), cached, "{reason}");
    }
}

#[test]
fn vectors_are_written_as_they_were_asked_for() {
    let vectors = [vec![1.0, -2.5, f32::NAN], vec![0.1]];
    let encoded = ["AACAPwAAIMAAAAAA", "zczMPQ=="].map(|text| format!("\"{text}\""));
    let numbers = ["[1.0,-2.5,0.0]", "[0.1]"].map(str::to_owned);
    for (asked, written) in [
        ("", numbers.clone()),
        (r#","encoding_format":null"#, numbers.clone()),
        (r#","encoding_format":"float""#, numbers),
        (r#","encoding_format":"base64""#, encoded),
    ] {
        let mut world = World::new(ENGINES);
        let mut call = world.post("/v1/embeddings", &format!(r#"{{"model":"m","input":["a","b"]{asked}}}"#));
        let u = call.called(&mut world);
        for index in [1, 0] {
            call.exchange.delta(u, Item::Embedding { index, vector: vectors[index as usize].clone() });
        }
        call.exchange.delta(u, used(4, 0));
        call.exchange.end(u);
        let reply = call.reply(&mut world);
        let [first, second] = written;
        let wanted = format!(
            r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":{first}}},{{"object":"embedding","index":1,"embedding":{second}}}],"model":"m","usage":{{"prompt_tokens":4,"total_tokens":4}}}}"#
        );
        assert_eq!(String::from_utf8_lossy(&reply.body), wanted, "{asked}");
    }
}

#[test]
fn a_form_of_vectors_that_engines_do_not_have_is_refused() {
    for asked in [r#""ubinary""#, "7", "[]"] {
        let mut world = World::new(ENGINES);
        let body = format!(r#"{{"model":"m","input":"a","encoding_format":{asked}}}"#);
        let mut call = world.post("/v1/embeddings", &body);
        call.called(&mut world);
        let reply = call.reply(&mut world);
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(reply.status, 400, "{body}");
        assert!(body.contains("\"invalid_value\"") && body.contains("\"param\":\"encoding_format\""), "{body}");
    }
    // Of a chat it is an unknown field, which passes.
    let mut world = World::new(ENGINES);
    let mut call = world.post("/v1/chat/completions", &CHAT.replacen('{', r#"{"encoding_format":7,"#, 1));
    let u = call.called(&mut world);
    for item in [text("hello"), finish("stop"), used(1, 1)] {
        call.exchange.delta(u, item);
    }
    call.exchange.end(u);
    assert_eq!(call.reply(&mut world).status, 200);
}

#[test]
fn an_engine_that_leaves_out_a_vector_was_cut_off() {
    for given in [&[0u32][..], &[0, 0], &[0, 2], &[0, 1, 1], &[]] {
        let mut world = World::new(&format!("[retry]\nmax_attempts = 1\n{ENGINES}"));
        let mut call = world.post("/v1/embeddings", r#"{"model":"m","input":["a","b"]}"#);
        let u = call.called(&mut world);
        for &index in given {
            call.exchange.delta(u, Item::Embedding { index, vector: vec![1.0] });
        }
        call.exchange.end(u);
        let reply = call.reply(&mut world);
        assert_eq!((reply.status, reply.error().2.as_str()), (502, "upstream_truncated"), "{given:?}");
    }
}
