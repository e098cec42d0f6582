//! Callers of one protocol, upstreams of another: through the whole exchange.

use crate::world::*;
use hoosh_core::dialects::Dialect;
use hoosh_core::exchange::Step;
use hoosh_core::ledger::{Ending, UsageSource};

const OPENAI: &str = super::ANSWER;
const MESSAGES: &str = r#"{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}"#;
const STREAMED: &str = r#"{"model":"m","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
const SAID: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":8,"output_tokens":2},"later":{"kept":[1, 2]}}"#;

/// One provider of `dialect`.
fn one(dialect: &str) -> World {
    World::new(&format!(
        "[[providers]]\nname = \"one\"\ntype = \"openai_compatible\"\ndialect = \"{dialect}\"\nbase_url = \"http://one.example\"\napi_key = \"sk-one\"\nmodels = [\"m\"]\n"
    ))
}

fn header<'a>(request: &'a hoosh_core::http::UpstreamRequest, name: &str) -> Option<&'a str> {
    let found = request.headers.iter().find(|(own, _)| own == name.as_bytes())?;
    std::str::from_utf8(&found.1).ok()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn events() -> Vec<&'static str> {
    vec![
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"model\":\"m\",\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":8,\"output_tokens\":1}}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "event: ping\ndata: {\"type\": \"ping\"}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hel\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"lo\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    ]
}

#[test]
fn the_same_dialect_passes_byte_for_byte() {
    let mut world = one("anthropic");
    let mut call = world.begin_with(
        "POST",
        "/v1/messages",
        Some(MESSAGES),
        &[("anthropic-beta", "b1,b2"), ("anthropic-version", "2023-06-01")],
    );
    let (u, request) = call.sent(&mut world);
    assert_eq!(text(request.body.bytes()), MESSAGES);
    assert_eq!(text(&request.target), "/v1/messages");
    assert_eq!(header(&request, "x-api-key"), Some("sk-one"));
    assert_eq!(header(&request, "authorization"), None);
    assert_eq!(header(&request, "anthropic-version"), Some("2023-06-01"));
    assert_eq!(header(&request, "anthropic-beta"), Some("b1,b2"));
    call.answer(u, 200, "application/json", SAID);
    let reply = call.reply(&mut world);
    assert_eq!((reply.status, text(&reply.body)), (200, SAID));
    assert_eq!(reply.header("x-hoosh-loss"), None);
    assert_eq!(reply.header("request-id"), reply.header("x-request-id"));
    call.over(&mut world);
    let row = &world.rows()[0];
    assert_eq!((row.usage.input_tokens, row.usage.output_tokens, row.usage.source), (8, 2, UsageSource::Reported));
    assert_eq!((row.path.as_deref(), row.loss.as_deref()), (Some("/v1/messages"), None));
}

#[test]
fn a_stream_of_the_same_dialect_passes_byte_for_byte_at_every_split() {
    let whole = events().concat();
    for at in (1..whole.len()).step_by(7) {
        let mut world = one("anthropic");
        let mut call = world.post("/v1/messages", STREAMED);
        let (u, _) = call.sent(&mut world);
        call.partial(u, 200, "text/event-stream", &whole[..at]);
        call.exchange.data(u, whole.as_bytes()[at..].to_vec().into());
        call.exchange.end(u);
        assert_eq!(call.stream(&mut world), whole, "{at}");
        call.over(&mut world);
        let row = &world.rows()[0];
        assert_eq!((row.usage.total(), row.ending), (10, Ending::Completed));
    }
}

