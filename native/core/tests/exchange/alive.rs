//! Signs of life, streams that begin early, upstreams that say nothing but comments, and the way down.

use hoosh_core::exchange::{Step, UpstreamId};
use hoosh_core::ledger::Ending;

use crate::world::*;
use crate::{finish, role, word, CHAT, STREAM};

const SIGN: &str = ": keep-alive\n\n";

fn with_server(lines: &str, providers: &str) -> World {
    World::new(&format!("[server]\n{lines}\n{providers}"))
}

/// A stream whose upstream is asked and has not answered.
fn asked(world: &mut World) -> (Call, UpstreamId) {
    let mut call = world.post("/v1/chat/completions", STREAM);
    let (u, _) = call.sent(world);
    (call, u)
}

/// Everything said from now until the exchange waits.
fn said(call: &mut Call, world: &mut World) -> String {
    let mut out = Vec::new();
    loop {
        match call.exchange.next(world.now) {
            Step::Start { status, .. } => out.extend_from_slice(format!("{status} ").as_bytes()),
            Step::Emit { bytes } => {
                call.exchange.written(bytes.len());
                out.extend_from_slice(&bytes);
            }
            Step::Reply { status, body, .. } => {
                call.exchange.written(body.len());
                out.extend_from_slice(format!("{status} ").as_bytes());
                out.extend_from_slice(&body);
            }
            Step::Work { job } => call.exchange.worked(job.run()),
            Step::Wait { .. } | Step::Done => return String::from_utf8(out).unwrap(),
            _ => {}
        }
    }
}

#[test]
fn a_stream_that_says_nothing_gets_comments() {
    let mut world = with_server("keep_alive_secs = 10", ONE);
    let (mut call, u) = asked(&mut world);
    call.partial(u, 200, "text/event-stream", &(role() + &word("a")));
    assert_eq!(said(&mut call, &mut world), format!("200 {}", role() + &word("a")));
    for _ in 0..3 {
        assert_eq!(call.waits(&mut world), Some(10_000_000));
        world.pass(9_999_999);
        assert_eq!(said(&mut call, &mut world), "");
        world.pass(1);
        assert_eq!(said(&mut call, &mut world), SIGN);
    }
    world.pass(9_000_000);
    call.exchange.data(u, word("b").into());
    assert_eq!(said(&mut call, &mut world), word("b"));
    world.pass(9_000_000);
    assert_eq!(said(&mut call, &mut world), "", "words are a sign too");
    call.exchange.data(u, (finish() + "data: [DONE]\n\n").into());
    assert!(said(&mut call, &mut world).ends_with("[DONE]\n\n"));
    world.pass(60_000_000);
    assert_eq!(said(&mut call, &mut world), "", "and after its end there is none");
    assert_eq!(world.rows()[0].ending, Ending::Completed);
}

#[test]
fn a_caller_that_takes_nothing_gets_one_sign_and_is_cut_off_as_before() {
    let mut world = with_server("keep_alive_secs = 1\n[deadlines]\ncaller_stall_secs = 30", ONE);
    let (mut call, u) = asked(&mut world);
    call.partial(u, 200, "text/event-stream", &word("a"));
    said(&mut call, &mut world);
    world.pass(1_000_000);
    let mut signs = 0;
    for _ in 0..70 {
        loop {
            match call.exchange.next(world.now) {
                Step::Emit { .. } => signs += 1,
                Step::Work { job } => call.exchange.worked(job.run()),
                Step::Wait { .. } | Step::Done => break,
                _ => {}
            }
        }
        world.pass(1_000_000);
    }
    assert_eq!(signs, 1);
    assert_eq!(world.rows()[0].ending, Ending::CallerGone);
}

#[test]
fn a_driver_that_is_late_does_not_cost_the_caller_its_answer() {
    let mut world = with_server("keep_alive_secs = 0\n[deadlines]\ncaller_stall_secs = 2", ONE);
    let (mut call, u) = asked(&mut world);
    call.partial(u, 200, "text/event-stream", &word("a"));
    let mut given = 0;
    while given == 0 {
        if let Step::Emit { bytes } = call.step(&mut world) {
            given = bytes.len();
        }
    }
    // The loop comes back 3 seconds later, and to this exchange's time before it tells what was written.
    world.pass(3_000_000);
    assert_eq!(call.waits(&mut world), Some(1_000_000));
    world.pass(900_000);
    assert_eq!(call.waits(&mut world), Some(100_000), "not before it is time");
    call.exchange.written(given);
    world.pass(250_000);
    assert_ne!(call.waits(&mut world), None, "it goes on");
    call.exchange.data(u, word("b").into());
    assert!(call.until(&mut world, |step| matches!(step, Step::Emit { .. })));
    world.pass(2_000_000);
    assert_eq!(call.waits(&mut world), Some(1_000_000));
    world.pass(1_500_000);
    assert_eq!(call.waits(&mut world), Some(1_000_000), "a late look shows nothing");
    world.pass(1_000_000);
    assert!(call.until(&mut world, |step| matches!(step, Step::Break)), "one in time does");
}

