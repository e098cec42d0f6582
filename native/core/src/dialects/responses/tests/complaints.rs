//! What users of other gateways complained about, one test each (the numbers are those of the projects' own trackers).

use serde_json::{json, Value as Json};

use super::{calls, decode, encode, events, finish, lost, messages, read, text, thinks, write, OpenAiResponses, TO};
use crate::dialects::neutral::{Item, Thought};
use crate::dialects::{Dialect, Protocol};

/// The output of a stream that says `items`: what a caller puts before its next turn.
fn output(items: &[Item]) -> Vec<Json> {
    events(&encode(items)).pop().unwrap()["response"]["output"].as_array().unwrap().clone()
}

fn thought(origin: Dialect, thought: Thought) -> Item {
    Item::Thought { choice: 0, origin, thought }
}

/// maximhq/bifrost#6342: replayed thinking blocks are rejected. router-for-me/CLIProxyAPI#2172: writing JSON anew makes
/// the signature invalid.
#[test]
fn signed_thoughts_survive_three_turns() {
    let signature = "EqQB\\/+=\"ü";
    let mut input = vec![json!({"role": "user", "content": "a"})];
    for turn in 0..3 {
        let said = [
            thinks("I think"),
            thought(Dialect::Anthropic, Thought::Signature(format!("{signature}{turn}"))),
            thought(Dialect::Anthropic, Thought::Redacted("blob".into())),
            calls(0, "toolu_1", "f", "{}"),
            finish("tool_calls"),
        ];
        input.extend(output(&said));
        input.push(json!({"type": "function_call_output", "call_id": "toolu_1", "output": "x"}));
    }
    let messages = messages(json!(input));
    for turn in 0..3 {
        let message = &messages[1 + 2 * turn];
        assert_eq!(
            message["thoughts"],
            json!([
                {"thinking": "I think", "origin": "anthropic", "type": "signature", "signature": format!("{signature}{turn}")},
                {"origin": "anthropic", "type": "redacted", "data": "blob"},
            ])
        );
        assert_eq!(message["tool_calls"][0]["id"], "toolu_1");
        assert_eq!(messages[2 + 2 * turn]["role"], "tool");
    }
    assert_eq!(messages.as_array().unwrap().len(), 7);
}

/// Portkey-AI/gateway#1275, #1399, #1442, 8monkey-ai/hebo-gateway#226: Gemini's thought signatures are lost, and tool
/// loops break.
#[test]
fn gemini_thought_signatures_come_back_to_their_calls() {
    let said = [
        text("ok"),
        thought(Dialect::Gemini, Thought::OfText("of text".into())),
        thought(Dialect::Gemini, Thought::OfCall(0, "early".into())),
        calls(0, "call_a", "f", "{}"),
        calls(1, "call_b", "f", "{}"),
        thought(Dialect::Gemini, Thought::OfCall(1, "late".into())),
        finish("tool_calls"),
    ];
    let mut input = output(&said);
    input.push(json!({"type": "function_call_output", "call_id": "call_a", "output": "1"}));
    let messages = messages(json!(input));
    let message = &messages[0];
    assert_eq!(message["thoughts"], json!([{"origin": "gemini", "type": "text", "signature": "of text"}]));
    for (at, signature) in ["early", "late"].iter().enumerate() {
        let own = &message["tool_calls"][at]["extra_content"]["google"]["thought_signature"];
        assert_eq!(own, signature);
    }
}

/// The same thoughts are of no use to OpenAI, which would refuse what it did not encrypt.
#[test]
fn thoughts_of_others_are_not_sent_to_openai() {
    let mut input =
        output(&[thinks("t"), thought(Dialect::Anthropic, Thought::Signature("s".into())), text("a"), finish("stop")]);
    let own = json!({"id": "rs_9", "type": "reasoning", "summary": [], "encrypted_content": "gAAA"});
    input.extend(output(&[
        thinks("t"),
        thought(Dialect::OpenAiResponses, Thought::Item(own.to_string())),
        text("b"),
        finish("stop"),
    ]));
    let body = json!({"model": "gpt-5.6", "input": input, "stream": false});
    let spliced = super::json(&OpenAiResponses.splice_request(&TO, body.to_string().as_bytes()));
    let kinds: Vec<_> = spliced["input"].as_array().unwrap().iter().map(|item| item["type"].clone()).collect();
    assert_eq!(kinds, ["message", "reasoning", "message"]);
    assert_eq!(spliced["input"][1], own, "and its own thoughts go back as they were");
    let (neutral, _) = read(&body);
    let (across, loss) = write(&neutral);
    assert_eq!(across["input"][1], own);
    assert!(lost(&loss).contains(&"dropped messages[].thoughts".to_owned()));
}

/// maximhq/bifrost#4556: the first event of a stream is sent twice.
#[test]
fn a_stream_is_created_once() {
    let events = events(&encode(&[thinks("a"), text("b"), text("c"), finish("stop")]));
    let count = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!((count("response.created"), count("response.in_progress"), count("response.completed")), (1, 1, 1));
}

