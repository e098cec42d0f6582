//! What metrics say of hoosh's own part: time of its own, and breakers that change.

use hoosh_core::exchange::Step;

use crate::world::*;
use crate::{ANSWER, CHAT};

#[test]
fn overhead_is_the_time_in_which_nobody_was_waited_for() {
    let mut world = World::new(ONE);
    let mut call = world.post("/v1/chat/completions", CHAT);
    loop {
        let step = call.step_by_hand(&world);
        match step {
            // The caller is slow, then hoosh's driver is, then the provider.
            Step::ReadCaller { .. } => world.pass(7),
            Step::Send { u, .. } => {
                world.pass(40);
                call.exchange.connected(u);
                call.exchange.sent(u);
                assert!(matches!(call.step_by_hand(&world), Step::Wait { .. }));
                world.pass(5_000_000);
                call.answer(u, 200, "application/json", ANSWER);
                break;
            }
            Step::Wait { .. } => world.pass(1_000_000),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    assert_eq!(world.metric(r#"hoosh_overhead_seconds_sum{endpoint="chat"}"#), "0.000047");
    assert_eq!(world.metric(r#"hoosh_overhead_seconds_bucket{endpoint="chat",le="0.000025"}"#), "0");
    assert_eq!(world.metric(r#"hoosh_overhead_seconds_bucket{endpoint="chat",le="0.00005"}"#), "1");
    assert_eq!(world.metric(r#"hoosh_request_duration_seconds_sum{endpoint="chat"}"#), "5.000047");
}

#[test]
fn a_breaker_that_opens_is_counted() {
    let mut world = World::new(&format!("[retry]\nmax_attempts = 1\n{ONE}"));
    let transitions = |world: &mut World, to: &str| {
        world.metric(&format!("hoosh_breaker_transitions_total{{provider=\"one\",to=\"{to}\"}}"))
    };
    assert_eq!(transitions(&mut world, "open"), "0");
    for _ in 0..5 {
        let mut call = world.post("/v1/chat/completions", CHAT);
        let (u, _) = call.sent(&mut world);
        call.refuse(u, 500, &[]);
        assert_eq!(call.reply(&mut world).status, 502);
        call.over(&mut world);
    }
    assert_eq!(transitions(&mut world, "open"), "1");
    world.pass(11_000_000);
    assert_eq!(world.chat(CHAT, ANSWER).status, 200);
    assert_eq!((transitions(&mut world, "half_open"), transitions(&mut world, "closed")), ("1".into(), "1".into()));
    assert!(world.gateway.render_metrics().contains("# TYPE hoosh_breaker_transitions_total counter\n"));
}
