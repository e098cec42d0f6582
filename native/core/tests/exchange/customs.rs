//! Custom tools, whose input is a text: from every upstream to the callers that know them.

use hoosh_core::dialects::{Dialect, Framing};
use serde_json::{json, Value};

use crate::world::*;

/// What the tool is given.
const INPUT: &str = "*** \"a\"\\\n+ü🦀";

fn one(kind: &str, dialect: &str) -> World {
    World::new(&format!(
        "[[providers]]\nname = \"one\"\ntype = \"{kind}\"\ndialect = \"{dialect}\"\nbase_url = \"http://one.example\"\napi_key = \"sk-one\"\nmodels = [\"m\"]\n"
    ))
}

fn sse(events: &[Value]) -> String {
    let one = |event: &Value| match event["type"].as_str() {
        Some(kind) => format!("event: {kind}\ndata: {event}\n\n"),
        None => format!("data: {event}\n\n"),
    };
    events.iter().map(one).collect()
}

/// The halves of a text.
fn halves(text: &str) -> [&str; 2] {
    let at = text.char_indices().nth(text.chars().count() / 2).unwrap().0;
    [&text[..at], &text[at..]]
}

/// An upstream: its type and dialect, the media type and the bytes of its stream, in which the tool is called.
fn upstreams() -> Vec<(&'static str, &'static str, &'static str, String)> {
    let arguments = json!({ "input": INPUT }).to_string();
    let chat = |called: &dyn Fn(&str) -> Value, halves: [&str; 2], kind: &str| {
        let chunk = |delta: Value, finish: Value| {
            json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
        };
        let mut first = called(halves[0]);
        first["name"] = "patch".into();
        let call = |inner: Value, id: bool| {
            let mut call = json!({"index": 0, kind: inner});
            if id {
                (call["id"], call["type"]) = ("call_1".into(), kind.into());
            }
            chunk(json!({ "tool_calls": [call] }), Value::Null)
        };
        let usage = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [],
            "usage": {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}});
        let events = [call(first, true), call(called(halves[1]), false), chunk(json!({}), "tool_calls".into()), usage];
        sse(&events) + "data: [DONE]\n\n"
    };
    let block = |delta: Value| json!({"type": "content_block_delta", "index": 0, "delta": delta});
    let [one, two] = halves(&arguments);
    let anthropic = sse(&[
        json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "m",
            "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 8, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "tool_use", "id": "call_1", "name": "patch", "input": {}}}),
        block(json!({"type": "input_json_delta", "partial_json": one})),
        block(json!({"type": "input_json_delta", "partial_json": two})),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}, "usage": {"output_tokens": 2}}),
        json!({"type": "message_stop"}),
    ]);
    let gemini = sse(&[json!({"candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model",
        "parts": [{"functionCall": {"id": "call_1", "name": "patch", "args": {"input": INPUT}}}]}}],
        "usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 2, "totalTokenCount": 10}})]);
    let item = json!({"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_1", "name": "patch", "input": INPUT});
    let at = |kind: &str, member: &str, value: &str| json!({"type": kind, "item_id": "ctc_1", "output_index": 0, member: value});
    let [one, two] = halves(INPUT);
    let responses = sse(&[
        json!({"type": "response.output_item.added", "output_index": 0,
            "item": {"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_1", "name": "patch", "input": ""}}),
        at("response.custom_tool_call_input.delta", "delta", one),
        at("response.custom_tool_call_input.delta", "delta", two),
        at("response.custom_tool_call_input.done", "input", INPUT),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        json!({"type": "response.completed", "response": {"id": "resp_9", "object": "response", "status": "completed",
            "output": [item], "usage": {"input_tokens": 8, "output_tokens": 2, "total_tokens": 10}}}),
    ]);
    let function = chat(&|text| json!({ "arguments": text }), halves(&arguments), "function");
    let custom = chat(&|text| json!({ "input": text }), halves(INPUT), "custom");
    let ollama = json!({"model": "m", "created_at": "2026-01-01T00:00:00Z", "done": true, "done_reason": "stop",
        "message": {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "patch", "arguments": {"input": INPUT}}}]},
        "prompt_eval_count": 8, "eval_count": 2});
    let of = |dialect| match dialect {
        Dialect::OpenAiChat => function.clone(),
        Dialect::OpenAiResponses => responses.clone(),
        Dialect::Anthropic => anthropic.clone(),
        Dialect::Gemini => gemini.clone(),
        Dialect::Ollama => format!("{ollama}\n"),
    };
    let usual = Dialect::ALL.map(|dialect| {
        let media = dialect.door().framing.media_type();
        ("openai_compatible", dialect.as_str(), media, of(dialect))
    });
    let own = ("openai", Dialect::OpenAiChat.as_str(), Framing::Events.media_type(), custom);
    usual.into_iter().chain([own]).collect()
}

