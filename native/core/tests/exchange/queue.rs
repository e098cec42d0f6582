//! Who waits for a place at a busy provider.

use super::world::*;
use super::{ANSWER, CHAT};

const BOUNDED: &str = r#"
[[providers]]
name = "one"
type = "openai_compatible"
base_url = "http://127.0.0.1:1/v1"
models = ["m"]
priority = 1
max_concurrency = 1
"#;

const TWO_MORE: &str = r#"
[[providers]]
name = "two"
type = "openai_compatible"
base_url = "http://127.0.0.1:2/v1"
models = ["m"]
priority = 2
"#;

#[test]
fn whoever_waits_at_a_provider_whose_breaker_opens_is_told_the_truth() {
    let mut world = World::new(BOUNDED);
    let mut first = world.post("/v1/chat/completions", CHAT);
    let (u, _) = first.sent(&mut world);
    let mut second = world.post("/v1/chat/completions", CHAT);
    assert!(!second.pump(&mut world));
    first.refuse(u, 401, &[]);
    assert_eq!(first.reply(&mut world).status, 502);
    first.over(&mut world);
    assert_eq!(second.reply(&mut world).error(), (503, Some("10"), "upstream_unavailable".to_string()));
    second.over(&mut world);
}

#[test]
fn whoever_waits_at_a_provider_whose_breaker_opens_goes_to_another() {
    let mut world = World::new(&format!("{BOUNDED}{TWO_MORE}"));
    let mut busy = world.post("/v1/chat/completions", &CHAT.replace("\"m\"", "\"two/m\""));
    let (u, _) = busy.sent(&mut world);
    busy.refuse(u, 429, &[("retry-after", "1")]);
    busy.pump(&mut world);
    drop(busy);
    let mut first = world.post("/v1/chat/completions", CHAT);
    let (u, _) = first.sent(&mut world);
    let mut second = world.post("/v1/chat/completions", CHAT);
    assert!(!second.pump(&mut world));
    world.pass_seconds(2);
    first.refuse(u, 401, &[]);
    let (_, request) = first.sent(&mut world);
    assert_eq!(request.origin.port, 2);
    let (u, request) = second.sent(&mut world);
    assert_eq!(request.origin.port, 2);
    second.answer(u, 200, "application/json", ANSWER);
    assert_eq!(second.reply(&mut world).status, 200);
    second.over(&mut world);
}

#[test]
fn a_place_in_the_queue_is_no_way_around_the_rate() {
    let mut world = World::new(&format!("{BOUNDED}rate_limit_rpm = 2\n"));
    let mut calls: Vec<Call> = (0..3).map(|_| world.post("/v1/chat/completions", CHAT)).collect();
    let (mut u, _) = calls[0].sent(&mut world);
    assert!(calls[1..].iter_mut().all(|call| !call.pump(&mut world)));
    for at in 0..2 {
        calls[at].answer(u, 200, "application/json", ANSWER);
        assert_eq!(calls[at].reply(&mut world).status, 200);
        calls[at].over(&mut world);
        if at == 0 {
            u = calls[1].sent(&mut world).0;
        }
    }
    let reply = calls[2].reply(&mut world);
    assert_eq!(reply.error(), (429, Some("30"), "rate_limit_exceeded".to_string()));
    calls[2].over(&mut world);
    let mut late = world.post("/v1/chat/completions", CHAT);
    assert_eq!(late.reply(&mut world).error().0, 429, "and none to wait for a place that is of no use");
    late.over(&mut world);
}

#[test]
fn a_wait_for_places_lasts_as_long_as_configured_and_not_once_for_each_provider() {
    let two = TWO_MORE.replace("priority = 2", "priority = 2\nmax_concurrency = 1");
    let mut world = World::new(&format!("[retry]\nmax_attempts = 1\n{BOUNDED}{two}"));
    let mut calls: Vec<Call> = (0..2).map(|_| world.post("/v1/chat/completions", CHAT)).collect();
    let (u, _) = calls[0].sent(&mut world);
    calls[1].sent(&mut world);
    let mut late = world.post("/v1/chat/completions", CHAT);
    let began = world.now_us();
    assert!(!late.pump(&mut world));
    world.pass_seconds(6);
    // Its place comes with an open breaker: it turns to the other queue, with the rest of its ten seconds.
    calls[0].refuse(u, 401, &[]);
    assert_eq!(calls[0].reply(&mut world).status, 502);
    assert_eq!(late.reply(&mut world).error().2, "concurrency_limit_exceeded");
    assert_eq!(world.now_us() - began, 10_000_000);
}
