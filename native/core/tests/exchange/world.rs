//! A driver made of function calls.

use std::sync::Arc;

use bytes::Bytes;
use hoosh_core::clock::Now;
use hoosh_core::config::{self, Config, CredentialSource, Secret};
use hoosh_core::exchange::{Caller, Exchange, RequestHead, Step, UpstreamId};
use hoosh_core::gateway::{Gateway, LoopResult, LoopStep};
use hoosh_core::http::{Headers, UpstreamRequest};
use hoosh_core::ledger::Row;
use hoosh_core::store::{MemoryStore, Op, Outcome, Store};
use hoosh_core::wake::{NoWake, Waker};

pub const ONE: &str = r#"
[[providers]]
name = "one"
type = "openai_compatible"
base_url = "http://127.0.0.1:1/v1"
models = ["m"]
"#;

pub const TWO: &str = r#"
[[providers]]
name = "one"
type = "openai_compatible"
base_url = "http://127.0.0.1:1/v1"
models = ["m"]
priority = 1
[[providers]]
name = "two"
type = "openai_compatible"
base_url = "http://127.0.0.1:2/v1"
models = ["m"]
priority = 2
"#;

pub const GUARDED: &str = r#"
[auth]
tokens = ["secret"]
[[budgets]]
name = "default"
capacity = 300
[[providers]]
name = "one"
type = "openai_compatible"
base_url = "http://127.0.0.1:1/v1"
models = ["m"]
"#;

pub const CACHED: &str = r#"
[cache]
enabled = true
mode = "always"
[[providers]]
name = "one"
type = "openai_compatible"
base_url = "http://127.0.0.1:1/v1"
models = ["m"]
"#;

/// Two engines of this process, the first asked first.
pub const ENGINES: &str = r#"
[deadlines]
idle_secs = 1
first_byte_secs = 60
[[providers]]
name = "first"
type = "engine"
models = ["m"]
priority = 1
[[providers]]
name = "second"
type = "engine"
models = ["m"]
priority = 2
"#;

pub struct World {
    pub gateway: Arc<Gateway>,
    pub key: Option<&'static str>,
    /// `cache-control` of the requests from now on.
    pub control: Option<&'static str>,
    pub now: Now,
    /// Of the exchanges from now on.
    pub waker: Waker,
    /// Every line that was logged.
    pub log: String,
    /// What each file and command says that a credential is read from; else why it does not.
    pub said: Result<String, String>,
    /// From where credentials were read again, and when, in seconds since the start.
    pub readings: Vec<(u64, CredentialSource)>,
    /// Readings are not answered, but stand in `held`.
    pub holds: bool,
    pub held: Vec<u64>,
    pub cancelled: Vec<u64>,
    pub mood: Mood,
    /// What a silent store was asked.
    pub unanswered: Vec<(u64, Op)>,
    store: MemoryStore,
}

/// What becomes of what a store is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Well,
    Fails,
    Silent,
}

pub struct Call {
    pub exchange: Exchange,
    body: Option<Bytes>,
    credit: usize,
    waiting: bool,
}

pub struct Reply {
    pub status: u16,
    headers: Headers,
    pub body: Bytes,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| &n[..] == name.as_bytes())?;
        std::str::from_utf8(&found.1).ok()
    }

    /// Status, `retry-after`, and the error's code.
    pub fn error(&self) -> (u16, Option<&str>, String) {
        let body = String::from_utf8_lossy(&self.body);
        let code = body.rsplit_once("\"code\":\"").and_then(|(_, rest)| rest.split_once('"'));
        (self.status, self.header("retry-after"), code.map_or(String::new(), |(code, _)| code.to_string()))
    }
}

impl World {
    pub fn new(text: &str) -> World {
        World::hooked(text, &[])
    }

    /// With callables between the gateway and these providers.
    pub fn hooked(text: &str, names: &[&str]) -> World {
        World::of(config::parse(text, &|_: &str| None).unwrap().hooked(names.iter().copied()).unwrap())
    }

    pub fn of(config: Config) -> World {
        let mut world = World::before_its_loop(config);
        world.run_loop();
        world
    }