/// BerriAI/litellm#18667: arguments that are not JSON become an error of the gateway.
#[test]
fn arguments_that_are_not_json_pass_as_they_are() {
    let broken = "{\"a\": tru";
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": broken});
    assert_eq!(messages(json!([call]))[0]["tool_calls"][0]["function"]["arguments"], broken);
    assert_eq!(output(&[calls(0, "c", "f", broken), finish("tool_calls")])[0]["arguments"], broken);
    let (body, _) = write(&json!({"model": "m", "messages": [{"role": "assistant", "content": null, "tool_calls": [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": broken}}]}]}));
    assert_eq!(body["input"][0]["arguments"], broken);
}

/// BerriAI/litellm#27946, #24985, #20433, #14990, #15601, #27846, #21208: bugs of the bridge between chat and Responses;
/// calls without their results, results before their calls, ids of items in the place of those of calls.
#[test]
fn calls_and_results_keep_their_ids_and_order() {
    let said = output(&[calls(0, "call_1", "f", "{}"), calls(1, "call_2", "g", "{}"), finish("tool_calls")]);
    assert_ne!(said[0]["id"], said[0]["call_id"]);
    let mut input = vec![json!({"role": "user", "content": "x"})];
    input.extend(said);
    for id in ["call_1", "call_2"] {
        input.push(json!({"type": "function_call_output", "call_id": id, "output": id}));
    }
    let messages = messages(json!(input));
    let roles: Vec<_> = messages.as_array().unwrap().iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool"]);
    let ids: Vec<_> = messages[1]["tool_calls"].as_array().unwrap().iter().map(|call| call["id"].clone()).collect();
    assert_eq!(json!(ids), json!([messages[2]["tool_call_id"], messages[3]["tool_call_id"]]));
}

/// BerriAI/litellm#26916: reasoning comes in the wrong place of the bridge.
#[test]
fn thoughts_come_before_what_they_led_to() {
    let output = output(&[thinks("t"), text("a"), calls(0, "c", "f", "{}"), finish("tool_calls")]);
    let kinds: Vec<_> = output.iter().map(|item| item["type"].clone()).collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call"]);
    let message = &messages(json!(output))[0];
    assert_eq!((&message["reasoning_content"], &message["content"]), (&json!("t"), &json!("a")));
}

/// BerriAI/litellm#29818, preloop/preloop#159: Codex sends its tools in namespaces.
#[test]
fn tools_in_namespaces_are_called_in_their_namespaces() {
    let (neutral, loss) =
        read(&json!({"model": "m", "tools": [{"type": "namespace", "name": "shell", "description": "d",
        "tools": [{"type": "function", "name": "run", "parameters": {"type": "object"}}]}],
        "input": [{"role": "user", "content": "x"},
            {"type": "function_call", "call_id": "c", "name": "run", "namespace": "shell", "arguments": "{}"}]}));
    let name = neutral["tools"][0]["function"]["name"].as_str().unwrap().to_owned();
    assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')));
    assert_eq!(neutral["messages"][1]["tool_calls"][0]["function"]["name"], name);
    assert_eq!(lost(&loss), ["renamed tools[].namespace", "dropped tools[].description"]);
    let call = &output(&[calls(0, "d", &name, "{}"), finish("tool_calls")])[0];
    assert_eq!((&call["namespace"], &call["name"]), (&json!("shell"), &json!("run")));
    let plain = &output(&[calls(0, "d", "mcp__server__tool", "{}"), finish("tool_calls")])[0];
    assert_eq!((plain.get("namespace"), &plain["name"]), (None, &json!("mcp__server__tool")));
}

/// maximhq/bifrost#3441, #3511, #3512, #2913: tools and messages lose fields on the way. Here each is carried or reported.
#[test]
fn no_field_is_lost_in_silence() {
    let (_, loss) =
        read(&json!({"model": "m", "brand_new": 1, "input": [{"role": "user", "content": "x", "brand_new": 1}],
        "tools": [{"type": "function", "name": "f", "brand_new": 1}]}));
    assert_eq!(lost(&loss), ["dropped brand_new", "dropped tools[].brand_new", "dropped input[].brand_new"]);
}

/// Envoy AI Gateway v0.7: no space after `data:`.
#[test]
fn data_without_a_space() {
    let stream =
        b"data:{\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\"delta\":\"a\"}\n\n";
    assert_eq!(decode(stream).1, [text("a")]);
}

/// agentgateway/agentgateway#3603: what is withheld ends the stream without a word.
#[test]
fn what_is_withheld_is_said_to_be() {
    let events = events(&encode(&[finish("content_filter")]));
    let end = events.last().unwrap();
    assert_eq!(end["type"], "response.incomplete");
    assert_eq!(end["response"]["incomplete_details"]["reason"], "content_filter");
}
