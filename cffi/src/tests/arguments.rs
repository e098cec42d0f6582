//! What every function says to NULL, to lengths, texts and numbers that make no sense; and that it then did nothing.

use std::ptr::{null, null_mut};

use super::*;
use crate::config::{hoosh_text, hoosh_text_free};
use crate::exchange::{caller::*, engine::*, upstream::*, work::*};
use crate::gateway::*;
use crate::kernels::*;
use crate::sse::*;
use crate::store::*;

const NOTHING: hoosh_bytes = hoosh_bytes::NONE;

#[test]
fn a_null_handle_is_said_to_be_null() {
    let no: *mut hoosh_exchange = null_mut();
    // SAFETY: NULL is allowed everywhere.
    unsafe {
        let results = [
            hoosh_exchange_new(null(), None, null_mut(), &mut null_mut()),
            hoosh_exchange_begin(no, NOTHING, NOTHING, null(), 0, false),
            hoosh_exchange_refused(no, bytes("malformed_request"), NOTHING),
            hoosh_exchange_body(no, NOTHING),
            hoosh_exchange_body_end(no),
            hoosh_exchange_written(no, 0),
            hoosh_exchange_caller_gone(no),
            hoosh_exchange_connected(no, 0),
            hoosh_exchange_sent(no, 0),
            hoosh_exchange_head(no, 0, 200, null(), 0),
            hoosh_exchange_data(no, 0, NOTHING),
            hoosh_exchange_end(no, 0),
            hoosh_exchange_failed(no, 0, 0, false),
            hoosh_exchange_delta_text(no, 0, 0, NOTHING),
            hoosh_exchange_delta_tool_call(no, 0, 0, 0, NOTHING, NOTHING, NOTHING),
            hoosh_exchange_delta_embedding(no, 0, 0, null(), 0),
            hoosh_exchange_delta_finish(no, 0, 0, NOTHING),
            hoosh_exchange_delta_usage(no, 0, 0, 0),
            hoosh_exchange_worked(no, null_mut()),
            hoosh_exchange_child(no, 0, 200, NOTHING),
            hoosh_exchange_next(no, at(0), null_mut()),
            hoosh_job_run(null_mut()),
            hoosh_gateway_new(null(), 0, &mut null_mut()),
            hoosh_gateway_set_waker(null(), None, null_mut()),
            hoosh_gateway_next(null(), at(0), null_mut()),
            hoosh_gateway_fetched(null(), 0, 0, NOTHING, at(0)),
            hoosh_gateway_reload(null(), null(), at(0)),
            hoosh_gateway_drain(null()),
            hoosh_gateway_settle(null()),
            hoosh_gateway_stop(null()),
            hoosh_gateway_close(null()),
            hoosh_store_new(1, null_mut()),
            hoosh_store_perform(null_mut(), null(), at(0)),
            hoosh_sse_new(null_mut()),
            hoosh_sse_feed(null_mut(), NOTHING),
            hoosh_config_parse(NOTHING, None, null_mut(), null_mut(), null_mut()),
            hoosh_tokens_count(NOTHING, bytes("o200k_base"), null_mut()),
            hoosh_cache_key(bytes("{}"), NOTHING, null_mut()),
        ];
        assert_eq!(results, [NULL; 38]);
        assert_eq!(hoosh_gateway_open(null()), 0);
        assert_eq!((hoosh_text_bytes(null()).len, hoosh_store_rows(null_mut()).len), (0, 0));
        assert!(!hoosh_sse_next(null_mut(), null_mut()));
        hoosh_exchange_free(no);
        hoosh_job_free(null_mut());
        hoosh_gateway_free(null_mut());
        hoosh_store_free(null_mut());
        hoosh_sse_free(null_mut());
        hoosh_config_free(null_mut());
        hoosh_text_free(null_mut());
    }
}

