//! `/v1/tokens/*`: reservations that callers hold and settle by themselves.

use hoosh_core::clock::SECOND;
use hoosh_core::exchange::Step;
use hoosh_core::gateway::{LoopResult, LoopStep};
use hoosh_core::store::Outcome;

use crate::world::*;

/// Two budgets; one key is bound to `team`, the other to none.
const TEAMS: &str = r#"
[auth]
tokens = ["secret", { token = "bound", budget = "team", name = "bound" }]
[[budgets]]
name = "default"
capacity = 1_000
[[budgets]]
name = "team"
capacity = 500
[[providers]]
name = "one"
type = "openai_compatible"
base_url = "http://127.0.0.1:1/v1"
models = ["m"]
"#;

fn teams() -> World {
    let mut world = World::new(TEAMS);
    world.key = Some("secret");
    world
}

impl World {
    fn tell(&mut self, path: &str, body: &str) -> (u16, String) {
        let mut call = self.post(&format!("/v1/tokens/{path}"), body);
        let reply = call.reply(self);
        call.over(self);
        (reply.status, String::from_utf8(reply.body.to_vec()).unwrap())
    }

    /// The code of a refusal, and its status.
    fn refusal(&mut self, path: &str, body: &str) -> (u16, String) {
        let (status, body) = self.tell(path, body);
        let code = body.rsplit_once("\"code\":\"").expect("an error").1.trim_end_matches("\"}}").to_string();
        (status, code)
    }

    fn reserve(&mut self, body: &str) -> String {
        let (status, body) = self.tell("reserve", body);
        assert_eq!(status, 200, "{body}");
        let (_, rest) = body.split_once("\"id\":\"").expect("an id");
        rest.split_once('"').unwrap().0.to_string()
    }

    /// Capacity, used, reserved of a budget.
    fn pool(&self, name: &str) -> (u64, u64, u64) {
        let (_, state) = self.gateway.budgets().into_iter().find(|(known, _)| &**known == name).unwrap();
        (state.capacity, state.used, state.reserved)
    }
}

