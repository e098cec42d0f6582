//! Nothing is lost in silence: each thing that a neutral request says is found again behind each dialect, or stands in the
//! loss report.

mod facts;
mod request;

use std::collections::BTreeMap;

use facts::{facts, Fact};
use hoosh_core::dialects::neutral::Endpoint;
use hoosh_core::dialects::{Ask, Dialect, Loss, To};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use request::requests;
use serde_json::{json, Value};

const TO: To<'static> = To { endpoint: Endpoint::Chat, model: "m", stream: false, cap: None, version: "2023-06-01" };

fn ask() -> Ask {
    Ask { endpoint: Some(Endpoint::Chat), model: Some("m".into()), stream: Some(false), ..Ask::default() }
}

/// What `dialect` is asked for `request`, read by its own reader again; and the reports of both. `None`: it is refused.
fn there_and_back(dialect: Dialect, request: &Value) -> Option<(Value, Loss)> {
    let protocol = dialect.protocol();
    let mut loss = Loss::default();
    let body = protocol.write_request(&TO, request.to_string().as_bytes(), &mut loss).ok()?;
    let back = protocol.read_request(&ask(), &body, &mut loss);
    let back = back.unwrap_or_else(|failure| panic!("{dialect:?}: {failure:?}\n{}", String::from_utf8_lossy(&body)));
    Some((serde_json::from_slice(&back).expect("JSON"), loss))
}

/// Whether the report names a fact's place, or what it is in.
fn is_reported(fact: &Fact, loss: &Loss) -> bool {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let names = |place: &str| loss.fields().iter().any(|lost| within(place, &lost.field));
    names(&fact.place) || SHARED.iter().any(|(place, with)| fact.place.starts_with(place) && names_exactly(loss, with))
}

fn names_exactly(loss: &Loss, place: &str) -> bool {
    loss.fields().iter().any(|lost| lost.field == place)
}

/// What goes the way of something else, or is told by a part of it: a mark with the part that it is on, tools with a choice
/// that leaves them out.
const SHARED: &[(&str, &str)] = &[
    ("messages[].content[].cache_control", "messages[].content[].file"),
    ("messages[].content[].cache_control", "messages[].content[].image_url"),
    ("messages[].content[].cache_control", "messages[].content[].input_audio"),
    ("messages[].content[].cache_control", "messages[].content[].file.file_url"),
    ("messages[].content[].file", "messages[].content[].file.file_url"),
    ("tools[]", "tool_choice"),
    ("tools[]", "tool_choice.allowed_tools"),
    ("tools[]", "tools[].type"),
    ("tools[]", "tools[].type:native"),
    ("tool_choice", "tool_choice.allowed_tools"),
];

/// Requests that are tried.
const REQUESTS: usize = 2_000;

#[test]
fn what_is_said_survives_or_is_reported() {
    // Of each silent loss the shortest request that shows it.
    let mut silent: BTreeMap<String, String> = BTreeMap::new();
    let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() });
    for _ in 0..REQUESTS {
        let request = requests().new_tree(&mut runner).expect("a request").current();
        for dialect in Dialect::ALL {
            let Some((back, loss)) = there_and_back(dialect, &request) else {
                *refused.entry(dialect.as_str()).or_default() += 1;
                continue;
            };
            let found = facts(&back);
            for fact in facts(&request)
                .iter()
                .filter(|fact| !(fact.is_usual() || fact.is_in(&found) || is_reported(fact, &loss)))
            {
                let shown = format!("{fact:?}\n  of {request}\n  as {back}\n  reported: {:?}", loss.full());
                let example =
                    silent.entry(format!("{} {}", dialect.as_str(), fact.place)).or_insert_with(|| shown.clone());
                if shown.len() < example.len() {
                    *example = shown;
                }
            }
        }
    }
    // Who refuses everything loses nothing.
    assert!(refused.values().all(|refused| *refused < REQUESTS / 10), "{refused:?}");
    for still in STILL {
        assert!(silent.remove(*still).is_some(), "{still} is mended: strike it");
    }
    let told: Vec<String> = silent.iter().map(|(what, example)| format!("{what}: {example}")).collect();
    assert!(silent.is_empty(), "lost in silence:\n{}", told.join("\n"));
}

/// Known, and to be mended.
const STILL: &[&str] = &[];

/// What no protocol has.
const MADE_UP: &str = "madeup";

/// All objects in `value` that are of the protocol's own, as pointers. What is in arguments and schemas is the caller's.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.push(at.to_owned());
            for (name, value) in members.iter().filter(|(name, _)| !FREE.contains(&&***name)) {
                objects(value, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(number, value)| objects(value, &format!("{at}/{number}"), found));
        }
        _ => {}
    }
}

/// Members whose content is not the protocol's.
const FREE: &[&str] = &[
    "parameters",
    "parametersJsonSchema",
    "input_schema",
    "schema",
    "responseJsonSchema",
    "format",
    "arguments",
    "args",
    "input",
    "response",
    "metadata",
    "logit_bias",
    "cache_control",
    "made_up",
];

#[test]
fn what_a_caller_says_that_nobody_knows_is_reported() {
    let mut silent: BTreeMap<String, String> = BTreeMap::new();
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() });
    for _ in 0..REQUESTS / 10 {
        let request = requests().new_tree(&mut runner).expect("a request").current();
        for dialect in Dialect::ALL {
            let protocol = dialect.protocol();
            let Ok(body) = protocol.write_request(&TO, request.to_string().as_bytes(), &mut Loss::default()) else {
                continue;
            };
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            let mut places = Vec::new();
            objects(&body, "", &mut places);
            for place in places {
                let mut body = body.clone();
                body.pointer_mut(&place).expect("an object")[MADE_UP] = json!("x");
                let mut loss = Loss::default();
                // Refused is told, too.
                let Ok(back) = protocol.read_request(&ask(), body.to_string().as_bytes(), &mut loss) else { continue };
                let carried = String::from_utf8_lossy(&back).contains(MADE_UP);
                if !carried && !loss.fields().iter().any(|lost| lost.field.contains(MADE_UP)) {
                    let place = place.replace(|letter: char| letter.is_ascii_digit(), "[]").replace("/[]", "[]");
                    silent.entry(format!("{} {place}", dialect.as_str())).or_insert_with(|| body.to_string());
                }
            }
        }
    }
    let told: Vec<String> = silent.iter().map(|(what, example)| format!("{what}: {example}")).collect();
    assert!(silent.is_empty(), "lost in silence:\n{}", told.join("\n"));
}
