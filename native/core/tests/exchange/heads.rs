//! What a head asks for, and doors that are used before anybody looks.

use bytes::Bytes;
use hoosh_core::error::{Code, Failure};
use hoosh_core::exchange::Step;
use hoosh_core::ledger::Ending;

use crate::world::*;
use crate::{role, word, ANSWER, CHAT, STREAM};

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

#[test]
fn a_model_is_named_by_its_encoded_path() {
    let mut world = World::new(&ONE.replace("\"m\"", "\"meta/llama\", \"50%\", \"what?\", \"größe\""));
    for (path, id) in [
        ("meta/llama", "meta/llama"),
        ("meta%2Fllama", "meta/llama"),
        ("%6deta%2fllama?x=%2F", "meta/llama"),
        ("50%25", "50%"),
        ("50%", "50%"),
        ("what%3F", "what?"),
        ("gr%C3%B6%C3%9Fe", "größe"),
    ] {
        let reply = world.get(&format!("/v1/models/{path}"));
        assert_eq!(reply.status, 200, "{path}: {}", text(&reply));
        assert!(text(&reply).contains(&format!("\"id\":\"{id}\"")), "{path}: {}", text(&reply));
    }
    for path in ["what?", "meta%252Fllama", "%ff", "%00", "meta/llama%00", "%2", "%zz", "%C3"] {
        let reply = world.get(&format!("/v1/models/{path}"));
        assert_eq!(reply.status, 404, "{path}");
        assert!(text(&reply).contains("model_not_found"), "{path}: {}", text(&reply));
    }
    assert_eq!(world.get("/v1%2Fmodels").status, 200);
    assert!(text(&world.get("/%ff%00")).contains("unknown_url"));
}

#[test]
fn an_error_repeats_little_of_a_long_name() {
    let mut world = World::new(ONE);
    let reply = world.get(&format!("/v1/models/{}", "x".repeat(60_000)));
    assert_eq!(reply.status, 404);
    assert!(reply.body.len() < 500, "{}", reply.body.len());
}

#[test]
fn head_is_answered_as_get_is() {
    let mut world = World::new(ONE);
    for path in ["/v1/health", "/v1/health/ready", "/v1/models", "/v1/models/m", "/v1/models/none"] {
        let (get, head) = (world.get(path), world.ask("HEAD", path));
        assert_eq!((get.status, &get.body), (head.status, &head.body), "{path}");
        assert_ne!(head.status, 405);
    }
    assert_eq!(world.ask("HEAD", "/metrics").status, 200);
    let reply = world.ask("HEAD", "/v1/chat/completions");
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
    let reply = world.ask("DELETE", "/v1/models/m");
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn a_key_that_is_bound_to_models_does_not_read_the_metrics() {
    let keys = r#"[auth]
tokens = ["free", { token = "bound", models = ["m"] }]
"#;
    let mut world = World::new(&format!("{keys}{ONE}"));
    world.key = Some("free");
    assert_eq!(world.get("/metrics").status, 200);
    world.key = Some("bound");
    let reply = world.get("/metrics");
    assert_eq!(reply.status, 403);
    assert!(text(&reply).contains("\"code\":\"path_not_allowed\""), "{}", text(&reply));
    assert_eq!(world.get("/v1/models").status, 200);
}

#[test]
fn a_body_may_be_there_before_anybody_looks() {
    let mut world = World::new(ONE);
    let mut call = world.post("/v1/chat/completions", "");
    call.exchange.body(Bytes::from_static(CHAT.as_bytes()));
    call.exchange.body_end();
    let (u, request) = call.sent(&mut world);
    assert_eq!(request.body.bytes(), CHAT.as_bytes());
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
}

#[test]
fn who_leaves_before_anybody_looks_has_waited_for_nothing() {
    let mut world = World::new(ONE);
    let mut call = world.post("/v1/chat/completions", CHAT);
    call.exchange.caller_gone();
    call.over(&mut world);
    assert_eq!(world.metric(r#"hoosh_request_duration_seconds_count{endpoint="chat"}"#), "1");
    assert_eq!(world.metric(r#"hoosh_request_duration_seconds_sum{endpoint="chat"}"#), "0");
}

#[test]
fn a_body_that_cannot_be_read_is_refused_at_any_time_before_the_answer() {
    let mut world = World::new(ONE);
    let mut call = world.post("/v1/chat/completions", CHAT);
    call.exchange.refused(Failure::new(Code::MalformedRequest, "A chunk has no size."));
    assert_eq!(call.reply(&mut world).status, 400);
    call.over(&mut world);
    assert_eq!(world.metric(r#"hoosh_request_duration_seconds_sum{endpoint="chat"}"#), "0");
    // The head's own refusal goes first.
    let mut call = world.begin("PUT", "/v1/chat/completions", Some(CHAT));
    call.exchange.refused(Failure::new(Code::MalformedRequest, "A chunk has no size."));
    assert_eq!(call.reply(&mut world).status, 405);
    call.over(&mut world);
}

#[test]
fn a_refusal_after_the_answer_began_says_nothing() {
    let mut world = World::new(ONE);
    let mut call = world.post("/v1/chat/completions", STREAM);
    let (u, _) = call.sent(&mut world);
    call.partial(u, 200, "text/event-stream", &(role() + &word("a")));
    call.pump(&mut world);
    call.exchange.refused(Failure::new(Code::MalformedRequest, "What follows has no size."));
    assert!(!call.until(&mut world, |step| matches!(step, Step::Abort { .. } | Step::Finish)));
    call.exchange.caller_gone();
    call.over(&mut world);
    assert_eq!(world.rows()[0].ending, Ending::CallerGone);
}
