//! What `explain` says of turns at requests and tokens a minute is what is met, and which limit is told where several refuse.

use super::turns::{due, gauge, limits, waiting};
use super::world::*;
use super::{ANSWER, CHAT};

#[test]
fn what_explain_says_of_a_turn_is_what_is_met() {
    for (lines, provider) in
        [("rate_limit_rpm = 1", ""), ("", "rate_limit_rpm = 1\n"), ("", "rate_limit_tpm = 7_000\n")]
    {
        let mut world = World::new(&format!("{}{ONE}{provider}", limits(lines)));
        let asked = format!("{{\"body\":{CHAT}}}");
        let told = |world: &mut World| {
            let reply = world.post("/v1/explain", &asked).reply(world);
            String::from_utf8_lossy(&reply.body).into_owned()
        };
        assert!(told(&mut world).contains("\"outcome\":\"asked\""));
        let mut first = world.post("/v1/chat/completions", CHAT);
        first.sent(&mut world);
        let words = told(&mut world);
        assert!(words.contains("\"outcome\":\"waits\"") && words.contains("\"refusal\":null"), "{words}");
        waiting(&mut world, 1);
    }
}

/// The outcome that `explain` tells, and in how many seconds to come back.
fn told(world: &mut World, body: &str) -> (String, Option<String>) {
    let reply = world.post("/v1/explain", &format!("{{\"body\":{body}}}")).reply(world);
    let told: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    let secs = told["refusal"]["retry_after_secs"].as_u64();
    (told["outcome"].as_str().unwrap().to_owned(), secs.map(|secs| secs.to_string()))
}

/// The error of a request that is refused at once, as `explain` said.
fn refused(world: &mut World, body: &str) -> (u16, Option<String>, String) {
    let (outcome, secs) = told(world, body);
    let before = world.now_us();
    let reply = world.post("/v1/chat/completions", body).reply(world);
    assert_eq!(world.now_us(), before, "it waited");
    let (status, retry, code) = reply.error();
    let retry = retry.map(str::to_owned);
    assert_eq!((outcome.as_str(), secs), ("refused", retry.clone()));
    (status, retry, code)
}

fn capped(most: u32) -> String {
    CHAT.replacen('{', &format!("{{\"max_tokens\":{most},"), 1)
}

const KEYS: &str = "[[auth.tokens]]\ntoken = \"a\"\nrate_limit_rpm = 1\n[[auth.tokens]]\ntoken = \"b\"\n";

#[test]
fn of_several_limits_the_one_whose_turn_comes_last_is_told() {
    // The requests of a provider are free again in 30 seconds, its tokens in more.
    for wait_secs in [0, 40] {
        let limits = format!("[limits]\nrate_wait_secs = {wait_secs}\n");
        let mut world = World::new(&format!("{limits}{ONE}rate_limit_rpm = 2\nrate_limit_tpm = 10_500\n"));
        assert_eq!(world.chat(&capped(10), ANSWER).status, 200);
        let mut held = world.post("/v1/chat/completions", &capped(10_000));
        held.sent(&mut world);
        let (status, retry, code) = refused(&mut world, &capped(9_000));
        assert_eq!((status, code.as_str()), (429, "rate_limit_exceeded"));
        assert!((45..=55).contains(&retry.unwrap().parse::<u32>().unwrap()), "not when the requests are free");
        assert_eq!(world.metric("hoosh_limited_total{limit=\"provider_tokens\"}"), "1");
    }
    // The gateway's requests are free again in 20 seconds, the key's in 60.
    for wait_secs in [0, 40] {
        let limits = format!("[limits]\nrate_wait_secs = {wait_secs}\nrate_limit_rpm = 3\n");
        let mut world = World::new(&format!("{KEYS}{limits}{ONE}"));
        for key in ["a", "b", "b"] {
            world.key = Some(key);
            assert_eq!(world.chat(CHAT, ANSWER).status, 200);
        }
        world.key = Some("a");
        assert_eq!(refused(&mut world, CHAT), (429, Some("60".into()), "rate_limit_exceeded".into()));
    }
}

