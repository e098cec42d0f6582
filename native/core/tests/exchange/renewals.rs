//! Credentials of files and commands, read again by the gateway's loop.

use bytes::Bytes;
use hoosh_core::config::{parse, Config, CredentialSource, Environment, Secret};
use hoosh_core::gateway::{LoopResult, LoopStep};
use hoosh_core::http::UpstreamRequest;

use super::world::*;
use super::{ANSWER, CHAT};

/// What every source says when a configuration is read.
struct Outside(&'static str);

impl Environment for Outside {
    fn get(&self, _: &str) -> Option<String> {
        None
    }

    fn read(&self, _: &CredentialSource) -> Result<String, String> {
        Ok(self.0.into())
    }
}

fn config(key: &str, said: &'static str) -> Config {
    let text = ONE.to_owned() + key;
    parse(&text, &Outside(said)).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn world(key: &str) -> World {
    let mut world = World::of(config(key, "old-token"));
    world.said = Ok("old-token".into());
    world
}

const FILE: &str = r#"api_key = { file = "/run/key" }"#;
const EACH_MINUTE: &str = r#"api_key = { command = ["token", "print"], refresh_secs = 60 }"#;

fn secret(request: &UpstreamRequest) -> String {
    let sent = request.headers.iter().find(|(name, _)| &name[..] == b"authorization").expect("no credential");
    std::str::from_utf8(&sent.1).unwrap().strip_prefix("Bearer ").unwrap().to_owned()
}

/// Which credential a request is asked with; it is answered well.
fn answered_with(world: &mut World) -> String {
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, request) = call.sent(world);
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(world).status, 200);
    call.over(world);
    secret(&request)
}

/// A request whose credential is refused. The loop has not looked since.
fn refused(world: &mut World) -> Reply {
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, _) = call.sent(world);
    call.refuse(u, 401, &[]);
    let reply = call.reply(world);
    call.over(world);
    reply
}

/// When it was read again, seconds.
fn times(world: &World) -> Vec<u64> {
    world.readings.iter().map(|(at, _)| *at).collect()
}

/// A world that waits for a reading, and its number.
fn reading() -> (World, u64) {
    let mut world = world(FILE);
    refused(&mut world);
    world.holds = true;
    world.run_loop();
    let id = world.held.pop().expect("no reading");
    (world, id)
}

fn say(world: &World, id: u64, text: &str) {
    world.gateway.done(id, LoopResult::Read(Ok(Secret::new(text))), world.now);
}

#[test]
fn one_is_read_as_often_as_it_says_and_then_sent() {
    let mut world = world(EACH_MINUTE);
    (0..59).for_each(|_| world.pass_seconds(1));
    assert!(times(&world).is_empty());
    world.pass_seconds(1);
    let source = CredentialSource::Command(vec!["token".into(), "print".into()]);
    assert_eq!(world.readings, [(60, source)]);
    assert_eq!(answered_with(&mut world), "old-token");
    world.said = Ok(" new-token\n".into());
    (0..59).for_each(|_| world.pass_seconds(1));
    assert_eq!(answered_with(&mut world), "old-token");
    world.pass_seconds(1);
    assert_eq!(times(&world), [60, 120]);
    assert_eq!(answered_with(&mut world), "new-token");
    assert!(world.log.contains("Credential 1 of provider one was renewed."), "{}", world.log);
    assert!(!world.log.contains("-token"), "{}", world.log);
}

#[test]
fn the_loop_says_when_it_is_due() {
    let world = world(EACH_MINUTE);
    let LoopStep::Wait { until_us } = world.gateway.next(world.now) else { panic!("it does not wait") };
    assert_eq!(until_us, Some(world.now.mono_us + 60_000_000));
}

#[test]
fn one_without_a_time_is_read_only_where_it_is_refused() {
    let mut world = world(FILE);
    (0..1_000).for_each(|_| world.pass_seconds(60));
    assert!(times(&world).is_empty());
    refused(&mut world);
    world.run_loop();
    assert_eq!(times(&world), [60_000], "at once");
}

