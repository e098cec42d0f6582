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

const IMAGE: &str = r#"{"model":"m","prompt":"a cat"}"#;

/// A request that passes as it is; whether somebody was asked, and what the caller got.
fn pass(world: &mut World, path: &str, body: &str, more: &[(&str, &str)], kind: &str, answer: &str) -> (Reply, bool) {
    let headers = [&[("idempotency-key", "k")], more].concat();
    let mut call = world.begin_with("POST", path, Some(body), &headers);
    let mut step = call.step(world);
    let asked = matches!(step, Step::Send { .. });
    if let Step::Send { u, .. } = step {
        call.exchange.connected(u);
        call.exchange.sent(u);
        call.exchange.head(u, 200, &vec![("content-type", kind), ("content-disposition", "inline"), ("x-own", "7")]);
        call.exchange.data(u, answer.as_bytes().to_vec().into());
        call.exchange.end(u);
        step = call.step(world);
    }
    if let Step::Start { status, headers } = step {
        // As it comes.
        let mut all = Vec::new();
        let body = loop {
            match call.step(world) {
                Step::Emit { bytes } => all.extend_from_slice(&bytes),
                Step::Finish => break all.into(),
                other => panic!("{other:?}"),
            }
        };
        step = Step::Reply { status, headers, body };
    }
    (call.take_reply(step), asked)
}

fn offering() -> World {
    World::new(&format!("[server]\npass_response_headers = [\"x-own\"]\n{ONE}"))
}

