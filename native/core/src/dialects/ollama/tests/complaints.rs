//! What users of other gateways and of Ollama complain of, with the threads in which they do.

use serde_json::{json, Value};

use super::super::Ollama;
use super::{chat, heard, read, write, write_to, CHAT, EMBEDDINGS};
use crate::dialects::neutral::{CallKind, Item};
use crate::dialects::{Fed, Protocol, Reply, To};
use crate::ledger::Usage;

/// ollama/ollama#3839, #5902, #17889: the prompt is silently cut to a small context.
#[test]
fn a_prompt_is_never_silently_truncated() {
    let (body, _) = write(&json!({"messages": [{"role": "user", "content": "x"}]}));
    assert_eq!((&body["truncate"], &body["shift"]), (&json!(false), &json!(false)));
    assert_eq!(write_to(&EMBEDDINGS, &json!({"input": "x"})).0["truncate"], json!(false));
}

/// ollama-python reads each line as JSON, blank ones too.
#[test]
fn no_line_of_a_stream_is_blank() {
    let mut encoder = Ollama.encoder(Reply::default());
    let mut out = Vec::new();
    for item in [
        Item::Text { choice: 0, text: String::new(), logprobs: Vec::new() },
        Item::Text { choice: 0, text: "a\n\nb".into(), logprobs: Vec::new() },
        Item::UsageDetail { reasoning_tokens: 1 },
        Item::Finish { choice: 0, reason: "stop".into() },
    ] {
        encoder.item(&item, &mut out);
    }
    encoder.end(&Usage::default(), &mut out);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().count(), 2);
    for line in text.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    assert!(text.ends_with("}\n"));
}

/// BerriAI/litellm#18667: malformed arguments of a call become an error of the gateway.
#[test]
fn malformed_arguments_go_on_as_the_text_that_they_are() {
    let call = Item::ToolCall {
        choice: 0,
        index: 0,
        id: Some("a".into()),
        name: Some("f".into()),
        arguments: "{\"a\":".into(),
        kind: CallKind::Function,
    };
    let said: Value =
        serde_json::from_slice(&Ollama.write_answer(&Reply::default(), &[call], &Usage::default())).unwrap();
    assert_eq!(said["message"]["tool_calls"][0]["function"]["arguments"], json!({"arguments": "{\"a\":"}));
    let history = json!({"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "[1"}}]}]});
    assert_eq!(write(&history).0["messages"][0]["tool_calls"][0]["function"]["arguments"], json!({"arguments": "[1"}));
}

/// lingyuins/octopus#243: an upstream tells negative tokens, and a quota is refunded.
#[test]
fn negative_tokens_are_no_tokens() {
    let line = b"{\"message\":{\"content\":\"x\"},\"done\":true,\"prompt_eval_count\":-5,\"eval_count\":-1}\n";
    let (items, end) = heard(&[line]);
    assert_eq!(end, Fed::Done);
    assert!(!items.iter().any(|item| matches!(item, Item::Usage(_))));
}

/// BerriAI/litellm#36981: token counts are zero. Ollama does not tell those of a prompt that was in memory; a usage that cannot be
/// all of it is known by that (`Usage::is_likely`).
#[test]
fn a_prompt_without_tokens_is_not_taken_for_a_free_one() {
    let (items, _) = heard(&[b"{\"message\":{\"content\":\"x\"},\"done\":true,\"eval_count\":3}\n"]);
    let Some(Item::Usage(usage)) = items.last() else { panic!("{items:?}") };
    assert!(!usage.is_likely());
}

/// maximhq/bifrost#3441: a conversion of tools loses fields. Results that name no call, in any order and to parallel calls of one
/// tool, find theirs.
#[test]
fn results_without_ids_find_their_calls() {
    let call = |at: u64| json!({"function": {"name": "f", "arguments": {"at": at}}});
    let body = json!({"model": "m", "messages": [
        {"role": "assistant", "content": "", "tool_calls": [call(1), call(2)]},
        {"role": "tool", "tool_name": "f", "content": "1"}, {"role": "tool", "tool_name": "f", "content": "2"},
        {"role": "assistant", "content": "", "tool_calls": [call(3)]}, {"role": "tool", "tool_name": "f", "content": "3"}]});
    let (neutral, loss) = read(&chat(), &body);
    assert!(loss.is_empty());
    let said = |at: usize| neutral["messages"][at]["tool_call_id"].as_str().unwrap();
    assert_eq!((said(1), said(2), said(4)), ("call_0_f", "call_1_f", "call_2_f"));
}

/// Go's reader of JSON takes `MODEL` for `model`: a field in disguise must not get past what policy decided.
#[test]
fn a_field_in_disguise_does_not_get_past_policy() {
    let body = r#"{"model":"m","Model":"dear","OPTION\u017f":{"num_predict":-1},"STREAM":false,"messages":[]}"#;
    let to = To { model: "m", stream: true, cap: Some(5), ..CHAT };
    let spliced = String::from_utf8(Ollama.splice_request(&to, body.as_bytes())).unwrap();
    assert_eq!(spliced, r#"{"model":"m","messages":[],"options":{"num_predict":5}}"#);
}

/// ralphgrewe/TradingAgents#168: by OpenAI's interface neither `num_ctx` nor `think` can be set.
#[test]
fn openais_callers_set_the_context_and_how_much_is_thought() {
    let (body, loss) = write(&json!({"messages": [], "reasoning_effort": "low", "max_tokens": 5, "keep_alive": "10m",
        "options": {"num_ctx": 8192, "num_predict": -1, "repeat_penalty": 1.1, "num_gpu": [1]}}));
    assert_eq!((&body["think"], &body["keep_alive"]), (&json!("low"), &json!("10m")));
    assert_eq!(
        body["options"],
        json!({"num_predict": 5, "num_ctx": 8192, "repeat_penalty": 1.1}),
        "a bound is not got past"
    );
    let mut dropped: Vec<_> = loss.fields().iter().map(|lost| &*lost.field).collect();
    // In which order `json!` writes members is its own.
    dropped.sort_unstable();
    assert_eq!(dropped, ["options.num_gpu", "options.num_predict"]);
}
