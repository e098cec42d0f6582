//! Calls on their way to a caller. Gemini's come whole, other dialects' in pieces: they wait until they are complete.
//! And their arguments, which Gemini wants as an object.

use super::signatures::STAND_IN_BASE64;
use crate::json::{self, Kind, Writer};

/// More calls than any answer holds.
const MOST: usize = 1_024;

/// The calls of one choice that are not written yet, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Calls {
    waiting: Vec<Call>,
    /// The first has gone out.
    begun: bool,
}

#[derive(Debug, Default)]
pub(super) struct Call {
    index: u32,
    id: String,
    name: String,
    arguments: String,
    signature: Option<String>,
}

impl Calls {
    /// Adds a piece.
    pub fn add(&mut self, index: u32, id: Option<&str>, name: Option<&str>, arguments: &str) {
        let Some(call) = self.of(index) else { return };
        call.id.push_str(id.unwrap_or_default());
        call.name.push_str(name.unwrap_or_default());
        call.arguments.push_str(arguments);
    }

    /// Gemini's signature of a call. `false`: there is no such call any more.
    pub fn sign(&mut self, index: u32, signature: &str) -> bool {
        match self.waiting.iter_mut().find(|call| call.index == index) {
            Some(call) => call.signature = Some(signature.to_owned()),
            None => return false,
        }
        true
    }

    fn of(&mut self, index: u32) -> Option<&mut Call> {
        let place = match self.waiting.iter().position(|call| call.index == index) {
            Some(place) => place,
            None if self.waiting.len() == MOST => return None,
            None => {
                self.waiting.push(Call { index, ..Call::default() });
                self.waiting.len() - 1
            }
        };
        self.waiting.get_mut(place)
    }

    /// Takes what can go out before more of another kind, or of call `next`, is said: calls that are whole.
    pub fn whole(&mut self, next: Option<u32>) -> Vec<Call> {
        let is_whole = |call: &Call| {
            next != Some(call.index) && json::validate(call.arguments.as_bytes(), json::Limits::default()).is_ok()
        };
        let count = self.waiting.iter().take_while(|call| is_whole(call)).count();
        self.take(count)
    }

    /// Takes all.
    pub fn all(&mut self) -> Vec<Call> {
        self.take(self.waiting.len())
    }

    /// The first of an answer's calls is signed, or says that it is not: so may the caller go on with Gemini 3, whoever made
    /// the call.
    fn take(&mut self, count: usize) -> Vec<Call> {
        let mut taken: Vec<Call> = self.waiting.drain(..count).collect();
        if let (Some(first), false) = (taken.first_mut(), self.begun) {
            self.begun = true;
            first.signature.get_or_insert_with(|| STAND_IN_BASE64.to_owned());
        }
        taken
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Writes calls as parts.
pub(super) fn write(calls: &[Call], out: &mut Writer) {
    for call in calls {
        out.open_object().key("functionCall").open_object();
        if !call.id.is_empty() {
            out.text_member("id", &call.id);
        }
        out.text_member("name", &call.name).key("args");
        write_arguments(out, &call.arguments);
        out.close_object();
        if let Some(signature) = &call.signature {
            out.text_member("thoughtSignature", signature);
        }
        out.close_object();
    }
}

/// Writes a call's arguments, which Gemini wants as an object. Of anything else (a model's broken JSON) it makes the
/// object `{"arguments": …}`, and `false`.
pub(super) fn write_arguments(out: &mut Writer, text: &str) -> bool {
    if text.trim().is_empty() {
        out.raw(b"{}");
        return true;
    }
    match json::validate(text.as_bytes(), json::Limits::default()) {
        Ok(value) if value.kind() == Kind::Object => {
            out.value(value);
            return true;
        }
        Ok(value) => out.open_object().key("arguments").value(value).close_object(),
        Err(_) => out.open_object().text_member("arguments", text).close_object(),
    };
    false
}