#[test]
fn no_sign_for_whole_answers_and_callers_in_process() {
    let mut world = with_server("keep_alive_secs = 1\nearly_start_secs = 1", ONE);
    let mut call = world.post("/v1/chat/completions", CHAT);
    call.sent(&mut world);
    world.pass(30_000_000);
    assert_eq!(said(&mut call, &mut world), "");
    let mut exchange = world.gateway.exchange(std::sync::Arc::new(hoosh_core::wake::NoWake), 0);
    let headers: Vec<(&str, &str)> = vec![];
    let head = hoosh_core::exchange::RequestHead {
        method: "POST",
        target: "/v1/chat/completions",
        headers: &headers,
        caller: hoosh_core::exchange::Caller::Neutral,
    };
    exchange.begin(head);
    exchange.body(STREAM.into());
    exchange.body_end();
    for _ in 0..30 {
        loop {
            match exchange.next(world.now) {
                Step::Wait { .. } => break,
                step => assert!(!matches!(step, Step::Start { .. } | Step::Emit { .. }), "{step:?}"),
            }
        }
        world.pass(1_000_000);
    }
}

#[test]
fn a_stream_that_began_early_may_still_be_answered_by_another() {
    let mut world = with_server("keep_alive_secs = 3\nearly_start_secs = 5", TWO);
    let (mut call, u) = asked(&mut world);
    world.pass(4_999_999);
    assert_eq!(said(&mut call, &mut world), "");
    world.pass(1);
    assert_eq!(said(&mut call, &mut world), format!("200 {SIGN}"));
    call.partial(u, 200, "text/event-stream", &role());
    world.pass(3_000_000);
    assert_eq!(said(&mut call, &mut world), SIGN, "what has no content is held back as before");
    call.exchange.failed(u, hoosh_core::exchange::Stage::Body, false);
    let (second, _) = call.sent(&mut world);
    assert_ne!(second, u);
    let shown = role() + &word("b") + &finish() + "data: [DONE]\n\n";
    call.answer(second, 200, "text/event-stream", &shown);
    assert_eq!(said(&mut call, &mut world), shown, "nothing of the first is left");
    let row = &world.rows()[0];
    assert_eq!((row.ending, row.attempts, row.status), (Ending::Completed, 2, 200));
}

#[test]
fn what_fails_after_an_early_start_is_an_event() {
    let mut world = with_server("early_start_secs = 5", ONE);
    let refusal = r#"{"error":{"message":"too long","type":"t","param":null,"code":"context_length_exceeded"}}"#;
    let (mut call, u) = asked(&mut world);
    world.pass(5_000_000);
    assert_eq!(said(&mut call, &mut world), format!("200 {SIGN}"));
    call.answer(u, 400, "application/json", refusal);
    assert_eq!(said(&mut call, &mut world), format!("data: {refusal}\n\n"), "in the provider's own words");
    let row = &world.rows()[0];
    assert_eq!((row.ending, row.status, row.error), (Ending::Refused, 200, Some("upstream_refused")));

    let (mut call, _) = asked(&mut world);
    world.pass(5_000_000);
    said(&mut call, &mut world);
    world.pass(600_000_000);
    assert!(
        said(&mut call, &mut world).ends_with("\"code\":\"upstream_timeout\"}}\n\n"),
        "it is bound in time as before"
    );
}

#[test]
fn comments_keep_an_upstream_for_ten_minutes_at_most() {
    let mut world = with_server("keep_alive_secs = 0", ONE);
    let (mut call, u) = asked(&mut world);
    call.partial(u, 200, "text/event-stream", &word("a"));
    said(&mut call, &mut world);
    let mut minutes = 0;
    loop {
        world.pass(30_000_000);
        call.exchange.data(u, ": ping\n\n".into());
        let more = said(&mut call, &mut world);
        if more.contains("upstream_timeout") {
            break;
        }
        assert_eq!(more, ": ping\n\n");
        minutes += 1;
        assert!(minutes < 100);
    }
    // Ten minutes of comments, and then the usual patience of one.
    assert_eq!(minutes, 21);

    let (mut call, u) = asked(&mut world);
    call.partial(u, 200, "text/event-stream", &word("a"));
    for _ in 0..100 {
        said(&mut call, &mut world);
        world.pass(30_000_000);
        call.exchange.data(u, word("b").into());
    }
    assert_eq!(said(&mut call, &mut world), word("b"), "events do so for ever");
}

#[test]
fn on_the_way_down_readiness_goes_first_then_new_requests_then_the_rest() {
    let mut world = World::new(ONE);
    let (mut stream, u) = asked(&mut world);
    stream.partial(u, 200, "text/event-stream", &word("a"));
    said(&mut stream, &mut world);
    let mut whole = world.post("/v1/chat/completions", CHAT);
    whole.sent(&mut world);
    assert_eq!(world.get("/v1/health/ready").status, 200);

    world.gateway.settle();
    assert_eq!(world.get("/v1/health/ready").status, 503);
    assert_eq!(world.get("/v1/health").status, 200);
    asked(&mut world).0.exchange.caller_gone();

    world.gateway.drain();
    let refused = world.chat(CHAT, "");
    let (status, wait, code) = refused.error();
    assert_eq!((status, wait, &*code), (503, Some("1"), "draining"));
    assert_eq!(said(&mut stream, &mut world), "", "what began goes on");

    world.gateway.stop();
    let last = said(&mut stream, &mut world);
    assert!(last.starts_with("data: {\"error\"") && last.ends_with("\"code\":\"draining\"}}\n\n"), "{last}");
    let reply = whole.reply(&mut world);
    assert_eq!((reply.error().0, &*reply.error().2), (503, "draining"));
    assert_eq!(reply.header("x-should-retry"), None, "another process may answer");
    let endings: Vec<Ending> = world.rows().iter().map(|row| row.ending).collect();
    assert!(endings.contains(&Ending::Broken) && endings.contains(&Ending::Refused), "{endings:?}");
    world.gateway.settle();
    assert_eq!(world.get("/v1/health/ready").status, 503, "there is no way back");
}
