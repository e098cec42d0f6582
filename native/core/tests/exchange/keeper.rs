//! The gateway's own loop beside exchanges.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use bytes::Bytes;
use hoosh_core::clock::SECOND;
use hoosh_core::gateway::{LoopResult, LoopStep};
use hoosh_core::health::State;
use hoosh_core::store::{Op, Outcome};
use hoosh_core::wake::Wake;

use crate::world::*;
use crate::{ANSWER, CHAT};

#[derive(Default)]
struct Told(AtomicBool);

impl Wake for Told {
    fn wake(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Told {
    fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

/// How many tokens the loop gives back now, and the number of the question; `None` if it only waits.
fn returned(world: &World) -> Option<(u64, u64)> {
    match world.gateway.next(world.now) {
        LoopStep::Store { id, op: Op::Return { tokens, .. } } => Some((id, tokens)),
        LoopStep::Wait { .. } => None,
        LoopStep::Log { id, .. } => {
            world.gateway.done(id, LoopResult::Logged(Ok(())), world.now);
            returned(world)
        }
        other => panic!("neither a return nor a wait: {other:?}"),
    }
}

fn stored(world: &World, id: u64, outcome: Outcome) {
    world.gateway.done(id, LoopResult::Stored(outcome), world.now);
}

/// What a budget of 1,000 tokens, all of them leased, gives back when it is taken out of the file.
fn retired() -> World {
    let budget = "[[budgets]]\nname = \"default\"\ncapacity = 1_000\nslice = 1_000\n";
    let mut world = World::new(&format!("{budget}{ONE}"));
    world.run_loop();
    world.reload(ONE);
    world
}

#[test]
fn a_budget_that_goes_is_given_back_as_it_comes_free() {
    let budget = "[[budgets]]\nname = \"default\"\ncapacity = 1_000\nslice = 1_000\n";
    let mut world = World::new(&format!("{budget}{ONE}"));
    let told = Arc::new(Told::default());
    world.gateway.set_waker(told.clone());
    let mut call = world.post("/v1/chat/completions", &CHAT.replace("}]", "}],\"max_tokens\":100"));
    let (u, _) = call.sent(&mut world);
    let held = world.gateway.budgets()[0].1.reserved;
    world.reload(ONE);
    let (id, at_once) = returned(&world).expect("what nobody holds");
    assert_eq!(at_once, 1_000 - held);
    stored(&world, id, Outcome::Stored);
    assert_eq!(returned(&world), None);
    told.take();
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).status, 200);
    assert!(told.take(), "the loop is told");
    let ops: Vec<LoopStep> = (0..2).map(|_| world.gateway.next(world.now)).collect();
    let back: Vec<u64> = ops
        .iter()
        .filter_map(|step| match step {
            LoopStep::Store { op: Op::Return { tokens, .. }, .. } => Some(*tokens),
            _ => None,
        })
        .collect();
    assert_eq!(back, [held - 9], "all but the 9 tokens used: {ops:?}");
    call.over(&mut world);
}

#[test]
fn a_return_that_failed_is_asked_for_again_and_a_silent_one_is_not() {
    let mut world = retired();
    let (id, tokens) = returned(&world).unwrap();
    assert_eq!(tokens, 1_000);
    stored(&world, id, Outcome::Failed("not now".into()));
    assert_eq!(returned(&world), None, "the store is left alone for a while");
    world.now.mono_us += SECOND;
    let (_, again) = returned(&world).unwrap();
    assert_eq!(again, 1_000);
    // It may have been done: better unspent than spent twice.
    world.now.mono_us += 20 * SECOND;
    assert_eq!(returned(&world), None);
}

#[test]
fn a_probe_says_nothing_of_latency() {
    let mut world = World::new(&format!("[retry]\nmax_attempts = 1\n{ONE}"));
    for _ in 0..5 {
        let mut call = world.post("/v1/chat/completions", CHAT);
        let (u, _) = call.sent(&mut world);
        call.answer(u, 500, "text/html", "<html>");
        assert_eq!(call.reply(&mut world).status, 502);
        call.over(&mut world);
    }
    world.rows();
    assert_eq!(world.gateway.health()[0].1.state, State::Open);
    world.now.mono_us += 10 * SECOND;
    let LoopStep::Fetch { id, .. } = world.gateway.next(world.now) else { panic!("no probe") };
    world.now.mono_us += 1;
    world.gateway.done(id, LoopResult::Fetched(Ok((200, Bytes::new()))), world.now);
    let (_, health) = world.gateway.health().remove(0);
    assert_eq!((health.state, health.latency_us), (State::Closed, None));
}

#[test]
fn a_run_ends_when_nothing_is_open_and_everything_is_stored() {
    let budget = "[[budgets]]\nname = \"default\"\ncapacity = 100_000\n";
    let mut world = World::new(&format!("[log]\naccess = \"off\"\n{budget}{ONE}"));
    let told = Arc::new(Told::default());
    world.gateway.set_waker(told.clone());
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, _) = call.sent(&mut world);
    world.gateway.close();
    assert!(matches!(world.gateway.next(world.now), LoopStep::Wait { .. }), "one is in progress");
    assert_eq!(world.post("/v1/chat/completions", CHAT).reply(&mut world).error().2, "draining");
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).status, 200);
    told.take();
    call.over(&mut world);
    drop(call);
    assert!(told.take(), "the loop is told");
    world.now.mono_us += SECOND;
    let LoopStep::Store { id, op: Op::Append { .. } } = world.gateway.next(world.now) else { panic!("no row") };
    assert!(matches!(world.gateway.next(world.now), LoopStep::Wait { .. }), "the row is not stored yet");
    stored(&world, id, Outcome::Stored);
    let LoopStep::Store { id, op: Op::End { held } } = world.gateway.next(world.now) else { panic!("no end") };
    assert_eq!(held, []);
    assert_eq!(world.post("/v1/chat/completions", CHAT).reply(&mut world).error().2, "draining");
    world.now.mono_us += SECOND;
    assert!(matches!(world.gateway.next(world.now), LoopStep::Wait { .. }), "a record would begin another run");
    stored(&world, id, Outcome::Failed("not now".into()));
    world.now.mono_us += SECOND;
    let LoopStep::Store { id, op: Op::End { .. } } = world.gateway.next(world.now) else { panic!("no second try") };
    stored(&world, id, Outcome::Stored);
    for _ in 0..2 {
        assert!(matches!(world.gateway.next(world.now), LoopStep::Over));
    }
    // A driver that begins anew.
    world.gateway.set_waker(told);
    let LoopStep::Store { op: Op::Restore { budgets }, .. } = world.gateway.next(world.now) else { panic!("no start") };
    assert_eq!(budgets, ["default".into()]);
}

