//! Callers' requests as the neutral one.

use serde_json::json;

use super::{lost, messages, read, refusal};
use crate::dialects::responses::{NEUTRAL_FIELDS, REQUEST_FIELDS};

#[test]
fn a_text_is_one_message_of_the_user_after_the_instructions() {
    let (neutral, loss) = read(&json!({"model": "m", "input": "Hi", "instructions": "Be kind.", "stream": true,
        "temperature": 0.5, "max_output_tokens": 64, "user": "u", "metadata": {"a": "b"}, "previous_response_id": null}));
    assert_eq!(
        neutral,
        json!({"model": "m", "stream": true, "temperature": 0.5, "max_completion_tokens": 64, "user": "u",
            "metadata": {"a": "b"}, "messages": [
                {"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]})
    );
    assert!(loss.is_empty());
}

#[test]
fn the_neutral_request_is_one_line() {
    let body = b"{\r\n  \"model\": \"m\",\n  \"input\": \"a\\nb\",\n  \"metadata\": {\n \"a\": \"b\" }\n}";
    let mut loss = crate::dialects::Loss::default();
    use crate::dialects::Protocol;
    let neutral = super::OpenAiResponses.read_request(&Default::default(), body, &mut loss).unwrap();
    assert!(!neutral.contains(&b'\n') && !neutral.contains(&b'\r'));
    assert_eq!(super::json(&neutral)["messages"][0]["content"], "a\nb");
}

#[test]
fn parts_of_every_kind() {
    let content = json!([
        {"type": "input_text", "text": "see", "prompt_cache_breakpoint": {"mode": "explicit"}},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
        {"type": "input_image", "file_id": "file-1", "detail": "auto"},
        {"type": "input_file", "file_data": "JVBERi0=", "filename": "a.pdf"},
        {"type": "input_file", "file_data": "data:text/plain;base64,QQ==", "filename": "a.txt"},
        {"type": "input_file", "file_url": "https://example.com/a.pdf"},
        {"type": "input_file", "file_id": "file-2"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ]);
    let (neutral, loss) = read(&json!({"model": "m", "input": [{"role": "user", "content": content}]}));
    assert_eq!(
        neutral["messages"][0]["content"],
        json!([
            {"type": "text", "text": "see", "cache_control": {"type": "ephemeral"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
            {"type": "file", "file": {"file_id": "file-1"}},
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}},
            {"type": "file", "file": {"file_data": "data:text/plain;base64,QQ==", "filename": "a.txt"}},
            {"type": "file", "file": {"file_url": "https://example.com/a.pdf"}},
            {"type": "file", "file": {"file_id": "file-2"}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        ])
    );
    assert_eq!(
        lost(&loss),
        ["renamed input[].content[].prompt_cache_breakpoint", "approximated input[].content[].file_id"]
    );
}

#[test]
fn system_prompts_keep_their_places() {
    let input = json!([
        {"role": "developer", "content": [{"type": "input_text", "text": "a"}]},
        {"type": "message", "role": "user", "content": "b"},
        {"role": "system", "content": "c"},
    ]);
    assert_eq!(
        messages(input),
        json!([{"role": "developer", "content": "a"}, {"role": "user", "content": "b"}, {"role": "system", "content": "c"}])
    );
}

#[test]
fn neighbouring_items_of_the_model_are_one_message() {
    let input = json!([
        {"role": "user", "content": "Weather in Paris and Rome?"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Two"}, {"type": "summary_text", "text": "calls"}],
            "encrypted_content": "gAAA"},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "Looking.", "annotations": [], "logprobs": []}]},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": "{\"c\":\"Paris\"}", "status": "completed"},
        {"type": "function_call", "call_id": "call_2", "name": "weather", "arguments": "{\"c\":\"Rome\"}"},
        {"type": "function_call_output", "call_id": "call_2", "output": "rain"},
        {"type": "function_call_output", "call_id": "call_1", "output": [
            {"type": "input_text", "text": "sun"}, {"type": "input_image", "image_url": "https://e.com/a.png"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
    ]);
    let item = json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA",
        "summary": [{"type": "summary_text", "text": "Two"}, {"type": "summary_text", "text": "calls"}]});
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "weather", "arguments": arguments}});
    let (neutral, loss) = read(&json!({"model": "m", "input": input}));
    assert_eq!(
        neutral["messages"],
        json!([
            {"role": "user", "content": "Weather in Paris and Rome?"},
            {"role": "assistant", "content": "Looking.", "reasoning_content": "Two\n\ncalls",
                "thoughts": [{"origin": "openai_responses", "type": "item", "item": item}],
                "tool_calls": [call("call_1", "{\"c\":\"Paris\"}"), call("call_2", "{\"c\":\"Rome\"}")]},
            {"role": "tool", "tool_call_id": "call_2", "content": "rain"},
            {"role": "tool", "tool_call_id": "call_1", "content": [
                {"type": "text", "text": "sun"}, {"type": "image_url", "image_url": {"url": "https://e.com/a.png"}}]},
            {"role": "assistant", "content": null, "refusal": "No."},
        ])
    );
    assert!(loss.is_empty(), "{:?}", lost(&loss));
}

#[test]
fn two_messages_of_the_model_stay_two() {
    let input = json!([{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"},
        {"type": "reasoning", "id": "rs_1", "summary": []}, {"role": "assistant", "content": "c"}]);
    let contents: Vec<_> = messages(input).as_array().unwrap().iter().map(|m| m["content"].clone()).collect();
    assert_eq!(contents, ["a", "b", "c"]);
}

#[test]
fn tools_and_the_choice_of_them() {
    let parameters = json!({"type": "object", "properties": {}});
    let (neutral, loss) = read(&json!({"model": "m", "input": "x", "parallel_tool_calls": false, "tools": [
        {"type": "function", "name": "f", "description": "d", "parameters": parameters, "strict": true},
        {"type": "custom", "name": "c", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /a/"}},
        {"type": "web_search", "search_context_size": "low"},
    ], "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [
        {"type": "function", "name": "f"}, {"type": "web_search"}]}}));
    assert_eq!(
        neutral["tools"],
        json!([
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": parameters, "strict": true}},
            {"type": "custom", "custom": {"name": "c", "format": {"type": "grammar",
                "grammar": {"syntax": "lark", "definition": "start: /a/"}}}},
            {"type": "native", "origin": "openai_responses", "value": {"type": "web_search", "search_context_size": "low"}},
        ])
    );
    assert_eq!(
        neutral["tool_choice"],
        json!({"type": "allowed_tools", "allowed_tools": {"mode": "required",
            "tools": [{"type": "function", "function": {"name": "f"}}]}})
    );
    assert_eq!(neutral["parallel_tool_calls"], false);
    assert_eq!(lost(&loss), ["dropped tool_choice.tools[]"]);
    for (choice, wanted) in [
        (json!("required"), json!("required")),
        (json!({"type": "function", "name": "f"}), json!({"type": "function", "function": {"name": "f"}})),
        (json!({"type": "custom", "name": "c"}), json!({"type": "custom", "custom": {"name": "c"}})),
        (json!({"type": "file_search"}), json!(null)),
    ] {
        assert_eq!(read(&json!({"model": "m", "input": "x", "tool_choice": choice})).0["tool_choice"], wanted);
    }
}

#[test]
fn custom_calls_and_their_results() {
    let input = json!([
        {"type": "custom_tool_call", "call_id": "call_1", "name": "c", "input": "plain \"text\""},
        {"type": "custom_tool_call_output", "call_id": "call_1", "output": "done"},
    ]);
    assert_eq!(
        messages(input),
        json!([
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_1", "type": "custom", "custom": {"name": "c", "input": "plain \"text\""}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "done"},
        ])
    );
}

