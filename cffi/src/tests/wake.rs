//! Wakers: who is called, and that nobody is once it may be gone.

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::gateway::hoosh_gateway_set_waker;

unsafe extern "C" fn count(context: *mut c_void) {
    // SAFETY: the test's own counter.
    unsafe { &*context.cast::<AtomicUsize>() }.fetch_add(1, Ordering::SeqCst);
}

fn context(counter: &AtomicUsize) -> *mut c_void {
    std::ptr::from_ref(counter).cast_mut().cast()
}

#[test]
fn an_exchange_that_waits_for_another_is_woken_by_its_end() {
    let gateway = Gateway::new(&format!("{UPSTREAM}[limits]\nmax_concurrency = 1\n"));
    let (woken, mut second) = (AtomicUsize::new(0), null_mut());
    let first = gateway.asked("/v1/chat/completions", CHAT);
    first.until(hoosh_step_kind::Send);
    // SAFETY: valid pointers.
    unsafe {
        assert_eq!(hoosh_exchange_new(gateway.0, Some(count), context(&woken), &mut second), OK);
        let second = Exchange(second);
        second.ask("/v1/chat/completions", CHAT);
        while second.next(0).kind != hoosh_step_kind::Wait {}
        assert_eq!(woken.load(Ordering::SeqCst), 0);
        drop(first);
        assert_eq!(woken.load(Ordering::SeqCst), 1);
        second.until(hoosh_step_kind::Send);
    }
}

#[test]
fn the_loop_is_woken_by_a_row_and_only_its_last_waker_is() {
    let gateway = Gateway::new(UPSTREAM);
    let (old, new) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // SAFETY: valid pointers.
    unsafe {
        assert_eq!(hoosh_gateway_set_waker(gateway.0, Some(count), context(&old)), OK);
        assert_eq!(hoosh_gateway_set_waker(gateway.0, Some(count), context(&new)), OK);
    }
    let exchange = gateway.asked("/v1/chat/completions", CHAT);
    exchange.until(hoosh_step_kind::Send);
    let late = gateway.asked("/v1/chat/completions", CHAT);
    late.until(hoosh_step_kind::Send);
    drop(exchange);
    assert_eq!((old.load(Ordering::SeqCst), new.load(Ordering::SeqCst)), (0, 1));
    drop(gateway);
    drop(late);
    assert_eq!(new.load(Ordering::SeqCst), 1, "the gateway was freed");
}
