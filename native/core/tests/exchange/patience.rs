//! Deadlines of providers and of routes.

use crate::world::*;
use crate::{word, CHAT, STREAM};

const OWN: &str = r#"
[deadlines]
connect_secs = 5
first_byte_secs = 100
idle_secs = 50
[[providers]]
name = "one"
type = "openai_compatible"
base_url = "http://127.0.0.1:1/v1"
models = ["m", "m-slow", "m-slowest", "other"]
first_byte_secs = 70
total_secs = 90
[[routes]]
model = "m-*"
first_byte_secs = 200
total_secs = 300
[[routes]]
model = "m-slowest"
connect_secs = 9
idle_secs = 8
total_secs = 1_000
"#;

fn named(model: &str, body: &str) -> String {
    body.replace("\"m\"", &format!("\"{model}\""))
}

/// How long it waits for its upstream's first byte, seconds.
fn first_byte(world: &mut World, model: &str) -> u64 {
    let mut call = world.post("/v1/chat/completions", &named(model, CHAT));
    call.sent(world);
    call.waits(world).unwrap() / 1_000_000
}

#[test]
fn a_route_goes_before_its_provider_and_that_before_the_rest() {
    let mut world = World::new(OWN);
    assert_eq!(first_byte(&mut world, "m"), 70, "the provider's");
    assert_eq!(first_byte(&mut world, "one/m"), 70);
    assert_eq!(first_byte(&mut world, "m-slow"), 200, "the route's");
    assert_eq!(first_byte(&mut world, "one/m-slow"), 200, "whatever the caller calls it");
    assert_eq!(first_byte(&mut world, "m-slowest"), 70, "another route's, which does not say");

    let mut call = world.post("/v1/chat/completions", &named("m-slowest", CHAT));
    let step = call.step(&mut world);
    assert!(matches!(step, hoosh_core::exchange::Step::Send { .. }));
    assert_eq!(call.waits(&mut world), Some(9_000_000), "to connect");
    let mut call = world.post("/v1/chat/completions", &named("m-slowest", STREAM));
    let (u, _) = call.sent(&mut world);
    call.partial(u, 200, "text/event-stream", &word("a"));
    call.take_all(&mut world);
    assert_eq!(call.waits(&mut world), Some(8_000_000), "between two reads");
}

#[test]
fn the_whole_is_bound_by_route_or_provider_too() {
    let mut world = World::new(OWN);
    for (model, seconds) in [("m", 90), ("m-slow", 300), ("m-slowest", 1_000)] {
        let mut call = world.post("/v1/chat/completions", &named(model, CHAT));
        let (u, _) = call.sent(&mut world);
        let until_us = world.now_us() + seconds * 1_000_000;
        call.exchange.head(u, 200, &vec![("content-type", "application/json")]);
        // It goes on dripping.
        while world.now_us() < until_us {
            assert!(
                !call.until(&mut world, |step| matches!(step, hoosh_core::exchange::Step::Reply { .. })),
                "{model}"
            );
            world.pass(5_000_000);
            call.exchange.data(u, " ".into());
        }
        let reply = call.reply(&mut world);
        assert_eq!(reply.error().0, 504, "{model}");
    }
}
