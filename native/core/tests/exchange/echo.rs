//! An engine by the trait, and a driver that hands on what it says: within the credit, until it is dropped.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use hoosh_core::clock::SECOND;
use hoosh_core::dialects::neutral::{Item, Request, HEAVIEST};
use hoosh_core::engine::{Abilities, Answer, Card, Engine, Refusal, Said};
use hoosh_core::exchange::{Stage, Step};
use hoosh_core::ledger::Ending;
use hoosh_core::wake::{NoWake, Waker};

use super::world::*;
use super::{CHAT, STREAM};

/// Says a request's content again, word by word. Some words are orders.
#[derive(Default)]
struct Echo {
    /// Answers that were dropped.
    dropped: Arc<AtomicUsize>,
}

struct Saying {
    rest: VecDeque<Said>,
    dropped: Arc<AtomicUsize>,
}

impl Engine for Echo {
    fn cards(&self) -> Vec<Card> {
        let abilities = Abilities { chat: true, ..Abilities::default() };
        vec![Card {
            model: "m".into(),
            context: None,
            max_output: None,
            dimensions: None,
            abilities,
            quantization: None,
            accelerator: None,
            memory_bytes: None,
            loaded: true,
        }]
    }

    fn call(&self, request: Request, _: Waker) -> Box<dyn Answer> {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let content = body["messages"][0]["content"].as_str().unwrap().to_owned();
        let mut rest = VecDeque::new();
        for word in content.split(' ') {
            let text = |text: String| Said::Item(Item::Text { choice: 0, text, logprobs: Vec::new() });
            rest.push_back(match word {
                "refuse" => Said::Refused(full()),
                "break" => Said::Failed("a wheel came off".into()),
                "pause" => Said::Nothing,
                "shout" => text("#".repeat(HEAVIEST * 3)),
                word => text(word.to_owned()),
            });
        }
        rest.push_back(Said::Item(Item::Finish { choice: 0, reason: "stop".into() }));
        rest.push_back(Said::End);
        Box::new(Saying { rest, dropped: self.dropped.clone() })
    }
}

impl Answer for Saying {
    fn next(&mut self, credit: usize) -> Said {
        match self.rest.front() {
            Some(Said::Item(item)) if item.weight() > credit => Said::Nothing,
            _ => self.rest.pop_front().unwrap_or(Said::Nothing),
        }
    }
}

impl Drop for Saying {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

fn full() -> Refusal {
    Refusal { status: 400, code: "no_echo", message: "It is quiet here.".into(), retry_after_secs: None }
}

/// What a driver holds of a call.
struct Driven {
    call: Call,
    u: u32,
    answer: Option<Box<dyn Answer>>,
    credit: usize,
}

impl Driven {
    fn begin(world: &mut World, engine: &dyn Engine, body: &str) -> Driven {
        let mut call = world.post("/v1/chat/completions", body);
        let Step::Call { u, request, .. } = call.step(world) else { panic!("not called") };
        call.exchange.connected(u);
        Driven { call, u, answer: Some(engine.call(request, Arc::new(NoWake))), credit: 0 }
    }

    /// Takes steps and hands on what there is. Returns what the caller got.
    fn run(&mut self, world: &mut World) -> Vec<u8> {
        let mut got = Vec::new();
        loop {
            match self.call.exchange.next(world.now) {
                Step::Read { credit, .. } => self.credit += credit,
                Step::Abort { .. } => self.answer = None,
                Step::Emit { bytes } => {
                    self.call.exchange.written(bytes.len());
                    got.extend_from_slice(&bytes);
                }
                Step::Reply { body, .. } => {
                    self.call.exchange.written(body.len());
                    got.extend_from_slice(&body);
                }
                Step::Work { job } => self.call.exchange.worked(job.run()),
                Step::Wait { .. } if !self.pump() => return got,
                Step::Done => return got,
                _ => {}
            }
        }
    }

    /// Whether the engine said anything.
    fn pump(&mut self) -> bool {
        let (exchange, u) = (&mut self.call.exchange, self.u);
        let Some(answer) = &mut self.answer else { return false };
        match answer.next(self.credit) {
            Said::Nothing => return false,
            Said::Item(item) => {
                self.credit -= item.weight();
                exchange.delta(u, item);
                return true;
            }
            Said::End => exchange.end(u),
            Said::Refused(refusal) => {
                exchange.head(u, refusal.status, &refusal.headers());
                exchange.data(u, refusal.body());
                exchange.end(u);
            }
            Said::Failed(_) => exchange.failed(u, Stage::Body, false),
        }
        self.answer = None;
        true
    }
}

fn asking(body: &str, content: &str) -> String {
    body.replace("\"hi\"", &format!("\"{content}\""))
}

#[test]
fn it_says_everything_and_is_let_go() {
    let (mut world, engine) = (World::new(ENGINES), Echo::default());
    assert_eq!(engine.cards()[0].model, "m");
    let mut driven = Driven::begin(&mut world, &engine, &asking(CHAT, "over and out"));
    let got = driven.run(&mut world);
    let answer: serde_json::Value = serde_json::from_slice(&got).unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "overandout");
    assert_eq!(engine.dropped.load(Ordering::Relaxed), 1);
    assert!(!engine.unload("m") && engine.load("m", &mut |_, _| {}).is_ok(), "it has nothing to load");
}

