//! What an exchange has others do: jobs for any thread, and children.

use bytes::Bytes;
use hoosh_core::exchange::{ChildAnswer, Job, JobResult};

use super::{door, hoosh_exchange};
use crate::border::{exclusive, free, guarded, hoosh_result, take};
use crate::values::{hoosh_bytes, status};

/// CPU work that takes longer than a loop should wait. One thread at a time.
pub struct hoosh_job(State);

enum State {
    New(Job),
    Done(JobResult),
    /// It panicked.
    Lost,
}

// The header lets a job go to another thread, and back with its result.
const _: () = {
    const fn another_thread<T: Send>() {}
    another_thread::<State>();
};

impl hoosh_job {
    pub fn new(job: Job) -> hoosh_job {
        hoosh_job(State::New(job))
    }
}

/// # Exchange: jobs and children
///
/// Does the job, here and now, without its exchange: on any thread, while the exchange goes on. Once.
#[no_mangle]
pub unsafe extern "C" fn hoosh_job_run(job: *mut hoosh_job) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let job = unsafe { exclusive(job) }?;
        match std::mem::replace(&mut job.0, State::Lost) {
            State::New(new) => {
                job.0 = State::Done(new.run());
                Ok(())
            }
            other => {
                job.0 = other;
                Err(hoosh_result::Invalid)
            }
        }
    })
}

/// Frees a job that is not wanted any more, done or not.
#[no_mangle]
pub unsafe extern "C" fn hoosh_job_free(job: *mut hoosh_job) {
    // SAFETY: the program's promise.
    unsafe { free(job) }
}

/// Hands a job's result to the exchange that gave the job. On `HOOSH_RESULT_OK` the job is freed; otherwise it stays
/// yours. `HOOSH_RESULT_INVALID` if `hoosh_job_run` did not do it.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_worked(exchange: *mut hoosh_exchange, job: *mut hoosh_job) -> hoosh_result {
    // SAFETY: the program's promise.
    unsafe {
        door(exchange, |exchange| {
            if !matches!(exclusive(job)?.0, State::Done(_)) {
                return Err(hoosh_result::Invalid);
            }
            if let State::Done(result) = take(job)?.0 {
                exchange.worked(result);
            }
            Ok(())
        })
    }
}

/// Child number `c` answered `answer_status` and `body`.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_child(
    exchange: *mut hoosh_exchange,
    c: u32,
    answer_status: u16,
    body: hoosh_bytes,
) -> hoosh_result {
    // SAFETY: the program's promise.
    unsafe {
        door(exchange, |exchange| {
            let (status, body) = (status(answer_status)?, Bytes::copy_from_slice(body.slice()?));
            exchange.child(c, ChildAnswer { status, body });
            Ok(())
        })
    }
}
