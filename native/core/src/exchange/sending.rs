//! Moves an upload from its caller to its upstream: credit as the upstream takes, and no end but a true one.

use bytes::Bytes;

use super::attempt::Reached;
use super::gates::Gate;
use super::home::facts_of;
use super::sizes;
use super::upload::{no_model, Upload, PREFIX};
use super::{Exchange, Move, Phase, Step, UpstreamId};
use crate::clock::SECOND;
use crate::dialects::multipart::Form;
use crate::dialects::openai::passed::{unread, upload_bound};
use crate::dialects::passed::{Names, Service};
use crate::error::{Code, Failure};

/// Given to the upstream and not taken, and still to come from the caller, bytes.
const WINDOW: usize = 256 << 10;
/// What a caller may send ahead.
const CREDIT: usize = 64 << 10;
/// A caller that owes bytes must send so many in so long: 1 KiB a second.
const LEAST: u64 = 5 << 10;
const PATIENCE_US: u64 = 5 * SECOND;

impl Exchange {
    pub(super) fn upload(&mut self) -> Option<&mut Upload> {
        self.passing.as_mut()?.upload.as_mut()
    }

    /// A request that passes as it is begins: with its body where policy reads it, else at the gates.
    pub(super) fn begin_passing(&mut self) {
        let Some(ask) = self.ask() else { return };
        let length = self.call().content_length;
        let (is_upload, has_body, has_model) = (ask.is_upload(), ask.has_body(), ask.has_model());
        let upload = is_upload.then(|| Upload::new(ask, length));
        let expects = self.call().expects_continue && !self.is_neutral();
        self.passing().upload = upload;
        if has_body && !is_upload && expects {
            self.steps.push_back(Step::Continue);
        }
        if has_body && (has_model || !is_upload) {
            self.phase = Phase::Body;
        } else {
            let home = self.ask().and_then(|ask| ask.home.as_ref());
            self.facts = Some(home.map_or_else(|| unread(String::new()), facts_of));
            self.phase = Phase::Gates(Gate::Scope);
        }
    }

    pub(super) fn is_upload(&self) -> bool {
        self.passing.as_ref().is_some_and(|passing| passing.upload.is_some())
    }

    pub(super) fn wait_for_model(&mut self) -> Move {
        match self.find_model() {
            Ok(true) => return Move::Again,
            Ok(false) => {}
            Err(failure) => {
                self.fail(failure);
                return Move::Again;
            }
        }
        match self.mind_upload() {
            Ok(until) => Move::Wait(until),
            Err(failure) => {
                self.fail(failure);
                Move::Again
            }
        }
    }

    /// Looks for the form's model in what came. `true`: it is known, or more must come, and was asked for.
    pub(super) fn find_model(&mut self) -> Result<bool, Failure> {
        let server = &self.snap.config.server;
        let most = sizes::inference(server);
        let service = self.service().unwrap_or(Service::Files);
        let names = self.ask().map_or(Names::Nothing, |ask| ask.passed.names());
        let Some(upload) = self.passing.as_mut().and_then(|passing| passing.upload.as_mut()) else { return Ok(false) };
        let found = upload.form.as_ref().and_then(Form::field).cloned();
        let model = match (&found, &upload.named) {
            (Some(field), Some(named)) if field.value != *named => {
                let words = "The form's field 'model' is not what 'x-hoosh-model' says.";
                return Err(Failure::new(Code::InvalidValue, words).param("model"));
            }
            (Some(field), _) => field.value.clone(),
            (None, named) if upload.ended && (named.is_some() || names == Names::Model) => return Err(no_model()),
            (None, Some(named)) if upload.kept_bytes >= PREFIX => named.clone(),
            (None, None) if upload.ended => String::new(),
            _ => {
                // A model behind the file: the file is held until it comes.
                if most.check(upload.received).is_err() {
                    let words = format!(
                        "The form's field 'model' did not come within {} bytes. Send it before the file, or name it in 'x-hoosh-model', or raise [server] max_body_bytes.",
                        most.bytes
                    );
                    return Err(Failure::new(Code::BodyTooLarge, words));
                }
                return Ok(self.ask_caller());
            }
        };
        upload.field = found;
        let mut facts = unread(model);
        match upload_bound(service, if upload.ended { Some(upload.received) } else { upload.length }) {
            Ok(bound) => facts.input_bound = bound,
            Err(unbounded) => facts.unbounded = Some(unbounded),
        }
        self.facts = Some(facts);
        self.phase = Phase::Gates(Gate::Scope);
        Ok(true)
    }

    /// Gives the caller credit, if there is room and it has little left. `true`: a step was made.
    fn ask_caller(&mut self) -> bool {
        let now_us = self.now.mono_us;
        let expects = self.call().expects_continue && !self.is_neutral();
        let Some(upload) = self.passing.as_mut().and_then(|passing| passing.upload.as_mut()) else { return false };
        let flowing = upload.given + upload.pending.iter().map(Bytes::len).sum::<usize>();
        let room = WINDOW.saturating_sub(flowing + upload.credit).min(CREDIT - upload.credit.min(CREDIT));
        if upload.ended || upload.closed || upload.credit > CREDIT / 2 || room == 0 {
            if upload.credit == 0 {
                upload.watched = None;
            }
            return false;
        }
        upload.watched.get_or_insert((now_us, upload.received));
        upload.credit += room;
        let first = !std::mem::replace(&mut upload.said_continue, true);
        if first && expects {
            self.steps.push_back(Step::Continue);
        }
        self.steps.push_back(Step::ReadCaller { credit: room });
        true
    }