    /// One whose loop took no step yet.
    pub fn before_its_loop(config: Config) -> World {
        let gateway = Gateway::new(config, 7);
        World {
            gateway,
            key: None,
            control: None,
            now: Now::new(1_000_000, 1_700_000_000_000_000),
            waker: Arc::new(NoWake),
            log: String::new(),
            said: Err("no files here".into()),
            readings: Vec::new(),
            holds: false,
            held: Vec::new(),
            cancelled: Vec::new(),
            mood: Mood::Well,
            unanswered: Vec::new(),
            store: MemoryStore::new(20_000),
        }
    }

    /// With a store that outlives the process.
    pub fn lasting(text: &str) -> World {
        let mut world = World::new(text);
        world.gateway.set_store_lasts(true);
        world.run_loop();
        world
    }

    /// The process is gone in this instant, and another has its store.
    pub fn restart(&mut self, text: &str) {
        self.gateway = Gateway::new(config::parse(text, &|_: &str| None).unwrap(), 8);
        self.gateway.set_store_lasts(true);
        self.run_loop();
    }

    /// The store does what it was asked while it was silent; what it says comes later, through [`Self::deliver`].
    pub fn perform_late(&mut self) -> Vec<(u64, Outcome)> {
        let unanswered = std::mem::take(&mut self.unanswered);
        unanswered.into_iter().map(|(id, op)| (id, self.store.perform(op))).collect()
    }

    pub fn deliver(&self, answers: Vec<(u64, Outcome)>) {
        answers.into_iter().for_each(|(id, outcome)| self.gateway.done(id, LoopResult::Stored(outcome), self.now));
    }

    /// Both at once.
    pub fn answer_late(&mut self) {
        let answers = self.perform_late();
        self.deliver(answers);
    }

    /// A new configuration, now.
    pub fn reload(&mut self, text: &str) {
        self.gateway.reload(config::parse(text, &|_: &str| None).unwrap(), self.now);
    }

    /// Lets the gateway's loop do its work; nothing answers fetches.
    pub fn run_loop(&mut self) {
        loop {
            match self.gateway.next(self.now) {
                LoopStep::Store { id, op } if self.mood == Mood::Silent => self.unanswered.push((id, op)),
                LoopStep::Store { id, op } => {
                    let outcome = match self.mood {
                        Mood::Fails => Outcome::Failed("scripted".into()),
                        _ => self.store.perform(op),
                    };
                    self.gateway.done(id, LoopResult::Stored(outcome), self.now);
                }
                LoopStep::Fetch { id, .. } => {
                    self.gateway.done(id, LoopResult::Fetched(Err("no network here".into())), self.now);
                }
                LoopStep::Read { id, source } => {
                    self.readings.push((self.now.mono_us / 1_000_000 - 1, source));
                    match self.holds {
                        true => self.held.push(id),
                        false => self.gateway.done(id, LoopResult::Read(self.said.clone().map(Secret::new)), self.now),
                    }
                }
                LoopStep::Cancel { id } => self.cancelled.push(id),
                LoopStep::Log { id, lines, .. } => {
                    self.log.push_str(std::str::from_utf8(&lines).unwrap());
                    self.gateway.done(id, LoopResult::Logged(Ok(())), self.now);
                }
                LoopStep::Wait { .. } | LoopStep::Over => return,
            }
        }
    }

    /// Monotonic microseconds.
    pub fn now_us(&self) -> u64 {
        self.now.mono_us
    }

    pub fn pass_seconds(&mut self, seconds: u64) {
        self.now.mono_us += seconds * 1_000_000;
        self.run_loop();
    }

    pub fn rows(&mut self) -> Vec<Row> {
        self.now.mono_us += 10_000;
        self.run_loop();
        self.store.rows().cloned().collect()
    }

    /// Request records that the store has; see [`Self::rows`] for what comes before.
    pub fn requests(&mut self) -> Vec<Row> {
        self.store.requests().cloned().collect()
    }

    pub fn pass(&mut self, us: u64) {
        self.now.mono_us += us;
    }

    pub fn begin(&self, method: &str, target: &str, body: Option<&str>) -> Call {
        self.begin_with(method, target, body, &[])
    }

    pub fn begin_with(&self, method: &str, target: &str, body: Option<&str>, more: &[(&str, &str)]) -> Call {
        let json = [("content-type", "application/json")];
        self.begin_as(method, target, &[&json, more].concat(), body.map(str::as_bytes))
    }

