//! Streams as providers send them.

use super::*;

/// OpenAI's, as recorded: role first, obfuscation, usage last.
const OPENAI: [&str; 8] = [
    r#"{"id":"chatcmpl-C1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"wl1L4"}"#,
    r#"{"id":"chatcmpl-C1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Héllo"},"logprobs":null,"finish_reason":null}],"usage":null}"#,
    r#"{"id":"chatcmpl-C1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"weather","arguments":""}}]},"finish_reason":null}],"usage":null}"#,
    r#"{"id":"chatcmpl-C1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]},"finish_reason":null}],"usage":null}"#,
    r#"{"id":"chatcmpl-C1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"Ulm\"}"}}]},"finish_reason":null}],"usage":null}"#,
    r#"{"id":"chatcmpl-C1","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"time","arguments":"{}"}}]},"finish_reason":null}],"usage":null}"#,
    r#"{"id":"chatcmpl-C1","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"tool_calls"}],"usage":null}"#,
    r#"{"id":"chatcmpl-C1","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":8,"audio_tokens":0,"cache_write_tokens":3},"completion_tokens_details":{"reasoning_tokens":4,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}"#,
];

fn openai_items() -> Vec<Item> {
    let more = |arguments: &str| Item::ToolCall {
        choice: 0,
        index: 0,
        id: None,
        name: None,
        arguments: arguments.into(),
        kind: CallKind::Function,
    };
    vec![
        text("Héllo"),
        call(0, "call_a", "weather", ""),
        more("{\"city\":"),
        more("\"Ulm\"}"),
        call(1, "call_b", "time", "{}"),
        finish("tool_calls"),
        Item::Usage(with_written(usage(19, 10, 8), 3)),
        Item::UsageDetail { reasoning_tokens: 4 },
    ]
}

#[test]
fn a_stream_decodes_to_the_same_items_at_every_split() {
    for end in ["\n", "\r\n", "\r"] {
        let mut stream: String = OPENAI.iter().map(|data| format!("data:{data}{end}{end}")).collect();
        stream.push_str(&format!(": ping{end}{end}data: [DONE]{end}{end}"));
        let bytes = stream.as_bytes();
        for cut in 0..bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(read_parts(&[first, second]), (openai_items(), Fed::Done), "cut at {cut}");
        }
        let each: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read_parts(&each), (openai_items(), Fed::Done));
    }
}

#[test]
fn a_stream_without_its_mark_is_complete_where_each_choice_is() {
    assert_eq!(read(&OPENAI), (openai_items(), Fed::Done));
    let (_, end) = read(&OPENAI[..6]);
    assert_eq!(end, Fed::Open, "no finish reason: cut off");
    let (_, end) = read(&[
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":null}]}"#,
    ]);
    assert_eq!(end, Fed::Open, "the other choice is not finished");
    assert_eq!(read(&[]).1, Fed::Open);
}

