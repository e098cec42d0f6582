//! Streams, both ways.

use serde_json::{json, Value as Json};

use super::{
    calls, custom, decode, decode_at, encode, events, finish, joined, more, reply, stream_of, text, thinks, whole,
    OpenAiResponses, USAGE,
};
use crate::dialects::neutral::{CallKind, Item, Thought};
use crate::dialects::{Answer, Dialect, Fed, Protocol};
use crate::error::{Code, Failure};

fn output() -> Json {
    json!([
        {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Two "}, {"type": "summary_text", "text": "cities"}],
            "encrypted_content": "gAAA"},
        {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [
            {"type": "output_text", "text": "Grüße", "logprobs": [], "annotations": [
                {"type": "url_citation", "url": "https://e.com", "title": "E", "start_index": 0, "end_index": 5}]}]},
        {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "w", "arguments": "{\"c\":\"Paris\"}", "status": "completed"},
        {"id": "fc_2", "type": "function_call", "call_id": "call_2", "name": "w", "arguments": "{}", "status": "completed"},
    ])
}

fn response(status: &str, output: Json) -> Json {
    json!({"id": "resp_1", "object": "response", "status": status, "output": output, "usage": {"input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 3}}})
}

/// A stream as OpenAI sends it.
fn recorded() -> Vec<Json> {
    let out = output();
    let mut list = vec![
        json!({"type": "response.created", "response": response("in_progress", json!([]))}),
        json!({"type": "response.in_progress", "response": response("in_progress", json!([]))}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"id": "rs_1", "type": "reasoning", "summary": []}}),
    ];
    for (at, word) in ["Two ", "cities"].iter().enumerate() {
        let place = |kind: &str| json!({"type": kind, "item_id": "rs_1", "output_index": 0, "summary_index": at});
        let with = |kind: &str, name: &str, value: Json| {
            let mut event = place(kind);
            event[name] = value;
            event
        };
        let part = json!({"type": "summary_text", "text": word});
        list.push(with("response.reasoning_summary_part.added", "part", json!({"type": "summary_text", "text": ""})));
        list.push(with("response.reasoning_summary_text.delta", "delta", json!(word)));
        list.push(with("response.reasoning_summary_text.done", "text", json!(word)));
        list.push(with("response.reasoning_summary_part.done", "part", part));
    }
    let text = |kind: &str, name: &str, value: Json| {
        let mut event =
            json!({"type": kind, "item_id": "msg_1", "output_index": 1, "content_index": 0, "logprobs": []});
        event[name] = value;
        event
    };
    list.push(json!({"type": "response.output_item.done", "output_index": 0, "item": out[0]}));
    list.push(json!({"type": "response.output_item.added", "output_index": 1, "item": {"id": "msg_1", "type": "message", "content": []}}));
    list.push(text(
        "response.content_part.added",
        "part",
        json!({"type": "output_text", "text": "", "annotations": []}),
    ));
    list.push(text("response.output_text.delta", "delta", json!("Grü")));
    list.push(text("response.output_text.delta", "delta", json!("ße")));
    list.push(text(
        "response.output_text.annotation.added",
        "annotation",
        out[1]["content"][0]["annotations"][0].clone(),
    ));
    list.push(text("response.output_text.done", "text", json!("Grüße")));
    list.push(text("response.content_part.done", "part", out[1]["content"][0].clone()));
    list.push(json!({"type": "response.output_item.done", "output_index": 1, "item": out[1]}));
    for (at, pieces) in [(2, vec!["{\"c\":", "\"Paris\"}"]), (3, vec!["{}"])] {
        let item = &out[at];
        let mut begun = item.clone();
        begun["arguments"] = json!("");
        list.push(json!({"type": "response.output_item.added", "output_index": at, "item": begun}));
        for piece in pieces {
            list.push(json!({"type": "response.function_call_arguments.delta", "output_index": at, "item_id": item["id"], "delta": piece}));
        }
        list.push(json!({"type": "response.function_call_arguments.done", "output_index": at, "item_id": item["id"], "arguments": item["arguments"]}));
        list.push(json!({"type": "response.output_item.done", "output_index": at, "item": item}));
    }
    list.push(json!({"type": "response.completed", "response": response("completed", out)}));
    for (number, event) in list.iter_mut().enumerate() {
        event["sequence_number"] = json!(number);
    }
    list
}

#[test]
fn a_stream_says_what_the_whole_answer_says() {
    let (fed, items) = decode(&stream_of(&recorded()));
    assert_eq!(fed, Fed::Done);
    let (answer, told) = whole(&response("completed", output()));
    assert_eq!(answer, Answer::Whole);
    assert_eq!(joined(&items), joined(&told));
    assert!(told.contains(&finish("tool_calls")) && told.contains(&thinks("Two \n\ncities")));
}

#[test]
fn a_stream_is_the_same_at_every_split() {
    let stream = stream_of(&recorded());
    let wanted = decode(&stream);
    for split in 0..=stream.len() {
        assert_eq!(decode_at(&stream, split), wanted, "split at {split}");
    }
}

#[test]
fn servers_that_leave_out_pieces_or_repetitions_are_understood() {
    let (_, wanted) = decode(&stream_of(&recorded()));
    let kept = |keep: &dyn Fn(&str) -> bool| {
        let list: Vec<_> = recorded().into_iter().filter(|event| keep(event["type"].as_str().unwrap())).collect();
        let (fed, items) = decode(&stream_of(&list));
        assert_eq!(fed, Fed::Done);
        let mut items = joined(&items);
        items.sort_by_key(|item| matches!(item, Item::Annotation { .. }));
        items
    };
    let mut wanted = joined(&wanted);
    wanted.sort_by_key(|item| matches!(item, Item::Annotation { .. }));
    assert_eq!(kept(&|kind| !kind.ends_with(".delta")), wanted, "only what is whole");
    assert_eq!(kept(&|kind| kind == "response.completed"), wanted, "only the end");
    assert_eq!(kept(&|kind| kind == "response.completed" || kind == "response.output_item.done"), wanted, "only items");
    let thoughtless = |kind: &str| !kind.ends_with(".done");
    let without: Vec<_> = wanted.iter().filter(|item| !matches!(item, Item::Thought { .. })).cloned().collect();
    assert_eq!(kept(&thoughtless), without, "only pieces");
}

#[test]
fn ends_and_errors_of_streams() {
    let cut = json!({"type": "response.incomplete", "response": {"status": "incomplete", "output": [],
        "incomplete_details": {"reason": "max_output_tokens"}}});
    assert_eq!(decode(&stream_of(&[cut])), (Fed::Done, vec![finish("length")]));
    for (event, words) in [
        (
            json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error", "message": "a"}}}),
            "a",
        ),
        (json!({"type": "error", "code": "server_error", "message": "b", "param": null, "sequence_number": 3}), "b"),
        (json!({"type": "error", "error": {"type": "x", "message": "c"}}), "c"),
        (json!({"error": {"message": "d"}}), "d"),
    ] {
        assert_eq!(decode(&stream_of(&[event])).0, Fed::Error(words.into()));
    }
    for data in ["{", "[]", "{\"a\":1}", "7", "{\"type\":\"response.completed\"}"] {
        assert_eq!(decode(format!("data: {data}\n\n").as_bytes()).0, Fed::Malformed, "{data}");
    }
    let unknown =
        "event: keepalive\ndata: {\"type\":\"keepalive\",\"sequence_number\":4}\n\n: comment\n\ndata: [DONE]\n\n";
    assert_eq!(decode(unknown.as_bytes()), (Fed::Open, Vec::new()));
    let unnamed =
        "event: response.output_text.delta\ndata: {\"delta\":\"a\",\"output_index\":0,\"content_index\":0}\n\n";
    assert_eq!(decode(unnamed.as_bytes()).1, [text("a")], "named by its event alone");
}

#[test]
fn an_upstream_of_endless_items_is_not_followed() {
    let event =
        |at: usize| json!({"type": "response.output_text.delta", "output_index": at, "content_index": 0, "delta": "a"});
    let stream = stream_of(&(0..5_000).map(event).collect::<Vec<_>>());
    let (fed, items) = decode(&stream);
    assert_eq!((fed, items.len()), (Fed::Malformed, 4_096));
}

#[test]
fn the_sequence_of_events() {
    let stream = encode(&[
        thinks("Hm"),
        text("a"),
        text("b"),
        Item::Annotation {
            choice: 0,
            json: "{\"type\":\"url_citation\",\"url_citation\":{\"url\":\"https://e.com\"}}".into(),
        },
        calls(0, "call_1", "f", ""),
        more(0, "{\"x\":"),
        more(0, "1}"),
        finish("tool_calls"),
    ]);
    let events = events(&stream);
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.reasoning_summary_part.added",
            "response.reasoning_summary_text.delta",
            "response.reasoning_summary_text.done",
            "response.reasoning_summary_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.annotation.added",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    assert_eq!(
        events[12]["annotation"],
        json!({"type": "url_citation", "url": "https://e.com", "title": "", "start_index": 0, "end_index": 0})
    );
    assert_eq!(events[13]["text"], "ab");
    assert_eq!(events[16]["item"]["status"], "in_progress");
    assert_eq!((&events[19]["arguments"], &events[19]["item_id"]), (&json!("{\"x\":1}"), &events[20]["item"]["id"]));
    let items: Vec<_> = events.iter().filter(|event| event["type"] == "response.output_item.done").collect();
    let items: Vec<_> = items.iter().map(|event| event["item"].clone()).collect();
    assert_eq!(events[21]["response"]["output"], json!(items), "the end repeats the items");
    let whole = OpenAiResponses.write_answer(
        &reply(),
        &[
            thinks("Hm"),
            text("ab"),
            Item::Annotation {
                choice: 0,
                json: "{\"type\":\"url_citation\",\"url_citation\":{\"url\":\"https://e.com\"}}".into(),
            },
            calls(0, "call_1", "f", "{\"x\":1}"),
            finish("tool_calls"),
        ],
        &USAGE,
    );
    assert_eq!(super::json(&whole), events[21]["response"], "and is the whole answer");
}

#[test]
fn calls_told_in_turns_stay_apart() {
    let stream = encode(&[
        calls(0, "call_1", "f", "{"),
        calls(1, "call_2", "g", "["),
        more(0, "}"),
        more(1, "]"),
        finish("tool_calls"),
    ]);
    let events = events(&stream);
    let output = &events.last().unwrap()["response"]["output"];
    assert_eq!((&output[0]["arguments"], &output[1]["arguments"]), (&json!("{}"), &json!("[]")));
    assert_eq!((&output[0]["call_id"], &output[1]["call_id"]), (&json!("call_1"), &json!("call_2")));
}

#[test]
fn a_call_without_an_id_gets_one_and_without_arguments_an_object() {
    let stream = encode(&[
        Item::ToolCall {
            choice: 0,
            index: 0,
            id: None,
            name: Some("f".into()),
            arguments: String::new(),
            kind: CallKind::Function,
        },
        finish("tool_calls"),
    ]);
    let events = events(&stream);
    let call = &events.last().unwrap()["response"]["output"][0];
    assert_eq!((&call["call_id"], &call["arguments"]), (&json!("call_r1_0"), &json!("{}")));
    let pieces = events.iter().filter(|event| event["type"] == "response.function_call_arguments.delta");
    assert_eq!(pieces.map(|event| event["delta"].as_str().unwrap()).collect::<String>(), "{}");
}

#[test]
fn a_call_of_a_custom_tool_has_events_of_its_own() {
    let stream =
        encode(&[custom(0, Some(("call_1", "ns_-_patch")), "a"), custom(0, None, " \"b\""), finish("tool_calls")]);
    let events = events(&stream);
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let delta = "response.custom_tool_call_input.delta";
    let [added, done, item] =
        ["response.output_item.added", "response.custom_tool_call_input.done", "response.output_item.done"];
    assert_eq!(kinds[2..7], [added, delta, delta, done, item]);
    let of = |kind: &str| events.iter().find(|event| event["type"] == kind).unwrap();
    assert_eq!(
        of(done),
        &json!({"type": done, "sequence_number": 5, "item_id": "ctc_r1_0", "output_index": 0, "input": "a \"b\""})
    );
    assert_eq!((&of(delta)["delta"], &of(added)["item"]["input"]), (&json!("a"), &json!("")));
    let whole = json!({"id": "ctc_r1_0", "type": "custom_tool_call", "status": "completed", "input": "a \"b\"", "call_id": "call_1",
        "name": "patch", "namespace": "ns"});
    assert_eq!((&of(item)["item"], &events.last().unwrap()["response"]["output"][0]), (&whole, &whole));
}

#[test]
fn refusals_are_parts_of_their_own() {
    let stream = encode(&[text("a"), Item::Refusal { choice: 0, text: "no".into() }, finish("stop")]);
    let events = events(&stream);
    assert_eq!(
        events.last().unwrap()["response"]["output"][0]["content"],
        json!([{"type": "output_text", "text": "a", "annotations": [], "logprobs": []}, {"type": "refusal", "refusal": "no"}])
    );
    let done = events.iter().find(|event| event["type"] == "response.refusal.done").unwrap();
    assert_eq!((&done["refusal"], &done["content_index"]), (&json!("no"), &json!(1)));
}

#[test]
fn a_stream_that_breaks_off_says_so_in_both_ways() {
    let mut encoder = OpenAiResponses.encoder(reply());
    let mut out = Vec::new();
    encoder.item(&text("half"), &mut out);
    assert!(encoder.error(&Failure::new(Code::UpstreamTruncated, "It broke off."), &mut out));
    let text = String::from_utf8(out).unwrap();
    let list: Vec<Json> =
        text.lines().filter_map(|line| line.strip_prefix("data: ")).map(|data| super::json(data.as_bytes())).collect();
    let [.., error, failed] = &list[..] else { panic!("{text}") };
    assert_eq!(
        (&error["type"], &error["code"], &error["message"]),
        (&json!("error"), &json!("server_error"), &json!("It broke off."))
    );
    assert_eq!(
        error["error"],
        json!({"type": "api_error", "code": "server_error", "message": "It broke off.", "param": null})
    );
    assert_eq!((&failed["type"], &failed["response"]["status"]), (&json!("response.failed"), &json!("failed")));
    assert_eq!(failed["response"]["error"], json!({"code": "server_error", "message": "It broke off."}));
    assert_eq!(failed["response"]["output"][0]["content"][0]["text"], "half");
    assert_eq!(decode(text.as_bytes()).0, Fed::Error("It broke off.".into()));
}

#[test]
fn an_answer_of_nothing_is_an_answer() {
    let events = events(&encode(&[]));
    assert_eq!(events.len(), 3);
    assert_eq!(events[2]["response"]["output"], json!([]));
}

/// What is encoded and decoded again says the same.
#[test]
fn what_was_written_is_read_again() {
    let thought = |origin, thought| Item::Thought { choice: 0, origin, thought };
    let said = [
        thinks("Signed"),
        thought(Dialect::Anthropic, Thought::Signature("sig\"n".into())),
        thought(Dialect::Anthropic, Thought::Redacted("opaque".into())),
        thinks("More"),
        text("ab"),
        Item::Refusal { choice: 0, text: "no".into() },
        calls(0, "call_1", "ns_-_f", "{\"x\":1}"),
        calls(1, "call_2", "g", "{}"),
        custom(2, Some(("call_3", "ns_-_patch")), "a \"b\"\n"),
        custom(3, Some(("call_4", "c")), ""),
        thought(Dialect::Gemini, Thought::OfText("t".into())),
        thought(Dialect::Gemini, Thought::OfCall(1, "c".into())),
        finish("tool_calls"),
    ];
    let (fed, items) = decode(&encode(&said));
    assert_eq!(fed, Fed::Done);
    let items = joined(&items);
    assert_eq!(items, [&said[..], &[Item::Usage(USAGE)]].concat());
}

/// A stream of this dialect, decoded and encoded, decodes to the same.
#[test]
fn what_was_read_is_written_again() {
    let (_, items) = decode(&stream_of(&recorded()));
    let (fed, again) = decode(&encode(&items));
    assert_eq!(fed, Fed::Done);
    assert_eq!(joined(&again), joined(&items));
}

#[test]
fn items_that_only_the_provider_reads_pass_as_they_are() {
    let item = "{\"id\":\"ws_1\",\"type\":\"web_search_call\",\"status\":\"completed\"}";
    let thought = Item::Thought { choice: 0, origin: Dialect::OpenAiResponses, thought: Thought::Item(item.into()) };
    let events = events(&encode(&[thought, text("a"), finish("stop")]));
    assert_eq!(events[2]["item"], super::json(item.as_bytes()));
    assert_eq!(events[3]["item"], super::json(item.as_bytes()));
}