#[test]
fn a_new_text_after_a_refusal_lifts_the_bench() {
    let mut world = world(FILE);
    world.said = Ok("new-token".into());
    assert_eq!(refused(&mut world).error(), (502, None, "upstream_credential_rejected".into()));
    world.run_loop();
    assert_eq!(answered_with(&mut world), "new-token");
    assert_eq!(world.metric("hoosh_credential_up{provider=\"one\",credential=\"1\"}"), "1");
    assert!(!world.get("/v1/health/providers").body.windows(6).any(|words| words == b"-token"));
}

#[test]
fn a_text_that_stays_is_read_ever_more_seldom_and_the_caller_is_told_whose_turn_it_is() {
    let mut world = world(FILE);
    refused(&mut world);
    world.run_loop();
    (0..2_000).for_each(|_| world.pass_seconds(1));
    assert_eq!(times(&world), [0, 10, 30, 70, 150, 310, 610, 910, 1_210, 1_510, 1_810]);
    // Probed again and again meanwhile; the time of the next one stands against it now.
    let reply = world.post("/v1/chat/completions", CHAT).reply(&mut world);
    let (status, retry_after, code) = reply.error();
    assert_eq!((status, &*code), (503, "upstream_unavailable"));
    assert!(retry_after.is_some_and(|seconds| (1..=60).contains(&seconds.parse::<u64>().unwrap())), "{retry_after:?}");
    let words = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(words.contains("Its operator must renew it") && !words.contains("later"), "{words}");
}

#[test]
fn it_is_not_asked_for_more_often_than_every_ten_seconds_however_often_it_is_refused() {
    let mut world = world(FILE);
    for text in ["second", "third"] {
        world.said = Ok(text.into());
        refused(&mut world);
        world.run_loop();
        assert_eq!(times(&world), [0]);
    }
    (0..10).for_each(|_| world.pass_seconds(1));
    assert_eq!(times(&world), [0, 10]);
    assert_eq!(answered_with(&mut world), "third");
}

#[test]
fn a_reading_that_fails_keeps_the_old_one_and_is_tried_again() {
    let words = "the command token ended with 1";
    for (said, told) in [(Err(words.to_owned()), words), (Ok("two secret-words".to_owned()), "visible ASCII")] {
        let mut world = world(EACH_MINUTE);
        world.said = said;
        world.pass_seconds(60);
        assert_eq!(answered_with(&mut world), "old-token");
        world.run_loop();
        assert!(world.log.contains(" warn "), "{}", world.log);
        assert!(world.log.contains(told) && world.log.contains("Credential 1 of provider one"), "{}", world.log);
        assert!(!world.log.contains("-token") && !world.log.contains("secret-words"), "{}", world.log);
        world.said = Ok("new-token".into());
        (0..9).for_each(|_| world.pass_seconds(1));
        assert_eq!(times(&world), [60]);
        world.pass_seconds(1);
        assert_eq!(times(&world), [60, 70]);
        assert_eq!(answered_with(&mut world), "new-token");
        (0..60).for_each(|_| world.pass_seconds(1));
        assert_eq!(times(&world), [60, 70, 130], "by its own time again");
    }
}

#[test]
fn a_reading_that_takes_too_long_is_given_up() {
    let (mut world, id) = reading();
    world.pass_seconds(14);
    assert!(world.held.is_empty(), "one at a time");
    assert!(!world.cancelled.contains(&id));
    world.pass_seconds(1);
    assert!(world.cancelled.contains(&id));
    assert!(world.log.contains("it took too long"), "{}", world.log);
    (0..9).for_each(|_| world.pass_seconds(1));
    assert!(world.held.is_empty(), "its pause begins at its end");
    world.pass_seconds(1);
    let again = world.held.pop().expect("it is not tried again");
    say(&world, id, "late-token");
    say(&world, again, "new-token");
    assert_eq!(answered_with(&mut world), "new-token");
}

