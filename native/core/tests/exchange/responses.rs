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
fn a_response_that_is_not_made_yet_goes_as_it_came_and_its_budget_holds_the_most_it_may_cost() {
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
    let [held, used] = charged(&mut world);
    assert!(held > 60 && used == 0, "{held} {used}");
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

/// Two providers of Responses that serve the same model, and two keys.
const PAIR: &str = "[auth]\ntokens = [\"secret\", \"other\"]\n[[budgets]]\nname = \"default\"\ncapacity = 3000\n[[providers]]\nname = \"first\"\ntype = \"openai_compatible\"\ndialect = \"openai_responses\"\nbase_url = \"http://first.example/v1\"\napi_key = \"sk-first\"\nmodels = [\"m\"]\n[[providers]]\nname = \"second\"\ntype = \"openai_compatible\"\ndialect = \"openai_responses\"\nbase_url = \"http://second.example/v1\"\napi_keys = [\"sk-a\", \"sk-b\"]\nmodels = [\"m\"]\n";

const DONE: &str = r#"{"id":"resp_1","object":"response","status":"completed","background":true,"model":"m","output":[],"error":null,"usage":{"input_tokens":8,"output_tokens":2,"total_tokens":10}}"#;

fn shown(request: &hoosh_core::http::UpstreamRequest) -> &str {
    let key = request.headers.iter().find(|(name, _)| &name[..] == b"authorization");
    text(&key.unwrap().1)
}

/// A response that `second` makes in the background; and with which of its keys.
fn in_the_background(world: &mut World) -> String {
    let body = r#"{"model":"second/m","input":"x","background":true,"max_output_tokens":50}"#;
    let mut call = world.post("/v1/responses", body);
    let (u, request) = call.sent(world);
    call.answer(u, 200, "application/json", QUEUED);
    assert_eq!(call.reply(world).status, 200);
    call.over(world);
    shown(&request).to_owned()
}

#[test]
fn a_response_is_asked_for_where_it_is_kept_with_the_credential_that_made_it() {
    let mut world = World::new(PAIR);
    world.key = Some("secret");
    // Credentials are taken in turn: whichever made it is the one that has it.
    for _ in 0..2 {
        let key = in_the_background(&mut world);
        for (method, path, sent) in [
            ("GET", "/v1/responses/resp_1", "/v1/responses/resp_1"),
            ("GET", "/v1/responses/resp_1?include[]=x", "/v1/responses/resp_1?include[]=x"),
            ("GET", "/v1/responses/resp_1/input_items?limit=2", "/v1/responses/resp_1/input_items?limit=2"),
            ("POST", "/v1/responses/resp_1/cancel", "/v1/responses/resp_1/cancel"),
        ] {
            let mut call = world.begin_as(method, path, &[], None);
            let (u, request) = call.sent(&mut world);
            assert_eq!(
                (request.method, text(&request.target), &*request.origin.host),
                (method, sent, "second.example")
            );
            assert_eq!((shown(&request), request.body.bytes()), (&*key, &b""[..]));
            call.answer(u, 200, "application/json", QUEUED);
            assert_eq!(text(&call.reply(&mut world).body), QUEUED);
            call.over(&mut world);
        }
    }
}

#[test]
fn who_goes_on_from_it_reaches_who_keeps_it() {
    let mut world = World::new(PAIR);
    world.key = Some("secret");
    let key = in_the_background(&mut world);
    for _ in 0..4 {
        let body = r#"{"model":"m","input":"y","previous_response_id":"resp_1"}"#;
        let (_, request) = world.post("/v1/responses", body).sent(&mut world);
        assert_eq!((&*request.origin.host, shown(&request)), ("second.example", &*key));
    }
}

#[test]
fn nobody_else_has_it() {
    let mut world = World::new(PAIR);
    world.key = Some("secret");
    in_the_background(&mut world);
    world.key = Some("other");
    for (method, path) in [("GET", ""), ("DELETE", ""), ("GET", "/input_items"), ("POST", "/cancel")] {
        let path = format!("/v1/responses/resp_1{path}");
        let reply = world.begin_as(method, &path, &[], None).reply(&mut world);
        assert_eq!((reply.status, reply.error().2), (404, "unknown_url".into()), "{method} {path}");
    }
    let body = r#"{"model":"m","input":"y","previous_response_id":"resp_1"}"#;
    let reply = world.post("/v1/responses", body).reply(&mut world);
    assert_eq!((reply.status, reply.error().2), (400, "previous_response_not_found".into()));
    world.key = Some("secret");
    assert_eq!(world.get("/v1/responses/resp_2").status, 404);
    world.reload(&PAIR.replace("\"second\"", "\"third\""));
    assert_eq!(world.get("/v1/responses/resp_1").status, 404, "who kept it is gone");
}

#[test]
fn what_it_cost_is_booked_once_when_it_is_first_told() {
    let mut world = World::new(PAIR);
    world.key = Some("secret");
    in_the_background(&mut world);
    for (said, cost) in [(QUEUED, 0), (DONE, 10), (DONE, 0)] {
        let mut call = world.begin_as("GET", "/v1/responses/resp_1", &[], None);
        let (u, _) = call.sent(&mut world);
        call.answer(u, 200, "application/json", said);
        assert_eq!(text(&call.reply(&mut world).body), said);
        call.over(&mut world);
        let row = world.rows().pop().unwrap();
        assert_eq!((row.usage.total(), row.endpoint, row.model.as_deref()), (cost, "responses", Some("second/m")));
        assert_eq!((row.path.as_deref(), row.provider.as_deref()), (Some("/v1/responses/{id}"), Some("second")));
    }
}

#[test]
fn a_response_that_failed_is_told_and_one_that_is_deleted_is_gone() {
    let mut world = World::new(PAIR);
    world.key = Some("secret");
    in_the_background(&mut world);
    let failed = DONE
        .replace("\"completed\"", "\"failed\"")
        .replace("\"error\":null", r#""error":{"code":"server_error","message":"broke"}"#);
    let mut call = world.begin_as("GET", "/v1/responses/resp_1", &[], None);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", &failed);
    let reply = call.reply(&mut world);
    assert_eq!((reply.status, text(&reply.body)), (200, &*failed));
    call.over(&mut world);
    let mut call = world.begin_as("DELETE", "/v1/responses/resp_1", &[], None);
    let (u, request) = call.sent(&mut world);
    assert_eq!(request.method, "DELETE");
    call.answer(u, 200, "application/json", r#"{"id":"resp_1","object":"response","deleted":true}"#);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    assert_eq!(world.get("/v1/responses/resp_1").status, 404);
}

fn event(kind: &str, response: &str) -> String {
    format!("event: response.{kind}\ndata: {{\"type\":\"response.{kind}\",\"sequence_number\":1,\"response\":{response}}}\n\n")
}

#[test]
fn a_stream_in_the_background_that_breaks_off_is_taken_up_again_at_every_split() {
    let rest = event("in_progress", QUEUED) + &event("completed", DONE);
    for at in (1..rest.len()).step_by(13) {
        let mut world = World::new(PAIR);
        world.key = Some("secret");
        let body = r#"{"model":"second/m","input":"x","background":true,"stream":true}"#;
        let mut call = world.post("/v1/responses", body);
        let (u, _) = call.sent(&mut world);
        call.partial(u, 200, "text/event-stream", &event("queued", QUEUED));
        call.take_all(&mut world);
        call.exchange.caller_gone();
        call.take_all(&mut world);
        drop(call);
        let path = "/v1/responses/resp_1?stream=true&starting_after=1";
        let mut call = world.begin_as("GET", path, &[], None);
        let (u, request) = call.sent(&mut world);
        assert_eq!(text(&request.target), path);
        call.partial(u, 200, "text/event-stream", &rest[..at]);
        call.exchange.data(u, rest.as_bytes()[at..].to_vec().into());
        call.exchange.end(u);
        assert_eq!(call.stream(&mut world), rest, "{at}");
        call.over(&mut world);
        assert_eq!(world.rows().pop().unwrap().usage.total(), 10, "{at}");
    }
}

#[test]
fn a_whole_answer_is_found_again_unless_it_is_not_kept() {
    let mut world = World::new(PAIR);
    world.key = Some("secret");
    let said = |id: &str| {
        DONE.replace("resp_1", id).replace("[]", r#"[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hello","annotations":[]}]}]"#)
    };
    for (id, store) in [("resp_a", "true"), ("resp_b", "false")] {
        let body = format!(r#"{{"model":"m","input":"x","store":{store}}}"#);
        let mut call = world.post("/v1/responses", &body);
        let (u, _) = call.sent(&mut world);
        call.answer(u, 200, "application/json", &said(id));
        assert_eq!(call.reply(&mut world).status, 200);
        call.over(&mut world);
    }
    assert_eq!(world.get("/v1/responses/resp_b").status, 404);
    let mut call = world.begin_as("GET", "/v1/responses/resp_a", &[], None);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", &said("resp_a"));
    call.reply(&mut world);
    call.over(&mut world);
    assert_eq!(world.rows().pop().unwrap().usage.total(), 0, "it was booked when it was made");
}

const PRICES: &str = "[[prices]]\nmodel = \"m\"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n";

/// Tokens of the budget that are held, and that are used.
fn charged(world: &mut World) -> [u64; 2] {
    ["reserved", "used"]
        .map(|what| world.metric(&format!("hoosh_budget_{what}_tokens{{budget=\"default\"}}")).parse().unwrap())
}

#[test]
fn what_it_may_cost_at_most_is_held_until_it_is_told_what_it_did() {
    let mut world = World::new(&format!("{PAIR}{PRICES}"));
    world.key = Some("secret");
    in_the_background(&mut world);
    let [held, used] = charged(&mut world);
    assert!(held > 50 && used == 0, "{held} {used}");
    let mut call = world.begin_as("GET", "/v1/responses/resp_1", &[], None);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", DONE);
    call.reply(&mut world);
    call.over(&mut world);
    assert_eq!(charged(&mut world), [0, 10]);
    let row = world.rows().pop().unwrap();
    assert_eq!((row.usage.total(), row.cost_nano_usd, row.budget.as_deref()), (10, Some(12_000), Some("default")));
    world.pass_seconds(2 * 86_400);
    assert_eq!(world.rows().len(), 2, "it is booked once");
}

#[test]
fn one_that_nobody_asks_for_is_booked_at_the_most_it_may_cost() {
    for ends in [false, true] {
        let mut world = World::new(&format!("{PAIR}{PRICES}"));
        world.key = Some("secret");
        in_the_background(&mut world);
        let [held, _] = charged(&mut world);
        assert_eq!(world.rows().len(), 1);
        if ends {
            world.gateway.close();
        } else {
            world.pass_seconds(86_399);
            assert_eq!(world.rows().len(), 1, "somebody may ask yet");
            world.pass_seconds(1);
        }
        let row = world.rows().pop().unwrap();
        assert_eq!((row.usage.total(), row.usage.source.as_str(), row.usage.output_tokens), (held, "bound", 50));
        assert_eq!(row.cost_nano_usd, Some(row.usage.input_tokens * 1_000 + 50 * 2_000));
        assert_eq!((row.budget.as_deref(), row.provider.as_deref()), (Some("default"), Some("second")));
        assert_eq!(world.rows().len(), 2);
        assert_eq!(charged(&mut world), [0, held]);
        if !ends {
            let cost = "hoosh_cost_nano_usd_total{provider=\"second\"}";
            assert_eq!(world.metric(cost), row.cost_nano_usd.unwrap().to_string());
            let mut call = world.begin_as("GET", "/v1/responses/resp_1", &[], None);
            let (u, _) = call.sent(&mut world);
            call.answer(u, 200, "application/json", DONE);
            call.reply(&mut world);
            call.over(&mut world);
            assert_eq!(world.rows().pop().unwrap().usage.total(), 0, "it is booked already");
        }
    }
}

#[test]
fn whoever_asks_for_its_head_is_told_it() {
    let mut world = World::new(PAIR);
    world.key = Some("secret");
    in_the_background(&mut world);
    for path in ["/v1/responses/resp_1", "/v1/responses/resp_1/input_items"] {
        let mut call = world.begin_as("HEAD", path, &[], None);
        let (u, request) = call.sent(&mut world);
        assert_eq!((request.method, text(&request.target)), ("GET", path));
        call.answer(u, 200, "application/json", DONE);
        assert_eq!(call.reply(&mut world).status, 200);
        call.over(&mut world);
    }
    let reply = world.begin_as("HEAD", "/v1/responses/resp_1/cancel", &[], None).reply(&mut world);
    assert_eq!((reply.status, reply.error().2), (405, "method_not_allowed".into()));
}

#[test]
fn what_a_provider_with_hooks_keeps_is_said_to_be_there() {
    let one = &PAIR[..PAIR.find("[[providers]]\nname = \"second\"").unwrap()];
    let mut world = World::hooked(one, &["first"]);
    world.key = Some("secret");
    let mut call = world.post("/v1/responses", r#"{"model":"m","input":"x"}"#);
    let u = call.called(&mut world);
    let said = DONE.replace("[]", r#"[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hello","annotations":[]}]}]"#);
    call.answer(u, 200, "application/json", &said);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    for method in ["GET", "HEAD", "DELETE"] {
        let reply = world.begin_as(method, "/v1/responses/resp_1", &[], None).reply(&mut world);
        assert_eq!((reply.status, reply.error().2), (400, "invalid_value".into()), "{method}");
        assert!(text(&reply.body).contains("first"), "{}", text(&reply.body));
    }
}
