//! A client that is ready to be used: its threads drive exchanges, and the program asks and takes answers.

mod call;
mod keeper;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hoosh_edge::{Edge, Keeper};
use hoosh_store::Writer;

use crate::border::{give, guarded, guarded_or, hoosh_result, place, shared, take};
use crate::config::{hoosh_config, hoosh_text};
use crate::gateway::hoosh_gateway;
use crate::values::{hoosh_bytes, hoosh_now};
use keeper::{File, Memory};

/// How long the end of a client waits until everything is stored, where nobody asked for it before.
const END: Duration = Duration::from_secs(2);

/// A gateway that is driven in threads of this library. Any thread may use it.
pub struct hoosh_client {
    edge: Edge,
    file: Option<Arc<Mutex<Option<Writer>>>>,
}

// The header lets any thread use a client.
const _: () = {
    const fn any_thread<T: Send + Sync>() {}
    any_thread::<hoosh_client>();
};

/// # Client
///
/// Where a program only wants answers, a client drives the exchanges: upstreams, timers, the gateway's loop and its store are
/// minded in threads of this library, which is the one exception to what is said at the head of this file.
///
/// Makes a client of `gateway`, whose loop it runs from now on (never call `hoosh_gateway_next` of it, nor
/// `hoosh_gateway_set_waker`), and which it outlives if need be. `config` is the one that the gateway was made from. `store` is
/// the path of a file for budgets and the ledger, or no bytes: they are kept in memory. `now` is what your clocks say, by which
/// you tell `gateway` the time elsewhere. On `HOOSH_RESULT_CONFIG`, and only then, `*error` is written (where `error` is not
/// NULL): why the store is not to be had. `HOOSH_RESULT_INTERNAL` where the system gives no thread.
#[no_mangle]
pub unsafe extern "C" fn hoosh_client_new(
    gateway: *const hoosh_gateway,
    config: *const hoosh_config,
    store: hoosh_bytes,
    now: hoosh_now,
    client: *mut *mut hoosh_client,
    error: *mut *mut hoosh_text,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let (gateway, config, path, client) =
            unsafe { (shared(gateway)?, shared(config)?, store.text()?, place(client)?) };
        let edge = Edge::inside(gateway.gateway.clone(), 1, now.core().mono_us);
        let opened: Result<(Arc<dyn Keeper>, _), String> = if path.is_empty() {
            Memory::open(&config.0).map(|memory| (Arc::new(memory) as Arc<dyn Keeper>, None))
        } else {
            File::open(Path::new(path), &config.0, Arc::new(edge.ring())).map(|file| {
                let writer = file.0.clone();
                (Arc::new(file) as Arc<dyn Keeper>, Some(writer))
            })
        };
        let (keeper, file) = opened.map_err(|words| {
            // SAFETY: the program's promise; NULL is allowed here.
            if let Ok(error) = unsafe { place(error) } {
                error.put(give(hoosh_text::new(words)));
            }
            hoosh_result::Config
        })?;
        edge.start_loop(keeper).and_then(|()| edge.accept()).map_err(|_| hoosh_result::Internal)?;
        client.put(give(hoosh_client { edge, file }));
        Ok(())
    })
}

/// Ends a client: calls in progress end as `HOOSH_CALL_KIND_GONE`, no call begins any more, and this waits for at most
/// `milliseconds` until everything is stored. Returns whether it is. Not while another thread is in this or in
/// `hoosh_client_free`.
#[no_mangle]
pub unsafe extern "C" fn hoosh_client_end(client: *const hoosh_client, milliseconds: u32) -> bool {
    guarded_or(false, || {
        // SAFETY: the program's promise.
        let client = unsafe { shared(client) }?;
        Ok(client.edge.end(Duration::from_millis(milliseconds.into())))
    })
}

/// Frees a client, after `hoosh_client_end` with 2 seconds if that was not called. Its calls may be freed before or after.
#[no_mangle]
pub unsafe extern "C" fn hoosh_client_free(client: *mut hoosh_client) {
    guarded_or((), || {
        // SAFETY: the program's promise.
        let client = unsafe { take(client) }?;
        client.edge.end(END);
        if let Some(file) = &client.file {
            let writer = file.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
            if let Some(mut writer) = writer {
                writer.close();
            }
        }
        Ok(())
    });
}
