//! How large a body may be, by what it is for, and what to raise where that is too little.

use super::target::Target;
use crate::config::Server;
use crate::dialects::passed::{Passed, Takes};
use crate::error::{Code, Failure};

/// What no model reads needs few bytes.
const MAX_CONTROL: u64 = 1 << 20;

/// The largest body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub bytes: u64,
    /// The key of `[server]` that says so; `None`: it cannot be raised.
    key: Option<&'static str>,
}

/// The bound on bodies for `target`.
pub(super) fn of(target: Option<&Target>, server: &Server) -> Size {
    match target {
        Some(Target::Passed(Passed::Files, _)) => Size { bytes: server.max_file_bytes, key: Some("max_file_bytes") },
        Some(Target::Passed(passed, _)) if matches!(passed.takes("POST"), Takes::Form | Takes::JsonOrForm) => {
            Size { bytes: server.max_audio_bytes, key: Some("max_audio_bytes") }
        }
        Some(Target::Inference(..) | Target::Count(_) | Target::Passed(..)) => inference(server),
        _ => Size { bytes: MAX_CONTROL, key: None },
    }
}

/// The bound on what is held whole.
pub(super) fn inference(server: &Server) -> Size {
    Size { bytes: server.max_body_bytes, key: Some("max_body_bytes") }
}

impl Size {
    /// Whether a body may have `length` bytes.
    pub fn check(self, length: u64) -> Result<(), Failure> {
        let Size { bytes, key } = self;
        if length <= bytes {
            return Ok(());
        }
        let words = match key {
            Some(key) => format!("The body is larger than {bytes} bytes. Send less, or raise [server] {key}."),
            None => format!("The body is larger than {bytes} bytes. This path takes no more."),
        };
        Err(Failure::new(Code::BodyTooLarge, words))
    }
}
