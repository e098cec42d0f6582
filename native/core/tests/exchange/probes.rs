//! Servers over HTTP are asked what their models can do: whom, when, and what follows for requests.

use hoosh_core::exchange::Step;
use hoosh_core::gateway::{LoopResult, LoopStep};
use hoosh_core::store::Outcome;
use serde_json::{json, Value};

use super::world::*;
use super::CHAT;

const TOOLS: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f"}}]}"#;

const SECOND: u64 = 1_000_000;

/// Two providers of one model; the first is a server that can be asked.
fn config(type_name: &str, models: &str) -> String {
    format!(
        r#"
[[providers]]
name = "near"
type = "{type_name}"
base_url = "http://near.example/v1"
api_key = "near-key"
models = {models}
priority = 1
[[providers]]
name = "far"
type = "openai_compatible"
base_url = "http://far.example/v1"
models = ["m"]
priority = 2
"#
    )
}

/// A question of the loop: its handle, what it asks, and of which model if it says so.
struct Asked {
    id: u64,
    what: String,
    model: Option<String>,
}

/// What the loop asks now.
fn asked(world: &World) -> Vec<Asked> {
    let mut all = Vec::new();
    loop {
        match world.gateway.next(world.now) {
            LoopStep::Fetch { id, request, .. } => {
                let has = |name: &str| request.headers.iter().any(|(n, _)| &n[..] == name.as_bytes());
                assert!(has("authorization"), "as every request to it");
                assert_eq!(request.method == "POST", has("content-type"));
                assert_eq!(request.origin.host, "near.example");
                let body: Value = serde_json::from_slice(request.body.bytes()).unwrap_or_default();
                let target = String::from_utf8_lossy(&request.target).into_owned();
                let model = body["model"].as_str().map(str::to_owned);
                all.push(Asked { id, what: format!("{} {target}", request.method), model });
            }
            LoopStep::Log { id, .. } => world.gateway.done(id, LoopResult::Logged(Ok(())), world.now),
            LoopStep::Store { id, .. } => world.gateway.done(id, LoopResult::Stored(Outcome::Stored), world.now),
            LoopStep::Wait { .. } => return all,
            other => panic!("{other:?}"),
        }
    }
}

/// The one question that is asked now.
fn next_asked(world: &mut World) -> Asked {
    world.now.mono_us += SECOND / 10;
    let mut all = asked(world);
    assert_eq!(all.len(), 1, "{:?}", all.iter().map(|one| &one.what).collect::<Vec<_>>());
    all.remove(0)
}

fn say(world: &World, asked: &Asked, status: u16, body: &str) {
    world.gateway.done(asked.id, LoopResult::Fetched(Ok((status, body.to_owned().into()))), world.now);
}

