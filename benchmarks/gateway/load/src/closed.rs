//! A closed loop: so many connections, each asking again as soon as it was answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::events::Events;
use crate::requests::Requests;
use crate::tally::Tally;

/// What may still be answered after the end before it counts as unanswered.
const GRACE: Duration = Duration::from_secs(3);
/// Before another try where no connection could be had.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks for `span`, or until there are no more requests.
pub async fn run(requests: Arc<Requests>, connections: usize, span: Duration) -> (Tally, Duration) {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let began = Instant::now();
    let end = began + span;
    let mut callers = Vec::new();
    for _ in 0..connections {
        callers.push(tokio::spawn(call(requests.clone(), tally.clone(), end)));
    }
    let mut hanging = 0;
    for caller in callers {
        let abort = caller.abort_handle();
        let last = tokio::time::Instant::from_std(end + GRACE);
        if tokio::time::timeout_at(last, caller).await.is_err() {
            abort.abort();
            hanging += 1;
        }
    }
    let took = began.elapsed();
    let mut tally = std::mem::take(&mut *tally.lock().unwrap_or_else(PoisonError::into_inner));
    tally.unanswered(hanging);
    (tally, if hanging > 0 { span } else { took })
}

async fn call(requests: Arc<Requests>, tally: Arc<Mutex<Tally>>, end: Instant) {
    let (mut connection, mut request) = (None, Vec::new());
    loop {
        let since = Instant::now();
        if since >= end || !requests.write(&mut request) {
            return;
        }
        let mut events = Events::default();
        let outcome = ask(&mut connection, &requests, &request, &mut events).await;
        let broken = outcome.is_err();
        tally.lock().unwrap_or_else(PoisonError::into_inner).add(since, requests.streams, outcome, &events);
        if broken {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// On the connection that is there, or a new one, which stays if it can.
pub async fn ask(
    connection: &mut Option<Connection>,
    requests: &Requests,
    request: &[u8],
    events: &mut Events,
) -> std::io::Result<u16> {
    let mut used = match connection.take() {
        Some(kept) => kept,
        None => Connection::open(requests.address).await?,
    };
    let status = used.ask(request, events, |_| ()).await?;
    *connection = used.reusable.then_some(used);
    Ok(status)
}
