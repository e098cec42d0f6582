//! One world: a clock, a gateway with its loop, callers, upstreams and a store, on one thread.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hoosh_core::clock::{Now, SECOND};
use hoosh_core::config::Config;
use hoosh_core::exchange::{Exchange, JobResult};
use hoosh_core::gateway::{Gateway, LoopResult};
use hoosh_core::wake::{Wake, Waker};

use crate::agenda::Agenda;
use crate::answer::{Heard, Said};
use crate::caller::{Caller, Path};
use crate::check::{Books, Broken, Invariant, Outcome};
use crate::dice::Dice;
use crate::plan::{Plan, StoreMood};
use crate::store::ScriptedStore;
use crate::tokens::Granted;
use crate::trace::Trace;
use crate::upstream::Script;

/// No exchange of any plan lives longer than this, microseconds: whoever does has lost a wake-up.
const LONGEST_LIFE_US: u64 = 4_000 * SECOND;

/// What happens at a time.
#[derive(Debug)]
pub(crate) enum Event {
    Begin(usize),
    Look(usize),
    Timer(usize, u64),
    CallerSends(usize),
    CallerTakes(usize),
    CallerLeaves(usize),
    Upstream(usize, u32),
    UpstreamTakes(usize, u32),
    Worked(usize, JobResult),
    Loop,
    LoopTimer(u64),
    /// Of which gateway, and of which of its questions.
    LoopDone(u32, u64, LoopResult),
    Crash,
    Close,
    Reload,
    Drain,
    Stop,
    Jump(i64),
    Audit,
}

/// How an attempt stands with the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpState {
    Open,
    Ended,
    Failed,
    Aborted,
}

/// One attempt.
#[derive(Debug)]
pub(crate) struct Up {
    pub script: Script,
    pub credit: usize,
    pub state: UpState,
    /// An event of it is on the agenda.
    pub set: bool,
    /// The exchange was told that the request left, and looked.
    pub reached: bool,
    pub sent: bool,
    /// Its request's body comes in pieces,
    /// Of a streamed body so many bytes were given,
    pub got: usize,
    /// the first of them,
    pub first_bytes: usize,
    /// so many not taken,
    pub untaken: usize,
    /// A part of it is being taken,
    pub takes_set: bool,
    /// and the end came.
    pub body_over: bool,
    /// What came.
    pub body: Vec<u8>,
    /// How long its upstream wishes to be left alone.
    pub wish_us: Option<u64>,
    pub provider: String,
    /// What it was asked with.
    pub secret: Option<String>,
    pub opened_us: u64,
    /// Its answer began well.
    pub answered: bool,
    /// Its answer is 401 or 403.
    pub refused: bool,
    /// So its exchange was told, and has not looked.
    pub refused_told: bool,
    /// Its answer's number.
    pub number: usize,
}

/// One exchange with its caller, as a driver holds it.
#[derive(Debug)]
pub(crate) struct Driven {
    pub caller: Caller,
    pub exchange: Option<Exchange>,
    /// Index of the configuration that it began with.
    pub config: usize,
    pub id: String,
    pub begun_us: u64,
    /// When an upstream was asked first, for it or a child of it.
    pub asked_us: Option<u64>,
    pub steps: u32,
    /// A look is on the agenda.
    pub look_set: bool,
    pub timer: u64,
    /// What the last step said, if it was `Wait`; and how many reloads there had been.
    pub waits: Option<(Option<u64>, usize)>,
    pub spins: u32,
    pub credit: usize,
    pub credit_sum: usize,
    pub sends_set: bool,
    pub given: usize,
    pub body_over: bool,
    pub continued: bool,
    pub takes_set: bool,
    pub taken: usize,
    pub out: Outcome,
    pub ups: Vec<Up>,
    /// When anything was last heard of its attempts, or done about them.
    pub last_up_us: u64,
    pub gone_us: Option<u64>,
    pub done: bool,
    pub dropped: bool,
    /// Its process crashed, or ended as it came: the store may not know of it.
    pub crashed: bool,
    /// No room or going down when it began.
    pub must_refuse: bool,
    /// Whose child it is, and by which handle.
    pub parent: Option<(usize, u32)>,
    /// Children in progress.
    pub children: Vec<usize>,
    /// Children of one that is over.
    pub raised: Vec<usize>,
}