#[test]
fn structured_output_and_the_effort_of_thought() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let (neutral, loss) = read(&json!({"model": "m", "input": "x",
        "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "schema": schema, "strict": true}},
        "reasoning": {"effort": "high", "summary": "auto"}, "top_logprobs": 3,
        "include": ["reasoning.encrypted_content", "web_search_call.results"], "store": false}));
    assert_eq!(
        neutral["response_format"],
        json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": true}})
    );
    assert_eq!((&neutral["verbosity"], &neutral["reasoning_effort"]), (&json!("low"), &json!("high")));
    assert_eq!((&neutral["logprobs"], &neutral["top_logprobs"]), (&json!(true), &json!(3)));
    assert_eq!(neutral["store"], false);
    // In which order `json!` writes members is its own.
    let mut lost = lost(&loss);
    lost.sort_unstable();
    assert_eq!(lost, ["approximated reasoning.summary", "dropped include.web_search_call.results"]);
}

#[test]
fn what_has_no_place_is_reported() {
    let (_, loss) = read(&json!({"model": "m", "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "a", "new_member": 1}, {"type": "input_text", "text": "b"}], "colour": "red"},
            {"role": "assistant", "phase": "commentary", "content": [{"type": "output_text", "text": "c",
                "annotations": [{"type": "url_citation"}]}]},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_file", "file_id": "f"}]}],
        "truncation": "auto", "max_tool_calls": 3, "brand_new": true, "text": {"shape": 1}, "reasoning": {"context": "auto"},
        "tools": [{"type": "function", "name": "f", "defer_loading": true}]}));
    let mut lost = lost(&loss);
    lost.sort();
    assert_eq!(
        lost,
        [
            "dropped brand_new",
            "dropped input[].colour",
            "dropped input[].content[].annotations",
            "dropped input[].content[].new_member",
            "dropped input[].output[].input_file",
            "dropped input[].phase",
            "dropped max_tool_calls",
            "dropped reasoning.context",
            "dropped text.shape",
            "dropped tools[].defer_loading",
            "dropped truncation",
        ]
    );
}

