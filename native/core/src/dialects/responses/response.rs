//! The response object, which opens and closes a stream and is a whole answer.

use super::errors::stream_code;
use super::finish::status_of;
use super::repeated::Repeated;
use super::usage;
use crate::dialects::Reply;
use crate::error::Failure;
use crate::json::write_string;
use crate::ledger::Usage;

/// How far a response is.
#[derive(Clone, Copy, Debug)]
pub(super) enum State<'a> {
    InProgress,
    /// With its neutral finish reason.
    Ended(&'a str, &'a Usage, u64),
    Failed(&'a Failure),
}

impl State<'_> {
    /// Its `status`.
    pub fn status(self) -> &'static str {
        match self {
            State::InProgress => "in_progress",
            State::Ended(reason, ..) => status_of(reason).0,
            State::Failed(_) => "failed",
        }
    }
}

/// `resp_…`
pub(super) fn write_id(out: &mut Vec<u8>, reply: &Reply) {
    out.extend_from_slice(b"\"resp_");
    out.extend_from_slice(reply.id.as_bytes());
    out.push(b'"');
}

/// Writes a response whose output items are `output`, with commas between them.
pub(super) fn write(out: &mut Vec<u8>, reply: &Reply, repeated: &Repeated, state: State<'_>, output: &[u8]) {
    out.extend_from_slice(b"{\"id\":");
    write_id(out, reply);
    out.extend_from_slice(b",\"object\":\"response\",\"created_at\":");
    out.extend_from_slice(itoa::Buffer::new().format(reply.created.max(0)).as_bytes());
    out.extend_from_slice(b",\"status\":\"");
    out.extend_from_slice(state.status().as_bytes());
    out.extend_from_slice(b"\",\"error\":");
    match state {
        State::Failed(failure) => write_error(out, failure),
        _ => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"incomplete_details\":");
    match state {
        State::Ended(reason, ..) if status_of(reason).1.is_some() => {
            out.extend_from_slice(b"{\"reason\":");
            write_string(out, status_of(reason).1.unwrap_or_default());
            out.push(b'}');
        }
        _ => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"model\":");
    write_string(out, &reply.model);
    out.extend_from_slice(b",\"output\":[");
    out.extend_from_slice(output);
    out.push(b']');
    repeated.write(out);
    out.extend_from_slice(b",\"usage\":");
    match state {
        State::Ended(_, used, reasoning_tokens) => usage::write(out, used, reasoning_tokens),
        _ => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
}

fn write_error(out: &mut Vec<u8>, failure: &Failure) {
    out.extend_from_slice(b"{\"code\":\"");
    out.extend_from_slice(stream_code(failure).as_bytes());
    out.extend_from_slice(b"\",\"message\":");
    write_string(out, &failure.message);
    out.push(b'}');
}
