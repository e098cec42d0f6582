//! Whole answers.

use serde_json::json;

use super::*;
use crate::dialects::neutral::{CallKind, Thought, TokenLogprob};
use crate::dialects::{Answer, Dialect};

fn whole(body: &str) -> (Vec<Item>, Answer) {
    let mut items = Vec::new();
    let answer = Gemini.read_answer(Endpoint::Chat, body.as_bytes(), &mut items);
    (items, answer)
}

fn finish(reason: &str) -> Item {
    Item::Finish { choice: 0, reason: reason.into() }
}

/// As the Gemini API answers, with thoughts, a signed call beside an unsigned one, and counts.
pub(super) const CALLS: &str = r#"{"candidates":[{"content":{"parts":[
    {"text":"I should look.","thought":true},{"text":"Let me see."},
    {"functionCall":{"name":"look","args":{"at": "it"}},"thoughtSignature":"Cg-_"},
    {"functionCall":{"id":"own","name":"wait"}}],"role":"model"},"finishReason":"STOP","index":0,"safetyRatings":[]}],
    "usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":35,"thoughtsTokenCount":20,
      "cachedContentTokenCount":4,"promptTokensDetails":[{"modality":"TEXT","tokenCount":10}]},
    "modelVersion":"gemini-3-pro","responseId":"mAitaLmkHPPlz7IPvtfUqQ4"}"#;

#[test]
fn an_answer_is_read() {
    let (items, answer) = whole(CALLS);
    assert_eq!(answer, Answer::Whole);
    let call = |index, id: &str, name: &str, arguments: &str| Item::ToolCall {
        choice: 0,
        index,
        id: Some(id.into()),
        name: Some(name.into()),
        arguments: arguments.into(),
        kind: CallKind::Function,
    };
    assert_eq!(
        items,
        [
            Item::Reasoning { choice: 0, text: "I should look.".into() },
            Item::Text { choice: 0, text: "Let me see.".into(), logprobs: vec![] },
            call(0, "call_taLmkHPPlz7IPvtfUqQ4_0_0_look", "look", r#"{"at": "it"}"#),
            Item::Thought { choice: 0, origin: Dialect::Gemini, thought: Thought::OfCall(0, "Cg-_".into()) },
            call(1, "own", "wait", "{}"),
            Item::Usage(USAGE),
            Item::UsageDetail { reasoning_tokens: 20 },
            finish("tool_calls"),
        ]
    );
}

#[test]
fn what_is_read_is_written_as_it_was() {
    let (items, _) = whole(CALLS);
    let written = String::from_utf8(Gemini.write_answer(&reply(Form::Usual), &items, &USAGE)).unwrap();
    let (again, answer) = whole(&written);
    let written = json(written.as_bytes());
    assert_eq!(answer, Answer::Whole);
    assert_eq!(again, items);
    assert_eq!(written["responseId"], "answer-1");
    assert_eq!(written["modelVersion"], "gemini-3-pro");
    assert_eq!(written["usageMetadata"]["thoughtsTokenCount"], 20);
    assert_eq!(written["usageMetadata"]["candidatesTokenCount"], 5);
    assert_eq!(written["candidates"][0]["content"]["role"], "model");
}

#[test]
fn a_blocked_prompt_is_a_refusal() {
    let (items, answer) = whole(
        r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9}}"#,
    );
    assert_eq!(answer, Answer::Whole);
    let text = "The prompt was blocked: PROHIBITED_CONTENT.".to_owned();
    assert_eq!(items[1..], [Item::Refusal { choice: 0, text: text.clone() }, finish("content_filter")]);
    let written = json(&Gemini.write_answer(&reply(Form::Usual), &items, &USAGE));
    assert_eq!(written["candidates"][0]["finishReason"], "SAFETY");
    assert_eq!(written["candidates"][0]["finishMessage"], *text);
}

