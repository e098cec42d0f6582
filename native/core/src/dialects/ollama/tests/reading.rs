use serde_json::{json, Value};

use super::super::load::{self, Load};
use super::super::{Ollama, REQUEST_FIELDS};
use super::{ask, chat, generate, lost, read, try_read};
use crate::dialects::neutral::Endpoint;
use crate::dialects::{Change, Form, Loss, Protocol, Reply};

const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// As `ollama-python` sends it.
fn whole() -> Value {
    json!({
        "model": "m", "stream": true, "format": {"type": "object", "properties": {"a": {"type": "integer"}}}, "think": "high",
        "options": {"num_predict": 50, "temperature": 0.5, "top_k": 3, "top_p": 0.9, "min_p": 0.05, "seed": 7, "stop": ["END"],
            "presence_penalty": 0.5, "frequency_penalty": -0.5},
        "logprobs": true, "top_logprobs": 2,
        "tools": [{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {}}}}],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is this?", "images": [PNG]},
            {"role": "assistant", "content": "", "thinking": "Hm.", "tool_calls": [
                {"function": {"name": "look", "arguments": {"at": [1, 2]}}},
                {"function": {"name": "hear", "arguments": {}}}]},
            {"role": "tool", "tool_name": "hear", "content": "nothing"},
            {"role": "tool", "tool_name": "look", "content": "a cat"},
            {"role": "user", "content": "So?"}]
    })
}

#[test]
fn all_of_a_chat_is_in_the_neutral_request() {
    let (neutral, loss) = read(&chat(), &whole());
    assert!(loss.is_empty(), "{loss:?}");
    assert_eq!(
        neutral,
        json!({
            "model": "m", "stream": true, "reasoning_effort": "high",
            "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": whole()["format"]}},
            "max_tokens": 50, "temperature": 0.5, "top_k": 3, "top_p": 0.9, "min_p": 0.05, "seed": 7, "stop": ["END"],
            "presence_penalty": 0.5, "frequency_penalty": -0.5, "logprobs": true, "top_logprobs": 2, "tools": whole()["tools"],
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": [
                    {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PNG}")}},
                    {"type": "text", "text": "What is this?"}]},
                {"role": "assistant", "content": null, "reasoning_content": "Hm.", "tool_calls": [
                    {"id": "call_0_look", "type": "function", "function": {"name": "look", "arguments": "{\"at\":[1,2]}"}},
                    {"id": "call_1_hear", "type": "function", "function": {"name": "hear", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "call_1_hear", "content": "nothing"},
                {"role": "tool", "tool_call_id": "call_0_look", "content": "a cat"},
                {"role": "user", "content": "So?"}]
        })
    );
}

#[test]
fn what_sdks_send_unasked_says_nothing() {
    let body = json!({"model": "m", "prompt": "Hi", "suffix": "", "system": "", "template": "", "context": [], "raw": false,
        "stream": false, "images": [], "format": "", "options": {}, "logprobs": false, "top_logprobs": 0, "truncate": false, "keep_alive": null});
    let (neutral, loss) = read(&generate(), &body);
    assert!(loss.is_empty(), "{loss:?}");
    assert_eq!(neutral, json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}));
}

#[test]
fn a_prompt_is_a_conversation_of_one() {
    let body = json!({"model": "m", "prompt": "Hi", "system": "Be brief.", "images": [PNG], "suffix": "x", "template": "{{.Prompt}}",
        "raw": true, "context": [1, 2], "think": false, "width": 5, "keep_alive": "5m"});
    let (neutral, loss) = read(&generate(), &body);
    assert_eq!(neutral["messages"][0], json!({"role": "system", "content": "Be brief."}));
    assert_eq!(neutral["messages"][1]["content"][1], json!({"type": "text", "text": "Hi"}));
    assert_eq!((&neutral["stream"], &neutral["thinking"]), (&json!(true), &json!({"type": "disabled"})));
    for field in ["suffix", "template", "raw", "context", "width", "keep_alive"] {
        assert_eq!(lost(&loss, field), Some(Change::Dropped), "{field}");
    }
}

#[test]
fn streams_are_the_default() {
    for (stream, streams) in [(Value::Null, true), (json!(true), true), (json!(false), false)] {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": stream});
        assert_eq!(read(&chat(), &body).0["stream"] == json!(true), streams, "{stream}");
    }
}

