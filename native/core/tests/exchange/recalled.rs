//! Earlier responses that only the store knows: after a restart, for their tenant alone, and when it does not answer.

use hoosh_core::exchange::Step;
use hoosh_core::store::Op;

use crate::world::*;

const OPENAI: &str = r#"{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":1,"total_tokens":9}}"#;
const QUEUED: &str = r#"{"id":"resp_1","object":"response","status":"queued","background":true,"model":"m","output":[],"error":null,"usage":null}"#;
const DONE: &str = r#"{"id":"resp_1","object":"response","status":"completed","background":true,"model":"m","output":[],"error":null,"usage":{"input_tokens":8,"output_tokens":2,"total_tokens":10}}"#;

/// An upstream of chat, and turns in the store.
fn chat() -> String {
    format!("[auth]\ntokens = [\"secret\", \"other\"]\n[dialects]\nhistory = \"store\"\n{ONE}")
}

fn lasting(text: &str) -> World {
    let mut world = World::lasting(text);
    world.key = Some("secret");
    world
}

/// A response of that id, made by an upstream of chat.
fn made(world: &mut World, id: &str) {
    let body = r#"{"model":"m","input":"hi"}"#;
    let mut call = world.begin_with("POST", "/v1/responses", Some(body), &[("x-request-id", id)]);
    let (u, _) = call.sent(world);
    call.answer(u, 200, "application/json", OPENAI);
    assert_eq!(call.reply(world).status, 200);
    call.over(world);
    world.run_loop();
}