#[test]
fn a_block_ends_what_was_begun_and_what_googles_tools_did_is_not_signed() {
    let events = [
        r#"{"candidates":[{"content":{"parts":[{"toolCall":{"id":"1"},"thoughtSignature":"c2ln"},{"text":"Hi"}]}}]}"#,
        r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#,
    ];
    let (items, complete) = decode(events.map(|event| format!("data: {event}\n\n")).concat().as_bytes(), 99);
    assert_eq!(complete, Ok(true));
    let refusal = Item::Refusal { choice: 0, text: "The prompt was blocked: SAFETY.".into() };
    let text = Item::Text { choice: 0, text: "Hi".into(), logprobs: vec![] };
    assert_eq!(items, [text, refusal, finish("content_filter")]);
}

#[test]
fn every_finish_reason_of_the_client_library_is_read() {
    for (reason, expected) in [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("LANGUAGE", "content_filter"),
        ("OTHER", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("IMAGE_PROHIBITED_CONTENT", "content_filter"),
        ("IMAGE_OTHER", "content_filter"),
        ("NO_IMAGE", "stop"),
        ("IMAGE_RECITATION", "content_filter"),
        ("ESCALATION", "content_filter"),
        ("PUP_LIMITED_DISABLED", "content_filter"),
        ("CONTINUATION", "length"),
        ("MODEL_ARMOR", "content_filter"),
    ] {
        let (items, answer) = whole(&format!("{{\"candidates\":[{{\"finishReason\":\"{reason}\"}}]}}"));
        assert_eq!((items, answer), (vec![finish(expected)], Answer::Whole), "{reason}");
    }
    for reason in [
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
    ] {
        let (_, answer) = whole(&format!("{{\"candidates\":[{{\"finishReason\":\"{reason}\"}}]}}"));
        assert_eq!(answer, Answer::Error(reason.into()));
    }
    for open in [r#"{"candidates":[{}]}"#, r#"{"candidates":[{"finishReason":"FINISH_REASON_UNSPECIFIED"}]}"#] {
        assert_eq!(whole(open).1, Answer::Malformed, "{open}");
    }
}

#[test]
fn sources_are_annotations_whose_places_are_characters() {
    let body = json!({"candidates":[{"content":{"parts":[{"text":"Grüße aus Köln. Es regnet."}]},"finishReason":"STOP",
        "groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a","title":"A"}}],
            "groundingSupports":[{"segment":{"startIndex":19,"endIndex":29,"text":"Es regnet."},"groundingChunkIndices":[0,7]}]},
        "citationMetadata":{"citations":[{"startIndex":0,"endIndex":7,"uri":"https://b"}]}}]});
    let (items, _) = whole(&body.to_string());
    let cited = |json: &str| Item::Annotation { choice: 0, json: json.into() };
    let expected = [
        cited(
            r#"{"type":"url_citation","url_citation":{"url":"https://a","title":"A","start_index":16,"end_index":26}}"#,
        ),
        cited(r#"{"type":"url_citation","url_citation":{"url":"https://b","title":"","start_index":0,"end_index":5}}"#),
    ];
    assert_eq!(items[1..3], expected);
    let written = json(&Gemini.write_answer(&reply(Form::Usual), &items, &USAGE));
    let supports = &written["candidates"][0]["groundingMetadata"]["groundingSupports"];
    assert_eq!(supports[0], json!({"segment":{"startIndex":19,"endIndex":29},"groundingChunkIndices":[0]}));
    let streamed = decode(&encode(&items, Form::Usual), 1_000_000).0;
    assert!(streamed.contains(&expected[0]) && streamed.contains(&expected[1]));
}

/// The Gemini API's own names, and what tools of Google's read.
#[test]
fn every_kind_of_source_is_told_once() {
    let source = |uri: &str| json!({"web":{"uri":uri,"title":"T"}});
    let candidate = json!({"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP",
        "groundingMetadata":{"groundingChunks":[source("https://a"), {"image":{"sourceUri":"https://b"}}],
            "groundingSupports":[{"segment":{"endIndex":2},"groundingChunkIndices":[0]}]},
        "citationMetadata":{"citationSources":[{"startIndex":1,"endIndex":2,"uri":"https://c","license":"mit"}]},
        "urlContextMetadata":{"urlMetadata":[
            {"retrievedUrl":"https://a","urlRetrievalStatus":"URL_RETRIEVAL_STATUS_SUCCESS"},
            {"retrievedUrl":"https://d","urlRetrievalStatus":"URL_RETRIEVAL_STATUS_SUCCESS"},
            {"retrievedUrl":"https://e","urlRetrievalStatus":"URL_RETRIEVAL_STATUS_PAYWALL"}]}});
    let event = format!("data: {}\r\n\r\n", json!({"candidates":[candidate]}));
    let (items, complete) = decode([&*event, &*event.replace("\"Hi\"", "\"\"")].concat().as_bytes(), 1_000);
    assert_eq!(complete, Ok(true));
    let cited: Vec<_> = items
        .iter()
        .filter_map(|item| match item {
            Item::Annotation { json, .. } => Some(super::json(json.as_bytes())),
            _ => None,
        })
        .map(|it| (it["url_citation"]["url"].clone(), it["url_citation"]["end_index"].clone()))
        .collect();
    let expected = [("https://a", 2), ("https://b", 0), ("https://c", 2), ("https://d", 0)];
    assert_eq!(cited, expected.map(|(uri, end)| (json!(uri), json!(end))));
}

