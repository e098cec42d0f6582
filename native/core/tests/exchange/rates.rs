//! Requests and tokens a minute, the cap of the output, and what callers are told of them.

use super::world::*;
use super::{ANSWER, CHAT};

const KEY: &str = r#"
[[auth.tokens]]
token = "secret"
"#;

fn keyed(limits: &str, rest: &str) -> World {
    let mut world = World::new(&format!("{KEY}{limits}\n{ONE}{rest}"));
    world.key = Some("secret");
    world
}

/// A chat of 78 bytes, so that it is bound by 86 tokens of input, and so many of output.
fn chat(cap: u64) -> String {
    CHAT.replacen('{', &format!("{{\"max_tokens\":{cap:02},"), 1)
}

#[test]
fn tokens_are_taken_at_their_bound_and_corrected_by_what_was_used() {
    let mut world = keyed("rate_limit_tpm = 1_000", "");
    let body = chat(50);
    let bound = body.len() as u64 + 8 + 50;
    let mut call = world.post("/v1/chat/completions", &body);
    let (u, request) = call.sent(&mut world);
    assert_eq!(request.body.bytes(), body.as_bytes(), "nothing is sent for a rate's sake");
    let mut other = world.post("/v1/chat/completions", "{}");
    let left = |reply: &Reply| reply.header("x-ratelimit-remaining-tokens").unwrap().parse::<u64>().unwrap();
    assert_eq!(left(&other.reply(&mut world)), 1_000 - bound);
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    let mut other = world.post("/v1/chat/completions", "{}");
    assert_eq!(left(&other.reply(&mut world)), 1_000 - 9, "it used nine");
}

#[test]
fn whoever_used_the_tokens_of_a_minute_is_told_when_there_are_enough_again() {
    let mut world = keyed("rate_limit_tpm = 600", "");
    let body = chat(99);
    let bound = body.len() as u64 + 8 + 99;
    let calls: Vec<Call> = (0..2)
        .map(|_| {
            let mut call = world.post("/v1/chat/completions", &body);
            call.sent(&mut world);
            call
        })
        .collect();
    let mut third = world.post("/v1/chat/completions", &chat(99).replace("99", "499"));
    let reply = third.reply(&mut world);
    let more = bound + 400 + 1 - (600 - 2 * bound);
    let wait_ms = more * 100;
    assert_eq!(reply.error(), (429, Some(&*wait_ms.div_ceil(1_000).to_string()), "rate_limit_exceeded".into()));
    assert_eq!(reply.header("retry-after-ms"), Some(&*wait_ms.to_string()));
    assert_eq!(world.metric("hoosh_limited_total{limit=\"key_tokens\"}"), "1");
    drop(calls);
}

#[test]
fn what_is_more_than_a_minutes_tokens_is_refused_in_such_words_and_never_waits() {
    let table = [
        ("rate_limit_tpm = 100", "", "key_tokens"),
        ("[limits]\nrate_limit_tpm = 100", "", "gateway_tokens"),
        ("", "rate_limit_tpm = 100", "provider_tokens"),
    ];
    for (limits, provider, limit) in table {
        let mut world = keyed(limits, provider);
        let before = world.now_us();
        let reply = world.post("/v1/chat/completions", &chat(99)).reply(&mut world);
        assert_eq!(reply.error(), (413, None, "request_exceeds_rate_limit".into()), "{limit}");
        assert_eq!(reply.header("x-should-retry"), Some("false"));
        let words = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(words.contains("rate_limit_tpm") && words.contains("whole minute"), "{words}");
        assert_eq!(world.now_us(), before);
        assert_eq!(world.metric(&format!("hoosh_limited_total{{limit=\"{limit}\"}}")), "1");
    }
}

#[test]
fn an_input_whose_bytes_are_too_many_is_counted_before_it_is_refused() {
    let mut world = World::new(&format!("{KEY}rate_limit_tpm = 400\n{}", ONE.replace("\"m\"", "\"gpt-4o\"")));
    world.key = Some("secret");
    let body = CHAT.replace("\"m\"", "\"gpt-4o\"").replace("hi", &"hello ".repeat(100));
    let mut call = world.post("/v1/chat/completions", &body.replacen('{', "{\"max_tokens\":50,", 1));
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).status, 200);
}

