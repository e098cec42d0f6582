//! What engines report: their models are listed and asked, and what they cannot do keeps a request away.

use hoosh_core::dialects::neutral::Item;
use hoosh_core::engine::{Abilities, Card};
use hoosh_core::exchange::Step;
use serde_json::{json, Value};

use super::world::*;
use super::{ANSWER, CHAT};

const MIXED: &str = r#"
[auth]
tokens = ["all", { token = "bound", models = ["m"] }]
[[models]]
name = "tiny"
tools = false
[[providers]]
name = "local"
type = "engine"
priority = 1
[[providers]]
name = "far"
type = "openai_compatible"
base_url = "http://far.example/v1"
models = ["big", "tiny*"]
priority = 2
"#;

fn card(model: &str, abilities: Abilities) -> Card {
    Card {
        model: model.into(),
        context: Some(64),
        max_output: None,
        dimensions: abilities.embeddings.then_some(384),
        abilities,
        quantization: Some("Q8_0".into()),
        accelerator: Some("cpu".into()),
        memory_bytes: Some(8 << 20),
        loaded: false,
    }
}

fn chats() -> Abilities {
    Abilities { chat: true, tools: true, ..Abilities::default() }
}

fn world() -> World {
    let mut world = World::new(MIXED);
    world.key = Some("all");
    let vectors = Abilities { embeddings: true, ..Abilities::default() };
    world.gateway.report_engine("local", vec![card("tiny", chats()), card("vec", vectors)], world.now);
    world
}

fn get(world: &mut World, path: &str) -> Value {
    let reply = world.get(path);
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    serde_json::from_slice(&reply.body).unwrap()
}

fn named(model: &str, body: &str) -> String {
    body.replace("\"m\"", &format!("\"{model}\""))
}

fn who(world: &mut World, path: &str, body: &str) -> String {
    let mut call = world.post(path, body);
    match call.step(world) {
        Step::Call { engine, .. } => engine.to_string(),
        Step::Send { request, .. } => request.origin.host.clone(),
        step => call.take_reply(step).error().2,
    }
}

#[test]
fn its_models_are_listed_and_asked_without_a_probe() {
    let mut world = world();
    let ids = |list: &Value| list["data"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&get(&mut world, "/v1/models")), ["tiny", "vec", "big"]);
    assert_eq!(who(&mut world, "/v1/chat/completions", &named("tiny", CHAT)), "local");
    assert_eq!(who(&mut world, "/v1/chat/completions", &named("other", CHAT)), "model_not_found", "it said all it has");
    let told = world.gateway.discovered();
    assert_eq!((&*told[0].0, told[0].1.as_slice()), ("local", &["tiny".to_string(), "vec".to_string()][..]));
    // What it reports later holds from then on, and a reload forgets nothing.
    world.gateway.report_engine("local", vec![card("new", chats())], world.now);
    assert_eq!(ids(&get(&mut world, "/v1/models")), ["new", "big"]);
    world.reload(MIXED);
    assert_eq!(ids(&get(&mut world, "/v1/models")), ["new", "big"]);
}