#[test]
fn likelihoods_come_with_the_text() {
    let token = |text: &str, logprob| json!({"token":text,"tokenId":1,"logProbability":logprob});
    let body = json!({"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP","logprobsResult":{
        "topCandidates":[{"candidates":[token("Hi", -0.5), token("Ho", -1.5)]}],"chosenCandidates":[token("Hi", -0.5)]}}]});
    let (items, _) = whole(&body.to_string());
    let top = vec![("Hi".into(), b"Hi".to_vec(), -0.5), ("Ho".into(), b"Ho".to_vec(), -1.5)];
    let logprobs = vec![TokenLogprob { token: "Hi".into(), bytes: b"Hi".to_vec(), logprob: -0.5, top }];
    assert_eq!(items[0], Item::Text { choice: 0, text: "Hi".into(), logprobs });
    let written = Gemini.write_answer(&reply(Form::Usual), &items, &USAGE);
    assert_eq!(whole(&String::from_utf8(written).unwrap()).0[0], items[0]);
}

#[test]
fn errors_and_nonsense_are_no_answers() {
    let error = r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#;
    assert_eq!(whole(error).1, Answer::Error("The model is overloaded.".into()));
    assert_eq!(whole(&format!("[{error}]")).1, Answer::Error("The model is overloaded.".into()));
    for body in [
        "",
        "{}",
        "[]",
        "null",
        "<html>",
        r#"{"choices":[]}"#,
        r#"{"candidates":[]}"#,
        r#"{"candidates":[7]}"#,
        r#"{"candidates":[{"index":4000000000,"finishReason":"STOP"}]}"#,
        r#"{"promptFeedback":{}}"#,
    ] {
        assert_eq!(whole(body).1, Answer::Malformed, "{body}");
    }
}

#[test]
fn vectors_are_read_and_written_in_both_forms() {
    for (body, count) in [
        (r#"{"embedding":{"values":[0.5,-1]}}"#, 1),
        (r#"{"embeddings":[{"values":[0.5,-1]},{"values":[1]}],"usageMetadata":{"promptTokenCount":3}}"#, 2),
    ] {
        let mut items = Vec::new();
        assert_eq!(Gemini.read_answer(Endpoint::Embeddings, body.as_bytes(), &mut items), Answer::Whole);
        assert_eq!(items.iter().filter(|item| matches!(item, Item::Embedding { .. })).count(), count);
        assert_eq!(items[0], Item::Embedding { index: 0, vector: vec![0.5, -1.0] });
        let form = if count == 1 { Form::Usual } else { Form::Other };
        let reply = Reply { endpoint: Some(Endpoint::Embeddings), ..reply(form) };
        let written = json(&Gemini.write_answer(&reply, &items, &Usage::default()));
        let vector = if count == 1 { &written["embedding"] } else { &written["embeddings"][0] };
        assert_eq!(vector["values"], json!([0.5, -1.0]));
    }
    let mut items = Vec::new();
    assert_eq!(Gemini.read_answer(Endpoint::Embeddings, b"{\"embeddings\":[]}", &mut items), Answer::Malformed);
    assert_eq!(
        Gemini.read_answer(Endpoint::Embeddings, br#"{"embedding":{"values":["a"]}}"#, &mut items),
        Answer::Malformed
    );
}