#[test]
fn bytes_without_a_pointer_or_longer_than_memory_are_refused_in_every_place() {
    let gateway = Gateway::new(ENGINE);
    let exchange = gateway.asked("/v1/chat/completions", CHAT);
    let (x, ok, mut number) = (exchange.0, NOTHING, 0usize);
    for (odd, expected) in impossible() {
        let header = [hoosh_header { name: bytes("a"), value: odd }];
        // SAFETY: what is odd is never read.
        unsafe {
            let fresh = gateway.exchange();
            let mut sse = null_mut();
            assert_eq!(hoosh_sse_new(&mut sse), OK);
            let results = [
                hoosh_exchange_begin(fresh.0, odd, ok, null(), 0, false),
                hoosh_exchange_begin(fresh.0, ok, odd, null(), 0, false),
                hoosh_exchange_begin(fresh.0, ok, ok, odd.ptr.cast(), odd.len, false),
                hoosh_exchange_begin(fresh.0, ok, ok, header.as_ptr(), 1, false),
                hoosh_exchange_refused(fresh.0, odd, ok),
                hoosh_exchange_refused(fresh.0, bytes("malformed_request"), odd),
                hoosh_exchange_body(x, odd),
                hoosh_exchange_head(x, 0, 200, odd.ptr.cast(), odd.len),
                hoosh_exchange_head(x, 0, 200, header.as_ptr(), 1),
                hoosh_exchange_data(x, 0, odd),
                hoosh_exchange_delta_text(x, 0, 0, odd),
                hoosh_exchange_delta_tool_call(x, 0, 0, 0, odd, ok, ok),
                hoosh_exchange_delta_tool_call(x, 0, 0, 0, ok, odd, ok),
                hoosh_exchange_delta_tool_call(x, 0, 0, 0, ok, ok, odd),
                hoosh_exchange_delta_embedding(x, 0, 0, odd.ptr.cast(), odd.len),
                hoosh_exchange_delta_finish(x, 0, 0, odd),
                hoosh_exchange_child(x, 0, 200, odd),
                hoosh_gateway_fetched(gateway.0, 1, 200, odd, at(0)),
                hoosh_config_parse(odd, None, null_mut(), &mut null_mut(), null_mut()),
                hoosh_tokens_count(odd, bytes("o200k_base"), &mut number),
                hoosh_tokens_count(ok, odd, &mut number),
                hoosh_cache_key(odd, ok, [0u8; 64].as_mut_ptr()),
                hoosh_cache_key(bytes("{}"), odd, [0u8; 64].as_mut_ptr()),
                hoosh_sse_feed(sse, odd),
            ];
            assert_eq!(results, [expected; 24]);
            hoosh_sse_free(sse);
            // None of it was a beginning.
            fresh.begin("/v1/chat/completions");
        }
    }
    // The exchange noticed nothing: it asks the engine next.
    exchange.until(hoosh_step_kind::Call);
}

#[test]
fn a_length_that_overflows_with_its_elements_is_refused() {
    let exchange = Gateway::new(ENGINE).exchange();
    let (ptr, count) = (std::ptr::NonNull::dangling().as_ptr(), usize::MAX / size_of::<hoosh_header>() + 2);
    // SAFETY: what is odd is never read.
    unsafe {
        assert_eq!(hoosh_exchange_begin(exchange.0, NOTHING, NOTHING, ptr, count, false), INVALID);
    }
}

#[test]
fn what_is_not_utf_8_or_not_known_is_invalid() {
    let gateway = Gateway::new(ENGINE);
    let exchange = gateway.asked("/v1/chat/completions", CHAT);
    let (x, odd, mut number) = (exchange.0, hoosh_bytes::of(b"\xff\xfe"), 7usize);
    let (mut config, mut error) = (null_mut(), null_mut::<hoosh_text>());
    let mut key = [7u8; 64];
    // SAFETY: valid pointers.
    unsafe {
        let fresh = gateway.exchange();
        let results = [
            hoosh_exchange_begin(fresh.0, odd, bytes("/"), null(), 0, false),
            hoosh_exchange_begin(fresh.0, bytes("GET"), odd, null(), 0, false),
            hoosh_exchange_refused(fresh.0, bytes("no_such_code"), bytes("words")),
            hoosh_exchange_refused(fresh.0, bytes("malformed_request"), odd),
            hoosh_exchange_failed(x, 0, 6, false),
            hoosh_exchange_failed(x, 0, u32::MAX, false),
            hoosh_exchange_head(x, 0, 99, null(), 0),
            hoosh_exchange_head(x, 0, 1000, null(), 0),
            hoosh_exchange_child(x, 0, 0, NOTHING),
            hoosh_exchange_delta_text(x, 0, 0, odd),
            hoosh_exchange_delta_tool_call(x, 0, 0, 0, NOTHING, NOTHING, odd),
            hoosh_exchange_delta_finish(x, 0, 0, odd),
            hoosh_gateway_fetched(gateway.0, 1, 7, NOTHING, at(0)),
            hoosh_config_parse(odd, None, null_mut(), &mut config, &mut error),
            hoosh_tokens_count(odd, bytes("o200k_base"), &mut number),
            hoosh_tokens_count(bytes("a"), bytes("p50k_base"), &mut number),
            hoosh_cache_key(bytes("[]"), NOTHING, key.as_mut_ptr()),
            hoosh_cache_key(bytes("{}"), odd, key.as_mut_ptr()),
        ];
        assert_eq!(results, [INVALID; 18]);
    }
    assert!(config.is_null() && error.is_null() && number == 7 && key == [7; 64], "outputs are written on OK only");
}

