//! Configuration, gateway and store for C.

use std::ffi::c_void;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hoosh_core::config;
use hoosh_core::gateway::{Gateway, LoopResult, LoopStep};
use hoosh_core::ledger::Row;
use hoosh_core::store::{MemoryStore, Op, Outcome, Store};

use crate::exchange::{request_view, Request};
use crate::{guarded, hoosh_bytes, hoosh_now, hoosh_result, hoosh_wake, waker};

/// A checked configuration.
pub struct hoosh_config(config::Config);

/// Text that hoosh made.
pub struct hoosh_text(String);

/// Looks a variable up for `$NAME` in a configuration: a NUL-terminated value that stays while parsing, or NULL.
pub type hoosh_environment =
    Option<unsafe extern "C" fn(context: *mut c_void, name: *const std::ffi::c_char) -> *const std::ffi::c_char>;

/// What all exchanges of a process share, and its loop.
pub struct hoosh_gateway {
    pub(crate) gateway: Arc<Gateway>,
    step: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    request: Request,
    op: Option<(u64, Op)>,
}

/// A store that keeps everything in memory.
pub struct hoosh_store {
    store: MemoryStore,
    group: u64,
    rows: Vec<Row>,
    json: String,
}

/// Kinds of loop steps.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum hoosh_loop_kind {
    /// Send `request`; answer with `hoosh_gateway_fetched`.
    Fetch = 0,
    /// Drop fetch `id`.
    Cancel = 1,
    /// Call `hoosh_store_perform`.
    Store = 2,
    /// Nothing until `until_us` (if `has_until`), a wake, or an answer.
    Wait = 3,
}

/// What the gateway's loop must do.
#[repr(C)]
pub struct hoosh_loop_step {
    /// Which.
    pub kind: hoosh_loop_kind,
    /// Of a fetch.
    pub id: u64,
    /// Of a fetch; views until the next step.
    pub request: hoosh_request,
    /// Whether there is a time to wait for.
    pub has_until: bool,
    /// Microseconds of the monotonic clock.
    pub until_us: u64,
}

/// A request to an upstream. The driver adds `host`, `content-length` and `connection`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hoosh_request {
    /// TLS or clear.
    pub tls: bool,
    /// Name or address.
    pub host: hoosh_bytes,
    /// TCP port.
    pub port: u16,
    /// Value of the `host` header.
    pub authority: hoosh_bytes,
    /// `GET` or `POST`.
    pub method: hoosh_bytes,
    /// Path with query.
    pub target: hoosh_bytes,
    /// Header fields.
    pub headers: *const crate::hoosh_header,
    /// How many.
    pub header_count: usize,
    /// Body.
    pub body: hoosh_bytes,
}

/// Parses and checks TOML text. On `HOOSH_RESULT_CONFIG`, `*error` (if not NULL) is a text to be freed that says what is
/// wrong and where.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_config_parse(
    text: hoosh_bytes,
    environment: hoosh_environment,
    context: *mut c_void,
    config: *mut *mut hoosh_config,
    error: *mut *mut hoosh_text,
) -> hoosh_result {
    guarded(|| {
        if config.is_null() {
            return hoosh_result::Null;
        }
        // SAFETY: the caller's promise.
        let Some(text) = (unsafe { text.text() }) else { return hoosh_result::Invalid };
        let look_up = |name: &str| {
            let (look_up, name) = (environment?, std::ffi::CString::new(name).ok()?);
            // SAFETY: the program's function takes its context and a terminated name.
            let value = unsafe { look_up(context, name.as_ptr()) };
            if value.is_null() {
                return None;
            }
            // SAFETY: not NULL; the program promised a terminated value.
            unsafe { std::ffi::CStr::from_ptr(value) }.to_str().ok().map(str::to_owned)
        };
        match config::parse(text, &look_up) {
            Ok(parsed) => {
                // SAFETY: not NULL, and the caller's promise.
                unsafe { *config = Box::into_raw(Box::new(hoosh_config(parsed))) };
                hoosh_result::Ok
            }
            Err(wrong) => {
                if !error.is_null() {
                    // SAFETY: not NULL, and the caller's promise.
                    unsafe { *error = Box::into_raw(Box::new(hoosh_text(wrong.to_string()))) };
                }
                hoosh_result::Config
            }
        }
    })
}

