//! What holds of any JSON, and of any items.

use proptest::prelude::*;
use serde_json::{json, Value as Json};

use super::{calls, decode, encode, finish, joined, stream_of, text, thinks, OpenAiResponses, TO, USAGE};
use crate::dialects::neutral::{Endpoint, Item, Thought};
use crate::dialects::responses::history::{input_items, items_to_keep, whole_body, Page};
use crate::dialects::{Ask, Dialect, Fed, Loss, Protocol};
use crate::json::{validate, Limits};

/// Names and words of the protocol, so that values are near to what is read.
fn word() -> impl Strategy<Value = String> {
    proptest::sample::select(vec![
        "type",
        "role",
        "content",
        "text",
        "input",
        "output",
        "message",
        "reasoning",
        "summary",
        "encrypted_content",
        "user",
        "assistant",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "call_id",
        "name",
        "arguments",
        "tools",
        "tool_choice",
        "function",
        "custom",
        "format",
        "grammar",
        "namespace",
        "native",
        "input_text",
        "input_image",
        "image_url",
        "input_file",
        "file_data",
        "refusal",
        "output_text",
        "annotations",
        "logprobs",
        "id",
        "status",
        "completed",
        "usage",
        "input_tokens",
        "instructions",
        "model",
        "messages",
        "stream",
        "delta",
        "item",
        "output_index",
        "content_index",
        "response",
        "response.completed",
        "response.output_text.delta",
        "response.output_item.added",
        "response.output_item.done",
        "error",
        "response.function_call_arguments.delta",
        "hoosh.thoughts.[{\"origin\":\"gemini\",\"type\":\"call\",\"call_id\":\"\"}]",
        "hoosh.thoughts.[",
        "thoughts",
        "tool_calls",
        "tool",
        "tool_call_id",
        "origin",
        "openai_responses",
        "x",
        "",
        "thinking",
        "enabled",
        "response_format",
        "json_schema",
        "allowed_tools",
        "previous_response_id",
        "incomplete_details",
    ])
    .prop_map(str::to_owned)
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        (0u8..4).prop_map(Json::from),
        word().prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            proptest::collection::vec((word(), inner), 0..8).prop_map(|all| Json::Object(all.into_iter().collect())),
        ]
    })
}

fn any_item() -> impl Strategy<Value = Item> {
    let origin = proptest::sample::select(Dialect::ALL.to_vec());
    let opaque = "[a-z\"\\\\\n]{0,6}";
    let thought = prop_oneof![
        opaque.prop_map(Thought::Signature),
        opaque.prop_map(Thought::Redacted),
        opaque.prop_map(Thought::OfText),
        (0u32..3, opaque).prop_map(|(call, text)| Thought::OfCall(call, text)),
        Just(Thought::Item("{\"id\":\"rs_9\",\"type\":\"reasoning\",\"summary\":[]}".into())),
        Just(Thought::Item("{\"id\":\"ws_9\",\"type\":\"web_search_call\"}".into())),
    ];
    prop_oneof![
        "\\PC{0,6}".prop_map(|said| text(&said)),
        "\\PC{0,6}".prop_map(|said| thinks(&said)),
        (0u32..3, "[ -~]{0,6}").prop_map(|(at, arguments)| calls(at, &format!("call_{at}"), "f", &arguments)),
        "\\PC{0,6}".prop_map(|text| Item::Refusal { choice: 0, text }),
        (origin, thought).prop_map(|(origin, thought)| Item::Thought { choice: 0, origin, thought }),
        Just(Item::Annotation { choice: 0, json: "{\"type\":\"url_citation\",\"url_citation\":{}}".into() }),
        Just(Item::Annotation { choice: 0, json: "nonsense".into() }),
        Just(Item::StopSequence { choice: 0, text: "x".into() }),
    ]
}

