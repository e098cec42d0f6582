//! What an exchange is charged, what it keeps in memory, and what it leaves to jobs, however it ends.

use hoosh_core::clock::SECOND;
use hoosh_core::exchange::{Stage, Step};
use hoosh_core::ledger::{Ending, UsageSource};

use super::world::*;
use super::{finish, role, word, ANSWER, CHAT, STREAM};

const DONE: &str = "data: [DONE]\n\n";

#[test]
fn what_is_being_counted_is_charged_by_its_bound() {
    let asked = STREAM.replace("true", "true,\"stream_options\":{\"include_usage\":true}");
    // Counted for the books alone, and counted because the caller is owed it.
    for body in [STREAM, &asked] {
        let mut world = World::new(ONE);
        let mut call = world.post("/v1/chat/completions", body);
        let (u, _) = call.sent(&mut world);
        call.answer(u, 200, "text/event-stream", &(role() + &word("hello") + &finish() + DONE));
        assert!(call.until(&mut world, |step| matches!(step, Step::Work { .. })));
        drop(call);
        let row = world.rows().remove(0);
        assert_eq!(row.usage.source, UsageSource::Bound);
        assert_eq!((row.usage.output_tokens, row.usage.input_tokens > 5), (5, true), "a byte is at least its tokens");
    }
}

#[test]
fn a_caller_that_leaves_while_it_is_owed_a_count_is_charged_it() {
    let mut world = World::new(ONE);
    let body = STREAM.replace("true", "true,\"stream_options\":{\"include_usage\":true}");
    let mut call = world.post("/v1/chat/completions", &body);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "text/event-stream", &(word("hello") + &finish() + DONE));
    let mut counted = None;
    while counted.is_none() {
        if let Step::Work { job } = call.step_by_hand(&world) {
            counted = Some(job.run());
        }
    }
    call.exchange.caller_gone();
    call.waits(&mut world);
    call.exchange.worked(counted.expect("a count"));
    call.over(&mut world);
    let row = world.rows().remove(0);
    assert_eq!((row.ending, row.usage.source), (Ending::CallerGone, UsageSource::Counted));
    assert_eq!(row.usage.output_tokens, 1);
}

#[test]
fn a_stale_connection_says_nothing_about_the_upstream() {
    let mut world = World::new(ONE);
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 500, "application/json", "{}");
    let (u, _) = call.sent(&mut world);
    assert_eq!(world.gateway.health()[0].1.failures, 1);
    call.exchange.failed(u, Stage::Head, true);
    let (u, _) = call.sent(&mut world);
    assert_eq!(world.gateway.health()[0].1.failures, 1, "neither a failure nor a success");
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    assert_eq!(world.rows()[0].usage.total(), 9, "what was never worked on is charged nothing");
}

#[test]
fn an_upstream_that_closes_after_a_while_may_have_worked() {
    let mut world = World::new(TWO);
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, _) = call.sent(&mut world);
    call.waits(&mut world);
    world.pass(2 * SECOND);
    call.exchange.failed(u, Stage::Head, true);
    let (u, _) = call.sent(&mut world);
    assert_eq!(world.gateway.health()[0].1.failures, 1);
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    assert!(world.rows()[0].usage.total() > 9, "its input is charged too");
}

#[test]
fn what_a_stream_keeps_is_counted_and_given_back() {
    let mut world = World::new(CACHED);
    let mut call = world.post("/v1/chat/completions", STREAM);
    let (u, _) = call.sent(&mut world);
    call.waits(&mut world);
    let before = world.gateway.buffered_bytes();
    // Half an event, held by the framer.
    call.partial(u, 200, "text/event-stream", &format!(": {}", "x".repeat(30_000)));
    call.waits(&mut world);
    let held = world.gateway.buffered_bytes();
    assert!(held >= before + 28_000, "{held}");
    // Now it is held for the caller, before its stream begins.
    call.exchange.data(u, "\n\n".into());
    call.waits(&mut world);
    assert!(world.gateway.buffered_bytes() >= before + 28_000);
    // Words are kept twice: for counting, and for the cache. The caller takes all.
    call.exchange.data(u, word(&"y".repeat(30_000)).into());
    call.take_all(&mut world);
    let kept = world.gateway.buffered_bytes();
    assert!(kept >= before + 80_000, "{kept}");
    call.exchange.data(u, (finish() + DONE).into());
    call.exchange.end(u);
    call.take_all(&mut world);
    call.over(&mut world);
    drop(call);
    assert_eq!(world.gateway.buffered_bytes(), 0);
}

#[test]
fn a_large_answer_is_read_by_a_job() {
    let mut world = World::new(ONE);
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, _) = call.sent(&mut world);
    let large = ANSWER.replace("hello", &"h".repeat(70_000));
    call.answer(u, 200, "application/json", &large);
    assert!(matches!(call.first_of(&mut world, &["Work", "Reply"]), Step::Work { .. }));
}