/// The text's bytes, until it is freed.
///
/// # Safety
/// `text` is NULL or a text of this library.
#[no_mangle]
pub unsafe extern "C" fn hoosh_text_bytes(text: *const hoosh_text) -> hoosh_bytes {
    // SAFETY: the caller's promise.
    unsafe { text.as_ref() }.map_or(hoosh_bytes::NONE, |text| hoosh_bytes::of(text.0.as_bytes()))
}

/// A gateway from a configuration, which stays yours. `seed` should be random: it makes ids differ between processes.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_new(
    config: *const hoosh_config,
    seed: u64,
    gateway: *mut *mut hoosh_gateway,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the caller's promise.
        let (Some(config), false) = (unsafe { config.as_ref() }, gateway.is_null()) else { return hoosh_result::Null };
        let made = hoosh_gateway { gateway: Gateway::new(config.0.clone(), seed), step: Mutex::default() };
        // SAFETY: not NULL, and the caller's promise.
        unsafe { *gateway = Box::into_raw(Box::new(made)) };
        hoosh_result::Ok
    })
}

/// Who wakes the gateway's loop.
///
/// # Safety
/// Pointers are valid as the header says; `call` stays callable while the gateway lives.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_set_waker(
    gateway: *const hoosh_gateway,
    call: hoosh_wake,
    context: *mut c_void,
) {
    // SAFETY: the caller's promise.
    if let Some(gateway) = unsafe { gateway.as_ref() } {
        gateway.gateway.set_waker(waker(call, context));
    }
}

/// What the loop must do now. Its views lie still until the next call.
///
/// # Safety
/// Pointers are valid as the header says; one thread runs the loop.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_next(
    gateway: *const hoosh_gateway,
    now: hoosh_now,
    step: *mut hoosh_loop_step,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the caller's promise.
        let (Some(gateway), false) = (unsafe { gateway.as_ref() }, step.is_null()) else { return hoosh_result::Null };
        let mut current = gateway.step.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *current = Current::default();
        let mut out = hoosh_loop_step {
            kind: hoosh_loop_kind::Wait,
            id: 0,
            request: Request::EMPTY,
            has_until: false,
            until_us: 0,
        };
        match gateway.gateway.next(now.core()) {
            LoopStep::Fetch { id, request } => {
                current.request = Request::new(request);
                (out.kind, out.id, out.request) = (hoosh_loop_kind::Fetch, id, request_view(&current.request));
            }
            LoopStep::Cancel { id } => (out.kind, out.id) = (hoosh_loop_kind::Cancel, id),
            LoopStep::Store { id, op } => {
                current.op = Some((id, op));
                (out.kind, out.id) = (hoosh_loop_kind::Store, id);
            }
            LoopStep::Wait { until_us } => (out.has_until, out.until_us) = (until_us.is_some(), until_us.unwrap_or(0)),
        }
        // SAFETY: not NULL, and the caller's promise.
        unsafe { *step = out };
        hoosh_result::Ok
    })
}

/// A fetch ended: with `status` and `body`, or (status 0) with nothing.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_fetched(
    gateway: *const hoosh_gateway,
    id: u64,
    status: u16,
    body: hoosh_bytes,
    now: hoosh_now,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the caller's promise.
        let (Some(gateway), Some(body)) = (unsafe { gateway.as_ref() }, unsafe { body.slice() }) else {
            return hoosh_result::Null;
        };
        let result = match status {
            0 => Err("no answer".to_owned()),
            status => Ok((status, Bytes::copy_from_slice(body))),
        };
        gateway.gateway.done(id, LoopResult::Fetched(result), now.core());
        hoosh_result::Ok
    })
}

