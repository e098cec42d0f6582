//! The neutral request as an upstream takes it.

use serde_json::json;

use super::{json as parsed, lost, read, write, OpenAiResponses, TO};
use crate::dialects::neutral::Endpoint;
use crate::dialects::responses::NEUTRAL_FIELDS;
use crate::dialects::{Loss, Protocol, To};

#[test]
fn a_conversation_with_tools() {
    let parameters = json!({"type": "object", "properties": {"c": {"type": "string"}}});
    let (body, loss) = write(&json!({"model": "any", "stream": false, "max_tokens": 100, "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": "https://e.com/a.png"}}]},
        {"role": "assistant", "content": "Looking.", "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "call_2", "type": "custom", "custom": {"name": "c", "input": "x"}}]},
        {"role": "tool", "tool_call_id": "call_2", "content": "two"},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "one"}], "is_error": true},
        {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "refusal": "no"},
        {"role": "system", "content": "Be brief."},
    ], "tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}], "tool_choice":
        {"type": "function", "function": {"name": "f"}}, "response_format": {"type": "json_schema",
        "json_schema": {"name": "n", "schema": {"type": "object", "additionalProperties": false}, "strict": true}}, "verbosity": "low"}));
    assert_eq!(
        body,
        json!({"model": "gpt-5.6", "max_output_tokens": 100, "store": false, "instructions": "Be kind.", "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "See"},
                {"type": "input_image", "image_url": "https://e.com/a.png", "detail": "auto"}]},
            {"type": "message", "role": "assistant", "content": "Looking."},
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
            {"type": "custom_tool_call", "call_id": "call_2", "name": "c", "input": "x"},
            {"type": "custom_tool_call_output", "call_id": "call_2", "output": "two"},
            {"type": "function_call_output", "call_id": "call_1", "output": [
                {"type": "input_text", "text": "Error: "}, {"type": "input_text", "text": "one"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"},
                {"type": "output_text", "text": "b"}, {"type": "refusal", "refusal": "no"}]},
            {"type": "message", "role": "system", "content": "Be brief."},
        ], "tools": [{"type": "function", "name": "f", "parameters": parameters, "strict": false}],
        "tool_choice": {"type": "function", "name": "f"},
        "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "schema": {"type": "object", "additionalProperties": false}, "strict": true}}})
    );
    assert_eq!(lost(&loss), ["approximated messages[].is_error"]);
}

