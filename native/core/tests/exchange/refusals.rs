//! Engines that refuse, in HTTP's words: one table judges them and upstreams over HTTP.

use bytes::Bytes;
use hoosh_core::dialects::neutral::Item;
use hoosh_core::engine::Refusal;
use hoosh_core::exchange::Step;

use super::world::*;
use super::{CHAT, STREAM};

fn refusal(status: u16, code: &'static str, message: &str, after: Option<u32>) -> Refusal {
    Refusal { status, code, message: message.into(), retry_after_secs: after }
}

fn refuse(call: &mut Call, u: u32, refusal: &Refusal) {
    call.exchange.head(u, refusal.status, &refusal.headers());
    call.exchange.data(u, refusal.body());
    call.exchange.end(u);
}

fn provider(call: &mut Call, world: &mut World) -> String {
    match call.first_of(world, &["Call", "Reply"]) {
        Step::Call { u, engine, .. } => {
            call.exchange.connected(u);
            engine.to_string()
        }
        other => panic!("nobody was called: {other:?}"),
    }
}

#[test]
fn what_is_the_requests_fault_is_told_in_the_engines_words() {
    for body in [CHAT, STREAM] {
        for (status, code) in [(400, "unsupported_schema"), (413, "context_length_exceeded"), (404, "no_such_model")] {
            let mut world = World::new(ENGINES);
            let mut call = world.post("/v1/chat/completions", body);
            let u = call.called(&mut world);
            refuse(&mut call, u, &refusal(status, code, "A \"long\" reason.", None));
            let reply = call.reply(&mut world);
            assert_eq!(reply.error(), (status, None, code.to_string()));
            let said =
                r#"{"error":{"message":"A \"long\" reason.","type":"invalid_request_error","param":null,"code":""#;
            assert!(reply.body.starts_with(said.as_bytes()), "{:?}", reply.body);
            call.over(&mut world);
            let row = world.rows().remove(0);
            assert_eq!((row.attempts, row.usage.total()), (1, 0), "asked of no other, and free");
        }
    }
}

#[test]
fn a_full_engine_is_left_alone_for_as_long_as_it_says() {
    let mut world = World::new(ENGINES);
    let mut call = world.post("/v1/chat/completions", CHAT);
    assert_eq!(provider(&mut call, &mut world), "first");
    refuse(&mut call, 0, &refusal(429, "engine_full", "Eight answers are under way.", Some(20)));
    assert_eq!(provider(&mut call, &mut world), "second", "another is asked at once");
    let mut twin = world.post("/v1/chat/completions", CHAT);
    assert_eq!(provider(&mut twin, &mut world), "second", "others are spared the question");
    world.pass_seconds(20);
    let mut later = world.post("/v1/chat/completions", CHAT);
    assert_eq!(provider(&mut later, &mut world), "first");
}

#[test]
fn where_all_are_full_the_caller_is_told_when_to_come_again() {
    for (status, wanted) in [(429, (429, "upstream_rate_limited")), (503, (502, "upstream_error"))] {
        let mut world = World::new(&format!("[retry]\nmax_attempts = 2\n{ENGINES}"));
        let mut call = world.post("/v1/chat/completions", STREAM);
        for _ in 0..2 {
            let u = call.called(&mut world);
            refuse(&mut call, u, &refusal(status, "engine_full", "Full.", Some(90)));
        }
        let reply = call.reply(&mut world);
        let (status, after, code) = reply.error();
        assert_eq!((status, code.as_str(), after), (wanted.0, wanted.1, Some("90")));
        call.over(&mut world);
        assert_eq!(world.rows()[0].usage.total(), 0, "a status is never billed");
    }
}

#[test]
fn an_engine_that_goes_on_failing_is_benched_by_its_breaker() {
    let mut world = World::new(&format!("[retry]\nbudget_percent = 100\n{ENGINES}"));
    let mut last = String::new();
    for _ in 0..20 {
        let mut call = world.post("/v1/chat/completions", CHAT);
        last = provider(&mut call, &mut world);
        if last == "second" {
            break;
        }
        refuse(&mut call, 0, &refusal(500, "engine_broken", "No weights.", None));
        assert_eq!(provider(&mut call, &mut world), "second");
    }
    assert_eq!(last, "second", "the first is not asked any more");
}

#[test]
fn a_status_that_is_no_refusal_is_no_answer_of_an_engine() {
    let words = |text: &str| Item::Text { choice: 0, text: text.into(), logprobs: Vec::new() };
    for (said, status) in [(None, 200), (None, 302), (Some("a"), 400), (Some(""), 503)] {
        let mut world = World::new(&format!("[retry]\nmax_attempts = 1\n{ENGINES}"));
        let mut call = world.post("/v1/chat/completions", CHAT);
        let u = call.called(&mut world);
        said.into_iter().for_each(|text| call.exchange.delta(u, words(text)));
        refuse(&mut call, u, &refusal(status, "odd", "Odd.", None));
        assert_eq!(call.reply(&mut world).error().2, "upstream_malformed", "{said:?} {status}");
    }
}

#[test]
fn a_refusal_may_come_before_the_engine_stands_and_is_said_once() {
    let mut world = World::new(ENGINES);
    let mut call = world.post("/v1/chat/completions", CHAT);
    let Step::Call { u, .. } = call.step(&mut world) else { panic!("not called") };
    let no = refusal(400, "first_word", "No.", None);
    call.exchange.head(u, 400, &no.headers());
    call.exchange.connected(u);
    call.exchange.head(u, 503, &no.headers());
    call.exchange.delta(u, Item::Finish { choice: 0, reason: "stop".into() });
    call.exchange.data(u, no.body());
    call.exchange.end(u);
    assert_eq!(call.reply(&mut world).error(), (400, None, "first_word".into()));
}

#[test]
fn a_refusal_whose_words_do_not_come_is_a_timeout() {
    let mut world = World::new(&format!("[retry]\nmax_attempts = 1\n{ENGINES}"));
    let mut call = world.post("/v1/chat/completions", CHAT);
    let u = call.called(&mut world);
    call.exchange.head(u, 400, &vec![("content-type", "application/json")]);
    call.exchange.data(u, Bytes::from_static(b"{\"error\":"));
    assert_eq!(call.reply(&mut world).error(), (504, None, "upstream_timeout".into()));
}