/// A world in which the list came.
fn listed(config: &str, entries: &str) -> World {
    let mut world = World::new(config);
    world.now.mono_us += 60 * SECOND;
    let list = next_asked(&mut world);
    assert_eq!(list.what, "GET /v1/models");
    say(&world, &list, 200, &format!(r#"{{"data":[{entries}]}}"#));
    world
}

/// Who is asked, or the code with which it is refused.
fn who(world: &mut World, body: &str) -> String {
    let mut call = world.post("/v1/chat/completions", body);
    let name = match call.step(world) {
        Step::Send { request, .. } => request.origin.host.clone(),
        step => call.take_reply(step).error().2,
    };
    name.trim_end_matches(".example").to_owned()
}

/// Of a model of the first provider.
fn told(world: &mut World, model: &str) -> Value {
    let report: Value = serde_json::from_slice(&world.get("/v1/providers").body).unwrap();
    let models = report["providers"][0]["models"].as_array().unwrap();
    models.iter().find(|told| told["model"] == model).unwrap_or_else(|| panic!("{report}")).clone()
}

fn probed(value: impl Into<Value>) -> Value {
    json!({"value": value.into(), "source": "probed"})
}

fn unknown() -> Value {
    json!({"value": null, "source": "unknown"})
}

const SHOWN: &str = r#"{"details":{"quantization_level":"Q4_0"},"model_info":{"general.architecture":"x","x.context_length":256},
    "capabilities":["completion"]}"#;

#[test]
fn ollama_is_asked_of_each_model_and_routing_goes_by_it() {
    let mut world = listed(&config("ollama", "[\"m\", \"n*\"]"), r#"{"id":"n:1"},{"id":"other"},{"id":"n:2"}"#);
    assert_eq!(who(&mut world, TOOLS), "near", "nothing is known yet");
    for (model, body) in [("m", SHOWN), ("n:1", "{}"), ("n:2", "<html>")] {
        let question = next_asked(&mut world);
        assert_eq!((question.what.as_str(), question.model.as_deref()), ("POST /api/show", Some(model)));
        assert!(asked(&world).is_empty(), "one at a time");
        say(&world, &question, 200, body);
    }
    world.now.mono_us += SECOND;
    assert!(asked(&world).is_empty(), "a model that is not served is nobody's business");

    let m = told(&mut world, "m");
    for (name, value) in [
        ("context", probed(256)),
        ("quantization", probed("Q4_0")),
        ("chat", probed(true)),
        ("tools", probed(false)),
        ("vision", probed(false)),
        ("embeddings", unknown()),
        ("memory_bytes", unknown()),
        ("streaming", json!({"value": true, "source": "catalogue"})),
    ] {
        assert_eq!(m[name], value, "{name}");
    }
    assert_eq!(told(&mut world, "n:1")["tools"], unknown());

    let long = CHAT.replace("\"hi\"", &format!("\"{}\"", "why ".repeat(300)));
    assert_eq!(who(&mut world, CHAT), "near");
    assert_eq!(who(&mut world, TOOLS), "far");
    assert_eq!(who(&mut world, &TOOLS.replace("\"m\"", "\"near/m\"")), "unsupported_by_model");
    assert_eq!(who(&mut world, &long), "far");
    assert_eq!(who(&mut world, &long.replace("\"m\"", "\"near/m\"")), "context_length_exceeded");
    assert_eq!(who(&mut world, &TOOLS.replace("\"m\"", "\"n:1\"")), "near", "of whom nothing is known");
    let explained = world.post("/v1/explain", &format!(r#"{{"body":{TOOLS}}}"#)).reply(&mut world);
    let explained: Value = serde_json::from_slice(&explained.body).unwrap();
    let near = explained["candidates"].as_array().unwrap().iter().find(|one| one["provider"] == "near").unwrap();
    assert_eq!(near["excluded"]["reason"], "takes_no_tools", "{explained:#}");
}

#[test]
fn the_operators_word_goes_before_what_a_server_says() {
    let text = config("ollama", "[\"m\"]");
    let said = "[[models]]\nname = \"m\"\nprovider = \"near\"\ntools = true\ncontext_tokens = 4096\n";
    let mut world = listed(&format!("{text}{said}"), "");
    let question = next_asked(&mut world);
    say(&world, &question, 200, SHOWN);
    assert_eq!(who(&mut world, TOOLS), "near");
    let m = told(&mut world, "m");
    assert_eq!(m["tools"], json!({"value": true, "source": "configured"}));
    assert_eq!(m["context"], json!({"value": 4096, "source": "configured"}));
    assert_eq!(m["vision"], probed(false));
}

#[test]
fn a_name_without_a_tag_means_the_latest() {
    let mut world = listed(&config("ollama", "[]"), r#"{"id":"m:latest","owned_by":"library"}"#);
    let question = next_asked(&mut world);
    say(&world, &question, 200, SHOWN);
    assert_eq!(who(&mut world, &TOOLS.replace("\"m\"", "\"near/m\"")), "unsupported_by_model");
}

#[test]
fn who_does_not_answer_is_asked_later_and_serves_meanwhile() {
    let mut world = listed(&config("ollama", "[]"), r#"{"id":"m"},{"id":"n"},{"id":"o"}"#);
    let question = next_asked(&mut world);
    world.gateway.done(question.id, LoopResult::Fetched(Err("refused".into())), world.now);
    assert_eq!(who(&mut world, TOOLS), "near");
    world.now.mono_us += 59 * SECOND;
    assert!(asked(&world).is_empty(), "a server that does not answer is left alone for a minute");
    world.now.mono_us += SECOND;
    let question = next_asked(&mut world);
    assert_eq!(question.model.as_deref(), Some("n"), "and the next is not held up by one that it cannot tell of");
    // Nobody answers this one; its time is over after ten seconds.
    world.now.mono_us += 11 * SECOND;
    let LoopStep::Cancel { id } = world.gateway.next(world.now) else { panic!("it is given up") };
    assert_eq!(id, question.id);
    world.now.mono_us += 60 * SECOND;
    let question = next_asked(&mut world);
    assert_eq!(question.model.as_deref(), Some("o"));
    say(&world, &question, 404, r#"{"error":"model not found"}"#);
    assert_eq!(who(&mut world, TOOLS), "near");

    // With the next list those are asked again that were not told of.
    world.now.mono_us += 300 * SECOND;
    let list = next_asked(&mut world);
    say(&world, &list, 200, r#"{"data":[{"id":"m"},{"id":"n"},{"id":"o"}]}"#);
    for model in ["m", "n"] {
        let question = next_asked(&mut world);
        assert_eq!(question.model.as_deref(), Some(model));
        say(&world, &question, 200, SHOWN);
    }
    assert_eq!(who(&mut world, TOOLS), "far");

    // An hour later all are; what was said holds until something else is.
    for _ in 0..12 {
        world.now.mono_us += 301 * SECOND;
        let list = next_asked(&mut world);
        say(&world, &list, 200, r#"{"data":[{"id":"m"}]}"#);
    }
    let question = next_asked(&mut world);
    assert_eq!(question.model.as_deref(), Some("m"));
    say(&world, &question, 500, "");
    assert_eq!(who(&mut world, TOOLS), "far");
    // A model that is no longer listed is another when it comes again.
    world.now.mono_us += 301 * SECOND;
    let list = next_asked(&mut world);
    say(&world, &list, 200, r#"{"data":[{"id":"n"}]}"#);
    assert_eq!(who(&mut world, TOOLS), "near");
}

#[test]
fn a_server_that_lies_is_asked_as_if_it_had_said_nothing() {
    for lie in [
        r#"{"model_info":{"general.architecture":"x","x.context_length":-5},"capabilities":[]}"#,
        r#"{"model_info":{"general.architecture":"x","x.context_length":1},"capabilities":"none"}"#,
        r#"{"model_info":[],"capabilities":["nothing at all"],"details":7}"#,
        &"[".repeat(1000),
        "",
    ] {
        let mut world = listed(&config("ollama", "[\"m\"]"), "");
        let question = next_asked(&mut world);
        say(&world, &question, 200, lie);
        let long = TOOLS.replace("\"hi\"", &format!("\"{}\"", "why ".repeat(300)));
        assert_eq!(who(&mut world, &long), "near", "{lie}");
        assert_eq!(told(&mut world, "m")["context"], unknown());
    }
}

#[test]
fn llama_cpp_is_asked_of_the_model_that_it_serves() {
    let entry = r#"{"id":"weights.gguf","owned_by":"llamacpp","meta":{"n_ctx_train":131072,"size":4912898304}}"#;
    let props = r#"{"default_generation_settings":{"n_ctx":256},"modalities":{"vision":false,"audio":false},
        "chat_template_caps":{"supports_tools":false}}"#;
    // By its type, and by what it lists.
    for type_name in ["llamacpp", "openai_compatible"] {
        let mut world = listed(&config(type_name, "[\"m\", \"*\"]"), entry);
        let question = next_asked(&mut world);
        assert_eq!((question.what.as_str(), question.model.as_deref()), ("GET /props", None));
        say(&world, &question, 200, props);
        let weights = told(&mut world, "weights.gguf");
        assert_eq!((&weights["context"], &weights["memory_bytes"]), (&probed(256), &probed(4_912_898_304_u64)));
        assert_eq!(told(&mut world, "m")["tools"], probed(false), "it answers to every name");
        assert_eq!(who(&mut world, TOOLS), "far");
        // The server may have been started anew: it is asked with every list.
        world.now.mono_us += 300 * SECOND;
        let list = next_asked(&mut world);
        say(&world, &list, 200, &format!(r#"{{"data":[{entry}]}}"#));
        let question = next_asked(&mut world);
        say(&world, &question, 200, &props.replace("\"supports_tools\":false", "\"supports_tools\":true"));
        assert_eq!(who(&mut world, TOOLS), "near");
    }
    // One that has no `/props` still lists its weights.
    let mut world = listed(&config("llamacpp", "[\"m\"]"), entry);
    let question = next_asked(&mut world);
    say(&world, &question, 404, "");
    assert_eq!(told(&mut world, "m")["memory_bytes"], probed(4_912_898_304_u64));
    assert_eq!(told(&mut world, "m")["context"], unknown(), "what it was trained with is no bound of the server");
    // With several models it is a router, whose properties are none of theirs.
    let mut world = listed(&config("llamacpp", "[]"), &format!(r#"{entry},{{"id":"m","meta":null}}"#));
    world.now.mono_us += SECOND;
    assert!(asked(&world).is_empty());
    assert_eq!(told(&mut world, "weights.gguf")["memory_bytes"], probed(4_912_898_304_u64));
}

#[test]
fn vllm_says_all_in_its_list() {
    let long = CHAT.replace("\"hi\"", &format!("\"{}\"", "why ".repeat(300)));
    for (type_name, owner) in [("vllm", "somebody"), ("openai_compatible", "vllm")] {
        let entry = |most: &str| format!(r#"{{"id":"m","owned_by":"{owner}","max_model_len":{most}}}"#);
        let mut world = listed(&config(type_name, "[]"), &entry("256"));
        assert!(asked(&world).is_empty());
        assert_eq!(told(&mut world, "m")["context"], probed(256));
        assert_eq!(who(&mut world, &long), "far");
        world.now.mono_us += 300 * SECOND;
        let list = next_asked(&mut world);
        say(&world, &list, 200, &format!(r#"{{"data":[{}]}}"#, entry("8192")));
        assert_eq!((who(&mut world, &long), told(&mut world, "m")["context"].clone()), ("near".into(), probed(8192)));
        world.now.mono_us += 300 * SECOND;
        let list = next_asked(&mut world);
        say(&world, &list, 200, &format!(r#"{{"data":[{}]}}"#, entry("-1")));
        assert_eq!((who(&mut world, &long), told(&mut world, "m")["context"].clone()), ("near".into(), unknown()));
    }
}

#[test]
fn a_remote_service_is_not_asked_whatever_it_lists() {
    let entries = r#"{"id":"m","owned_by":"library","max_model_len":256},{"id":"n","owned_by":"llamacpp"}"#;
    for type_name in ["openrouter", "mistral"] {
        let mut world = listed(&config(type_name, "[]"), entries);
        world.now.mono_us += SECOND;
        assert!(asked(&world).is_empty());
        assert_eq!(told(&mut world, "m")["context"], unknown());
    }
    // Of one that names all of its models, and may be anything, not even the list is wanted.
    let world = World::new(&config("openai_compatible", "[\"m\"]"));
    assert!(asked(&world).is_empty());
}

#[test]
fn what_one_server_said_is_not_believed_of_another() {
    let text = config("ollama", "[\"m\"]");
    let mut world = listed(&text, "");
    let question = next_asked(&mut world);
    say(&world, &question, 200, SHOWN);
    assert_eq!(who(&mut world, TOOLS), "far");
    // A reload forgets nothing of the same one.
    world.reload(&text.replace("priority = 2", "priority = 3"));
    assert_eq!(who(&mut world, TOOLS), "far");
    world.reload(&text.replace("near.example/v1", "near.example/other/v1"));
    assert_eq!(who(&mut world, TOOLS), "near");
    world.now.mono_us += 300 * SECOND;
    let list = next_asked(&mut world);
    say(&world, &list, 200, r#"{"data":[]}"#);
    let question = next_asked(&mut world);
    assert_eq!(question.what, "POST /other/api/show", "below the address without `/v1`");
    // It was asked of a server that is gone.
    world.reload(&text);
    say(&world, &question, 200, SHOWN);
    assert_eq!(who(&mut world, TOOLS), "near");
}