#[test]
fn what_was_closed_before_its_loop_had_a_waker_stays_closed() {
    let mut world = World::new(ONE);
    let told = Arc::new(Told::default());
    world.gateway.close();
    world.gateway.begin_anew();
    world.gateway.close();
    world.gateway.wake_by(told.clone());
    assert_eq!(world.post("/v1/chat/completions", CHAT).reply(&mut world).error().2, "draining");
    told.take();
    world.gateway.close();
    assert!(told.take(), "the loop is told by what it has now");
}

#[test]
fn a_store_that_does_not_say_what_was_is_asked_again_and_lends_nothing_before() {
    let budget = "[[budgets]]\nname = \"default\"\ncapacity = 100_000\n";
    let config = hoosh_core::config::parse(&format!("{budget}{ONE}"), &|_: &str| None).unwrap();
    let gateway = hoosh_core::gateway::Gateway::new(config, 7);
    let mut now = hoosh_core::clock::Now::new(SECOND, 0);
    let asked = |now| {
        (0..10).map(|_| gateway.next(now)).find_map(|step| match step {
            LoopStep::Store { id, op: Op::Restore { .. } } => Some(id),
            LoopStep::Store { op, .. } => panic!("{op:?} before it is known what was"),
            _ => None,
        })
    };
    for answer in [Outcome::Failed("not now".into()), Outcome::Restored(Vec::new())] {
        let id = asked(now).expect("the store is asked");
        gateway.done(id, LoopResult::Stored(answer), now);
        assert_eq!(asked(now), None, "the store is left alone for a while");
        now.mono_us += SECOND;
    }
    let id = asked(now).expect("the store is asked");
    let earlier = hoosh_core::store::Earlier { used: 99_990, ..Default::default() };
    gateway.done(id, LoopResult::Stored(Outcome::Restored(vec![earlier])), now);
    let lease = (0..10).map(|_| gateway.next(now)).find_map(|step| match step {
        LoopStep::Store { op: Op::Lease { tokens, .. }, .. } => Some(tokens),
        LoopStep::Log { .. } => panic!("nothing was lost"),
        _ => None,
    });
    assert_eq!(lease, Some(10));
}

