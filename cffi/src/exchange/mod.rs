//! The exchange for C: its life, and what every door has in common. The doors stand in files by who speaks: `caller`,
//! `upstream`, `engine`, and `work` for jobs and children; `step` says what they answer to.

pub mod step;

pub mod caller;
pub mod upstream;

pub mod engine;

pub mod work;

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

use hoosh_core::exchange::Exchange;

use crate::border::{exclusive, free, give, guarded, hoosh_result, place, shared, Outcome};
use crate::gateway::hoosh_gateway;
use crate::wake::{hoosh_wake, waker, Silencer};
use step::Held;

/// One caller request. One thread at a time.
pub struct hoosh_exchange {
    // Dropped in this order: what the end of an exchange wakes may be itself.
    exchange: Exchange,
    _silencer: Option<Silencer>,
    held: Held,
    broken: bool,
}

// The header lets an exchange go from thread to thread.
const _: () = {
    const fn another_thread<T: Send>() {}
    another_thread::<Exchange>();
    another_thread::<Silencer>();
};

impl hoosh_exchange {
    fn new(exchange: Exchange, silencer: Option<Silencer>) -> hoosh_exchange {
        hoosh_exchange { exchange, _silencer: silencer, held: Held::default(), broken: false }
    }

    /// Lets `body` at the exchange, unless a panic left it in the middle of something.
    pub fn enter<T>(&mut self, body: impl FnOnce(&mut Exchange, &mut Held) -> Outcome<T>) -> Outcome<T> {
        if self.broken {
            return Err(hoosh_result::Internal);
        }
        self.broken = true;
        let outcome = body(&mut self.exchange, &mut self.held);
        self.broken = false;
        outcome
    }
}

/// What all doors but the first have in common.
///
/// # Safety
/// As for [`exclusive`].
unsafe fn door(exchange: *mut hoosh_exchange, body: impl FnOnce(&mut Exchange) -> Outcome) -> hoosh_result {
    guarded(|| {
        // SAFETY: the caller's promise.
        unsafe { exclusive(exchange) }?.enter(|exchange, _| {
            if is_begun(exchange) {
                body(exchange)
            } else {
                Err(hoosh_result::Invalid)
            }
        })
    })
}

fn is_begun(exchange: &Exchange) -> bool {
    !exchange.request_id().is_empty()
}

/// Each thread that makes exchanges gets counters of its own in the core.
fn lane() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static LANE: Cell<Option<usize>> = const { Cell::new(None) });
    LANE.with(|lane| {
        let number = lane.get().unwrap_or_else(|| NEXT.fetch_add(1, Ordering::Relaxed));
        lane.set(Some(number));
        number
    })
}

/// # Exchange
///
/// A new exchange of `gateway`. `wake` (may be NULL) is called with `context` when it should be asked for its next
/// step again, and not after it was freed.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_new(
    gateway: *const hoosh_gateway,
    wake: hoosh_wake,
    context: *mut c_void,
    exchange: *mut *mut hoosh_exchange,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let (gateway, place) = unsafe { (shared(gateway)?, place(exchange)?) };
        let (waker, silencer) = waker(wake, context);
        place.put(give(hoosh_exchange::new(gateway.gateway.exchange(waker, lane()), Some(silencer))));
        Ok(())
    })
}

/// Frees an exchange in whatever state it is: what it reserved is settled, what it held is given up. Its attempts are
/// the driver's to close, and its children the driver's to free (see `HOOSH_STEP_KIND_CHILD`).
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_free(exchange: *mut hoosh_exchange) {
    // SAFETY: the program's promise.
    unsafe { free(exchange) }
}
