//! What is said at the wrong time, what views live through, and what a panic leaves.

use std::panic::{catch_unwind, AssertUnwindSafe};

use super::*;
use crate::border::guarded;
use crate::exchange::{caller::*, upstream::*};
use crate::gateway::*;
use crate::store::*;

#[test]
fn an_exchange_begins_once_and_first() {
    let exchange = Gateway::new(UPSTREAM).exchange();
    // SAFETY: a valid exchange.
    unsafe {
        assert_eq!(hoosh_exchange_body_end(exchange.0), INVALID);
        assert_eq!(hoosh_exchange_caller_gone(exchange.0), INVALID);
        assert_eq!(hoosh_exchange_sent(exchange.0, 0), INVALID);
        exchange.begin("/v1/chat/completions");
        assert_eq!(hoosh_exchange_begin(exchange.0, bytes("GET"), bytes("/"), null(), 0, false), INVALID);
    }
    exchange.until(hoosh_step_kind::ReadCaller);
}

#[test]
fn a_request_that_nobody_could_read_is_refused_by_an_exchange() {
    let exchange = Gateway::new(UPSTREAM).exchange();
    // SAFETY: a valid exchange.
    let result = unsafe { hoosh_exchange_refused(exchange.0, bytes("headers_too_large"), bytes("Send less.")) };
    assert_eq!(result, OK);
    let step = exchange.until(hoosh_step_kind::Reply);
    assert_eq!(step.status, 431);
    assert!(text(step.body).contains("Send less."));
    // SAFETY: a valid exchange.
    unsafe { assert_eq!(hoosh_exchange_written(exchange.0, usize::MAX), OK) };
    assert_eq!(exchange.next(0).kind, hoosh_step_kind::Done);
    assert_eq!(exchange.next(0).kind, hoosh_step_kind::Done);
}

#[test]
fn what_a_step_points_to_lies_still_while_doors_are_used() {
    let gateway = Gateway::new(UPSTREAM);
    let exchange = gateway.asked("/v1/chat/completions", CHAT);
    let step = exchange.until(hoosh_step_kind::Send);
    // SAFETY: a valid exchange, and views that the header promises.
    unsafe {
        hoosh_exchange_connected(exchange.0, step.u);
        hoosh_exchange_sent(exchange.0, step.u);
        hoosh_exchange_head(exchange.0, step.u, 200, null(), 0);
        hoosh_exchange_data(exchange.0, step.u, bytes("{}"));
        let request = step.request;
        assert_eq!((text(request.host), request.port, request.tls), ("127.0.0.1".to_owned(), 9, false));
        assert_eq!((text(request.authority), text(request.method)), ("127.0.0.1:9".to_owned(), "POST".to_owned()));
        assert_eq!((text(request.target), text(request.body)), ("/v1/chat/completions".to_owned(), CHAT.to_owned()));
        let headers = std::slice::from_raw_parts(request.headers, request.header_count);
        let found = headers.iter().find(|header| text(header.name) == "content-type");
        assert_eq!(found.map(|header| text(header.value)).as_deref(), Some("application/json"));
    }
}

#[test]
fn an_exchange_may_outlive_its_gateway() {
    let gateway = Gateway::new(UPSTREAM);
    let exchange = gateway.asked("/v1/chat/completions", CHAT);
    drop(gateway);
    exchange.until(hoosh_step_kind::Send);
}

#[test]
fn a_panic_is_a_result_and_breaks_its_exchange_for_good() {
    assert_eq!(guarded(|| panic!("planted")), hoosh_result::Internal);

    let gateway = Gateway::new(UPSTREAM);
    let exchange = gateway.asked("/v1/chat/completions", CHAT);
    let neighbour = gateway.asked("/v1/chat/completions", CHAT);
    // SAFETY: a valid exchange.
    let inside = unsafe { &mut *exchange.0 };
    let planted = catch_unwind(AssertUnwindSafe(|| inside.enter::<()>(|_, _| panic!("planted"))));
    assert!(planted.is_err());
    // SAFETY: a valid exchange.
    unsafe {
        assert_eq!(hoosh_exchange_body_end(exchange.0), hoosh_result::Internal);
        let mut step = std::mem::MaybeUninit::uninit();
        assert_eq!(hoosh_exchange_next(exchange.0, at(0), step.as_mut_ptr()), hoosh_result::Internal);
    }
    drop(exchange);
    neighbour.until(hoosh_step_kind::Send);
}

#[test]
fn a_clock_at_its_end_is_as_good_as_any() {
    let gateway = Gateway::new(UPSTREAM);
    let exchange = gateway.exchange();
    exchange.begin("/v1/chat/completions");
    assert_eq!(exchange.next(u64::MAX).kind, hoosh_step_kind::ReadCaller);
    assert!(exchange.next(u64::MAX).until_us > u64::MAX / 2);
    let mut step = std::mem::MaybeUninit::uninit();
    // SAFETY: valid pointers.
    unsafe { assert_eq!(hoosh_gateway_next(gateway.0, at(u64::MAX), step.as_mut_ptr()), OK) };
}

/// Has the store do what the loop asks for.
fn store_all(gateway: &Gateway, store: *mut hoosh_store, mono_us: u64) {
    loop {
        let mut step = std::mem::MaybeUninit::<hoosh_loop_step>::uninit();
        // SAFETY: valid pointers, and written on OK.
        unsafe {
            assert_eq!(hoosh_gateway_next(gateway.0, at(mono_us), step.as_mut_ptr()), OK);
            if step.assume_init_ref().kind != hoosh_loop_kind::Store {
                return;
            }
            assert_eq!(hoosh_store_perform(store, gateway.0, at(mono_us)), OK);
            assert_eq!(hoosh_store_perform(store, gateway.0, at(mono_us)), INVALID, "a step is performed once");
        }
    }
}

#[test]
fn rows_that_nobody_fetches_are_kept_up_to_the_bound() {
    let gateway = Gateway::new(UPSTREAM);
    let mut store = null_mut();
    // SAFETY: valid pointers, each freed once.
    unsafe {
        assert_eq!(hoosh_store_new(2, &mut store), OK);
        for second in 1..=5 {
            let exchange = gateway.asked("/v1/chat/completions", CHAT);
            exchange.until(hoosh_step_kind::Send);
            drop(exchange);
            // Rows are gathered for some milliseconds.
            store_all(&gateway, store, second * 1_000_000);
            store_all(&gateway, store, second * 1_000_000 + 500_000);
        }
        assert_eq!(hoosh_gateway_open(gateway.0), 0);
        let rows = text(hoosh_store_rows(store));
        assert_eq!(rows.lines().count(), 2);
        assert!(rows.lines().all(|row| row.starts_with('{') && row.contains("\"dropped\"")));
        assert_eq!(hoosh_store_rows(store).len, 0);
        hoosh_store_free(store);
    }
}