#[derive(Debug)]
struct Bell {
    x: Option<usize>,
    woken: Arc<Mutex<Vec<Option<usize>>>>,
}

impl Wake for Bell {
    fn wake(&self) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).push(self.x);
    }
}

/// A world in progress.
pub struct World {
    pub(crate) dice: Dice,
    pub(crate) plan: Plan,
    pub(crate) now: Now,
    pub(crate) agenda: Agenda<Event>,
    pub(crate) trace: Trace,
    pub(crate) gateway: Arc<Gateway>,
    /// Which of the plan's configurations is in force.
    pub(crate) config: usize,
    pub(crate) xs: Vec<Driven>,
    pub(crate) store: ScriptedStore,
    pub(crate) said: Vec<Said>,
    pub(crate) granted: Vec<Granted>,
    pub(crate) books: Books,
    pub(crate) broken: Option<Broken>,
    pub(crate) seen: BTreeMap<String, u64>,
    pub(crate) loop_set: bool,
    pub(crate) loop_timer: u64,
    woken: Arc<Mutex<Vec<Option<usize>>>>,
    pub(crate) ended: usize,
    pub(crate) draining: bool,
    /// How many gateways there were before.
    pub(crate) generation: u32,
    /// The gateway was told to end its run.
    pub(crate) closing: bool,
    /// And said that it has.
    pub(crate) over: bool,
    /// No caller comes any more.
    pub(crate) settling: bool,
}

impl World {
    /// The world of `seed` with `exchanges` callers, not begun.
    pub fn new(seed: u64, exchanges: usize, words: bool) -> World {
        let mut dice = Dice::new(seed);
        let plan = Plan::draw(&mut dice, exchanges);
        let gateway = Gateway::new(plan.configs[0].clone(), dice.bits());
        let now =
            Now::new(dice.range(SECOND, 1_000 * SECOND), dice.range(1_000, 2_000) as i64 * 1_000_000 * SECOND as i64);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let mut world = World {
            dice,
            plan,
            now,
            agenda: Agenda::default(),
            trace: Trace::new(words),
            gateway,
            config: 0,
            xs: Vec::new(),
            store: ScriptedStore::new(),
            said: Vec::new(),
            granted: Vec::new(),
            books: Books::new(now.mono_us),
            broken: None,
            seen: BTreeMap::new(),
            loop_set: false,
            loop_timer: 0,
            woken,
            ended: 0,
            draining: false,
            generation: 0,
            closing: false,
            over: false,
            settling: false,
        };
        world.populate();
        world
    }

    fn populate(&mut self) {
        self.gateway.set_waker(self.bell(None));
        self.gateway.set_store_lasts(true);
        let start = self.now.mono_us;
        for number in 0..self.plan.exchanges {
            let caller = Caller::draw(&mut self.dice, &self.plan.configs[0], number);
            self.xs.push(Driven::new(caller));
            let at = self.dice.range(0, self.plan.horizon_us);
            self.put(start + at, Event::Begin(number));
            if self.plan.audits > 0 {
                self.put(start + at + self.dice.clone().range(1, 5 * SECOND), Event::Audit);
            }
        }
        for at in self.plan.reloads_us.clone() {
            self.put(start + at, Event::Reload);
        }
        if let Some(at) = self.plan.drain_us {
            self.put(start + at, Event::Drain);
        }
        if let Some(at) = self.plan.stop_us {
            self.put(start + at, Event::Stop);
        }
        for (at, orderly) in self.plan.restarts.clone() {
            self.put(start + at, if orderly { Event::Close } else { Event::Crash });
        }
        for (at, by) in self.plan.jumps.clone() {
            self.put(start + at, Event::Jump(by));
        }
        self.look_loop();
    }