#[test]
fn what_brings_nothing_is_read_ever_more_seldom_however_often_it_is_to_be_read() {
    let often = r#"api_key = { command = ["token", "print"], refresh_secs = 2 }"#;
    let mut failing = world(often);
    failing.said = Err("the command token ended with 1".into());
    (0..400).for_each(|_| failing.pass_seconds(1));
    assert_eq!(times(&failing), [2, 12, 32, 72, 152, 312]);
    failing.said = Ok("new-token".into());
    (0..212).for_each(|_| failing.pass_seconds(1));
    assert_eq!(times(&failing)[6..], [612], "and the longest pause is five minutes");
    let mut refusing = world(often);
    refused(&mut refusing);
    (0..100).for_each(|_| refusing.pass_seconds(1));
    assert_eq!(times(&refusing), [1, 11, 31, 71]);
}

#[test]
fn who_began_before_goes_on_with_what_is_new_and_what_was_sent_says_nothing_of_it() {
    let mut world = world(EACH_MINUTE);
    let mut early = world.post("/v1/chat/completions", CHAT);
    let (sent, request) = early.sent(&mut world);
    assert_eq!(secret(&request), "old-token");
    let mut waiting = world.post("/v1/chat/completions", CHAT);
    let (u, _) = waiting.sent(&mut world);
    waiting.refuse(u, 429, &[("retry-after", "30")]);
    waiting.waits(&mut world);
    world.said = Ok("new-token".into());
    world.pass_seconds(60);
    let (u, request) = waiting.sent(&mut world);
    assert_eq!(secret(&request), "new-token");
    waiting.answer(u, 200, "application/json", ANSWER);
    assert_eq!(waiting.reply(&mut world).status, 200);
    waiting.over(&mut world);
    early.refuse(sent, 401, &[]);
    assert_eq!(early.reply(&mut world).error().0, 502);
    early.over(&mut world);
    assert_eq!(answered_with(&mut world), "new-token", "the old one was refused");
    assert_eq!(times(&world), [60]);
}

#[test]
fn only_the_one_that_is_refused_is_read() {
    let mut world = world(r#"api_keys = [{ file = "/a" }, "plain"]"#);
    world.said = Ok("new-token".into());
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, request) = call.sent(&mut world);
    assert_eq!(secret(&request), "old-token");
    call.refuse(u, 403, &[]);
    let (u, request) = call.sent(&mut world);
    assert_eq!(secret(&request), "plain");
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    world.run_loop();
    assert_eq!(world.readings, [(0, CredentialSource::File("/a".into()))]);
    let both = [answered_with(&mut world), answered_with(&mut world)];
    assert!(both.contains(&"new-token".into()) && both.contains(&"plain".into()), "{both:?}");
}

#[test]
fn a_reload_takes_what_was_read_with_it() {
    let mut world = world(FILE);
    world.said = Ok("second".into());
    refused(&mut world);
    world.run_loop();
    assert_eq!(answered_with(&mut world), "second");
    world.gateway.reload(config(FILE, "third"), world.now);
    assert_eq!(answered_with(&mut world), "third");
    world.gateway.reload(config(FILE, "old-token"), world.now);
    assert_eq!(answered_with(&mut world), "old-token", "as it was at the start");
    // A new text is trusted, and one that stays keeps what is known of it.
    refused(&mut world);
    world.gateway.reload(config(FILE, "old-token"), world.now);
    assert_eq!(world.post("/v1/chat/completions", CHAT).reply(&mut world).error().0, 503);
    world.gateway.reload(config(FILE, "fourth"), world.now);
    assert_eq!(answered_with(&mut world), "fourth");
}

