//! The gateway for C, and its loop.

use std::ffi::c_void;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hoosh_core::clock::Now;
use hoosh_core::gateway::{Gateway, LoopResult, LoopStep};
use hoosh_core::store::Op;

use crate::border::{free, give, guarded, guarded_or, hoosh_result, place, shared};
use crate::config::hoosh_config;
use crate::request::{hoosh_request, Kept};
use crate::values::{hoosh_bytes, hoosh_now, status};
use crate::wake::{hoosh_wake, waker, Silencer};

/// What all exchanges of a process share, with a loop of its own. Any thread may use it.
pub struct hoosh_gateway {
    pub gateway: Arc<Gateway>,
    step: Mutex<Current>,
    silencer: Mutex<Silencer>,
}

// The header lets any thread use a gateway.
const _: () = {
    const fn any_thread<T: Send + Sync>() {}
    any_thread::<hoosh_gateway>();
};

/// What the loop's last step points to.
#[derive(Default)]
struct Current {
    request: Kept,
    lines: Bytes,
    file: Option<Arc<str>>,
    op: Option<(u64, Op)>,
}

/// Kinds of steps of the gateway's loop.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum hoosh_loop_kind {
    /// Send `request` on the gateway's own account, and report what came of it to `hoosh_gateway_fetched` as number
    /// `id`.
    Fetch = 0,
    /// Drop fetch `id`; its answer is no longer wanted.
    Cancel = 1,
    /// Call `hoosh_store_perform` before the next `hoosh_gateway_next`.
    Store = 2,
    /// Nothing until `until_us` (if `has_until`), a wake, or the end of a fetch.
    Wait = 3,
    /// Add `lines` to `file`, or to the standard error if it has no bytes, and tell `hoosh_gateway_logged`. However
    /// long that takes, nothing else waits for it; no other batch comes before.
    Log = 4,
    /// What `hoosh_gateway_close` began is done: everything is stored, and the process may end.
    Over = 5,
}

/// What the driver must do for the gateway. Members that the kind does not name are zero.
#[repr(C)]
pub struct hoosh_loop_step {
    /// Which kind.
    pub kind: hoosh_loop_kind,
    /// Number of a fetch, or of lines.
    pub id: u64,
    /// What to send; lies still until the next `hoosh_gateway_next`.
    pub request: hoosh_request,
    /// Lines of the log; they lie still until the next `hoosh_gateway_next`.
    pub lines: hoosh_bytes,
    /// Path of the file that they are added to; as still.
    pub file: hoosh_bytes,
    /// Whether there is a time to wait for.
    pub has_until: bool,
    /// That time, in microseconds of the monotonic clock.
    pub until_us: u64,
}

impl hoosh_gateway {
    fn step(&self) -> MutexGuard<'_, Current> {
        self.step.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the store was asked last, once.
    pub fn take_op(&self) -> Option<(u64, Op)> {
        self.step().op.take()
    }
}

/// # Gateway
///
/// A gateway from a configuration. `seed` should be random: it makes the ids of requests differ between processes.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_new(
    config: *const hoosh_config,
    seed: u64,
    gateway: *mut *mut hoosh_gateway,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let (config, place) = unsafe { (shared(config)?, place(gateway)?) };
        let silencer = Mutex::new(waker(None, std::ptr::null_mut()).1);
        place.put(give(hoosh_gateway {
            gateway: Gateway::new(config.0.clone(), seed),
            step: Mutex::default(),
            silencer,
        }));
        Ok(())
    })
}

/// Frees a gateway. Its waker is not called after that. Its exchanges may outlive it, but there is no loop any more
/// that stores what they book: free it once `hoosh_gateway_open` says 0.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_free(gateway: *mut hoosh_gateway) {
    // SAFETY: the program's promise.
    unsafe { free(gateway) }
}

/// Who wakes the gateway's loop, in place of whoever did until now, who is not called after that.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_set_waker(
    gateway: *const hoosh_gateway,
    wake: hoosh_wake,
    context: *mut c_void,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let gateway = unsafe { shared(gateway) }?;
        let (waker, silencer) = waker(wake, context);
        gateway.gateway.set_waker(waker);
        *gateway.silencer.lock().unwrap_or_else(PoisonError::into_inner) = silencer;
        Ok(())
    })
}

