//! A body that is sent on while it comes.
//!
//! What came first is kept, up to 64 KiB or as far as the form's model had to be looked for, so that another attempt
//! can have it too. Once something else was given to an upstream there is no other attempt. The caller is read only as far
//! as the upstream takes: what was read and not taken, and what may still come, is never more than a window.

use std::collections::VecDeque;

use bytes::Bytes;

use super::ask::Ask;
use crate::dialects::multipart::{Field, Form};
use crate::error::{Code, Failure};
use crate::http::Body;

/// What is kept for another attempt, and read before the model is known, bytes.
pub(super) const PREFIX: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Upload {
    /// Reads the form for its model; `None`: it has none.
    pub(super) form: Option<Form>,
    /// The model's field, where it came while everything was kept.
    pub(super) field: Option<Field>,
    /// The model that the head names.
    pub(super) named: Option<String>,
    /// What the field must say where it comes too late to be changed.
    pub(super) wanted: Option<String>,
    pub(super) length: Option<u64>,
    pub(super) received: u64,
    /// All that came, while it is kept.
    pub(super) kept: Vec<Bytes>,
    pub(super) kept_bytes: usize,
    /// All that came is kept.
    pub(super) replayable: bool,
    /// Came and was not given to the attempt yet.
    pub(super) pending: VecDeque<Bytes>,
    /// Given to the attempt and not taken.
    pub(super) given: usize,
    /// Asked of the caller and not come.
    pub(super) credit: usize,
    pub(super) ended: bool,
    /// The attempt gets no more: it has all, or has answered.
    pub(super) closed: bool,
    /// When it had all; the bound on the whole exchange counts from there.
    pub(super) closed_us: Option<u64>,
    /// Since when the caller is watched, and what had come then.
    pub(super) watched: Option<(u64, u64)>,
    pub(super) said_continue: bool,
}

impl Upload {
    pub fn new(ask: &Ask, length: Option<u64>) -> Upload {
        let form = ask.boundary.as_deref().filter(|_| ask.has_model()).map(Form::new);
        Upload {
            form,
            field: None,
            named: ask.model.clone(),
            wanted: None,
            length,
            received: 0,
            kept: Vec::new(),
            kept_bytes: 0,
            replayable: true,
            pending: VecDeque::new(),
            given: 0,
            credit: 0,
            ended: false,
            closed: false,
            closed_us: None,
            watched: None,
            said_continue: false,
        }
    }

    /// Bytes kept.
    pub fn held(&self) -> usize {
        let passing = self.given + self.pending.iter().map(Bytes::len).sum::<usize>();
        let kept = if self.replayable { self.kept_bytes.max(passing) } else { passing };
        kept + self.form.as_ref().map_or(0, Form::held)
    }

    /// Whether another attempt could have all of it.
    pub fn is_replayable(&self) -> bool {
        self.replayable
    }

    /// What is said of the body in the request to an upstream that knows the model as `model`.
    pub fn body(&self, model: &str) -> Body {
        if self.ended {
            return Body::Whole(self.joined(model));
        }
        let change = self.change(model).map_or(0, |field| model.len() as i64 - field.value.len() as i64);
        Body::Streamed { length: self.length.map(|length| length.saturating_add_signed(change)) }
    }

    /// The field, if it must be changed.
    fn change(&self, model: &str) -> Option<&Field> {
        self.field.as_ref().filter(|field| field.value != model)
    }

    /// What is kept, with the model as the upstream knows it.
    pub fn joined(&self, model: &str) -> Bytes {
        let change = self.change(model);
        if let ([only], None) = (&self.kept[..], change) {
            return only.clone();
        }
        let mut all = self.kept.concat();
        if let Some(Field { value, start }) = change {
            let start = *start as usize;
            all.splice(start..start + value.len(), model.bytes());
        }
        all.into()
    }

    pub fn take(&mut self, bytes: Bytes, is_asked: bool, is_connected: bool) -> Result<(), Failure> {
        self.received += bytes.len() as u64;
        self.credit = self.credit.saturating_sub(bytes.len());
        if self.length.is_some_and(|length| self.received > length) {
            return Err(Failure::new(Code::MalformedRequest, "The body is longer than its content-length says."));
        }
        if let Some(form) = &mut self.form {
            form.push(&bytes).map_err(|words| Failure::new(Code::InvalidValue, words))?;
        }
        self.check_late_field()?;
        if self.replayable && is_connected && self.kept_bytes + bytes.len() > PREFIX {
            self.replayable = false;
            self.kept.clear();
            self.kept_bytes = 0;
        }
        if self.replayable {
            self.kept_bytes += bytes.len();
            self.kept.push(bytes.clone());
        }
        if is_asked {
            self.pending.push_back(bytes);
        }
        Ok(())
    }

    /// A field that comes behind what was sent cannot be changed, so that it must be right.
    fn check_late_field(&self) -> Result<(), Failure> {
        let (Some(wanted), Some(found)) = (&self.wanted, self.form.as_ref().and_then(Form::field)) else {
            return Ok(());
        };
        if found.value == *wanted {
            return Ok(());
        }
        let words = format!(
            "The form's field 'model' is not what 'x-hoosh-model' says; behind the file it must be '{wanted}', as its provider knows it."
        );
        Err(Failure::new(Code::InvalidValue, words).param("model"))
    }

    pub fn end(&mut self) -> Result<(), Failure> {
        self.ended = true;
        if self.length.is_some_and(|length| self.received != length) {
            return Err(Failure::new(Code::IncompleteBody, "The body is shorter than its content-length says."));
        }
        let Some(form) = &self.form else { return Ok(()) };
        if !form.is_closed() {
            return Err(Failure::new(Code::IncompleteBody, "The form ends before its last boundary."));
        }
        // Without the field its provider would choose the model.
        if self.wanted.is_some() && form.field().is_none() {
            return Err(no_model());
        }
        Ok(())
    }

    /// The attempt is over: another one begins anew.
    pub fn rewind(&mut self) {
        self.pending.clear();
        self.given = 0;
        self.closed = false;
        self.wanted = None;
    }

    /// The upstream has answered: it gets no more.
    pub fn stop(&mut self) {
        self.pending.clear();
        self.given = 0;
        self.closed = true;
    }
}

pub(super) fn no_model() -> Failure {
    Failure::new(Code::MissingField, "Missing required parameter: 'model'.").param("model")
}
