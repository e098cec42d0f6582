//! What is lost between two dialects: told, foretold, and refused to the strict.

use hoosh_core::exchange::Step;

use super::{one, text, MESSAGES, OPENAI, SAID};
use crate::world::*;

#[test]
fn what_is_lost_is_told_and_refused_to_the_strict() {
    let body = r#"{"model":"m","max_tokens":50,"top_k":3,"made_up":1,"messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}]}"#;
    let mut world = one("openai_chat");
    let mut call = world.post("/v1/messages", body);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", OPENAI);
    let reply = call.reply(&mut world);
    let loss = reply.header("x-hoosh-loss").unwrap();
    assert!(loss.contains("dropped=") && loss.contains("made_up") && loss.contains("cache_control"), "{loss}");
    call.over(&mut world);
    let row = world.rows().remove(0);
    assert!(row.loss.is_some_and(|loss| loss.contains("dropped made_up")));
    assert_eq!(world.metric("hoosh_losses_total{change=\"dropped\"}"), "1");
    let strict = [("x-hoosh-strict", "true")];
    let reply = world.begin_with("POST", "/v1/messages", Some(body), &strict).reply(&mut world);
    assert_eq!(reply.status, 400);
    assert!(text(&reply.body).contains("made_up"), "{:?}", reply.body);
    let mut call = world.begin_with("POST", "/v1/messages", Some(MESSAGES), &strict);
    assert!(matches!(call.step(&mut world), Step::Send { .. }), "what loses nothing is asked");
}

#[test]
fn what_an_answer_says_that_its_caller_cannot_be_told_is_reported() {
    let said =
        SAID.replace(r#"[{"type":"text""#, r#"[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"text""#);
    let body = r#"{"model":"m","stream":false,"messages":[{"role":"user","content":"hi"}]}"#;
    for (path, lost) in [("/api/chat", Some("message.thoughts")), ("/v1/chat/completions", None)] {
        let mut world = one("anthropic");
        let mut call = world.post(path, body);
        let (u, _) = call.sent(&mut world);
        call.answer(u, 200, "application/json", &said);
        let told = call.reply(&mut world).header("x-hoosh-loss").map(str::to_owned).unwrap_or_default();
        call.over(&mut world);
        let row = world.rows().remove(0).loss.unwrap_or_default();
        assert_eq!(
            (told.contains("message."), row.contains("message.")),
            (lost.is_some(), lost.is_some()),
            "{told} {row}"
        );
        assert!(lost.is_none_or(|lost| told.contains(lost) && row.contains(lost)), "{told} {row}");
    }
}

#[test]
fn a_strict_request_goes_to_whom_nothing_of_it_is_lost() {
    let provider = |name: &str, dialect: &str, priority: u32| {
        format!(
            "[[providers]]\nname = \"{name}\"\ntype = \"openai_compatible\"\ndialect = \"{dialect}\"\nbase_url = \"http://{name}.example\"\npriority = {priority}\nmodels = [\"m\"]\n"
        )
    };
    let text = provider("first", "openai_chat", 1) + &provider("second", "anthropic", 2);
    let body = MESSAGES.replace("\"max_tokens\"", "\"made_up\":1,\"max_tokens\"");
    for (headers, wanted) in [(&[][..], "first.example"), (&[("x-hoosh-strict", "true")], "second.example")] {
        let mut world = World::new(&text);
        let (_, request) = world.begin_with("POST", "/v1/messages", Some(&body), headers).sent(&mut world);
        assert_eq!(request.origin.host, wanted);
    }
}

#[test]
fn explain_tells_what_each_candidate_would_lose() {
    let mut world = one("openai_chat");
    let body = r#"{"dialect":"anthropic","body":{"model":"m","max_tokens":5,"made_up":1,"messages":[{"role":"user","content":"hi"}]}}"#;
    let reply = world.post("/v1/explain", body).reply(&mut world);
    let said: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    let lost = said["candidates"][0]["loss"].as_array().unwrap();
    assert!(lost.iter().any(|lost| lost["field"] == "made_up" && lost["change"] == "dropped"), "{said}");
}

#[test]
fn a_field_that_is_only_renamed_is_no_loss() {
    let mut world = World::new(
        "[[providers]]\ntype = \"openai\"\nbase_url = \"http://one.example\"\napi_key = \"sk-one\"\nmodels = [\"m\"]\n",
    );
    let mut call = world.begin_with("POST", "/v1/messages", Some(MESSAGES), &[("x-hoosh-strict", "true")]);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", OPENAI);
    assert_eq!(call.reply(&mut world).header("x-hoosh-loss"), None);
    call.over(&mut world);
    let told = world.rows().remove(0).loss;
    assert!(told.as_deref().is_some_and(|told| told.starts_with("renamed max_tokens")), "{told:?}");
}

#[test]
fn thoughts_of_another_dialect_do_not_reach_an_upstream_that_would_refuse_them() {
    let mut world = one("openai_chat");
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"x","thoughts":[{"origin":"anthropic","type":"signature","thinking":"t","signature":"s"}]},{"role":"user","content":"so?"}]}"#;
    let (_, request) = world.post("/v1/chat/completions", body).sent(&mut world);
    let sent = text(request.body.bytes());
    assert!(!sent.contains("thoughts") && sent.contains("so?"), "{sent}");
}