    /// Runs to the end, or to the first thing that must not be.
    pub fn run(&mut self) {
        while self.broken.is_none() && self.ended < self.xs.len() {
            if !self.step() {
                self.stuck("nothing is on the agenda any more");
            }
        }
        if self.broken.is_none() {
            self.settle();
        }
    }

    /// All exchanges are over: the store recovers, the loop books what is left and ends the run, and the books are closed.
    fn settle(&mut self) {
        self.settling = true;
        self.plan.store = StoreMood { fails: 0, silent: 0, late: 0, twice: 20 };
        // Reservations that nobody reports expire in this time.
        self.step_while(|world| world.gateway.budgets().iter().any(|(_, pool)| pool.reserved > 0));
        self.closing = true;
        self.gateway.close();
        self.ring();
        self.step_while(|world| !world.over);
        if self.broken.is_none() {
            self.check_end();
        }
    }

    /// For a minute at most.
    fn step_while(&mut self, waits: impl Fn(&World) -> bool) {
        let until = self.now.mono_us + 60 * SECOND;
        while self.broken.is_none() && self.now.mono_us < until && waits(self) && self.step() {}
    }

    fn step(&mut self) -> bool {
        let Some((at_us, event)) = self.agenda.pop() else { return false };
        let past = at_us.saturating_sub(self.now.mono_us);
        self.now = Now::new(at_us.max(self.now.mono_us), self.now.wall_us + past as i64);
        self.trace.mix(at_us);
        self.happen(event);
        self.ring();
        self.check_always();
        if let Some(x) = self.xs.iter().position(|x| x.is_late(at_us)) {
            self.fail(Invariant::Wakes, Some(x), "it lives longer than any of its deadlines allows".into());
        }
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Begin(x) => self.begin(x),
            Event::Look(x) => self.look(x),
            Event::Timer(x, timer) if self.xs[x].timer == timer => self.look_soon(x),
            Event::CallerSends(x) => self.caller_sends(x),
            Event::CallerTakes(x) => self.caller_takes(x),
            Event::CallerLeaves(x) => self.caller_leaves(x),
            Event::Upstream(x, u) => self.upstream_acts(x, u),
            Event::UpstreamTakes(x, u) => self.upstream_takes(x, u),
            Event::Worked(x, result) => self.worked(x, result),
            Event::Loop => self.look_at_loop(),
            Event::LoopTimer(timer) if self.loop_timer == timer => self.look_loop(),
            Event::LoopDone(generation, id, result) if generation == self.generation => self.loop_done(id, result),
            Event::Crash if !self.settling => self.crash(),
            Event::Close if !self.closing && !self.settling => self.close(),
            Event::Reload => self.reload(),
            Event::Drain => {
                self.note(None, || "drain".into());
                self.draining = true;
                self.gateway.drain();
            }
            Event::Stop => {
                self.note(None, || "stop".into());
                self.gateway.stop();
                (0..self.xs.len())
                    .filter(|x| self.xs[*x].exchange.is_some())
                    .collect::<Vec<_>>()
                    .into_iter()
                    .for_each(|x| self.look_soon(x));
            }
            Event::Jump(by) => {
                self.note(None, || format!("the wall clock jumps by {} s", by / 1_000_000));
                self.now.wall_us += by;
            }
            Event::Audit => self.audit(),
            Event::Timer(..) | Event::LoopTimer(_) | Event::LoopDone(..) | Event::Crash | Event::Close => {}
        }
    }

    fn reload(&mut self) {
        self.config += 1;
        let config = self.plan.configs[self.config].clone();
        self.note(None, || format!("reload: {}", crate::check::describe(&config)));
        self.gateway.reload(config, self.now);
        // Who was taken out and comes back begins anew.
        self.books.asked_us.clear();
        self.books.health = Default::default();
    }

    /// Brings every wake so far onto the agenda.
    fn ring(&mut self) {
        let woken = std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner));
        for bell in woken {
            self.trace.mix(bell.map_or(u64::MAX, |x| x as u64));
            match bell {
                // A child has its parent's waker.
                Some(x) => {
                    self.look_soon(x);
                    self.xs[x].children.clone().into_iter().for_each(|child| self.look_soon(child));
                }
                None => self.look_loop(),
            }
        }
    }

    pub(crate) fn bell(&self, x: Option<usize>) -> Waker {
        Arc::new(Bell { x, woken: self.woken.clone() })
    }

    pub(crate) fn put(&mut self, at_us: u64, event: Event) {
        let tie = self.dice.bits() as u32;
        self.agenda.put(at_us, tie, event);
    }

    /// Puts `event` down for `delay_us` from now.
    pub(crate) fn after(&mut self, delay_us: u64, event: Event) {
        self.put(self.now.mono_us + delay_us, event);
    }

    pub(crate) fn lag(&mut self) -> u64 {
        self.dice.range(0, self.plan.lag_us)
    }

    pub(crate) fn look_soon(&mut self, x: usize) {
        if !std::mem::replace(&mut self.xs[x].look_set, true) {
            let lag = self.lag();
            self.after(lag, Event::Look(x));
        }
    }

    pub(crate) fn look_loop(&mut self) {
        if !std::mem::replace(&mut self.loop_set, true) {
            let lag = self.lag();
            self.after(lag, Event::Loop);
        }
    }

    pub(crate) fn note(&mut self, x: Option<usize>, words: impl FnOnce() -> String) {
        self.trace.line(self.now.mono_us, x, words);
    }

    pub(crate) fn count(&mut self, what: &str) {
        if let Some(count) = self.seen.get_mut(what) {
            *count += 1;
        } else {
            self.seen.insert(what.into(), 1);
        }
    }

    /// The configuration that exchange `x` began with.
    pub(crate) fn pinned(&self, x: usize) -> &Config {
        &self.plan.configs[self.xs[x].config]
    }

    fn stuck(&mut self, words: &str) {
        let x = self.xs.iter().position(|x| x.exchange.is_some());
        self.fail(Invariant::Wakes, x, format!("{words}, and it is not over"));
    }

    /// Records the first thing that must not be.
    pub(crate) fn fail(&mut self, invariant: Invariant, x: Option<usize>, words: String) {
        self.note(x, || format!("BROKEN: {invariant}: {words}"));
        if self.broken.is_none() {
            self.broken = Some(Broken { invariant, x, words });
        }
    }
}

