//! Ollama's clients and servers, through the whole exchange.

use crate::world::*;
use hoosh_core::engine::{Abilities, Card};
use hoosh_core::exchange::Step;
use hoosh_core::ledger::UsageSource;
use serde_json::{json, Value};

const ASKED: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
const WHOLE: &str = r#"{"model":"m","stream":false,"messages":[{"role":"user","content":"hi"}]}"#;
const SAID: &str = r#"{"model":"m","created_at":"2026-11-27T13:55:06.1Z","message":{"role":"assistant","content":"hello"},"done":true,"done_reason":"stop","total_duration":5,"prompt_eval_count":8,"eval_count":2,"later":{"kept":[1, 2]}}"#;

/// One provider of `dialect`.
fn one(dialect: &str) -> World {
    World::new(&format!(
        "[[providers]]\nname = \"one\"\ntype = \"openai_compatible\"\ndialect = \"{dialect}\"\nbase_url = \"http://one.example\"\napi_key = \"sk-one\"\nmodels = [\"m\"]\n"
    ))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn lines(stream: &str) -> Vec<Value> {
    assert!(!stream.contains("\n\n"), "ollama-python breaks on blank lines: {stream}");
    stream.lines().map(|line| value(line.as_bytes())).collect()
}

/// What a model says in two pieces.
fn told() -> String {
    let piece = |text: &str| {
        format!("{{\"model\":\"m\",\"created_at\":\"x\",\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}},\"done\":false}}\n")
    };
    piece("hel") + &piece("lo") + "{\"model\":\"m\",\"created_at\":\"x\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":8,\"eval_count\":2}\n"
}

#[test]
fn each_form_passes_byte_for_byte_to_its_path() {
    let vector = r#"{"model":"m","embeddings":[[0.5,1]],"prompt_eval_count":3}"#;
    let generated =
        r#"{"model":"m","response":"hello","done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":1}"#;
    for (path, body, answer, total) in [
        ("/api/chat", WHOLE, SAID, 10),
        ("/api/generate", r#"{"model":"m","prompt":"a", "stream":false,"raw":true}"#, generated, 4),
        ("/api/embed", r#"{"model":"m","input": "a","truncate":true}"#, vector, 3),
    ] {
        let mut world = one("ollama");
        let mut call = world.post(path, body);
        let (u, request) = call.sent(&mut world);
        assert_eq!((text(&request.target), text(request.body.bytes())), (path, body));
        call.answer(u, 200, "application/json", answer);
        let reply = call.reply(&mut world);
        assert_eq!((reply.status, text(&reply.body), reply.header("x-hoosh-loss")), (200, answer, None));
        call.over(&mut world);
        let usage = world.rows()[0].usage;
        assert_eq!((usage.total(), usage.source), (total, UsageSource::Reported), "{path}");
    }
    let mut world = one("ollama");
    let body = r#"{"model":"m","prompt":"a"}"#;
    let mut call = world.post("/api/embeddings", body);
    let (u, request) = call.sent(&mut world);
    assert_eq!((text(&request.target), text(request.body.bytes())), ("/api/embeddings", body));
    call.answer(u, 200, "application/json", r#"{"embedding":[1,2]}"#);
    assert_eq!(text(&call.reply(&mut world).body), r#"{"embedding":[1,2]}"#);
}

#[test]
fn a_stream_of_the_same_dialect_passes_byte_for_byte_at_every_split() {
    let whole = told();
    for at in (1..whole.len()).step_by(5) {
        let mut world = one("ollama");
        let mut call = world.post("/api/chat", ASKED);
        let (u, request) = call.sent(&mut world);
        assert_eq!(text(request.body.bytes()), ASKED, "a stream is what Ollama gives by itself");
        call.partial(u, 200, "application/x-ndjson", &whole[..at]);
        call.exchange.data(u, whole.as_bytes()[at..].to_vec().into());
        call.exchange.end(u);
        assert_eq!(call.stream(&mut world), whole, "{at}");
        call.over(&mut world);
        assert_eq!(world.rows()[0].usage.total(), 10);
    }
}

#[test]
fn ollamas_callers_are_answered_by_another_upstream() {
    let mut world = one("openai_chat");
    let mut call = world.post("/api/chat", WHOLE);
    let (u, request) = call.sent(&mut world);
    assert_eq!(text(&request.target), "/v1/chat/completions");
    call.answer(u, 200, "application/json", super::ANSWER);
    let said = value(&call.reply(&mut world).body);
    assert_eq!(
        (&said["message"]["content"], &said["done"], &said["done_reason"]),
        (&json!("hello"), &json!(true), &json!("stop"))
    );
    assert_eq!((&said["prompt_eval_count"], &said["eval_count"]), (&json!(8), &json!(1)));

    let mut call = world.post("/api/generate", r#"{"model":"m","prompt":"hi","keep_alive":"5m"}"#);
    let (u, request) = call.sent(&mut world);
    assert_eq!(value(request.body.bytes())["stream"], true, "a stream is the default");
    let stream = super::role()
        + &super::word("hel")
        + &super::word("lo")
        + &super::finish()
        + &super::usage()
        + "data: [DONE]\n\n";
    call.partial(u, 200, "text/event-stream", &stream);
    call.exchange.end(u);
    let Step::Start { headers, .. } = call.first_of(&mut world, &["Start"]) else { panic!("no start") };
    let header = |name: &str| headers.iter().find(|(own, _)| own == name.as_bytes()).map(|(_, value)| text(value));
    assert_eq!(
        (header("content-type"), header("x-hoosh-loss")),
        (Some("application/x-ndjson"), Some("dropped=keep_alive"))
    );
}

#[test]
fn streams_cross_both_ways_at_every_split() {
    let openai = super::role()
        + &super::word("hel")
        + &super::word("lo")
        + &super::finish()
        + &super::usage()
        + "data: [DONE]\n\n";
    for at in 1..openai.len() {
        let mut world = one("openai_chat");
        let mut call = world.post("/api/generate", r#"{"model":"m","prompt":"hi"}"#);
        let (u, _) = call.sent(&mut world);
        call.partial(u, 200, "text/event-stream", &openai[..at]);
        call.exchange.data(u, openai.as_bytes()[at..].to_vec().into());
        call.exchange.end(u);
        let lines = lines(&call.stream(&mut world));
        let said: String = lines.iter().map(|line| line["response"].as_str().unwrap()).collect();
        let last = lines.last().unwrap();
        assert_eq!((&*said, &last["done"], &last["eval_count"]), ("hello", &json!(true), &json!(2)), "{at}");
    }
    let ollama = told();
    for at in 1..ollama.len() {
        let mut world = one("ollama");
        let mut call = world.post("/v1/chat/completions", super::STREAM);
        let (u, request) = call.sent(&mut world);
        assert_eq!(text(&request.target), "/api/chat");
        call.partial(u, 200, "application/x-ndjson", &ollama[..at]);
        call.exchange.data(u, ollama.as_bytes()[at..].to_vec().into());
        call.exchange.end(u);
        let stream = call.stream(&mut world);
        assert!(stream.contains("\"content\":\"hel\"") && stream.ends_with("data: [DONE]\n\n"), "{at} {stream}");
    }
}

#[test]
fn openais_other_endpoints_are_asked_of_ollama() {
    let mut world = one("ollama");
    let mut call = world.post("/v1/completions", r#"{"model":"m","prompt":"a"}"#);
    let (u, request) = call.sent(&mut world);
    assert_eq!((text(&request.target), &value(request.body.bytes())["prompt"]), ("/api/generate", &json!("a")));
    call.answer(u, 200, "application/json", r#"{"response":"b","done":true,"prompt_eval_count":1,"eval_count":1}"#);
    assert_eq!(value(&call.reply(&mut world).body)["choices"][0]["text"], "b");
    let mut call = world.post("/v1/embeddings", r#"{"model":"m","input":["a","b"]}"#);
    let (u, request) = call.sent(&mut world);
    assert_eq!(text(&request.target), "/api/embed");
    call.answer(u, 200, "application/json", r#"{"embeddings":[[1],[2]],"prompt_eval_count":2}"#);
    let said = value(&call.reply(&mut world).body);
    assert_eq!((&said["data"][1]["embedding"], &said["usage"]["prompt_tokens"]), (&json!([2.0]), &json!(2)));
}

#[test]
fn a_broken_stream_ends_with_a_line_that_says_so() {
    let mut world = one("openai_chat");
    let mut call = world.post("/api/chat", ASKED);
    let (u, _) = call.sent(&mut world);
    call.partial(u, 200, "text/event-stream", &(super::role() + &super::word("hel")));
    call.exchange.end(u);
    let lines = lines(&call.stream(&mut world));
    assert!(lines.last().unwrap()["error"].is_string(), "{lines:?}");
    let mut world = one("ollama");
    let mut call = world.post("/v1/chat/completions", super::STREAM);
    let (u, _) = call.sent(&mut world);
    let cut = told().lines().next().unwrap().to_owned() + "\n{\"error\":\"out of memory\"}\n";
    call.partial(u, 200, "application/x-ndjson", &cut);
    call.exchange.end(u);
    assert!(call.stream(&mut world).contains("\"error\""));
}

#[test]
fn errors_have_ollamas_shape() {
    let mut world = one("openai_chat");
    for (path, body, status) in [
        ("/api/chat", "{", 400),
        ("/api/chat", r#"{"model":"other","messages":[{"role":"user","content":"hi"}]}"#, 404),
        ("/api/show", r#"{"model":"other"}"#, 404),
        ("/api/show", "{}", 400),
        ("/api/made_up", "{}", 404),
    ] {
        let reply = world.post(path, body).reply(&mut world);
        assert_eq!(reply.status, status, "{path} {body}");
        assert!(value(&reply.body)["error"].is_string(), "{path} {:?}", reply.body);
    }
    let mut call = world.post("/api/chat", ASKED);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 400, "application/json", r#"{"error":{"message":"no such thing"}}"#);
    assert_eq!(value(&call.reply(&mut world).body), json!({"error": "no such thing"}));
}

#[test]
fn whoever_asks_nothing_is_told_that_the_model_is_there() {
    let mut world = one("ollama");
    for (path, body, said) in [
        ("/api/generate", r#"{"model":"m","keep_alive":"5m"}"#, "response"),
        ("/api/chat", r#"{"model":"m","messages":[]}"#, "message"),
    ] {
        let reply = world.post(path, body).reply(&mut world);
        let told = value(&reply.body);
        assert_eq!((reply.status, &told["done"], &told["done_reason"]), (200, &json!(true), &json!("load")));
        assert!(told[said].is_string() || told[said].is_object(), "{told}");
    }
    for (body, status) in [(r#"{"model":"m","keep_alive":0}"#, 400), (r#"{"model":"other"}"#, 404)] {
        let reply = world.post("/api/generate", body).reply(&mut world);
        assert_eq!((reply.status, value(&reply.body)["error"].is_string()), (status, true), "{body}");
    }
    assert!(world.rows().is_empty(), "nobody was asked");
    assert_eq!(world.requests().len(), 4);
}

const ENGINE: &str = r#"
[auth]
tokens = ["all", { token = "little", models = ["local/vec"] }]
[[providers]]
name = "local"
type = "engine"
[[models]]
name = "tiny"
tools = true
"#;

fn card(model: &str, abilities: Abilities, loaded: bool) -> Card {
    Card {
        model: model.into(),
        context: Some(64),
        max_output: None,
        dimensions: None,
        abilities,
        quantization: Some("Q8_0".into()),
        accelerator: Some("cuda".into()),
        memory_bytes: Some(100),
        loaded,
    }
}

#[test]
fn what_is_known_of_models_is_shown() {
    let mut world = World::new(ENGINE);
    world.key = Some("all");
    let chats = Abilities { chat: true, vision: true, ..Abilities::default() };
    let vectors = Abilities { embeddings: true, ..Abilities::default() };
    let cards = vec![card("tiny", chats, true), card("vec", vectors, true), card("asleep", chats, false)];
    world.gateway.report_engine("local", cards, world.now);
    let show = |world: &mut World, body: &str| world.post("/api/show", body).reply(world);
    let told = value(&show(&mut world, r#"{"model":"tiny"}"#).body);
    assert_eq!(told["capabilities"], json!(["completion", "tools", "vision"]));
    assert_eq!(
        (&told["details"]["quantization_level"], &told["model_info"]["unknown.context_length"]),
        (&json!("Q8_0"), &json!(64))
    );
    assert_eq!(value(&show(&mut world, r#"{"name":"local/vec"}"#).body)["capabilities"], json!(["embedding"]));

    let names = |reply: &Reply| -> Vec<String> {
        let list = value(&reply.body);
        list["models"].as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap().to_owned()).collect()
    };
    let loaded = world.get("/api/ps");
    assert_eq!(names(&loaded), ["tiny", "vec"]);
    let first = &value(&loaded.body)["models"][0];
    assert_eq!((&first["size_vram"], &first["context_length"]), (&json!(100), &json!(64)));
    assert_eq!(names(&world.get("/api/tags")), ["tiny", "vec", "asleep"]);

    world.key = Some("little");
    assert_eq!(names(&world.get("/api/ps")), ["vec"]);
    assert_eq!(show(&mut world, r#"{"model":"tiny"}"#).status, 404, "what a key may not use is not there");
    world.key = None;
    assert_eq!(world.get("/api/ps").status, 401);
    assert_eq!(show(&mut world, r#"{"model":"tiny"}"#).status, 401);
    let version = world.get("/api/version");
    assert_eq!(version.status, 200, "whoever looks whether Ollama is there has no key");
    assert!(value(&version.body)["version"].as_str().unwrap().split('.').count() == 3);
}

#[test]
fn methods_and_sizes_are_bounded() {
    let mut world = one("ollama");
    assert_eq!(world.get("/api/show").header("allow"), Some("POST"));
    assert_eq!(world.post("/api/ps", "{}").reply(&mut world).status, 405);
    let long = format!(r#"{{"model":"m","system":"{}"}}"#, "x".repeat(2 << 20));
    assert_eq!(world.post("/api/show", &long).reply(&mut world).status, 413);
}
