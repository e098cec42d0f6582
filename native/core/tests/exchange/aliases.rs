//! Other names for models: who is asked, who may ask, and who is said to have answered.

use super::world::*;
use super::{event, finish, role, word, ANSWER, CHAT, STREAM};

/// `fast` is `m` at either, then `n` at the second; `g*` is `n`.
fn named(tokens: &str) -> String {
    let tables = r#"
[[aliases]]
name = "fast"
models = ["m", "two/n"]
[[aliases]]
name = "g*"
models = ["two/n"]
"#;
    format!(
        "{tokens}\n{tables}\n{}",
        TWO.replacen("models = [\"m\"]\npriority = 2", "models = [\"m\", \"n\"]\npriority = 2", 1)
    )
}

fn keyed(models: &str) -> String {
    named(&format!("[[auth.tokens]]\ntoken = \"secret\"\nmodels = [{models}]"))
}

fn asks(model: &str) -> String {
    CHAT.replace("\"m\"", &format!("\"{model}\""))
}

#[test]
fn the_models_of_an_alias_are_asked_one_after_the_other() {
    let mut world = World::new(&named(""));
    let mut call = world.post("/v1/chat/completions", &asks("fast"));
    let mut asked = Vec::new();
    for _ in 0..2 {
        let (u, request) = call.sent(&mut world);
        asked.push((request.origin.port, String::from_utf8_lossy(request.body.bytes()).contains("\"model\":\"m\"")));
        call.refuse(u, 500, &[]);
    }
    let (u, request) = call.sent(&mut world);
    asked.push((request.origin.port, String::from_utf8_lossy(request.body.bytes()).contains("\"model\":\"n\"")));
    assert_eq!(asked, [(1, true), (2, true), (2, true)]);
    call.answer(u, 200, "application/json", ANSWER);
    let reply = call.reply(&mut world);
    assert_eq!((reply.status, reply.header("x-hoosh-model")), (200, Some("two/n")));
    assert_eq!(&reply.body[..], ANSWER.as_bytes(), "the answer is its provider's own");
    call.over(&mut world);
    assert_eq!(world.rows()[0].model.as_deref(), Some("fast"));
}

#[test]
fn who_answered_is_said_of_every_answer() {
    let mut world = World::new(&named("[cache]\nenabled = true\nmode = \"always\""));
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).header("x-hoosh-model"), Some("one/m"));
    call.over(&mut world);
    let mut again = world.post("/v1/chat/completions", CHAT);
    let reply = again.reply(&mut world);
    assert_eq!((reply.header("x-hoosh-cache"), reply.header("x-hoosh-model")), (Some("hit"), Some("one/m")));
    let mut call = world.post("/v1/chat/completions", &asks("two/n"));
    let (u, _) = call.sent(&mut world);
    call.refuse(u, 400, &[]);
    assert_eq!(call.reply(&mut world).header("x-hoosh-model"), Some("two/n"), "a refusal too");
    assert_eq!(world.get("/v1/models").header("x-hoosh-model"), None);
}

#[test]
fn a_scope_holds_for_what_an_alias_leads_to() {
    // It may ask for `n` alone: of the alias that is the second model.
    let mut world = World::new(&keyed("\"n\""));
    world.key = Some("secret");
    let mut call = world.post("/v1/chat/completions", &asks("fast"));
    let (_, request) = call.sent(&mut world);
    assert_eq!(request.origin.port, 2);
    assert!(String::from_utf8_lossy(request.body.bytes()).contains("\"model\":\"n\""));
    // Neither by an alias nor by a pattern that only looks like its name.
    for (models, asked) in
        [("\"x\"", "fast"), ("\"fas*\"", "fast"), ("\"*x\"", "g-x"), ("\"g-1\"", "g-1"), ("\"one/n\"", "g-1")]
    {
        let mut world = World::new(&keyed(models));
        world.key = Some("secret");
        let reply = world.post("/v1/chat/completions", &asks(asked)).reply(&mut world);
        assert_eq!(reply.error(), (403, None, "model_not_allowed".into()), "{models} {asked}");
        assert_eq!(world.get(&format!("/v1/models/{asked}")).status, 404);
    }
}

