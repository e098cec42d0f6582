//! CPU time that the core takes for one request, driven by function calls in one thread: no socket, no runtime.
//!
//! `cargo run --release -p hoosh-core-cost` measures all; `… -- chat 200000` runs one case that often and prints
//! nothing, for `perf record` and `valgrind --tool=callgrind`. `… -- scale` compares ten of everything with very many,
//! `… -- dialects` measures the translators by themselves.

mod dialects;
mod many;
mod scale;

use std::sync::Arc;

use bytes::Bytes;
use hoosh_core::clock::Now;
use hoosh_core::config::{self, Config};
use hoosh_core::exchange::{Caller, Exchange, RequestHead, Step};
use hoosh_core::gateway::{Gateway, LoopResult, LoopStep};
use hoosh_core::http::HeaderView;
use hoosh_core::store::{MemoryStore, Store};
use hoosh_core::wake::{NoWake, Waker};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Every policy on, none of them in the way.
const CONFIG: &str = include_str!("../../every-policy.toml");

const KEY: &str = "Bearer a-key-of-a-caller-0123456789abcdef";

/// Requests between two readings of the clock. Their bodies are made before, the gateway's loop runs after.
const BATCH: usize = 1_000;
const EVENTS: usize = 1_000;
const EVENT_BYTES: usize = 280;

fn main() {
    let mut args = std::env::args().skip(1);
    if std::env::args().nth(1).as_deref() == Some("scale") {
        return scale::compare(args.nth(1).and_then(|entries| entries.parse().ok()));
    }
    if std::env::args().nth(1).as_deref() == Some("dialects") {
        return dialects::measure();
    }
    if let (Some(case), Some(times)) = (args.next(), args.next().and_then(|times| times.parse().ok())) {
        let case = CASES.iter().find(|known| known.name == case).expect("a case: chat, one, ten or hit");
        let mut world = World::new();
        (0..usize::div_ceil(times, case.operations)).for_each(|_| {
            (case.batch)(&mut world);
        });
        return;
    }
    println!("{:<58} {:>8} {:>8} {:>8}", "CPU time of one operation, µs", "median", "best", "target");
    for case in CASES {
        let mut world = World::new();
        let mut times: Vec<f64> =
            (0..101).map(|_| (case.batch)(&mut world) * 1e6 / case.operations as f64).skip(1).collect();
        times.sort_by(f64::total_cmp);
        println!("{:<58} {:>8.3} {:>8.3} {:>8.1}", case.words, times[times.len() / 2], times[0], case.target_us);
    }
    println!();
    dialects::measure();
}

struct Case {
    name: &'static str,
    words: &'static str,
    /// Runs one batch; returns its CPU seconds.
    batch: fn(&mut World) -> f64,
    operations: usize,
    target_us: f64,
}

const CASES: &[Case] = &[
    Case { name: "chat", words: "300-byte chat, every policy", batch: chats, operations: BATCH, target_us: 2.5 },
    Case {
        name: "loop",
        words: "300-byte chat, every policy, and the loop's share of it",
        batch: chats_and_loop,
        operations: BATCH,
        target_us: f64::NAN,
    },
    Case {
        name: "one",
        words: "280-byte event, one in a chunk",
        batch: |w| stream(w, 1),
        operations: EVENTS,
        target_us: 0.4,
    },
    Case {
        name: "ten",
        words: "280-byte event, ten in a chunk",
        batch: |w| stream(w, 10),
        operations: EVENTS,
        target_us: 0.4,
    },
    Case { name: "hit", words: "exact-cache answer, 300-byte chat", batch: hits, operations: BATCH, target_us: 2.5 },
];

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// A request head as an HTTP library gives it.
struct Head<'a>(&'a str);

impl HeaderView for Head<'_> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        match name {
            "authorization" => Some(self.0.as_bytes()),
            "content-type" => Some(b"application/json"),
            "content-length" => Some(b"300"),
            _ => None,
        }
    }
}

