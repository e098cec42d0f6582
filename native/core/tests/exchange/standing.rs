//! How callers of an engine stand to each other: priorities of keys, what a request says of its own, and whose work is whose.

use hoosh_core::engine::{Priority, Standing};
use hoosh_core::exchange::Step;

use super::world::*;
use super::CHAT;

const KEYS: &str = r#"
[auth]
tokens = [
  { token = "batch", priority = "low" },
  { token = "live", priority = "High" },
  "plain",
]
"#;

fn stands(world: &mut World, key: Option<&'static str>, named: Option<&str>) -> Standing {
    world.key = key;
    let more: Vec<(&str, &str)> = named.map(|word| ("x-hoosh-priority", word)).into_iter().collect();
    let mut call = world.begin_with("POST", "/v1/chat/completions", Some(CHAT), &more);
    match call.step(world) {
        Step::Call { request, .. } => request.standing,
        step => panic!("{:?}", call.take_reply(step).error()),
    }
}

#[test]
fn a_request_stands_as_its_key_or_behind_it() {
    let mut world = World::new(&format!("{KEYS}{ENGINES}"));
    for (key, named, expected) in [
        ("batch", None, Priority::Low),
        ("batch", Some("critical"), Priority::Low),
        ("batch", Some("background"), Priority::Background),
        ("live", None, Priority::High),
        ("live", Some("NORMAL"), Priority::Normal),
        ("plain", None, Priority::Normal),
        ("plain", Some("high"), Priority::Normal),
    ] {
        assert_eq!(stands(&mut world, Some(key), named).priority, expected, "{key} {named:?}");
    }
    let mut open = World::new(ENGINES);
    assert_eq!(stands(&mut open, None, None).priority, Priority::Normal);
    assert_eq!(stands(&mut open, None, Some("low")).priority, Priority::Low);
}

#[test]
fn work_is_shared_by_the_requests_of_one_key_alone() {
    let mut world = World::new(&format!("{KEYS}{ENGINES}"));
    let tenants = ["batch", "batch", "live", "plain"].map(|key| stands(&mut world, Some(key), None).tenant);
    assert!(tenants.iter().all(Option::is_some));
    assert_eq!(tenants[0], tenants[1]);
    assert!(tenants[0] != tenants[2] && tenants[2] != tenants[3] && tenants[0] != tenants[3]);
}

#[test]
fn a_priority_that_is_none_is_refused() {
    let mut world = World::new(ENGINES);
    for word in ["urgent", "", "1"] {
        let mut call = world.begin_with("POST", "/v1/chat/completions", Some(CHAT), &[("x-hoosh-priority", word)]);
        let reply = call.reply(&mut world);
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(reply.status, 400, "{body}");
        assert!(body.contains("\"param\":\"x-hoosh-priority\"") && body.contains("background"), "{body}");
    }
}