    /// More of an upload.
    pub(super) fn take_upload(&mut self, bytes: Bytes) {
        if self.out.is_ended() || bytes.is_empty() {
            return;
        }
        let size = self.call().size(&self.snap.config.server);
        let reached = self.attempt.as_ref().map(|attempt| attempt.reached);
        let (is_asked, is_connected) = (reached.is_some(), reached.is_some_and(|it| it >= Reached::Connected));
        let Some(upload) = self.upload() else { return };
        if upload.closed && !upload.replayable {
            return;
        }
        let gets_more = !upload.closed;
        let taken = upload.take(bytes, is_asked && gets_more, is_connected && gets_more);
        let received = upload.received;
        if let Err(failure) = size.check(received).and(taken) {
            self.fail(failure);
        }
    }

    pub(super) fn end_upload(&mut self) {
        if self.out.is_ended() {
            return;
        }
        let Some(upload) = self.upload() else { return };
        if let Err(failure) = upload.end() {
            self.fail(failure);
        }
    }

    /// The upstream's transport took `bytes` more.
    pub(super) fn take_took(&mut self, bytes: usize) {
        let now_us = self.now.mono_us;
        if let Some(upload) = self.upload() {
            upload.given = upload.given.saturating_sub(bytes);
            if let Some(attempt) = &mut self.attempt {
                if attempt.reached < Reached::Body {
                    attempt.since_us = now_us;
                }
            }
        }
    }

    /// What the attempt that was just opened gets first.
    pub(super) fn begin_upload(&mut self, u: UpstreamId, model: &str) {
        let Some(upload) = self.upload() else { return };
        upload.rewind();
        if upload.ended {
            upload.closed = true;
            return;
        }
        upload.wanted = (upload.field.is_none() && upload.form.is_some()).then(|| model.to_owned());
        let first = upload.joined(model);
        upload.given = first.len();
        if !first.is_empty() {
            self.steps.push_back(Step::SendBody { u, bytes: first });
        }
    }

    /// Gives the attempt what came, and the caller credit. `true`: a step was made.
    pub(super) fn move_upload(&mut self) -> bool {
        let Some(attempt) = &self.attempt else { return false };
        let (u, reached, now_us) = (attempt.u, attempt.reached, self.now.mono_us);
        let Some(upload) = self.passing.as_mut().and_then(|passing| passing.upload.as_mut()) else { return false };
        if upload.closed {
            return false;
        }
        let next = upload.pending.pop_front();
        if next.is_none() && !upload.ended {
            return reached >= Reached::Connected && self.ask_caller();
        }
        let was_starved = upload.given == 0;
        let step = match next {
            Some(bytes) => {
                upload.given += bytes.len();
                Step::SendBody { u, bytes }
            }
            None => {
                upload.closed = true;
                upload.closed_us = Some(now_us);
                Step::EndBody { u }
            }
        };
        self.steps.push_back(step);
        // Its time runs from when it has something to do.
        if let Some(attempt) = self.attempt.as_mut().filter(|it| was_starved && it.reached == Reached::Connected) {
            attempt.since_us = now_us;
        }
        true
    }

    /// What was to be given to an attempt that gets no more.
    pub(super) fn drop_upload_steps(&mut self) {
        self.steps.retain(|step| !matches!(step, Step::SendBody { .. } | Step::EndBody { .. }));
    }

    /// Whether another attempt could have the whole request.
    pub(super) fn is_replayable(&self) -> bool {
        let upload = self.passing.as_ref().and_then(|passing| passing.upload.as_ref());
        upload.is_none_or(Upload::is_replayable)
    }

    /// Whether the attempt waits for its caller, so that nothing is expected of it.
    pub(super) fn is_upload_starved(&self) -> bool {
        let upload = self.passing.as_ref().and_then(|passing| passing.upload.as_ref());
        upload.is_some_and(|upload| !upload.closed && upload.given == 0)
    }

    /// From when the whole exchange is bound in time; `None` while its caller still sends.
    pub(super) fn bound_from_us(&self) -> Option<u64> {
        let upload = self.passing.as_ref().and_then(|passing| passing.upload.as_ref());
        match upload {
            Some(upload) if !upload.ended && !upload.closed => None,
            Some(Upload { closed_us: Some(closed_us), .. }) => Some(*closed_us),
            _ => Some(self.begun.mono_us),
        }
    }

    /// When a caller that owes bytes is looked at again; `Err`: it is too slow.
    pub(super) fn mind_upload(&mut self) -> Result<Option<u64>, Failure> {
        let now_us = self.now.mono_us;
        let Some(upload) = self.upload().filter(|upload| !upload.closed && !upload.ended) else { return Ok(None) };
        let Some((since_us, before)) = upload.watched else { return Ok(None) };
        let until_us = since_us + PATIENCE_US;
        if now_us < until_us {
            return Ok(Some(until_us));
        }
        if upload.received - before < LEAST {
            let words = "The body came more slowly than 1 KiB a second. Send it faster.";
            return Err(Failure::new(Code::BodyTimeout, words));
        }
        upload.watched = Some((now_us, upload.received));
        Ok(Some(now_us + PATIENCE_US))
    }
}