impl Driven {
    pub(crate) fn new(caller: Caller) -> Driven {
        Driven {
            caller,
            exchange: None,
            config: 0,
            id: String::new(),
            begun_us: 0,
            asked_us: None,
            steps: 0,
            look_set: false,
            timer: 0,
            waits: None,
            spins: 0,
            credit: 0,
            credit_sum: 0,
            sends_set: false,
            given: 0,
            body_over: false,
            continued: false,
            takes_set: false,
            taken: 0,
            out: Outcome::default(),
            ups: Vec::new(),
            last_up_us: 0,
            gone_us: None,
            done: false,
            dropped: false,
            crashed: false,
            must_refuse: false,
            parent: None,
            children: Vec::new(),
            raised: Vec::new(),
        }
    }

    fn is_late(&self, now_us: u64) -> bool {
        self.exchange.is_some() && now_us > self.begun_us + LONGEST_LIFE_US
    }

    /// Whether what it got of a stream has words in it.
    pub(crate) fn heard_words(&self) -> bool {
        let heard = match self.caller.neutral {
            true => Heard::neutral(&self.out.pieces),
            false => Heard::stream(&self.out.bytes),
        };
        !heard.words.is_empty()
    }

    /// Bytes given to the transport and not taken by the caller.
    pub(crate) fn unwritten(&self) -> usize {
        self.out.bytes.len() - self.taken
    }

    /// Whether it is recorded only where it fails.
    pub(crate) fn is_routine(&self) -> bool {
        matches!(self.caller.path, Path::Other("/v1/health" | "/metrics"))
    }

    /// The caller sent all of its body, and nothing in it is wrong.
    pub(crate) fn is_body_whole(&self) -> bool {
        self.given == self.caller.body.len() && self.caller.flaw == crate::caller::Flaw::None
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone_us.is_some()
    }
}
