use serde_json::{json, Value};

use super::super::Ollama;
use super::{chat, lost, read, write, write_to, CHAT, EMBEDDINGS};
use crate::dialects::neutral::Endpoint;
use crate::dialects::{Change, Form, Loss, Protocol, To};

#[test]
fn a_request_that_goes_there_and_back_means_the_same() {
    let body = json!({"model": "llama", "stream": false, "format": "json", "think": false,
        "options": {"num_predict": 50, "temperature": 0.5, "top_k": 3, "stop": ["END"]},
        "tools": [{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}}],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What?", "images": ["/9j/4AAQSkZJRgABAQ=="]},
            {"role": "assistant", "content": "", "thinking": "Hm.", "tool_calls": [{"id": "call_0_look", "function": {"name": "look", "arguments": {"at": 1}}}]},
            {"role": "tool", "tool_name": "look", "tool_call_id": "call_0_look", "content": "a cat"}]});
    let (neutral, loss) = read(&chat(), &body);
    assert!(loss.is_empty(), "{loss:?}");
    let (mut back, loss) = write(&neutral);
    assert!(loss.is_empty(), "{loss:?}");
    for added in ["truncate", "shift"] {
        assert_eq!(back.as_object_mut().unwrap().remove(added), Some(json!(false)));
    }
    assert_eq!(back, body);
}

#[test]
fn openais_members_are_carried_or_reported() {
    let messages = json!([
                {"role": "developer", "content": "d", "name": "n", "cache_control": {"type": "ephemeral"}},
                {"role": "user", "content": [
                    {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "b"},
                    {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "high"}},
                    {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
                    {"type": "file", "file": {"file_id": "f"}}, {"type": "video"}]},
                {"role": "assistant", "content": null, "refusal": "No.", "reasoning_content": "t", "thoughts": [{"origin": "anthropic", "type": "redacted", "data": "x"}],
                 "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "f", "arguments": ""}, "extra_content": {"google": {}}},
                    {"id": "2", "type": "custom", "custom": {"name": "c", "input": "text"}}]},
                {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "bad"}], "is_error": true}]);
    let (body, loss) = write_to(
        &To { stream: true, cap: Some(100), ..CHAT },
        &json!({"model": "m", "max_completion_tokens": 9000, "temperature": 1.7, "n": 2, "seed": 1, "logprobs": true, "top_logprobs": 30,
            "logit_bias": {"1": 2}, "presence_penalty": 1, "min_p": 0.1, "user": "u", "stop": "x", "service_tier": "flex", "store": true,
            "metadata": {"a": "b"}, "safety_settings": [], "prediction": {}, "verbosity": "low", "parallel_tool_calls": false,
            "repetition_penalty": 1.1, "stream": true, "stream_options": {"include_usage": true}, "pool": "p", "reasoning_effort": "xhigh",
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
            "messages": messages}),
    );
    assert_eq!(
        body["options"],
        json!({"num_predict": 100, "temperature": 1.7, "min_p": 0.1, "seed": 1, "presence_penalty": 1, "repeat_penalty": 1.1, "stop": ["x"]})
    );
    assert_eq!(
        (&body["stream"], &body["format"], &body["think"]),
        (&json!(true), &json!({"type": "object"}), &json!("high"))
    );
    assert_eq!((&body["logprobs"], &body["top_logprobs"]), (&json!(true), &json!(20)));
    assert_eq!(
        body["messages"],
        json!([
            {"role": "system", "content": "d"},
            {"role": "user", "content": "a\nb"},
            {"role": "assistant", "content": "No.", "thinking": "t", "tool_calls": [
                {"id": "1", "function": {"name": "f", "arguments": {}}},
                {"id": "2", "function": {"name": "c", "arguments": {"input": "text"}}}]},
            {"role": "tool", "content": "Error: bad", "tool_call_id": "2", "tool_name": "c"}])
    );
    for (field, change) in [
        ("n", Change::Dropped),
        ("logit_bias", Change::Dropped),
        ("user", Change::Dropped),
        ("service_tier", Change::Dropped),
        ("store", Change::Dropped),
        ("metadata", Change::Dropped),
        ("safety_settings", Change::Dropped),
        ("prediction", Change::Dropped),
        ("verbosity", Change::Dropped),
        ("parallel_tool_calls", Change::Dropped),
        ("top_logprobs", Change::Clamped),
        ("reasoning_effort", Change::Clamped),
        ("messages[].role", Change::Renamed),
        ("messages[].name", Change::Dropped),
        ("messages[].cache_control", Change::Dropped),
        ("messages[].content[].cache_control", Change::Dropped),
        ("messages[].content[].text", Change::Renamed),
        ("messages[].content[].image_url", Change::Dropped),
        ("messages[].content[].image_url.detail", Change::Dropped),
        ("messages[].content[].input_audio", Change::Dropped),
        ("messages[].content[].file", Change::Dropped),
        ("messages[].content[].type", Change::Dropped),
        ("messages[].refusal", Change::Approximated),
        ("messages[].thoughts", Change::Dropped),
        ("messages[].tool_calls[].extra_content", Change::Dropped),
        ("messages[].tool_calls[].custom", Change::Emulated),
        ("messages[].is_error", Change::Approximated),
    ] {
        assert_eq!(lost(&loss, field), Some(change), "{field} {loss:?}");
    }
    assert_eq!(loss.fields().len(), 27);
}