#[test]
fn what_it_cannot_do_is_asked_of_another_or_refused() {
    let chat = |model: &str, more: &str| named(model, CHAT).replacen('{', &format!("{{{more},"), 1);
    let (path, embed) = ("/v1/chat/completions", r#"{"model":"vec","input":"a"}"#);
    let schema = r#""response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{}}}"#;
    let image = r#"{"model":"local/tiny","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,"}}]}]}"#;
    let long = named("tiny", CHAT).replace("\"hi\"", &format!("\"{}\"", "why ".repeat(80)));
    for (path, body, wanted) in [
        (path, chat("tiny", r#""response_format":{"type":"text"}"#), "local"),
        (path, chat("tiny", schema), "far.example"),
        (path, chat("local/tiny", schema), "unsupported_by_model"),
        (path, image.into(), "unsupported_by_model"),
        (path, named("vec", CHAT), "unsupported_by_model"),
        ("/v1/embeddings", embed.into(), "local"),
        ("/v1/embeddings", embed.replace("vec", "local/tiny"), "unsupported_by_model"),
        (path, long.clone(), "far.example"),
        (path, long.replace("tiny", "local/tiny"), "context_length_exceeded"),
    ] {
        assert_eq!(who(&mut world(), path, &body), wanted, "{body}");
    }
    // How long a text is to a model of vectors, that model knows best.
    let long = embed.replace("\"a\"", &format!("\"{}\"", "why ".repeat(80)));
    assert_eq!(who(&mut world(), "/v1/embeddings", &long), "local");
    // The operator's word goes before: of both `tiny` it was said that they take no tools.
    let tools = chat("tiny", r#""tools":[{"type":"function","function":{"name":"f"}}]"#);
    assert_eq!(who(&mut world(), path, &tools), "unsupported_by_model");
}

#[test]
fn what_is_known_is_told_with_its_source() {
    let mut world = world();
    let report = get(&mut world, "/v1/providers");
    let [local, far] = report["providers"].as_array().unwrap().as_slice() else { panic!("{report}") };
    assert_eq!(
        (&local["kind"], &local["type"], &local["base_url"]),
        (&json!("engine"), &json!("engine"), &Value::Null)
    );
    assert_eq!(local["health"], json!({"status": "unknown", "reason": null, "retry_in_secs": null}));
    let probed = |value: Value| json!({"value": value, "source": "probed"});
    let unknown = json!({"value": null, "source": "unknown"});
    let tiny = json!({
        "model": "tiny",
        "accelerator": probed(json!("cpu")),
        "context": probed(json!(64)),
        "max_output": unknown,
        "dimensions": unknown,
        "streaming": {"value": true, "source": "catalogue"},
        "chat": probed(json!(true)),
        "tools": {"value": false, "source": "configured"},
        "vision": probed(json!(false)),
        "audio": probed(json!(false)),
        "embeddings": probed(json!(false)),
        "structured_output": probed(json!(false)),
        "reasoning": probed(json!(false)),
        "quantization": probed(json!("Q8_0")),
        "memory_bytes": probed(json!(8 << 20)),
        "loaded": probed(json!(false)),
        "price": unknown,
    });
    assert_eq!(local["models"][0], tiny);
    assert_eq!(local["models"].as_array().unwrap().len(), 2);
    assert_eq!(local["models"][1]["dimensions"], probed(json!(384)));
    assert_eq!((&far["kind"], &far["base_url"]), (&json!("http"), &json!("http://far.example/v1")));
    assert_eq!(far["models"].as_array().unwrap().len(), 1, "a pattern is no model");
    assert_eq!((&far["models"][0]["model"], &far["models"][0]["context"]), (&json!("big"), &unknown));

    // What is in memory changes without routing being made anew.
    let loaded = Card { loaded: true, ..card("tiny", chats()) };
    world.gateway.report_engine("local", vec![loaded], world.now);
    assert_eq!(get(&mut world, "/v1/providers")["providers"][0]["models"][0]["loaded"]["value"], true);
}

#[test]
fn it_is_for_keys_that_see_everything() {
    let mut world = world();
    world.key = Some("bound");
    assert_eq!(world.get("/v1/providers").status, 403);
    world.key = None;
    assert_eq!(world.get("/v1/providers").status, 401);
    world.key = Some("all");
    assert_eq!(world.ask("POST", "/v1/providers").status, 405);
}

#[test]
fn names_that_are_none_are_left_out() {
    let mut world = world();
    let odd = ["", "a\nb", &"x".repeat(257)].map(|name| card(name, chats()));
    world.gateway.report_engine("local", [&odd[..], &[card("good", chats())]].concat(), world.now);
    assert_eq!(get(&mut world, "/v1/models")["data"].as_array().unwrap().len(), 2);
    // Nor does an engine speak for a provider over HTTP, whatever it is called.
    world.gateway.report_engine("far", vec![card("evil", chats())], world.now);
    assert_eq!(get(&mut world, "/v1/models")["data"].as_array().unwrap().len(), 2);
}

const KNOWN: &str = r#"
[[catalogue.providers]]
name = "acme"
origin = "http://acme.example"
local = true

[[catalogue.models]]
provider = "acme"
name = "m*"
context_tokens = 64
max_output_tokens = 32
modalities = ["text", "image"]
capabilities = ["chat", "reasoning"]
input_usd_per_mtok = 0.5
output_usd_per_mtok = 2
as_of = "2026-11-27"

[[providers]]
type = "acme"
models = ["m"]
"#;

#[test]
fn what_the_catalogue_says_is_told_and_keeps_nothing_away() {
    let listed = |value: Value| json!({"value": value, "source": "catalogue"});
    let price = json!({"input_usd_per_mtok": "0.50", "output_usd_per_mtok": "2.00", "cached_input_usd_per_mtok": null});
    for (more, context, priced) in [
        ("", listed(json!(64)), json!({"value": price, "source": "catalogue", "as_of": "2026-11-27"})),
        ("[catalogue]\nprices = false\n", listed(json!(64)), json!({"value": null, "source": "unknown"})),
        (
            "[[prices]]\nmodel = \"*\"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 1\n\
             [[models]]\nname = \"m\"\ncontext_tokens = 9000\n",
            json!({"value": 9000, "source": "configured"}),
            json!({"value": {"input_usd_per_mtok": "1.00", "output_usd_per_mtok": "1.00",
                "cached_input_usd_per_mtok": null}, "source": "configured"}),
        ),
        // Elsewhere the models may be others.
        (
            "base_url = \"http://else.example/v1\"\n",
            json!({"value": null, "source": "unknown"}),
            json!({"value": null, "source": "unknown"}),
        ),
    ] {
        let at_end = more.starts_with("base_url");
        let mut world = World::new(&if at_end { format!("{KNOWN}{more}") } else { format!("{more}{KNOWN}") });
        let told: Value = serde_json::from_slice(&world.get("/v1/providers").body).unwrap();
        let model = &told["providers"][0]["models"][0];
        assert_eq!((&model["context"], &model["price"]), (&context, &priced), "{more}");
        let known = !at_end;
        assert_eq!(model["vision"]["value"].as_bool(), known.then_some(true), "{more}");
        assert_eq!(model["tools"], json!({"value": null, "source": "unknown"}), "what is not listed is not known");
    }
    // Longer than the catalogue says: the server is asked.
    let mut world = World::new(KNOWN);
    world.chat(&CHAT.replace("\"hi\"", &format!("\"{}\"", "why ".repeat(300))), ANSWER);
    assert_eq!(world.rows().remove(0).status, 200);
}

#[test]
fn a_model_that_does_not_think_is_not_asked_to() {
    let more = |path: &str, more: &str| match path {
        "/v1/messages" => {
            format!(r#"{{{more},"model":"local/tiny","max_tokens":9,"messages":[{{"role":"user","content":"hi"}}]}}"#)
        }
        _ => named("local/tiny", CHAT).replacen('{', &format!("{{{more},"), 1),
    };
    for (path, thoughts, lost) in [
        ("/v1/chat/completions", r#""reasoning_effort":"low""#, Some("dropped=reasoning_effort")),
        ("/v1/chat/completions", r#""reasoning_effort":"none""#, None),
        ("/v1/messages", r#""thinking":{"type":"adaptive"}"#, Some("dropped=thinking")),
        ("/v1/messages", r#""thinking":{"type":"disabled"}"#, None),
    ] {
        let mut world = world();
        let mut call = world.post(path, &more(path, thoughts));
        let Step::Call { u, request, .. } = call.step(&mut world) else { panic!("{thoughts}") };
        call.exchange.connected(u);
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert!(body.get("thinking").is_none() && body.get("reasoning_effort").is_none(), "{body}");
        call.exchange.delta(u, Item::Text { choice: 0, text: "hello".into(), logprobs: Vec::new() });
        call.exchange.delta(u, Item::Finish { choice: 0, reason: "stop".into() });
        call.exchange.end(u);
        let reply = call.reply(&mut world);
        assert_eq!((reply.status, reply.header("x-hoosh-loss")), (200, lost), "{thoughts}");
    }
    // Of one of which nothing is known it is asked.
    let mut world = World::new(ONE);
    let body = CHAT.replacen('{', r#"{"reasoning_effort":"low","#, 1);
    let (_, request) = world.post("/v1/chat/completions", &body).sent(&mut world);
    assert!(format!("{:?}", request.body).contains("reasoning_effort"));
}

#[test]
fn an_engine_is_asked_in_members_of_its_own_dialect() {
    let mut world = world();
    let body = r#"{"contents":[{"parts":[{"text":"hi"}]}],"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}]}"#;
    let mut call = world.post("/v1beta/models/tiny:generateContent", body);
    let Step::Call { request, .. } = call.step(&mut world) else { panic!("it is not asked") };
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert!(body.get("safety_settings").is_none(), "{body}");
}
