//! Whole answers, both ways, and errors.

use serde_json::json;

use super::{calls, custom, finish, json as parsed, reply, text, thinks, whole, OpenAiResponses, USAGE};
use crate::dialects::neutral::{Item, Thought, TokenLogprob};
use crate::dialects::{Answer, Dialect, Protocol, Reply};
use crate::error::{Code, Failure};
use crate::ledger::Usage;

fn write(items: &[Item]) -> serde_json::Value {
    parsed(&OpenAiResponses.write_answer(&reply(), items, &USAGE))
}

#[test]
fn an_answer_of_every_kind_of_item() {
    let reasoning = json!({"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}],
        "encrypted_content": "gAAA"});
    let search = json!({"id": "ws_1", "type": "web_search_call", "status": "completed"});
    let (answer, items) = whole(
        &json!({"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed",
    "error": null, "incomplete_details": null, "output": [
        reasoning, search,
        {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [
            {"type": "output_text", "text": "Hi", "logprobs": [{"token": "Hi", "bytes": [72, 105], "logprob": -0.5,
                "top_logprobs": [{"token": "Ho", "bytes": [72, 111], "logprob": -1.5}]}],
             "annotations": [{"end_index": 2, "start_index": 0, "title": "E", "type": "url_citation", "url": "https://e.com"}]},
            {"type": "refusal", "refusal": "no"}]},
        {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "namespace": "ns", "arguments": "{\"a\":1}", "status": "completed"},
        {"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_2", "name": "c", "input": "plain"},
    ], "usage": {"input_tokens": 20, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2, "cache_write_tokens_details": {"ttl_30m_tokens": 1, "ttl_12h_tokens": 1}}, "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 29}}),
    );
    assert_eq!(answer, Answer::Whole);
    let thought = |item: serde_json::Value| Item::Thought {
        choice: 0,
        origin: Dialect::OpenAiResponses,
        thought: Thought::Item(item.to_string()),
    };
    let token = TokenLogprob {
        token: "Hi".into(),
        bytes: b"Hi".to_vec(),
        logprob: -0.5,
        top: vec![("Ho".into(), b"Ho".to_vec(), -1.5)],
    };
    assert_eq!(
        items,
        [
            thinks("Hm"),
            thought(reasoning),
            thought(search),
            Item::Text { choice: 0, text: "Hi".into(), logprobs: vec![token] },
            Item::Annotation {
                choice: 0,
                json: "{\"type\":\"url_citation\",\"url_citation\":{\"end_index\":2,\"start_index\":0,\"title\":\"E\",\
                       \"url\":\"https://e.com\"}}"
                    .into()
            },
            Item::Refusal { choice: 0, text: "no".into() },
            calls(0, "call_1", "ns_-_f", "{\"a\":1}"),
            custom(1, Some(("call_2", "c")), "plain"),
            finish("tool_calls"),
            Item::Usage(Usage { cache_written_tokens: 2, cache_written_long_tokens: 1, ..USAGE }),
            Item::UsageDetail { reasoning_tokens: 5 },
        ]
    );
}

#[test]
fn ends_of_answers() {
    let end = |more: serde_json::Value| {
        let mut body = json!({"output": [{"type": "message", "content": [{"type": "output_text", "text": "a"}]}]});
        more.as_object().unwrap().iter().for_each(|(key, value)| body[key] = value.clone());
        let (answer, items) = whole(&body);
        (
            answer,
            items.into_iter().find_map(|item| if let Item::Finish { reason, .. } = item { Some(reason) } else { None }),
        )
    };
    for (more, reason) in [
        (json!({"status": "completed"}), "stop"),
        (json!({}), "stop"),
        (json!({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}), "length"),
        (json!({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}), "content_filter"),
    ] {
        assert_eq!(end(more), (Answer::Whole, Some(reason.to_owned())));
    }
    let failed = json!({"status": "failed", "error": {"code": "server_error", "message": "broke"}});
    assert_eq!(end(failed), (Answer::Error("broke".into()), None));
    assert_eq!(end(json!({"status": "queued"})), (Answer::Later, None));
}

#[test]
fn what_is_no_answer() {
    assert_eq!(whole(&json!({"error": {"message": "no"}})).0, Answer::Error("no".into()));
    for body in [json!({}), json!([]), json!({"output": {}}), json!({"output": [1]}), json!({"choices": []})] {
        assert_eq!(whole(&body).0, Answer::Malformed, "{body}");
    }
}

#[test]
fn an_answer_repeats_its_request() {
    let request = json!({"model": "m", "input": "hi", "metadata": {"job": "7"}, "max_output_tokens": 64, "temperature": 0.5,
        "tools": [{"type": "function", "name": "f", "parameters": {}}], "reasoning": {"effort": "low"}, "instructions": null,
        "store": false, "service_tier": "flex"});
    let reply = Reply { request: request.to_string().into(), previous: Some("resp_0".into()), ..reply() };
    let answer = parsed(&OpenAiResponses.write_answer(&reply, &[text("Hello"), finish("stop")], &USAGE));
    for member in ["metadata", "max_output_tokens", "temperature", "tools", "reasoning", "store", "instructions"] {
        assert_eq!(answer[member], request[member], "{member}");
    }
    let usual = json!([answer["text"], answer["top_p"], answer["background"], answer["previous_response_id"]]);
    assert_eq!(usual, json!([{"format": {"type": "text"}}, null, false, "resp_0"]));
    // The tier is the one that was had.
    assert!(answer.get("service_tier").is_none() && answer.get("user").is_none() && answer.get("input").is_none());
    let mut encoder = OpenAiResponses.encoder(reply);
    let mut out = Vec::new();
    encoder.item(&text("Hello"), &mut out);
    encoder.end(&USAGE, &mut out);
    let told = String::from_utf8(out).unwrap();
    assert_eq!(told.matches(r#""metadata":{"job":"7"}"#).count(), 3, "created, in progress and completed: {told}");
}

#[test]
fn an_answer_has_what_clients_demand() {
    let answer = write(&[thinks("Hm"), text("Hel"), text("lo"), calls(0, "call_1", "f", "{}"), finish("tool_calls")]);
    for member in ["parallel_tool_calls", "tool_choice", "tools", "temperature", "top_p", "instructions", "metadata"] {
        assert!(answer.get(member).is_some(), "{member}");
    }
    assert_eq!((&answer["id"], &answer["status"]), (&json!("resp_r1"), &json!("completed")));
    assert_eq!(
        (&answer["object"], &answer["model"], &answer["created_at"]),
        (&json!("response"), &json!("claude"), &json!(1_700_000_000))
    );
    assert_eq!(
        answer["output"],
        json!([
            {"id": "rs_r1_0", "type": "reasoning", "status": "completed", "summary": [{"type": "summary_text", "text": "Hm"}],
                "encrypted_content": "hoosh.thoughts.[]"},
            {"id": "msg_r1_1", "type": "message", "status": "completed", "role": "assistant", "content": [
                {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}]},
            {"id": "fc_r1_2", "type": "function_call", "status": "completed", "arguments": "{}", "call_id": "call_1", "name": "f"},
        ])
    );
    assert_eq!(
        answer["usage"],
        json!({"input_tokens": 20, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0}, "output_tokens": 9,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 29})
    );
}

#[test]
fn an_answer_that_was_cut_is_incomplete() {
    for (reason, words) in [("length", "max_output_tokens"), ("content_filter", "content_filter")] {
        let answer = write(&[text("a"), finish(reason)]);
        assert_eq!((&answer["status"], &answer["incomplete_details"]["reason"]), (&json!("incomplete"), &json!(words)));
        assert_eq!(answer["output"][0]["status"], "incomplete");
    }
}

#[test]
fn other_choices_than_the_first_are_not_told() {
    let answer = write(&[text("a"), Item::Text { choice: 1, text: "b".into(), logprobs: Vec::new() }, finish("stop")]);
    assert_eq!(answer["output"][0]["content"][0]["text"], "a");
}

#[test]
fn errors_both_ways() {
    let failure = Failure::new(Code::InvalidValue, "Bad \"x\".").param("x");
    let body = OpenAiResponses.error_body(&failure);
    assert_eq!(
        parsed(&body),
        json!({"error": {"message": "Bad \"x\".", "type": "invalid_request_error", "param": "x", "code": "invalid_value"}})
    );
    assert_eq!(OpenAiResponses.error_words(&body).as_deref(), Some("Bad \"x\"."));
    assert_eq!(OpenAiResponses.error_words(b"{\"detail\":\"nope\"}").as_deref(), Some("nope"));
    for other in [&b"<html>"[..], b"{}", b"[]", b"{\"error\":{}}"] {
        assert_eq!(OpenAiResponses.error_words(other), None);
    }
}
