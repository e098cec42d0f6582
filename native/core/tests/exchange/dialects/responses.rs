//! Callers of Responses that go on from an earlier one.

use hoosh_core::exchange::Step;

use super::{one, text, OPENAI, RESPONSES};
use crate::world::*;
use crate::{finish, role, usage, word};

fn asked_with(call: &mut Call, world: &mut World) -> (u32, serde_json::Value) {
    let (u, request) = call.sent(world);
    (u, serde_json::from_slice(request.body.bytes()).unwrap())
}

#[test]
fn a_response_goes_on_from_an_earlier_one_over_an_upstream_that_keeps_nothing() {
    for stream in [false, true] {
        let mut world = one("openai_chat");
        let body = format!(r#"{{"model":"m","input":"hi","stream":{stream}}}"#);
        let mut call = world.begin_with("POST", "/v1/responses", Some(&body), &[("x-request-id", "first")]);
        let (u, sent) = asked_with(&mut call, &mut world);
        assert_eq!(sent["messages"][0]["content"], "hi");
        if stream {
            let openai = role() + &word("hello") + &finish() + &usage() + "data: [DONE]\n\n";
            call.answer(u, 200, "text/event-stream", &openai);
            assert!(call.stream(&mut world).contains("response.completed"));
        } else {
            call.answer(u, 200, "application/json", OPENAI);
            let said: serde_json::Value = serde_json::from_slice(&call.reply(&mut world).body).unwrap();
            assert_eq!((&said["object"], &said["status"]), (&"response".into(), &"completed".into()));
            assert_eq!(said["output"][0]["content"][0]["text"], "hello");
        }
        call.over(&mut world);
        let body = r#"{"model":"m","input":"and?","previous_response_id":"resp_first"}"#;
        let mut call = world.post("/v1/responses", body);
        let (_, sent) = asked_with(&mut call, &mut world);
        let turns: Vec<_> =
            sent["messages"].as_array().unwrap().iter().map(|turn| turn["role"].as_str().unwrap()).collect();
        assert_eq!(turns, ["user", "assistant", "user"], "{sent}");
        let kept: serde_json::Value = serde_json::from_slice(&world.get("/v1/responses/resp_first").body).unwrap();
        assert_eq!((&kept["id"], &kept["object"]), (&"resp_first".into(), &"response".into()));
        let listed: serde_json::Value =
            serde_json::from_slice(&world.get("/v1/responses/resp_first/input_items").body).unwrap();
        assert_eq!(listed["data"][0]["content"][0]["text"], "hi");
        let told = world.get("/v1/responses/resp_first?stream=true");
        assert_eq!((told.status, told.header("content-type")), (200, Some("text/event-stream")));
        let told = String::from_utf8(told.body.to_vec()).unwrap();
        assert!(told.starts_with("event: response.created\n") && told.contains("\"delta\":\"hello\""), "{told}");
        assert_eq!(told.matches("event: response.completed\n").count(), 1);
        let rest = world.get("/v1/responses/resp_first?stream=true&starting_after=0");
        assert!(rest.body.starts_with(b"event: response.in_progress\n") && told.as_bytes().ends_with(&rest.body));
        let wrong = world.get("/v1/responses/resp_first?starting_after=x&stream=true");
        assert_eq!(wrong.error(), (400, None, "invalid_value".into()));
        assert_eq!(world.get("/v1/responses/resp_other?stream=true").status, 404);
        assert_eq!(world.ask("HEAD", "/v1/responses/resp_first").status, 200);
        assert_eq!(world.ask("DELETE", "/v1/responses/resp_first").status, 200);
        assert_eq!(world.get("/v1/responses/resp_first").status, 404);
    }
}

#[test]
fn earlier_responses_are_one_tenants_and_kept_only_where_that_is_wanted() {
    let mut world = World::new(&GUARDED.replace("\"secret\"", "\"secret\", \"other\""));
    world.key = Some("secret");
    let unkept = r#"{"model":"m","input":"hi","store":false}"#;
    for (id, body) in [("kept", RESPONSES), ("unkept", unkept)] {
        let mut call = world.begin_with("POST", "/v1/responses", Some(body), &[("x-request-id", id)]);
        let (u, _) = call.sent(&mut world);
        call.answer(u, 200, "application/json", OPENAI);
        call.reply(&mut world);
        call.over(&mut world);
    }
    let ask = |world: &World, id: &str| {
        world.post("/v1/responses", &format!(r#"{{"model":"m","input":"x","previous_response_id":"resp_{id}"}}"#))
    };
    assert!(matches!(ask(&world, "kept").step(&mut world), Step::Send { .. }));
    for (key, id) in [("secret", "unkept"), ("secret", "never"), ("other", "kept")] {
        world.key = Some(key);
        let reply = ask(&world, id).reply(&mut world);
        assert_eq!((reply.status, reply.error().2), (400, "previous_response_not_found".into()), "{key} {id}");
    }
}

#[test]
fn an_upstream_that_keeps_responses_itself_is_sent_its_own_ids() {
    let mut world = one("openai_responses");
    let body = r#"{"model":"m","input":"x","previous_response_id":"resp_theirs"}"#;
    let mut call = world.post("/v1/responses", body);
    let (u, request) = call.sent(&mut world);
    assert_eq!((text(&request.target), text(request.body.bytes())), ("/v1/responses", body));
    let said = r#"{"id":"resp_2","object":"response","status":"completed","model":"m","output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hello","annotations":[]}]}],"usage":{"input_tokens":8,"output_tokens":2,"total_tokens":10}}"#;
    call.answer(u, 200, "application/json", said);
    assert_eq!(text(&call.reply(&mut world).body), said);
    call.over(&mut world);
    assert_eq!(world.rows()[0].usage.total(), 10);
}

#[test]
fn who_goes_on_from_an_upstreams_response_reaches_one_that_may_have_it() {
    let text = "[[providers]]\nname = \"first\"\ntype = \"openai_compatible\"\nbase_url = \"http://first.example\"\npriority = 1\nmodels = [\"m\"]\n[[providers]]\nname = \"second\"\ntype = \"openai_compatible\"\ndialect = \"openai_responses\"\nbase_url = \"http://second.example\"\npriority = 2\nmodels = [\"m\"]\n";
    let mut world = World::new(text);
    let body = r#"{"model":"m","input":"And then?","previous_response_id":"resp_of_theirs"}"#;
    let (_, request) = world.begin_with("POST", "/v1/responses", Some(body), &[]).sent(&mut world);
    assert_eq!(request.origin.host, "second.example");
}