#[test]
fn what_passes_as_it_is_is_given_again_as_it_was() {
    for (path, body, kind, answer) in [
        ("/v1/images/generations", IMAGE, "application/json; charset=utf-8", r#"{"data":[{"b64_json":"AAAA"}]}"#),
        ("/v1/moderations", r#"{"input":"x"}"#, "application/json", r#"{"results":[]}"#),
        ("/v2/rerank", r#"{"model":"m","query":"q","documents":["a"]}"#, "application/json", r#"{"results":[]}"#),
        ("/v1/audio/speech", r#"{"model":"m","input":"x","voice":"v"}"#, "audio/mpeg", "ID3 sound"),
    ] {
        let mut world = offering();
        let (first, asked) = pass(&mut world, path, body, &[], kind, answer);
        assert!(asked, "{path}");
        let (again, asked) = pass(&mut world, path, body, &[], kind, "never said");
        assert_eq!((asked, again.status, &again.body), (false, 200, &first.body), "{path}");
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        for name in ["content-type", "content-disposition", "x-hoosh-model", "x-own"] {
            assert_eq!(again.header(name), first.header(name), "{path} {name}");
            assert!(first.header(name).is_some(), "{path} {name}");
        }
        assert_eq!(world.rows().len(), 1);
    }
}

#[test]
fn a_picture_in_the_making_has_one_twin_waiting_and_another_body_is_a_mismatch() {
    let mut world = offering();
    let key = [("idempotency-key", "k")];
    let mut first = world.begin_with("POST", "/v1/images/generations", Some(IMAGE), &key);
    let (u, _) = first.sent(&mut world);
    let (twin, asked) = pass(&mut world, "/v1/images/generations", IMAGE, &[], "", "");
    assert_eq!((asked, twin.error().2), (false, "idempotency_in_progress".into()));
    let cat = IMAGE.replace("cat", "dog");
    assert_eq!(pass(&mut world, "/v1/images/generations", &cat, &[], "", "").0.error().2, "idempotency_mismatch");
    let elsewhere = [("x-hoosh-provider", "one")];
    let (reply, _) = pass(&mut world, "/v1/images/generations", IMAGE, &elsewhere, "", "");
    assert_eq!(reply.error().2, "idempotency_mismatch", "of another provider");
    assert!(pass(&mut world, "/v1/images/edits", IMAGE, &[], "application/json", "{}").1, "another path, another key");
    first.answer(u, 200, "application/json", "{}");
    assert_eq!(first.reply(&mut world).status, 200);
    first.over(&mut world);
    assert!(!pass(&mut world, "/v1/images/generations", IMAGE, &[], "", "").1);
}

#[test]
fn pictures_are_kept_up_to_a_quarter_of_all_and_sound_up_to_4_mib() {
    const MIB: usize = 1 << 20;
    let speech = r#"{"model":"m","input":"x","voice":"v"}"#;
    for (path, body, kind, bytes, kept) in [
        ("/v1/images/generations", IMAGE, "application/json", 15 * MIB, true),
        ("/v1/images/generations", IMAGE, "application/json", 17 * MIB, false),
        ("/v1/audio/speech", speech, "audio/mpeg", 4 * MIB, true),
        ("/v1/audio/speech", speech, "audio/mpeg", 4 * MIB + 1, false),
    ] {
        let mut world = offering();
        let answer = match kind {
            "audio/mpeg" => "x".repeat(bytes),
            _ => format!("{{\"data\":\"{}\"}}", "x".repeat(bytes)),
        };
        let (first, _) = pass(&mut world, path, body, &[], kind, &answer);
        assert_eq!(first.body.len(), answer.len());
        let (again, asked) = pass(&mut world, path, body, &[], kind, &answer);
        assert_eq!((asked, again.body == first.body), (!kept, true), "{path} {bytes}");
        assert_eq!(world.gateway.buffered_bytes(), 0);
    }
}

#[test]
fn a_picture_in_parts_is_given_again_as_a_stream() {
    let mut world = offering();
    let body = IMAGE.replacen('{', "{\"stream\":true,", 1);
    let said = "event: image_generation.completed\ndata: {\"type\":\"image_generation.completed\"}\n\n";
    for asks in [true, false] {
        let key = [("idempotency-key", "k")];
        let mut call = world.begin_with("POST", "/v1/images/generations", Some(&body), &key);
        if asks {
            let (u, _) = call.sent(&mut world);
            call.answer(u, 200, "text/event-stream", said);
        }
        assert_eq!(call.stream(&mut world), said, "{asks}");
        call.over(&mut world);
    }
    assert_eq!(world.rows().len(), 1);
}

#[test]
fn an_upload_is_asked_each_time() {
    let mut world = offering();
    let kind = "multipart/form-data; boundary=b";
    let form = "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b--\r\n";
    for _ in 0..2 {
        let headers = [("content-type", kind), ("idempotency-key", "k")];
        let mut call = world.begin_as("POST", "/v1/images/edits", &headers, Some(form.as_bytes()));
        let (u, _) = call.sent(&mut world);
        call.answer(u, 200, "application/json", "{}");
        assert_eq!(call.reply(&mut world).header("idempotent-replayed"), None);
    }
}

#[test]
fn a_replay_says_who_answered_and_what_the_cache_said() {
    let mut world = World::new(&format!("{CACHED}max_tokens_limit = 5\n"));
    let (first, _) = ask(&mut world, "k", CHAT, 200, ANSWER);
    let (again, asked) = ask(&mut world, "k", CHAT, 200, "never said");
    assert!(!asked);
    for (name, value) in [("x-hoosh-model", "one/m"), ("x-hoosh-cache", "miss"), ("x-hoosh-max-tokens", "5")] {
        assert_eq!((first.header(name), again.header(name)), (Some(value), Some(value)), "{name}");
    }
    assert_eq!(world.metric("hoosh_cache_total{result=\"miss\"}"), "1");
}

#[test]
fn whoever_has_the_answer_may_ask_again_though_it_is_not_counted_yet() {
    let mut world = World::new(ONE);
    let silent = ANSWER.split_once(",\"usage\"").map_or(ANSWER.to_owned(), |(head, _)| format!("{head}}}"));
    let mut first = begin(&world, "k", CHAT);
    let (u, _) = first.sent(&mut world);
    first.answer(u, 200, "application/json", &silent);
    let reply = first.reply(&mut world);
    assert!(matches!(first.exchange.next(world.now), Step::Work { .. }), "its tokens are counted");
    let (again, asked) = ask(&mut world, "k", CHAT, 200, ANSWER);
    assert_eq!((asked, again.status, again.body), (false, 200, reply.body));
}
