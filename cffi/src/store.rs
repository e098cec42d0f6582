//! The store for C: in memory, read by the program as JSON lines.

use std::collections::VecDeque;

use hoosh_core::gateway::LoopResult;
use hoosh_core::ledger::Row;
use hoosh_core::store::{MemoryStore, Op, Store};

use crate::border::{exclusive, free, give, guarded, guarded_or, hoosh_result, place, shared};
use crate::gateway::hoosh_gateway;
use crate::values::{hoosh_bytes, hoosh_now};

/// A store in memory. One thread at a time.
pub struct hoosh_store {
    /// Leases; of rows it keeps none, because they are kept here until the program fetches them.
    store: MemoryStore,
    last_group: u64,
    rows: VecDeque<Row>,
    max_rows: usize,
    json: String,
}

/// # Store
///
/// A store in memory: what budgets lend ends with the process. Of the ledger rows that were not fetched yet it keeps the newest `max_rows`.
#[no_mangle]
pub unsafe extern "C" fn hoosh_store_new(max_rows: usize, store: *mut *mut hoosh_store) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let place = unsafe { place(store) }?;
        let store = MemoryStore::new(0);
        place.put(give(hoosh_store { store, last_group: 0, rows: VecDeque::new(), max_rows, json: String::new() }));
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
        self.rows.extend(rows.iter().cloned());
        let excess = self.rows.len().saturating_sub(self.max_rows);
        self.rows.drain(..excess);
    }
}

/// The ledger rows stored since the last call, one JSON object a line. They lie still until the next call of this;
/// none for NULL.
#[no_mangle]
pub unsafe extern "C" fn hoosh_store_rows(store: *mut hoosh_store) -> hoosh_bytes {
    guarded_or(hoosh_bytes::NONE, || {
        // SAFETY: the program's promise.
        let store = unsafe { exclusive(store) }?;
        store.json = store.rows.drain(..).map(|row| row.to_json() + "\n").collect();
        Ok(hoosh_bytes::of(store.json.as_bytes()))
    })
}
