//! Where calls for one model arrive and wait, between the threads that bring them and the one that computes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hoosh_core::engine::Refusal;
use hoosh_core::sync::{lock, Mutex, MutexGuard};
use std::sync::Condvar;

use super::call::{Call, Prepared};
use super::job::Job;
use super::line::Line;
use super::outbox::Outlet;
use super::vectors::Inputs;

/// What holds for one model's calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Calls that wait at most.
    pub(crate) queue: usize,
    /// Sequences at once.
    pub(crate) max_sequences: usize,
    /// How long a model stays in memory that nobody asks.
    pub(crate) idle_unload: Option<Duration>,
}

/// Where the calls of one model in memory arrive. It lives as long as the model does.
pub(crate) struct Desk {
    bounds: Bounds,
    inner: Mutex<Inner>,
    /// A call arrived, or nothing will any more: for the reader.
    arrived: Condvar,
    /// There may be something to do: for the model.
    work: Condvar,
    /// The phase or the progress changed: for those who wait for the model.
    changed: Condvar,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Phase {
    /// Bytes read, of all.
    Loading(u64, u64),
    Ready,
    /// Nothing is taken any more. With what went wrong, if something did.
    Closed(Option<String>),
}

struct Inner {
    phase: Phase,
    arrivals: VecDeque<Call>,
    /// Calls that the reader is reading.
    reading: usize,
    line: Line,
    /// Calls in slots.
    running: usize,
    /// Something happened since the model looked last.
    nudged: bool,
    /// The memory is wanted.
    closing: bool,
    pace: Pace,
}

/// How long calls take, by those that ended.
#[derive(Default)]
struct Pace {
    seconds: Option<f64>,
}

impl Pace {
    fn learn(&mut self, seconds: f64) {
        // A fifth of each: after ten calls the first ones hardly count.
        self.seconds = Some(self.seconds.map_or(seconds, |old| old + (seconds - old) / 5.0));
    }
}

/// How many calls are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Busy {
    /// Not read yet.
    pub arriving: usize,
    /// In line for a slot.
    pub waiting: usize,
    /// In slots.
    pub answered: usize,
}

/// What the model is to do when it has waited.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wakeup {
    Look,
    /// Let the memory go: nobody is answered, and nobody waits.
    Close,
}