/// No new request is admitted; those in progress end.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_drain(gateway: *const hoosh_gateway) {
    // SAFETY: the caller's promise.
    if let Some(gateway) = unsafe { gateway.as_ref() } {
        gateway.gateway.drain();
    }
}

/// A new configuration for what begins from now on; revoked keys and withdrawn providers act at once.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_reload(
    gateway: *const hoosh_gateway,
    config: *const hoosh_config,
    now: hoosh_now,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the caller's promise.
        let (Some(gateway), Some(config)) = (unsafe { gateway.as_ref() }, unsafe { config.as_ref() }) else {
            return hoosh_result::Null;
        };
        gateway.gateway.reload(config.0.clone(), now.core());
        hoosh_result::Ok
    })
}

/// Exchanges that are not freed, and ledger rows that are not stored: both 0 when a process may end.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_open(gateway: *const hoosh_gateway) -> usize {
    // SAFETY: the caller's promise.
    unsafe { gateway.as_ref() }.map_or(0, |g| g.gateway.open_exchanges() + g.gateway.rows_waiting())
}

/// A store in memory that keeps the newest `max_rows` of the ledger.
#[no_mangle]
pub extern "C" fn hoosh_store_new(max_rows: usize) -> *mut hoosh_store {
    let store = hoosh_store { store: MemoryStore::new(max_rows), group: 0, rows: Vec::new(), json: String::new() };
    Box::into_raw(Box::new(store))
}

/// Performs the `HOOSH_LOOP_KIND_STORE` step that the gateway gave last, and tells it.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_store_perform(
    store: *mut hoosh_store,
    gateway: *const hoosh_gateway,
    now: hoosh_now,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the caller's promise.
        let (Some(store), Some(gateway)) = (unsafe { store.as_mut() }, unsafe { gateway.as_ref() }) else {
            return hoosh_result::Null;
        };
        let op = gateway.step.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).op.take();
        let Some((id, op)) = op else { return hoosh_result::Invalid };
        if let Op::Append { group, rows } = &op {
            if *group > store.group {
                store.group = *group;
                store.rows.extend(rows.iter().cloned());
            }
        }
        let outcome: Outcome = store.store.perform(op);
        gateway.gateway.done(id, LoopResult::Stored(outcome), now.core());
        hoosh_result::Ok
    })
}

/// The ledger rows stored since the last call, one JSON object a line. A view until the next call.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_store_rows(store: *mut hoosh_store) -> hoosh_bytes {
    // SAFETY: the caller's promise.
    let Some(store) = (unsafe { store.as_mut() }) else { return hoosh_bytes::NONE };
    store.json = store.rows.drain(..).map(|row| row.to_json() + "\n").collect();
    hoosh_bytes::of(store.json.as_bytes())
}

/// Frees a configuration.
///
/// # Safety
/// It is NULL, or came from this library and is not used again.
#[no_mangle]
pub unsafe extern "C" fn hoosh_config_free(it: *mut hoosh_config) {
    if !it.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(it) });
    }
}

/// Frees a text.
///
/// # Safety
/// It is NULL, or came from this library and is not used again.
#[no_mangle]
pub unsafe extern "C" fn hoosh_text_free(it: *mut hoosh_text) {
    if !it.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(it) });
    }
}

/// Frees a gateway; its exchanges may outlive it.
///
/// # Safety
/// It is NULL, or came from this library and is not used again.
#[no_mangle]
pub unsafe extern "C" fn hoosh_gateway_free(it: *mut hoosh_gateway) {
    if !it.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(it) });
    }
}

/// Frees a store.
///
/// # Safety
/// It is NULL, or came from this library and is not used again.
#[no_mangle]
pub unsafe extern "C" fn hoosh_store_free(it: *mut hoosh_store) {
    if !it.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(it) });
    }
}
