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
    assert_eq!(early.reply(&mut world).error().2, "invalid_api_key");
}

#[test]
fn a_provider_that_was_taken_away_and_comes_back_is_asked() {
    let mut world = World::new(TWO);
    world.reload(ONE);
    world.reload(&TWO.replace("priority = 1", "priority = 3"));
    let mut call = world.post("/v1/chat/completions", CHAT);
    assert_eq!(call.sent(&mut world).1.origin.port, 2);
}

/// Capacity, used and reserved of the only budget.
fn budget(world: &World) -> (u64, u64, u64) {
    let budgets = world.gateway.budgets();
    let [(_, state)] = &budgets[..] else { panic!("{budgets:?}") };
    (state.capacity, state.used, state.reserved)
}

#[test]
fn a_budget_that_comes_back_goes_on_from_all_that_was_used() {
    let text = |capacity: u64| format!("[[budgets]]\nname = \"default\"\ncapacity = {capacity}\nslice = 20\n{ONE}");
    let mut world = World::new(&text(2_000));
    assert_eq!(world.chat(CHAT, ANSWER).status, 200);
    assert_eq!(budget(&world), (2_000, 9, 0));
    // Nobody holds anything of it, and its rows are stored, or not yet.
    for is_stored in [true, false] {
        if is_stored {
            world.rows();
        }
        world.reload(ONE);
        world.run_loop();
        world.reload(&text(3_000));
        world.run_loop();
        assert_eq!(budget(&world), (3_000, 9, 0), "{is_stored}");
    }
    assert_eq!(world.chat(CHAT, ANSWER).status, 200);
    assert_eq!(budget(&world), (3_000, 18, 0));
    // Somebody holds some of it all the time.
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, _) = call.sent(&mut world);
    let held = budget(&world).2;
    world.reload(ONE);
    world.run_loop();
    world.reload(&text(2_000));
    world.run_loop();
    assert_eq!(budget(&world), (2_000, 18, held));
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    assert_eq!(budget(&world), (2_000, 27, 0));
    // All of it can be spent, and no more: what it gave back meanwhile is there again, once.
    world.reload(&text(27 + held));
    assert_eq!(world.chat(CHAT, ANSWER).status, 200);
    world.reload(&text(36 + 10));
    assert_eq!(world.chat(CHAT, ANSWER).error().2, "budget_exceeded");
}

#[test]
fn a_budget_that_comes_back_in_the_next_run_asks_for_what_the_last_one_used() {
    let text = format!("[[budgets]]\nname = \"default\"\ncapacity = 2_000\n{ONE}");
    let mut world = World::new(&text);
    assert_eq!(world.chat(CHAT, ANSWER).status, 200);
    world.rows();
    world.reload(ONE);
    world.gateway.close();
    world.run_loop();
    world.gateway.set_waker(std::sync::Arc::new(hoosh_core::wake::NoWake));
    world.reload(&text);
    world.run_loop();
    assert_eq!(budget(&world), (2_000, 9, 0));
    assert_eq!(world.chat(CHAT, ANSWER).status, 200);
    assert_eq!(budget(&world), (2_000, 18, 0));
}