#[test]
fn a_list_of_models_does_not_bring_the_old_one_back_and_a_new_one_asks_for_it() {
    let text = ONE.replace("models = [\"m\"]\n", "") + FILE;
    let mut world = World::of(parse(&text, &Outside("old-token")).unwrap());
    let fetch = |world: &mut World| loop {
        match world.gateway.next(world.now) {
            LoopStep::Fetch { id, request, .. } => return Some((id, request)),
            LoopStep::Read { id, .. } => say(world, id, "new-token"),
            LoopStep::Log { id, .. } => world.gateway.done(id, LoopResult::Logged(Ok(())), world.now),
            LoopStep::Wait { .. } => return None,
            _ => {}
        }
    };
    // The first one failed at the start.
    assert!(fetch(&mut world).is_none());
    refused(&mut world);
    let (id, request) = fetch(&mut world).expect("it is not asked for");
    assert_eq!(secret(&request), "new-token");
    let list = Bytes::from_static(br#"{"data":[{"id":"m"}]}"#);
    world.gateway.done(id, LoopResult::Fetched(Ok((200, list))), world.now);
    assert_eq!(world.gateway.discovered()[0].1, ["m"]);
    assert_eq!(answered_with(&mut world), "new-token");
}

#[test]
fn the_end_does_not_wait_for_a_reading() {
    let (mut world, id) = reading();
    world.gateway.close();
    world.pass_seconds(1);
    assert!(matches!(world.gateway.next(world.now), LoopStep::Over));
    say(&world, id, "late-token");
    world.run_loop();
    assert!(matches!(world.gateway.next(world.now), LoopStep::Over));
}

#[test]
fn an_answer_of_another_kind_is_a_reading_that_failed() {
    let (mut world, id) = reading();
    world.gateway.done(id, LoopResult::Logged(Ok(())), world.now);
    world.gateway.done(id, LoopResult::Fetched(Ok((200, Bytes::new()))), world.now);
    world.run_loop();
    assert!(world.log.contains("could not be read again"), "{}", world.log);
    assert!(!format!("{:?}", LoopResult::Read(Ok(Secret::new("a-secret")))).contains("a-secret"));
    assert!(!format!("{:?}", world.gateway).contains("old-token"));
}

#[test]
fn a_reading_that_began_before_a_reload_does_not_undo_it() {
    let (mut world, id) = reading();
    // The file was read, then its text changed, then came the reload.
    world.gateway.reload(config(FILE, "newest-token"), world.now);
    say(&world, id, "stale-token");
    world.said = Ok("newest-token".into());
    world.holds = false;
    assert_eq!(answered_with(&mut world), "newest-token");
    let before = world.readings.len();
    world.run_loop();
    assert_eq!(world.readings.len(), before + 1, "and to be sure it is read again");
    assert_eq!(answered_with(&mut world), "newest-token");
}

#[test]
fn a_reload_that_read_before_the_loop_did_is_put_right() {
    let mut world = world(EACH_MINUTE);
    world.said = Ok("newest-token".into());
    world.pass_seconds(60);
    assert_eq!(answered_with(&mut world), "newest-token");
    world.gateway.reload(config(EACH_MINUTE, "stale-token"), world.now);
    world.run_loop();
    assert_eq!(answered_with(&mut world), "newest-token");
}

#[test]
fn a_reload_is_a_reading() {
    let mut world = world(EACH_MINUTE);
    world.pass_seconds(50);
    world.gateway.reload(config(EACH_MINUTE, "old-token"), world.now);
    world.run_loop();
    world.pass_seconds(59);
    assert!(times(&world).is_empty(), "a minute counts from there");
    world.pass_seconds(1);
    assert_eq!(times(&world).len(), 1);
}

#[test]
fn the_quota_of_the_text_before_is_not_that_of_the_next() {
    let mut world = world(EACH_MINUTE);
    let mut early = world.post("/v1/chat/completions", CHAT);
    let (sent, request) = early.sent(&mut world);
    assert_eq!(secret(&request), "old-token");
    world.said = Ok("new-token".into());
    world.pass_seconds(60);
    early.refuse(sent, 402, &[]);
    early.pump(&mut world);
    assert_eq!(answered_with(&mut world), "new-token");
}
