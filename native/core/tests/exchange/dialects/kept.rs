//! Answers that are kept, in the cache and under a key, are of one dialect.

use hoosh_core::exchange::Step;

use super::{one, CONTENTS, GENERATED, MESSAGES, OPENAI, SAID, STREAMED};
use crate::world::*;

#[test]
fn an_answer_is_kept_for_callers_of_the_same_dialect() {
    let text = format!("[cache]\nenabled = true\nmode = \"always\"\n{ONE}");
    let mut world = World::new(&text);
    let mut call = world.post("/v1/messages", MESSAGES);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", OPENAI);
    let first = call.reply(&mut world);
    call.over(&mut world);
    let again = world.post("/v1/messages", MESSAGES).reply(&mut world);
    assert_eq!((again.header("x-hoosh-cache"), &again.body), (Some("hit"), &first.body));
    let other = r#"{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}"#;
    let mut call = world.post("/v1/chat/completions", other);
    assert!(matches!(call.step(&mut world), Step::Send { .. }), "in another dialect it is another answer");
    let mut call = world.post("/v1/messages", STREAMED);
    assert!(matches!(call.step(&mut world), Step::Send { .. }), "and so it is as a stream");
}

#[test]
fn a_kept_answer_tells_again_what_was_lost_and_is_none_for_the_strict() {
    let mut world = World::new(&format!("[cache]\nenabled = true\nmode = \"always\"\n{ONE}"));
    let body = MESSAGES.replace("\"max_tokens\"", "\"made_up\":1,\"max_tokens\"");
    let mut call = world.post("/v1/messages", &body);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", OPENAI);
    let first = call.reply(&mut world);
    call.over(&mut world);
    let mut call = world.post("/v1/messages", &body);
    let again = call.reply(&mut world);
    assert_eq!(again.header("x-hoosh-cache"), Some("hit"));
    assert!(first.header("x-hoosh-loss").is_some_and(|loss| loss.contains("made_up")));
    assert_eq!(again.header("x-hoosh-loss"), first.header("x-hoosh-loss"));
    call.over(&mut world);
    assert_eq!(world.metric("hoosh_losses_total{change=\"dropped\"}"), "2");
    let strict = world.begin_with("POST", "/v1/messages", Some(&body), &[("x-hoosh-strict", "true")]).reply(&mut world);
    assert_eq!((strict.status, strict.header("x-hoosh-cache")), (400, None));
}

#[test]
fn what_only_one_dialect_has_makes_another_request_for_the_cache() {
    let cached = "[cache]\nenabled = true\nmode = \"always\"\n";
    let of = |dialect: &str| {
        World::new(&format!(
            "{cached}[[providers]]\nname = \"one\"\ntype = \"openai_compatible\"\ndialect = \"{dialect}\"\nbase_url = \"http://one.example\"\nmodels = [\"m\"]\n"
        ))
    };
    let mut world = of("anthropic");
    let with = |container: &str| MESSAGES.replacen('{', &format!("{{\"container\":\"{container}\","), 1);
    for (container, asks) in [("a", true), ("a", false), ("b", true)] {
        let mut call = world.post("/v1/messages", &with(container));
        let step = call.step(&mut world);
        assert_eq!(matches!(step, Step::Send { .. }), asks, "{container}");
        match step {
            Step::Send { u, .. } => {
                call.exchange.connected(u);
                call.exchange.sent(u);
                call.answer(u, 200, "application/json", SAID);
                call.reply(&mut world);
                call.over(&mut world);
            }
            other => assert_eq!(call.take_reply(other).header("x-hoosh-cache"), Some("hit")),
        }
    }
    let mut world = of("openai_responses");
    for _ in 0..2 {
        let body = r#"{"model":"m","input":"x","previous_response_id":"resp_theirs"}"#;
        let mut call = world.post("/v1/responses", body);
        assert!(matches!(call.step(&mut world), Step::Send { .. }), "what goes on from elsewhere is never kept");
    }
}

#[test]
fn one_idempotency_key_is_for_one_model_and_form() {
    let mut world = one("gemini");
    world.reload("[[providers]]\nname = \"one\"\ntype = \"gemini\"\nbase_url = \"http://one.example\"\nmodels = [\"m\", \"n\"]\n");
    let mut ask = |path: &str| {
        let mut call = world.begin_with("POST", path, Some(CONTENTS), &[("idempotency-key", "k")]);
        match call.step(&mut world) {
            Step::Send { u, .. } => {
                call.exchange.connected(u);
                call.exchange.sent(u);
                call.answer(u, 200, "application/json", GENERATED);
                call.reply(&mut world).status
            }
            other => call.take_reply(other).status,
        }
    };
    assert_eq!(ask("/v1beta/models/m:generateContent"), 200);
    assert_eq!(ask("/v1beta/models/m:generateContent"), 200);
    assert_eq!(ask("/v1beta/models/n:generateContent"), 422);
    assert_eq!(ask("/v1beta/models/m:streamGenerateContent"), 422);
}