#[test]
fn tools_are_offered_as_the_choice_says() {
    let tools = json!([
        {"type": "function", "function": {"name": "f", "strict": true, "cache_control": {"type": "ephemeral"}}},
        {"type": "custom", "custom": {"name": "c", "description": "d", "format": {"type": "text"}}},
        {"type": "native", "origin": "anthropic", "value": {}}]);
    let with = |choice: Value| {
        write(
            &json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "tools": tools, "tool_choice": choice}),
        )
    };
    let names = |body: &Value| -> Vec<String> {
        let tools = body["tools"].as_array().into_iter().flatten();
        tools.map(|tool| tool["function"]["name"].as_str().unwrap().to_owned()).collect()
    };
    for (choice, offered, field, change) in [
        (json!("auto"), vec!["f", "c"], "tool_choice", None),
        (json!("none"), vec![], "tool_choice", Some(Change::Emulated)),
        (json!("required"), vec!["f", "c"], "tool_choice", Some(Change::Dropped)),
        (json!({"type": "function", "function": {"name": "f"}}), vec!["f"], "tool_choice", Some(Change::Approximated)),
        (json!({"type": "custom", "custom": {"name": "c"}}), vec!["c"], "tool_choice", Some(Change::Approximated)),
        (
            json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]}}),
            vec!["f"],
            "tool_choice.mode",
            Some(Change::Dropped),
        ),
        (json!({"type": "odd"}), vec!["f", "c"], "tool_choice", Some(Change::Dropped)),
    ] {
        let (body, loss) = with(choice.clone());
        assert_eq!(
            (names(&body), lost(&loss, field)),
            (offered.into_iter().map(String::from).collect(), change),
            "{choice}"
        );
    }
    let (body, loss) = with(json!("auto"));
    assert_eq!(body["tools"][0]["function"], json!({"name": "f", "parameters": {"type": "object", "properties": {}}}));
    assert_eq!(body["tools"][1]["function"]["parameters"]["required"], json!(["input"]));
    for field in ["tools[].function.strict", "tools[].cache_control", "tools[].custom.format", "tools[].type"] {
        assert_eq!(lost(&loss, field), Some(Change::Dropped), "{field}");
    }
    assert_eq!(lost(&loss, "tools[].custom"), Some(Change::Emulated));
}

#[test]
fn thinking_is_a_word_or_a_switch() {
    for (neutral, think, field, change) in [
        (json!({"reasoning_effort": "low"}), json!("low"), "reasoning_effort", None),
        (json!({"reasoning_effort": "minimal"}), json!("low"), "reasoning_effort", Some(Change::Clamped)),
        (json!({"reasoning_effort": "none"}), json!(false), "reasoning_effort", None),
        (json!({"reasoning_effort": "odd"}), Value::Null, "reasoning_effort", Some(Change::Dropped)),
        (json!({"thinking": {"type": "disabled"}}), json!(false), "thinking", None),
        (
            json!({"thinking": {"type": "disabled"}, "reasoning_effort": "high"}),
            json!(false),
            "reasoning_effort",
            Some(Change::Dropped),
        ),
        (json!({"thinking": {"type": "adaptive"}}), Value::Null, "thinking", Some(Change::Approximated)),
        (
            json!({"thinking": {"type": "adaptive"}, "reasoning_effort": "high"}),
            json!("high"),
            "thinking",
            Some(Change::Approximated),
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 1024}}),
            json!("low"),
            "thinking",
            Some(Change::Approximated),
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 4096}}),
            json!("medium"),
            "thinking",
            Some(Change::Approximated),
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 99999}}),
            json!("high"),
            "thinking",
            Some(Change::Approximated),
        ),
    ] {
        let mut body = neutral.clone();
        body["messages"] = json!([{"role": "user", "content": "x"}]);
        let (body, loss) = write(&body);
        assert_eq!((&body["think"], lost(&loss, field)), (&think, change), "{neutral}");
    }
}

