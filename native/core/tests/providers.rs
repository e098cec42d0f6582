//! Each provider type of the catalogue has a recorded or constructed exchange, `fixtures/providers/NAME.json`, that goes through
//! its dialect with its quirks; and docs/providers.md is what the catalogue says.
//!
//! A new fixture has `source`, `request` and `answer` (and `stream`, lines of events, if there is one to show).
//! `UPDATE_PROVIDERS=1 cargo test -p hoosh-core --test main providers::` writes what becomes of them beside, to be looked at, and the
//! document anew.

use std::path::PathBuf;

use bytes::Bytes;
use hoosh_core::config::catalogue::{self, ProviderType};
use hoosh_core::config::ProviderKind;
use hoosh_core::dialects::neutral::{Endpoint, Item};
use hoosh_core::dialects::openai::OpenAiChat;
use hoosh_core::dialects::{Answer, Dialect, Fed, Listener, Loss, Protocol, To};
use serde_json::{json, Map, Value};

fn is_update() -> bool {
    std::env::var_os("UPDATE_PROVIDERS").is_some()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/providers")
}

/// Those that a catalogue describes.
fn described() -> impl Iterator<Item = &'static ProviderType> {
    catalogue::types().iter().filter(|kind| kind.kind == ProviderKind::Http)
}

/// How a provider of this type is spoken to.
fn protocol(kind: &ProviderType) -> &'static dyn Protocol {
    match kind.dialect {
        Dialect::NEUTRAL => Box::leak(Box::new(OpenAiChat { manners: kind.manners })),
        other => other.protocol(),
    }
}

fn members(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

/// What the items of an answer say, pieces joined.
fn said(items: &[Item]) -> Value {
    let mut told = Map::new();
    let mut add = |name: &str, text: &str| {
        let known = told.entry(name).or_insert_with(|| json!(""));
        *known = json!(format!("{}{text}", known.as_str().unwrap_or_default()));
    };
    let mut rest = Map::new();
    for item in items {
        match item {
            Item::Text { text, .. } => add("text", text),
            Item::Reasoning { text, .. } => add("reasoning", text),
            Item::Finish { reason, .. } => add("finish", reason),
            Item::ToolCall { name, arguments, .. } => {
                add("call", name.as_deref().unwrap_or_default());
                add("arguments", arguments);
            }
            Item::Usage(usage) => {
                let counts = [usage.input_tokens, usage.output_tokens, usage.cached_tokens];
                rest.insert("usage".into(), json!(counts));
            }
            _ => {}
        }
    }
    told.extend(rest);
    Value::Object(told)
}

fn streamed(protocol: &dyn Protocol, text: &str) -> Value {
    let (mut listener, mut items) = (Listener::of(protocol), Vec::new());
    listener.push(Bytes::copy_from_slice(text.as_bytes()));
    while let Some((fed, _)) = listener.next_event(&mut items) {
        assert!(!matches!(fed, Fed::Malformed), "{text}");
    }
    listener.finish(&mut items);
    said(&items)
}

/// What becomes of a fixture's request and answers.
fn become_of(kind: &ProviderType, fixture: &Map<String, Value>) -> Map<String, Value> {
    let protocol = protocol(kind);
    let request = &fixture["request"];
    let model = request["model"].as_str().expect("a model");
    let to = To { endpoint: Endpoint::Chat, model, stream: false, cap: Some(64), version: "2023-06-01" };
    let mut loss = Loss::default();
    let sent = protocol.write_request(&to, request.to_string().as_bytes(), &mut loss).expect("a request");
    let lost: Vec<String> = loss.fields().iter().map(|lost| lost.field.to_string()).collect();
    let mut items = Vec::new();
    let answer = fixture["answer"].to_string();
    let read = protocol.read_answer(Endpoint::Chat, answer.as_bytes(), &mut items);
    assert_eq!(read, Answer::Whole, "{}: {answer}", kind.name);
    let sent: Value = serde_json::from_slice(&sent).expect("JSON");
    let mut told = members(json!({"sent": sent, "lost": lost, "read": said(&items)}));
    if let Some(events) = fixture.get("stream") {
        let lines = events.as_array().expect("events").iter().map(|event| event.as_str().expect("an event"));
        let text: String = lines.map(|event| format!("{event}\n\n")).collect();
        told.insert("streamed".into(), streamed(protocol, &text));
    }
    told
}

#[test]
fn each_type_has_an_exchange_that_goes_as_it_says() {
    for kind in described() {
        let file = folder().join(format!("{}.json", kind.name));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("{} is missing", file.display()));
        let mut fixture = members(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", kind.name)));
        assert!(fixture["source"].as_str().is_some_and(|source| !source.is_empty()), "{}", kind.name);
        let told = become_of(kind, &fixture);
        if is_update() {
            fixture.extend(told);
            let order = ["source", "request", "sent", "lost", "answer", "read", "stream", "streamed"];
            let written =
                order.iter().filter_map(|name| Some(format!("  {}: {}", json!(name), pretty(fixture.get(*name)?))));
            std::fs::write(&file, format!("{{\n{}\n}}\n", written.collect::<Vec<_>>().join(",\n"))).unwrap();
            continue;
        }
        for (name, value) in told {
            assert_eq!(fixture.get(&name), Some(&value), "{} of {}", name, kind.name);
        }
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap().replace('\n', "\n  ")
}

#[test]
fn each_exchange_is_of_a_type() {
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(described().any(|kind| kind.name == name), "{name} is no type of the catalogue");
    }
}
