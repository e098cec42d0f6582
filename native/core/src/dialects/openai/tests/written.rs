//! Answers as they are written, read again.

use super::*;

fn all_kinds() -> Vec<Item> {
    vec![
        reasoning("I think"),
        Item::Thought {
            choice: 0,
            origin: Dialect::OpenAiResponses,
            thought: Thought::Item("{\"id\":\"rs_1\"}".into()),
        },
        Item::Text { choice: 0, text: "He said \"é\n\"".into(), logprobs: Vec::new() },
        Item::Annotation { choice: 0, json: "{\"type\":\"url_citation\",\"url_citation\":{\"url\":\"u\"}}".into() },
        call(0, "a", "f", "{\"x\":1}"),
        Item::Thought { choice: 0, origin: Dialect::Gemini, thought: Thought::OfCall(0, "sig".into()) },
        call(1, "b", "g", "{}"),
        Item::StopSequence { choice: 0, text: "END".into() },
        finish("tool_calls"),
        Item::Refusal { choice: 1, text: "No".into() },
        Item::Finish { choice: 1, reason: "stop".into() },
        Item::Usage(with_written(usage(20, 10, 5), 2)),
        Item::UsageDetail { reasoning_tokens: 4 },
    ]
}

/// Thoughts of other dialects are for the caller to give back, and are none of an upstream of this one.
fn without_foreign(items: Vec<Item>) -> Vec<Item> {
    items.into_iter().filter(|item| !matches!(item, Item::Thought { origin: Dialect::OpenAiResponses, .. })).collect()
}

#[test]
fn what_is_streamed_reads_as_the_same_items() {
    let reply = Reply { id: "r-1".into(), model: "m".into(), include_usage: true, ..Reply::default() };
    let mut encoder = OpenAiChat::USUAL.encoder(reply);
    let mut out = Vec::new();
    all_kinds().iter().for_each(|item| encoder.item(item, &mut out));
    encoder.end(&with_written(usage(20, 10, 5), 2), &mut out);
    let (read, end) = read_parts(&[&out]);
    let mut expected = without_foreign(all_kinds());
    // Annotations are told before the choice finishes, and here they are read there.
    let annotation = expected.remove(2);
    assert!(matches!(annotation, Item::Annotation { .. }));
    expected.insert(6, annotation);
    assert_eq!((joined(&read), end), (expected, Fed::Done), "{}", String::from_utf8_lossy(&out));
}

#[test]
fn what_is_written_whole_reads_as_the_same_items() {
    let reply = Reply { id: "r-1".into(), model: "m".into(), created: 7, ..Reply::default() };
    let body = OpenAiChat::USUAL.write_answer(&reply, &all_kinds(), &with_written(usage(20, 10, 5), 2));
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((json["id"].as_str(), json["created"].as_i64()), (Some("chatcmpl-r-1"), Some(7)));
    assert_eq!(json["choices"][0]["message"]["thoughts"][0]["item"]["id"], "rs_1");
    // Whole answers have their calls last, and each call its signature.
    let mut items = whole(&String::from_utf8(body).unwrap());
    let signature = items.iter().position(|item| matches!(item, Item::Thought { .. }));
    assert!(signature.is_some());
    items.sort_by_key(order);
    let mut expected = without_foreign(all_kinds());
    expected.sort_by_key(order);
    assert_eq!(items, expected);
}

fn order(item: &Item) -> String {
    format!("{item:?}")
}

#[test]
fn a_stream_has_its_role_its_usage_if_asked_and_its_mark() {
    for include_usage in [false, true] {
        let reply = Reply { id: "1".into(), include_usage, ..Reply::default() };
        let mut encoder = OpenAiChat::USUAL.encoder(reply);
        let mut out = Vec::new();
        encoder.item(&text("a"), &mut out);
        encoder.item(&finish("stop"), &mut out);
        encoder.item(&Item::Usage(usage(1, 1, 0)), &mut out);
        encoder.end(&usage(1, 1, 0), &mut out);
        let out = String::from_utf8(out).unwrap();
        let events: Vec<_> = out.split_terminator("\n\n").collect();
        assert_eq!(events.len(), 4 + usize::from(include_usage), "{out}");
        assert!(events[0].contains(r#""delta":{"role":"assistant","content":""}"#));
        assert_eq!(events.last(), Some(&"data: [DONE]"));
        assert_eq!(out.contains("\"usage\""), include_usage);
    }
}

#[test]
fn a_broken_stream_ends_in_an_error_event() {
    let mut encoder = OpenAiChat::USUAL.encoder(Reply::default());
    let mut out = Vec::new();
    encoder.item(&text("a"), &mut out);
    let failure = crate::error::Failure::new(crate::error::Code::UpstreamTruncated, "It broke off.");
    assert!(encoder.error(&failure, &mut out));
    assert_eq!(read_parts(&[&out]), (vec![text("a")], Fed::Error("It broke off.".into())));
}

#[test]
fn a_completion_has_text_and_no_role() {
    let reply = Reply { endpoint: Some(Endpoint::Completions), id: "1".into(), ..Reply::default() };
    let mut encoder = OpenAiChat::USUAL.encoder(reply);
    let mut out = Vec::new();
    [reasoning("x"), text("a"), finish("stop")].iter().for_each(|item| encoder.item(item, &mut out));
    let out = String::from_utf8(out).unwrap();
    assert!(out.starts_with("data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\""), "{out}");
    assert!(out.contains("\"text\":\"a\"") && !out.contains("role") && !out.contains("reasoning"), "{out}");
}

#[test]
fn json_of_others_cannot_break_the_stream() {
    let mut encoder = OpenAiChat::USUAL.encoder(Reply::default());
    let mut out = Vec::new();
    encoder.item(&Item::Annotation { choice: 0, json: "{\n\"type\":\r\n\"url_citation\"}".into() }, &mut out);
    let out = String::from_utf8(out).unwrap();
    assert!(out.split_terminator("\n\n").all(|event| event.starts_with("data: {") && !event.contains(['\n', '\r'])));
}

#[test]
fn lists_are_told_in_one_delta_because_sdks_keep_the_last() {
    let mut encoder = OpenAiChat::USUAL.encoder(Reply::default());
    let mut out = Vec::new();
    let thought =
        |data: &str| Item::Thought { choice: 0, origin: Dialect::Anthropic, thought: Thought::Redacted(data.into()) };
    [thought("a"), text("t"), thought("b"), finish("stop"), thought("late")]
        .iter()
        .for_each(|item| encoder.item(item, &mut out));
    encoder.end(&Usage::default(), &mut out);
    let out = String::from_utf8(out).unwrap();
    assert_eq!(out.matches("\"thoughts\"").count(), 2, "{out}");
    let told = r#""thoughts":[{"origin":"anthropic","type":"redacted","data":"a"},{"origin":"anthropic","type":"redacted","data":"b"}]"#;
    assert!(out.find(told) < out.find("\"finish_reason\":\"stop\"") && out.contains(told), "{out}");
}
