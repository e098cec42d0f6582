//! What the metrics say of an exchange.

use hoosh_core::exchange::ChildAnswer;

use crate::world::*;

#[test]
fn a_request_in_slices_is_one_request() {
    let mut world = World::new(&format!("[limits]\nmax_inputs = 1\n{ONE}"));
    let mut call = world.post("/v1/embeddings", r#"{"model":"m","input":["a","b","c"]}"#);
    for (c, mut child) in call.children(&mut world) {
        let (u, _) = child.sent(&mut world);
        let answer = r#"{"data":[{"index":0,"embedding":[1]}],"usage":{"prompt_tokens":2,"total_tokens":2}}"#;
        child.answer(u, 200, "application/json", answer);
        let reply = child.reply(&mut world);
        child.over(&mut world);
        call.exchange.child(c, ChildAnswer { status: reply.status, body: reply.body });
    }
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    for (name, value) in [
        (r#"hoosh_requests_total{endpoint="embeddings",status_class="2xx",ending="completed"}"#, "1"),
        (r#"hoosh_request_duration_seconds_count{endpoint="embeddings"}"#, "1"),
        (r#"hoosh_first_content_seconds_count{endpoint="embeddings"}"#, "1"),
        (r#"hoosh_upstream_attempts_total{provider="one",outcome="completed"}"#, "3"),
        (r#"hoosh_tokens_total{provider="one",direction="input"}"#, "6"),
    ] {
        assert_eq!(world.metric(name), value, "{name}");
    }
}

/// Slices that were let in as requests of their own would pay for retries.
#[test]
fn slices_earn_no_retries() {
    let retry = "[retry]\nbudget_percent = 50\nmin_per_sec = 0\n";
    let mut world = World::new(&format!("{retry}[limits]\nmax_inputs = 1\n{ONE}"));
    let mut call = world.post("/v1/embeddings", r#"{"model":"m","input":["a","b","c"]}"#);
    let mut children = call.children(&mut world);
    let (_, child) = &mut children[0];
    let (u, _) = child.sent(&mut world);
    child.answer(u, 503, "text/html", "<html>");
    // One request: half a retry.
    assert_eq!(child.reply(&mut world).status, 502);
}
