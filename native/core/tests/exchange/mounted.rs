//! Applications that are mounted: who may ask them, and what the exchange beside sees and says.

use hoosh_core::exchange::Step;
use hoosh_core::ledger::Ending;

use crate::world::*;

const MOUNTED: &str = r#"
[[server.mounts]]
path = "/tools"
app = "a.b:c"
[[server.mounts]]
path = "/tools/open"
app = "a.b:d"
public = true
"#;

fn mounted(keys: &str) -> World {
    let world = World::new(&format!("{MOUNTED}{keys}{ONE}"));
    world.gateway.set_mounts_run(true);
    world
}

fn keyed() -> World {
    mounted("[auth]\ntokens = [\"secret\"]\n")
}

/// The mount, and whether a key is named, of a request that may pass.
fn passes(world: &World, target: &str) -> Option<(String, bool)> {
    let mut call = world.begin("GET", target, None);
    let passage = call.exchange.passage(world.now)?;
    Some((passage.mount.path.to_string(), passage.key.is_some()))
}

fn refusal(world: &mut World, target: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut call = world.begin_with("GET", target, None, headers);
    assert!(call.exchange.passage(world.now).is_none());
    let reply = call.reply(world);
    call.over(world);
    let (status, _, code) = reply.error();
    (status, code)
}

#[test]
fn the_longest_path_has_the_request_with_a_key_where_one_is_asked_for() {
    let mut world = keyed();
    world.key = Some("secret");
    for (target, mount, named) in [
        ("/tools", "/tools", true),
        ("/tools/x?y=/tools/open", "/tools", true),
        ("/%74ools/x", "/tools", true),
        ("/tools/open", "/tools/open", false),
        ("/tools/open/", "/tools/open", false),
        ("/tools/opener", "/tools", true),
    ] {
        assert_eq!(passes(&world, target), Some((mount.to_string(), named)), "{target}");
    }
    for target in ["/toolshed", "/Tools", "/", "/v1/models", "/v1/tools"] {
        assert_eq!(passes(&world, target), None, "{target}");
    }
    world.key = None;
    assert!(passes(&world, "/tools/open/x").is_some());
    assert_eq!(refusal(&mut world, "/tools/x", &[]), (401, "invalid_api_key".into()));
    assert_eq!(passes(&mounted(""), "/tools"), Some(("/tools".into(), false)), "no key is there to be named");
}

#[test]
fn foreign_names_and_pages_reach_none_without_a_key() {
    let mut world = keyed();
    let rebound = [("host", "evil.example")];
    assert_eq!(refusal(&mut world, "/tools/open", &rebound), (403, "host_not_allowed".into()));
    let foreign = [("host", "localhost"), ("origin", "https://evil.example")];
    assert_eq!(refusal(&mut world, "/tools/open", &foreign), (403, "origin_not_allowed".into()));
}

#[test]
fn what_does_not_run_is_unavailable_and_seen() {
    let mut world = mounted("");
    assert!(world.get("/v1/health/ready").body.ends_with(b"\"mounts\":\"running\"}"));
    assert_eq!(world.metric("hoosh_mounts_up"), "1");
    world.gateway.set_mounts_run(false);
    assert_eq!(refusal(&mut world, "/tools", &[]), (503, "mount_unavailable".into()));
    assert!(world.get("/v1/health/ready").body.ends_with(b"\"mounts\":\"down\"}"));
    assert_eq!(world.metric("hoosh_mounts_up"), "0");
    let mut without = World::new(ONE);
    assert!(!String::from_utf8_lossy(&without.get("/v1/health/ready").body).contains("mounts"));
    assert_eq!(without.metric("hoosh_mounts_up"), "none");
}

#[test]
fn nobody_passes_on_the_way_down() {
    let mut world = mounted("");
    world.gateway.drain();
    assert_eq!(refusal(&mut world, "/tools", &[]), (503, "draining".into()));
}

/// A request that has its passage.
fn passed(world: &World) -> Call {
    let mut call = world.begin("POST", "/tools/x", Some("{}"));
    assert!(call.exchange.passage(world.now).is_some());
    assert!(call.exchange.passage(world.now).is_none(), "it passes once");
    call
}

#[test]
fn an_answer_is_recorded_with_its_status() {
    let mut world = mounted("");
    let mut call = passed(&world);
    assert!(matches!(call.exchange.next(world.now), Step::Wait { .. }));
    assert!(call.exchange.mount_began(418));
    assert!(matches!(call.exchange.next(world.now), Step::Wait { .. }));
    call.exchange.mount_ended();
    assert!(matches!(call.exchange.next(world.now), Step::Done));
    drop(call);
    world.run_loop();
    let row = world.requests().remove(0);
    assert_eq!((row.status, row.ending), (418, Ending::Completed));
}

#[test]
fn one_that_cannot_be_reached_is_answered_for_and_one_that_breaks_off_is_cut() {
    let mut world = mounted("");
    let mut call = passed(&world);
    call.exchange.mount_failed();
    assert!(!call.exchange.mount_began(200), "the exchange answers");
    let reply = call.reply(&mut world);
    assert_eq!(reply.error(), (503, Some("1"), "mount_unavailable".into()));
    let mut call = passed(&world);
    assert!(call.exchange.mount_began(200));
    call.exchange.mount_failed();
    assert!(matches!(call.exchange.next(world.now), Step::Break));
    assert!(matches!(call.exchange.next(world.now), Step::Done));
}

#[test]
fn the_end_of_the_gateway_is_told_or_cuts_off() {
    let mut world = mounted("");
    let (mut silent, mut speaking) = (passed(&world), passed(&world));
    assert!(speaking.exchange.mount_began(200));
    world.gateway.stop();
    let reply = silent.reply(&mut world);
    assert_eq!(reply.error().2, "draining");
    assert!(matches!(speaking.exchange.next(world.now), Step::Break));
}

#[test]
fn doors_do_nothing_where_nothing_passed_and_after_the_end() {
    let mut world = mounted("");
    let mut call = world.begin("GET", "/v1/models", None);
    assert!(!call.exchange.mount_began(200));
    call.exchange.mount_ended();
    call.exchange.mount_failed();
    assert_eq!(call.reply(&mut world).status, 200);
    let mut call = passed(&world);
    call.exchange.caller_gone();
    assert!(matches!(call.exchange.next(world.now), Step::Done));
    assert!(!call.exchange.mount_began(200));
    call.exchange.mount_ended();
    call.exchange.mount_failed();
    assert!(matches!(call.exchange.next(world.now), Step::Done));
}
