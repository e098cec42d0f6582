//! `previous_response_id` over upstreams that keep nothing.

use serde_json::json;

use super::json as parsed;
use crate::dialects::responses::history::{
    deleted, input_items, is_to_be_kept, items_to_keep, previous_response_id, whole_body, Page, MOST_ITEMS,
};

#[test]
fn three_turns_by_their_ids() {
    let mut kept: Option<Vec<u8>> = None;
    for turn in 0..3 {
        let mut body =
            json!({"model": "m", "instructions": format!("turn {turn}"), "input": format!("question {turn}")});
        if turn > 0 {
            body["previous_response_id"] = json!(format!("resp_{}", turn - 1));
        }
        let body = body.to_string();
        assert_eq!(previous_response_id(body.as_bytes()).is_some(), turn > 0);
        let whole = match &kept {
            Some(kept) => whole_body(kept, body.as_bytes()).unwrap(),
            None => body.into_bytes(),
        };
        assert_eq!(previous_response_id(&whole), None);
        assert_eq!(parsed(&whole)["instructions"], format!("turn {turn}"));
        let response = json!({"id": format!("resp_{turn}"), "status": "completed", "output": [
            {"type": "message", "id": format!("msg_{turn}"), "role": "assistant",
             "content": [{"type": "output_text", "text": format!("answer {turn}")}]}]});
        kept = items_to_keep(&whole, response.to_string().as_bytes());
    }
    let kept = parsed(&kept.unwrap());
    let words: Vec<_> =
        kept.as_array().unwrap().iter().map(|item| item["content"][0]["text"].as_str().unwrap()).collect();
    assert_eq!(words, ["question 0", "answer 0", "question 1", "answer 1", "question 2", "answer 2"]);
}

#[test]
fn results_of_tools_follow_the_calls_that_are_kept() {
    let kept = json!([{"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"}]);
    let body = json!({"model": "m", "previous_response_id": "resp_1", "input": [
        {"type": "function_call_output", "call_id": "call_1", "output": "x"}, {"type": "item_reference", "id": "fc_1"}, {"id": "none"}]});
    let whole = parsed(&whole_body(kept.to_string().as_bytes(), body.to_string().as_bytes()).unwrap());
    assert_eq!(whole["input"], json!([kept[0], body["input"][0], kept[0], {"id": "none"}]));
    let (neutral, _) = super::read(&json!({"model": "m", "input": [whole["input"][0], whole["input"][1]]}));
    assert_eq!(neutral["messages"][1]["tool_call_id"], neutral["messages"][0]["tool_calls"][0]["id"]);
}

#[test]
fn a_short_body_does_not_refer_to_a_long_one() {
    let kept = json!([{"type": "message", "id": "msg_1", "role": "user", "content": "x".repeat(1 << 20)}]).to_string();
    let body =
        |count: usize| json!({"model": "m", "input": vec![json!({"type": "item_reference", "id": "msg_1"}); count]});
    assert!(whole_body(kept.as_bytes(), body(7).to_string().as_bytes()).is_ok());
    let failure = whole_body(kept.as_bytes(), body(100_000).to_string().as_bytes()).unwrap_err();
    assert_eq!(failure.status(), 413);
}

#[test]
fn what_failed_or_is_too_much_is_not_kept() {
    let keep = |input: serde_json::Value, status: &str| {
        let body = json!({"model": "m", "input": input}).to_string();
        items_to_keep(body.as_bytes(), json!({"status": status, "output": []}).to_string().as_bytes())
    };
    assert!(keep(json!("x"), "completed").is_some() && keep(json!("x"), "incomplete").is_some());
    assert_eq!(keep(json!("x"), "failed"), None);
    let items = |count: usize| json!(vec![json!({"role": "user", "content": "x"}); count]);
    assert!(keep(items(MOST_ITEMS), "completed").is_some());
    assert_eq!(keep(items(MOST_ITEMS + 1), "completed"), None);
    assert_eq!(items_to_keep(b"{}", b"not json"), None);
    assert!(is_to_be_kept(b"{}") && is_to_be_kept(b"{\"store\":true}") && !is_to_be_kept(b"{\"store\":false}"));
}

#[test]
fn bad_bodies_and_what_is_kept_of_another_form() {
    assert_eq!(whole_body(b"[]", b"{\"input\":7}").unwrap_err().param.as_deref(), Some("input"));
    assert_eq!(whole_body(b"[]", b"{\"input\":[7]}").unwrap_err().param.as_deref(), Some("input[0]"));
    assert!(whole_body(b"[]", b"{").is_err());
    assert_eq!(whole_body(b"{}", b"{}").unwrap_err().code.as_str(), "previous_response_not_found");
}

#[test]
fn lists_of_input_items() {
    let input = json!([{"role": "user", "content": "a"}, {"type": "function_call_output", "id": "fco", "call_id": "c", "output": "x"},
        {"role": "assistant", "content": "b", "id": null}]);
    let list = |page: Page| parsed(&input_items("resp_1", input.to_string().as_bytes(), &page).unwrap());
    let all = list(Page { ascending: true, ..Page::default() });
    assert_eq!(
        all["data"],
        json!([
            {"type": "message", "id": "msg_resp_1_in_0", "role": "user", "content": [{"type": "input_text", "text": "a"}]},
            {"type": "function_call_output", "id": "fco", "call_id": "c", "output": "x"},
            {"type": "message", "id": "msg_resp_1_in_2", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
        ])
    );
    assert_eq!((&all["first_id"], &all["last_id"]), (&json!("msg_resp_1_in_0"), &json!("msg_resp_1_in_2")));
    let newest = list(Page { limit: Some(1), ..Page::default() });
    assert_eq!((&newest["last_id"], &newest["has_more"]), (&json!("msg_resp_1_in_2"), &json!(true)));
    let next = list(Page { limit: Some(5), after: Some("msg_resp_1_in_2".into()), ..Page::default() });
    assert_eq!((next["data"].as_array().unwrap().len(), &next["has_more"]), (2, &json!(false)));
    assert_eq!(input_items("r", b"[]", &Page { after: Some("gone".into()), ..Page::default() }), None);
    assert_eq!(input_items("r", b"7", &Page::default()), None);
    let text = parsed(&input_items("r", b"\"hi\"", &Page::default()).unwrap());
    assert_eq!(text["data"][0]["content"][0]["text"], "hi");
    assert_eq!(parsed(&deleted("resp_1")), json!({"id": "resp_1", "object": "response", "deleted": true}));
}
