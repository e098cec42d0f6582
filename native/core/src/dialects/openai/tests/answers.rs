//! Whole answers, read.

use super::*;

#[test]
fn a_whole_answer_is_read_as_its_stream_is() {
    let body = r#"{"id":"chatcmpl-C1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","reasoning_content":"hm","refusal":null,"annotations":[],"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"b","type":"custom","custom":{"name":"g","input":"x = 1"}}],"audio":null,"function_call":null},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":1},"completion_tokens_details":{"reasoning_tokens":2}},"service_tier":"default"}"#;
    let streamed = [
        r#"{"id":"chatcmpl-C1","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning_content":"h"}}]}"#,
        r#"{"id":"chatcmpl-C1","choices":[{"index":0,"delta":{"reasoning_content":"m"}}]}"#,
        r#"{"id":"chatcmpl-C1","choices":[{"index":0,"delta":{"content":"Hi"}}]}"#,
        r#"{"id":"chatcmpl-C1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}}]}"#,
        r#"{"id":"chatcmpl-C1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]}"#,
        r#"{"id":"chatcmpl-C1","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"b","type":"custom","custom":{"name":"g","input":"x = 1"}}]}}]}"#,
        r#"{"id":"chatcmpl-C1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        r#"{"id":"chatcmpl-C1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":1},"completion_tokens_details":{"reasoning_tokens":2}}}"#,
        "[DONE]",
    ];
    let items = joined(&items(&streamed));
    assert_eq!(whole(body), items);
    let kinds = items.iter().filter_map(|item| match item {
        Item::ToolCall { kind, arguments, .. } => Some((*kind, arguments.as_str())),
        _ => None,
    });
    assert!(kinds.eq([(CallKind::Function, "{}"), (CallKind::Custom, "x = 1")]));
}

#[test]
fn an_error_in_spite_of_its_status_is_told() {
    let read = |body: &str| OpenAiChat::USUAL.read_answer(Endpoint::Chat, body.as_bytes(), &mut Vec::new());
    assert_eq!(read(r#"{"error":{"message":"no"}}"#), Answer::Error("no".into()));
    assert_eq!(read(r#"{"object":"error","message":"no"}"#), Answer::Error("no".into()));
    for body in ["{}", "[]", "", r#"{"choices":[]}"#, r#"{"choices":[1]}"#, r#"{"choices":{}}"#, "<html>"] {
        assert_eq!(read(body), Answer::Malformed, "{body}");
    }
}

#[test]
fn vectors_come_as_numbers_and_in_base64() {
    let mut items = Vec::new();
    let body = r#"{"object":"list","data":[{"object":"embedding","index":1,"embedding":[0.5,-2]},{"index":0,"embedding":"AAAAPwAAAMA="}],"model":"m","usage":{"prompt_tokens":4,"total_tokens":4}}"#;
    assert_eq!(OpenAiChat::USUAL.read_answer(Endpoint::Embeddings, body.as_bytes(), &mut items), Answer::Whole);
    let vector = vec![0.5, -2.0];
    assert_eq!(
        items,
        [
            Item::Embedding { index: 1, vector: vector.clone() },
            Item::Embedding { index: 0, vector },
            Item::Usage(usage(4, 0, 0)),
        ]
    );
    for entry in [r#"{"embedding":"AAAAP"}"#, r#"{"embedding":"AAAA"}"#, r#"{"embedding":["x"]}"#, "{}", "7"] {
        let body = format!("{{\"data\":[{entry}]}}");
        let read = OpenAiChat::USUAL.read_answer(Endpoint::Embeddings, body.as_bytes(), &mut Vec::new());
        assert_eq!(read, Answer::Malformed, "{entry}");
    }
    for base64 in [false, true] {
        let reply = Reply { endpoint: Some(Endpoint::Embeddings), base64, ..Reply::default() };
        let body = OpenAiChat::USUAL.write_answer(&reply, &items, &usage(4, 0, 0));
        assert_eq!(String::from_utf8_lossy(&body).contains("AAAAPwAAAMA="), base64);
        let mut again = Vec::new();
        assert_eq!(OpenAiChat::USUAL.read_answer(Endpoint::Embeddings, &body, &mut again), Answer::Whole);
        assert_eq!(again, [items[1].clone(), items[0].clone(), items[2].clone()], "in the order of the inputs");
    }
}

#[test]
fn a_completion_is_text() {
    let body = r#"{"id":"cmpl-1","object":"text_completion","choices":[{"text":" world","index":0,"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    let mut items = Vec::new();
    assert_eq!(OpenAiChat::USUAL.read_answer(Endpoint::Completions, body.as_bytes(), &mut items), Answer::Whole);
    assert_eq!(items, [text(" world"), finish("length"), Item::Usage(usage(1, 1, 0))]);
}

#[test]
fn reasons_of_others_become_openais() {
    for (said, expected) in [
        ("stop", "stop"),
        ("end_turn", "stop"),
        ("eos_token", "stop"),
        ("max_tokens", "length"),
        ("model_length", "length"),
        ("sensitive", "content_filter"),
        ("content_filter", "content_filter"),
        ("insufficient_system_resource", "insufficient_system_resource"),
    ] {
        let body = format!(r#"{{"choices":[{{"message":{{"content":"a"}},"finish_reason":"{said}"}}]}}"#);
        assert_eq!(whole(&body), [text("a"), finish(expected)]);
    }
}

#[test]
fn perplexitys_sources_are_annotations_told_once() {
    let chunk = |text: &str, end: &str| {
        format!(
            r#"{{"search_results":[{{"title":"A \"b\"","url":"https://a.example/?x=1"}}],"citations":["https://a.example/?x=1"],"choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":{end}}}]}}"#
        )
    };
    let items = items(&[&chunk("a", "null"), &chunk("b", "\"stop\"")]);
    let json = r#"{"type":"url_citation","url_citation":{"url":"https://a.example/?x=1","title":"A \"b\"","start_index":0,"end_index":0}}"#;
    let sources = Item::Annotation { choice: 0, json: json.into() };
    assert_eq!(joined(&items), [sources, text("ab"), finish("stop")]);
}

#[test]
fn words_of_error_bodies_are_found() {
    let words = |body: &str| OpenAiChat::USUAL.error_words(body.as_bytes());
    for body in [
        r#"{"error":{"message":"no","type":"x"}}"#,
        r#"{"error":"no"}"#,
        r#"{"object":"error","message":"no","type":"BadRequestError","code":400}"#,
        r#"{"detail":"no"}"#,
        r#"[{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}]"#,
    ] {
        assert_eq!(words(body).as_deref(), Some("no"), "{body}");
    }
    for body in ["", "<html>", "{}", "[]", r#"{"message":"hello"}"#, r#"{"error":{}}"#] {
        assert_eq!(words(body), None, "{body}");
    }
}