#[test]
fn ids_are_kept_where_there_are_some_and_the_same_each_time_where_there_are_none() {
    let body = json!({"model": "m", "messages": [
        {"role": "assistant", "content": "x", "tool_calls": [
            {"id": "mine", "function": {"name": "a b", "arguments": {}}}, {"function": {"name": "a b", "arguments": {}}},
            {"function": {"name": "a b", "arguments": null}}]},
        {"role": "tool", "tool_call_id": "mine", "content": "1"},
        {"role": "tool", "content": "2"},
        {"role": "tool", "tool_name": "a b", "content": "3"},
        {"role": "tool", "tool_name": "nobody's", "content": "4"}]});
    let (neutral, loss) = read(&chat(), &body);
    let ids: Vec<_> = (1..5).map(|at| neutral["messages"][at]["tool_call_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, ["mine", "call_1_a_b", "call_2_a_b", "call_3_nobody_s"]);
    assert_eq!(lost(&loss, "messages[].tool_name"), Some(Change::Approximated));
    assert_eq!(read(&chat(), &body).0, neutral);
}

#[test]
fn values_that_others_do_not_take_are_moved_and_it_is_said() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "think": "max", "options": {
        "temperature": 3, "top_p": 1.5, "frequency_penalty": -9, "num_predict": -1, "top_k": 0, "seed": -1, "min_p": 0.0, "stop": [],
        "repeat_penalty": 1.0}});
    let (neutral, loss) = read(&chat(), &body);
    assert_eq!(
        neutral,
        json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": true, "temperature": 2, "top_p": 1,
            "frequency_penalty": -2, "reasoning_effort": "xhigh"})
    );
    for field in ["options.temperature", "options.top_p", "options.frequency_penalty"] {
        assert_eq!(lost(&loss, field), Some(Change::Clamped), "{field}");
    }
    assert_eq!(loss.fields().len(), 4);
}

#[test]
fn each_field_that_no_other_dialect_has_is_reported() {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "x", "odd": 1}], "odd": 1, "options": {"odd": 1},
        "tools": [{"function": {"name": "f"}, "odd": 1}]});
    for (field, neutral, _) in REQUEST_FIELDS {
        match field.strip_prefix("options.") {
            Some(option) if neutral.is_empty() => body["options"][option] = json!(5),
            None if neutral.is_empty() => body[*field] = json!(5),
            _ => {}
        }
    }
    let (_, loss) = read(&chat(), &body);
    let fields = REQUEST_FIELDS.iter().filter(|(_, neutral, _)| neutral.is_empty()).map(|(field, ..)| *field);
    for field in fields.chain(["odd", "options.odd", "messages[].odd", "tools[].odd"]) {
        assert_eq!(lost(&loss, field), Some(Change::Dropped), "{field}");
    }
}

#[test]
fn each_field_that_is_carried_is_in_the_table() {
    for name in whole().as_object().unwrap().keys().filter(|name| *name != "options") {
        assert!(REQUEST_FIELDS.iter().any(|(field, ..)| field == name), "{name}");
    }
    for name in whole()["options"].as_object().unwrap().keys() {
        let name = format!("options.{name}");
        assert!(REQUEST_FIELDS.iter().any(|(field, neutral, _)| *field == name && !neutral.is_empty()), "{name}");
    }
}