#[test]
fn documents_and_audio() {
    let (body, loss) = write(&json!({"model": "m", "messages": [{"role": "user", "content": [
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA=="}},
        {"type": "file", "file": {"file_url": "https://e.com/a.pdf", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_id": "f"}, "cache_control": {"type": "ephemeral"}},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        {"type": "video_url", "video_url": {"url": "x"}},
    ]}]}));
    assert_eq!(
        body["input"][0]["content"],
        json!([
            {"type": "input_file", "file_data": "data:application/pdf;base64,AA==", "filename": "file.pdf"},
            {"type": "input_file", "file_url": "https://e.com/a.pdf"},
            {"type": "input_file", "file_id": "f"},
        ])
    );
    assert_eq!(
        lost(&loss),
        [
            "dropped messages[].content[].file.filename",
            "dropped messages[].content[].cache_control",
            "dropped messages[].content[].input_audio",
            "dropped messages[].content[]",
        ]
    );
}

#[test]
fn budgets_of_thought_become_words() {
    for (thinking, effort, summary) in [
        (json!({"type": "enabled", "budget_tokens": 1024}), json!("low"), json!("auto")),
        (json!({"type": "enabled", "budget_tokens": 8192}), json!("medium"), json!("auto")),
        (json!({"type": "enabled", "budget_tokens": 32000}), json!("high"), json!("auto")),
        (json!({"type": "adaptive"}), json!(null), json!("auto")),
        (json!({"type": "disabled"}), json!(null), json!(null)),
    ] {
        let (body, _) = write(&json!({"model": "m", "messages": [], "thinking": thinking}));
        assert_eq!((&body["reasoning"]["effort"], &body["reasoning"]["summary"]), (&effort, &summary), "{thinking}");
        assert_eq!(body["include"].is_null(), summary.is_null(), "models that do not think refuse it");
    }
    let (body, loss) = write(&json!({"model": "m", "messages": [], "reasoning_effort": "minimal"}));
    assert_eq!(body["reasoning"], json!({"effort": "minimal"}));
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
    assert!(loss.is_empty());
}

#[test]
fn thoughts_go_back_to_their_origin_alone_and_only_with_what_follows() {
    let item = json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"});
    let own = json!({"origin": "openai_responses", "type": "item", "item": item});
    let foreign = json!({"origin": "anthropic", "type": "signature", "thinking": "t", "signature": "s"});
    let (body, loss) = write(&json!({"model": "m", "messages": [
        {"role": "assistant", "content": "a", "reasoning_content": "t", "thoughts": [own, foreign]},
        {"role": "assistant", "content": "", "thoughts": [own]},
        {"role": "assistant", "content": "b", "reasoning_content": "u"},
    ]}));
    assert_eq!(
        body["input"],
        json!([item, {"type": "message", "role": "assistant", "content": "a"},
            {"type": "message", "role": "assistant", "content": "b"}])
    );
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(lost(&loss), ["dropped messages[].thoughts", "dropped messages[].reasoning_content"]);
}

#[test]
fn tools_that_another_provider_runs_are_not_sent() {
    let own = json!({"type": "native", "origin": "openai_responses", "value": {"type": "web_search"}});
    let foreign = json!({"type": "native", "origin": "anthropic", "value": {"type": "web_search_20260101"}});
    let (body, loss) = write(&json!({"model": "m", "messages": [], "tools": [own, foreign], "tool_choice": "auto"}));
    assert_eq!(body["tools"], json!([{"type": "web_search"}]));
    assert_eq!(lost(&loss), ["dropped tools[]"]);
    let (body, _) = write(&json!({"model": "m", "messages": [], "tools": [foreign], "tool_choice": "required"}));
    assert_eq!((body.get("tools"), body.get("tool_choice")), (None, None));
}

#[test]
fn the_output_is_bounded_by_the_lowest_bound() {
    let body = |cap, neutral: serde_json::Value| {
        let mut loss = Loss::default();
        let to = To { cap, stream: true, ..TO };
        let body = OpenAiResponses.write_request(&to, neutral.to_string().as_bytes(), &mut loss).unwrap();
        (parsed(&body), lost(&loss))
    };
    let (first, _) = body(Some(50), json!({"messages": [], "max_tokens": 100, "max_completion_tokens": 70}));
    assert_eq!((&first["max_output_tokens"], &first["stream"]), (&json!(50), &json!(true)));
    let (second, lost) = body(None, json!({"messages": [], "max_tokens": 5}));
    assert_eq!((&second["max_output_tokens"], &lost[0][..]), (&json!(16), "clamped max_completion_tokens"));
    assert_eq!(body(Some(8), json!({"messages": []})).0["max_output_tokens"], 8, "policy is not exceeded");
}

#[test]
fn what_has_no_place_is_reported_unless_it_asks_for_nothing() {
    let (_, loss) = write(&json!({"model": "m", "messages": [{"role": "user", "name": "ann", "content": "x"}],
        "n": 2, "stop": ["a"], "seed": 1, "presence_penalty": 1, "top_k": 4, "safety_settings": [{}], "fresh": 1}));
    let mut lost_fields = lost(&loss);
    lost_fields.sort();
    assert_eq!(
        lost_fields,
        [
            "dropped fresh",
            "dropped messages[].name",
            "dropped n",
            "dropped presence_penalty",
            "dropped safety_settings",
            "dropped seed",
            "dropped stop",
            "dropped top_k",
        ]
    );
    let (_, loss) = write(&json!({"model": "m", "messages": [], "n": 1, "stop": [], "presence_penalty": 0,
        "logit_bias": {}, "modalities": ["text"], "seed": null, "stream_options": {"include_usage": true}}));
    assert!(loss.is_empty(), "{:?}", lost(&loss));
}

#[test]
fn each_field_of_the_neutral_request_is_carried_or_reported() {
    for (name, its, _) in NEUTRAL_FIELDS {
        let value = match *name {
            "model" | "stream" => continue,
            "messages" => json!([{"role": "user", "content": "x"}]),
            "stream_options" => json!({"include_obfuscation": false}),
            "max_tokens" | "max_completion_tokens" | "top_logprobs" | "seed" | "temperature" | "top_p" => json!(20),
            "logprobs" | "store" => json!(true),
            "parallel_tool_calls" | "tool_choice" | "tools" => continue,
            "response_format" => json!({"type": "json_object"}),
            "thinking" => json!({"type": "enabled"}),
            "n" => json!(2),
            "stop" | "modalities" => json!(["audio"]),
            "presence_penalty" | "frequency_penalty" => json!(1),
            _ => json!({"a": 1}),
        };
        let mut neutral = json!({"model": "m", "messages": []});
        neutral[*name] = value;
        let (body, loss) = write(&neutral);
        if loss.is_empty() {
            assert!(body.get(its).is_some(), "{name}");
        } else {
            assert_eq!(loss.fields()[0].field, *name);
        }
    }
}

#[test]
fn there_is_chat_alone() {
    for endpoint in [Endpoint::Embeddings, Endpoint::Completions] {
        let to = To { endpoint, ..TO };
        let failure = OpenAiResponses.write_request(&to, b"{}", &mut Loss::default()).unwrap_err();
        assert_eq!(failure.status(), 404);
    }
}

#[test]
fn what_was_read_is_written_with_the_same_meaning() {
    let body = json!({"model": "gpt-5.6", "instructions": "Be kind.", "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"},
            {"type": "input_image", "image_url": "https://e.com/a.png", "detail": "high"},
            {"type": "input_file", "file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "t"}], "encrypted_content": "g"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "message", "role": "assistant", "content": "b"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"a\": 1}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "c", "input": "x"},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "two"},
        {"type": "message", "role": "developer", "content": "d"},
    ], "tools": [{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true},
        {"type": "custom", "name": "c", "format": {"type": "grammar", "syntax": "regex", "definition": "a+"}},
        {"type": "web_search"}], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
    "parallel_tool_calls": true, "text": {"verbosity": "high", "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": false}},
    "reasoning": {"effort": "low"}, "max_output_tokens": 99, "top_logprobs": 2, "store": true, "metadata": {"k": "v"},
    "include": ["message.output_text.logprobs", "reasoning.encrypted_content"], "service_tier": "flex", "user": "u",
    "safety_identifier": "s", "prompt_cache_key": "p", "temperature": 1, "top_p": 0.5});
    let (neutral, loss) = read(&body);
    assert!(loss.is_empty(), "{:?}", lost(&loss));
    let (again, loss) = write(&neutral);
    assert!(loss.is_empty(), "{:?}", lost(&loss));
    assert_eq!(again, body);
}

#[test]
fn the_same_dialect_changes_only_what_policy_must() {
    let splice =
        |to: To<'_>, body: &str| String::from_utf8(OpenAiResponses.splice_request(&to, body.as_bytes())).unwrap();
    let body = "{ \"model\":\"gpt-5.6\" , \"input\": \"a\\u00e4\",\n\"temperature\":1e0, \"fresh\":{ } }";
    assert_eq!(splice(TO, body), body);
    let to = To { model: "other", cap: Some(9), stream: true, ..TO };
    assert_eq!(
        splice(to, body),
        "{ \"model\":\"other\" , \"input\": \"a\\u00e4\",\n\"temperature\":1e0, \"fresh\":{ },\"stream\":true,\"max_output_tokens\":9 }"
    );
    assert_eq!(
        splice(
            To { cap: Some(9), ..TO },
            "{\"model\":\"gpt-5.6\",\"max_output_tokens\":10,\"stream\":true,\"pool\":\"p\"}"
        ),
        "{\"model\":\"gpt-5.6\",\"max_output_tokens\":9}"
    );
    assert_eq!(splice(TO, "not json"), "not json");
    assert_eq!(OpenAiResponses.target(&TO), "/responses");
}