/// What the loop must do now. One thread of the process runs the loop: leases, the ledger, probes of benched
/// providers and model lists come from it.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_next(
    gateway: *const hoosh_gateway,
    now: hoosh_now,
    step: *mut hoosh_loop_step,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let (gateway, place) = unsafe { (shared(gateway)?, place(step)?) };
        let mut current = gateway.step();
        *current = Current::default();
        let mut out = hoosh_loop_step {
            kind: hoosh_loop_kind::Wait,
            id: 0,
            request: hoosh_request::NONE,
            lines: hoosh_bytes::NONE,
            file: hoosh_bytes::NONE,
            has_until: false,
            until_us: 0,
        };
        match next_step(&gateway.gateway, now.core()) {
            LoopStep::Fetch { id, request, .. } => {
                current.request = Kept::new(request);
                (out.kind, out.id, out.request) = (hoosh_loop_kind::Fetch, id, current.request.view());
            }
            LoopStep::Cancel { id } => (out.kind, out.id) = (hoosh_loop_kind::Cancel, id),
            LoopStep::Store { id, op } => {
                current.op = Some((id, op));
                out.kind = hoosh_loop_kind::Store;
            }
            LoopStep::Log { id, lines, file } => {
                (current.lines, current.file) = (lines, file);
                (out.kind, out.id, out.lines) = (hoosh_loop_kind::Log, id, hoosh_bytes::of(&current.lines));
                out.file = current.file.as_deref().map_or(hoosh_bytes::NONE, |file| hoosh_bytes::of(file.as_bytes()));
            }
            // Answered already.
            LoopStep::Read { .. } => {}
            LoopStep::Over => out.kind = hoosh_loop_kind::Over,
            LoopStep::Wait { until_us } => (out.has_until, out.until_us) = (until_us.is_some(), until_us.unwrap_or(0)),
        }
        place.put(out);
        Ok(())
    })
}

/// The next step that a program has to do with. A configuration that was parsed here names no files and commands, because
/// it was refused: so nothing is read again.
fn next_step(gateway: &Gateway, now: Now) -> LoopStep {
    loop {
        match gateway.next(now) {
            LoopStep::Read { id, .. } => {
                gateway.done(id, LoopResult::Read(Err("files and commands are not read here".to_owned())), now);
            }
            step => return step,
        }
    }
}

/// Fetch `id` ended: with `answer_status` and the whole `body` (8 MiB of it are enough), or with neither (0 and no
/// bytes). One that is not, or no longer, asked for is ignored.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_fetched(
    gateway: *const hoosh_gateway,
    id: u64,
    answer_status: u16,
    body: hoosh_bytes,
    now: hoosh_now,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let (gateway, body) = unsafe { (shared(gateway)?, body.slice()?) };
        let result = match answer_status {
            0 => Err("no answer".to_owned()),
            some => Ok((status(some)?, Bytes::copy_from_slice(body))),
        };
        gateway.gateway.done(id, LoopResult::Fetched(result), now.core());
        Ok(())
    })
}

/// Lines `id` of the log are written, or not. What is not, or no longer, asked for is ignored.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_logged(
    gateway: *const hoosh_gateway,
    id: u64,
    written: bool,
    now: hoosh_now,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let gateway = unsafe { shared(gateway) }?;
        let result = if written { Ok(()) } else { Err("the program could not write it".to_owned()) };
        gateway.gateway.done(id, LoopResult::Logged(result), now.core());
        Ok(())
    })
}

/// A new configuration for what begins from now on; revoked keys and withdrawn providers act at once.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_reload(
    gateway: *const hoosh_gateway,
    config: *const hoosh_config,
    now: hoosh_now,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let (gateway, config) = unsafe { (shared(gateway)?, shared(config)?) };
        gateway.gateway.reload(config.0.clone(), now.core());
        Ok(())
    })
}

/// It will go down: `/v1/health/ready` says 503 from now on, and all is served as before.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_settle(gateway: *const hoosh_gateway) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        unsafe { shared(gateway) }?.gateway.settle();
        Ok(())
    })
}

/// The time of requests in progress is up: at its next look each that has no whole answer yet ends with the error
/// `draining`, in a stream as its last event. Call `hoosh_exchange_next` of all of them now.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_stop(gateway: *const hoosh_gateway) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        unsafe { shared(gateway) }?.gateway.stop();
        Ok(())
    })
}

/// From now on no new request is admitted; those in progress end.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_drain(gateway: *const hoosh_gateway) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        unsafe { shared(gateway) }?.gateway.drain();
        Ok(())
    })
}

/// Like `hoosh_gateway_drain`, and once no exchange is in progress and every row stored, the store is told that this run is
/// over. Then the loop's step is `HOOSH_LOOP_KIND_OVER`, and stays so.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_close(gateway: *const hoosh_gateway) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        unsafe { shared(gateway) }?.gateway.close();
        Ok(())
    })
}

/// How many exchanges are not freed, and ledger rows not stored: 0 when a process may end, and for NULL.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_open(gateway: *const hoosh_gateway) -> usize {
    guarded_or(0, || {
        // SAFETY: the program's promise.
        let gateway = &unsafe { shared(gateway) }?.gateway;
        Ok(gateway.open_exchanges() + gateway.rows_waiting())
    })
}