#[test]
fn it_refuses_and_breaks_as_it_says() {
    for (content, said) in [("refuse", "no_echo"), ("a break", "upstream_error"), ("break", "upstream_error")] {
        let (mut world, engine) = (World::new(&format!("[retry]\nmax_attempts = 1\n{ENGINES}")), Echo::default());
        let got = Driven::begin(&mut world, &engine, &asking(CHAT, content)).run(&mut world);
        assert!(String::from_utf8_lossy(&got).contains(said), "{content}");
    }
}

#[test]
fn a_silent_one_is_given_up_and_dropped_and_its_place_is_free() {
    let text = format!("[retry]\nmax_attempts = 1\n[[budgets]]\nname = \"default\"\ncapacity = 100000\n{ENGINES}");
    let (mut world, engine) = (World::new(&text), Echo::default());
    let mut driven = Driven::begin(&mut world, &engine, &asking(CHAT, "pause a"));
    driven.run(&mut world);
    // What comes after the pause is not asked for: the waker is silent.
    world.pass(60 * SECOND);
    let Step::Abort { u } = driven.call.exchange.next(world.now) else { panic!("not given up") };
    assert_eq!(u, driven.u);
    driven.answer = None;
    let reply = driven.call.reply(&mut world);
    assert_eq!(reply.error(), (504, None, "upstream_timeout".into()));
    assert!(String::from_utf8_lossy(&reply.body).contains("did not begin"));
    driven.call.over(&mut world);
    assert_eq!(engine.dropped.load(Ordering::Relaxed), 1);
    drop(driven);
    assert_eq!(world.gateway.open_exchanges(), 0);
    let row = world.rows().remove(0);
    assert_eq!(row.ending, Ending::Refused);
    assert!(row.usage.input_tokens > 0, "it may have worked, so that its input is charged");
}

#[test]
fn one_that_falls_silent_later_ends_its_stream() {
    let (mut world, engine) = (World::new(ENGINES), Echo::default());
    let mut driven = Driven::begin(&mut world, &engine, &asking(STREAM, "a pause b"));
    assert!(!driven.run(&mut world).is_empty());
    world.pass(SECOND);
    let rest = String::from_utf8(driven.run(&mut world)).unwrap();
    assert!(rest.contains("middle of its answer") && rest.ends_with("\"code\":\"upstream_timeout\"}}\n\n"), "{rest}");
    assert_eq!(engine.dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn one_that_is_silent_again_and_again_is_left_alone() {
    let (mut world, engine) = (World::new(&format!("[retry]\nmax_attempts = 1\n{ENGINES}")), Echo::default());
    for _ in 0..5 {
        let mut driven = Driven::begin(&mut world, &engine, &asking(CHAT, "pause"));
        driven.run(&mut world);
        world.pass(60 * SECOND);
        driven.run(&mut world);
    }
    let mut call = world.post("/v1/chat/completions", CHAT);
    let Step::Call { engine, .. } = call.step(&mut world) else { panic!("not called") };
    assert_eq!(&*engine, "second");
}

#[test]
fn the_whole_has_its_time_too() {
    let (mut world, engine) =
        (World::new(&ENGINES.replace("[deadlines]", "[deadlines]\ntotal_secs = 10")), Echo::default());
    let mut driven = Driven::begin(&mut world, &engine, &asking(CHAT, "pause"));
    driven.run(&mut world);
    world.pass(10 * SECOND);
    assert!(matches!(driven.call.exchange.next(world.now), Step::Abort { .. }));
    assert_eq!(driven.call.reply(&mut world).status, 504);
}

#[test]
fn a_caller_that_leaves_stops_it() {
    let (mut world, engine) = (World::new(ENGINES), Echo::default());
    let mut driven = Driven::begin(&mut world, &engine, &asking(STREAM, "a pause b"));
    assert!(!driven.run(&mut world).is_empty());
    driven.call.exchange.caller_gone();
    driven.run(&mut world);
    assert_eq!(engine.dropped.load(Ordering::Relaxed), 1);
    assert_eq!(world.rows()[0].ending, Ending::CallerGone);
}

#[test]
fn what_is_heavier_than_a_window_comes_through() {
    let (mut world, engine) = (World::new(ENGINES), Echo::default());
    // The words before leave less than a whole window.
    let content = format!("{} shout shout", "B".repeat(30_000));
    let got = Driven::begin(&mut world, &engine, &asking(STREAM, &content)).run(&mut world);
    let shouted = got.iter().filter(|byte| **byte == b'#').count();
    assert_eq!(shouted, 6 * HEAVIEST);
    assert!(got.ends_with(b"data: [DONE]\n\n"));
}