#[test]
fn the_mark_completes_what_has_no_reason_but_not_nothing() {
    let events = [r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#, " [DONE]"];
    assert_eq!(read(&events), (vec![text("a"), finish("stop")], Fed::Done));
    let call_only = [
        r#"{"id":"x","choices":[{"delta":{"tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]}}]}"#,
        "[DONE]",
    ];
    assert_eq!(read(&call_only), (vec![call(0, "c", "f", "{}"), finish("tool_calls")], Fed::Done));
    assert_eq!(read(&["[DONE]"]).1, Fed::Malformed);
    assert_eq!(read(&[r#"{"choices":[]}"#, "[DONE]"]).1, Fed::Malformed);
}

#[test]
fn several_choices_are_told_apart() {
    let items = items(&[
        r#"{"choices":[{"index":0,"delta":{"content":"a"}},{"index":2,"delta":{"content":"c"}}]}"#,
        r#"{"choices":[{"index":2,"delta":{"content":"C"},"finish_reason":"length"}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    ]);
    let text = |choice, text: &str| Item::Text { choice, text: text.into(), logprobs: Vec::new() };
    let finish = |choice, reason: &str| Item::Finish { choice, reason: reason.into() };
    assert_eq!(items, [text(0, "a"), text(2, "c"), text(2, "C"), finish(2, "length"), finish(0, "stop")]);
}

#[test]
fn thoughts_have_many_names_and_are_told_once() {
    let events = [
        // DeepSeek.
        r#"{"choices":[{"index":0,"delta":{"content":null,"reasoning_content":"a"}}]}"#,
        // vLLM since 0.11, while both names are sent.
        r#"{"choices":[{"index":0,"delta":{"reasoning_content":"b","reasoning":"b"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"reasoning":"c"}}]}"#,
        // OpenRouter.
        r#"{"choices":[{"index":0,"delta":{"content":"","reasoning":"d","reasoning_details":[{"type":"reasoning.text","text":"d","format":"x","index":0}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"reasoning":null,"reasoning_details":[{"type":"reasoning.summary","summary":"e","index":0}]}}]}"#,
        // Google.
        r#"{"choices":[{"index":0,"delta":{"content":"f","extra_content":{"google":{"thought":true}}}}]}"#,
        // Mistral.
        r#"{"choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"g"}]}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"said"}]},"finish_reason":"stop"}]}"#,
    ];
    assert_eq!(joined(&items(&events)), [reasoning("abcdefg"), text("said"), finish("stop")]);
}

#[test]
fn signed_thoughts_are_kept_with_the_text_that_is_signed() {
    let events = [
        r#"{"choices":[{"delta":{"reasoning":"I ","reasoning_details":[{"type":"reasoning.text","text":"I ","format":"anthropic-claude-v1","index":0}]}}]}"#,
        r#"{"choices":[{"delta":{"reasoning":"see.","reasoning_details":[{"type":"reasoning.text","text":"see.","format":"anthropic-claude-v1","index":0}]}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.text","signature":"c2ln+/=","format":"anthropic-claude-v1","index":0}]}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"b3BhcXVl","id":"rs_1","index":1}]},"finish_reason":"stop"}]}"#,
    ];
    let item =
        |json: &str| Item::Thought { choice: 0, origin: Dialect::OpenAiChat, thought: Thought::Item(json.into()) };
    assert_eq!(
        joined(&items(&events)),
        [
            reasoning("I see."),
            item(
                r#"{"type":"reasoning.text","text":"I see.","signature":"c2ln+/=","format":"anthropic-claude-v1","index":0}"#
            ),
            item(r#"{"type":"reasoning.encrypted","data":"b3BhcXVl","id":"rs_1","index":1}"#),
            finish("stop"),
        ]
    );
}

#[test]
fn calls_that_say_their_name_again_are_one() {
    let events = [
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":"{\"a\""}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":":1}"}}]}}]}"#,
        // vLLM's older servers: a new id with each piece.
        r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"t1","function":{"name":"g","arguments":""}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"t2","function":{"name":null,"arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#,
    ];
    assert_eq!(
        joined(&items(&events)),
        [call(0, "c1", "f", "{\"a\":1}"), call(1, "t1", "g", "{}"), finish("tool_calls")]
    );
}

#[test]
fn whole_calls_without_a_number_or_with_the_same_are_told_apart() {
    for number in ["", "\"index\":0,", "\"index\":null,"] {
        let one = |id: &str, name: &str| {
            format!(r#"{{{number}"id":"{id}","type":"function","function":{{"name":"{name}","arguments":"{{}}"}}}}"#)
        };
        let both = format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{},{}]}}}}]}}"#, one("a", "f"), one("b", "f"));
        let third =
            format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{}]}},"finish_reason":"stop"}}]}}"#, one("c", "g"));
        let expected =
            [call(0, "a", "f", "{}"), call(1, "b", "f", "{}"), call(2, "c", "g", "{}"), finish("tool_calls")];
        assert_eq!(items(&[&both, &third]), expected, "{number}");
    }
}

#[test]
fn a_call_without_an_id_gets_one_that_is_its_own() {
    let event = |answer: &str| {
        format!(
            r#"{{"id":"{answer}","choices":[{{"delta":{{"tool_calls":[{{"function":{{"name":"f","arguments":{{"a":1}}}}}},{{"function":{{"name":"f","arguments":"{{}}"}}}}]}},"finish_reason":"stop"}}]}}"#
        )
    };
    let ids = |answer: &str| -> Vec<String> {
        let items = items(&[&event(answer)]);
        items
            .iter()
            .filter_map(|item| match item {
                Item::ToolCall { id, .. } => id.clone(),
                _ => None,
            })
            .collect()
    };
    let (first, again, other) = (ids("A"), ids("A"), ids("B"));
    assert_eq!(first, again);
    let mut all = [first, other].concat();
    assert!(all.iter().all(|id| id.starts_with("call_") && id.len() == 21), "{all:?}");
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 4);
}

#[test]
fn a_call_is_told_when_its_name_is_known() {
    let events = [
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"arguments":"{"}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"}"}}]}}]}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#,
    ];
    assert_eq!(items(&events), [call(0, "c", "f", "{}"), finish("tool_calls")]);
}

#[test]
fn the_older_call_is_one_of_the_newer_form() {
    let events = [
        r#"{"id":"x","choices":[{"delta":{"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}}}]}"#,
        r#"{"id":"x","choices":[{"delta":{"function_call":{"arguments":"{\"a\":1}"}}}]}"#,
        r#"{"id":"x","choices":[{"delta":{},"finish_reason":"function_call"}]}"#,
    ];
    let items = joined(&items(&events));
    assert!(
        matches!(&items[0], Item::ToolCall { name: Some(name), arguments, .. } if name == "f" && arguments == "{\"a\":1}")
    );
    assert_eq!(items[1..], [finish("tool_calls")]);
}

