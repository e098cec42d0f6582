//! What operators and load balancers are told of the providers' health.

use serde_json::Value;

use super::world::*;
use super::{ANSWER, CHAT};

const KEYS: &str = r#"
[[providers]]
name = "one"
type = "openai_compatible"
base_url = "http://127.0.0.1:1/v1"
models = ["m", "n"]
api_keys = ["first-secret", "second-secret"]
max_concurrency = 2
"#;

fn report(world: &mut World) -> Value {
    let reply = world.get("/v1/health/providers");
    assert_eq!(reply.status, 200);
    let words = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(!words.contains("secret"), "{words}");
    serde_json::from_slice::<Value>(&reply.body).unwrap()["providers"][0].take()
}

fn fail(world: &mut World, status: u16, headers: &[(&str, &str)], times: usize) {
    let mut call = world.post("/v1/chat/completions", CHAT);
    for _ in 0..times {
        let (u, _) = call.sent(world);
        call.refuse(u, status, headers);
    }
    call.pump(world);
}

#[test]
fn a_provider_is_unknown_until_it_was_asked_and_then_up() {
    let mut world = World::new(KEYS);
    let before = report(&mut world);
    assert_eq!((&before["status"], &before["reason"]), (&"unknown".into(), &Value::Null));
    assert_eq!((&before["name"], &before["type"]), (&"one".into(), &"openai_compatible".into()));
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, _) = call.sent(&mut world);
    assert_eq!(report(&mut world)["open_requests"], 1);
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).status, 200);
    let after = report(&mut world);
    assert_eq!(
        (&after["status"], &after["open_requests"], &after["last_error"]),
        (&"up".into(), &0.into(), &Value::Null)
    );
}

#[test]
fn a_refused_credential_is_told_by_its_number() {
    let mut world = World::new(KEYS);
    fail(&mut world, 401, &[], 1);
    let one = report(&mut world);
    assert_eq!((&one["status"], &one["last_error"]), (&"up".into(), &"upstream_credential_rejected".into()));
    let first = &one["credentials"][0];
    assert_eq!(
        (&first["n"], &first["status"], &first["reason"]),
        (&1.into(), &"down".into(), &"credential_rejected".into())
    );
    assert_eq!(first["retry_in_secs"], 10);
    assert_eq!(one["credentials"][1]["status"], "up");
    fail(&mut world, 403, &[], 1);
    let one = report(&mut world);
    assert_eq!(
        (&one["status"], &one["reason"], &one["for_secs"]),
        (&"down".into(), &"credential_rejected".into(), &0.into())
    );
    world.now.mono_us += 11_000_000;
    assert_eq!(report(&mut world)["status"], "half_open");
}

#[test]
fn a_throttled_model_is_told_where_no_credential_may_ask_for_it() {
    let mut world = World::new(KEYS);
    fail(&mut world, 429, &[("retry-after", "30")], 1);
    assert_eq!(report(&mut world)["models"], serde_json::json!([]));
    fail(&mut world, 429, &[("retry-after", "40")], 1);
    let one = report(&mut world);
    assert_eq!((&one["status"], &one["reason"]), (&"limited".into(), &"throttled".into()));
    let wanted = serde_json::json!([{"model": "m", "status": "limited", "reason": "throttled", "retry_in_secs": 30}]);
    assert_eq!(one["models"], wanted);
    world.now.mono_us += 31_000_000;
    assert_eq!(report(&mut world)["models"], serde_json::json!([]));
}

#[test]
fn an_upstream_that_fails_is_down_with_its_reason_and_ready_says_so_without_a_503() {
    let mut world = World::new(&format!("[retry]\nmax_attempts = 1\n{KEYS}"));
    for _ in 0..5 {
        fail(&mut world, 500, &[], 1);
    }
    world.now.mono_us += 4_000_000;
    let one = report(&mut world);
    assert_eq!((&one["status"], &one["reason"]), (&"down".into(), &"failing".into()));
    assert_eq!(
        (&one["retry_in_secs"], &one["for_secs"], &one["consecutive_failures"]),
        (&6.into(), &4.into(), &5.into())
    );
    assert_eq!(one["last_error"], "upstream_error");
    let ready = world.get("/v1/health/ready");
    assert_eq!(ready.status, 200, "to start another process would not help");
    let body: Value = serde_json::from_slice(&ready.body).unwrap();
    assert_eq!((&body["status"], &body["providers"]), (&"ready".into(), &"down".into()));
    world.gateway.drain();
    let ready = world.get("/v1/health/ready");
    let body: Value = serde_json::from_slice(&ready.body).unwrap();
    assert_eq!((ready.status, &body["status"]), (503, &"draining".into()));
    assert_eq!(world.get("/v1/health").status, 200, "while the process runs");
}

#[test]
fn a_rate_of_ours_that_is_spent_is_a_limit_and_no_failure() {
    let mut world = World::new(&format!("{ONE}rate_limit_rpm = 1\n"));
    assert_eq!(world.chat(CHAT, ANSWER).status, 200);
    let one = report(&mut world);
    assert_eq!(
        (&one["status"], &one["reason"], &one["retry_in_secs"]),
        (&"limited".into(), &"rate_limit_rpm".into(), &60.into())
    );
    assert_eq!(one["open_requests"], Value::Null, "nobody counts where there is no bound");
}

#[test]
fn only_a_key_that_is_not_bound_to_models_may_read_it() {
    let keys = "[auth]\ntokens = [\"whole\", { token = \"bound\", models = [\"m\"] }]\n";
    let mut world = World::new(&format!("{keys}{ONE}"));
    for (key, status) in [(None, 401), (Some("bound"), 403), (Some("whole"), 200)] {
        world.key = key;
        assert_eq!(world.get("/v1/health/providers").status, status, "{key:?}");
    }
}