#[test]
fn an_anthropic_caller_is_answered_by_an_openai_upstream() {
    let mut world = one("openai_chat");
    let mut call = world.post("/v1/messages", MESSAGES);
    let (u, request) = call.sent(&mut world);
    assert_eq!(text(&request.target), "/v1/chat/completions");
    assert_eq!(header(&request, "authorization"), Some("Bearer sk-one"));
    let sent: serde_json::Value = serde_json::from_slice(request.body.bytes()).unwrap();
    assert_eq!((&sent["model"], &sent["messages"][0]["content"]), (&"m".into(), &"hi".into()));
    assert_eq!(sent["max_tokens"], 50);
    call.answer(u, 200, "application/json", OPENAI);
    let reply = call.reply(&mut world);
    let said: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!((reply.status, &said["type"]), (200, &"message".into()));
    assert_eq!(said["content"][0], serde_json::json!({"type": "text", "text": "hello"}));
    assert_eq!((&said["stop_reason"], &said["usage"]["input_tokens"]), (&"end_turn".into(), &8.into()));
    call.over(&mut world);
    assert_eq!(world.rows()[0].usage.total(), 9);
}

#[test]
fn an_openai_caller_is_answered_by_an_anthropic_upstream() {
    let mut world = one("anthropic");
    let mut call = world.post("/v1/chat/completions", super::CHAT);
    let (u, request) = call.sent(&mut world);
    assert_eq!(header(&request, "anthropic-version"), Some("2023-06-01"));
    let sent: serde_json::Value = serde_json::from_slice(request.body.bytes()).unwrap();
    assert!(sent["max_tokens"].as_u64().is_some_and(|most| most > 0), "{sent}");
    call.answer(u, 200, "application/json", SAID);
    let said: serde_json::Value = serde_json::from_slice(&call.reply(&mut world).body).unwrap();
    assert_eq!(
        (&said["object"], &said["choices"][0]["message"]["content"]),
        (&"chat.completion".into(), &"hello".into())
    );
    assert_eq!((&said["choices"][0]["finish_reason"], &said["usage"]["total_tokens"]), (&"stop".into(), &10.into()));
    call.over(&mut world);
}

#[test]
fn streams_cross_both_ways_at_every_split() {
    let anthropic = events().concat();
    let openai = super::role()
        + &super::word("hel")
        + &super::word("lo")
        + &super::finish()
        + &super::usage()
        + "data: [DONE]\n\n";
    for (dialect, path, body, upstream) in [
        ("anthropic", "/v1/chat/completions", super::STREAM, &anthropic),
        ("openai_chat", "/v1/messages", STREAMED, &openai),
    ] {
        let mut first = None;
        for at in (1..upstream.len()).step_by(5) {
            let mut world = one(dialect);
            let mut call = world.begin_with("POST", path, Some(body), &[("x-request-id", "r")]);
            let (u, _) = call.sent(&mut world);
            call.partial(u, 200, "text/event-stream", &upstream[..at]);
            call.exchange.data(u, upstream.as_bytes()[at..].to_vec().into());
            call.exchange.end(u);
            let stream = call.stream(&mut world);
            call.over(&mut world);
            assert_eq!(world.rows()[0].usage.total(), 10);
            assert_eq!(stream, *first.get_or_insert(stream.clone()), "{at}");
        }
        let stream = first.unwrap();
        assert!(stream.contains("\"hel\"") && stream.contains("\"lo\""), "{stream}");
        match dialect {
            "anthropic" => {
                assert!(stream.ends_with("data: [DONE]\n\n") && !stream.contains("message_start"), "{stream}")
            }
            _ => assert!(
                stream.starts_with("event: message_start") && stream.contains("event: message_stop"),
                "{stream}"
            ),
        }
    }
}

#[test]
fn a_broken_stream_ends_with_the_dialects_error_event() {
    let mut world = one("openai_chat");
    let mut call = world.post("/v1/messages", STREAMED);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "text/event-stream", &(super::role() + &super::word("a")));
    let stream = call.stream(&mut world);
    assert!(stream.contains("event: error\ndata: {\"type\":\"error\""), "{stream}");
    call.over(&mut world);
    assert_eq!(world.rows()[0].ending, Ending::Broken);
}