#[test]
fn an_answer_too_large_for_the_cache_is_not_copied_for_it() {
    let mut world = World::new(CACHED);
    let large = ANSWER.replace("hello", &"h".repeat(5 << 20));
    for _ in 0..2 {
        let mut call = world.post("/v1/chat/completions", CHAT);
        let (u, _) = call.sent(&mut world);
        call.answer(u, 200, "application/json", &large);
        assert_eq!(call.reply(&mut world).body.len(), large.len());
        call.over(&mut world);
    }
}

#[test]
fn a_sum_is_as_sure_as_its_weakest_part() {
    let mut world = World::new(TWO);
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, _) = call.sent(&mut world);
    call.exchange.failed(u, Stage::Head, false);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    assert_eq!(world.rows().remove(0).usage.source, UsageSource::Bound);
}

#[test]
fn whatever_an_answer_says_is_counted_where_nobody_reports_it() {
    let said = "why is the sky blue ".repeat(50);
    let output = |body: &str, kind: &str, answer: &str| {
        let mut world = World::new(ONE);
        let mut call = world.post("/v1/chat/completions", body);
        let (u, _) = call.sent(&mut world);
        call.answer(u, 200, kind, answer);
        if body == STREAM {
            call.stream(&mut world);
        } else {
            call.reply(&mut world);
        }
        call.over(&mut world);
        world.rows().remove(0).usage.output_tokens
    };
    for member in [
        format!(r#""content":"{said}""#),
        format!(r#""content":[{{"type":"text","text":"{said}"}}]"#),
        format!(r#""content":null,"reasoning":"{said}""#),
        format!(r#""content":null,"function_call":{{"name":"f","arguments":"{said}"}}"#),
        format!(r#""content":null,"tool_calls":[{{"function":{{"name":"f","arguments":"{said}"}}}}]"#),
    ] {
        let whole = format!(r#"{{"choices":[{{"message":{{"role":"assistant",{member}}},"finish_reason":"stop"}}]}}"#);
        assert!(output(CHAT, "application/json", &whole) >= 250, "{member}");
        let delta = super::event(&format!(r#"{{"choices":[{{"index":0,"delta":{{{member}}}}}]}}"#));
        assert!(output(STREAM, "text/event-stream", &(delta + &finish() + DONE)) >= 250, "{member}");
    }
}

/// Tokens that a whole answer of these choices is charged, with this usage.
fn charged(choices: &[&str], usage: &str) -> (u64, u64, UsageSource) {
    let mut world = World::new(ONE);
    let mut call = world.post("/v1/chat/completions", &CHAT.replacen('{', &format!("{{\"n\":{},", choices.len()), 1));
    let (u, _) = call.sent(&mut world);
    let choice = |text: &&str| format!(r#"{{"message":{{"content":"{text}"}},"finish_reason":"stop"}}"#);
    let choices: Vec<String> = choices.iter().map(choice).collect();
    call.answer(u, 200, "application/json", &format!(r#"{{"choices":[{}]{usage}}}"#, choices.join(",")));
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    let usage = world.rows().remove(0).usage;
    (usage.input_tokens, usage.output_tokens, usage.source)
}

#[test]
fn usage_that_cannot_be_is_counted_instead() {
    let said = "why is the sky blue ".repeat(20);
    let counted = charged(&[&said], "");
    assert!(counted.0 > 3 && counted.1 > 90 && counted.2 == UsageSource::Counted);
    for usage in [
        r#"{"prompt_tokens":9}"#,
        r#"{"completion_tokens":9}"#,
        r#"{"prompt_tokens":9,"completion_tokens":-5}"#,
        r#"{"prompt_tokens":9,"completion_tokens":10000000000000}"#,
        r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#,
    ] {
        assert_eq!(charged(&[&said], &format!(r#","usage":{usage}"#)), counted, "{usage}");
    }
    let nothing = charged(&[""], r#","usage":{"prompt_tokens":9,"completion_tokens":0}"#);
    assert_eq!(nothing, (9, 0, UsageSource::Reported), "no words, no cost");
}

#[test]
fn each_choice_is_counted_by_itself() {
    let (one, ten) = (charged(&["a"], "").1, charged(&["a"; 10], "").1);
    assert_eq!(ten, 10 * one);
    let mut world = World::new(ONE);
    let mut call = world.post("/v1/chat/completions", STREAM);
    let (u, _) = call.sent(&mut world);
    let part = |index: u32| super::event(&format!(r#"{{"choices":[{{"index":{index},"delta":{{"content":"a"}}}}]}}"#));
    let parts: String = (0..10).map(part).collect();
    call.answer(u, 200, "text/event-stream", &(parts + DONE));
    call.stream(&mut world);
    call.over(&mut world);
    assert_eq!(world.rows().remove(0).usage.output_tokens, 10 * one);
}

#[test]
fn the_body_of_an_error_is_not_read_for_ever() {
    let mut world = World::new(ONE);
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, _) = call.sent(&mut world);
    call.partial(u, 400, "application/json", &"x".repeat(60_000));
    let mut given = 0;
    while !call.until(&mut world, |step| matches!(step, Step::Abort { .. })) {
        call.exchange.data(u, vec![b'x'; 32 << 10].into());
        given += 32 << 10;
        assert!(given < 4 << 20, "still read");
    }
    assert_eq!(call.reply(&mut world).status, 400);
}