#[test]
fn what_is_reserved_is_held_and_what_is_reported_is_booked() {
    let mut world = teams();
    assert_eq!(
        world.tell("check", r#"{"tokens":1000}"#),
        (200, r#"{"pool":"default","allowed":true,"available":1000}"#.into())
    );
    let id = world.reserve(r#"{"tokens":600,"owner":"nightly"}"#);
    assert_eq!(world.pool("default"), (1_000, 0, 600));
    assert_eq!(world.tell("check", r#"{"tokens":500}"#).1, r#"{"pool":"default","allowed":false,"available":400}"#);
    let report = format!(r#"{{"id":"{id}","input_tokens":30,"output_tokens":20,"model":"far","provider":"away"}}"#);
    let (status, told) = world.tell("report", &report);
    assert_eq!((status, told), (200, format!(r#"{{"id":"{id}","used":50,"overrun":false,"available":950}}"#)));
    assert_eq!(world.pool("default"), (1_000, 50, 0));
    let rows = world.rows();
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert!(row.asked && !row.overrun);
    assert_eq!((row.endpoint, row.usage.input_tokens, row.usage.output_tokens), ("tokens", 30, 20));
    assert_eq!((row.budget.as_deref(), &*row.key), (Some("default"), "key-1"));
    assert_eq!((row.model.as_deref(), row.provider.as_deref()), (Some("far"), Some("away")));
    let told: Vec<_> = world.requests().iter().map(|record| (record.path.clone().unwrap(), record.asked)).collect();
    assert_eq!(told[1].0, "/v1/tokens/reserve");
    assert!(told.iter().all(|(_, asked)| !asked));
}

#[test]
fn a_reservation_is_settled_once() {
    let mut world = teams();
    let id = world.reserve(r#"{"tokens":100}"#);
    let report = format!(r#"{{"id":"{id}","actual":40}}"#);
    assert_eq!(world.tell("report", &report).0, 200);
    assert_eq!(world.refusal("report", &report), (409, "reservation_settled".into()));
    assert_eq!(world.pool("default"), (1_000, 40, 0));
    assert_eq!(world.rows().len(), 1);
}

#[test]
fn what_was_used_beyond_it_is_booked_and_flagged() {
    let mut world = teams();
    let id = world.reserve(r#"{"tokens":100}"#);
    let (_, told) = world.tell("report", &format!(r#"{{"id":"{id}","actual":140}}"#));
    assert!(told.contains(r#""used":140,"overrun":true,"available":860"#), "{told}");
    assert!(world.rows()[0].overrun);
}

#[test]
fn nobody_settles_what_is_not_his() {
    let mut world = teams();
    let (first, second) = (world.reserve(r#"{"tokens":1}"#), world.reserve(r#"{"tokens":1}"#));
    assert_ne!(first, second);
    world.key = Some("bound");
    let wrong = (404, "reservation_not_found".to_string());
    assert_eq!(world.refusal("report", &format!(r#"{{"id":"{first}","actual":0}}"#)), wrong);
    world.key = Some("secret");
    for id in ["rsv-0", "x", &format!("{first}0"), "rsv-00000000000000000000000000000001"] {
        assert_eq!(world.refusal("report", &format!(r#"{{"id":"{id}","actual":0}}"#)), wrong, "{id}");
    }
    assert_eq!(world.pool("default").2, 2, "still held");
}

#[test]
fn one_that_is_not_reported_expires_and_a_late_report_is_an_overrun() {
    let mut world = teams();
    let id = world.reserve(r#"{"tokens":100,"ttl_secs":5,"owner":"nightly\u202e"}"#);
    world.pass_seconds(4);
    assert_eq!(world.pool("default"), (1_000, 0, 100));
    world.pass_seconds(1);
    assert_eq!(world.pool("default"), (1_000, 0, 0));
    assert!(world.log.contains("expired unreported: 100 tokens of budget default"), "{}", world.log);
    let report = format!(r#"{{"id":"{id}","actual":30}}"#);
    let (status, told) = world.tell("report", &report);
    assert_eq!(status, 200);
    assert!(told.contains(r#""used":30,"overrun":true"#), "{told}");
    assert_eq!(world.pool("default"), (1_000, 30, 0));
    assert!(world.rows()[0].overrun);
    assert_eq!(world.refusal("report", &report).0, 409);
    world.pass_seconds(301);
    assert_eq!(world.refusal("report", &report), (404, "reservation_not_found".into()));
    assert_eq!(world.rows().len(), 1);
}

#[test]
fn the_loop_waits_until_the_first_one_expires() {
    let mut world = teams();
    world.reserve(r#"{"tokens":1,"ttl_secs":60}"#);
    world.reserve(r#"{"tokens":1,"ttl_secs":7}"#);
    world.rows();
    let LoopStep::Wait { until_us: Some(at_us) } = world.gateway.next(world.now) else { panic!("it does not wait") };
    assert!(at_us <= world.now.mono_us + 7 * SECOND, "{at_us}");
}

#[test]
fn more_than_there_is_is_refused_and_said_to_be() {
    let mut world = teams();
    assert_eq!(world.refusal("reserve", r#"{"tokens":1001}"#), (429, "budget_exceeded".into()));
    assert_eq!(world.metric("hoosh_limited_total{limit=\"budget\"}"), "1");
    assert_eq!(world.pool("default"), (1_000, 0, 0));
}

#[test]
fn it_waits_for_the_store_like_a_request() {
    let mut world = World::new(&TEAMS.replace("capacity = 1_000", "capacity = 1_000\nslice = 100"));
    world.key = Some("secret");
    let mut call = world.post("/v1/tokens/reserve", r#"{"tokens":700}"#);
    let step = loop {
        match call.step_by_hand(&world) {
            Step::ReadCaller { .. } | Step::Continue => {}
            step => break step,
        }
    };
    assert!(matches!(step, Step::Wait { .. }), "{step:?}");
    world.run_loop();
    assert_eq!(call.reply(&mut world).status, 200);
    assert_eq!(world.pool("default").2, 700);
    // A store that fails is not an empty budget.
    let mut world = World::new(&TEAMS.replace("capacity = 1_000", "capacity = 1_000\nslice = 100"));
    world.key = Some("secret");
    let mut call = world.post("/v1/tokens/reserve", r#"{"tokens":700}"#);
    while !matches!(call.step_by_hand(&world), Step::Wait { .. }) {}
    while let LoopStep::Store { id, .. } = world.gateway.next(world.now) {
        world.gateway.done(id, LoopResult::Stored(Outcome::Failed("down".into())), world.now);
    }
    assert_eq!(call.reply(&mut world).error(), (503, Some("1"), "budget_unavailable".into()));
    assert_eq!(world.pool("default").2, 0);
}

#[test]
fn a_caller_that_leaves_while_it_waits_holds_nothing() {
    let mut world = World::new(&TEAMS.replace("capacity = 1_000", "capacity = 1_000\nslice = 100"));
    world.key = Some("secret");
    let mut call = world.post("/v1/tokens/reserve", r#"{"tokens":700}"#);
    while !matches!(call.step_by_hand(&world), Step::Wait { .. }) {}
    call.exchange.caller_gone();
    call.over(&mut world);
    world.run_loop();
    assert_eq!(world.pool("default"), (1_000, 0, 0));
}

#[test]
fn keys_charge_what_they_charge_for_chats() {
    let mut world = teams();
    assert!(world.tell("pools", "").0 == 405, "POST has no place there");
    let pools = world.get("/v1/tokens/pools");
    assert!(String::from_utf8_lossy(&pools.body).contains("\"name\":\"default\",\"capacity\":1000,\"used\":0"));
    assert_eq!(world.refusal("reserve", r#"{"tokens":1,"pool":"none"}"#), (400, "unknown_budget".into()));
    assert_eq!(world.tell("reserve", r#"{"tokens":500,"pool":"team"}"#).0, 200);
    world.key = Some("bound");
    assert_eq!(world.refusal("reserve", r#"{"tokens":1,"pool":"default"}"#), (403, "budget_not_allowed".into()));
    assert_eq!(world.refusal("reserve", r#"{"tokens":1}"#), (429, "budget_exceeded".into()));
    let pools = String::from_utf8(world.get("/v1/tokens/pools").body.to_vec()).unwrap();
    assert_eq!(pools, r#"{"pools":[{"name":"team","capacity":500,"used":0,"reserved":500,"lost":0,"available":0}]}"#);
    let mut world = World::new(ONE);
    assert_eq!(world.refusal("reserve", r#"{"tokens":1}"#), (400, "unknown_budget".into()));
}

#[test]
fn what_cannot_be_read_is_refused_with_its_field() {
    let mut world = teams();
    for (path, body, status, code, param) in [
        ("reserve", "{}", 400, "missing_required_parameter", "tokens"),
        ("reserve", r#"{"tokens":0}"#, 400, "invalid_value", "tokens"),
        ("reserve", r#"{"tokens":1.5}"#, 400, "invalid_value", "tokens"),
        ("reserve", r#"{"tokens":1,"ttl_secs":86401}"#, 400, "invalid_value", "ttl_secs"),
        ("reserve", r#"{"tokens":1,"ttl":5}"#, 400, "invalid_value", "ttl"),
        ("reserve", r#"{"tokens":1,"owner":"a\u0007"}"#, 400, "invalid_value", "owner"),
        ("reserve", r#"{"tokens":1,"tokens":2}"#, 400, "duplicate_parameter", "tokens"),
        ("report", r#"{"actual":1}"#, 400, "missing_required_parameter", "id"),
        ("report", r#"{"id":"x"}"#, 400, "missing_required_parameter", "actual"),
        ("report", r#"{"id":"x","actual":1,"output_tokens":1}"#, 400, "invalid_value", "actual"),
        ("report", r#"{"id":"x","input_tokens":1,"cached_tokens":2}"#, 400, "invalid_value", "cached_tokens"),
        (
            "report",
            r#"{"id":"x","input_tokens":3,"cached_tokens":2,"cache_written_tokens":2}"#,
            400,
            "invalid_value",
            "cache_written_tokens",
        ),
        ("report", r#"{"id":"x","actual":-1}"#, 400, "invalid_value", "actual"),
    ] {
        let (got, told) = world.tell(path, body);
        assert_eq!(got, status, "{body}: {told}");
        assert!(told.contains(&format!("\"param\":\"{param}\",\"code\":\"{code}\"")), "{body}: {told}");
    }
    assert_eq!(world.refusal("reserve", "[").1, "invalid_json");
    let (status, told) = world.tell("reserve", &format!(r#"{{"owner":"{}"}}"#, "x".repeat(2 << 20)));
    assert_eq!(status, 413, "{told}");
    assert_eq!(world.pool("default"), (1_000, 0, 0));
}

#[test]
fn a_key_holds_so_many_and_no_more() {
    let mut world = teams();
    let first = world.reserve(r#"{"tokens":1,"pool":"team"}"#);
    for _ in 1..1_024 {
        let (status, told) = world.tell("reserve", r#"{"tokens":1,"ttl_secs":9}"#);
        if status != 200 {
            // The budget is smaller than that; what is refused holds no place.
            assert!(told.contains("budget_exceeded"), "{told}");
            break;
        }
    }
    let mut world = World::new(&TEAMS.replace("capacity = 1_000", "capacity = 5_000"));
    world.key = Some("secret");
    for _ in 0..1_024 {
        world.reserve(r#"{"tokens":1,"ttl_secs":9}"#);
    }
    assert_eq!(world.refusal("reserve", r#"{"tokens":1}"#), (429, "concurrency_limit_exceeded".into()));
    assert_eq!(world.pool("default").2, 1_024);
    world.pass_seconds(9);
    assert_eq!(world.pool("default").2, 0);
    world.reserve(r#"{"tokens":1}"#);
    drop(first);
}

#[test]
fn it_outlives_a_reload_and_its_budget() {
    let mut world = teams();
    let id = world.reserve(r#"{"tokens":100,"pool":"team"}"#);
    world.reload(&TEAMS.replace("capacity = 500", "capacity = 50"));
    let (status, told) = world.tell("report", &format!(r#"{{"id":"{id}","actual":90}}"#));
    assert_eq!(status, 200, "{told}");
    assert_eq!(world.pool("team"), (50, 90, 0));
    let id = world.reserve(r#"{"tokens":100}"#);
    world.gateway.drain();
    assert_eq!(world.refusal("reserve", r#"{"tokens":1}"#), (503, "draining".into()));
    assert_eq!(world.tell("report", &format!(r#"{{"id":"{id}","actual":1}}"#)).0, 200, "what was spent is booked");
}

#[test]
fn what_nobody_can_have_used_is_refused_and_everything_below_it_booked() {
    let mut world = teams();
    let id = world.reserve(r#"{"tokens":100}"#);
    for said in [
        r#""actual":1000000000000"#,
        r#""actual":100000000001"#,
        r#""input_tokens":100000000000,"output_tokens":1"#,
        r#""output_tokens":100000000001"#,
    ] {
        assert_eq!(
            world.refusal("report", &format!("{{\"id\":\"{id}\",{said}}}")),
            (400, "invalid_value".into()),
            "{said}"
        );
    }
    assert_eq!(world.pool("default"), (1_000, 0, 100), "it is held yet");
    let (status, told) = world.tell("report", &format!("{{\"id\":\"{id}\",\"actual\":100000000000}}"));
    assert_eq!((status, told.contains("\"overrun\":true")), (200, true), "{told}");
    assert_eq!(world.pool("default"), (1_000, 100_000_000_000, 0));
}

#[test]
fn a_report_that_comes_while_the_end_is_stored_is_refused() {
    let mut world = teams();
    let early = world.reserve(r#"{"tokens":100}"#);
    let late = world.reserve(r#"{"tokens":100}"#);
    world.rows();
    world.gateway.close();
    let report = |id: &str| format!("{{\"id\":\"{id}\",\"actual\":5}}");
    assert_eq!(world.tell("report", &report(&early)).0, 200, "while it drains");
    world.now.mono_us += SECOND;
    // Its row is stored before the end is.
    let id = loop {
        match world.gateway.next(world.now) {
            LoopStep::Store { id, op: hoosh_core::store::Op::End { .. } } => break id,
            LoopStep::Store { id, .. } => world.gateway.done(id, LoopResult::Stored(Outcome::Stored), world.now),
            LoopStep::Log { id, .. } => world.gateway.done(id, LoopResult::Logged(Ok(())), world.now),
            other => panic!("no end: {other:?}"),
        }
    };
    for stored in [false, true] {
        if stored {
            world.gateway.done(id, LoopResult::Stored(Outcome::Stored), world.now);
        }
        let mut call = world.post("/v1/tokens/report", &report(&late));
        assert_eq!(call.reply(&mut world).error(), (503, None, "draining".into()), "{stored}");
    }
}
