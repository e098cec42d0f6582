//! One upstream attempt: where it stands, what it holds, how long it may take.

use bytes::{Bytes, BytesMut};

use super::inbox::AnswerHead;
use super::step::UpstreamId;
use crate::clock::SECOND;
use crate::config::Deadlines;
use crate::dialects::openai::encode::Collected;
use crate::dialects::openai::relay::Relay;
use crate::gateway::Upstream;
use crate::health;
use crate::limit::Permit;
use crate::sync::Arc;

/// Bytes that an upstream may send ahead of what was used.
pub(super) const WINDOW: usize = 64 << 10;

/// How far an attempt came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Stage {
    Opening,
    Connected,
    Sent,
    Body,
}

/// How the answer is followed.
#[derive(Debug)]
pub(super) enum Follow {
    /// No head yet.
    Head,
    /// The whole body is collected.
    Whole { status: u16, retry_after_us: Option<u64>, body: BytesMut, single: Option<Bytes> },
    /// Events pass as they come.
    Stream(Box<Relay>),
    /// An engine of this process speaks.
    Engine(Box<Collected>),
    /// All that matters was read; only the end of the body is waited for, so that the connection can be used again.
    Tail,
}

#[derive(Debug)]
pub(super) struct Attempt {
    pub u: UpstreamId,
    pub upstream: Arc<Upstream>,
    pub health: Option<health::Attempt>,
    /// Frees the provider's place when dropped.
    pub permit: Option<Permit>,
    pub stage: Stage,
    pub since_us: u64,
    pub opened_us: u64,
    /// Credit given and not used.
    pub credit: usize,
    pub follow: Follow,
    /// When its first byte came, after opening.
    pub first_byte_us: Option<u64>,
}

impl Attempt {
    /// When patience ends. While the caller is behind (no credit out), nothing is expected of the upstream.
    pub fn deadline_us(&self, deadlines: &Deadlines) -> Option<u64> {
        let seconds = match (&self.follow, self.stage) {
            (Follow::Tail, _) => return Some(self.since_us + TAIL_US),
            (_, Stage::Opening) => deadlines.connect_secs,
            (_, Stage::Connected | Stage::Sent) => deadlines.first_byte_secs,
            (_, Stage::Body) if self.credit == 0 => return None,
            (_, Stage::Body) => deadlines.idle_secs,
        };
        Some(self.since_us.saturating_add(seconds.saturating_mul(SECOND)))
    }

    /// Enters a stage, or stays in it after progress.
    pub fn progress(&mut self, stage: Stage, now_us: u64) {
        self.stage = stage;
        self.since_us = now_us;
    }

    /// Whether the upstream may have begun to work, so that it may bill.
    pub fn was_sent(&self) -> bool {
        self.stage >= Stage::Sent
    }
}

/// How long the end of a body is waited for after all of its content came: its last chunk is usually there already.
const TAIL_US: u64 = SECOND;

impl AnswerHead {
    pub fn is(&self, kind: &[u8]) -> bool {
        let Some(value) = &self.content_type else { return false };
        let essence = value.split(|b| *b == b';').next().unwrap_or(value).trim_ascii();
        essence.eq_ignore_ascii_case(kind)
    }
}
