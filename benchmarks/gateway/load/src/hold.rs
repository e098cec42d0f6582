//! Many at once that do little: open streams, or connections between two requests.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::events::Events;
use crate::requests::Requests;

/// Longest time for all of them to be there.
const OPENING: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(20);

pub struct Plan {
    pub count: usize,
    /// How many are begun in a second.
    pub ramp: f64,
    pub span: Duration,
}

/// One of them, as far as all may see.
#[derive(Default)]
struct Held {
    events: AtomicU64,
    there: AtomicBool,
    lost: AtomicBool,
}

/// Says in a line of JSON when all are there, holds them for the span, and gives a second line: how many lasted, and what
/// events came.
pub async fn run(requests: Arc<Requests>, plan: Plan, mut say: impl FnMut(String)) {
    let held: Vec<Arc<Held>> = (0..plan.count).map(|_| Arc::default()).collect();
    let (mut tasks, start) = (Vec::new(), tokio::time::Instant::now());
    for (number, one) in held.iter().enumerate() {
        let begin = start + Duration::from_secs_f64(number as f64 / plan.ramp);
        let (requests, one) = (requests.clone(), one.clone());
        tasks.push(tokio::spawn(async move {
            tokio::time::sleep_until(begin).await;
            if keep(&requests, &one).await.is_err() {
                one.lost.store(true, Ordering::Relaxed);
            }
        }));
    }
    let began = Instant::now();
    let settled = |one: &Arc<Held>| one.there.load(Ordering::Relaxed) || one.lost.load(Ordering::Relaxed);
    while began.elapsed() < OPENING && !held.iter().all(settled) {
        tokio::time::sleep(LOOK).await;
    }
    let there = count(&held, |one| one.there.load(Ordering::Relaxed));
    say(format!("{{\"there\":{there},\"seconds\":{:.3}}}", began.elapsed().as_secs_f64()));

    let before: Vec<u64> = held.iter().map(|one| one.events.load(Ordering::Relaxed)).collect();
    tokio::time::sleep(plan.span).await;
    let came = |(one, before): (&Arc<Held>, &u64)| one.events.load(Ordering::Relaxed) - before;
    let events: u64 = held.iter().zip(&before).map(came).sum();
    let fewest = held.iter().zip(&before).map(came).min().unwrap_or(0);
    tasks.iter().for_each(|task| task.abort());
    say(format!(
        "{{\"lasted\":{},\"lost\":{},\"events\":{events},\"events_per_second\":{:.1},\"fewest_events\":{fewest}}}",
        count(&held, |one| one.there.load(Ordering::Relaxed) && !one.lost.load(Ordering::Relaxed)),
        count(&held, |one| one.lost.load(Ordering::Relaxed)),
        events as f64 / plan.span.as_secs_f64(),
    ));
}

fn count(held: &[Arc<Held>], is: impl Fn(&Held) -> bool) -> usize {
    held.iter().filter(|one| is(one)).count()
}

/// Ends when the stream or connection does.
async fn keep(requests: &Requests, one: &Held) -> io::Result<()> {
    let (mut request, mut events) = (Vec::new(), Events::default());
    requests.write(&mut request);
    let mut connection = Connection::open(requests.address).await?;
    let look = |events: &Events| {
        one.events.store(events.count, Ordering::Relaxed);
        one.there.store(events.first.is_some(), Ordering::Relaxed);
    };
    let status = connection.ask(&request, &mut events, look).await?;
    if requests.streams || status != 200 {
        return Err(io::Error::other("ended"));
    }
    one.there.store(true, Ordering::Relaxed);
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        if !connection.is_quiet() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
    }
}
