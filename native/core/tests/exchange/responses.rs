//! Callers of Responses in front of upstreams that speak it: what these keep is theirs to give.

use crate::world::*;
use hoosh_core::exchange::Step;

/// A provider of each dialect, the one that speaks chat completions first.
const BOTH: &str = "[[providers]]\nname = \"first\"\ntype = \"openai_compatible\"\nbase_url = \"http://first.example\"\npriority = 1\nmodels = [\"m\"]\n[[providers]]\nname = \"second\"\ntype = \"openai_compatible\"\ndialect = \"openai_responses\"\nbase_url = \"http://second.example\"\npriority = 2\nmodels = [\"m\"]\n";

/// The parts of a request that only who keeps something can answer, and the field of each that is named.
const KEPT: [(&str, &str); 5] = [
    (r#""input":"x","background":true"#, "background"),
    (r#""conversation":"conv_1""#, "conversation"),
    (r#""conversation":{"id":"conv_1"},"input":"x""#, "conversation"),
    (r#""prompt":{"id":"pmpt_1","variables":{"a":"b"}}"#, "prompt"),
    (r#""input":[{"role":"user","content":"x"},{"type":"item_reference","id":"msg_1"}]"#, "input[1].id"),
];

const QUEUED: &str = r#"{"id":"resp_1","object":"response","status":"queued","background":true,"model":"m","output":[],"error":null,"usage":null}"#;

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn what_an_upstream_keeps_is_asked_of_one_that_speaks_responses_as_it_was_written() {
    let mut world = World::new(BOTH);
    for (what, _) in KEPT {
        let body = format!(r#"{{"model":"m",{what}}}"#);
        let (_, request) = world.post("/v1/responses", &body).sent(&mut world);
        assert_eq!((&*request.origin.host, text(request.body.bytes())), ("second.example", &*body));
    }
    let plain = world.post("/v1/responses", r#"{"model":"m","input":"x","background":false}"#).sent(&mut world).1;
    assert_eq!(plain.origin.host, "first.example");
}

#[test]
fn it_is_refused_by_its_field_where_nobody_speaks_responses() {
    let mut world = World::new(ONE);
    for (what, field) in KEPT {
        let reply = world.post("/v1/responses", &format!(r#"{{"model":"m",{what}}}"#)).reply(&mut world);
        let said: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(
            (reply.status, &said["error"]["param"], &said["error"]["code"]),
            (400, &field.into(), &"invalid_value".into()),
            "{said}"
        );
        let words = said["error"]["message"].as_str().unwrap();
        assert!(words.contains("speaks Responses"), "{words}");
    }
    for body in [r#"{"model":"m"}"#, r#"{"model":"m","prompt":"p"}"#, r#"{"model":"m","conversation":1}"#] {
        assert_eq!(world.post("/v1/responses", body).reply(&mut world).status, 400, "{body}");
    }
}

#[test]
fn what_depends_on_what_is_kept_is_never_answered_from_the_cache() {
    let mut world = World::new(&format!("[cache]\nenabled = true\nmode = \"always\"\n{BOTH}"));
    let said = r#"{"id":"resp_1","object":"response","status":"completed","model":"m","output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hello","annotations":[]}]}],"usage":{"input_tokens":8,"output_tokens":2,"total_tokens":10}}"#;
    for (what, _) in KEPT {
        for _ in 0..2 {
            let mut call = world.post("/v1/responses", &format!(r#"{{"model":"m",{what}}}"#));
            let (u, _) = call.sent(&mut world);
            call.answer(u, 200, "application/json", said);
            assert_eq!(text(&call.reply(&mut world).body), said);
            call.over(&mut world);
        }
    }
}

#[test]
fn a_response_that_is_not_made_yet_goes_as_it_came_and_its_budget_is_charged_the_most_it_may_cost() {
    let budget = "[auth]\ntokens = [\"secret\"]\n[[budgets]]\nname = \"default\"\ncapacity = 300\n";
    let mut world = World::new(&format!("{budget}{BOTH}"));
    world.key = Some("secret");
    let body = r#"{"model":"m","input":"x","background":true,"max_output_tokens":60}"#;
    let mut call = world.post("/v1/responses", body);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", QUEUED);
    let reply = call.reply(&mut world);
    assert_eq!((reply.status, text(&reply.body)), (200, QUEUED));
    call.over(&mut world);
    assert_eq!(world.rows()[0].usage.total(), 0, "nobody knows it yet");
    let used: u64 = world.metric("hoosh_budget_used_tokens{budget=\"default\"}").parse().unwrap();
    assert!(used > 60, "{used}");
}

#[test]
fn a_response_that_is_not_made_yet_is_no_answer_to_who_did_not_ask_for_that() {
    let mut world = World::new(BOTH.split_once("priority = 1").map(|_| &BOTH[BOTH.rfind("[[").unwrap()..]).unwrap());
    for (path, body) in [("/v1/chat/completions", super::CHAT), ("/v1/responses", r#"{"model":"m","input":"x"}"#)] {
        let mut call = world.post(path, body);
        let (u, _) = call.sent(&mut world);
        call.answer(u, 200, "application/json", QUEUED);
        match call.step(&mut world) {
            Step::Send { .. } => {}
            step => assert_eq!(call.take_reply(step).status, 502),
        }
    }
}