#[test]
fn bad_requests_say_what_and_where() {
    let with = |input: serde_json::Value| json!({"model": "m", "input": input});
    for (body, param, words) in [
        (json!({"input": "x"}), "model", "Missing required parameter: 'model'."),
        (json!({"model": "", "input": "x"}), "model", "must be a name"),
        (json!({"model": "m"}), "input", "Missing required parameter: 'input'."),
        (with(json!([])), "input", "is empty"),
        (with(json!(7)), "input", "must be a string or an array of items, not a number."),
        (with(json!(["x"])), "input[0]", "must be an object, not a string."),
        (with(json!([{"role": "user"}])), "input[0].content", "Missing"),
        (with(json!([{"role": "wizard", "content": "x"}])), "input[0].role", "must be one of"),
        (with(json!([{"role": "user", "content": [{"type": "video"}]}])), "input[0].content[0].type", "\"video\""),
        (with(json!([{"role": "user", "content": [{"text": "x"}]}])), "input[0].content[0].type", "Missing"),
        (
            with(json!([{"role": "user", "content": [{"type": "input_image"}]}])),
            "input[0].content[0].image_url",
            "Missing",
        ),
        (
            with(json!([{"role": "assistant", "content": [{"type": "input_image"}]}])),
            "input[0].content[0].type",
            "output_text",
        ),
        (with(json!([{"type": "function_call", "name": "f", "arguments": "{}"}])), "input[0].call_id", "Missing"),
        (with(json!([{"type": "function_call_output", "call_id": "c"}])), "input[0].output", "Missing"),
        (with(json!([{"type": "item_reference", "id": "msg_1"}])), "input[0].id", "not kept here"),
        (with(json!([{"id": "msg_1"}])), "input[0].id", "not kept here"),
        (with(json!([{}])), "input[0].type", "Missing"),
        (json!({"model": "m", "input": "x", "background": true}), "background", "leave it out"),
        (json!({"model": "m", "input": "x", "conversation": "conv_1"}), "conversation", "send its turns"),
        (json!({"model": "m", "input": "x", "prompt": {"id": "pmpt_1"}}), "prompt", "send its text"),
        (json!({"model": "m", "input": "x", "temperature": 3}), "temperature", "from 0 to 2"),
        (json!({"model": "m", "input": "x", "max_output_tokens": 0}), "max_output_tokens", "an integer from 1"),
        (json!({"model": "m", "input": "x", "stream": "yes"}), "stream", "must be true or false"),
        (json!({"model": "m", "input": "x", "tools": {}}), "tools", "must be an array"),
        (json!({"model": "m", "input": "x", "tools": [{"type": "function"}]}), "tools[0].name", "Missing"),
        (json!({"model": "m", "input": "x", "tool_choice": "any"}), "tool_choice", "'none', 'auto', 'required'"),
        (json!({"model": "m", "input": "x", "text": {"format": {"type": "xml"}}}), "text.format.type", "json_schema"),
        (
            json!({"model": "m", "input": "x", "text": {"format": {"type": "json_schema", "name": "n"}}}),
            "text.format.schema",
            "Missing",
        ),
        (json!({"model": "m", "input": "x", "top_logprobs": 21}), "top_logprobs", "from 0 to 20"),
    ] {
        let failure = refusal(&body);
        assert_eq!(failure.param.as_deref(), Some(param), "{body}");
        assert!(failure.message.contains(words), "{body}: {}", failure.message);
        assert_eq!(failure.status(), 400);
    }
}

