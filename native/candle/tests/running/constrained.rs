//! Answers that are held to a form, by models whose random weights would say anything else.

use candle_core::quantized::GgmlDType;
use hoosh_candle::Candle;
use hoosh_core::dialects::neutral::{Endpoint, Item};
use hoosh_core::engine::Engine;
use hoosh_core::engine::Standing;
use serde_json::{json, Value};

use crate::common::asking::{ask_as, engine, Heard};
use crate::common::Shape;

/// A model whose template tells of functions.
fn model() -> Candle {
    let template = Some(include_str!("../fixtures/templates/qwen2.5.jinja"));
    let small = Shape { width: 32, feed_forward: 32, layers: 1, dtype: GgmlDType::Q8_0, ..Shape::new("llama") };
    engine(&Shape { context: 8192, template, ..small }, |_| {})
}

fn ask(engine: &Candle, more: Value) -> Heard {
    let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }], "seed": 1 });
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    ask_as(engine, Endpoint::Chat, &body.to_string(), Standing::default()).all()
}

fn format(schema: Value) -> Value {
    json!({ "type": "json_schema", "json_schema": { "name": "n", "schema": schema } })
}

fn person() -> Value {
    json!({
        "type": "object", "required": ["name", "age", "tags"], "additionalProperties": false,
        "properties": {
            "name": { "type": "string", "maxLength": 5 },
            "age": { "type": "integer", "minimum": 0, "maximum": 150 },
            "tags": { "type": "array", "items": { "enum": ["a", "b"] }, "minItems": 1, "maxItems": 3 },
        },
    })
}

