//! The gateway's own loop: one task of the process.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use hoosh_core::gateway::{LoopResult, LoopStep};
use hoosh_core::store::{Op, Outcome};
use hoosh_core::wake::Wake;
use tokio::task::AbortHandle;

use crate::clock::{instant, now};
use crate::edge::Shared;
use crate::host::Ask;

/// The store as the loop asks it. Whoever made it has [`crate::Ring`] rung when there are answers.
pub trait Keeper: Send + Sync {
    /// Have `op` performed; its answer comes under `id`.
    fn ask(&self, id: u64, op: Op);
    /// The answers since the last call.
    fn answers(&self) -> Vec<(u64, Outcome)>;
    /// Whether it outlives the process.
    fn lasts(&self) -> bool {
        false
    }
}

/// What others see of the loop.
#[derive(Default)]
pub struct Progress {
    /// The first lists of models are there, or had their time.
    pub listed: AtomicBool,
    /// The run is over, and everything stored.
    pub over: AtomicBool,
}

impl Progress {
    /// Of a new run.
    pub fn begin(&self) {
        self.listed.store(false, Ordering::Release);
        self.over.store(false, Ordering::Release);
    }
}

/// Takes the loop's steps until the run is over.
pub async fn run(shared: Arc<Shared>, keeper: Arc<dyn Keeper>) {
    let gateway = &shared.gateway;
    let upstreams = shared.upstreams();
    let fetches: Rc<RefCell<HashMap<u64, AbortHandle>>> = Rc::default();
    gateway.wake_by(Arc::new(shared.ring.clone()));
    loop {
        for (id, outcome) in keeper.answers() {
            shared.note_store(&outcome);
            gateway.done(id, LoopResult::Stored(outcome), now());
        }
        match gateway.next(now()) {
            LoopStep::Store { id, op } => keeper.ask(id, op),
            LoopStep::Log { id, lines, file } => {
                let (gateway, ring) = (gateway.clone(), shared.ring.clone());
                shared.log.write(lines, file, move |written| {
                    gateway.done(id, LoopResult::Logged(written), now());
                    ring.wake();
                });
            }
            LoopStep::Fetch { id, request, hooked: Some(hooked) } => {
                shared.host.put(Ask::Fetch { id, request, hooked });
            }
            LoopStep::Fetch { id, request, hooked: None } => {
                let (shared, upstreams, open) = (shared.clone(), upstreams.clone(), fetches.clone());
                let task = tokio::task::spawn_local(async move {
                    let answer = upstreams.fetch(request).await;
                    open.borrow_mut().remove(&id);
                    shared.gateway.done(id, LoopResult::Fetched(answer), now());
                    shared.ring.wake();
                });
                fetches.borrow_mut().insert(id, task.abort_handle());
            }
            LoopStep::Read { id, source } => shared.host.put(Ask::Read { id, source }),
            LoopStep::Cancel { id } => match fetches.borrow_mut().remove(&id) {
                Some(task) => task.abort(),
                None => shared.host.put(Ask::Cancel { id }),
            },
            LoopStep::Over => {
                shared.progress.over.store(true, Ordering::Release);
                return;
            }
            LoopStep::Wait { until_us } => {
                if fetches.borrow().is_empty() {
                    shared.progress.listed.store(true, Ordering::Release);
                }
                match until_us {
                    None => shared.ring.0.notified().await,
                    Some(at) => {
                        let _ = tokio::time::timeout_at(instant(at), shared.ring.0.notified()).await;
                    }
                }
            }
        }
    }
}
