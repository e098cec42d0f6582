//! Whatever comes, nothing panics; and what means the same is read the same.

use super::*;
use crate::json::validate;
use proptest::prelude::*;

/// JSON made of the words of the protocol, in places where they belong and where they do not.
fn json() -> impl Strategy<Value = String> {
    let words = [
        "id",
        "choices",
        "index",
        "delta",
        "message",
        "content",
        "text",
        "role",
        "assistant",
        "tool",
        "user",
        "function",
        "name",
        "arguments",
        "tool_calls",
        "function_call",
        "finish_reason",
        "stop",
        "usage",
        "prompt_tokens",
        "completion_tokens",
        "reasoning_content",
        "reasoning_details",
        "signature",
        "data",
        "type",
        "error",
        "logprobs",
        "tokens",
        "token_logprobs",
        "top_logprobs",
        "extra_content",
        "google",
        "thought_signature",
        "annotations",
        "thoughts",
        "origin",
        "item",
        "openai_chat",
        "messages",
        "model",
        "tools",
        "native",
        "value",
        "thinking",
        "enabled",
        "file",
        "file_url",
        "cache_control",
        "is_error",
        "reasoning",
        "functions",
        "embedding",
        "citations",
        "x_groq",
    ];
    let word = proptest::sample::select(words.to_vec());
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        prop_oneof![Just(-1i64), 0..4i64, Just(1i64 << 40)].prop_map(|number| number.to_string()),
        word.clone().prop_map(|word| format!("\"{word}\"")),
        Just("\"\\ud800\\n\"".to_owned()),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        let fields = proptest::collection::vec((word.clone(), inner.clone()), 0..6);
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(|all| format!("[{}]", all.join(","))),
            fields.prop_map(|all| {
                let mut seen = std::collections::BTreeSet::new();
                let fields = all.into_iter().filter(|(key, _)| seen.insert(*key));
                let fields: Vec<_> = fields.map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_json_panics(json in json(), other in json()) {
        let delta = format!(r#"{{"id":"x","choices":[{{"index":0,"delta":{json},"logprobs":{other},"finish_reason":"stop"}}]}}"#);
        let list = format!(r#"{{"choices":{json},"usage":{other}}}"#);
        let message = format!(r#"{{"model":"m","messages":[{{"role":"tool","content":{json}}},{json}],"tools":{other},"thinking":{other}}}"#);
        let calls = format!(r#"{{"choices":[{{"message":{{"content":{other},"tool_calls":[{json},{json}]}}}}]}}"#);
        for text in [&json, &delta, &list, &message, &calls] {
            read(&[text, &json, "[DONE]"]);
            for endpoint in [Endpoint::Chat, Endpoint::Completions, Endpoint::Embeddings] {
                let mut items = Vec::new();
                let _ = OpenAiChat::USUAL.read_answer(endpoint, text.as_bytes(), &mut items);
                OpenAiChat::USUAL.write_answer(&Reply { endpoint: Some(endpoint), ..Reply::default() }, &items, &usage(1, 1, 0));
            }
            OpenAiChat::USUAL.error_words(text.as_bytes());
            let mut loss = Loss::default();
            for manners in ["openai", "openrouter", "vllm"] {
                if let Ok(body) = dialect(manners).write_request(&CHAT, text.as_bytes(), &mut loss) {
                    prop_assert!(validate(&body, Default::default()).is_ok(), "{}", String::from_utf8_lossy(&body));
                }
            }
            if let Ok(body) = OpenAiChat::USUAL.read_request(&Ask::default(), text.as_bytes(), &mut loss) {
                prop_assert!(validate(&body, Default::default()).is_ok(), "{}", String::from_utf8_lossy(&body));
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_parts(&[&bytes, b"\n\n"]);
        let _ = OpenAiChat::USUAL.read_answer(Endpoint::Chat, &bytes, &mut Vec::new());
        let _ = OpenAiChat::USUAL.read_request(&Ask::default(), &bytes, &mut Loss::default());
        let _ = OpenAiChat::USUAL.write_request(&CHAT, &bytes, &mut Loss::default());
        OpenAiChat::USUAL.splice_request(&CHAT, &bytes);
        OpenAiChat::USUAL.error_words(&bytes);
    }

    #[test]
    fn a_delta_and_a_message_are_read_alike(json in json()) {
        let body = format!(r#"{{"id":"x","choices":[{{"index":0,"message":{json},"finish_reason":"stop"}}]}}"#);
        let event = format!(r#"{{"id":"x","choices":[{{"index":0,"delta":{json},"finish_reason":"stop"}}]}}"#);
        let mut items = Vec::new();
        let answer = OpenAiChat::USUAL.read_answer(Endpoint::Chat, body.as_bytes(), &mut items);
        let (streamed, end) = read(&[&event]);
        prop_assert_eq!((answer == Answer::Whole, items), (end == Fed::Done, streamed));
    }

    #[test]
    fn text_and_calls_survive_being_written(
        pieces in proptest::collection::vec(("\\PC{0,8}", any::<bool>()), 1..6),
        calls in proptest::collection::vec(("[a-z]{1,6}", "\\PC{0,12}"), 0..4),
    ) {
        let mut items: Vec<Item> = pieces
            .iter()
            .filter(|(piece, _)| !piece.is_empty())
            .map(|(piece, thought)| if *thought { reasoning(piece) } else { text(piece) })
            .collect();
        for (at, (name, arguments)) in calls.iter().enumerate() {
            items.push(call(at as u32, &format!("id-{at}"), name, arguments));
        }
        items.push(finish(if calls.is_empty() { "stop" } else { "tool_calls" }));
        let mut encoder = OpenAiChat::USUAL.encoder(Reply::default());
        let mut out = Vec::new();
        items.iter().for_each(|item| encoder.item(item, &mut out));
        encoder.end(&Usage::default(), &mut out);
        let (read, end) = read_parts(&[&out]);
        prop_assert_eq!((joined(&read), end), (joined(&items), Fed::Done));
    }

    #[test]
    fn every_neutral_field_survives_or_is_told(json in json(), at in 0..60usize) {
        let neutral: Vec<_> = super::super::REQUEST_FIELDS
            .iter()
            .map(|(_, neutral, _)| *neutral)
            .filter(|name| !["", "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"].contains(name))
            .collect();
        let name = neutral[at % neutral.len()];
        // serde_json reads no lone surrogates.
        prop_assume!(json != "null" && !json.contains("ud800"));
        let body = format!(r#"{{"model":"m","messages":[],"{name}":{json}}}"#);
        for manners in ["openai", "vllm", "deepseek", "gemini"] {
            let (written, lost) = written(dialect(manners), &CHAT, &body);
            let kept = written.get(name) == Some(&serde_json::from_str(&json).unwrap());
            prop_assert!(kept || !lost.is_empty(), "{body}\n{written}");
        }
    }
}