    /// With these headers, and the key.
    pub fn begin_as(&self, method: &str, target: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Call {
        let mut headers: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        headers.extend(self.key.map(|key| ("authorization".to_string(), format!("Bearer {key}"))));
        headers.extend(self.control.map(|control| ("cache-control".to_string(), control.to_string())));
        let mut exchange = self.gateway.exchange(self.waker.clone(), 0);
        exchange.begin(RequestHead { method, target, headers: &headers, caller: Caller::Http });
        Call { exchange, body: body.map(Bytes::copy_from_slice), credit: 0, waiting: false }
    }

    pub fn post(&self, target: &str, body: &str) -> Call {
        self.begin("POST", target, Some(body))
    }

    /// A chat from its head to its end. Its upstream says `answer`, if it is asked.
    pub fn chat(&mut self, body: &str, answer: &str) -> Reply {
        let mut call = self.post("/v1/chat/completions", body);
        let mut step = call.step(self);
        if let Step::Send { u, .. } = step {
            call.exchange.connected(u);
            call.exchange.sent(u);
            call.answer(u, 200, "application/json", answer);
            step = call.step(self);
        }
        let reply = call.take_reply(step);
        call.over(self);
        reply
    }

    pub fn get(&mut self, target: &str) -> Reply {
        self.ask("GET", target)
    }

    /// The value of a metric, by its name and labels as they stand in the exposition.
    pub fn metric(&mut self, name: &str) -> String {
        let page = self.gateway.render_metrics();
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or("none").to_string()
    }

    /// A request without a body.
    pub fn ask(&mut self, method: &str, target: &str) -> Reply {
        self.ask_with(method, target, &[])
    }

    pub fn get_with(&mut self, target: &str, headers: &[(&str, &str)]) -> Reply {
        self.ask_with("GET", target, headers)
    }

    pub fn ask_with(&mut self, method: &str, target: &str, headers: &[(&str, &str)]) -> Reply {
        let mut call = self.begin_with(method, target, None, headers);
        let reply = call.reply(self);
        call.over(self);
        reply
    }
}

impl Call {
    /// The next step that a test wants to see. Plain plumbing is done here; time passes while it waits.
    pub fn step(&mut self, world: &mut World) -> Step {
        for _ in 0..100 {
            match self.exchange.next(world.now) {
                Step::ReadCaller { .. } => {
                    self.exchange.body(self.body.take().unwrap_or_default());
                    self.exchange.body_end();
                }
                Step::Read { credit, .. } => self.credit += credit,
                Step::Work { job } => self.exchange.worked(job.run()),
                Step::Abort { .. } => {}
                Step::Wait { until_us } => {
                    world.run_loop();
                    if self.waiting {
                        world.now.mono_us = until_us.expect("an exchange waits for ever");
                    }
                    self.waiting = !self.waiting;
                    continue;
                }
                step => {
                    self.waiting = false;
                    return step;
                }
            }
            self.waiting = false;
        }
        panic!("an exchange makes no progress")
    }

    pub fn sent(&mut self, world: &mut World) -> (UpstreamId, UpstreamRequest) {
        match self.step(world) {
            Step::Send { u, request } => {
                self.exchange.connected(u);
                self.exchange.sent(u);
                (u, request)
            }
            other => panic!("not sent: {other:?}"),
        }
    }

    /// Runs to the call of an engine, which stands at once.
    pub fn called(&mut self, world: &mut World) -> UpstreamId {
        match self.step(world) {
            Step::Call { u, .. } => {
                self.exchange.connected(u);
                u
            }
            other => panic!("not called: {other:?}"),
        }
    }

    /// What it waits for, once all that can be done is.
    pub fn waits(&mut self, world: &mut World) -> Option<u64> {
        loop {
            match self.exchange.next(world.now) {
                Step::Wait { until_us } => return until_us.map(|at| at - world.now.mono_us),
                Step::Done => panic!("it is over"),
                _ => {}
            }
        }
    }

    /// The next step, whatever it is; the body is handed over.
    pub fn step_by_hand(&mut self, world: &World) -> Step {
        let step = self.exchange.next(world.now);
        if let Step::ReadCaller { .. } = step {
            self.exchange.body(self.body.take().unwrap_or_default());
            self.exchange.body_end();
        }
        step
    }