fn going_on(world: &World, id: &str) -> Call {
    world.post("/v1/responses", &format!(r#"{{"model":"m","input":"and?","previous_response_id":"resp_{id}"}}"#))
}

/// What the upstream is sent: who said something, in order.
fn roles(call: &mut Call, world: &mut World) -> Vec<String> {
    let (_, request) = call.sent(world);
    let body: serde_json::Value = serde_json::from_slice(request.body.bytes()).unwrap();
    body["messages"].as_array().unwrap().iter().map(|turn| turn["role"].as_str().unwrap().to_owned()).collect()
}

/// Until it waits for something.
fn until_it_waits(call: &mut Call, world: &World) {
    for _ in 0..20 {
        if let Step::Wait { .. } = call.step_by_hand(world) {
            return;
        }
    }
    panic!("it does not wait");
}

#[test]
fn a_conversation_goes_on_after_a_restart_for_its_tenant_alone() {
    let mut world = lasting(&chat());
    made(&mut world, "first");
    world.restart(&chat());
    assert_eq!(roles(&mut going_on(&world, "first"), &mut world), ["user", "assistant", "user"]);
    world.restart(&chat());
    let kept: serde_json::Value = serde_json::from_slice(&world.get("/v1/responses/resp_first").body).unwrap();
    assert_eq!((&kept["id"], &kept["object"]), (&"resp_first".into(), &"response".into()));
    world.restart(&chat());
    let listed = world.get("/v1/responses/resp_first/input_items");
    assert!(String::from_utf8_lossy(&listed.body).contains("\"hi\""));
    world.restart(&chat());
    assert_eq!(world.ask("POST", "/v1/responses/resp_first/cancel").error().2, "invalid_value");
    world.restart(&chat());
    world.key = Some("other");
    assert_eq!(world.get("/v1/responses/resp_first").status, 404);
    assert_eq!(world.ask("DELETE", "/v1/responses/resp_first").status, 404);
    let reply = going_on(&world, "first").reply(&mut world);
    assert_eq!((reply.status, reply.error().2), (400, "previous_response_not_found".into()));
    world.key = Some("secret");
    assert_eq!(world.get("/v1/responses/resp_first").status, 200, "whatever others asked");
}

#[test]
fn what_is_kept_in_memory_only_is_gone_after_a_restart_and_what_was_on_the_disk_too() {
    let memory = chat().replace("\"store\"", "\"memory\"");
    let mut world = lasting(&memory);
    made(&mut world, "first");
    assert_eq!(world.get("/v1/responses/resp_first").status, 200);
    world.restart(&memory);
    assert_eq!(world.get("/v1/responses/resp_first").status, 404);
    world.restart(&chat());
    made(&mut world, "second");
    world.restart(&memory);
    world.restart(&chat());
    assert_eq!(world.get("/v1/responses/resp_second").status, 404, "the start in between threw it away");
    made(&mut world, "third");
    world.reload(&chat().replace("[dialects]\n", "[dialects]\nhistory_max_bytes = 0\n"));
    world.run_loop();
    world.restart(&chat());
    assert_eq!(world.get("/v1/responses/resp_third").status, 404, "and so does a reload");
}

#[test]
fn a_turn_is_gone_once_its_time_is_over() {
    let text = chat().replace("[dialects]\n", "[dialects]\nhistory_ttl_secs = 60\n");
    let mut world = lasting(&text);
    made(&mut world, "first");
    let later = |world: &mut World, seconds: i64| world.now.wall_us += seconds * 1_000_000;
    later(&mut world, 59);
    assert_eq!(world.get("/v1/responses/resp_first").status, 200);
    world.restart(&text);
    assert_eq!(world.get("/v1/responses/resp_first").status, 200);
    later(&mut world, 1);
    assert_eq!(world.get("/v1/responses/resp_first").status, 404, "in memory");
    world.restart(&text);
    assert_eq!(world.get("/v1/responses/resp_first").status, 404, "and in the store");
}

#[test]
fn what_memory_has_no_room_for_the_store_has() {
    let text = chat().replace("[dialects]\n", "[dialects]\nhistory_max_bytes = 1\n");
    let mut world = lasting(&text);
    made(&mut world, "first");
    assert_eq!(roles(&mut going_on(&world, "first"), &mut world), ["user", "assistant", "user"]);
    world.mood = Mood::Fails;
    made(&mut world, "second");
    assert_eq!(
        roles(&mut going_on(&world, "second"), &mut world),
        ["user", "assistant", "user"],
        "it waits for the store"
    );
    let reply = world.get("/v1/responses/resp_third");
    assert_eq!(reply.error(), (503, Some("1"), "store_unavailable".into()), "nobody knows whether it is there");
    world.mood = Mood::Well;
    world.pass_seconds(2);
    assert_eq!(world.get("/v1/responses/resp_second").status, 200);
}

#[test]
fn a_store_that_fails_or_is_silent_is_no_reason_to_say_that_it_is_not_there() {
    let mut world = lasting(&chat());
    made(&mut world, "first");
    for mood in [Mood::Fails, Mood::Silent] {
        for (method, path) in [("GET", ""), ("GET", "/input_items"), ("DELETE", ""), ("POST", "")] {
            world.restart(&chat());
            world.mood = mood;
            let mut call = match method {
                "POST" => going_on(&world, "first"),
                _ => world.begin(method, &format!("/v1/responses/resp_first{path}"), None),
            };
            until_it_waits(&mut call, &world);
            world.run_loop();
            if mood == Mood::Silent {
                until_it_waits(&mut call, &world);
                world.pass_seconds(5);
            }
            let reply = call.reply(&mut world);
            assert_eq!(reply.error(), (503, Some("1"), "store_unavailable".into()), "{method} {path}");
            call.over(&mut world);
            world.mood = Mood::Well;
            world.unanswered.clear();
        }
    }
    assert_eq!(world.get("/v1/responses/resp_first").status, 200);
}

#[test]
fn a_late_answer_is_taken_and_one_that_is_too_late_is_nobodys() {
    let mut world = lasting(&chat());
    made(&mut world, "first");
    world.restart(&chat());
    world.mood = Mood::Silent;
    let mut call = going_on(&world, "first");
    until_it_waits(&mut call, &world);
    world.pass_seconds(0);
    world.pass_seconds(4);
    until_it_waits(&mut call, &world);
    world.answer_late();
    assert_eq!(roles(&mut call, &mut world), ["user", "assistant", "user"]);
    world.restart(&chat());
    let mut call = going_on(&world, "first");
    until_it_waits(&mut call, &world);
    world.pass_seconds(0);
    world.pass_seconds(5);
    assert_eq!(call.reply(&mut world).status, 503);
    world.answer_late();
    call.over(&mut world);
}

#[test]
fn its_own_deadline_holds_while_it_waits_and_a_caller_that_leaves_is_let_go() {
    let text = format!("[deadlines]\ntotal_secs = 3\n{}", chat());
    let mut world = lasting(&text);
    made(&mut world, "first");
    world.restart(&text);
    world.mood = Mood::Silent;
    let mut call = going_on(&world, "first");
    until_it_waits(&mut call, &world);
    world.pass_seconds(3);
    assert_eq!(call.reply(&mut world).status, 504);
    call.over(&mut world);
    for ask in [going_on(&world, "first"), world.begin("GET", "/v1/responses/resp_first", None)] {
        let mut call = ask;
        until_it_waits(&mut call, &world);
        world.run_loop();
        call.exchange.caller_gone();
        assert!(matches!(call.exchange.next(world.now), Step::Done));
        world.answer_late();
    }
    drop(call);
    assert_eq!(world.gateway.open_exchanges(), 0);
}

#[test]
fn what_is_thrown_away_is_gone_from_the_disk_before_its_caller_hears_so() {
    let mut world = lasting(&chat());
    made(&mut world, "first");
    world.mood = Mood::Silent;
    let mut call = world.begin("DELETE", "/v1/responses/resp_first", None);
    until_it_waits(&mut call, &world);
    world.run_loop();
    until_it_waits(&mut call, &world);
    assert!(matches!(&world.unanswered[..], [.., (_, Op::Remember { .. })]));
    assert_eq!(world.get("/v1/responses/resp_first").status, 404, "nobody finds it meanwhile");
    world.answer_late();
    let reply = call.reply(&mut world);
    assert!(String::from_utf8_lossy(&reply.body).contains("\"deleted\":true"));
    call.over(&mut world);
    world.mood = Mood::Well;
    world.restart(&chat());
    assert_eq!(world.get("/v1/responses/resp_first").status, 404);

    made(&mut world, "second");
    world.mood = Mood::Fails;
    let reply = world.ask("DELETE", "/v1/responses/resp_second");
    assert_eq!(reply.error(), (503, Some("1"), "store_unavailable".into()));
    assert_eq!(world.get("/v1/responses/resp_second").status, 404, "it is not found, whatever the store has");
    world.mood = Mood::Well;
    world.pass_seconds(2);
    world.restart(&chat());
    assert_eq!(world.get("/v1/responses/resp_second").status, 404, "and the store was told again");
}

#[test]
fn a_turn_that_is_thrown_away_while_the_store_is_asked_does_not_come_back() {
    let mut world = lasting(&chat());
    made(&mut world, "first");
    world.restart(&chat());
    world.mood = Mood::Silent;
    let mut asked = going_on(&world, "first");
    until_it_waits(&mut asked, &world);
    world.run_loop();
    // As the store knows it before it throws it away, and says so after.
    let stale = world.perform_late();
    world.mood = Mood::Well;
    let mut deleted = world.begin("DELETE", "/v1/responses/resp_first", None);
    // It is looked for, and then thrown away.
    for _ in 0..2 {
        until_it_waits(&mut deleted, &world);
        world.run_loop();
    }
    assert_eq!(deleted.reply(&mut world).status, 200);
    deleted.over(&mut world);
    world.deliver(stale);
    drop(asked);
    assert_eq!(world.get("/v1/responses/resp_first").status, 404);
}

#[test]
fn nothing_is_asked_of_a_store_that_ends_with_the_process() {
    let mut world = World::new(&chat());
    world.key = Some("secret");
    made(&mut world, "first");
    world.mood = Mood::Silent;
    assert_eq!(world.get("/v1/responses/resp_first").status, 200);
    assert_eq!(world.get("/v1/responses/resp_other").status, 404);
    assert_eq!(world.ask("DELETE", "/v1/responses/resp_first").status, 200);
    world.run_loop();
    let is_of_responses = |op: &Op| matches!(op, Op::Remember { .. } | Op::Recall { .. });
    assert!(!world.unanswered.iter().any(|(_, op)| is_of_responses(op)));
}

/// Two providers of Responses that serve the same model, and two keys.
const PAIR: &str = "[auth]\ntokens = [\"secret\", \"other\"]\n[[budgets]]\nname = \"default\"\ncapacity = 3000000\n[[providers]]\nname = \"first\"\ntype = \"openai_compatible\"\ndialect = \"openai_responses\"\nbase_url = \"http://first.example/v1\"\napi_key = \"sk-first\"\nmodels = [\"m\"]\n[[providers]]\nname = \"second\"\ntype = \"openai_compatible\"\ndialect = \"openai_responses\"\nbase_url = \"http://second.example/v1\"\napi_keys = [\"sk-a\", \"sk-b\"]\nmodels = [\"m\"]\n";

fn authorization(request: &hoosh_core::http::UpstreamRequest) -> String {
    let key = request.headers.iter().find(|(name, _)| &name[..] == b"authorization");
    String::from_utf8_lossy(&key.unwrap().1).into_owned()
}

/// A response that `second` makes in the background; and with which of its keys.
fn in_the_background(world: &mut World) -> String {
    let body = r#"{"model":"second/m","input":"x","background":true,"max_output_tokens":50}"#;
    let mut call = world.post("/v1/responses", body);
    let (u, request) = call.sent(world);
    call.answer(u, 200, "application/json", QUEUED);
    assert_eq!(call.reply(world).status, 200);
    call.over(world);
    world.run_loop();
    authorization(&request)
}

#[test]
fn who_keeps_a_response_is_asked_for_it_after_a_restart_and_books_it_once() {
    let mut world = lasting(PAIR);
    let key = in_the_background(&mut world);
    for (said, cost) in [(QUEUED, 0), (DONE, 8), (DONE, 0)] {
        world.restart(PAIR);
        let mut call = world.begin_as("GET", "/v1/responses/resp_1?include[]=x", &[("x-request-id", "mine")], None);
        let (u, request) = call.sent(&mut world);
        assert_eq!(
            (&request.target[..], &*request.origin.host),
            (&b"/v1/responses/resp_1?include[]=x"[..], "second.example")
        );
        assert_eq!(authorization(&request), key);
        call.answer(u, 200, "application/json", said);
        let reply = call.reply(&mut world);
        assert_eq!((&reply.body[..], reply.header("x-request-id")), (said.as_bytes(), Some("mine")));
        call.over(&mut world);
        world.run_loop();
        // Of this process alone.
        let input = world.metric("hoosh_tokens_total{provider=\"second\",direction=\"input\"}");
        assert_eq!(input.parse::<u64>().unwrap_or(0), cost, "{said}");
    }
    world.restart(PAIR);
    let body = r#"{"model":"m","input":"y","previous_response_id":"resp_1"}"#;
    let (_, request) = world.post("/v1/responses", body).sent(&mut world);
    assert_eq!((&*request.origin.host, authorization(&request)), ("second.example", key));
}

#[test]
fn nobody_else_reaches_it_after_a_restart() {
    let mut world = lasting(PAIR);
    in_the_background(&mut world);
    for (method, below) in [("GET", ""), ("DELETE", ""), ("GET", "/input_items"), ("POST", "/cancel")] {
        world.restart(PAIR);
        world.key = Some("other");
        let reply = world.begin_as(method, &format!("/v1/responses/resp_1{below}"), &[], None).reply(&mut world);
        assert_eq!((reply.status, reply.error().2), (404, "unknown_url".into()), "{method} {below}");
    }
    world.restart(PAIR);
    let body = r#"{"model":"m","input":"y","previous_response_id":"resp_1"}"#;
    let reply = world.post("/v1/responses", body).reply(&mut world);
    assert_eq!((reply.status, reply.error().2), (400, "previous_response_not_found".into()));
    world.key = Some("secret");
    let mut call = world.begin_as("DELETE", "/v1/responses/resp_1", &[], None);
    let (u, request) = call.sent(&mut world);
    assert_eq!(request.method, "DELETE");
    call.answer(u, 200, "application/json", r#"{"id":"resp_1","object":"response","deleted":true}"#);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    world.run_loop();
    world.restart(PAIR);
    assert_eq!(world.get("/v1/responses/resp_1").status, 404, "it was thrown away there");
}

#[test]
fn what_its_upstream_would_refuse_is_refused_after_a_restart_too() {
    let mut world = lasting(PAIR);
    in_the_background(&mut world);
    world.restart(PAIR);
    let reply = world.get("/v1/responses/resp_1?x=\u{e9}");
    assert_eq!((reply.status, reply.error().2), (400, "invalid_value".into()));
    world.restart(PAIR);
    let (_, request) = world.begin_as("HEAD", "/v1/responses/resp_1", &[], None).sent(&mut world);
    assert_eq!((request.method, &request.target[..]), ("GET", &b"/v1/responses/resp_1"[..]));
    world.restart(&PAIR.replace("\"second\"", "\"third\""));
    assert_eq!(world.get("/v1/responses/resp_1").status, 404, "who kept it is gone");
}

#[test]
fn an_orderly_end_waits_until_the_store_knows_what_is_kept() {
    let mut world = lasting(&chat());
    world.mood = Mood::Fails;
    made(&mut world, "first");
    world.gateway.close();
    world.run_loop();
    assert!(!matches!(world.gateway.next(world.now), hoosh_core::gateway::LoopStep::Over));
    world.mood = Mood::Well;
    world.pass_seconds(2);
    world.run_loop();
    assert!(matches!(world.gateway.next(world.now), hoosh_core::gateway::LoopStep::Over));
    let reply = world.get("/v1/responses/resp_unknown");
    assert_eq!(reply.error().2, "store_unavailable", "its run is over, and it is asked no more");
    world.restart(&chat());
    assert_eq!(world.get("/v1/responses/resp_first").status, 200);
}

#[test]
fn a_thread_is_its_keys_after_a_restart_too() {
    let text =
        "[auth]\ntokens = [\"secret\", \"other\"]\n[[providers]]\nname = \"one\"\ntype = \"openai_compatible\"\n\
                dialect = \"anthropic\"\nbase_url = \"http://one.example\"\napi_key = \"k\"\nmodels = [\"m\"]\n";
    let body = |thread: &str| {
        format!(
            r#"{{"model":"m","max_tokens":9,"thread":{thread},"messages":[{{"role":"user","content":[{{"type":"text","text":"hi"}}]}}]}}"#
        )
    };
    let said = r#"{"id":"msg_9","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":8,"output_tokens":2}}"#;
    let mut world = lasting(text);
    let mut call = world.post("/v1/messages", &body(r#"{"type":"create"}"#));
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", said);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    world.run_loop();
    world.restart(text);
    let go_on = body(r#"{"type":"continue","previous_message_id":"msg_9"}"#);
    world.key = Some("other");
    assert_eq!(world.post("/v1/messages", &go_on).reply(&mut world).status, 404);
    world.key = Some("secret");
    let (_, request) = world.post("/v1/messages", &go_on).sent(&mut world);
    assert_eq!(String::from_utf8_lossy(request.body.bytes()), go_on);
}
