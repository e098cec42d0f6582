//! Neutral requests of every kind: each member that docs/dialects.md names, there or not, and each text another one, so
//! that it can be found again.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{json, Map, Value};

/// Stands for a text until [`numbered`] has given it one of its own.
const TEXT: &str = "§";
/// A picture of one byte.
const PICTURE: &str = "data:image/png;base64,iVBORw0KGgo=";

pub fn requests() -> impl Strategy<Value = Value> {
    (messages(), sampling(), tools(), wishes()).prop_map(|(messages, sampling, tools, wishes)| {
        let mut request = Map::from_iter([("model".to_owned(), json!("m")), ("messages".to_owned(), messages)]);
        for members in [sampling, tools, wishes] {
            request.extend(members);
        }
        let mut request = Value::Object(request);
        numbered(&mut request, &mut 0);
        request
    })
}

/// A member that is there or not.
fn maybe(name: &'static str, value: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Option<(String, Value)>> {
    option::weighted(0.3, value).prop_map(move |value| Some((name.to_owned(), value?))).boxed()
}

fn members(all: Vec<BoxedStrategy<Option<(String, Value)>>>) -> impl Strategy<Value = Map<String, Value>> {
    all.prop_map(|all| all.into_iter().flatten().collect())
}

fn one_of(values: &[Value]) -> impl Strategy<Value = Value> {
    proptest::sample::select(values.to_vec())
}

fn sampling() -> impl Strategy<Value = Map<String, Value>> {
    members(vec![
        maybe("temperature", one_of(&[json!(0), json!(0.5), json!(1.5)])),
        maybe("top_p", one_of(&[json!(0.25), json!(0.75)])),
        maybe("top_k", one_of(&[json!(3), json!(40)])),
        maybe("min_p", one_of(&[json!(0.125)])),
        maybe("n", one_of(&[json!(1), json!(2), json!(9)])),
        maybe("seed", one_of(&[json!(7), json!(1u64 << 40)])),
        maybe("stop", one_of(&[json!("END"), json!(["A1", "B2"]), json!(["1", "2", "3", "4", "5", "6"])])),
        maybe("max_tokens", one_of(&[json!(64), json!(20_000)])),
        maybe("presence_penalty", one_of(&[json!(0.5), json!(-1)])),
        maybe("frequency_penalty", one_of(&[json!(0.25)])),
        maybe("logit_bias", one_of(&[json!({"50256": -100})])),
        maybe("logprobs", one_of(&[json!(true)])),
        maybe("reasoning_effort", one_of(&[json!("none"), json!("low"), json!("high"), json!("xhigh")])),
    ])
}

fn tools() -> impl Strategy<Value = Map<String, Value>> {
    let schema = one_of(&[
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false}),
        json!({"type": "object", "properties": {"n": {"type": ["integer", "null"], "minimum": 3}}}),
    ]);
    let function = (schema, option::of(Just(true)), option::weighted(0.2, Just(json!({"type": "ephemeral"}))));
    let function = function.prop_map(|(schema, strict, marker)| {
        let mut function = json!({"name": "look_up", "description": TEXT, "parameters": schema});
        if let Some(strict) = strict {
            function["strict"] = json!(strict);
        }
        let mut tool = json!({"type": "function", "function": function});
        if let Some(marker) = marker {
            tool["cache_control"] = marker;
        }
        tool
    });
    let custom = Just(json!({"type": "custom", "custom": {"name": "run_code", "description": TEXT}}));
    let native = one_of(&[
        json!({"type": "native", "origin": "anthropic", "value": {"type": "web_search_20250305", "name": "web_search"}}),
        json!({"type": "native", "origin": "gemini", "value": {"googleSearch": {}}}),
    ]);
    let choice = one_of(&[
        json!("auto"),
        json!("none"),
        json!("required"),
        json!({"type": "function", "function": {"name": "look_up"}}),
    ]);
    let others =
        (option::weighted(0.2, custom), option::weighted(0.2, native), option::of(choice), option::of(any::<bool>()));
    option::of((function, others)).prop_map(|all| {
        let Some((function, (custom, native, choice, parallel))) = all else { return Map::new() };
        let tools: Vec<Value> = [Some(function), custom, native].into_iter().flatten().collect();
        let named = [
            ("tools", Some(json!(tools))),
            ("tool_choice", choice),
            ("parallel_tool_calls", parallel.map(Value::Bool)),
        ];
        named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    })
}

