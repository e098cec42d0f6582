//! `Idempotency-Key`: answered once, said again.

use hoosh_core::exchange::Step;
use hoosh_core::ledger::Ending;

use crate::world::*;
use crate::{finish, role, word, ANSWER, CHAT, STREAM};

fn begin(world: &World, key: &str, body: &str) -> Call {
    world.begin_with("POST", "/v1/chat/completions", Some(body), &[("idempotency-key", key)])
}

/// Answers with this if an upstream is asked; status, body, and whether it was said before.
fn ask(world: &mut World, key: &str, body: &str, status: u16, answer: &str) -> (Reply, bool) {
    let mut call = begin(world, key, body);
    let mut step = call.step(world);
    let asked = matches!(step, Step::Send { .. });
    while let Step::Send { u, .. } = step {
        call.exchange.connected(u);
        call.exchange.sent(u);
        call.answer(u, status, "application/json", answer);
        step = call.step(world);
    }
    let reply = call.take_reply(step);
    let refused = matches!(reply.status, 404 | 422);
    assert_eq!(reply.header("idempotent-replayed") == Some("true"), !asked && !refused);
    call.over(world);
    (reply, asked)
}

#[test]
fn an_answer_is_given_again_and_paid_for_once() {
    let mut world = World::new(ONE);
    let (first, asked) = ask(&mut world, "k", CHAT, 200, ANSWER);
    assert!(asked && first.status == 200);
    let (again, asked) = ask(&mut world, "k", CHAT, 200, "never said");
    assert_eq!((asked, again.status, &again.body), (false, 200, &first.body));
    assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    assert!(ask(&mut world, "another", CHAT, 200, ANSWER).1);
    assert_eq!(world.rows().len(), 2);
    // For a day.
    world.pass_seconds(86_390);
    assert!(!ask(&mut world, "k", CHAT, 200, ANSWER).1);
    world.pass_seconds(20);
    assert!(ask(&mut world, "k", CHAT, 200, ANSWER).1);
}

#[test]
fn a_stream_is_given_again_as_a_stream() {
    let mut world = World::new(ONE);
    let shown = role() + &word("a") + &finish() + "data: [DONE]\n\n";
    let mut call = begin(&world, "k", STREAM);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "text/event-stream", &shown);
    assert_eq!(call.stream(&mut world), shown);
    call.over(&mut world);
    let mut call = begin(&world, "k", STREAM);
    assert_eq!(call.stream(&mut world), shown);
    call.over(&mut world);
    assert_eq!(world.rows().len(), 1);
}

#[test]
fn a_twin_is_told_to_wait_and_another_request_that_it_is_one() {
    let mut world = World::new(ONE);
    let mut first = begin(&world, "k", CHAT);
    let (u, _) = first.sent(&mut world);
    let mut twin = begin(&world, "k", CHAT);
    let reply = twin.reply(&mut world);
    assert_eq!(reply.error(), (409, Some("1"), "idempotency_in_progress".into()));
    let other = CHAT.replace("hi", "ho");
    let mut second = begin(&world, "k", &other);
    let reply = second.reply(&mut world);
    assert_eq!(reply.error(), (422, None, "idempotency_mismatch".into()));
    first.answer(u, 200, "application/json", ANSWER);
    assert_eq!(first.reply(&mut world).status, 200);
    assert_eq!(ask(&mut world, "k", &other, 200, ANSWER).0.status, 422, "nor after it");
    assert_eq!(ask(&mut world, "k", CHAT, 200, "").0.status, 200);
}

#[test]
fn only_what_is_final_is_remembered() {
    let mut world =
        World::new(&format!("[retry]\nmax_attempts = 1\n[limits]\nmax_concurrency = 1\nmax_waiting = 0\n{ONE}"));
    let refusal = r#"{"error":{"message":"too long","type":"t","param":null,"code":"context_length_exceeded"}}"#;
    let (first, _) = ask(&mut world, "refused", CHAT, 400, refusal);
    let (again, asked) = ask(&mut world, "refused", CHAT, 200, ANSWER);
    assert_eq!((asked, again.status, &again.body), (false, 400, &first.body));
    assert_eq!(again.header("x-should-retry"), Some("false"));
    for status in [401, 408, 429, 500, 503] {
        let key = format!("k{status}");
        assert_ne!(ask(&mut world, &key, CHAT, status, "{}").0.status, 200);
        world.pass(120_000_000);
        assert!(ask(&mut world, &key, CHAT, 200, ANSWER).1, "{status} may pass");
        world.pass(120_000_000);
    }
    // Refused before anybody was asked: no result either.
    assert_eq!(ask(&mut world, "wrong", &CHAT.replace("\"m\"", "\"none\""), 200, "").0.status, 404);
    let mut busy = world.post("/v1/chat/completions", CHAT);
    let (u, _) = busy.sent(&mut world);
    let mut full = begin(&world, "full", CHAT);
    assert_eq!(full.reply(&mut world).error().0, 429);
    busy.answer(u, 200, "application/json", ANSWER);
    busy.reply(&mut world);
    busy.over(&mut world);
    assert!(ask(&mut world, "full", CHAT, 200, ANSWER).1);
    // A stream that broke off, and one whose caller left.
    for leaves in [false, true] {
        let mut call = begin(&world, "cut", STREAM);
        let (u, _) = call.sent(&mut world);
        call.partial(u, 200, "text/event-stream", &word("a"));
        call.pump(&mut world);
        match leaves {
            true => call.exchange.caller_gone(),
            false => call.exchange.end(u),
        }
        call.take_all(&mut world);
    }
    let mut call = begin(&world, "cut", STREAM);
    call.sent(&mut world);
    assert!(world.rows().iter().any(|row| row.ending == Ending::Broken));
}

#[test]
fn keys_of_others_and_wrong_ones() {
    let text = format!("[auth]\ntokens = [\"a\", \"b\"]\n{ONE}");
    let mut world = World::new(&text);
    world.key = Some("a");
    assert!(ask(&mut world, "k", CHAT, 200, ANSWER).1);
    world.key = Some("b");
    assert!(ask(&mut world, "k", CHAT, 200, ANSWER).1, "another tenant's key is another key");
    world.reload(&text);
    assert!(!ask(&mut world, "k", CHAT, 200, ANSWER).1, "a reload forgets nothing");
    for key in ["", &"x".repeat(256), "a\u{7f}b", "ä"] {
        let mut call = begin(&world, key, CHAT);
        assert_eq!(call.reply(&mut world).error().2, "invalid_value", "{key}");
    }
    world.reload(&format!("[idempotency]\nttl_secs = 0\n{text}"));
    assert!(ask(&mut world, "k", CHAT, 200, ANSWER).1, "0: the header is not read");
}

#[test]
fn memory_is_bounded() {
    let mut world = World::new(&format!("[idempotency]\nmax_entries = 2\nmax_bytes = 1_000\n{ONE}"));
    for key in ["a", "b", "c"] {
        assert!(ask(&mut world, key, CHAT, 200, ANSWER).1);
    }
    assert!(!ask(&mut world, "b", CHAT, 200, ANSWER).1);
    assert!(!ask(&mut world, "c", CHAT, 200, ANSWER).1);
    assert!(ask(&mut world, "a", CHAT, 200, ANSWER).1, "the oldest went");
    let long = ANSWER.replace("hello", &"x".repeat(1_000));
    assert!(ask(&mut world, "long", CHAT, 200, &long).1);
    assert!(ask(&mut world, "long", CHAT, 200, ANSWER).1, "more than all may take is not kept");
}