#[test]
fn errors_have_the_callers_shape_and_the_upstreams_words() {
    let mut world = one("openai_chat");
    let mut call = world.post("/v1/messages", r#"{"model":"m","messages":7}"#);
    let reply = call.reply(&mut world);
    assert!(
        text(&reply.body).starts_with("{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\""),
        "{:?}",
        reply.body
    );
    assert_eq!(reply.status, 400);
    let mut call = world.post("/v1/messages", MESSAGES);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 422, "application/json", r#"{"error":{"message":"too odd","type":"invalid_request_error"}}"#);
    let reply = call.reply(&mut world);
    assert!(
        text(&reply.body).contains("\"type\":\"error\"") && text(&reply.body).contains("too odd"),
        "{:?}",
        reply.body
    );
    assert_eq!(reply.status, 422);
    let mut world = one("anthropic");
    let refusal = r#"{"type":"error","error":{"type":"invalid_request_error","message":"too odd"}}"#;
    for (path, body, same) in [("/v1/messages", MESSAGES, true), ("/v1/chat/completions", super::CHAT, false)] {
        let mut call = world.post(path, body);
        let (u, _) = call.sent(&mut world);
        call.answer(u, 400, "application/json", refusal);
        let reply = call.reply(&mut world);
        assert_eq!(text(&reply.body) == refusal, same, "{:?}", reply.body);
        assert!(text(&reply.body).contains("too odd"), "{:?}", reply.body);
    }
}

#[test]
fn a_key_is_found_where_each_sdk_puts_it() {
    let mut world = World::new(GUARDED);
    for (path, headers) in [
        ("/v1/messages", &[("x-api-key", "secret")][..]),
        ("/v1/messages", &[("authorization", "Bearer secret")]),
        ("/v1/messages", &[("x-api-key", "wrong"), ("authorization", "Bearer secret")]),
        ("/v1beta/models/m:generateContent", &[("x-goog-api-key", "secret")]),
        ("/v1beta/models/m:generateContent?key=secret", &[]),
    ] {
        let reply = world.begin_with("POST", path, Some("[]"), headers).reply(&mut world);
        assert_eq!(reply.status, 400, "{path} {headers:?}");
    }
    for (path, headers, shape) in [
        (
            "/v1/messages",
            &[("x-api-key", "wrong")][..],
            "{\"type\":\"error\",\"error\":{\"type\":\"authentication_error\"",
        ),
        ("/v1/chat/completions?key=secret", &[], "{\"error\":{\"message\":"),
        ("/v1beta/models/m:generateContent", &[], "{\"error\":{\"code\":401"),
        ("/api/chat", &[], "{\"error\":\""),
    ] {
        let reply = world.begin_with("POST", path, Some("[]"), headers).reply(&mut world);
        assert_eq!((reply.status, text(&reply.body).starts_with(shape)), (401, true), "{path} {:?}", reply.body);
    }
}

#[test]
fn what_is_lost_is_told_and_refused_to_the_strict() {
    let body = r#"{"model":"m","max_tokens":50,"top_k":3,"made_up":1,"messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}]}"#;
    let mut world = one("openai_chat");
    let mut call = world.post("/v1/messages", body);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", OPENAI);
    let reply = call.reply(&mut world);
    let loss = reply.header("x-hoosh-loss").unwrap();
    assert!(loss.contains("dropped=") && loss.contains("made_up") && loss.contains("cache_control"), "{loss}");
    call.over(&mut world);
    let row = world.rows().remove(0);
    assert!(row.loss.is_some_and(|loss| loss.contains("dropped made_up")));
    assert_eq!(world.metric("hoosh_losses_total{change=\"dropped\"}"), "1");
    let strict = [("x-hoosh-strict", "true")];
    let reply = world.begin_with("POST", "/v1/messages", Some(body), &strict).reply(&mut world);
    assert_eq!(reply.status, 400);
    assert!(text(&reply.body).contains("made_up"), "{:?}", reply.body);
    let mut call = world.begin_with("POST", "/v1/messages", Some(MESSAGES), &strict);
    assert!(matches!(call.step(&mut world), Step::Send { .. }), "what loses nothing is asked");
}

#[test]
fn what_an_answer_says_that_its_caller_cannot_be_told_is_reported() {
    let said =
        SAID.replace(r#"[{"type":"text""#, r#"[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"text""#);
    let body = r#"{"model":"m","stream":false,"messages":[{"role":"user","content":"hi"}]}"#;
    for (path, lost) in [("/api/chat", Some("message.thoughts")), ("/v1/chat/completions", None)] {
        let mut world = one("anthropic");
        let mut call = world.post(path, body);
        let (u, _) = call.sent(&mut world);
        call.answer(u, 200, "application/json", &said);
        let told = call.reply(&mut world).header("x-hoosh-loss").map(str::to_owned).unwrap_or_default();
        call.over(&mut world);
        let row = world.rows().remove(0).loss.unwrap_or_default();
        assert_eq!(
            (told.contains("message."), row.contains("message.")),
            (lost.is_some(), lost.is_some()),
            "{told} {row}"
        );
        assert!(lost.is_none_or(|lost| told.contains(lost) && row.contains(lost)), "{told} {row}");
    }
}

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

#[test]
fn a_strict_request_goes_to_whom_nothing_of_it_is_lost() {
    let provider = |name: &str, dialect: &str, priority: u32| {
        format!(
            "[[providers]]\nname = \"{name}\"\ntype = \"openai_compatible\"\ndialect = \"{dialect}\"\nbase_url = \"http://{name}.example\"\npriority = {priority}\nmodels = [\"m\"]\n"
        )
    };
    let text = provider("first", "openai_chat", 1) + &provider("second", "anthropic", 2);
    let body = MESSAGES.replace("\"max_tokens\"", "\"made_up\":1,\"max_tokens\"");
    for (headers, wanted) in [(&[][..], "first.example"), (&[("x-hoosh-strict", "true")], "second.example")] {
        let mut world = World::new(&text);
        let (_, request) = world.begin_with("POST", "/v1/messages", Some(&body), headers).sent(&mut world);
        assert_eq!(request.origin.host, wanted);
    }
}

#[test]
fn who_goes_on_from_an_upstreams_response_reaches_one_that_may_have_it() {
    let text = "[[providers]]\nname = \"first\"\ntype = \"openai_compatible\"\nbase_url = \"http://first.example\"\npriority = 1\nmodels = [\"m\"]\n[[providers]]\nname = \"second\"\ntype = \"openai_compatible\"\ndialect = \"openai_responses\"\nbase_url = \"http://second.example\"\npriority = 2\nmodels = [\"m\"]\n";
    let mut world = World::new(text);
    let body = r#"{"model":"m","input":"And then?","previous_response_id":"resp_of_theirs"}"#;
    let (_, request) = world.begin_with("POST", "/v1/responses", Some(body), &[]).sent(&mut world);
    assert_eq!(request.origin.host, "second.example");
}

#[test]
fn tokens_are_counted_without_a_provider() {
    let mut world = one("anthropic");
    let body = r#"{"model":"m","messages":[{"role":"user","content":"How many tokens are these?"}]}"#;
    let mut call = world.post("/v1/messages/count_tokens", body);
    let reply = call.reply(&mut world);
    let said: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert!(said["input_tokens"].as_u64().is_some_and(|tokens| (5..40).contains(&tokens)), "{said}");
    call.over(&mut world);
    assert!(world.rows().is_empty());
    let reply = world.post("/v1/messages/count_tokens", &body.replace("\"m\"", "\"other\"")).reply(&mut world);
    assert_eq!(reply.status, 404);
}

#[test]
fn an_answer_is_kept_for_callers_of_the_same_dialect() {
    let text = format!("[cache]\nenabled = true\nmode = \"always\"\n{ONE}");
    let mut world = World::new(&text);
    let mut call = world.post("/v1/messages", MESSAGES);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", OPENAI);
    let first = call.reply(&mut world);
    call.over(&mut world);
    let again = world.post("/v1/messages", MESSAGES).reply(&mut world);
    assert_eq!((again.header("x-hoosh-cache"), &again.body), (Some("hit"), &first.body));
    let other = r#"{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}"#;
    let mut call = world.post("/v1/chat/completions", other);
    assert!(matches!(call.step(&mut world), Step::Send { .. }), "in another dialect it is another answer");
    let mut call = world.post("/v1/messages", STREAMED);
    assert!(matches!(call.step(&mut world), Step::Send { .. }), "and so it is as a stream");
}

#[test]
fn a_kept_answer_tells_again_what_was_lost_and_is_none_for_the_strict() {
    let mut world = World::new(&format!("[cache]\nenabled = true\nmode = \"always\"\n{ONE}"));
    let body = MESSAGES.replace("\"max_tokens\"", "\"made_up\":1,\"max_tokens\"");
    let mut call = world.post("/v1/messages", &body);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", OPENAI);
    let first = call.reply(&mut world);
    call.over(&mut world);
    let mut call = world.post("/v1/messages", &body);
    let again = call.reply(&mut world);
    assert_eq!(again.header("x-hoosh-cache"), Some("hit"));
    assert!(first.header("x-hoosh-loss").is_some_and(|loss| loss.contains("made_up")));
    assert_eq!(again.header("x-hoosh-loss"), first.header("x-hoosh-loss"));
    call.over(&mut world);
    assert_eq!(world.metric("hoosh_losses_total{change=\"dropped\"}"), "2");
    let strict = world.begin_with("POST", "/v1/messages", Some(&body), &[("x-hoosh-strict", "true")]).reply(&mut world);
    assert_eq!((strict.status, strict.header("x-hoosh-cache")), (400, None));
}

#[test]
fn lists_have_the_shape_of_who_asks() {
    let mut world = one("anthropic");
    for (target, headers, wanted) in [
        ("/v1/models", &[][..], "\"object\":\"list\""),
        ("/v1/models", &[("anthropic-version", "2023-06-01")], "\"has_more\":false"),
        ("/v1/models", &[("x-goog-api-key", "k")], "\"name\":\"models/m\""),
        ("/v1beta/models", &[], "\"name\":\"models/m\""),
        ("/api/tags", &[], "\"model\":\"m"),
        ("/v1/models/m", &[("anthropic-version", "2023-06-01")], "\"type\":\"model\""),
        ("/v1beta/models/m", &[], "\"name\":\"models/m\""),
    ] {
        let reply = world.get_with(target, headers);
        assert_eq!(reply.status, 200, "{target}");
        assert!(text(&reply.body).contains(wanted), "{target} {:?}", reply.body);
    }
}

#[test]
fn explain_tells_what_each_candidate_would_lose() {
    let mut world = one("openai_chat");
    let body = r#"{"dialect":"anthropic","body":{"model":"m","max_tokens":5,"made_up":1,"messages":[{"role":"user","content":"hi"}]}}"#;
    let reply = world.post("/v1/explain", body).reply(&mut world);
    let said: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    let lost = said["candidates"][0]["loss"].as_array().unwrap();
    assert!(lost.iter().any(|lost| lost["field"] == "made_up" && lost["change"] == "dropped"), "{said}");
}

const RESPONSES: &str = r#"{"model":"m","input":"hi"}"#;

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
            let openai =
                super::role() + &super::word("hello") + &super::finish() + &super::usage() + "data: [DONE]\n\n";
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

const GENERATED: &str = r#"{"candidates":[{"content":{"parts":[{"text":"hello"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":2,"totalTokenCount":10},"modelVersion":"m","responseId":"r1"}"#;
const CONTENTS: &str = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;

#[test]
fn gemini_passes_to_gemini_byte_for_byte_and_its_array_is_made_of_events() {
    let mut world = one("gemini");
    let mut call = world.post("/v1beta/models/m:generateContent", CONTENTS);
    let (u, request) = call.sent(&mut world);
    assert_eq!((text(&request.target), text(request.body.bytes())), ("/v1beta/models/m:generateContent", CONTENTS));
    assert_eq!(header(&request, "x-goog-api-key"), Some("sk-one"));
    call.answer(u, 200, "application/json", GENERATED);
    assert_eq!(text(&call.reply(&mut world).body), GENERATED);
    call.over(&mut world);
    assert_eq!(world.rows()[0].usage.total(), 10);
    let events = format!("data: {GENERATED}\r\n\r\n");
    for (query, is_array) in [("?alt=sse", false), ("", true)] {
        let mut world = one("gemini");
        let mut call = world.post(&format!("/v1beta/models/m:streamGenerateContent{query}"), CONTENTS);
        let (u, request) = call.sent(&mut world);
        assert_eq!(text(&request.target), "/v1beta/models/m:streamGenerateContent?alt=sse");
        call.answer(u, 200, "text/event-stream", &events);
        let stream = call.stream(&mut world);
        call.over(&mut world);
        if is_array {
            let all: serde_json::Value = serde_json::from_str(&stream).unwrap();
            assert_eq!(all[0]["candidates"][0]["content"]["parts"][0]["text"], "hello", "{stream}");
        } else {
            assert_eq!(stream, events);
        }
        let row = &world.rows()[0];
        assert_eq!((row.usage.total(), row.ending, row.terminator_added), (10, Ending::Completed, false));
    }
}

/// What a caller asks: its path and body; and what an upstream answers.
fn said_in(dialect: Dialect) -> (&'static str, &'static str, &'static str) {
    let ollama = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":false}"#;
    let response = r#"{"id":"resp_2","object":"response","status":"completed","model":"m","output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hello","annotations":[]}]}],"usage":{"input_tokens":8,"output_tokens":2,"total_tokens":10}}"#;
    let said = r#"{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"hello"},"done":true,"done_reason":"stop","prompt_eval_count":8,"eval_count":2}"#;
    match dialect {
        Dialect::OpenAiChat => ("/v1/chat/completions", super::CHAT, OPENAI),
        Dialect::OpenAiResponses => ("/v1/responses", RESPONSES, response),
        Dialect::Anthropic => ("/v1/messages", MESSAGES, SAID),
        Dialect::Gemini => ("/v1beta/models/m:generateContent", CONTENTS, GENERATED),
        Dialect::Ollama => ("/api/chat", ollama, said),
    }
}

#[test]
fn every_dialect_answers_every_other() {
    for (path, body, caller) in Dialect::ALL.map(|dialect| (said_in(dialect).0, said_in(dialect).1, dialect.as_str())) {
        for (answer, upstream) in Dialect::ALL.map(|dialect| (said_in(dialect).2, dialect.as_str())) {
            let mut world = one(upstream);
            let mut call = world.post(path, body);
            let (u, request) = call.sent(&mut world);
            assert!(text(request.body.bytes()).contains("hi"), "{caller} {upstream}");
            call.answer(u, 200, "application/json", answer);
            let reply = call.reply(&mut world);
            assert_eq!(reply.status, 200, "{caller} {upstream} {:?}", reply.body);
            assert!(text(&reply.body).contains("\"hello\""), "{caller} {upstream} {:?}", reply.body);
            assert_eq!(caller == upstream, text(&reply.body) == answer, "{caller} {upstream}");
            call.over(&mut world);
            let row = &world.rows()[0];
            assert_eq!((row.usage.input_tokens, row.ending), (8, Ending::Completed), "{caller} {upstream}");
        }
    }
}

#[test]
fn what_only_one_dialect_has_makes_another_request_for_the_cache() {
    let cached = "[cache]\nenabled = true\nmode = \"always\"\n";
    let of = |dialect: &str| {
        World::new(&format!(
            "{cached}[[providers]]\nname = \"one\"\ntype = \"openai_compatible\"\ndialect = \"{dialect}\"\nbase_url = \"http://one.example\"\nmodels = [\"m\"]\n"
        ))
    };
    let mut world = of("anthropic");
    let with = |container: &str| MESSAGES.replacen('{', &format!("{{\"container\":\"{container}\","), 1);
    for (container, asks) in [("a", true), ("a", false), ("b", true)] {
        let mut call = world.post("/v1/messages", &with(container));
        let step = call.step(&mut world);
        assert_eq!(matches!(step, Step::Send { .. }), asks, "{container}");
        match step {
            Step::Send { u, .. } => {
                call.exchange.connected(u);
                call.exchange.sent(u);
                call.answer(u, 200, "application/json", SAID);
                call.reply(&mut world);
                call.over(&mut world);
            }
            other => assert_eq!(call.take_reply(other).header("x-hoosh-cache"), Some("hit")),
        }
    }
    let mut world = of("openai_responses");
    for _ in 0..2 {
        let body = r#"{"model":"m","input":"x","previous_response_id":"resp_theirs"}"#;
        let mut call = world.post("/v1/responses", body);
        assert!(matches!(call.step(&mut world), Step::Send { .. }), "what goes on from elsewhere is never kept");
    }
}

#[test]
fn one_idempotency_key_is_for_one_model_and_form() {
    let mut world = one("gemini");
    world.reload("[[providers]]\nname = \"one\"\ntype = \"gemini\"\nbase_url = \"http://one.example\"\nmodels = [\"m\", \"n\"]\n");
    let mut ask = |path: &str| {
        let mut call = world.begin_with("POST", path, Some(CONTENTS), &[("idempotency-key", "k")]);
        match call.step(&mut world) {
            Step::Send { u, .. } => {
                call.exchange.connected(u);
                call.exchange.sent(u);
                call.answer(u, 200, "application/json", GENERATED);
                call.reply(&mut world).status
            }
            other => call.take_reply(other).status,
        }
    };
    assert_eq!(ask("/v1beta/models/m:generateContent"), 200);
    assert_eq!(ask("/v1beta/models/m:generateContent"), 200);
    assert_eq!(ask("/v1beta/models/n:generateContent"), 422);
    assert_eq!(ask("/v1beta/models/m:streamGenerateContent"), 422);
}

#[test]
fn a_stream_that_passed_as_it_is_ends_with_one_error_and_no_second_beginning() {
    let mut world = one("openai_responses");
    let mut call = world.post("/v1/responses", r#"{"model":"m","input":"hi","stream":true}"#);
    let (u, _) = call.sent(&mut world);
    let passed = concat!(
        "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_9\",\"status\":\"in_progress\",\"output\":[]}}\n\n",
        "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\"a\"}\n\n",
    );
    call.answer(u, 200, "text/event-stream", passed);
    let stream = call.stream(&mut world);
    let rest = stream.strip_prefix(passed).unwrap();
    assert!(rest.starts_with("event: error\ndata: {\"type\":\"error\""), "{rest}");
    assert_eq!(rest.matches("event: ").count(), 1, "{rest}");
}

#[test]
fn a_field_that_is_only_renamed_is_no_loss() {
    let mut world = World::new(
        "[[providers]]\ntype = \"openai\"\nbase_url = \"http://one.example\"\napi_key = \"sk-one\"\nmodels = [\"m\"]\n",
    );
    let mut call = world.begin_with("POST", "/v1/messages", Some(MESSAGES), &[("x-hoosh-strict", "true")]);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", OPENAI);
    assert_eq!(call.reply(&mut world).header("x-hoosh-loss"), None);
    call.over(&mut world);
    let told = world.rows().remove(0).loss;
    assert!(told.as_deref().is_some_and(|told| told.starts_with("renamed max_tokens")), "{told:?}");
}

#[test]
fn thoughts_of_another_dialect_do_not_reach_an_upstream_that_would_refuse_them() {
    let mut world = one("openai_chat");
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"x","thoughts":[{"origin":"anthropic","type":"signature","thinking":"t","signature":"s"}]},{"role":"user","content":"so?"}]}"#;
    let (_, request) = world.post("/v1/chat/completions", body).sent(&mut world);
    let sent = text(request.body.bytes());
    assert!(!sent.contains("thoughts") && sent.contains("so?"), "{sent}");
}