#[test]
fn a_wrong_configuration_is_told_in_words() {
    let (mut config, mut error) = (null_mut(), null_mut());
    // SAFETY: valid pointers, each freed once.
    unsafe {
        let wrong = bytes("[server]\nprt = 1\n");
        assert_eq!(hoosh_config_parse(wrong, None, null_mut(), &mut config, null_mut()), hoosh_result::Config);
        assert_eq!(hoosh_config_parse(wrong, None, null_mut(), &mut config, &mut error), hoosh_result::Config);
        assert!(config.is_null());
        assert!(text(hoosh_text_bytes(error)).contains("port"), "it names what was meant");
        hoosh_text_free(error);
    }
}

#[test]
fn terms_of_tls_that_nobody_would_keep_are_refused() {
    let pin = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let toml = format!("[[providers]]\ntype = \"openai\"\n[providers.tls]\npins = [\"{pin}\"]\n");
    let (mut config, mut error) = (null_mut(), null_mut());
    // SAFETY: valid pointers, each freed once.
    unsafe {
        let result = hoosh_config_parse(bytes(&toml), None, null_mut(), &mut config, &mut error);
        assert_eq!(result, hoosh_result::Config);
        assert!(config.is_null());
        assert!(text(hoosh_text_bytes(error)).contains("cannot be kept"));
        hoosh_text_free(error);
    }
}

#[test]
fn variables_come_from_the_program() {
    unsafe extern "C" fn variable(
        context: *mut std::ffi::c_void,
        name: *const std::ffi::c_char,
    ) -> *const std::ffi::c_char {
        // SAFETY: the test's own context, and a terminated name.
        let (asked, name) = unsafe { (&mut *context.cast::<Vec<String>>(), std::ffi::CStr::from_ptr(name)) };
        asked.push(name.to_str().unwrap().to_owned());
        c"secret".as_ptr()
    }
    let (mut config, mut asked) = (null_mut(), Vec::<String>::new());
    let toml = format!("{UPSTREAM}api_key = \"$KEY\"\n");
    // SAFETY: valid pointers, each freed once.
    unsafe {
        let context = (&raw mut asked).cast();
        assert_eq!(hoosh_config_parse(bytes(&toml), Some(variable), context, &mut config, null_mut()), OK);
        hoosh_config_free(config);
    }
    assert_eq!(asked, ["KEY", "ANTHROPIC_API_VERSION"]);
}

#[test]
fn kernels_need_no_gateway() {
    let (mut count, mut key, mut sse) = (0, [0u8; 64], null_mut());
    // SAFETY: valid pointers, each freed once.
    unsafe {
        assert_eq!(hoosh_tokens_count(bytes("hello world"), bytes("o200k_base"), &mut count), OK);
        assert_eq!(count, 2);
        assert_eq!(hoosh_cache_key(bytes("{\"a\": 1}"), bytes("t"), key.as_mut_ptr()), OK);
        assert!(key.iter().all(u8::is_ascii_hexdigit));
        assert_eq!(hoosh_sse_new(&mut sse), OK);
        assert_eq!(hoosh_sse_feed(sse, bytes("id: 7\ndata: a\ndata: b\n\ndata: c\n\nda")), OK);
        let mut event = std::mem::MaybeUninit::uninit();
        let mut seen = Vec::new();
        while hoosh_sse_next(sse, event.as_mut_ptr()) {
            let event: &hoosh_event = event.assume_init_ref();
            seen.push((text(event.event), text(event.data), text(event.id)));
        }
        let whole = |data: &str| ("message".to_owned(), data.to_owned(), "7".to_owned());
        assert_eq!(seen, [whole("a\nb"), whole("c")]);
        hoosh_sse_free(sse);
    }
}
