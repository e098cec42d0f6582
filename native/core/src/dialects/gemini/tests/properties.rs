//! What holds for any input.

use proptest::prelude::*;
use serde_json::{Map, Value as Json};

use super::*;
use crate::dialects::gemini::{CONFIG_FIELDS, REQUEST_FIELDS};

/// Names that mean something somewhere, so that chance meets them.
const WORDS: &[&str] = &[
    "contents",
    "parts",
    "text",
    "role",
    "model",
    "user",
    "functionCall",
    "functionResponse",
    "name",
    "args",
    "id",
    "response",
    "output",
    "error",
    "inlineData",
    "fileData",
    "mimeType",
    "data",
    "fileUri",
    "thought",
    "thoughtSignature",
    "candidates",
    "content",
    "index",
    "finishReason",
    "STOP",
    "MAX_TOKENS",
    "usageMetadata",
    "promptTokenCount",
    "candidatesTokenCount",
    "totalTokenCount",
    "promptFeedback",
    "blockReason",
    "responseId",
    "groundingMetadata",
    "groundingChunks",
    "groundingSupports",
    "segment",
    "startIndex",
    "endIndex",
    "groundingChunkIndices",
    "web",
    "uri",
    "citationMetadata",
    "citations",
    "logprobsResult",
    "chosenCandidates",
    "topCandidates",
    "token",
    "logProbability",
    "tools",
    "functionDeclarations",
    "parameters",
    "type",
    "OBJECT",
    "properties",
    "toolConfig",
    "functionCallingConfig",
    "mode",
    "ANY",
    "generationConfig",
    "messages",
    "tool_calls",
    "function",
    "arguments",
    "tool_call_id",
    "assistant",
    "tool",
    "system",
    "image_url",
    "url",
    "requests",
    "embeddings",
    "values",
    "extra_content",
    "google",
    "thoughts",
    "origin",
    "gemini",
    "signature",
    "input",
    "stop",
    "thinking",
    "data:image/png;base64,AA",
    "response_format",
    "json_schema",
    "schema",
    "systemInstruction",
    "thinkingConfig",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![4 => prop::sample::select(WORDS).prop_map(str::to_owned), 1 => ".{0,6}"]
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        (0..3i64).prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        word().prop_map(Json::from),
    ];
    leaf.prop_recursive(6, 48, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::vec((word(), inner), 0..5)
                .prop_map(|all| Json::from(all.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Shapes that come far: chance alone seldom makes them.
fn request() -> impl Strategy<Value = Json> {
    let names: Vec<&str> = REQUEST_FIELDS.iter().chain(CONFIG_FIELDS).map(|(name, ..)| *name).collect();
    let part = prop::collection::vec((word(), any_json()), 0..3)
        .prop_map(|all| Json::from(all.into_iter().collect::<Map<_, _>>()));
    let content = (prop::sample::select(vec!["user", "model"]), prop::collection::vec(part, 0..4))
        .prop_map(|(role, parts)| serde_json::json!({"role":role,"parts":parts}));
    (prop::collection::vec(content, 1..4), prop::collection::vec((prop::sample::select(names), any_json()), 0..3))
        .prop_map(|(contents, more)| {
            let mut all: Map<String, Json> = more.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            all.insert("contents".into(), contents.into());
            all.into()
        })
}

fn asks() -> impl Iterator<Item = Ask> {
    [Endpoint::Chat, Endpoint::Embeddings].into_iter().map(|endpoint| Ask { endpoint: Some(endpoint), ..ask() })
}

proptest! {
    #[test]
    fn any_request_is_read_to_json_or_refused(body in prop_oneof![any_json(), request()]) {
        for ask in asks() {
            if let Ok(read) = Gemini.read_request(&ask, body.to_string().as_bytes(), &mut Loss::default()) {
                let neutral: Json = serde_json::from_slice(&read).unwrap();
                prop_assert!(neutral["messages"].is_array() || !neutral["input"].is_null());
            }
        }
    }

    #[test]
    fn any_neutral_request_is_written_to_json_or_refused(body in any_json(), messages in any_json(), more in any_json()) {
        let chat = serde_json::json!({"messages":[messages, {"role":"user","content":more.clone()},
            {"role":"assistant","tool_calls":[more.clone()],"thoughts":[more.clone()]}],
            "tools":[more.clone()],"tool_choice":more.clone(),"response_format":more.clone(),"stop":more.clone(),"thinking":more});
        for body in [body, chat] {
            for endpoint in [Endpoint::Chat, Endpoint::Completions, Endpoint::Embeddings] {
                let to = To { endpoint, ..to("gemini-3-pro") };
                if let Ok(written) = Gemini.write_request(&to, body.to_string().as_bytes(), &mut Loss::default()) {
                    serde_json::from_slice::<Json>(&written).unwrap();
                }
            }
        }
    }

    #[test]
    fn what_is_read_is_written_as_json_or_refused(body in request()) {
        let Ok(neutral) = Gemini.read_request(&ask(), body.to_string().as_bytes(), &mut Loss::default()) else { return Ok(()) };
        let written = Gemini.write_request(&to("gemini-2.5-pro"), &neutral, &mut Loss::default());
        if let Ok(written) = written {
            serde_json::from_slice::<Json>(&written).unwrap();
        }
    }

    #[test]
    fn any_body_is_spliced_to_json(body in prop_oneof![any_json(), request()], cap in any::<Option<u64>>()) {
        for endpoint in [Endpoint::Chat, Endpoint::Embeddings] {
            let to = To { endpoint, cap, ..to("m\"x") };
            serde_json::from_slice::<Json>(&Gemini.splice_request(&to, body.to_string().as_bytes())).unwrap();
        }
    }

    #[test]
    fn any_answer_is_read_and_what_is_read_is_written(body in any_json(), parts in prop::collection::vec(any_json(), 0..4), more in any_json()) {
        let answer = serde_json::json!({"candidates":[{"content":{"parts":parts},"finishReason":"STOP",
            "groundingMetadata":more.clone(),"logprobsResult":more.clone()}],"usageMetadata":more});
        for body in [body, answer] {
            for endpoint in [Endpoint::Chat, Endpoint::Embeddings] {
                let mut items = Vec::new();
                let _ = Gemini.read_answer(endpoint, body.to_string().as_bytes(), &mut items);
                let reply = Reply { endpoint: Some(endpoint), ..reply(Form::Usual) };
                serde_json::from_slice::<Json>(&Gemini.write_answer(&reply, &items, &USAGE)).unwrap();
                serde_json::from_slice::<Json>(&encode(&items, Form::Array)).unwrap();
            }
        }
    }

    #[test]
    fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for ask in asks() {
            let _ = Gemini.read_request(&ask, &bytes, &mut Loss::default());
        }
        let _ = Gemini.write_request(&to("m"), &bytes, &mut Loss::default());
        let _ = Gemini.splice_request(&To { cap: Some(1), ..to("m") }, &bytes);
        let _ = Gemini.read_answer(Endpoint::Chat, &bytes, &mut Vec::new());
        let _ = Gemini.error_words(&bytes);
        let _ = decode(&[b"data: ", &bytes[..], b"\n\n", &bytes[..], b"\n\n"].concat(), 16);
    }
}
