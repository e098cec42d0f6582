//! Thoughts of other dialects on their way through Google's callers, and back to their origin with the next turn.

use serde_json::json;

use super::*;
use crate::dialects::neutral::{CallKind, Thought};
use crate::dialects::Dialect;

/// What models of Anthropic and of the Responses API said, with what binds their thoughts to them.
fn said() -> Vec<Item> {
    let thought = |origin, thought| Item::Thought { choice: 0, origin, thought };
    let reasoning = |text: &str| Item::Reasoning { choice: 0, text: text.into() };
    let call = |index, id: &str, name: &str| Item::ToolCall {
        choice: 0,
        index,
        id: Some(id.into()),
        name: Some(name.into()),
        arguments: "{}".into(),
        kind: CallKind::Function,
    };
    vec![
        thought(Dialect::Anthropic, Thought::Redacted("opaque".into())),
        reasoning("Hm, "),
        reasoning("well."),
        thought(Dialect::Anthropic, Thought::Signature("sig/+".into())),
        Item::Text { choice: 0, text: "Let me ".into(), logprobs: vec![] },
        Item::Text { choice: 0, text: "see.".into(), logprobs: vec![] },
        thought(Dialect::OpenAiResponses, Thought::Item("{\"type\":\"reasoning\",\"encrypted_content\":\"x\"}".into())),
        call(0, "toolu_1", "f"),
        call(1, "toolu_2", "g"),
        Item::Finish { choice: 0, reason: "tool_calls".into() },
    ]
}

/// The contents that a chat of google-genai keeps of a stream: one for each event. Bytes come back in its alphabet.
fn kept(stream: &[u8]) -> Vec<Json> {
    let text = String::from_utf8(stream.to_vec()).unwrap();
    let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let contents = events.map(|event| json(event.as_bytes())["candidates"][0]["content"].clone());
    contents.map(respelt).collect()
}

fn respelt(mut content: Json) -> Json {
    for part in content["parts"].as_array_mut().unwrap() {
        if let Some(signature) = part["thoughtSignature"].as_str() {
            part["thoughtSignature"] = signature.replace('+', "-").replace('/', "_").into();
        } else {
            part.as_object_mut().unwrap().remove("thoughtSignature");
        }
    }
    content
}

fn asks_again(model: &[Json]) -> String {
    let user = json!({"role":"user","parts":[{"text":"q"}]});
    let results = ["f", "g"].map(|name| json!({"functionResponse":{"name":name,"response":{"output":name}}}));
    let contents = [&[user], model, &[json!({"role":"user","parts":results})]].concat();
    json!({"contents": contents}).to_string()
}

/// Portkey-AI/gateway#1275, #1399.
#[test]
fn signed_thoughts_of_others_survive_three_turns() {
    let whole = || {
        let answer = json(&Gemini.write_answer(&reply(Form::Usual), &said(), &USAGE));
        vec![respelt(answer["candidates"][0]["content"].clone())]
    };
    for model in [kept(&encode(&said(), Form::Usual)), whole(), whole()] {
        let (neutral, lost) = read(&asks_again(&model));
        assert!(lost.is_empty(), "{lost:?}");
        let function = |name| json!({"name":name,"arguments":"{}"});
        assert_eq!(
            neutral["messages"],
            json!([{"role":"user","content":"q"},
                {"role":"assistant","content":"Let me see.","reasoning_content":"Hm, well.","thoughts":[
                    {"origin":"anthropic","type":"redacted","data":"opaque"},
                    {"origin":"anthropic","type":"signature","thinking":"Hm, well.","signature":"sig/+"},
                    {"origin":"openai_responses","type":"item","item":{"type":"reasoning","encrypted_content":"x"}}],
                "tool_calls":[{"id":"toolu_1","type":"function","function":function("f")},
                    {"id":"toolu_2","type":"function","function":function("g")}]},
                {"role":"tool","tool_call_id":"toolu_1","name":"f","content":"f"},
                {"role":"tool","tool_call_id":"toolu_2","name":"g","content":"g"}])
        );
    }
}

/// Another hoosh in front: what is carried is told as it was.
#[test]
fn what_is_carried_is_read_as_items() {
    let written = Gemini.write_answer(&reply(Form::Usual), &said(), &USAGE);
    let mut items = Vec::new();
    assert_eq!(Gemini.read_answer(Endpoint::Chat, &written, &mut items), crate::dialects::Answer::Whole);
    let thoughts =
        |items: &[Item]| items.iter().filter(|item| matches!(item, Item::Thought { .. })).cloned().collect::<Vec<_>>();
    assert_eq!(thoughts(&items), thoughts(&said()));
}

/// A call that Gemini did not make says so, for Gemini 3 would refuse it else; what others signed is no signature to it.
#[test]
fn google_is_not_sent_what_it_did_not_sign() {
    for model in [kept(&encode(&said(), Form::Usual)), vec![]] {
        let carried = json!({"functionCall":{"name":"f"},"thought_signature":"aG9vc2gudGhvdWdodHMuW10="});
        let model =
            [&model[..], &[json!({"role":"model","parts":[carried, {"text":"x","thoughtSignature":"c2ln"}]})]].concat();
        let sent = Gemini.splice_request(&to("gemini-3.5-flash"), asks_again(&model).as_bytes());
        let sent = json(&sent);
        let parts = sent["contents"].as_array().unwrap().iter().flat_map(|it| it["parts"].as_array().unwrap().clone());
        let signatures: Vec<_> = parts.filter_map(|part| part.get("thoughtSignature").cloned()).collect();
        let (word, own) = ("skip_thought_signature_validator", "c2ln");
        match model.len() {
            1 => assert_eq!(signatures, [word, own]),
            _ => assert_eq!(signatures, ["c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=", word, own]),
        }
    }
}
