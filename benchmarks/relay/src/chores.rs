//! The gateway's own loop: one task a process.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use hoosh_core::gateway::{Gateway, LoopResult, LoopStep};
use hoosh_core::store::{MemoryStore, Store};
use hoosh_core::wake::Wake;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::clock::{instant, now};
use crate::upstream::Upstreams;

/// Ledger rows kept in memory.
const ROWS: usize = 10_000;

struct Bell(Notify);

impl Wake for Bell {
    fn wake(&self) {
        self.0.notify_one();
    }
}

pub async fn run(gateway: Arc<Gateway>, upstreams: Rc<Upstreams>) {
    let bell = Arc::new(Bell(Notify::new()));
    gateway.set_waker(bell.clone());
    let mut store = MemoryStore::new(ROWS);
    let fetches: Rc<RefCell<HashMap<u64, AbortHandle>>> = Rc::default();
    loop {
        match gateway.next(now()) {
            LoopStep::Store { id, op } => {
                let outcome = store.perform(op);
                gateway.done(id, LoopResult::Stored(outcome), now());
            }
            LoopStep::Fetch { id, request, hooked: _ } => {
                let (gateway, upstreams, bell, open) =
                    (gateway.clone(), upstreams.clone(), bell.clone(), fetches.clone());
                let task = tokio::task::spawn_local(async move {
                    let answer = upstreams.fetch(request).await.map_err(|error| error.to_string());
                    open.borrow_mut().remove(&id);
                    gateway.done(id, LoopResult::Fetched(answer), now());
                    bell.wake();
                });
                fetches.borrow_mut().insert(id, task.abort_handle());
            }
            LoopStep::Log { id, .. } => gateway.done(id, LoopResult::Logged(Ok(())), now()),
            LoopStep::Read { id, .. } => {
                let refused = Err("this relay reads no files and runs no commands".to_owned());
                gateway.done(id, LoopResult::Read(refused), now());
            }
            LoopStep::Cancel { id } => {
                if let Some(task) = fetches.borrow_mut().remove(&id) {
                    task.abort();
                }
            }
            LoopStep::Over => return,
            LoopStep::Wait { until_us: None } => bell.0.notified().await,
            LoopStep::Wait { until_us: Some(at) } => {
                let _ = tokio::time::timeout_at(instant(at), bell.0.notified()).await;
            }
        }
    }
}
