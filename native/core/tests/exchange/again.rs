//! What follows a failed attempt: whom, when, and when nobody.

use hoosh_core::exchange::Stage;

use super::world::*;
use super::{ANSWER, CHAT};

const SCOPED: &str = r#"
[auth]
tokens = [{ token = "secret", models = ["one/m"] }]
"#;

/// `name`'s breaker opens: it refuses the gateway's credential.
fn open_breaker(world: &mut World, name: &str) {
    let mut call = world.post("/v1/chat/completions", &CHAT.replace("\"m\"", &format!("\"{name}/m\"")));
    let (u, _) = call.sent(world);
    call.refuse(u, 401, &[]);
    assert_eq!(call.reply(world).status, 502);
    call.over(world);
}

/// `name` asks everybody to wait.
fn throttle(world: &mut World, name: &str, seconds: &str) {
    let mut call = world.post("/v1/chat/completions", &CHAT.replace("\"m\"", &format!("\"{name}/m\"")));
    let (u, _) = call.sent(world);
    call.refuse(u, 429, &[("retry-after", seconds)]);
    call.pump(world);
}

#[test]
fn a_long_retry_after_is_told_at_once_where_nobody_else_can_be_asked() {
    let long = |config: &str, seconds: &str, key: Option<&'static str>, open: Option<&str>| {
        let mut world = World::new(config);
        world.key = key;
        open.into_iter().for_each(|name| open_breaker(&mut world, name));
        let mut call = world.post("/v1/chat/completions", CHAT);
        let (u, _) = call.sent(&mut world);
        let before = world.now_us();
        call.refuse(u, 429, &[("retry-after", seconds)]);
        let reply = call.reply(&mut world);
        let (status, after, code) = reply.error();
        assert_eq!((status, after, code.as_str()), (429, Some(seconds), "upstream_rate_limited"));
        assert_eq!(world.now_us(), before, "it waited");
        call.over(&mut world);
        assert_eq!(world.rows().last().unwrap().attempts, 1);
    };
    long(ONE, "120", None, None);
    long(TWO, "120", None, Some("two"));
    long(&format!("{SCOPED}{TWO}"), "120", Some("secret"), None);
    long(&format!("[deadlines]\ntotal_secs = 10\n{ONE}"), "30", None, None);
}

#[test]
fn a_throttled_lone_upstream_is_asked_three_times_when_its_bench_is_over() {
    let mut world = World::new(ONE);
    let mut call = world.post("/v1/chat/completions", CHAT);
    let mut asked_us = Vec::new();
    for _ in 0..3 {
        let (u, _) = call.sent(&mut world);
        asked_us.push(world.now_us());
        call.refuse(u, 429, &[]);
    }
    assert_eq!(call.reply(&mut world).error().2, "upstream_rate_limited");
    call.over(&mut world);
    let pauses: Vec<u64> = asked_us.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses, [1_000_000, 1_000_000], "a 429 without a time benches for a second");
}

#[test]
fn a_retry_after_within_the_deadline_is_waited_for() {
    for (status, header, pause_us) in
        [(429, ("retry-after", "2"), 2_000_000), (503, ("retry-after-ms", "1500"), 1_500_000)]
    {
        let mut world = World::new(ONE);
        let mut call = world.post("/v1/chat/completions", CHAT);
        let (u, _) = call.sent(&mut world);
        let before = world.now_us();
        call.refuse(u, status, &[header]);
        let (u, _) = call.sent(&mut world);
        assert_eq!(world.now_us() - before, pause_us);
        call.answer(u, 200, "application/json", ANSWER);
        assert_eq!(call.reply(&mut world).status, 200);
        call.over(&mut world);
    }
}

#[test]
fn who_asked_for_time_is_given_it_while_the_other_is_asked_again() {
    let mut world = World::new(TWO);
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, _) = call.sent(&mut world);
    let before = world.now_us();
    call.refuse(u, 503, &[("retry-after", "30")]);
    let (u, second) = call.sent(&mut world);
    call.refuse(u, 500, &[]);
    let (u, third) = call.sent(&mut world);
    assert_eq!(third.origin, second.origin);
    assert!(world.now_us() - before <= 250_000, "a back-off and no more");
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
}

#[test]
fn nobody_waits_for_an_open_breaker() {
    let mut world = World::new(TWO);
    open_breaker(&mut world, "two");
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, _) = call.sent(&mut world);
    let before = world.now_us();
    call.refuse(u, 429, &[("retry-after", "20")]);
    // The breaker would let a probe through after 10 s; what is waited for is the provider that named a time.
    let (_, request) = call.sent(&mut world);
    assert_eq!((world.now_us() - before, request.origin.port), (20_000_000, 1));
}

#[test]
fn when_everybody_is_throttled_the_caller_is_told_so() {
    let mut world = World::new(TWO);
    throttle(&mut world, "one", "120");
    throttle(&mut world, "two", "90");
    let mut call = world.post("/v1/chat/completions", CHAT);
    let reply = call.reply(&mut world);
    assert_eq!(reply.error(), (429, Some("90"), "upstream_rate_limited".to_string()));
    call.over(&mut world);
}

#[test]
fn when_everybody_failed_the_caller_is_told_so() {
    let mut world = World::new(ONE);
    open_breaker(&mut world, "one");
    let mut call = world.post("/v1/chat/completions", CHAT);
    let reply = call.reply(&mut world);
    assert_eq!(reply.error(), (503, Some("10"), "upstream_unavailable".to_string()));
    call.over(&mut world);
}

#[test]
fn a_retry_that_the_budget_refuses_tells_why_it_was_tried() {
    let mut world = World::new(&GUARDED.replace("300", "100"));
    world.key = Some("secret");
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, _) = call.sent(&mut world);
    // It took the request and broke off: the input is charged, and what is left is too little for another.
    call.exchange.failed(u, Stage::Head, false);
    assert_eq!(call.reply(&mut world).error().2, "upstream_error");
    call.over(&mut world);
    let (_, state) = world.gateway.budgets().remove(0);
    assert!(state.used > 50 && state.reserved == 0, "{state:?}");
}

#[test]
fn a_stale_connection_is_followed_by_the_same_provider_after_a_queue_too() {
    let one = TWO.replacen("priority = 1", "priority = 1\nmax_concurrency = 1", 1);
    let mut world = World::new(&one);
    throttle(&mut world, "two", "1");
    let mut first = world.post("/v1/chat/completions", CHAT);
    let (u, _) = first.sent(&mut world);
    let mut second = world.post("/v1/chat/completions", CHAT);
    assert!(!second.pump(&mut world), "there is one place");
    world.pass_seconds(2);
    first.answer(u, 200, "application/json", ANSWER);
    assert_eq!(first.reply(&mut world).status, 200);
    first.over(&mut world);
    let (u, request) = second.sent(&mut world);
    second.exchange.failed(u, Stage::Head, true);
    let (_, again) = second.sent(&mut world);
    assert_eq!((request.origin.port, again.origin.port), (1, 1));
}
