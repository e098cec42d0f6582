//! One upstream attempt: where it stands, what it holds, how long it may take.

use super::passed_on::Pass;
use super::spoken::Spoken;
use super::step::UpstreamId;
use super::whole::Whole;
use crate::clock::SECOND;
use crate::config::Deadlines;
use crate::dialects::openai::relay::Relay;
use crate::dialects::openai::words::Words;
use crate::gateway::Upstream;
use crate::health;
use crate::ledger::Usage;
use crate::limit::Permit;
use crate::sync::Arc;

/// Bytes that an upstream may send ahead of what was used.
pub(super) const WINDOW: usize = 64 << 10;

/// How long the end of a body is waited for after all of its content came: its last chunk is usually there already.
const TAIL_US: u64 = SECOND;

/// How long a stream may go on in comments alone: an upstream that hangs behind its own keep-alives is silent too.
const MOST_COMMENTS_US: u64 = 600 * SECOND;

/// How far an attempt came, as the doors told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Reached {
    Nothing,
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
    Whole(Whole),
    /// Events pass as they come.
    Stream(Box<Relay>),
    /// An engine of this process speaks, or an upstream in a dialect that is read.
    Spoken(Box<Spoken>),
    /// It goes on while it comes.
    Pass(Box<Pass>),
    /// All that matters was read; only the end of the body is waited for, so that the connection can be used again.
    Tail,
}

#[derive(Debug)]
pub(super) struct Attempt {
    pub u: UpstreamId,
    pub upstream: Arc<Upstream>,
    deadlines: Deadlines,
    pub health: Option<health::Admission>,
    /// Frees the provider's place when dropped.
    pub permit: Option<Permit>,
    pub reached: Reached,
    /// When it got there, or was last heard of.
    pub since_us: u64,
    /// When the last event of its stream came, comments left out.
    pub event_us: u64,
    pub opened_us: u64,
    /// Credit given and not used.
    pub credit: usize,
    pub follow: Follow,
    /// When its first byte came, after opening.
    pub first_byte_us: Option<u64>,
    /// Its end or failure was told: there is nothing left to abort.
    pub over: bool,
}

impl Attempt {
    pub fn open(
        u: UpstreamId,
        upstream: Arc<Upstream>,
        deadlines: Deadlines,
        health: health::Admission,
        permit: Option<Permit>,
        now_us: u64,
    ) -> Attempt {
        Attempt {
            u,
            upstream,
            deadlines,
            health: Some(health),
            permit,
            reached: Reached::Nothing,
            since_us: now_us,
            event_us: now_us,
            opened_us: now_us,
            credit: 0,
            follow: Follow::Head,
            first_byte_us: None,
            over: false,
        }
    }

    /// When patience ends. While the caller is behind (no credit out), nothing is expected of the upstream.
    pub fn deadline_us(&self) -> Option<u64> {
        let deadlines = &self.deadlines;
        let seconds = match (&self.follow, self.reached) {
            (Follow::Tail, _) => return Some(self.since_us + TAIL_US),
            (_, Reached::Nothing) => deadlines.connect_secs,
            (_, Reached::Connected | Reached::Sent) => deadlines.first_byte_secs,
            (_, Reached::Body) if self.credit == 0 => return None,
            // An engine has no head: what it says first is its first byte.
            (Follow::Spoken(_), Reached::Body) if self.first_byte_us.is_none() => deadlines.first_byte_secs,
            (_, Reached::Body) => deadlines.idle_secs,
        };
        Some(self.since_us.saturating_add(seconds.saturating_mul(SECOND)))
    }

    /// Where it stood when it fell silent. An engine stands inside its answer at once, but has begun with its first word.
    pub fn silent_since(&self) -> Reached {
        match self.follow {
            Follow::Spoken(_) if self.first_byte_us.is_none() => Reached::Sent,
            _ => self.reached,
        }
    }

    pub fn reach(&mut self, reached: Reached, now_us: u64) {
        self.reached = reached;
        self.since_us = now_us;
        self.event_us = now_us;
    }

    /// Bytes of a stream came, `event`: an event among them. Comments tell that it lives, but not for ever.
    pub fn hear(&mut self, event: bool, now_us: u64) {
        if event {
            self.event_us = now_us;
        }
        if now_us - self.event_us <= MOST_COMMENTS_US {
            self.since_us = now_us;
        }
    }

    /// Whether the upstream may have begun to work, so that it may bill.
    pub fn was_sent(&self) -> bool {
        self.reached >= Reached::Sent
    }

    /// What it said of its cost and the words that it said, where the caller may have got some of them.
    pub fn take_said(&mut self) -> Option<(Option<Usage>, Words)> {
        match &mut self.follow {
            Follow::Stream(relay) => Some((relay.usage(), relay.take_words())),
            Follow::Spoken(spoken) => Some((spoken.usage, spoken.collected.words())),
            Follow::Pass(pass) => pass.usage().map(|usage| (Some(usage), Words::default())),
            _ => None,
        }
    }

    /// Bytes of the answer that it keeps.
    pub fn held(&self) -> usize {
        match &self.follow {
            Follow::Whole(whole) => whole.body.len(),
            Follow::Stream(relay) => relay.held(),
            Follow::Spoken(spoken) => spoken.held(),
            Follow::Pass(pass) => pass.held(),
            Follow::Head | Follow::Tail => 0,
        }
    }
}
