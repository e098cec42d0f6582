//! Equal requests: when one answer serves all, and when each asks for itself.

use super::world::*;
use super::{ANSWER, CHAT};

fn leader_and_followers(world: &mut World) -> (Call, u32, Vec<Call>) {
    let mut leader = world.post("/v1/chat/completions", CHAT);
    let (u, _) = leader.sent(world);
    let mut followers: Vec<Call> = (0..3).map(|_| world.post("/v1/chat/completions", CHAT)).collect();
    assert!(followers.iter_mut().all(|follower| !follower.pump(world)));
    (leader, u, followers)
}

#[test]
fn an_answer_that_may_not_be_kept_lets_all_followers_go_at_once() {
    let mut world = World::new(CACHED);
    let (mut leader, u, mut followers) = leader_and_followers(&mut world);
    leader.answer(u, 200, "application/json", &ANSWER.replace("\"stop\"", "\"length\""));
    assert_eq!(leader.reply(&mut world).status, 200);
    leader.over(&mut world);
    for follower in &mut followers {
        let (u, _) = follower.sent(&mut world);
        // After a charged failure it passes the gate again, and still leads and follows nobody.
        follower.exchange.failed(u, hoosh_core::exchange::Stage::Head, false);
    }
    for follower in &mut followers {
        let (u, _) = follower.sent(&mut world);
        follower.answer(u, 200, "application/json", ANSWER);
        assert_eq!(follower.reply(&mut world).header("x-hoosh-cache"), Some("miss"));
        follower.over(&mut world);
    }
}

#[test]
fn a_refusal_of_what_was_asked_lets_all_followers_go_at_once() {
    let mut world = World::new(CACHED);
    let (mut leader, u, mut followers) = leader_and_followers(&mut world);
    leader.refuse(u, 400, &[]);
    assert_eq!(leader.reply(&mut world).status, 400);
    leader.over(&mut world);
    let sent: Vec<u32> = followers.iter_mut().map(|follower| follower.sent(&mut world).0).collect();
    for (follower, u) in followers.iter_mut().zip(sent) {
        follower.refuse(u, 400, &[]);
        assert_eq!(follower.reply(&mut world).status, 400);
        follower.over(&mut world);
    }
}

#[test]
fn a_leader_that_leaves_is_followed_by_one() {
    let mut world = World::new(CACHED);
    let (mut leader, _, mut followers) = leader_and_followers(&mut world);
    leader.exchange.caller_gone();
    leader.over(&mut world);
    let (u, _) = followers[0].sent(&mut world);
    assert!(followers[1..].iter_mut().all(|follower| !follower.pump(&mut world)));
    followers[0].answer(u, 200, "application/json", ANSWER);
    assert_eq!(followers[0].reply(&mut world).status, 200);
    followers[0].over(&mut world);
    for follower in &mut followers[1..] {
        assert_eq!(follower.reply(&mut world).header("x-hoosh-cache"), Some("shared"));
        follower.over(&mut world);
    }
}

#[test]
fn whoever_waited_for_a_place_finds_what_was_cached_meanwhile() {
    let mut world = World::new(&format!("[limits]\nmax_concurrency = 1\n{CACHED}"));
    let mut first = world.post("/v1/chat/completions", CHAT);
    let (u, _) = first.sent(&mut world);
    let mut others: Vec<Call> = (0..2).map(|_| world.post("/v1/chat/completions", CHAT)).collect();
    assert!(others.iter_mut().all(|other| !other.pump(&mut world)));
    first.answer(u, 200, "application/json", ANSWER);
    assert_eq!(first.reply(&mut world).status, 200);
    first.over(&mut world);
    for other in &mut others {
        let reply = other.reply(&mut world);
        assert_eq!((reply.header("x-hoosh-cache"), &reply.body[..]), (Some("hit"), ANSWER.as_bytes()));
        other.over(&mut world);
    }
    let metrics = String::from_utf8(world.get("/metrics").body.to_vec()).unwrap();
    for line in ["hoosh_cache_total{result=\"hit\"} 2", "hoosh_cache_total{result=\"miss\"} 1"] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
}

#[test]
fn a_key_that_was_revoked_meanwhile_is_given_no_kept_answer() {
    let keyed = |tokens: &str, limits: &str| format!("[auth]\ntokens = [{tokens}]\n[limits]\n{limits}\n{CACHED}");
    // One waits for an equal request, the other for a place; the answer is there when they look again.
    for limits in ["", "max_concurrency = 1"] {
        let mut world = World::new(&keyed("\"alice\", \"bob\"", limits));
        world.key = Some("alice");
        let mut first = world.post("/v1/chat/completions", CHAT);
        let (u, _) = first.sent(&mut world);
        let mut second = world.post("/v1/chat/completions", CHAT);
        assert!(!second.pump(&mut world));
        world.reload(&keyed("\"bob\"", limits));
        first.answer(u, 200, "application/json", ANSWER);
        first.reply(&mut world);
        first.over(&mut world);
        assert_eq!(second.reply(&mut world).error(), (401, None, "invalid_api_key".into()), "{limits}");
        second.over(&mut world);
    }
}

#[test]
fn a_wrong_budget_is_wrong_also_where_the_answer_is_known() {
    let mut world = World::new(CACHED);
    world.chat(CHAT, ANSWER);
    assert!(world.post("/v1/chat/completions", CHAT).is_hit(&mut world));
    let named = CHAT.replacen('{', "{\"pool\":\"nobody's\",", 1);
    let (status, _, code) = world.post("/v1/chat/completions", &named).reply(&mut world).error();
    assert_eq!((status, code.as_str()), (400, "unknown_budget"));
}

#[test]
fn fewer_choices_than_were_asked_for_are_not_kept() {
    let mut world = World::new(CACHED);
    let two = CHAT.replacen('{', "{\"n\":2,", 1);
    world.chat(&two, ANSWER);
    assert!(!world.post("/v1/chat/completions", &two).is_hit(&mut world));
}