fn check_person(person: &Value) {
    assert_eq!(person.as_object().map(|object| object.len()), Some(3), "{person}");
    assert!(person["name"].as_str().is_some_and(|name| name.chars().count() <= 5), "{person}");
    assert!(person["age"].as_u64().is_some_and(|age| age <= 150), "{person}");
    let tags = person["tags"].as_array().expect("a list");
    assert!((1..=3).contains(&tags.len()) && tags.iter().all(|tag| tag == "a" || tag == "b"), "{person}");
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_choice_keeps_to_the_schema() {
    let engine = model();
    for seed in 0..12 {
        let more =
            json!({ "response_format": format(person()), "n": 3, "seed": seed, "temperature": 1.5, "top_k": 50 });
        let heard = ask(&engine, more.clone());
        let texts: Vec<String> = (0..3).map(|choice| heard.text(choice)).collect();
        assert!(texts[0] != texts[1] && texts[1] != texts[2], "{texts:?}");
        for (choice, text) in texts.iter().enumerate() {
            check_person(&parsed(text));
            assert_eq!(heard.reason(choice as u32), Some("stop"));
        }
        let again = ask(&engine, more);
        assert_eq!(texts, (0..3).map(|choice| again.text(choice)).collect::<Vec<_>>(), "equal seeds");
    }
}

#[test]
fn an_answer_that_is_cut_is_the_beginning_of_the_whole() {
    let engine = model();
    let whole = ask(&engine, json!({ "response_format": format(person()) }));
    let (text, tokens) = (whole.text(0), whole.usage().output_tokens);
    for length in [1, 7, tokens - 1] {
        let cut = ask(&engine, json!({ "response_format": format(person()), "max_tokens": length }));
        assert_eq!((cut.reason(0), cut.usage().output_tokens), (Some("length"), length));
        assert!(text.starts_with(cut.text(0).trim_end_matches('\u{fffd}')), "{} of {text}", cut.text(0));
    }
    let exact = ask(&engine, json!({ "response_format": format(person()), "max_tokens": tokens }));
    assert_eq!((exact.reason(0), exact.text(0)), (Some("stop"), text), "complete with the last token that it may have");
}

#[test]
fn an_object_without_a_schema_is_one() {
    let engine = model();
    // Biased to close what it opens, since nothing bounds it.
    let bias: Value = (0..256).filter(|byte| *byte != 125).map(|byte| (byte.to_string(), json!(-5))).collect();
    let heard = ask(&engine, json!({ "response_format": { "type": "json_object" }, "logit_bias": bias }));
    assert!(parsed(&heard.text(0)).is_object() && heard.reason(0) == Some("stop"));
}

#[test]
fn stop_strings_and_logprobs_are_as_without_a_form() {
    let engine = model();
    let all = json!({ "response_format": format(person()), "logprobs": true, "top_logprobs": 2 });
    let heard = ask(&engine, all);
    let told = heard.items.iter().filter_map(|item| match item {
        Item::Text { logprobs, .. } => Some(logprobs.len()),
        _ => None,
    });
    assert_eq!(told.sum::<usize>() as u64, heard.usage().output_tokens);
    let stopped = ask(&engine, json!({ "response_format": format(person()), "stop": "\"age\"" }));
    let text = heard.text(0);
    assert_eq!(
        (stopped.text(0).as_str(), stopped.reason(0)),
        (text.split("\"age\"").next().unwrap_or(""), Some("stop"))
    );
}

fn tools(strict: bool) -> Value {
    let function = |name: &str, parameters: Value| json!({ "type": "function", "function": { "name": name, "strict": strict, "parameters": parameters } });
    let nothing = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    json!([function("greet", person()), function("wait", nothing)])
}

/// The calls of an answer, each with what it was called with; and the text beside them.
fn calls(heard: &Heard) -> (Vec<(String, String)>, String) {
    let calls = heard.items.iter().filter_map(|item| match item {
        Item::ToolCall { name, arguments, .. } => Some((name.clone().unwrap_or_default(), arguments.clone())),
        _ => None,
    });
    (calls.collect(), heard.text(0))
}

fn check_call((name, arguments): &(String, String)) {
    match name.as_str() {
        "greet" => check_person(&parsed(arguments)),
        "wait" => assert_eq!(parsed(arguments), json!({})),
        _ => panic!("no function {name}"),
    }
}

#[test]
fn a_call_that_is_required_is_made() {
    let engine = model();
    for seed in 0..12 {
        let one = json!({ "tools": tools(seed % 2 == 0), "tool_choice": "required", "parallel_tool_calls": false, "seed": seed });
        let heard = ask(&engine, one);
        let (made, text) = calls(&heard);
        assert_eq!((made.len(), text.as_str(), heard.reason(0)), (1, "", Some("tool_calls")), "{heard:?}");
        made.iter().for_each(check_call);
    }
}

#[test]
fn a_function_that_is_named_is_called_once() {
    let engine = model();
    let named = json!({ "type": "function", "function": { "name": "greet" } });
    for seed in 0..4 {
        let heard = ask(&engine, json!({ "tools": tools(true), "tool_choice": named, "seed": seed }));
        let (made, _) = calls(&heard);
        assert_eq!(made.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["greet"]);
        made.iter().for_each(check_call);
    }
}

#[test]
fn several_calls_each_keep_to_their_schema() {
    let engine = model();
    // The end is unlikely, so that it calls until it is cut.
    let more = json!({ "tools": tools(true), "tool_choice": "required", "logit_bias": { "256": -100, "258": -100 } });
    let mut more = more;
    more["max_tokens"] = json!(600);
    let heard = ask(&engine, more);
    let (made, _) = calls(&heard);
    assert!(made.len() > 2 && heard.reason(0) == Some("length"), "{made:?}");
    made[..made.len() - 1].iter().for_each(check_call);
}

#[test]
fn a_call_that_is_cut_is_told_as_far_as_it_goes() {
    let engine = model();
    let named = json!({ "type": "function", "function": { "name": "greet" } });
    let more = |limit: u64| json!({ "tools": tools(true), "tool_choice": named, "max_tokens": limit });
    let whole = ask(&engine, more(4_000));
    let cut = ask(&engine, more(whole.usage().output_tokens - 20));
    let (whole, (made, text)) = (calls(&whole).0, calls(&cut));
    assert_eq!((made.len(), text.as_str(), cut.reason(0)), (1, "", Some("length")));
    assert!(whole[0].1.starts_with(&made[0].1) && made[0].1.starts_with('{'), "{made:?} of {whole:?}");
}

#[test]
fn what_may_call_need_not() {
    let engine = model();
    let free = json!({ "tools": tools(true), "max_tokens": 40, "logit_bias": { "256": -100, "258": -100 } });
    let heard = ask(&engine, free);
    assert_eq!((calls(&heard).0.len(), heard.reason(0)), (0, Some("length")));
    assert!(!heard.text(0).is_empty());
    let none = json!({ "tools": tools(true), "tool_choice": "none", "max_tokens": 1 });
    assert!(calls(&ask(&engine, none)).0.is_empty());
}

#[test]
fn a_form_that_grows_too_costly_cuts_its_answer_and_no_other() {
    let engine = model();
    let costly = format(json!({ "type": "string", "pattern": "a?".repeat(20_000) }));
    let heard = ask(&engine, json!({ "response_format": costly }));
    assert_eq!((heard.reason(0), heard.failed.is_none()), (Some("length"), true));
    check_person(&parsed(&ask(&engine, json!({ "response_format": format(person()) })).text(0)));
}

#[test]
fn a_form_that_cannot_be_is_refused_and_others_go_on() {
    let engine = model();
    assert!(engine.cards()[0].abilities.structured_output);
    for (more, code, field) in [
        (json!({ "response_format": format(json!({ "type": "nothing" })) }), "invalid_schema", "`response_format`"),
        (
            json!({ "response_format": format(json!({ "enum": ["x".repeat(200_000)] })) }),
            "schema_too_large",
            "`response_format`",
        ),
        (json!({ "response_format": { "type": "xml" } }), "unsupported_value", "`response_format`"),
        (json!({ "tool_choice": "required" }), "invalid_value", "`tool_choice`"),
    ] {
        let refusal = ask(&engine, more).refused.expect("refused");
        assert_eq!((refusal.status, refusal.code), (400, code), "{}", refusal.message);
        assert!(refusal.message.starts_with(field), "{}", refusal.message);
    }
    check_person(&parsed(&ask(&engine, json!({ "response_format": format(person()) })).text(0)));
}