fn wishes() -> impl Strategy<Value = Map<String, Value>> {
    let schema = json!({"type": "object", "properties": {"answer": {"type": "string", "maxLength": 9}}, "required": ["answer"], "additionalProperties": false});
    let format = one_of(&[
        json!({"type": "json_object"}),
        json!({"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": schema}}),
    ]);
    members(vec![
        maybe("response_format", format),
        maybe("user", one_of(&[json!("user-17")])),
        maybe("metadata", one_of(&[json!({"job": "nightly"})])),
        maybe("service_tier", one_of(&[json!("auto"), json!("default"), json!("flex"), json!("priority")])),
        maybe("store", any::<bool>().prop_map(Value::Bool)),
        maybe("safety_identifier", one_of(&[json!("person-4")])),
        maybe("prompt_cache_key", one_of(&[json!("prefix-9")])),
        maybe("verbosity", one_of(&[json!("low")])),
        maybe("modalities", one_of(&[json!(["text"]), json!(["text", "audio"])])),
        maybe(
            "safety_settings",
            one_of(&[json!([{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}])]),
        ),
        maybe("made_up", one_of(&[json!({"by": "nobody"})])),
    ])
}

fn messages() -> impl Strategy<Value = Value> {
    let system =
        proptest::sample::select(vec!["system", "developer"]).prop_map(|role| json!({"role": role, "content": TEXT}));
    let turn = prop_oneof![2 => user().prop_map(|user| vec![user]), 1 => exchange()];
    (option::of(system), user(), vec(turn, 0..3), user()).prop_map(|(system, first, turns, last)| {
        let turns = turns.into_iter().flatten();
        system.into_iter().chain([first]).chain(turns).chain([last]).collect()
    })
}

fn user() -> impl Strategy<Value = Value> {
    let content = prop_oneof![Just(json!(TEXT)), vec(part(), 1..4).prop_map(|parts| json!(parts))];
    (content, option::weighted(0.1, Just("anna"))).prop_map(|(content, name)| {
        let mut message = json!({"role": "user", "content": content});
        if let Some(name) = name {
            message["name"] = json!(name);
        }
        message
    })
}

fn part() -> impl Strategy<Value = Value> {
    let part = prop_oneof![
        3 => Just(json!({"type": "text", "text": TEXT})),
        1 => Just(json!({"type": "image_url", "image_url": {"url": PICTURE}})),
        1 => Just(json!({"type": "image_url", "image_url": {"url": "https://pictures.example/1.png"}})),
        1 => Just(json!({"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}})),
        1 => Just(json!({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}})),
    ];
    (part, option::weighted(0.1, Just(json!({"type": "ephemeral"})))).prop_map(|(mut part, marker)| {
        if let Some(marker) = marker {
            part["cache_control"] = marker;
        }
        part
    })
}

/// An assistant's answer, with or without calls, and their results.
fn exchange() -> impl Strategy<Value = Vec<Value>> {
    let result = (any::<bool>(), option::weighted(0.3, Just(true)));
    (option::of(Just(TEXT)), option::weighted(0.3, Just(TEXT)), vec(result, 0..3)).prop_map(|(says, thinks, results)| {
        let says = if results.is_empty() { Some(TEXT) } else { says };
        let mut assistant = json!({"role": "assistant", "content": says});
        if let Some(thinks) = thinks {
            assistant["reasoning_content"] = json!(thinks);
        }
        let id = |at: usize| format!("call_{at}_{}", results.len());
        let calls: Vec<Value> = (0..results.len())
            .map(|at| json!({"id": id(at), "type": "function", "function": {"name": "look_up", "arguments": format!("{{\"city\":\"{TEXT}\"}}")}}))
            .collect();
        if !calls.is_empty() {
            assistant["tool_calls"] = json!(calls);
        }
        let told = results.iter().enumerate().map(|(at, (in_parts, failed))| {
            let content = if *in_parts { json!([{"type": "text", "text": TEXT}]) } else { json!(TEXT) };
            let mut message = json!({"role": "tool", "tool_call_id": id(at), "content": content});
            if let Some(failed) = failed {
                message["is_error"] = json!(failed);
            }
            message
        });
        std::iter::once(assistant).chain(told).collect()
    })
}

/// Gives each text a word of its own.
fn numbered(value: &mut Value, next: &mut u32) {
    match value {
        Value::String(text) => {
            while let Some(at) = text.find(TEXT) {
                text.replace_range(at..at + TEXT.len(), &format!("wörd{next}."));
                *next += 1;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| numbered(value, next)),
        Value::Object(fields) => fields.values_mut().for_each(|value| numbered(value, next)),
        _ => {}
    }
}