const RESPONSES: &str = r#"{"model":"m","input":"hi","stream":true,"tools":[{"type":"custom","name":"patch","format":{"type":"grammar","syntax":"lark","definition":"start: /.+/"}}]}"#;
const CHAT: &str = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"custom","custom":{"name":"patch","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"start: /.+/"}}}}]}"#;

fn data(stream: &str) -> Vec<Value> {
    stream.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect()
}

#[test]
fn a_responses_caller_gets_custom_calls_from_every_upstream_at_every_split() {
    for (kind, dialect, media, stream) in upstreams().into_iter().filter(|it| it.1 != "openai_responses") {
        for at in (1..stream.len()).step_by(3) {
            let mut world = one(kind, dialect);
            let mut call = world.post("/v1/responses", RESPONSES);
            let (u, _) = call.sent(&mut world);
            call.exchange.head(u, 200, &vec![("content-type", media)]);
            for part in [&stream.as_bytes()[..at], &stream.as_bytes()[at..]] {
                call.exchange.data(u, part.to_vec().into());
            }
            call.exchange.end(u);
            let events = data(&call.stream(&mut world));
            let of = |kind: &'static str| events.iter().filter(move |event| event["type"] == kind);
            let told: String =
                of("response.custom_tool_call_input.delta").map(|event| event["delta"].as_str().unwrap()).collect();
            assert_eq!(told, INPUT, "{kind} {dialect} {at}");
            let output = &of("response.completed").next().unwrap()["response"]["output"];
            assert_eq!(output.as_array().unwrap().len(), 1, "{output}");
            let (call_kind, input) = (&output[0]["type"], &output[0]["input"]);
            assert_eq!((call_kind, input), (&"custom_tool_call".into(), &INPUT.into()), "{kind} {dialect} {at}");
            assert_eq!(of("response.function_call_arguments.delta").count(), 0);
            call.over(&mut world);
        }
    }
}

#[test]
fn a_chat_caller_gets_custom_calls_from_every_other_dialect_at_every_split() {
    for (kind, dialect, media, stream) in upstreams().into_iter().filter(|it| it.1 != "openai_chat") {
        for at in (1..stream.len()).step_by(3) {
            let mut world = one(kind, dialect);
            let mut call = world.post("/v1/chat/completions", CHAT);
            let (u, _) = call.sent(&mut world);
            call.exchange.head(u, 200, &vec![("content-type", media)]);
            for part in [&stream.as_bytes()[..at], &stream.as_bytes()[at..]] {
                call.exchange.data(u, part.to_vec().into());
            }
            call.exchange.end(u);
            let chunks = data(&call.stream(&mut world));
            let calls: Vec<_> = chunks
                .iter()
                .flat_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array().cloned().unwrap_or_default())
                .collect();
            assert_eq!((&calls[0]["type"], &calls[0]["custom"]["name"]), (&"custom".into(), &"patch".into()));
            let told: String = calls.iter().map(|call| call["custom"]["input"].as_str().unwrap()).collect();
            assert_eq!(told, INPUT, "{dialect} {at}");
            call.over(&mut world);
        }
    }
}

#[test]
fn whole_answers_have_them_too_and_their_results_go_back() {
    let answer = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use", "stop_sequence": null,
        "content": [{"type": "tool_use", "id": "call_1", "name": "patch", "input": {"input": INPUT}}],
        "usage": {"input_tokens": 8, "output_tokens": 2}});
    let mut world = one("openai_compatible", "anthropic");
    let mut said = |path: &str, body: &str| {
        let mut call = world.begin_with(
            "POST",
            path,
            Some(&body.replace("\"stream\":true,", "").replace(",\"stream\":true", "")),
            &[("x-request-id", "first")],
        );
        let (u, _) = call.sent(&mut world);
        call.answer(u, 200, "application/json", &answer.to_string());
        let said: Value = serde_json::from_slice(&call.reply(&mut world).body).unwrap();
        call.over(&mut world);
        said
    };
    let chat = said("/v1/chat/completions", CHAT);
    assert_eq!(
        chat["choices"][0]["message"]["tool_calls"],
        json!([{"type": "custom", "id": "call_1", "custom": {"name": "patch", "input": INPUT}}])
    );
    let response = said("/v1/responses", RESPONSES);
    assert_eq!(
        (&response["output"][0]["type"], &response["output"][0]["input"]),
        (&"custom_tool_call".into(), &INPUT.into())
    );
    let next = json!({"model": "m", "previous_response_id": "resp_first",
        "input": [{"type": "custom_tool_call_output", "call_id": "call_1", "output": "done"}]});
    let mut call = world.post("/v1/responses", &next.to_string());
    let (_, request) = call.sent(&mut world);
    let sent: Value = serde_json::from_slice(request.body.bytes()).unwrap();
    assert_eq!(sent["messages"][1]["content"][0]["input"], json!({ "input": INPUT }));
    assert_eq!(sent["messages"][2]["content"][0]["tool_use_id"], "call_1");
}