#[test]
fn odds_come_with_their_text() {
    let items = items(&[
        r#"{"choices":[{"index":0,"delta":{"content":"é"},"logprobs":{"content":[{"token":"é","logprob":-0.5,"bytes":[195,169],"top_logprobs":[{"token":"é","logprob":-0.5,"bytes":[195,169]},{"token":"e","logprob":-1.5,"bytes":null}]}],"refusal":null},"finish_reason":"stop"}]}"#,
    ]);
    let Item::Text { logprobs, .. } = &items[0] else { panic!("{items:?}") };
    assert_eq!((logprobs[0].token.as_str(), logprobs[0].logprob), ("é", -0.5));
    assert_eq!(logprobs[0].top[1], ("e".to_owned(), b"e".to_vec(), -1.5));
    let items = self::items(&[
        r#"{"choices":[{"index":0,"text":"ab","logprobs":{"tokens":["a","b"],"token_logprobs":[null,-2.0],"top_logprobs":[null,{"b":-2.0}],"text_offset":[0,1]},"finish_reason":"length"}]}"#,
    ]);
    let Item::Text { logprobs, text, .. } = &items[0] else { panic!("{items:?}") };
    assert_eq!((text.as_str(), logprobs.len(), logprobs[1].logprob), ("ab", 2, -2.0));
    assert_eq!((logprobs[0].top.len(), logprobs[1].top.len()), (0, 1));
}

#[test]
fn refusals_annotations_and_stop_sequences_are_told() {
    let items = items(&[
        r#"{"choices":[{"delta":{"refusal":"No."}}]}"#,
        r#"{"choices":[{"delta":{"annotations":[{"type":"url_citation","url_citation":{"url":"https://a.example","title":"A","start_index":0,"end_index":3}}]}}]}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"stop","stop_reason":"END"}]}"#,
        r#"{"choices":[{"index":1,"delta":{},"finish_reason":"stop","stop_reason":"end_turn"}]}"#,
        r#"{"choices":[{"index":2,"delta":{},"finish_reason":"stop","stop_reason":128009}]}"#,
    ]);
    assert_eq!(items[0], Item::Refusal { choice: 0, text: "No.".into() });
    assert!(matches!(&items[1], Item::Annotation { json, .. } if json.contains("https://a.example")));
    assert_eq!(items[2..4], [Item::StopSequence { choice: 0, text: "END".into() }, finish("stop")]);
    assert_eq!(items.len(), 6, "{items:?}");
}

#[test]
fn an_error_event_ends_the_stream_with_its_words() {
    for (event, words) in [
        (r#"data: {"error":{"message":"overloaded","type":"server_error"}}"#, "overloaded"),
        (r#"data: {"object":"error","message":"too long","code":400}"#, "too long"),
        (
            r#"data: {"id":"g","error":{"code":502,"message":"provider"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
            "provider",
        ),
        ("event: error\ndata: {\"message\":\"gone\"}", "gone"),
        (r#"data: {"type":"error","detail":"nope"}"#, "nope"),
        (r#"data: {"choices":[],"x_groq":{"error":"over"}}"#, "over"),
    ] {
        let stream = format!("{}{event}\n\n", stream(&OPENAI[..2]));
        assert_eq!(read_parts(&[stream.as_bytes()]), (vec![text("Héllo")], Fed::Error(words.into())), "{event}");
    }
}

#[test]
fn what_is_no_chunk_is_malformed() {
    for data in ["{", "[]", "null", "{}", r#"{"choices":7}"#, r#"{"choices":[7]}"#, "<html>", r#"{"choices":null}x"#] {
        assert_eq!(read(&[data]).1, Fed::Malformed, "{data}");
    }
}

#[test]
fn usage_is_found_where_providers_put_it() {
    let said = r#"{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}"#;
    for event in [
        // Every event (vLLM's `continuous_usage_stats`, Mistral's last).
        format!(r#"{{"choices":[{said}],"usage":{{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}}}}"#),
        // Groq.
        format!(r#"{{"choices":[{said}],"x_groq":{{"id":"r","usage":{{"prompt_tokens":5,"completion_tokens":1}}}}}}"#),
        // Moonshot.
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop","usage":{"prompt_tokens":5,"completion_tokens":1}}]}"#.to_owned(),
    ] {
        let items = items(&[&event]);
        assert!(items.contains(&Item::Usage(usage(5, 1, 0))), "{items:?}");
    }
}

#[test]
fn an_answer_of_no_words_may_have_cost_no_output() {
    let items = items(&[
        r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}]}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":0}}"#,
        "[DONE]",
    ]);
    assert_eq!(items, [finish("stop"), Item::Usage(usage(7, 0, 0))]);
}
