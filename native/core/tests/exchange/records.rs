//! Every exchange leaves one record: a ledger row if it asked an upstream, else a request record.

use hoosh_core::ledger::{Ending, Row};

use crate::world::*;
use crate::{ANSWER, CHAT};

/// What the only request of a world left; it must be a request record.
fn record(world: &mut World) -> Row {
    assert_eq!(world.rows(), [], "nobody was asked");
    let mut records = world.requests();
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

#[test]
fn a_refusal_is_a_request_record() {
    let mut world = World::new(GUARDED);
    assert_eq!(world.chat(CHAT, ANSWER).status, 401);
    let record = record(&mut world);
    assert!(!record.asked);
    assert_eq!((record.status, record.ending, record.error), (401, Ending::Refused, Some("invalid_api_key")));
    assert_eq!((record.method, record.path.as_deref()), (Some("POST"), Some("/v1/chat/completions")));
    assert_eq!((record.endpoint, &*record.key, record.model), ("chat", "anonymous", None));
    assert_eq!((record.bytes_in, record.usage.total()), (0, 0), "its body was never read");
    assert!(record.bytes_out > 0 && record.at_us > 0);
}

#[test]
fn a_path_that_does_not_exist_is_recorded_without_its_query_and_whatever_a_terminal_obeys() {
    let mut world = World::new(ONE);
    assert_eq!(world.ask("BREW", "/v9/\u{1b}[2Jcoffee?key=secret").status, 404);
    let record = record(&mut world);
    assert_eq!((record.method, record.path.as_deref()), (Some("OTHER"), Some("/v9/[2Jcoffee")));
    assert_eq!(record.endpoint, "unknown");
    assert!(!record.to_json().contains("secret"));
}

#[test]
fn lists_are_recorded_and_what_machines_ask_all_day_only_if_it_fails() {
    let mut world = World::new(ONE);
    for path in ["/v1/health", "/v1/health/ready", "/metrics", "/v1/models/m"] {
        assert_eq!(world.get(path).status, 200);
    }
    let listed = record(&mut world);
    assert_eq!((listed.endpoint, listed.path.as_deref()), ("models", Some("/v1/models/{model}")));
    let mut world = World::new(GUARDED);
    assert_eq!(world.get("/metrics").status, 401);
    assert_eq!(record(&mut world).endpoint, "metrics");
    world.gateway.drain();
    assert_eq!(world.get("/v1/health/ready").status, 503);
    world.rows();
    assert_eq!(world.requests().len(), 2);
}

#[test]
fn an_answer_of_the_cache_is_a_request_record_and_the_one_before_it_a_row() {
    let mut world = World::new(CACHED);
    for _ in 0..2 {
        assert_eq!(world.chat(CHAT, ANSWER).status, 200);
    }
    let rows = world.rows();
    assert_eq!(rows.len(), 1);
    assert!(rows[0].asked);
    assert_eq!((rows[0].cache, rows[0].bytes_in), (Some("miss"), CHAT.len() as u64));
    assert_eq!(rows[0].upstream_model.as_deref(), Some("m"));
    let hit = world.requests().remove(0);
    assert_eq!((hit.cache, hit.status, hit.model.as_deref(), hit.provider), (Some("hit"), 200, Some("m"), None));
    assert_eq!((hit.attempts, hit.usage.total(), hit.bytes_in), (0, 0, CHAT.len() as u64));
}

#[test]
fn a_list_in_slices_is_one_record_and_a_row_for_each_slice() {
    let mut world = World::new(&format!("[limits]\nmax_inputs = 1\n{ONE}"));
    let mut call = world.post("/v1/embeddings", r#"{"model":"m","input":["a","b"]}"#);
    for (c, mut child) in call.children(&mut world) {
        let (u, _) = child.sent(&mut world);
        let body = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1]}],"model":"m","usage":{"prompt_tokens":1,"total_tokens":1}}"#;
        child.answer(u, 200, "application/json", body);
        let reply = child.reply(&mut world);
        assert_eq!(reply.status, 200);
        child.over(&mut world);
        call.exchange.child(c, hoosh_core::exchange::ChildAnswer { status: 200, body: reply.body });
    }
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    assert_eq!(world.rows().len(), 2);
    assert_eq!(world.requests().len(), 1);
}

#[test]
fn records_are_given_up_where_the_store_is_silent_and_rows_are_not() {
    let mut world = World::new(GUARDED);
    for _ in 0..30_000 {
        drop(world.begin("GET", "/v1/models", None).exchange.next(world.now));
    }
    assert_eq!(world.gateway.rows_waiting(), 20_000);
    world.run_loop();
    assert_eq!(world.gateway.rows_waiting(), 0);
    assert_eq!(world.metric("hoosh_records_dropped_total"), "20000", "10,000 were stored");
}