struct AnswerHead(&'static [u8]);

impl HeaderView for AnswerHead {
    fn get(&self, name: &str) -> Option<&[u8]> {
        (name == "content-type").then_some(self.0)
    }
}

struct World {
    gateway: Arc<Gateway>,
    waker: Waker,
    now: Now,
    store: MemoryStore,
    answer: Bytes,
    asked: u64,
    /// Keys and models that take turns; 0: those of `every-policy.toml`.
    many: usize,
}

impl World {
    fn new() -> World {
        World::of(config::parse(CONFIG, &|_: &str| None).expect("a good configuration"))
    }

    fn of(config: Config) -> World {
        let gateway = Gateway::new(config, 7);
        let now = Now::new(1_000_000, 1_700_000_000_000_000);
        let answer = Bytes::from_static(include_bytes!("../../answer.json"));
        let store = MemoryStore::new(0);
        World { gateway, waker: Arc::new(NoWake), now, store, answer, asked: 0, many: 0 }
    }

    fn run_loop(&mut self) {
        self.now.mono_us += 10_000;
        loop {
            match self.gateway.next(self.now) {
                LoopStep::Store { id, op } => {
                    let outcome = self.store.perform(op);
                    self.gateway.done(id, LoopResult::Stored(outcome), self.now);
                }
                LoopStep::Log { id, .. } => self.gateway.done(id, LoopResult::Logged(Ok(())), self.now),
                LoopStep::Fetch { .. } | LoopStep::Cancel { .. } | LoopStep::Read { .. } => {}
                LoopStep::Wait { .. } | LoopStep::Over => return,
            }
        }
    }

    /// One request, begun and asked for its body.
    fn begin(&mut self, body: Bytes) -> Exchange {
        self.begin_with(KEY, body)
    }

    fn begin_with(&mut self, authorization: &str, body: Bytes) -> Exchange {
        self.now.mono_us += 100;
        self.now.wall_us += 100;
        let mut exchange = self.gateway.exchange(self.waker.clone(), 0);
        let head = RequestHead {
            method: "POST",
            target: "/v1/chat/completions",
            headers: &Head(authorization),
            caller: Caller::Http,
        };
        exchange.begin(head);
        assert!(matches!(exchange.next(self.now), Step::ReadCaller { .. }));
        exchange.body(body);
        exchange.body_end();
        exchange
    }

    /// The answer's bytes; `false` if the cache gave it.
    fn chat(&mut self, body: Bytes) -> bool {
        let exchange = self.begin(body);
        self.drive(exchange)
    }

    fn drive(&mut self, mut exchange: Exchange) -> bool {
        let mut asked = false;
        loop {
            match exchange.next(self.now) {
                Step::Send { u, request } => {
                    asked = true;
                    std::hint::black_box(request);
                    exchange.connected(u);
                    exchange.sent(u);
                    exchange.head(u, 200, &AnswerHead(b"application/json"));
                }
                Step::Read { u, .. } => {
                    exchange.data(u, self.answer.clone());
                    exchange.end(u);
                }
                Step::Reply { status, headers, body } => {
                    assert_eq!(status, 200, "{body:?}");
                    std::hint::black_box(headers);
                    exchange.written(body.len());
                }
                // The budget's first lease.
                Step::Wait { .. } => self.run_loop(),
                Step::Done => return asked,
                other => panic!("not expected: {other:?}"),
            }
        }
    }

    /// Chat bodies of 300 bytes, no two alike.
    fn bodies(&mut self, stream: bool, count: usize) -> Vec<Bytes> {
        let many = self.many;
        let body = |number: u64| {
            let model = if many == 0 { "small-chat-1".into() } else { many::model(turn(number, many::models(many))) };
            let mut body = format!(
                r#"{{"model":"{model}","stream":{stream},"temperature":0.7,"user":"u-1","messages":[{{"role":"system","content":"You are a helpful assistant."}},{{"role":"user","content":"Question {number:012}: "#
            );
            let tail = r#""}]}"#;
            body.extend("why is the sky blue? ".chars().cycle().take(300 - tail.len() - body.len()));
            body.push_str(tail);
            Bytes::from(body)
        };
        self.asked += count as u64;
        (self.asked - count as u64..self.asked).map(body).collect()
    }
}

/// Whose turn it is: all have theirs, in no order that a processor could foresee.
fn turn(number: u64, of: usize) -> usize {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % of
}

fn chats(world: &mut World) -> f64 {
    let bodies = world.bodies(false, BATCH);
    let start = cpu_seconds();
    for body in bodies {
        assert!(world.chat(body));
    }
    let spent = cpu_seconds() - start;
    world.run_loop();
    spent
}

fn chats_and_loop(world: &mut World) -> f64 {
    let bodies = world.bodies(false, BATCH);
    let start = cpu_seconds();
    for body in bodies {
        assert!(world.chat(body));
    }
    world.run_loop();
    cpu_seconds() - start
}

fn hits(world: &mut World) -> f64 {
    let body = world.bodies(false, 1).remove(0);
    world.chat(body.clone());
    let bodies = vec![body; BATCH];
    let start = cpu_seconds();
    for body in bodies {
        assert!(!world.chat(body));
    }
    cpu_seconds() - start
}

fn events(in_a_chunk: usize) -> Vec<Bytes> {
    let mut all = Vec::new();
    for number in 0..EVENTS {
        let head =
            r#"{"id":"chatcmpl-9zRk2mQxT4vWb7nYc1LsPfHd","object":"chat.completion.chunk","created":1726000000,"#;
        let body =
            r#""model":"small-chat-1-2026-01-01","system_fingerprint":"fp_0123456789","choices":[{"index":0,"delta":{"#;
        let mut event = format!("data: {head}{body}\"content\":\" {number}");
        let tail = "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
        event.extend(std::iter::repeat_n('w', EVENT_BYTES - event.len() - tail.len()));
        event.push_str(tail);
        all.extend_from_slice(event.as_bytes());
    }
    let all = Bytes::from(all);
    (0..EVENTS / in_a_chunk)
        .map(|at| all.slice(at * in_a_chunk * EVENT_BYTES..(at + 1) * in_a_chunk * EVENT_BYTES))
        .collect()
}

fn stream(world: &mut World, in_a_chunk: usize) -> f64 {
    let end = Bytes::from_static(
        b"data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":70,\"completion_tokens\":1000,\"total_tokens\":1070}}\n\ndata: [DONE]\n\n",
    );
    let mut chunks = events(in_a_chunk).into_iter().chain([end]);
    let body = world.bodies(true, 1).remove(0);
    let mut exchange = world.begin(body);
    let (mut credit, mut emitted) = (0, 0);
    let start = cpu_seconds();
    loop {
        match exchange.next(world.now) {
            Step::Send { u, .. } => {
                exchange.connected(u);
                exchange.sent(u);
                exchange.head(u, 200, &AnswerHead(b"text/event-stream"));
            }
            Step::Read { credit: more, .. } => credit += more,
            Step::Start { .. } => {}
            Step::Emit { bytes } => {
                emitted += bytes.len();
                exchange.written(bytes.len());
            }
            Step::Wait { .. } if credit == 0 => world.run_loop(),
            Step::Wait { .. } => match chunks.next() {
                Some(chunk) => {
                    credit = credit.saturating_sub(chunk.len());
                    exchange.data(0, chunk);
                }
                None => exchange.end(0),
            },
            Step::Finish => {}
            Step::Done => break,
            other => panic!("not expected: {other:?}"),
        }
    }
    let spent = cpu_seconds() - start;
    assert!(emitted >= EVENTS * EVENT_BYTES);
    drop(exchange);
    world.run_loop();
    spent
}
