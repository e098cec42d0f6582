//! Drives exchanges by hand: every door and step, without a socket.

mod accounts;
mod again;
mod aliases;
mod alive;
mod capabilities;
mod caps;
mod costs;
mod counts;
mod credentials;
mod customs;
mod dialects;
mod echo;
mod engines;
mod explain;
mod fits;
mod foretold;
mod forms;
mod headers;
mod heads;
mod hooked;
mod journal;
mod keeper;
mod lists;
mod logprobs;
mod metering;
mod mounted;
mod ollama;
mod once;
mod origins;
mod parts;
mod passing;
mod patience;
mod probes;
mod queue;
mod rates;
mod recalled;
mod records;
mod refusals;
mod reload;
mod renewals;
mod reports;
mod responses;
mod sharing;
mod standing;
mod streams;
mod tokens;
mod turns;
mod uploads;
mod world;

use hoosh_core::exchange::Step;
use hoosh_core::ledger::{Ending, UsageSource};
use world::*;

const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
const STREAM: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
const ANSWER: &str = r#"{"id":"c1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":1,"total_tokens":9}}"#;

fn event(json: &str) -> String {
    format!("data: {json}\n\n")
}

fn role() -> String {
    event(r#"{"id":"c1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#)
}

fn word(text: &str) -> String {
    event(&format!(r#"{{"id":"c1","choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#))
}

fn finish() -> String {
    event(r#"{"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#)
}

fn usage() -> String {
    event(r#"{"id":"c1","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}"#)
}

#[test]
fn a_chat_passes_unchanged() {
    let mut world = World::new(ONE);
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, request) = call.sent(&mut world);
    assert_eq!(request.body.bytes(), CHAT.as_bytes());
    call.answer(u, 200, "application/json", ANSWER);
    let reply = call.reply(&mut world);
    assert_eq!((reply.status, &reply.body[..]), (200, ANSWER.as_bytes()));
    call.over(&mut world);
    let rows = world.rows();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].ending, rows[0].usage.total(), rows[0].attempts), (Ending::Completed, 9, 1));
}

#[test]
fn a_stream_passes_and_hides_usage_that_nobody_asked_for() {
    let mut world = World::new(ONE);
    let mut call = world.post("/v1/chat/completions", STREAM);
    let (u, request) = call.sent(&mut world);
    assert!(String::from_utf8_lossy(request.body.bytes()).contains(r#""stream_options":{"include_usage":true}"#));
    let shown = role() + &word("a") + &word("b") + &finish();
    call.answer(u, 200, "text/event-stream", &(shown.clone() + &usage() + "data: [DONE]\n\n"));
    let stream = call.stream(&mut world);
    assert_eq!(stream, shown + "data: [DONE]\n\n");
    call.over(&mut world);
    assert_eq!(world.rows()[0].usage.total(), 10);
}

#[test]
fn a_stream_without_its_mark_is_completed_and_flagged() {
    let mut world = World::new(ONE);
    let mut call = world.post("/v1/chat/completions", STREAM);
    let (u, _) = call.sent(&mut world);
    let shown = role() + &word("a") + &finish();
    call.answer(u, 200, "text/event-stream", &shown);
    assert_eq!(call.stream(&mut world), shown + "data: [DONE]\n\n");
    call.over(&mut world);
    let row = &world.rows()[0];
    assert!(row.terminator_added);
    assert_eq!(row.usage.source, UsageSource::Counted);
}

#[test]
fn a_truncated_stream_ends_with_one_error_event() {
    let mut world = World::new(ONE);
    let mut call = world.post("/v1/chat/completions", STREAM);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "text/event-stream", &(role() + &word("a")));
    let stream = call.stream(&mut world);
    assert!(stream.starts_with(&(role() + &word("a"))), "{stream}");
    assert!(stream.ends_with("\"code\":\"upstream_truncated\"}}\n\n"), "{stream}");
    call.over(&mut world);
    assert_eq!(world.rows()[0].ending, Ending::Broken);
}

#[test]
fn a_failed_provider_is_followed_by_the_next() {
    let mut world = World::new(TWO);
    let mut call = world.post("/v1/chat/completions", STREAM);
    let (u, first) = call.sent(&mut world);
    call.answer(u, 500, "application/json", "{}");
    let (u, second) = call.sent(&mut world);
    assert_ne!(first.origin, second.origin);
    let shown = role() + &word("a") + &finish() + "data: [DONE]\n\n";
    call.answer(u, 200, "text/event-stream", &shown);
    assert_eq!(call.stream(&mut world), shown);
    call.over(&mut world);
    assert_eq!(world.rows()[0].attempts, 2);
}

#[test]
fn the_only_provider_is_tried_three_times_with_pauses() {
    let mut world = World::new(ONE);
    let mut call = world.post("/v1/chat/completions", CHAT);
    for _ in 0..3 {
        let (u, _) = call.sent(&mut world);
        call.answer(u, 503, "text/html", "<html>");
    }
    let reply = call.reply(&mut world);
    assert_eq!(reply.status, 502);
    assert_eq!(reply.header("x-should-retry"), Some("false"));
    call.over(&mut world);
    let rows = world.rows();
    assert_eq!((rows[0].attempts, rows[0].error, rows[0].usage.total()), (3, Some("upstream_error"), 0));
}

#[test]
fn a_caller_that_leaves_aborts_its_upstream() {
    let mut world = World::new(ONE);
    let mut call = world.post("/v1/chat/completions", STREAM);
    let (u, _) = call.sent(&mut world);
    call.partial(u, 200, "text/event-stream", &(role() + &word("a")));
    call.pump(&mut world);
    call.exchange.caller_gone();
    let aborted = call.until(&mut world, |step| matches!(step, Step::Abort { .. }));
    assert!(aborted);
    call.over(&mut world);
    assert_eq!(world.rows()[0].ending, Ending::CallerGone);
}

#[test]
fn bad_requests_get_openai_errors() {
    let cases = [
        (r#"{"model""#, 400, "invalid_json", "null"),
        (r#"{"messages":[]}"#, 400, "missing_required_parameter", "\"model\""),
        (r#"{"model":"m","messages":7}"#, 400, "invalid_value", "\"messages\""),
        (r#"{"model":"m","messages":[]}"#, 400, "invalid_value", "\"messages\""),
        (r#"{"model":"m","model":"n","messages":[{"role":"user"}]}"#, 400, "duplicate_parameter", "\"model\""),
        (r#"{"model":"m","temperature":3,"messages":[{"role":"user"}]}"#, 400, "invalid_value", "\"temperature\""),
        (r#"{"model":"other","messages":[{"role":"user"}]}"#, 404, "model_not_found", "\"model\""),
    ];
    for (body, status, code, param) in cases {
        let mut world = World::new(ONE);
        let mut call = world.post("/v1/chat/completions", body);
        let reply = call.reply(&mut world);
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(reply.status, status, "{text}");
        assert!(text.contains(&format!("\"param\":{param},\"code\":\"{code}\"")), "{text}");
        call.over(&mut world);
        assert!(world.rows().is_empty());
    }
}

#[test]
fn keys_budgets_and_rates_hold() {
    let mut world = World::new(GUARDED);
    assert_eq!(world.get("/v1/models").status, 401);
    world.key = Some("secret");
    assert_eq!(world.get("/v1/models").status, 200);
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, request) = call.sent(&mut world);
    assert!(
        String::from_utf8_lossy(request.body.bytes()).contains("\"max_tokens\":"),
        "the cap that was reserved is sent"
    );
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    let (_, state) = world.gateway.budgets().remove(0);
    assert_eq!((state.used, state.reserved), (9, 0));
    let large = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{}"}}]}}"#, "x".repeat(3_000));
    let mut call = world.post("/v1/chat/completions", &large);
    let reply = call.reply(&mut world);
    assert_eq!(reply.status, 429, "{}", String::from_utf8_lossy(&reply.body));
    assert!(String::from_utf8_lossy(&reply.body).contains("budget_exceeded"));
    call.over(&mut world);
}

#[test]
fn an_equal_request_is_answered_from_the_cache() {
    let mut world = World::new(CACHED);
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, _) = call.sent(&mut world);
    let mut twin = world.post("/v1/chat/completions", &CHAT.replace(":", ": "));
    twin.pump(&mut world);
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).header("x-hoosh-cache"), Some("miss"));
    call.over(&mut world);
    let shared = twin.reply(&mut world);
    assert_eq!((shared.header("x-hoosh-cache"), &shared.body[..]), (Some("shared"), ANSWER.as_bytes()));
    twin.over(&mut world);
    let mut call = world.post("/v1/chat/completions", CHAT);
    assert_eq!(call.reply(&mut world).header("x-hoosh-cache"), Some("hit"));
    call.over(&mut world);
    assert_eq!(world.rows().len(), 1);
}

#[test]
fn a_long_list_of_inputs_is_asked_in_slices() {
    let mut world = World::new(&format!("[limits]\nmax_inputs = 2\n{ONE}"));
    let mut call = world.post("/v1/embeddings", r#"{"model":"m","input":["a","b","c"]}"#);
    let mut children = call.children(&mut world);
    assert_eq!(children.len(), 2);
    for (c, child) in &mut children {
        let (u, request) = child.sent(&mut world);
        let body = String::from_utf8_lossy(request.body.bytes()).into_owned();
        let wanted = [r#"["a","b"]"#, r#"["c"]"#][*c as usize];
        assert!(body.contains(wanted), "{body}");
        let vectors =
            ["{\"index\":0,\"embedding\":[1]},{\"index\":1,\"embedding\":[2]}", "{\"index\":0,\"embedding\":[3]}"];
        let answer = format!(r#"{{"data":[{}],"usage":{{"prompt_tokens":2,"total_tokens":2}}}}"#, vectors[*c as usize]);
        child.answer(u, 200, "application/json", &answer);
        let reply = child.reply(&mut world);
        child.over(&mut world);
        call.exchange.child(*c, hoosh_core::exchange::ChildAnswer { status: reply.status, body: reply.body });
    }
    let reply = call.reply(&mut world);
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    assert_eq!(
        body,
        r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[2]},{"index":2,"embedding":[3]}],"usage":{"prompt_tokens":4,"total_tokens":4}}"#
    );
    call.over(&mut world);
    assert_eq!(world.rows().len(), 2, "each slice has its row");
}

#[test]
fn slices_stay_within_the_reservation() {
    let mut world = World::new(&format!("[limits]\nmax_inputs = 1\n{}", GUARDED.replace("300", "3_000")));
    world.key = Some("secret");
    let mut call = world.post("/v1/embeddings", r#"{"model":"m","input":["aaaa","b","c"]}"#);
    let mut children = call.children(&mut world);
    assert_eq!(children.len(), 3);
    for (c, child) in &mut children {
        let (u, request) = child.sent(&mut world);
        // As many tokens as its body has bytes: the worst that byte-level tokenizers can do.
        let used = request.body.bytes().len();
        let answer = format!(
            r#"{{"data":[{{"index":0,"embedding":[1]}}],"usage":{{"prompt_tokens":{used},"total_tokens":{used}}}}}"#
        );
        child.answer(u, 200, "application/json", &answer);
        let reply = child.reply(&mut world);
        child.over(&mut world);
        call.exchange.child(*c, hoosh_core::exchange::ChildAnswer { status: reply.status, body: reply.body });
    }
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    assert!(world.rows().iter().all(|row| !row.overrun));
}

#[test]
fn everything_is_given_back() {
    let mut world = World::new(GUARDED);
    world.key = Some("secret");
    let mut call = world.post("/v1/chat/completions", STREAM);
    let (u, _) = call.sent(&mut world);
    call.partial(u, 200, "text/event-stream", &(role() + &word("a")));
    call.pump(&mut world);
    drop(call);
    let (_, state) = world.gateway.budgets().remove(0);
    assert_eq!(state.reserved, 0);
    assert!(state.used > 0);
    assert_eq!((world.gateway.open_exchanges(), world.gateway.buffered_bytes()), (0, 0));
    assert_eq!(world.rows()[0].ending, Ending::Dropped);
}