#[test]
fn what_is_larger_than_a_minute_is_told_so_whatever_else_is_full() {
    let mut world = World::new(&format!("{}{ONE}rate_limit_rpm = 1\nrate_limit_tpm = 7_000\n", limits("")));
    assert_eq!(world.chat(&capped(10), ANSWER).status, 200);
    assert_eq!(refused(&mut world, &capped(8_000)), (413, None, "request_exceeds_rate_limit".into()));
    let keys = "[[auth.tokens]]\ntoken = \"a\"\nrate_limit_tpm = 700\n[[auth.tokens]]\ntoken = \"b\"\n";
    let mut world = World::new(&format!("{keys}{}{ONE}", limits("rate_limit_tpm = 7_000")));
    world.key = Some("b");
    let mut held = world.post("/v1/chat/completions", &capped(6_800));
    held.sent(&mut world);
    world.key = Some("a");
    assert_eq!(refused(&mut world, &capped(800)), (413, None, "request_exceeds_rate_limit".into()));
}

#[test]
fn a_line_in_which_nobody_would_stand_may_be_full() {
    let mut world = World::new(&format!("{KEYS}{}{ONE}", limits("rate_limit_rpm = 3\nmax_waiting = 1")));
    for key in ["a", "b", "b"] {
        world.key = Some(key);
        assert_eq!(world.chat(CHAT, ANSWER).status, 200);
    }
    let (_of_b, due_of_b) = waiting(&mut world, 1);
    assert_eq!(due_of_b, [20]);
    world.key = Some("a");
    assert_eq!(told(&mut world, CHAT), ("waits".into(), None));
    let (_of_a, due_of_a) = waiting(&mut world, 1);
    assert_eq!(due_of_a, [60], "for its key's turn, and only then for the gateway's");
}

#[test]
fn every_line_in_which_it_would_stand_must_have_room() {
    let keys = KEYS.replace("rpm = 1", "rpm = 2");
    let mut world = World::new(&format!("{keys}{}{ONE}", limits("rate_limit_rpm = 3\nmax_waiting = 1")));
    world.key = Some("a");
    (0..2).for_each(|_| assert_eq!(world.chat(CHAT, ANSWER).status, 200));
    let (_slow, due_of_slow) = waiting(&mut world, 1);
    assert_eq!(due_of_slow, [30]);
    // It has its turn, and has not looked yet: its key has one more request to give, and the gateway none.
    world.pass_seconds(60);
    world.key = Some("b");
    (0..3).for_each(|_| assert_eq!(world.chat(CHAT, ANSWER).status, 200));
    world.key = Some("a");
    assert_eq!(refused(&mut world, CHAT), (429, Some("20".into()), "rate_limit_exceeded".into()));
    assert_eq!(world.metric("hoosh_limited_total{limit=\"gateway_rate\"}"), "1");

    // The same at a provider: the tokens' line is full, and requests are what is missing.
    let provider = "rate_limit_rpm = 2\nrate_limit_tpm = 600\n";
    let mut world = World::new(&format!("{}{ONE}{provider}", limits("max_waiting = 1")));
    let mut held = world.post("/v1/chat/completions", &capped(400));
    held.sent(&mut world);
    let mut slow = world.post("/v1/chat/completions", &capped(400));
    assert!(due(&mut slow, &mut world) > 0);
    assert_eq!(gauge(&mut world, "provider_tokens"), "1");
    world.pass_seconds(120);
    (0..2).for_each(|_| assert_eq!(world.chat(&capped(10), ANSWER).status, 200));
    assert_eq!(refused(&mut world, &capped(10)), (429, Some("30".into()), "rate_limit_exceeded".into()));
}
