//! An open loop: requests begin at a fixed rate, whatever comes back.
//!
//! Each is timed from when it was to begin, also where it had to wait for a connection that a late answer kept busy: who
//! leaves those waits out ("coordinated omission") measures a slow server by how few requests he sends it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::closed::ask;
use crate::events::Events;
use crate::requests::Requests;
use crate::tally::Tally;

/// What may still be answered after the end before it counts as unanswered.
const GRACE: Duration = Duration::from_secs(3);

pub struct Plan {
    pub rate: f64,
    /// At most so many at once; they are opened when they are first needed.
    pub connections: usize,
    /// What begins in this time is not counted.
    pub warm: Duration,
    pub span: Duration,
    /// Gaps drawn as between independent callers, in place of equal ones.
    pub poisson: bool,
}

/// What is to begin and has no connection yet, and the callers that have nothing to do.
#[derive(Default)]
struct Turns {
    due: VecDeque<Instant>,
    idle: Vec<Waker>,
    ended: bool,
}

struct Shared {
    turns: Mutex<Turns>,
    tally: Mutex<Tally>,
}

pub async fn run(requests: Arc<Requests>, plan: Plan) -> io::Result<(Tally, Duration)> {
    let shared = Arc::new(Shared { turns: Mutex::default(), tally: Mutex::default() });
    let counted = Instant::now() + plan.warm;
    let callers: Vec<_> =
        (0..plan.connections).map(|_| tokio::spawn(call(requests.clone(), shared.clone(), counted))).collect();
    let begun = pace(&shared, &plan, counted).await?;
    let last = tokio::time::Instant::now() + GRACE;
    for caller in callers {
        let abort = caller.abort_handle();
        if tokio::time::timeout_at(last, caller).await.is_err() {
            abort.abort();
        }
    }
    let mut tally = std::mem::take(&mut *held(&shared.tally));
    tally.unanswered(begun.saturating_sub(tally.answers + tally.failed()));
    Ok((tally, plan.span))
}

/// Gives out turns when they are due; how many of them count.
async fn pace(shared: &Shared, plan: &Plan, counted: Instant) -> io::Result<u64> {
    let clock = Clock::new()?;
    let end = counted + plan.span;
    let mut gaps = Gaps { mean: 1.0 / plan.rate, state: plan.poisson.then_some(0x9E37_79B9_7F4A_7C15) };
    let (mut due, mut begun) = (Instant::now(), 0);
    while due < end {
        let now = Instant::now();
        if due > now {
            clock.wait(due - now).await?;
            continue;
        }
        begun += u64::from(due >= counted);
        let idle = {
            let mut turns = held(&shared.turns);
            turns.due.push_back(due);
            turns.idle.pop()
        };
        if let Some(caller) = idle {
            caller.wake();
        }
        due += gaps.next();
    }
    let idle = {
        let mut turns = held(&shared.turns);
        turns.ended = true;
        std::mem::take(&mut turns.idle)
    };
    idle.into_iter().for_each(Waker::wake);
    Ok(begun)
}

async fn call(requests: Arc<Requests>, shared: Arc<Shared>, counted: Instant) {
    let (mut connection, mut request) = (None, Vec::new());
    while let Some(due) = turn(&shared).await {
        if !requests.write(&mut request) {
            return;
        }
        let mut events = Events::default();
        let outcome = ask(&mut connection, &requests, &request, &mut events).await;
        if due >= counted {
            held(&shared.tally).add(due, requests.streams, outcome, &events);
        }
    }
}

/// The next turn, and when it was due; none after the last.
async fn turn(shared: &Shared) -> Option<Instant> {
    poll_fn(|context| {
        let mut turns = held(&shared.turns);
        match turns.due.pop_front() {
            Some(due) => Poll::Ready(Some(due)),
            None if turns.ended => Poll::Ready(None),
            None => {
                turns.idle.push(context.waker().clone());
                Poll::Pending
            }
        }
    })
    .await
}

/// Equal gaps, or exponential ones from a fixed seed.
struct Gaps {
    mean: f64,
    state: Option<u64>,
}

impl Gaps {
    fn next(&mut self) -> Duration {
        let length = match &mut self.state {
            None => 1.0,
            Some(state) => {
                // xorshift64 (Marsaglia 2003).
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                let uniform = (*state >> 11) as f64 / (1u64 << 53) as f64;
                -(1.0 - uniform).ln()
            }
        };
        Duration::from_secs_f64(length * self.mean)
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
