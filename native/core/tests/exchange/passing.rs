//! Requests that pass as they are, without an upload: JSON, files by id, and their answers.

use bytes::Bytes;
use hoosh_core::exchange::Step;
use hoosh_core::ledger::{Ending, UsageSource};

use crate::world::*;

const MODERATION: &str = r#"{"model":"m","input":"I want to kill the process"}"#;

fn body(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

#[test]
fn json_passes_byte_for_byte_and_its_usage_is_booked() {
    let mut world = World::new(&ONE.replace("\"m\"", "\"m\", \"omni\""));
    for (path, asked, target, endpoint) in [
        ("/v1/moderations", MODERATION, "/v1/moderations", "moderations"),
        ("/v1/rerank", r#"{"model":"m","query":"q","documents":["a"]}"#, "/v1/rerank", "rerank"),
        ("/v2/rerank", r#"{"model":"m","query":"q","documents":["a"]}"#, "/v2/rerank", "rerank"),
        ("/v1/images/generations", r#"{ "model" : "m", "prompt":"a cat"}"#, "/v1/images/generations", "images"),
        ("/v1/images/edits", r#"{"model":"m","prompt":"a cat","images":[]}"#, "/v1/images/edits", "images"),
    ] {
        let mut call = world.post(path, asked);
        let (u, request) = call.sent(&mut world);
        assert_eq!((request.body.bytes(), &request.target[..]), (asked.as_bytes(), target.as_bytes()));
        let said = r#"{ "x" : [1],"usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}"#;
        call.answer(u, 200, "application/json; charset=utf-8", said);
        let reply = call.reply(&mut world);
        assert_eq!((reply.status, body(&reply).as_str()), (200, said));
        assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"));
        call.over(&mut world);
        let row = world.rows().pop().unwrap();
        assert_eq!(
            (row.endpoint, row.model.as_deref(), row.usage.input_tokens, row.usage.output_tokens),
            (endpoint, Some("m"), 3, 4)
        );
    }
    assert_eq!(
        world.metric("hoosh_requests_total{endpoint=\"rerank\",status_class=\"2xx\",ending=\"completed\"}"),
        "2"
    );
}

#[test]
fn a_providers_name_and_the_pool_are_taken_out() {
    let mut world = World::new(&(ONE.to_owned() + "[[budgets]]\nname = \"team\"\ncapacity = 1000\n"));
    let mut call = world.post("/v1/moderations", r#"{"pool":"team","model":"one/m","input":"x"}"#);
    let (u, request) = call.sent(&mut world);
    assert_eq!(request.body.bytes(), br#"{"model":"m","input":"x"}"#);
    call.answer(u, 200, "application/json", r#"{"results":[]}"#);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    let row = world.rows().pop().unwrap();
    assert_eq!(row.budget.as_deref(), Some("team"));
    // Nobody said what it cost: its text is counted.
    assert_eq!((row.usage.input_tokens, row.usage.source), (1, UsageSource::Counted));
}

#[test]
fn only_who_offers_it_is_asked() {
    let text = r#"
[[providers]]
type = "ollama"
priority = 1
[[providers]]
type = "vllm"
priority = 2
"#;
    let mut world = World::new(text);
    let mut call = world.post("/v1/rerank", r#"{"model":"r","query":"q","documents":[]}"#);
    let (_, request) = call.sent(&mut world);
    assert_eq!(request.origin.port, 8000);
    let reply = world.post("/v1/moderations", MODERATION).reply(&mut world);
    assert_eq!(reply.error(), (404, None, "endpoint_not_supported".into()));
    assert!(body(&reply).contains("moderations") && body(&reply).contains("openai, mistral"), "{}", body(&reply));
    let reply = world.post("/v1/rerank", r#"{"model":"ollama/r","query":"q"}"#).reply(&mut world);
    assert_eq!(reply.error().2, "endpoint_not_supported");
    assert_eq!(world.get("/v1/files").error().2, "endpoint_not_supported");
}

#[test]
fn files_go_to_the_provider_that_is_named_or_the_first() {
    let mut world = World::new(TWO);
    for (target, header, port, sent) in [
        (
            "/v1/files?limit=2&after=f&order=asc&purpose=batch",
            None,
            1,
            "/v1/files?limit=2&after=f&order=asc&purpose=batch",
        ),
        ("/v1/files?provider=two&limit=2", None, 2, "/v1/files?limit=2"),
        ("/v1/files/file-1?provider=two&x=y", None, 2, "/v1/files/file-1"),
        ("/v1/files/file-1/content", Some("two"), 2, "/v1/files/file-1/content"),
    ] {
        let named = header.map(|name| ("x-hoosh-provider", name));
        let mut call = world.begin_as("GET", target, named.as_slice(), None);
        let (_, request) = call.sent(&mut world);
        assert_eq!(
            (request.method, request.origin.port, &request.target[..]),
            ("GET", port, sent.as_bytes()),
            "{target}"
        );
        assert!(request.headers.iter().all(|(name, _)| &name[..] != b"content-type"));
    }
    let reply = world.get("/v1/files?provider=three");
    assert_eq!(reply.error(), (400, None, "invalid_value".into()));
    let mut call = world.begin_as("DELETE", "/v1/files/file-1", &[], None);
    let (u, request) = call.sent(&mut world);
    assert_eq!(request.method, "DELETE");
    call.answer(u, 200, "application/json", r#"{"id":"file-1","deleted":true}"#);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    let row = world.rows().pop().unwrap();
    assert_eq!(
        (row.endpoint, row.model.as_deref(), row.usage.total(), row.usage.source),
        ("files", Some(""), 0, UsageSource::None)
    );
    let reply = world.ask("PUT", "/v1/files/file-1");
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, DELETE")));
    assert_eq!(world.get("/v1/files/..").error().2, "unknown_url");
}

#[test]
fn a_key_that_is_bound_to_models_needs_the_whole_provider_for_what_names_none() {
    let keys = r#"[auth]
tokens = ["free", { token = "bound", models = ["m"] }, { token = "whole", models = ["one/*"] }]
"#;
    let mut world = World::new(&format!("{keys}{TWO}"));
    for (key, target, wanted) in [
        ("bound", "/v1/files", false),
        ("whole", "/v1/files", true),
        ("whole", "/v1/files?provider=two", false),
        ("free", "/v1/files?provider=two", true),
    ] {
        world.key = Some(key);
        let mut call = world.begin("GET", target, None);
        match call.step(&mut world) {
            Step::Send { request, .. } => {
                assert!(wanted, "{key} {target}");
                assert_eq!(request.origin.port == 2, target.contains("two"), "{key}: nobody beyond its scope");
            }
            Step::Reply { status, .. } => assert_eq!((wanted, status), (false, 403), "{key} {target}"),
            other => panic!("{other:?}"),
        }
    }
    // A moderation may leave its model out, and then its provider would choose one.
    world.key = Some("bound");
    let reply = world.post("/v1/moderations", r#"{"input":"x"}"#).reply(&mut world);
    assert_eq!(reply.error().2, "model_not_allowed");
    let reply = world.post("/v1/rerank", r#"{"query":"x"}"#).reply(&mut world);
    assert_eq!(reply.error().2, "missing_required_parameter");
}

#[test]
fn bytes_stream_with_their_names_and_length() {
    let mut world = World::new(ONE);
    let mut call = world.begin_as("GET", "/v1/files/f/content", &[], None);
    let (u, _) = call.sent(&mut world);
    let headers = vec![
        ("content-type", "application/jsonl"),
        ("content-disposition", "attachment; filename=\"x.jsonl\""),
        ("content-length", "6"),
        ("set-cookie", "secret"),
        ("openai-organization", "secret"),
    ];
    call.exchange.head(u, 200, &headers);
    call.exchange.data(u, Bytes::from_static(b"{}\n"));
    let Step::Start { status: 200, headers } = call.step(&mut world) else { panic!("no start") };
    let names: Vec<_> = headers.iter().map(|(name, _)| std::str::from_utf8(name).unwrap()).collect();
    assert_eq!(names, ["content-type", "x-request-id", "x-hoosh-model", "content-disposition", "content-length"]);
    assert!(matches!(call.step(&mut world), Step::Emit { bytes } if &bytes[..] == b"{}\n"));
    call.exchange.written(3);
    call.exchange.data(u, Bytes::from_static(b"[]\n"));
    assert!(matches!(call.step(&mut world), Step::Emit { .. }));
    call.exchange.written(3);
    call.exchange.end(u);
    assert!(matches!(call.step(&mut world), Step::Finish));
    call.over(&mut world);
}

#[test]
fn a_break_in_bytes_cuts_the_caller_and_before_them_another_is_asked() {
    let mut world = World::new(TWO);
    let speech = r#"{"model":"m","input":"hello","voice":"alloy"}"#;
    let mut call = world.post("/v1/audio/speech", speech);
    let (u, _) = call.sent(&mut world);
    call.exchange.head(u, 200, &vec![("content-type", "audio/mpeg")]);
    call.exchange.failed(u, hoosh_core::exchange::Stage::Body, false);
    let (u, request) = call.sent(&mut world);
    assert_eq!(request.origin.port, 2, "no byte was given: another may answer");
    call.partial(u, 200, "audio/mpeg", "ID3");
    assert!(matches!(call.step(&mut world), Step::Start { .. }));
    assert!(matches!(call.step(&mut world), Step::Emit { .. }));
    call.exchange.written(3);
    call.exchange.failed(u, hoosh_core::exchange::Stage::Body, false);
    assert!(matches!(call.step(&mut world), Step::Break), "audio has no word for an error");
    call.over(&mut world);
    let row = world.rows().pop().unwrap();
    assert_eq!((row.endpoint, row.ending, row.error), ("speech", Ending::Broken, Some("upstream_truncated")));
    // Both attempts may be billed, at their bound.
    assert_eq!((row.usage.input_tokens, row.usage.source), (2 * (speech.len() as u64 + 8), UsageSource::Bound));
}

#[test]
fn a_slow_caller_stops_the_reading_of_bytes() {
    let mut world = World::new(ONE);
    let mut call = world.begin_as("GET", "/v1/files/f/content", &[], None);
    let (u, _) = call.sent(&mut world);
    call.exchange.head(u, 200, &vec![("content-type", "application/octet-stream")]);
    let (mut credit, mut given) = (0, 0);
    for _ in 0..200 {
        match call.exchange.next(world.now) {
            Step::Read { credit: more, .. } => credit += more,
            Step::Wait { .. } if credit == 0 => break,
            Step::Wait { .. } => {
                call.exchange.data(u, vec![7; credit].into());
                given += std::mem::take(&mut credit);
            }
            _ => {}
        }
    }
    assert!((64 << 10..192 << 10).contains(&given), "{given}");
    call.exchange.written(given);
    assert!(call.until(&mut world, |step| matches!(step, Step::Read { .. })));
}

#[test]
fn event_streams_pass_by_events_and_an_error_ends_them() {
    let mut world = World::new(TWO);
    let asked = r#"{"model":"m","prompt":"cat","stream":true}"#;
    let partial = "event: image_generation.partial_image\ndata: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"AA\"}\n\n";
    let done = "event: image_generation.completed\ndata: {\"type\":\"image_generation.completed\",\"usage\":{\"input_tokens\":5,\"output_tokens\":6,\"total_tokens\":11}}\n\n";
    let mut call = world.post("/v1/images/generations", asked);
    let (u, request) = call.sent(&mut world);
    assert_eq!(request.body.bytes(), asked.as_bytes(), "no stream options are put in");
    call.answer(u, 200, "text/event-stream", &format!("{partial}{done}"));
    assert_eq!(call.stream(&mut world), format!("{partial}{done}"));
    call.over(&mut world);
    let row = world.rows().pop().unwrap();
    assert_eq!((row.stream, row.usage.total(), row.usage.source), (true, 11, UsageSource::Reported));

    // An error before anything goes to the next provider, one behind an event ends the stream.
    let mut call = world.post("/v1/images/generations", asked);
    let (u, _) = call.sent(&mut world);
    call.answer(
        u,
        200,
        "text/event-stream",
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":\"no\"}}\n\n",
    );
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "text/event-stream", &format!("{partial}data: {{\"error\":{{\"message\":\"burnt\"}}}}\n\n"));
    let told = call.stream(&mut world);
    assert!(told.starts_with(partial) && told.contains("burnt") && told.contains("upstream_error"), "{told}");

    // So does an end in the middle of an event.
    let mut call = world.post("/v1/images/generations", asked);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "text/event-stream", &format!("{partial}data: {{\"x\":"));
    assert!(call.stream(&mut world).contains("upstream_truncated"));
}

#[test]
fn failures_follow_the_table_of_every_request() {
    let mut world = World::new(TWO);
    let mut call = world.post("/v1/moderations", MODERATION);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 503, "text/plain", "busy");
    let (u, _) = call.sent(&mut world);
    call.answer(u, 400, "application/json", r#"{"error":{"message":"too harmful","type":"x","code":"y"}}"#);
    let reply = call.reply(&mut world);
    assert_eq!((reply.status, body(&reply).contains("too harmful")), (400, true));
    for (kind, said, code) in [
        ("application/json", "<html>", "upstream_malformed"),
        ("application/json", r#"{"error":{"message":"odd"}}"#, "upstream_error"),
    ] {
        let mut call = World::new(&format!("{ONE}[retry]\nmax_attempts = 1\n")).post("/v1/moderations", MODERATION);
        let (u, _) = call.sent(&mut world);
        call.answer(u, 200, kind, said);
        assert_eq!(call.reply(&mut world).error().2, code);
    }
    let mut call = world.begin_as("GET", "/v1/files/f/content", &[], None);
    let (u, _) = call.sent(&mut world);
    call.exchange.head(u, 200, &vec![("content-type", "x/y"), ("content-encoding", "gzip")]);
    assert!(matches!(call.step(&mut world), Step::Send { .. }), "compressed against its word: another is asked");
}

#[test]
fn a_budget_pays_for_what_may_be_made() {
    let mut world = World::new(&GUARDED.replace("300", "4000"));
    world.key = Some("secret");
    let reply = world.post("/v1/images/generations", r#"{"model":"m","prompt":"cat"}"#).reply(&mut world);
    assert_eq!(reply.error().2, "budget_exceeded", "4,096 are reserved for the picture");
    let mut call = world.post("/v1/moderations", MODERATION);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", r#"{"usage":{"total_tokens":7}}"#);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    let mut call = world.begin("GET", "/v1/files", None);
    call.sent(&mut world);
    assert_eq!(world.metric("hoosh_budget_used_tokens{budget=\"default\"}"), "7");
    assert_eq!(world.metric("hoosh_budget_reserved_tokens{budget=\"default\"}"), "0", "files cost nothing");
}

#[test]
fn bodies_have_their_type_and_size() {
    let mut world = World::new(&format!("[server]\nmax_body_bytes = 100\nmax_buffered_bytes = 100\n{ONE}"));
    for (path, kind, code) in [
        ("/v1/moderations", "text/plain", "unsupported_media_type"),
        ("/v1/moderations", "multipart/form-data; boundary=x", "unsupported_media_type"),
        ("/v1/files", "application/json", "unsupported_media_type"),
        ("/v1/files", "multipart/form-data", "unsupported_media_type"),
        ("/v1/images/edits", "multipart/mixed; boundary=x", "unsupported_media_type"),
    ] {
        let reply = world.begin_as("POST", path, &[("content-type", kind)], Some(b"x")).reply(&mut world);
        assert_eq!(reply.error(), (415, None, code.into()), "{path} {kind}");
    }
    for (length, said) in [(100, None), (101, Some("101")), (101, None)] {
        let text = format!("{{\"model\":\"m\",\"input\":\"{}\"}}", "x".repeat(length - 24));
        assert_eq!(text.len(), length);
        let headers = [("content-type", "application/json"), ("content-length", said.unwrap_or("0"))];
        let mut call =
            world.begin_as("POST", "/v1/moderations", &headers[..1 + said.iter().count()], Some(text.as_bytes()));
        match call.step(&mut world) {
            Step::Send { .. } => assert_eq!(length, 100),
            Step::Reply { status, body, .. } => {
                assert_eq!((length, status), (101, 413));
                assert!(String::from_utf8_lossy(&body).contains("[server] max_body_bytes"));
            }
            other => panic!("{other:?}"),
        }
    }
    let reply = world.begin_as("GET", "/v1/models", &[("content-length", "1048577")], None).reply(&mut world);
    assert_eq!(reply.status, 413);
    let reply = world.begin_as("GET", "/v1/models", &[("content-length", "1048576")], None).reply(&mut world);
    assert_eq!(reply.status, 200);
}