#[test]
fn a_scope_that_names_an_alias_grants_what_it_leads_to_and_nothing_else() {
    let mut world = World::new(&keyed("\"fast\", \"g*\""));
    world.key = Some("secret");
    for (asked, port) in [("fast", 1), ("g-1", 2)] {
        let mut call = world.post("/v1/chat/completions", &asks(asked));
        assert_eq!(call.sent(&mut world).1.origin.port, port);
    }
    for asked in ["m", "n", "one/m", "two/n"] {
        assert_eq!(world.post("/v1/chat/completions", &asks(asked)).reply(&mut world).status, 403, "{asked}");
    }
    assert_eq!(list(&mut world), [("fast", "hoosh")].map(|(id, by)| (id.to_string(), by.to_string())));
    assert_eq!((world.get("/v1/models/fast").status, world.get("/v1/models/m").status), (200, 404));
}

/// What `GET /v1/models` lists: names and owners.
fn list(world: &mut World) -> Vec<(String, String)> {
    let body: serde_json::Value = serde_json::from_slice(&world.get("/v1/models").body).unwrap();
    assert!(body["data"].as_array().unwrap().iter().all(|model| model["created"].is_i64()));
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_string();
    body["data"].as_array().unwrap().iter().map(|model| (text(&model["id"]), text(&model["owned_by"]))).collect()
}

#[test]
fn models_are_listed_once_and_found_by_every_name() {
    let mut world = World::new(&named(""));
    let expected = [("fast", "hoosh"), ("m", "one"), ("n", "two")];
    assert_eq!(list(&mut world), expected.map(|(id, by)| (id.to_string(), by.to_string())));
    for (id, owner) in [
        ("fast", Some("hoosh")),
        ("g-9", Some("hoosh")),
        ("m", Some("one")),
        ("two/m", Some("two")),
        ("two%2Fn", Some("two")),
        ("one/n", None),
        ("x", None),
    ] {
        let reply = world.get(&format!("/v1/models/{id}"));
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        let named = owner.is_none_or(|owner| body.contains(&format!("\"owned_by\":\"{owner}\"")));
        assert!(named && (reply.status == 200) == owner.is_some(), "{id}: {body}");
    }
}

#[test]
fn another_meaning_of_an_alias_forgets_what_was_cached() {
    let cached = |models: &str| {
        let text = named("[cache]\nenabled = true\nmode = \"always\"");
        text.replace("models = [\"m\", \"two/n\"]", models)
    };
    let mut world = World::new(&cached("models = [\"one/m\"]"));
    world.chat(&asks("fast"), ANSWER);
    assert!(world.post("/v1/chat/completions", &asks("fast")).is_hit(&mut world));
    assert!(!world.post("/v1/chat/completions", CHAT).is_hit(&mut world), "another name is another question");
    world.reload(&cached("models = [\"one/m\"]"));
    assert!(world.post("/v1/chat/completions", &asks("fast")).is_hit(&mut world), "nothing changed");
    world.reload(&cached("models = [\"two/n\"]"));
    assert!(!world.post("/v1/chat/completions", &asks("fast")).is_hit(&mut world));
}

#[test]
fn a_stream_of_an_alias_tells_who_began_it() {
    let mut world = World::new(&named(""));
    let mut call = world.post("/v1/chat/completions", &STREAM.replace("\"m\"", "\"g-1\""));
    let (u, _) = call.sent(&mut world);
    let shown = role() + &word("a") + &finish() + &event("[DONE]");
    call.answer(u, 200, "text/event-stream", &shown);
    match call.step(&mut world) {
        hoosh_core::exchange::Step::Start { headers, .. } => {
            let by = headers.iter().find(|(name, _)| &name[..] == b"x-hoosh-model").map(|(_, by)| by.to_vec());
            assert_eq!(by.as_deref(), Some(&b"two/n"[..]));
        }
        other => panic!("{other:?}"),
    }
}