impl Desk {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let inner = Inner {
            phase: Phase::Loading(0, 0),
            arrivals: VecDeque::new(),
            reading: 0,
            line: Line::default(),
            running: 0,
            nudged: false,
            closing: false,
            pace: Pace::default(),
        };
        Desk {
            bounds,
            inner: Mutex::new(inner),
            arrived: Condvar::new(),
            work: Condvar::new(),
            changed: Condvar::new(),
        }
    }

    /// Takes a call, or refuses it if too many wait. `Err`: the model is going, and another has to be loaded.
    pub(crate) fn submit(&self, call: Call) -> Result<(), Box<Call>> {
        let mut inner = lock(&self.inner);
        if matches!(inner.phase, Phase::Closed(_)) {
            return Err(Box::new(call));
        }
        let waiting = inner.waiting();
        if waiting >= self.bounds.queue {
            inner.line.drop_left();
            inner.arrivals.retain(|call| !call.outlet.is_left());
        }
        if inner.waiting() >= self.bounds.queue {
            let refusal = self.full(&inner);
            drop(inner);
            call.outlet.refuse(refusal);
            return Ok(());
        }
        inner.arrivals.push_back(call);
        drop(inner);
        self.arrived.notify_one();
        Ok(())
    }

    fn full(&self, inner: &Inner) -> Refusal {
        let waiting = inner.waiting();
        // Each slot ends a call in so many seconds; all who wait come first.
        let seconds = inner.pace.seconds.unwrap_or(1.0) * (waiting + 1) as f64 / self.bounds.max_sequences as f64;
        Refusal {
            status: 503,
            code: "engine_full",
            message: format!("{waiting} calls wait for this model already; come again later"),
            retry_after_secs: Some(seconds.ceil().clamp(1.0, 600.0) as u32),
        }
    }

    /// Reads calls by `prepare`, which answers those that it finds wrong, until the model is gone.
    pub(crate) fn read_calls(&self, prepare: impl Fn(Call) -> Option<Job>) {
        while let Some(call) = self.next_arrival() {
            // A call that makes the reader panic fails alone: its outlet says so when it is dropped.
            let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| prepare(call)));
            // One that came too late is dropped without the lock: its reader is woken, and hears that the model stopped.
            let too_late = lock(&self.inner).line_up(read.ok().flatten());
            drop(too_late);
            self.work.notify_one();
        }
    }

    fn next_arrival(&self) -> Option<Call> {
        let mut inner = lock(&self.inner);
        loop {
            if matches!(inner.phase, Phase::Closed(_)) {
                return None;
            }
            if let Some(call) = inner.arrivals.pop_front() {
                inner.reading += 1;
                return Some(call);
            }
            inner = wait(&self.arrived, inner);
        }
    }

    /// The next call of a decoder that can start by `fits`.
    pub(crate) fn next_call(&self, fits: impl FnOnce(&Prepared) -> bool) -> Option<Prepared> {
        self.next_job(|job| matches!(job, Job::Text(call) if fits(call)))?.text()
    }

    /// The next call of an encoder that can start by `fits`.
    pub(crate) fn next_vectors(&self, fits: impl FnOnce(&Inputs) -> bool) -> Option<Inputs> {
        self.next_job(|job| matches!(job, Job::Vectors(call) if fits(call)))?.vectors()
    }

    fn next_job(&self, fits: impl FnOnce(&Job) -> bool) -> Option<Job> {
        let mut inner = lock(&self.inner);
        inner.line.drop_left();
        let call = inner.line.pop_if(fits)?;
        inner.running += 1;
        Some(call)
    }

    /// A call that took a slot has left it.
    pub(crate) fn ended(&self, took: Duration) {
        let mut inner = lock(&self.inner);
        inner.running -= 1;
        inner.pace.learn(took.as_secs_f64());
    }

    /// Waits until there may be something to do. `since`: when the model was last asked something, if it is idle now.
    pub(crate) fn wait(&self, idle_since: Option<Instant>) -> Wakeup {
        let mut inner = lock(&self.inner);
        loop {
            if std::mem::take(&mut inner.nudged) {
                return Wakeup::Look;
            }
            let left = match (idle_since, self.bounds.idle_unload) {
                (Some(since), Some(patience)) => Some(patience.saturating_sub(since.elapsed())),
                _ => None,
            };
            let is_due = inner.closing || left == Some(Duration::ZERO);
            if idle_since.is_some() && is_due && inner.waiting() == 0 {
                inner.phase = Phase::Closed(None);
                drop(inner);
                self.tell_all();
                return Wakeup::Close;
            }
            inner = match left.filter(|left| !left.is_zero()) {
                Some(left) => wait_for(&self.work, inner, left),
                None => wait(&self.work, inner),
            };
        }
    }

    /// There may be something to do.
    pub(crate) fn nudge(&self) {
        lock(&self.inner).nudged = true;
        self.work.notify_one();
    }

    /// Asks the model to go as soon as nobody is answered and nobody waits. Says whether it is in memory.
    pub(crate) fn close_when_idle(&self) -> bool {
        let mut inner = lock(&self.inner);
        if matches!(inner.phase, Phase::Closed(_)) {
            return false;
        }
        inner.closing = true;
        drop(inner);
        self.work.notify_one();
        true
    }

    pub(crate) fn busy(&self) -> Busy {
        let inner = lock(&self.inner);
        Busy { arriving: inner.arrivals.len() + inner.reading, waiting: inner.line.len(), answered: inner.running }
    }

    /// Whether nobody is answered and nobody waits.
    pub(crate) fn is_idle(&self) -> bool {
        let inner = lock(&self.inner);
        inner.phase == Phase::Ready && inner.running == 0 && inner.waiting() == 0
    }

    /// Whether the model is in memory and takes calls.
    pub(crate) fn is_ready(&self) -> bool {
        lock(&self.inner).phase == Phase::Ready
    }

    /// Whether it takes no calls any more.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(lock(&self.inner).phase, Phase::Closed(_))
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        lock(&self.inner).phase = phase;
        self.changed.notify_all();
    }

    /// Closes because something went wrong. All who wait hear `end`.
    pub(crate) fn close(&self, why: &str, end: impl Fn(&Outlet)) {
        let mut inner = lock(&self.inner);
        inner.phase = Phase::Closed(Some(why.to_owned()));
        let arrivals = std::mem::take(&mut inner.arrivals);
        let waiting: Vec<Job> = inner.line.drain().collect();
        drop(inner);
        arrivals.iter().map(|call| &call.outlet).chain(waiting.iter().map(Job::outlet)).for_each(end);
        self.tell_all();
    }

    fn tell_all(&self) {
        self.arrived.notify_all();
        self.changed.notify_all();
    }

    /// Waits until the model is in memory, or it is known that it will not be.
    pub(crate) fn wait_loaded(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<(), String> {
        let mut inner = lock(&self.inner);
        let mut told = None;
        loop {
            match inner.phase.clone() {
                Phase::Ready => return Ok(()),
                Phase::Closed(why) => return Err(why.unwrap_or_else(|| "the model was unloaded again".to_owned())),
                Phase::Loading(done, all) if all > 0 && told != Some(done) => {
                    told = Some(done);
                    drop(inner);
                    progress(done, all);
                    inner = lock(&self.inner);
                }
                Phase::Loading(..) => inner = wait(&self.changed, inner),
            }
        }
    }
}

impl Inner {
    fn waiting(&self) -> usize {
        self.arrivals.len() + self.reading + self.line.len()
    }

    /// Puts a call that was read in the line; or gives it back, if the model is gone.
    fn line_up(&mut self, call: Option<Job>) -> Option<Job> {
        self.reading -= 1;
        self.nudged = true;
        if matches!(self.phase, Phase::Closed(_)) {
            return call;
        }
        if let Some(call) = call {
            self.line.push(call);
        }
        None
    }
}

fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condition.wait(guard).unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn wait_for<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>, time: Duration) -> MutexGuard<'a, T> {
    condition.wait_timeout(guard, time).unwrap_or_else(|poisoned| poisoned.into_inner()).0
}
