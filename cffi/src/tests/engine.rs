//! An engine of the program, through its doors.

use super::*;
use crate::exchange::{caller::*, engine::*, upstream::*};

#[test]
fn an_engine_answers_with_text_and_a_tool_call() {
    let gateway = Gateway::new(ENGINE);
    let exchange = gateway.asked("/v1/chat/completions", CHAT);
    let step = exchange.until(hoosh_step_kind::Call);
    let said = (text(step.engine), text(step.endpoint), text(step.body));
    assert_eq!(said, ("mine".to_owned(), "chat".to_owned(), CHAT.to_owned()));
    // SAFETY: a valid exchange.
    unsafe {
        assert_eq!(hoosh_exchange_connected(exchange.0, step.u), OK);
        assert!(exchange.until(hoosh_step_kind::Read).credit > 0);
        assert_eq!(hoosh_exchange_delta_text(exchange.0, step.u, 0, bytes("Hello")), OK);
        let none = hoosh_bytes::NONE;
        let (id, name, part) = (bytes("call_1"), bytes("look"), bytes("{\"at\":"));
        assert_eq!(hoosh_exchange_delta_tool_call(exchange.0, step.u, 0, 0, id, name, part), OK);
        assert_eq!(hoosh_exchange_delta_tool_call(exchange.0, step.u, 0, 0, none, none, bytes("1}")), OK);
        assert_eq!(hoosh_exchange_delta_finish(exchange.0, step.u, 0, bytes("tool_calls")), OK);
        assert_eq!(hoosh_exchange_delta_usage(exchange.0, step.u, 3, 4), OK);
        assert_eq!(hoosh_exchange_end(exchange.0, step.u), OK);
    }
    let reply = exchange.until(hoosh_step_kind::Reply);
    let body = text(reply.body);
    assert_eq!(reply.status, 200);
    for part in ["\"Hello\"", "\"call_1\"", "\"look\"", r#""{\"at\":1}""#, "\"total_tokens\":7"] {
        assert!(body.contains(part), "{part} in {body}");
    }
}

#[test]
fn an_engine_answers_with_vectors() {
    let gateway = Gateway::new(ENGINE);
    let exchange = gateway.asked("/v1/embeddings", r#"{"model":"m","input":["a","b"]}"#);
    let step = exchange.until(hoosh_step_kind::Call);
    assert_eq!(text(step.endpoint), "embeddings");
    let vectors = [[0.5f32, -1.0], [0.25, 2.0]];
    // SAFETY: a valid exchange.
    unsafe {
        hoosh_exchange_connected(exchange.0, step.u);
        for index in [1, 0] {
            let vector = &vectors[index];
            let (number, length) = (index as u32, vector.len());
            assert_eq!(hoosh_exchange_delta_embedding(exchange.0, step.u, number, vector.as_ptr(), length), OK);
        }
        hoosh_exchange_delta_usage(exchange.0, step.u, 2, 0);
        hoosh_exchange_end(exchange.0, step.u);
        let reply = exchange.until(hoosh_step_kind::Reply);
        let body = text(reply.body);
        assert!(body.contains("[0.5,-1.0]") && body.contains("[0.25,2.0]"), "{body}");
        hoosh_exchange_written(exchange.0, reply.body.len);
    }
    assert_eq!(exchange.next(0).kind, hoosh_step_kind::Done);
}
