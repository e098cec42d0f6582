//! Jobs and children: whose they are, and where they may run.

use super::*;
use crate::exchange::{upstream::*, work::*};
use crate::gateway::hoosh_gateway_open;

/// A body that is too long to be read inline.
fn long_chat() -> String {
    CHAT.replace("hi", &"word ".repeat(20_000))
}

#[test]
fn a_job_runs_on_another_thread_while_its_exchange_goes_on() {
    struct Parcel(*mut hoosh_job);
    // SAFETY: a job may go from thread to thread.
    unsafe impl Send for Parcel {}

    let gateway = Gateway::new(UPSTREAM);
    let exchange = gateway.asked("/v1/chat/completions", &long_chat());
    let parcel = Parcel(exchange.until(hoosh_step_kind::Work).job);
    let thread = std::thread::spawn(move || {
        let parcel = parcel;
        // SAFETY: this thread alone has the job.
        assert_eq!(unsafe { hoosh_job_run(parcel.0) }, OK);
        parcel
    });
    assert_eq!(exchange.next(0).kind, hoosh_step_kind::Wait);
    let job = thread.join().expect("the thread").0;
    // SAFETY: a valid exchange and its job.
    unsafe {
        assert_eq!(hoosh_job_run(job), INVALID, "it is done once");
        assert_eq!(hoosh_exchange_worked(exchange.0, job), OK);
    }
    exchange.until(hoosh_step_kind::Send);
}

#[test]
fn a_job_that_was_not_done_stays_the_programs() {
    let gateway = Gateway::new(UPSTREAM);
    let exchange = gateway.asked("/v1/chat/completions", &long_chat());
    let job = exchange.until(hoosh_step_kind::Work).job;
    // SAFETY: a valid exchange and its job, which is freed once.
    unsafe {
        assert_eq!(hoosh_exchange_worked(exchange.0, null_mut()), NULL);
        assert_eq!(hoosh_exchange_worked(exchange.0, job), INVALID);
        assert_eq!(hoosh_exchange_worked(null_mut(), job), NULL);
        drop(exchange);
        hoosh_job_free(job);
    }
}

#[test]
fn children_answer_to_their_parent() {
    let gateway = Gateway::new(&format!("{UPSTREAM}[limits]\nmax_inputs = 1\n"));
    let parent = gateway.asked("/v1/embeddings", r#"{"model":"m","input":["a","b"]}"#);
    let mut waiting = Vec::new();
    for number in 0..2 {
        let step = parent.until(hoosh_step_kind::Child);
        assert_eq!(step.u, number);
        waiting.push(Exchange(step.child));
    }
    // SAFETY: valid pointers.
    assert_eq!(unsafe { hoosh_gateway_open(gateway.0) }, 3);
    for (number, child) in waiting.iter().enumerate() {
        let step = child.until(hoosh_step_kind::Send);
        let answer = r#"{"object":"list","data":[{"index":0,"embedding":[1]}],"model":"m","usage":{"prompt_tokens":1,"total_tokens":1}}"#;
        // SAFETY: valid pointers.
        unsafe {
            hoosh_exchange_head(child.0, step.u, 200, null(), 0);
            hoosh_exchange_data(child.0, step.u, bytes(answer));
            hoosh_exchange_end(child.0, step.u);
            let reply = child.until(hoosh_step_kind::Reply);
            assert_eq!(hoosh_exchange_child(parent.0, number as u32, reply.status, reply.body), OK);
        }
    }
    let body = text(parent.until(hoosh_step_kind::Reply).body);
    assert!(body.contains("\"index\":1") && body.contains("\"total_tokens\":2"), "{body}");
}