/// Text and arguments, which must come through whatever else is said.
fn words(items: &[Item]) -> (String, String, Vec<(u32, String)>) {
    let (mut said, mut thought, mut arguments) = (String::new(), String::new(), Vec::new());
    for item in joined(items) {
        match item {
            Item::Text { text, .. } => said.push_str(&text),
            Item::Reasoning { text, .. } => thought.push_str(&text),
            Item::ToolCall { index, arguments: own, .. } => arguments.push((index, own)),
            _ => {}
        }
    }
    (said, thought, arguments)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_request_is_read_or_refused(input in any_json(), more in any_json()) {
        for mut body in [json!({"model": "m", "input": input}), more] {
            if let Json::Object(body) = &mut body {
                body.entry("model").or_insert(json!("m"));
            }
            let neutral = OpenAiResponses.read_request(&Ask::default(), body.to_string().as_bytes(), &mut Loss::default());
            if let Ok(neutral) = neutral {
                prop_assert!(validate(&neutral, Limits::default()).is_ok(), "{}", String::from_utf8_lossy(&neutral));
                prop_assert!(serde_json::from_slice::<Json>(&neutral).unwrap()["messages"].is_array());
                let again = OpenAiResponses.write_request(&TO, &neutral, &mut Loss::default()).unwrap();
                prop_assert!(validate(&again, Limits::default()).is_ok(), "{}", String::from_utf8_lossy(&again));
            }
            let spliced = OpenAiResponses.splice_request(&TO, body.to_string().as_bytes());
            prop_assert!(validate(&spliced, Limits::default()).is_ok());
        }
    }

    #[test]
    fn any_neutral_request_is_written_as_json(messages in any_json(), more in any_json()) {
        for body in [json!({"model": "m", "messages": [messages]}), json!({"messages": messages, "tools": more}), more] {
            if let Ok(body) = OpenAiResponses.write_request(&TO, body.to_string().as_bytes(), &mut Loss::default()) {
                prop_assert!(validate(&body, Limits::default()).is_ok(), "{}", String::from_utf8_lossy(&body));
            }
        }
    }

    #[test]
    fn any_answer_and_any_event_are_read(values in proptest::collection::vec(any_json(), 1..6)) {
        for value in &values {
            let body = json!({"output": [value]});
            OpenAiResponses.read_answer(Endpoint::Chat, body.to_string().as_bytes(), &mut Vec::new());
            OpenAiResponses.read_answer(Endpoint::Chat, value.to_string().as_bytes(), &mut Vec::new());
            OpenAiResponses.error_words(value.to_string().as_bytes());
        }
        decode(&stream_of(&values));
        let kinds = ["response.output_item.added", "response.output_item.done", "response.output_text.delta", "response.completed"];
        let events = values.iter().zip(kinds.iter().cycle());
        let events: Vec<_> = events.map(|(value, kind)| json!({"type": kind, "item": value, "delta": "a", "response": value})).collect();
        decode(&stream_of(&events));
    }

    #[test]
    fn any_bytes_are_borne(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let ask = Ask::default();
        prop_assert!(OpenAiResponses.read_request(&ask, &bytes, &mut Loss::default()).is_err());
        OpenAiResponses.splice_request(&TO, &bytes);
        OpenAiResponses.read_answer(Endpoint::Chat, &bytes, &mut Vec::new());
        OpenAiResponses.error_words(&bytes);
        prop_assert!(whole_body(&bytes, &bytes).is_err());
        items_to_keep(&bytes, &bytes);
        input_items("r", &bytes, &Page::default());
    }

    #[test]
    fn any_items_are_written_and_read_again(items in proptest::collection::vec(any_item(), 0..12)) {
        let items = [&items[..], &[finish("stop")]].concat();
        let (fed, again) = decode(&encode(&items));
        prop_assert_eq!(fed, Fed::Done);
        let (said, thought, mut arguments) = words(&items);
        arguments.iter_mut().filter(|(_, own)| own.is_empty()).for_each(|(_, own)| own.push_str("{}"));
        let read = words(&again);
        prop_assert_eq!(&read.0, &said);
        prop_assert_eq!(&read.1, &thought);
        let own: Vec<_> = arguments.iter().map(|(_, own)| own).collect();
        prop_assert_eq!(read.2.iter().map(|(_, own)| own).collect::<Vec<_>>(), own);
        let mut whole = Vec::new();
        OpenAiResponses.read_answer(Endpoint::Chat, &OpenAiResponses.write_answer(&super::reply(), &items, &USAGE), &mut whole);
        prop_assert_eq!(words(&whole), words(&again));
    }
}
