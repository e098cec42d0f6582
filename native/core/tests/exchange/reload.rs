//! What stays and what goes when the configuration is read again.

use crate::world::*;
use crate::{ANSWER, CHAT};

/// The cache of `CACHED`, behind keys.
fn cached(tokens: &str) -> String {
    format!("[auth]\ntokens = [{tokens}]\n{CACHED}")
}

/// What the cache says to whoever holds `key`.
fn cache_says(world: &mut World, key: Option<&'static str>) -> String {
    world.key = key;
    let reply = world.chat(CHAT, ANSWER);
    reply.header("x-hoosh-cache").unwrap_or(&format!("status {}", reply.status)).to_string()
}

#[test]
fn a_key_that_takes_anothers_place_does_not_get_its_answers() {
    let mut world = World::new(&cached(r#""alice", "bob""#));
    assert_eq!(cache_says(&mut world, Some("alice")), "miss");
    // Both are called `key-1` in their time.
    world.reload(&cached(r#""bob""#));
    assert_eq!(cache_says(&mut world, Some("bob")), "miss");
    assert_eq!(cache_says(&mut world, Some("bob")), "hit");
}

#[test]
fn a_key_that_stays_keeps_its_answers_whatever_its_name() {
    let mut world = World::new(&cached(r#""alice", "bob""#));
    assert_eq!(cache_says(&mut world, Some("bob")), "miss");
    world.reload(&cached(r#"{ token = "bob", name = "robert" }"#));
    assert_eq!(cache_says(&mut world, Some("bob")), "hit");
    // With another scope other providers may answer it.
    world.reload(&cached(r#"{ token = "bob", models = ["one/*"] }"#));
    assert_eq!(cache_says(&mut world, Some("bob")), "miss");
}

#[test]
fn a_key_shares_no_answer_with_callers_without_one() {
    let mut world = World::new(CACHED);
    assert_eq!(cache_says(&mut world, None), "miss");
    world.reload(&cached(r#"{ token = "alice", name = "anonymous" }"#));
    assert_eq!(cache_says(&mut world, Some("alice")), "miss");
    world.reload(CACHED);
    assert_eq!(cache_says(&mut world, None), "hit");
}

#[test]
fn what_was_taken_away_and_comes_back_works() {
    let mut world = World::new(CACHED);
    let mut early = world.post("/v1/chat/completions", CHAT);
    world.reload(&cached(r#""alice""#));
    world.reload(&cached(r#""bob""#));
    assert_eq!(cache_says(&mut world, Some("alice")), "status 401");
    world.reload(&cached(r#""alice""#));
    assert_eq!(cache_says(&mut world, Some("alice")), "miss");
    world.reload(CACHED);
    assert_eq!(cache_says(&mut world, None), "miss");
    // Who began before keys were asked for is not let on again.
    assert_eq!(early.reply(&mut world).status, 403);
}

#[test]
fn a_provider_that_was_taken_away_and_comes_back_is_asked() {
    let mut world = World::new(TWO);
    world.reload(ONE);
    world.reload(&TWO.replace("priority = 1", "priority = 3"));
    let mut call = world.post("/v1/chat/completions", CHAT);
    assert_eq!(call.sent(&mut world).1.origin.port, 2);
}
