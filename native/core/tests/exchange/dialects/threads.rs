//! Threads of Anthropic's, which only their upstream has.

use super::{one, text, MESSAGES, SAID};
use crate::world::*;

#[test]
fn a_thread_of_anthropics_goes_to_anthropic_alone_and_its_sdk_is_told_so() {
    let body = MESSAGES.replace("\"max_tokens\"", "\"thread\":{\"type\":\"create\"},\"max_tokens\"");
    let mut world = one("openai_chat");
    let reply = world.post("/v1/messages", &body).reply(&mut world);
    let said: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!((reply.status, &said["error"]["type"]), (400, &serde_json::json!("invalid_request_error")));
    let details = serde_json::json!({"error_code": "thread_unsupported_request", "unsupported": ["thread"]});
    assert_eq!(said["error"]["details"], details);
    let mut world = one("anthropic");
    let (_, request) = world.post("/v1/messages", &body).sent(&mut world);
    assert_eq!(text(request.body.bytes()), body);
}

#[test]
fn a_thread_is_gone_on_with_where_it_is_kept_and_by_its_key_alone() {
    let provider = |name: &str| {
        format!(
            "[[providers]]\nname = \"{name}\"\ntype = \"openai_compatible\"\ndialect = \"anthropic\"\nbase_url = \"http://{name}.example\"\n\
             api_keys = [\"{name}-a\", \"{name}-b\"]\nmodels = [\"m\"]\n"
        )
    };
    let keys = "[auth]\ntokens = [\"secret\", \"other\"]\n";
    let text = format!("{keys}{}{}", provider("first"), provider("second"));
    let thread = |thread: &str| MESSAGES.replace("\"max_tokens\"", &format!("\"thread\":{thread},\"max_tokens\""));
    let go_on = thread(r#"{"type":"continue","previous_message_id":"msg_9"}"#);
    let key = |request: &hoosh_core::http::UpstreamRequest| {
        let key = request.headers.iter().find(|(name, _)| &name[..] == b"x-api-key").unwrap();
        String::from_utf8(key.1.to_vec()).unwrap()
    };
    for stream in [false, true] {
        let mut world = World::new(&text);
        world.key = Some("secret");
        let create = thread(r#"{"type":"create"}"#);
        let create = if stream { create.replace("\"max_tokens\"", "\"stream\":true,\"max_tokens\"") } else { create };
        let mut call = world.post("/v1/messages", &create);
        let (u, request) = call.sent(&mut world);
        let kept_by = (request.origin.host.clone(), key(&request));
        if stream {
            let events = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_9\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"model\":\"m\",\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":8,\"output_tokens\":1}}}\n\n\
                event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
                event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}\n\n\
                event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
                event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n\
                event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
            call.answer(u, 200, "text/event-stream", events);
            assert_eq!(call.stream(&mut world), events);
        } else {
            let id = serde_json::from_str::<serde_json::Value>(SAID).unwrap()["id"].as_str().unwrap().to_owned();
            call.answer(u, 200, "application/json", &SAID.replace(&id, "msg_9"));
            assert_eq!(call.reply(&mut world).status, 200);
        }
        call.over(&mut world);
        for _ in 0..4 {
            let (_, request) = world.post("/v1/messages", &go_on).sent(&mut world);
            assert_eq!((request.origin.host.clone(), key(&request)), kept_by);
            assert_eq!(String::from_utf8_lossy(request.body.bytes()), go_on);
        }
        world.key = Some("other");
        // However the name of the field is written.
        for body in [go_on.clone(), go_on.replace("\"thread\"", "\"thre\\u0061d\"")] {
            let reply = world.post("/v1/messages", &body).reply(&mut world);
            let said: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
            assert_eq!((reply.status, &said["error"]["type"]), (404, &"not_found_error".into()), "{said}");
            assert_eq!(said["error"]["details"], serde_json::json!({"error_code": "thread_not_found"}));
        }
        // What nobody made through here may be anybody's.
        let unknown = go_on.replace("msg_9", "msg_8");
        assert_eq!(
            String::from_utf8_lossy(world.post("/v1/messages", &unknown).sent(&mut world).1.body.bytes()),
            unknown
        );
        // Whoever kept it is gone: another has it not.
        world.key = Some("secret");
        world.reload(&text.replace(&format!("\"{}\"", kept_by.0.trim_end_matches(".example")), "\"third\""));
        assert_eq!(String::from_utf8_lossy(world.post("/v1/messages", &go_on).sent(&mut world).1.body.bytes()), go_on);
    }
}