#[test]
fn what_the_last_run_lost_is_said_at_the_start() {
    let config =
        hoosh_core::config::parse("[[budgets]]\nname = \"team\"\ncapacity = 100_000\n", &|_: &str| None).unwrap();
    let gateway = hoosh_core::gateway::Gateway::new(config, 7);
    let now = hoosh_core::clock::Now::new(SECOND, 0);
    let LoopStep::Store { id, .. } = gateway.next(now) else { panic!("the store is asked") };
    let earlier = hoosh_core::store::Earlier { used: 5, lost: 900, lost_by_last: 300 };
    gateway.done(id, LoopResult::Stored(Outcome::Restored(vec![earlier])), now);
    let said = (0..10).map(|_| gateway.next(now)).find_map(|step| match step {
        LoopStep::Log { lines, .. } => Some(String::from_utf8_lossy(&lines).into_owned()),
        _ => None,
    });
    let said = said.expect("a line of the log");
    assert!(said.contains(" warn Budget team: 300 tokens are written off as spent"), "{said}");
    assert!(said.ends_with("; 900 in all runs.\n"), "{said}");
}

/// The leases that the loop asks for now, by budget, and the numbers of the questions.
fn leases(world: &World) -> Vec<(u64, String)> {
    let mut asked = Vec::new();
    loop {
        match world.gateway.next(world.now) {
            LoopStep::Store { id, op: Op::Restore { budgets } } => {
                stored(world, id, Outcome::Restored(vec![hoosh_core::store::Earlier::default(); budgets.len()]));
            }
            LoopStep::Store { id, op: Op::Lease { budget, .. } } => asked.push((id, budget.to_string())),
            LoopStep::Log { id, .. } => world.gateway.done(id, LoopResult::Logged(Ok(())), world.now),
            LoopStep::Wait { .. } => return asked,
            other => panic!("not expected: {other:?}"),
        }
    }
}

/// A world whose loop took no step yet.
fn unrun(text: &str) -> World {
    World::before_its_loop(hoosh_core::config::parse(text, &|_: &str| None).unwrap())
}

const BUDGETS: &str = "[[budgets]]\nname = \"a\"\ncapacity = 1_000\n[[budgets]]\nname = \"b\"\ncapacity = 1_000\n";

#[test]
fn each_budget_is_asked_for_once_and_again_after_a_failure() {
    let mut world = unrun(&format!("{BUDGETS}{ONE}"));
    let first = leases(&world);
    assert_eq!(first.iter().map(|(_, budget)| &**budget).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(leases(&world), [], "both are asked for");
    stored(&world, first[0].0, Outcome::Leased { tokens: 1_000 });
    stored(&world, first[1].0, Outcome::Failed("not now".into()));
    assert_eq!(leases(&world), [], "the store is left alone for a while");
    world.now.mono_us += SECOND;
    assert_eq!(leases(&world).iter().map(|(_, budget)| &**budget).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn a_budget_that_a_reload_brings_is_asked_for_and_the_loop_told() {
    let mut world = World::new(ONE);
    let told = Arc::new(Told::default());
    world.gateway.set_waker(told.clone());
    assert_eq!(leases(&world), []);
    told.take();
    world.reload(&format!("{BUDGETS}{ONE}"));
    assert!(told.take(), "the loop is told");
    assert_eq!(leases(&world).len(), 2);
}

#[test]
fn a_loop_that_begins_late_is_told_that_something_is_wanted() {
    let world = unrun(&format!("{BUDGETS}{ONE}"));
    let told = Arc::new(Told::default());
    world.gateway.set_waker(told.clone());
    assert!(told.take());
}
