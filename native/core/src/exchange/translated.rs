//! Where dialects meet: requests and answers that are not OpenAI's on both sides.

use bytes::Bytes;

use super::attempt::{Attempt, Follow};
use super::once::digest;
use super::responses::{Earlier, Resolved};
use super::verdict::Fall;
use super::work::INLINE_BYTES;
use super::{Exchange, Phase, Step};
use crate::clock::SECOND;
use crate::dialects::neutral::{Endpoint, Item};
use crate::dialects::openai::answer::is_error_shape;
use crate::dialects::openai::encode::VectorForm;
use crate::dialects::openai::pieces::{framed, Pieces};
use crate::dialects::openai::request::{self, Facts, Source};
use crate::dialects::responses::history::previous_response_id;
use crate::dialects::{Answer, Ask, Dialect, Fed, Listener, Loss, Reply};
use crate::error::{Code, Failure};
use crate::http::Headers;
use crate::idempotency::Digest;
use crate::json::mended;

/// The longest `x-hoosh-loss`, bytes: with it whole headers stay far below what any client takes.
const MAX_LOSS: usize = 1024;
/// Most letters of an upstream's words.
const MAX_WORDS: usize = 2048;

/// Reads a request of `dialect`: what policy needs to know of it, and its neutral form. Pure; a job if it is long.
pub(super) fn read(
    body: Bytes,
    dialect: Dialect,
    asked: &Ask,
    earlier: Earlier,
    tenant: Option<&str>,
) -> Result<Facts, Failure> {
    let mut loss = Loss::default();
    let goes_on = !matches!(earlier, Earlier::Nothing);
    let previous = goes_on.then(|| previous_response_id(&body)).flatten();
    let Resolved { whole, body, elsewhere } = earlier.resolve(body)?;
    let home = elsewhere.and_then(|(not_there, home)| {
        loss.bar(not_there);
        home
    });
    let neutral = dialect.protocol().read_request(asked, &whole, &mut loss)?;
    let endpoint = asked.endpoint.unwrap_or(Endpoint::Chat);
    let mut facts = request::read(Bytes::from(neutral), endpoint, tenant)?;
    // The neutral form lacks what no other dialect has, which an upstream of the same is told: two requests that differ in it
    // alone are two. What goes on from something that only an upstream keeps is like no other.
    let bar = loss.take_bar();
    facts.key = facts.key.filter(|_| bar.is_none()).map(|key| {
        let mut hasher = blake3::Hasher::new_derive_key("hoosh: the cache key of a request of another dialect");
        *hasher.update(&key).update(&body).finalize().as_bytes()
    });
    facts.source = Some(Box::new(Source { body, loss, bar, home, previous }));
    Ok(facts)
}

/// Of a request as it came: its body, and what its path says besides, which stands for several in the key's own part.
pub(super) fn digest_of(facts: &Facts, asked: &Ask) -> Digest {
    let body = facts.source.as_ref().map_or(&facts.body, |source| &source.body);
    digest(body, Some(&format!("{} {:?} {}", facts.model, asked.form, facts.stream)))
}

impl Exchange {
    /// What all parts of the answer share.
    pub(super) fn reply_of(&self) -> Reply {
        let source = self.facts.as_ref().and_then(|facts| facts.source.as_deref());
        Reply {
            endpoint: Some(self.endpoint()),
            form: self.call().asked.form,
            id: self.request_id().to_owned(),
            created: self.begun.wall_us / SECOND as i64,
            model: self.facts.as_ref().map_or_else(String::new, |facts| facts.model.clone()),
            include_usage: self.facts.as_ref().is_some_and(|facts| facts.include_usage),
            base64: self.facts.as_ref().and_then(VectorForm::of) == Some(VectorForm::Base64),
            request: source.map(|source| source.body.clone()).unwrap_or_default(),
            previous: source.and_then(|source| source.previous.clone()),
        }
    }

