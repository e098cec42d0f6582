//! The interface as a C program uses it, and misuses it: every test goes through the functions of the header.

mod arguments;
mod engine;
mod misuse;
mod state;
mod wake;
mod work;

use std::ptr::{null, null_mut};

use crate::border::hoosh_result;
use crate::config::{hoosh_config, hoosh_config_free, hoosh_config_parse, hoosh_text_bytes};
use crate::exchange::step::{hoosh_exchange_next, hoosh_step, hoosh_step_kind};
use crate::exchange::{caller, hoosh_exchange, hoosh_exchange_free, hoosh_exchange_new};
use crate::gateway::{hoosh_gateway, hoosh_gateway_free, hoosh_gateway_new};
use crate::values::{hoosh_bytes, hoosh_header, hoosh_now};

const OK: hoosh_result = hoosh_result::Ok;
const NULL: hoosh_result = hoosh_result::Null;
const INVALID: hoosh_result = hoosh_result::Invalid;

const ENGINE: &str = "[[providers]]\nname = \"mine\"\ntype = \"engine\"\nmodels = [\"m\"]\n";
const UPSTREAM: &str =
    "[[providers]]\nname = \"one\"\ntype = \"openai\"\nbase_url = \"http://127.0.0.1:9\"\nmodels = [\"m\"]\n";
const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

fn bytes(text: &str) -> hoosh_bytes {
    hoosh_bytes::of(text.as_bytes())
}

fn text(bytes: hoosh_bytes) -> String {
    // SAFETY: only for what the library just lent.
    unsafe { bytes.text() }.expect("text").to_owned()
}

/// Microseconds of a clock that a test turns by hand.
fn at(mono_us: u64) -> hoosh_now {
    hoosh_now { mono_us, wall_us: 1_700_000_000_000_000 }
}

fn parse(toml: &str) -> *mut hoosh_config {
    let (mut config, mut error) = (null_mut(), null_mut());
    // SAFETY: valid pointers.
    let result = unsafe { hoosh_config_parse(bytes(toml), None, null_mut(), &mut config, &mut error) };
    // SAFETY: NULL, or written by the call.
    assert_eq!(result, OK, "{}", text(unsafe { hoosh_text_bytes(error) }));
    config
}

struct Gateway(*mut hoosh_gateway);

impl Gateway {
    fn new(toml: &str) -> Gateway {
        let (config, mut gateway) = (parse(toml), null_mut());
        // SAFETY: valid pointers, each freed once.
        unsafe {
            assert_eq!(hoosh_gateway_new(config, 1, &mut gateway), OK);
            hoosh_config_free(config);
        }
        Gateway(gateway)
    }

    fn exchange(&self) -> Exchange {
        let mut exchange = null_mut();
        // SAFETY: valid pointers.
        assert_eq!(unsafe { hoosh_exchange_new(self.0, None, null_mut(), &mut exchange) }, OK);
        Exchange(exchange)
    }

    /// An exchange whose caller sent all of `body`.
    fn asked(&self, target: &str, body: &str) -> Exchange {
        let exchange = self.exchange();
        exchange.ask(target, body);
        exchange
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // SAFETY: ours, and freed once.
        unsafe { hoosh_gateway_free(self.0) }
    }
}

struct Exchange(*mut hoosh_exchange);

impl Exchange {
    fn begin(&self, target: &str) {
        let json = [hoosh_header { name: bytes("Content-Type"), value: bytes("application/json") }];
        let (headers, count) = (json.as_ptr(), json.len());
        // SAFETY: valid pointers.
        let result =
            unsafe { caller::hoosh_exchange_begin(self.0, bytes("POST"), bytes(target), headers, count, false) };
        assert_eq!(result, OK);
    }

    fn ask(&self, target: &str, body: &str) {
        self.begin(target);
        self.until(hoosh_step_kind::ReadCaller);
        // SAFETY: a valid exchange.
        unsafe {
            assert_eq!(caller::hoosh_exchange_body(self.0, bytes(body)), OK);
            assert_eq!(caller::hoosh_exchange_body_end(self.0), OK);
        }
    }

    fn next(&self, mono_us: u64) -> hoosh_step {
        let mut step = std::mem::MaybeUninit::uninit();
        // SAFETY: valid pointers, and written on OK.
        unsafe {
            assert_eq!(hoosh_exchange_next(self.0, at(mono_us), step.as_mut_ptr()), OK);
            step.assume_init()
        }
    }

    /// The next step that is of `kind`; those before it are left undone.
    fn until(&self, kind: hoosh_step_kind) -> hoosh_step {
        loop {
            let step = self.next(0);
            if step.kind == kind {
                return step;
            }
            assert!(!matches!(step.kind, hoosh_step_kind::Wait | hoosh_step_kind::Done), "no {kind:?} came");
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // SAFETY: ours, and freed once.
        unsafe { hoosh_exchange_free(self.0) }
    }
}

/// Bytes that no pointer stands for, and bytes that no memory holds.
fn impossible() -> [(hoosh_bytes, hoosh_result); 2] {
    [
        (hoosh_bytes { ptr: null(), len: 1 }, NULL),
        (hoosh_bytes { ptr: std::ptr::NonNull::dangling().as_ptr(), len: usize::MAX }, INVALID),
    ]
}