#[test]
fn a_providers_tokens_send_the_request_to_another() {
    let limited = TWO.replacen("priority = 1", "priority = 1\nrate_limit_tpm = 200", 1);
    let mut world = World::new(&limited);
    let mut ports = Vec::new();
    let mut calls = Vec::new();
    for _ in 0..2 {
        let mut call = world.post("/v1/chat/completions", &chat(50));
        let (u, request) = call.sent(&mut world);
        ports.push(request.origin.port);
        calls.push((call, u));
    }
    assert_eq!(ports, [1, 2], "the first has not enough left for a second one");
    let (first, u) = &mut calls[0];
    first.answer(*u, 200, "application/json", ANSWER);
    assert_eq!(first.reply(&mut world).status, 200);
    first.over(&mut world);
    let mut call = world.post("/v1/chat/completions", &chat(50));
    assert_eq!(call.sent(&mut world).1.origin.port, 1, "what was not used came back");
}

#[test]
fn a_refused_attempt_gives_its_providers_tokens_back() {
    let mut world = World::new(&format!("[retry]\nmax_attempts = 1\n{ONE}rate_limit_tpm = 200\n"));
    for _ in 0..4 {
        let mut call = world.post("/v1/chat/completions", &chat(50));
        let (u, _) = call.sent(&mut world);
        call.refuse(u, 422, &[]);
        assert_eq!(call.reply(&mut world).status, 422);
        call.over(&mut world);
    }
}

#[test]
fn what_a_later_limit_refuses_costs_nothing_of_an_earlier_one() {
    let mut world = keyed("rate_limit_rpm = 1\n[limits]\nrate_limit_rpm = 3", "");
    for expected in [200, 429, 429, 429] {
        assert_eq!(world.chat(CHAT, ANSWER).status, expected);
    }
    world.reload(&format!("{KEY}[limits]\nrate_limit_rpm = 3\n{ONE}"));
    assert_eq!([(); 2].map(|()| world.chat(CHAT, ANSWER).status), [200, 200]);
    assert_eq!(world.chat(CHAT, ANSWER).error(), (429, Some("20"), "rate_limit_exceeded".into()));
    assert_eq!(world.metric("hoosh_limited_total{limit=\"gateway_rate\"}"), "1");
}