#[test]
fn a_picture_between_texts_goes_before_them_and_it_is_said() {
    let text = json!({"type": "text", "text": "a"});
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}});
    let with = |parts: Value| write(&json!({"messages": [{"role": "user", "content": parts}]}));
    let (body, loss) = with(json!([picture, text]));
    assert_eq!(body["messages"][0], json!({"role": "user", "content": "a", "images": ["AAAA"]}));
    assert!(loss.is_empty());
    let (_, loss) = with(json!([picture, text, picture]));
    assert_eq!(lost(&loss, "messages[].content[].image_url"), Some(Change::Approximated));
}

#[test]
fn completions_are_generated_and_vectors_embedded() {
    let to = To { endpoint: Endpoint::Completions, ..CHAT };
    let (body, loss) = write_to(
        &to,
        &json!({"model": "m", "prompt": ["a"], "suffix": "z", "max_tokens": 5, "logprobs": 3, "echo": true}),
    );
    assert_eq!((&body["prompt"], &body["suffix"], &body["top_logprobs"]), (&json!("a"), &json!("z"), &json!(3)));
    assert_eq!((&body["options"]["num_predict"], lost(&loss, "echo")), (&json!(5), Some(Change::Dropped)));
    for prompt in [json!(["a", "b"]), json!([1, 2]), Value::Null] {
        let body = json!({"model": "m", "prompt": prompt}).to_string();
        let failure = Ollama.write_request(&to, body.as_bytes(), &mut Loss::default()).unwrap_err();
        assert_eq!(failure.param.as_deref(), Some("prompt"));
    }
    let (body, loss) = write_to(
        &EMBEDDINGS,
        &json!({"model": "m", "input": ["a"], "dimensions": 3, "encoding_format": "base64", "user": "u"}),
    );
    assert_eq!(body, json!({"model": "llama", "input": ["a"], "dimensions": 3, "truncate": false}));
    assert_eq!(lost(&loss, "user"), Some(Change::Dropped));
    let tokens = json!({"model": "m", "input": [1, 2]}).to_string();
    assert!(Ollama.write_request(&EMBEDDINGS, tokens.as_bytes(), &mut Loss::default()).is_err());
}

#[test]
fn each_form_has_its_path() {
    assert_eq!(Ollama.target(&CHAT), "/chat");
    assert_eq!(Ollama.target(&EMBEDDINGS), "/embed");
    assert_eq!(Ollama.target_in(Form::Prompt, &CHAT), "/generate");
    assert_eq!(Ollama.target_in(Form::Other, &EMBEDDINGS), "/embeddings");
}

#[test]
fn between_equals_only_policy_changes_a_body() {
    let to = To { model: "m", stream: true, ..CHAT };
    let same = |to: &To<'_>, body: &str| String::from_utf8(Ollama.splice_request(to, body.as_bytes())).unwrap();
    let body = r#"{ "model": "m", "options": { "num_predict": 50,  "odd": 1.0 }, "odd": [1,  2] }"#;
    assert_eq!(same(&to, body), body);
    assert_eq!(same(&To { cap: Some(50), ..to }, body), body);
    assert_eq!(
        same(&To { model: "n", cap: Some(10), ..to }, body),
        r#"{ "model": "n", "options": { "num_predict": 10,  "odd": 1.0 }, "odd": [1,  2] }"#
    );
    let capped = To { cap: Some(10), ..to };
    for (body, changed) in [
        (r#"{"model":"m"}"#, r#"{"model":"m","options":{"num_predict":10}}"#),
        (r#"{"model":"m","options":null}"#, r#"{"model":"m","options":{"num_predict":10}}"#),
        (r#"{"model":"m","options":{}}"#, r#"{"model":"m","options":{"num_predict":10}}"#),
        (r#"{"model":"m","options":{"seed":1}}"#, r#"{"model":"m","options":{"num_predict":10,"seed":1}}"#),
        (r#"{"model":"m","options":{"num_predict":-1}}"#, r#"{"model":"m","options":{"num_predict":10}}"#),
        (r#"{"model":"m","options":{"num_predict":1.5}}"#, r#"{"model":"m","options":{"num_predict":10}}"#),
        (r#"{"model":"m","options":[1]}"#, r#"{"model":"m","options":[1]}"#),
        (r#"{"model":"m","pool":"p","options":{"num_predict":3}}"#, r#"{"model":"m","options":{"num_predict":3}}"#),
        ("[1]", "[1]"),
    ] {
        assert_eq!(same(&capped, body), changed);
    }
    assert_eq!(same(&To { stream: false, ..to }, r#"{"model":"m"}"#), r#"{"model":"m","stream":false}"#);
    let embeds = To { endpoint: Endpoint::Embeddings, ..capped };
    assert_eq!(same(&embeds, r#"{"model":"m","input":"a"}"#), r#"{"model":"m","input":"a"}"#);
}