#[test]
fn an_id_of_which_nothing_is_kept_is_refused_as_openai_does() {
    let failure = refusal(&json!({"model": "m", "input": "x", "previous_response_id": "resp_gone"}));
    let body = super::json(&crate::dialects::Protocol::error_body(&super::OpenAiResponses, &failure));
    assert_eq!(
        body,
        json!({"error": {"message": "Previous response with id 'resp_gone' not found.", "type": "invalid_request_error",
            "param": "previous_response_id", "code": "previous_response_not_found"}})
    );
}

#[test]
fn each_field_is_named_once_in_its_table() {
    for table in [REQUEST_FIELDS, NEUTRAL_FIELDS] {
        let mut names: Vec<_> = table.iter().map(|(name, ..)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), table.len());
    }
}

/// Nothing at the top is carried or dropped in silence: each field of the table either shows in the neutral request, is
/// reported, or is refused; but for those that say what is done anyway.
#[test]
fn each_field_of_the_table_is_carried_or_reported() {
    for (name, neutral, _) in REQUEST_FIELDS {
        let value = match *name {
            "model"
            | "input"
            | "instructions"
            | "user"
            | "safety_identifier"
            | "prompt_cache_key"
            | "prompt_cache_retention"
            | "service_tier"
            | "previous_response_id"
            | "conversation" => json!("x"),
            "stream" | "store" | "parallel_tool_calls" | "background" => json!(true),
            "temperature" | "top_p" | "max_output_tokens" | "top_logprobs" | "max_tool_calls" => json!(1),
            "tools" => json!([{"type": "function", "name": "f"}]),
            "tool_choice" | "truncation" => json!("auto"),
            "text" => json!({"format": {"type": "json_object"}}),
            "reasoning" => json!({"effort": "low"}),
            "include" => json!(["message.output_text.logprobs"]),
            "context_management" => json!([{"type": "compaction"}]),
            "pool" => continue,
            _ => json!({"id": "x"}),
        };
        let mut body = json!({"model": "m", "input": "x"});
        body[*name] = value;
        let mut loss = crate::dialects::Loss::default();
        let read = crate::dialects::Protocol::read_request(
            &super::OpenAiResponses,
            &Default::default(),
            body.to_string().as_bytes(),
            &mut loss,
        );
        match read.and_then(|read| loss.take_bar().map_or(Ok(read), |bar| Err(*bar))) {
            Ok(read) if loss.is_empty() => assert!(super::json(&read).get(neutral).is_some(), "{name}"),
            Ok(_) => assert_eq!(loss.fields()[0].field, *name),
            Err(failure) => assert_eq!(failure.param.as_deref(), Some(*name)),
        }
    }
}