#[test]
fn slices_take_their_parents_tokens_once_and_give_back_what_none_of_them_used() {
    let mut world = keyed("rate_limit_tpm = 1_000\n[limits]\nmax_inputs = 1", "");
    let mut call = world.post("/v1/embeddings", r#"{"model":"m","input":["a","b"]}"#);
    let mut children = call.children(&mut world);
    for (c, child) in &mut children {
        let (u, _) = child.sent(&mut world);
        let answer = r#"{"data":[{"index":0,"embedding":[1]}],"usage":{"prompt_tokens":3,"total_tokens":3}}"#;
        child.answer(u, 200, "application/json", answer);
        let reply = child.reply(&mut world);
        child.over(&mut world);
        call.exchange.child(*c, hoosh_core::exchange::ChildAnswer { status: reply.status, body: reply.body });
    }
    drop(children);
    let reply = call.reply(&mut world);
    assert_eq!(reply.status, 200);
    call.over(&mut world);
    drop(call);
    let reply = world.post("/v1/chat/completions", "{}").reply(&mut world);
    assert_eq!(reply.header("x-ratelimit-remaining-tokens"), Some("994"));
}

#[test]
fn a_key_is_told_how_its_limits_stand_on_every_inference_answer() {
    let mut world = keyed("rate_limit_rpm = 60\nrate_limit_tpm = 6_000", "");
    let reply = world.chat(CHAT, ANSWER);
    let told = |reply: &Reply, name: &str| reply.header(&format!("x-ratelimit-{name}")).map(str::to_owned);
    assert_eq!(told(&reply, "limit-requests").as_deref(), Some("60"));
    assert_eq!(told(&reply, "remaining-requests").as_deref(), Some("59"));
    assert_eq!(told(&reply, "reset-requests").as_deref(), Some("1s"));
    assert_eq!(told(&reply, "limit-tokens").as_deref(), Some("6000"));
    assert!(told(&reply, "reset-tokens").is_some());
    assert_eq!(told(&world.get("/v1/models"), "limit-requests"), None);
    let mut world = keyed("", "rate_limit_rpm = 5\n");
    assert_eq!(told(&world.chat(CHAT, ANSWER), "limit-requests"), None, "the provider's are nobody's business");
}

#[test]
fn a_limit_of_tokens_is_sent_as_the_cap_and_told() {
    let table = [
        ("max_tokens_limit = 20", "", CHAT.to_string(), "\"max_tokens\":20", Some("20")),
        ("max_tokens_limit = 20", "", chat(50), "\"max_tokens\":20", Some("20")),
        ("max_tokens_limit = 20", "", chat(10), "\"max_tokens\":10", None),
        ("", "max_tokens_limit = 30", chat(50), "\"max_tokens\":30", Some("30")),
        ("max_tokens_limit = 40", "max_tokens_limit = 30", CHAT.to_string(), "\"max_tokens\":30", Some("30")),
    ];
    for (key, provider, body, cap, told) in table {
        let mut world = keyed(key, provider);
        let mut call = world.post("/v1/chat/completions", &body);
        let (u, request) = call.sent(&mut world);
        let sent = String::from_utf8_lossy(request.body.bytes()).into_owned();
        assert!(sent.contains(cap) && sent.matches("max_tokens").count() == 1, "{sent}");
        call.answer(u, 200, "application/json", ANSWER);
        assert_eq!(call.reply(&mut world).header("x-hoosh-max-tokens"), told, "{key} {provider} {body}");
        call.over(&mut world);
    }
    let mut world = keyed("max_tokens_limit = 20", "");
    let mut call = world.post("/v1/embeddings", r#"{"model":"m","input":"a"}"#);
    let (_, request) = call.sent(&mut world);
    assert!(!String::from_utf8_lossy(request.body.bytes()).contains("max_tokens"));
}

#[test]
fn the_lowest_of_budget_and_limits_is_what_is_sent() {
    let budget = "[[budgets]]\nname = \"default\"\ncapacity = 10_000\n";
    let mut world = keyed(&format!("max_tokens_limit = 25\n{budget}"), "");
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (_, request) = call.sent(&mut world);
    assert!(String::from_utf8_lossy(request.body.bytes()).contains("\"max_tokens\":25"));
    let (_, state) = world.gateway.budgets().remove(0);
    assert_eq!(state.reserved, CHAT.len() as u64 + 8 + 25, "no more is reserved than may be used");
}

#[test]
fn held_bodies_and_answers_shed_new_work_until_they_are_gone() {
    let server = "[server]\nmax_body_bytes = 100_000\nmax_buffered_bytes = 100_000\n[limits]\nmax_concurrency = 1\n";
    let mut world = World::new(&format!("{server}{ONE}"));
    let long = CHAT.replace("hi", &"x".repeat(60_000));
    let mut asked = world.post("/v1/chat/completions", &long);
    asked.sent(&mut world);
    let mut waiting = world.post("/v1/chat/completions", &long);
    assert!(!waiting.pump(&mut world), "the place is taken");
    assert!(world.gateway.buffered_bytes() >= 120_000, "whoever waits holds its body");
    let reply = world.post("/v1/chat/completions", CHAT).reply(&mut world);
    assert_eq!(reply.error(), (503, Some("1"), "overloaded".into()));
    assert_eq!(world.metric("hoosh_limited_total{limit=\"buffers\"}"), "1");
    assert_eq!(world.metric("hoosh_limit_waiting{limit=\"gateway_concurrency\"}"), "1");
    drop(waiting);
    let mut third = world.post("/v1/chat/completions", CHAT);
    assert!(!third.pump(&mut world), "it is let in, and waits for the place");
    drop((asked, third));
    assert_eq!(world.gateway.buffered_bytes(), 0);
}

#[test]
fn what_the_cache_gives_and_what_slices_answer_counts_as_held() {
    let mut world = World::new(CACHED);
    let long = ANSWER.replace("hello", &"y".repeat(50_000));
    assert_eq!(world.chat(CHAT, &long).status, 200);
    let mut call = world.post("/v1/chat/completions", CHAT);
    assert!(call.is_hit(&mut world));
    call.pump(&mut world);
    assert!(world.gateway.buffered_bytes() >= 50_000, "a caller that takes nothing of a kept answer");
    drop(call);
    let mut world = World::new(&format!("[limits]\nmax_inputs = 1\n{ONE}"));
    let mut call = world.post("/v1/embeddings", r#"{"model":"m","input":["a","b"]}"#);
    let children = call.children(&mut world);
    let vector = format!(r#"{{"data":[{{"index":0,"embedding":"{}"}}]}}"#, "z".repeat(70_000));
    let answer = hoosh_core::exchange::ChildAnswer { status: 200, body: vector.into() };
    call.exchange.child(0, answer);
    call.pump(&mut world);
    assert!(world.gateway.buffered_bytes() >= 70_000, "the parent holds it until all are there");
    drop((children, call));
    assert_eq!(world.gateway.buffered_bytes(), 0);
}
