//! An answer that comes whole: collected, then judged, by a job if it is long.

use bytes::Bytes;

use super::attempt::{Attempt, Follow};
use super::gather::Gather;
use super::verdict::{self, Fall};
use super::work::INLINE_BYTES;
use super::{Exchange, Phase};
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::answer::{self, Answer};
use crate::dialects::openai::words::Words;
use crate::error::Code;
use crate::json::mended;

/// The largest answer that is collected whole, bytes. An embedding of 2,048 inputs takes about 70 MB as text.
const MAX_ANSWER: usize = 128 << 20;
/// Of an error's body, no more is kept.
const MAX_ERROR_BODY: usize = INLINE_BYTES;
/// So much more of it is read, so that its connection can be used again.
const MAX_DROPPED: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Whole {
    status: u16,
    /// What its `Retry-After` asks for.
    retry_after_us: Option<u64>,
    pub body: Gather,
    /// More of an error's body came than is kept.
    cut: bool,
    dropped: usize,
}

/// A body of a 2xx and what it is.
pub(super) struct Judged {
    body: Bytes,
    answer: Answer,
    words: Words,
}

impl Whole {
    pub fn new(status: u16, retry_after_us: Option<u64>) -> Whole {
        Whole { status, retry_after_us, body: Gather::default(), cut: false, dropped: 0 }
    }

    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Judged {
    fn of(body: Bytes, endpoint: Endpoint, wanted: u64) -> Judged {
        let mut words = Words::default();
        let answer = words.add(|text| answer::read(&body, endpoint, wanted, text));
        if let Some(mended) = matches!(answer, Answer::Malformed).then(|| mended(&body)).flatten() {
            return Judged::of(mended, endpoint, wanted);
        }
        Judged { body, answer, words }
    }
}

impl Exchange {
    pub(super) fn take_whole(&mut self, bytes: Bytes) {
        let Some(Attempt { follow: Follow::Whole(whole), .. }) = &mut self.attempt else { return };
        let length = whole.body.len() + bytes.len();
        whole.dropped += if whole.cut { bytes.len() } else { 0 };
        whole.cut |= !whole.is_success() && length > MAX_ERROR_BODY;
        if whole.cut {
            if whole.dropped > MAX_DROPPED {
                self.end_whole();
            }
            return;
        }
        if length > MAX_ANSWER {
            self.fall(Fall::malformed("The provider's answer is larger than the gateway holds."));
            return;
        }
        whole.body.add(bytes);
    }

    pub(super) fn end_whole(&mut self) {
        let Some(Attempt { follow: Follow::Whole(whole), .. }) = &mut self.attempt else { return };
        let body = whole.body.take();
        if !whole.is_success() {
            let (status, after_us) = (whole.status, whole.retry_after_us);
            return self.refuse_whole(status, after_us, body);
        }
        if self.passing.is_some() {
            return self.end_passed_whole(body);
        }
        let (endpoint, wanted) = (self.endpoint(), self.facts().answers);
        if let Some(dialect) = self.attempt.as_ref().map(|attempt| attempt.upstream.dialect) {
            if self.translates(dialect) {
                return self.read_whole(dialect, body);
            }
        }
        if body.len() <= INLINE_BYTES {
            return self.take_judged(Judged::of(body, endpoint, wanted));
        }
        self.work(Phase::Judging, body.len(), move || Judged::of(body, endpoint, wanted));
    }

    fn refuse_whole(&mut self, status: u16, after_us: Option<u64>, body: Bytes) {
        let spent = status == 429 && answer::is_spent(&body);
        let mut fall = verdict::of_status(status, after_us, spent, self.now.mono_us);
        if fall.failure.code == Code::UpstreamRefused {
            self.pass_refusal(body, &mut fall);
        }
        self.fall(fall);
    }

    pub(super) fn take_judged(&mut self, judged: Judged) {
        let Judged { body, answer, words } = judged;
        match answer {
            Answer::Whole { usage, clean } => {
                self.succeed(usage, clean, words);
                self.attempt = None;
                self.reply_whole(body);
            }
            Answer::Error(words) => self.fall(Fall::error("The provider answered with an error", &words)),
            Answer::Malformed => {
                self.fall(Fall::malformed("The provider answered something that is not its protocol."));
            }
        }
    }
}