#[test]
fn bad_requests_say_what_is_wrong_and_where() {
    let user = json!([{"role": "user", "content": "x"}]);
    for (body, param) in [
        (json!({"messages": []}), "model"),
        (json!({"model": "", "messages": []}), "model"),
        (json!({"model": "m"}), "messages"),
        (json!({"model": "m", "messages": 7}), "messages"),
        (json!({"model": "m", "messages": [7]}), "messages[0]"),
        (json!({"model": "m", "messages": [{"role": "robot", "content": "x"}]}), "messages[0].role"),
        (json!({"model": "m", "messages": [{"content": "x"}]}), "messages[0].role"),
        (json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "text"}]}]}), "messages[0].content"),
        (json!({"model": "m", "messages": [{"role": "user", "images": [1]}]}), "messages[0].images[0]"),
        (
            json!({"model": "m", "messages": [{"role": "user", "images": ["https://x.example/a.png"]}]}),
            "messages[0].images[0]",
        ),
        (
            json!({"model": "m", "messages": [{"role": "assistant", "tool_calls": [{}]}]}),
            "messages[0].tool_calls[0].function",
        ),
        (
            json!({"model": "m", "messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": [1]}}]}]}),
            "messages[0].tool_calls[0].function.arguments",
        ),
        (json!({"model": "m", "messages": user, "options": {"temperature": "hot"}}), "options.temperature"),
        (json!({"model": "m", "messages": user, "options": {"num_predict": 1.5}}), "options.num_predict"),
        (json!({"model": "m", "messages": user, "options": {"stop": [1]}}), "options.stop"),
        (json!({"model": "m", "messages": user, "options": 1}), "options"),
        (json!({"model": "m", "messages": user, "think": "hard"}), "think"),
        (json!({"model": "m", "messages": user, "format": "xml"}), "format"),
        (json!({"model": "m", "messages": user, "stream": "yes"}), "stream"),
        (json!({"model": "m", "messages": user, "tools": {}}), "tools"),
        (json!({"model": "m", "messages": user, "tools": [{"type": "function"}]}), "tools[0].function"),
    ] {
        let failure = try_read(&chat(), &body).unwrap_err();
        assert_eq!(failure.param.as_deref(), Some(param), "{body}");
        assert_eq!(failure.status(), 400);
        let said: Value = serde_json::from_slice(&Ollama.error_body(&failure)).unwrap();
        assert_eq!(said, json!({"error": failure.message}));
    }
    assert!(Ollama.read_request(&chat(), b"{", &mut Loss::default()).is_err());
}

#[test]
fn both_forms_of_embeddings_are_read() {
    let (neutral, loss) = read(
        &ask(Endpoint::Embeddings, Form::Usual),
        &json!({"model": "m", "input": ["a", "b"], "dimensions": 8, "truncate": true, "options": {"num_ctx": 5}, "keep_alive": 0}),
    );
    assert_eq!(neutral, json!({"model": "m", "input": ["a", "b"], "dimensions": 8}));
    for field in ["truncate", "options.num_ctx", "keep_alive"] {
        assert_eq!(lost(&loss, field), Some(Change::Dropped), "{field}");
    }
    let older = ask(Endpoint::Embeddings, Form::Other);
    assert_eq!(read(&older, &json!({"model": "m", "prompt": "a"})).0, json!({"model": "m", "input": "a"}));
    assert!(try_read(&older, &json!({"model": "m", "prompt": ["a"]})).is_err());
    assert!(try_read(&ask(Endpoint::Embeddings, Form::Usual), &json!({"model": "m", "input": [1, 2]})).is_err());
}

#[test]
fn a_request_without_a_question_loads_the_model() {
    for (ask, body, wanted) in [
        (chat(), json!({"model": "m"}), Some(Load::Load)),
        (chat(), json!({"model": "m", "messages": [], "keep_alive": "5m"}), Some(Load::Load)),
        (chat(), json!({"model": "m", "messages": [], "keep_alive": 0}), Some(Load::Unload)),
        (generate(), json!({"model": "m", "prompt": "", "keep_alive": "0s"}), Some(Load::Unload)),
        (generate(), json!({"model": "m"}), Some(Load::Load)),
        (generate(), json!({"model": "m", "prompt": "x"}), None),
        (chat(), json!({"model": "m", "messages": [{"role": "user", "content": "x"}]}), None),
        (ask(Endpoint::Embeddings, Form::Usual), json!({"model": "m"}), None),
    ] {
        assert_eq!(load::asked(&ask, body.to_string().as_bytes()), wanted, "{body}");
    }
    let reply = Reply { model: "m".into(), ..Reply::default() };
    let said: Value = serde_json::from_slice(&load::answer(&reply)).unwrap();
    assert_eq!(
        said,
        json!({"model": "m", "created_at": "1970-01-01T00:00:00Z", "message": {"role": "assistant", "content": ""}, "done": true,
            "done_reason": "load"})
    );
    let said = load::answer(&Reply { form: Form::Prompt, ..reply });
    let said: Value = serde_json::from_slice(&said).unwrap();
    assert_eq!((&said["response"], &said["done_reason"]), (&json!(""), &json!("load")));
}

#[test]
fn an_empty_conversation_has_no_neutral_form_that_passes() {
    let (neutral, _) = read(&chat(), &json!({"model": "m", "messages": []}));
    let neutral = bytes::Bytes::from(neutral.to_string());
    assert!(crate::dialects::openai::request::read(neutral, Endpoint::Chat, None).is_err());
}
