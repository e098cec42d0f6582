//! Providers with callables of this process between: the same attempt, opened by `Call`, and two more ways to end.

use hoosh_core::error::{Code, Failure};
use hoosh_core::exchange::{Stage, Step, UpstreamId};
use hoosh_core::gateway::LoopStep;
use hoosh_core::http::UpstreamRequest;
use hoosh_core::ledger::{Ending, UsageSource};
use hoosh_core::{clock::SECOND, config};

use super::world::*;
use super::{finish, role, usage, word, ANSWER, CHAT, STREAM};

/// Runs to the call of a provider with hooks.
fn hooked(call: &mut Call, world: &mut World) -> (UpstreamId, UpstreamRequest) {
    match call.step(world) {
        Step::Call { u, engine, request } => {
            assert_eq!(&*engine, "one");
            let upstream = *request.upstream.expect("what is to be sent");
            assert_eq!(&request.body[..], upstream.body.bytes());
            (u, upstream)
        }
        other => panic!("not called: {other:?}"),
    }
}

fn no() -> Failure {
    let mut why = Failure::new(Code::UpstreamRefused, "Not this.").param("messages");
    why.status = Some(422);
    why
}

#[test]
fn it_is_called_with_what_would_be_sent_and_answers_as_a_provider_does() {
    let mut plain = World::new(ONE);
    let (_, sent) = plain.post("/v1/chat/completions", STREAM).sent(&mut plain);
    let mut world = World::hooked(ONE, &["one"]);
    let mut call = world.post("/v1/chat/completions", STREAM);
    let (u, request) = hooked(&mut call, &mut world);
    assert_eq!((&request.origin, &request.target, &request.body), (&sent.origin, &sent.target, &sent.body));
    let names = |request: &UpstreamRequest| request.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&request), names(&sent));
    call.exchange.connected(u);
    call.exchange.sent(u);
    let shown = role() + &word("a") + &finish();
    call.answer(u, 200, "text/event-stream", &(shown.clone() + &usage() + "data: [DONE]\n\n"));
    assert_eq!(call.stream(&mut world), shown + "data: [DONE]\n\n");
    call.over(&mut world);
    let row = world.rows().remove(0);
    assert_eq!((row.ending, row.usage.total(), row.usage.source), (Ending::Completed, 10, UsageSource::Reported));
}

#[test]
fn a_hook_that_fails_is_followed_by_another_provider() {
    let mut world = World::hooked(TWO, &["one"]);
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, _) = hooked(&mut call, &mut world);
    call.exchange.failed(u, Stage::Hook, false);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    let row = world.rows().remove(0);
    assert_eq!((row.attempts, row.usage.total()), (2, 9), "nothing was sent by the first");
}

#[test]
fn what_a_hook_declines_is_asked_of_no_other_and_told_in_its_words() {
    for sent in [false, true] {
        let mut world = World::hooked(TWO, &["one"]);
        let mut call = world.post("/v1/chat/completions", CHAT);
        let (u, _) = hooked(&mut call, &mut world);
        if sent {
            call.exchange.connected(u);
            call.exchange.sent(u);
            call.partial(u, 200, "application/json", "");
        }
        call.exchange.declined(u, no());
        let reply = call.reply(&mut world);
        let wanted = r#"{"error":{"message":"Not this.","type":"invalid_request_error","param":"messages","code":"upstream_refused"}}"#;
        assert_eq!((reply.status, &reply.body[..]), (422, wanted.as_bytes()));
        call.over(&mut world);
        let row = world.rows().remove(0);
        let source = if sent { UsageSource::Bound } else { UsageSource::None };
        assert_eq!((row.attempts, row.error, row.usage.source), (1, Some("upstream_refused"), source));
        assert_eq!(world.metric("hoosh_provider_up{provider=\"one\"}"), "1", "nobody is to blame");
    }
}

#[test]
fn a_stream_that_is_declined_in_its_middle_ends_with_the_words() {
    let mut world = World::hooked(TWO, &["one"]);
    let mut call = world.post("/v1/chat/completions", STREAM);
    let (u, _) = hooked(&mut call, &mut world);
    call.exchange.connected(u);
    call.exchange.sent(u);
    call.partial(u, 200, "text/event-stream", &(role() + &word("a")));
    call.exchange.declined(u, no());
    let stream = call.stream(&mut world);
    assert!(stream.contains("\"Not this.\"") && !stream.contains("[DONE]"), "{stream}");
    call.over(&mut world);
    assert_eq!(world.rows()[0].ending, Ending::Broken);
}

#[test]
fn what_is_declined_after_its_last_word_is_complete() {
    let mut world = World::hooked(ONE, &["one"]);
    let mut call = world.post("/v1/chat/completions", STREAM);
    let (u, _) = hooked(&mut call, &mut world);
    call.exchange.connected(u);
    call.exchange.sent(u);
    let shown = role() + &word("a") + &finish() + "data: [DONE]\n\n";
    call.partial(u, 200, "text/event-stream", &shown);
    assert_eq!(call.stream(&mut world), shown);
    call.exchange.declined(u, no());
    call.over(&mut world);
    assert_eq!(world.rows()[0].ending, Ending::Completed);
}

#[test]
fn hooks_have_the_time_of_the_connection() {
    let text = format!("[retry]\nmax_attempts = 1\n[deadlines]\nconnect_secs = 3\n{ONE}");
    let mut world = World::hooked(&text, &["one"]);
    let mut call = world.post("/v1/chat/completions", CHAT);
    hooked(&mut call, &mut world);
    assert_eq!(call.waits(&mut world), Some(3 * SECOND));
    world.pass_seconds(4);
    let reply = call.reply(&mut world);
    let body = String::from_utf8_lossy(&reply.body);
    assert!(reply.status == 504 && body.contains("hooks") && body.contains("connect_secs"), "{body}");
}

#[test]
fn a_list_of_models_is_asked_for_through_them() {
    let text = ONE.replace("models = [\"m\"]\n", "");
    for (names, wanted) in [(&["one"][..], Some("one")), (&[], None)] {
        let world = World::hooked(&text, &[]);
        let config = config::parse(&text, &|_: &str| None).unwrap().hooked(names.iter().copied()).unwrap();
        let gateway = hoosh_core::gateway::Gateway::new(config, 7);
        let LoopStep::Fetch { hooked, .. } = gateway.next(hoosh_core::clock::Now::new(world.now_us(), 1)) else {
            panic!("no list is asked for")
        };
        assert_eq!(hooked.as_deref(), wanted);
    }
}

#[test]
fn hooks_are_for_providers_over_http_that_there_are() {
    let named = |text: &str, name| config::parse(text, &|_: &str| None).unwrap().hooked([name]).unwrap_err().message;
    assert!(named(TWO, "tow").contains("did you mean `two`?"));
    assert!(named(ENGINES, "first").contains("engine"));
}
