//! Who may ask from where: names, web pages, and what browsers are told.

use crate::world::*;
use crate::{ANSWER, CHAT};

/// Status and code of a chat that comes with these headers; 200 if it gets to its upstream.
fn chat(world: &mut World, headers: &[(&str, &str)]) -> (u16, String) {
    let mut call = world.begin_with("POST", "/v1/chat/completions", Some(CHAT), headers);
    let mut step = call.step(world);
    if let hoosh_core::exchange::Step::Send { u, .. } = step {
        call.exchange.connected(u);
        call.exchange.sent(u);
        call.answer(u, 200, "application/json", ANSWER);
        step = call.step(world);
    }
    let reply = call.take_reply(step);
    call.over(world);
    let (status, _, code) = reply.error();
    (status, code)
}

fn with_server(lines: &str) -> World {
    World::new(&format!("[server]\n{lines}\n{ONE}"))
}

#[test]
fn without_keys_only_names_of_its_own_are_answered() {
    let mut world = with_server("bind = \"127.0.0.2\"\nallowed_hosts = [\"gateway.example\", \"[fe80::1]\"]");
    let own = ["localhost", "LOCALHOST:8088", "localhost.", "127.0.0.1:1", "127.9.9.9", "[::1]:8088", "127.0.0.2"];
    for host in own.iter().chain(&["gateway.example", "Gateway.Example:443", "[fe80::1]:80"]) {
        assert_eq!(chat(&mut world, &[("host", host)]).0, 200, "{host}");
    }
    let foreign = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "evil.example:8088"];
    for host in foreign.iter().chain(&["gateway.example.evil", "localhost@evil", "[::1", "0.0.0.0", "::1:80:", "."]) {
        assert_eq!(chat(&mut world, &[("host", host)]), (403, "host_not_allowed".into()), "{host}");
    }
    assert_eq!(chat(&mut world, &[]).0, 200, "no browser leaves it out");
    for path in ["/v1/models", "/metrics", "/v1/nothing"] {
        assert_eq!(world.get_with(path, &[("host", "evil.example")]).error().2, "host_not_allowed", "{path}");
    }
    // A load balancer asks by address.
    assert_eq!(world.get_with("/v1/health/ready", &[("host", "10.0.0.1")]).status, 200);
    assert_eq!(chat(&mut with_server("allowed_hosts = [\"*\"]"), &[("host", "evil.example")]).0, 200);
}

#[test]
fn without_keys_foreign_pages_are_refused() {
    let mut world = with_server("cors_origins = [\"https://app.example\"]");
    let host = ("host", "localhost:8088");
    for origin in ["http://localhost:8088", "https://LOCALHOST:8088", "https://app.example", "HTTPS://App.example"] {
        assert_eq!(chat(&mut world, &[host, ("origin", origin)]).0, 200, "{origin}");
    }
    let foreign = ["https://evil.example", "http://localhost:3000", "http://localhost", "null", "", "localhost:8088"];
    for origin in foreign.iter().chain(&["https://app.example.evil", "https://app.example:444", "file://"]) {
        let told = chat(&mut world, &[host, ("origin", origin)]);
        assert_eq!(told, (403, "origin_not_allowed".into()), "{origin}");
    }
    // A page whose own name leads here is of one origin with what it asks.
    let rebound = [("host", "evil.example"), ("origin", "http://evil.example")];
    assert_eq!(chat(&mut world, &rebound).1, "host_not_allowed");
}

#[test]
fn with_keys_only_the_key_counts() {
    let mut world = World::new(GUARDED);
    let foreign = [("host", "evil.example"), ("origin", "https://evil.example")];
    for path in ["/v1/chat/completions", "/v1/models", "/v1/models/m", "/metrics", "/v1/nothing", "/"] {
        assert_eq!(world.get_with(path, &foreign).status, 401, "{path}");
    }
    for path in ["/v1/health", "/v1/health/ready"] {
        assert_eq!(world.get_with(path, &foreign).status, 200, "{path}");
    }
    world.key = Some("secret");
    let reply = world.get_with("/v1/models", &foreign);
    assert_eq!((reply.status, reply.header("access-control-allow-origin"), reply.header("vary")), (200, None, None));
}

#[test]
fn named_pages_are_told_what_they_may() {
    let keys = GUARDED.replacen("[auth]", "[server]\ncors_origins = [\"https://app.example\"]\n[auth]", 1);
    let mut world = World::new(&keys);
    let ask = [
        ("host", "gateway.example"),
        ("origin", "https://app.example"),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization, content-type,x-stainless-os , Cookie, x-other, x-stainless-a\tb",
        ),
    ];
    for path in ["/v1/chat/completions", "/v1/models", "/v1/nothing"] {
        let reply = world.ask_with("OPTIONS", path, &ask);
        assert_eq!((reply.status, reply.body.len()), (200, 0), "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), Some("https://app.example"));
        assert_eq!(reply.header("access-control-allow-headers"), Some("authorization, content-type, x-stainless-os"));
        assert_eq!(reply.header("access-control-allow-methods"), Some("GET, HEAD, POST, DELETE"));
        assert_eq!((reply.header("access-control-max-age"), reply.header("vary")), (Some("7200"), Some("origin")));
    }
    world.rows();
    let records = world.requests();
    let paths: Vec<_> = records.iter().map(|record| record.path.as_deref()).collect();
    assert_eq!(paths, [Some("/v1/chat/completions"), Some("/v1/models"), Some("/v1/nothing")]);
    let reply = world.get_with("/v1/models", &ask[..2]);
    assert_eq!(reply.status, 401, "but what it asks needs a key");
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://app.example"), "and it may read why not");
    assert!(reply.header("access-control-expose-headers").is_some_and(|names| names.contains("x-request-id")));

    let foreign = [ask[0], ("origin", "https://evil.example"), ask[2]];
    let reply = world.ask_with("OPTIONS", "/v1/models", &foreign);
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (401, None));
    assert_eq!(reply.header("vary"), Some("origin"), "a cache must not give it to a named page");
    world.key = Some("secret");
    assert_eq!(world.ask_with("OPTIONS", "/v1/models", &foreign).status, 405);
    // No preflight: nobody says what for.
    assert_eq!(world.ask_with("OPTIONS", "/v1/models", &ask[..2]).status, 405);
}

#[test]
fn any_page_may_be_let_in() {
    let mut world = with_server("cors_origins = [\"*\"]");
    let ask = [("host", "localhost"), ("origin", "null"), ("access-control-request-method", "POST")];
    let reply = world.ask_with("OPTIONS", "/v1/models", &ask);
    assert_eq!(
        (reply.status, reply.header("access-control-allow-origin"), reply.header("vary")),
        (200, Some("*"), None)
    );
    assert_eq!(reply.header("access-control-allow-headers"), None);
    assert_eq!(chat(&mut world, &ask[..2]).0, 200);
    assert_eq!(chat(&mut world, &[("host", "evil.example"), ask[1]]).1, "host_not_allowed");
    // Without it nothing is said.
    let reply = World::new(ONE).ask_with("OPTIONS", "/v1/models", &[ask[0], ask[2]]);
    assert_eq!((reply.status, reply.header("allow"), reply.header("vary")), (405, Some("GET, HEAD"), None));
}