    /// The media type of a stream.
    pub(super) fn stream_type(&self) -> &'static [u8] {
        match self.dialect() {
            Dialect::NEUTRAL => b"text/event-stream",
            dialect => dialect.protocol().stream_type(self.call().asked.form).as_bytes(),
        }
    }

    /// In the words of the caller's dialect.
    pub(super) fn error_body(&self, failure: &Failure) -> Bytes {
        match self.dialect() {
            Dialect::NEUTRAL => failure.openai_body(),
            dialect => dialect.protocol().error_body(failure),
        }
    }

    /// What a stream ends with that began and cannot go on. `None`: its dialect has no such event.
    pub(super) fn error_event(&mut self, failure: &Failure) -> Option<Bytes> {
        let said = self.out.passed_error.take().filter(|_| failure.code == Code::UpstreamRefused);
        let dialect = self.dialect();
        if dialect == Dialect::NEUTRAL {
            let body = said.unwrap_or_else(|| failure.openai_body());
            return Some(framed(body.into(), self.is_bare()));
        }
        let mut event = Vec::new();
        if self.out.encoder.is_none() && self.out.is_committed() {
            // The upstream's own events came before it.
            return dialect.protocol().error_behind(failure, &self.reply_of()).map(Bytes::from);
        }
        let encoder = self.out.encoder.take();
        let mut encoder = encoder.unwrap_or_else(|| dialect.protocol().encoder(self.reply_of()));
        encoder.error(failure, &mut event).then(|| Bytes::from(event))
    }

    /// What its dialect's SDKs look for, and what was lost between two dialects.
    pub(super) fn add_dialect_headers(&self, headers: &mut Headers) {
        if let Some(name) = self.dialect().door().id_header {
            let id = Bytes::copy_from_slice(self.request_id().as_bytes());
            headers.push((Bytes::from_static(name.as_bytes()), id));
        }
        // What was only renamed is no loss.
        if self.account.loss.loses() {
            headers.push((Bytes::from_static(b"x-hoosh-loss"), Bytes::from(self.account.loss.short(MAX_LOSS))));
        }
    }
}

/// What a whole answer says, and its bytes.
pub(super) struct Heard {
    body: Bytes,
    answer: Answer,
    items: Vec<Item>,
}

impl Heard {
    fn of(body: Bytes, dialect: Dialect, endpoint: Endpoint) -> Heard {
        let mut items = Vec::new();
        let answer = dialect.protocol().read_answer(endpoint, &body, &mut items);
        if let Some(mended) = (answer == Answer::Malformed).then(|| mended(&body)).flatten() {
            return Heard::of(mended, dialect, endpoint);
        }
        Heard { body, answer, items }
    }
}

impl Exchange {
    /// Whether an answer in `dialect` is read as items; else both sides are OpenAI's, and it passes.
    pub(super) fn translates(&self, dialect: Dialect) -> bool {
        dialect != Dialect::NEUTRAL || self.dialect() != Dialect::NEUTRAL
    }

