//! One caller request, from its head to its last byte.

mod step;
mod work;

pub use step::{Caller, RequestHead, Stage, Step, UpstreamId};
pub use work::{Job, JobResult};

/// The machine.
#[derive(Debug)]
pub struct Exchange {}
