//! The store for C: in memory, read by the program as JSON lines.

use std::collections::VecDeque;

use hoosh_core::gateway::LoopResult;
use hoosh_core::ledger::Row;
use hoosh_core::store::{MemoryStore, Op, Store};

use crate::border::{exclusive, free, give, guarded, guarded_or, hoosh_result, place, shared};
use crate::gateway::hoosh_gateway;
use crate::values::{hoosh_bytes, hoosh_now};

/// Rows, and the text of those that were fetched last.
#[derive(Default)]
struct Kept {
    rows: VecDeque<Row>,
    json: String,
}

/// A store in memory. One thread at a time.
pub struct hoosh_store {
    /// Leases; of rows it keeps none, because they are kept here until the program fetches them.
    store: MemoryStore,
    last_group: u64,
    rows: Kept,
    requests: Kept,
    max_rows: usize,
}

/// # Store
///
/// A store in memory: what budgets lend ends with the process. Of the ledger rows that were not fetched yet it keeps
/// the newest `max_rows`, and as many records of requests that asked no provider.
#[no_mangle]
pub unsafe extern "C" fn hoosh_store_new(max_rows: usize, store: *mut *mut hoosh_store) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let place = unsafe { place(store) }?;
        let store = MemoryStore::new(0);
        place.put(give(hoosh_store {
            store,
            last_group: 0,
            rows: Kept::default(),
            requests: Kept::default(),
            max_rows,
        }));
        Ok(())
    })
}

/// Frees a store.
#[no_mangle]
pub unsafe extern "C" fn hoosh_store_free(store: *mut hoosh_store) {
    // SAFETY: the program's promise.
    unsafe { free(store) }
}

/// Performs the `HOOSH_LOOP_KIND_STORE` step that the gateway gave last, and tells it. `HOOSH_RESULT_INVALID` if its
/// last step was another, or is done.
#[no_mangle]
pub unsafe extern "C" fn hoosh_store_perform(
    store: *mut hoosh_store,
    gateway: *const hoosh_gateway,
    now: hoosh_now,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let (store, gateway) = unsafe { (exclusive(store)?, shared(gateway)?) };
        let (id, op) = gateway.take_op().ok_or(hoosh_result::Invalid)?;
        store.keep(&op);
        let outcome = store.store.perform(op);
        gateway.gateway.done(id, LoopResult::Stored(outcome), now.core());
        Ok(())
    })
}

impl hoosh_store {
    fn keep(&mut self, op: &Op) {
        let Op::Append { group, rows } = op else { return };
        // A group whose answer was lost comes again under its number.
        if *group <= self.last_group {
            return;
        }
        self.last_group = *group;
        for (kept, asked) in [(&mut self.rows.rows, true), (&mut self.requests.rows, false)] {
            kept.extend(rows.iter().filter(|row| row.asked == asked).cloned());
            let excess = kept.len().saturating_sub(self.max_rows);
            kept.drain(..excess);
        }
    }
}

impl Kept {
    fn fetch(&mut self) -> hoosh_bytes {
        self.json = self.rows.drain(..).map(|row| row.to_json() + "\n").collect();
        hoosh_bytes::of(self.json.as_bytes())
    }
}

/// The ledger rows stored since the last call, one JSON object a line. They lie still until the next call of this;
/// none for NULL.
#[no_mangle]
pub unsafe extern "C" fn hoosh_store_rows(store: *mut hoosh_store) -> hoosh_bytes {
    guarded_or(hoosh_bytes::NONE, || {
        // SAFETY: the program's promise.
        Ok(unsafe { exclusive(store) }?.rows.fetch())
    })
}

/// The same of requests that asked no provider: refusals, answers of the cache, model lists. It lies still until the next
/// call of this.
#[no_mangle]
pub unsafe extern "C" fn hoosh_store_requests(store: *mut hoosh_store) -> hoosh_bytes {
    guarded_or(hoosh_bytes::NONE, || {
        // SAFETY: the program's promise.
        Ok(unsafe { exclusive(store) }?.requests.fetch())
    })
}