    /// The first step of one of these names.
    pub fn first_of(&mut self, world: &mut World, names: &[&str]) -> Step {
        loop {
            let step = self.step_by_hand(world);
            assert!(!matches!(step, Step::Wait { .. } | Step::Done), "none of {names:?} came");
            if names.iter().any(|name| format!("{step:?}").starts_with(name)) {
                return step;
            }
        }
    }

    /// Whether it is answered without an upstream.
    pub fn is_hit(&mut self, world: &mut World) -> bool {
        matches!(self.first_of(world, &["Send", "Call", "Reply", "Start"]), Step::Reply { .. } | Step::Start { .. })
    }

    /// Takes what there is for the caller, until the exchange waits or is over.
    pub fn take_all(&mut self, world: &mut World) {
        loop {
            match self.exchange.next(world.now) {
                Step::Emit { bytes } => self.exchange.written(bytes.len()),
                Step::Work { job } => self.exchange.worked(job.run()),
                Step::Wait { .. } | Step::Done => return,
                _ => {}
            }
        }
    }

    pub fn partial(&mut self, u: UpstreamId, status: u16, kind: &str, body: &(impl AsRef<[u8]> + ?Sized)) {
        self.exchange.head(u, status, &vec![("content-type", kind)]);
        self.exchange.data(u, Bytes::copy_from_slice(body.as_ref()));
    }

    pub fn answer(&mut self, u: UpstreamId, status: u16, kind: &str, body: &(impl AsRef<[u8]> + ?Sized)) {
        self.partial(u, status, kind, body);
        self.exchange.end(u);
    }

    /// Answers with an error status, and these headers.
    pub fn refuse(&mut self, u: UpstreamId, status: u16, headers: &[(&str, &str)]) {
        self.exchange.head(u, status, &headers.to_vec());
        self.exchange.end(u);
    }

    pub fn reply(&mut self, world: &mut World) -> Reply {
        let step = self.step(world);
        self.take_reply(step)
    }

    pub fn take_reply(&mut self, step: Step) -> Reply {
        match step {
            Step::Reply { status, headers, body } => {
                self.exchange.written(body.len());
                Reply { status, headers, body }
            }
            other => panic!("no reply: {other:?}"),
        }
    }

    pub fn stream(&mut self, world: &mut World) -> String {
        let mut out = Vec::new();
        match self.step(world) {
            Step::Start { status: 200, .. } => {}
            other => panic!("no start: {other:?}"),
        }
        loop {
            match self.step(world) {
                Step::Emit { bytes } => {
                    self.exchange.written(bytes.len());
                    out.extend_from_slice(&bytes);
                }
                Step::Finish => return String::from_utf8(out).unwrap(),
                other => panic!("not in a stream: {other:?}"),
            }
        }
    }

    pub fn children(&mut self, world: &mut World) -> Vec<(u32, Call)> {
        let mut children = Vec::new();
        loop {
            match self.exchange.next(world.now) {
                Step::ReadCaller { .. } => {
                    self.exchange.body(self.body.take().unwrap_or_default());
                    self.exchange.body_end();
                }
                Step::Child { c, exchange } => {
                    children.push((c, Call { exchange: *exchange, body: None, credit: 0, waiting: false }));
                }
                Step::Wait { .. } => return children,
                other => panic!("no child: {other:?}"),
            }
        }
    }

    /// Takes steps until the exchange waits; whether it opened an upstream meanwhile.
    pub fn pump(&mut self, world: &mut World) -> bool {
        let mut sent = false;
        loop {
            match self.exchange.next(world.now) {
                Step::ReadCaller { .. } => {
                    self.exchange.body(self.body.take().unwrap_or_default());
                    self.exchange.body_end();
                }
                Step::Wait { .. } => return sent,
                Step::Work { job } => self.exchange.worked(job.run()),
                step => sent |= matches!(step, Step::Send { .. }),
            }
        }
    }

    pub fn until(&mut self, world: &mut World, wanted: impl Fn(&Step) -> bool) -> bool {
        loop {
            match self.exchange.next(world.now) {
                step if wanted(&step) => return true,
                Step::Wait { .. } | Step::Done => return false,
                _ => {}
            }
        }
    }

    pub fn over(&mut self, world: &mut World) {
        match self.step(world) {
            Step::Done => {}
            other => panic!("not over: {other:?}"),
        }
    }
}