    pub(super) fn is_translating(&self) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| self.translates(attempt.upstream.dialect))
    }

    /// A stream in `dialect` begins.
    pub(super) fn begin_listening(&mut self, dialect: Dialect) {
        let mut spoken = self.spoken(Some(dialect), VectorForm::default());
        spoken.listener = Some(Listener::of(dialect.protocol()));
        self.follow_as(Follow::Spoken(Box::new(spoken)));
    }

    /// More of it. Events pass as they came where the caller speaks the same.
    pub(super) fn take_spoken(&mut self, bytes: Bytes) {
        if let Some(listener) = self.listener() {
            listener.push(bytes);
        }
        let (mut pieces, mut items, mut event) = (Pieces::default(), Vec::new(), false);
        let mut fed = Fed::Open;
        while fed == Fed::Open {
            let Some(listener) = self.listener() else { return };
            let Some((next, frame)) = listener.next_event(&mut items) else { break };
            event |= listener.take_event();
            fed = next;
            if !self.hear_all(&mut items, &mut pieces) {
                fed = Fed::Malformed;
            }
            if matches!(fed, Fed::Open | Fed::Done) && self.passes_as_it_is() && !frame.raw.is_empty() {
                if frame.dispatches {
                    self.note_home(&frame.data);
                }
                pieces.push(frame.raw);
            }
        }
        let now_us = self.now.mono_us;
        if let Some(attempt) = &mut self.attempt {
            attempt.hear(event, now_us);
        }
        if !pieces.list.is_empty() {
            self.say(pieces);
        }
        match fed {
            Fed::Open => {}
            Fed::Done => self.end_spoken(),
            Fed::Error(words) => self.fall(Fall::error("The provider broke off with an error", &words)),
            Fed::Malformed => self.fall(Fall::malformed("The provider sent an event that is not of its protocol.")),
        }
    }

    /// No more of a stream will come, and `fall` is why, unless nothing is missing but its mark.
    pub(super) fn break_off_spoken(&mut self, fall: Fall) {
        let (mut pieces, mut items) = (Pieces::default(), Vec::new());
        let Some(listener) = self.listener() else { return self.fall(fall) };
        let (fed, line) = listener.finish(&mut items);
        match fed {
            Fed::Done if self.hear_all(&mut items, &mut pieces) => {}
            Fed::Error(words) => return self.fall(Fall::error("The provider broke off with an error", &words)),
            _ => return self.fall(fall),
        }
        // Such a line is the mark itself.
        let has_mark = !line.is_empty();
        if has_mark && self.passes_as_it_is() {
            pieces.push(line);
        }
        if !pieces.list.is_empty() {
            self.say(pieces);
        }
        let attempt = self.attempt.as_ref();
        self.account.terminator_added =
            !has_mark && attempt.is_none_or(|attempt| attempt.upstream.dialect.door().marks_end);
        if let Some(attempt) = &mut self.attempt {
            if !attempt.over {
                let u = attempt.u;
                attempt.over = true;
                self.steps.push_back(Step::Abort { u });
            }
        }
        self.end_spoken();
    }

    fn hear_all(&mut self, items: &mut Vec<Item>, pieces: &mut Pieces) -> bool {
        items.drain(..).all(|item| self.hear(item, pieces))
    }

    fn listener(&mut self) -> Option<&mut Listener> {
        match &mut self.attempt.as_mut()?.follow {
            Follow::Spoken(spoken) => spoken.listener.as_mut(),
            _ => None,
        }
    }

    fn passes_as_it_is(&self) -> bool {
        matches!(&self.attempt, Some(Attempt { follow: Follow::Spoken(spoken), .. }) if spoken.passes())
    }

    /// Reads a whole answer in `dialect`, by a job if it is long.
    pub(super) fn read_whole(&mut self, dialect: Dialect, body: Bytes) {
        let endpoint = self.endpoint();
        if body.len() <= INLINE_BYTES {
            return self.take_heard(Heard::of(body, dialect, endpoint));
        }
        self.work(Phase::Judging, body.len(), move || Heard::of(body, dialect, endpoint));
    }

    pub(super) fn take_heard(&mut self, heard: Heard) {
        let Heard { body, answer, mut items } = heard;
        match answer {
            Answer::Whole => {}
            Answer::Later => return self.take_later(body),
            Answer::Error(words) => return self.fall(Fall::error("The provider answered with an error", &words)),
            Answer::Malformed => {
                return self.fall(Fall::malformed("The provider answered something that is not its protocol."));
            }
        }
        let Some(dialect) = self.attempt.as_ref().map(|attempt| attempt.upstream.dialect) else { return };
        let spoken = self.spoken(Some(dialect), self.vectors());
        self.phase = Phase::Attempt;
        self.follow_as(Follow::Spoken(Box::new(spoken)));
        if !self.hear_all(&mut items, &mut Pieces::default()) {
            return self.fall(Fall::malformed("The provider said something that makes no sense."));
        }
        if self.passes_as_it_is() {
            return self.pass_whole(body);
        }
        self.end_spoken();
    }

    /// An answer in its caller's dialect goes as it came.
    fn pass_whole(&mut self, body: Bytes) {
        let dialect = self.attempt.as_ref().map(|attempt| attempt.upstream.dialect);
        if dialect.is_some_and(|dialect| self.is_kept_there(dialect)) {
            self.remember_home(&body, false);
        }
        let (endpoint, inputs) = (self.endpoint(), self.facts().answers);
        let Some(Attempt { follow: Follow::Spoken(spoken), .. }) = &self.attempt else { return };
        if !spoken.collected.is_complete(endpoint, inputs) {
            return self.fall(Fall::malformed("The provider's answer is not complete."));
        }
        let (usage, clean, words) = (spoken.usage, spoken.collected.is_clean(), spoken.collected.words());
        self.succeed(usage, clean, words);
        self.attempt = None;
        self.reply_whole(body);
    }

    /// How vectors are written. Another dialect has one form.
    fn vectors(&self) -> VectorForm {
        VectorForm::of(self.facts()).unwrap_or_default()
    }

    /// An upstream's refusal in its own words: as they came where the caller speaks the same, else in the caller's form.
    pub(super) fn pass_refusal(&mut self, body: Bytes, fall: &mut Fall) {
        let Some(dialect) = self.attempt.as_ref().map(|attempt| attempt.upstream.dialect) else { return };
        if !self.translates(dialect) {
            self.out.passed_error = Some(body).filter(|body| is_error_shape(body));
            return;
        }
        let Some(words) = dialect.protocol().error_words(&body) else { return };
        if dialect == self.dialect() {
            self.out.passed_error = Some(body);
        } else if !words.is_empty() {
            fall.failure.message = words.chars().take(MAX_WORDS).collect();
        }
    }
}
