//! Headers that go through, and those that never do.

use bytes::Bytes;
use hoosh_core::http::UpstreamRequest;

use crate::world::*;
use crate::{finish, role, word, ANSWER, CHAT, STREAM};

const PASSING: &str = r#"
[server]
pass_request_headers = ["OpenAI-Organization", "x-team"]
pass_response_headers = ["openai-processing-ms", "x-note"]
[retry]
base_delay_ms = 0
[[providers]]
name = "one"
type = "openai_compatible"
base_url = "http://127.0.0.1:1/v1"
models = ["m"]
headers = { X-Team = "gateway", api-key = "$$ecret" }
"#;

fn sent<'a>(request: &'a UpstreamRequest, name: &str) -> Vec<&'a [u8]> {
    request.headers.iter().filter(|(n, _)| &n[..] == name.as_bytes()).map(|(_, value)| &value[..]).collect()
}

#[test]
fn named_headers_of_a_caller_go_on_and_no_others() {
    let mut world = World::new(PASSING);
    let given = [
        ("OpenAI-Organization", "org-1"),
        ("openai-project", "p"),
        ("X-Team", "mine"),
        ("Authorization", "Bearer theirs"),
        ("cookie", "a=b"),
        ("x-forwarded-for", "1.2.3.4"),
    ];
    let mut call = world.begin_with("POST", "/v1/chat/completions", Some(CHAT), &given);
    let (_, request) = call.sent(&mut world);
    assert_eq!(sent(&request, "openai-organization"), [b"org-1"]);
    assert_eq!(sent(&request, "x-team"), [b"gateway"], "the provider's own goes before");
    assert_eq!(sent(&request, "api-key"), [b"$ecret"]);
    for name in ["openai-project", "authorization", "cookie", "x-forwarded-for"] {
        assert!(sent(&request, name).is_empty(), "{name}");
    }
    assert!(!format!("{request:?}").contains("$ecret"));
    // What could end a line is not sent.
    for value in ["a\r\nb: c", "a\nb", "a\0", "\u{7f}", &"x".repeat(9_000)] {
        let given = [("openai-organization", value)];
        let mut call = world.begin_with("POST", "/v1/chat/completions", Some(CHAT), &given);
        assert!(sent(&call.sent(&mut world).1, "openai-organization").is_empty(), "{value:?}");
    }
}

#[test]
fn named_headers_of_a_provider_come_back_and_no_others() {
    let mut world = World::new(PASSING);
    let theirs = |kind: &str| {
        let pairs = [
            ("content-type", kind),
            ("OpenAI-Processing-Ms", "7"),
            ("x-note", "a\r\nset-cookie: x"),
            ("set-cookie", "y"),
        ];
        pairs.map(|(name, value)| (name.to_string(), value.to_string())).to_vec()
    };
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, _) = call.sent(&mut world);
    call.exchange.head(u, 200, &theirs("application/json"));
    call.exchange.data(u, Bytes::from(ANSWER));
    call.exchange.end(u);
    let reply = call.reply(&mut world);
    assert_eq!((reply.status, reply.header("openai-processing-ms")), (200, Some("7")));
    assert_eq!((reply.header("x-note"), reply.header("set-cookie")), (None, None));

    let mut call = world.post("/v1/chat/completions", STREAM);
    let (u, _) = call.sent(&mut world);
    call.exchange.head(u, 200, &theirs("text/event-stream"));
    call.exchange.data(u, Bytes::from(role() + &word("a") + &finish() + "data: [DONE]\n\n"));
    match call.step(&mut world) {
        hoosh_core::exchange::Step::Start { headers, .. } => {
            assert!(headers.iter().any(|(name, value)| &name[..] == b"openai-processing-ms" && &value[..] == b"7"));
        }
        other => panic!("{other:?}"),
    }

    // Those of an attempt that was given up are not the answer's.
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, _) = call.sent(&mut world);
    call.exchange.head(u, 500, &theirs("application/json"));
    call.exchange.end(u);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).header("openai-processing-ms"), None);
}

#[test]
fn callers_whose_passed_headers_differ_share_no_cached_answer() {
    let mut world = World::new(&format!("[server]\npass_request_headers = [\"x-team\"]\n{CACHED}"));
    let begin =
        |world: &World, team: &str| world.begin_with("POST", "/v1/chat/completions", Some(CHAT), &[("x-team", team)]);
    let mut first = begin(&world, "a");
    let (u, _) = first.sent(&mut world);
    first.answer(u, 200, "application/json", ANSWER);
    assert_eq!(first.reply(&mut world).status, 200);
    assert!(begin(&world, "a").is_hit(&mut world));
    assert!(!begin(&world, "b").is_hit(&mut world));
    assert!(!world.post("/v1/chat/completions", CHAT).is_hit(&mut world));
}
