//! Reads an upstream's whole answer into items.

use super::finish::{end_of, End};
use super::reading::{Calls, Told};
use super::refuse::present;
use super::usage;
use crate::dialects::neutral::{Endpoint, Item};
use crate::dialects::openai::answer::error_message;
use crate::dialects::Answer;
use crate::json::{validate, Kind, Limits, Value};

/// See [`crate::dialects::Protocol::read_answer`].
pub(super) fn read_answer(endpoint: Endpoint, body: &[u8], items: &mut Vec<Item>) -> Answer {
    let value = validate(body, Limits::default()).ok().filter(|value| value.kind() == Kind::Object);
    let Some(response) = value.filter(|_| endpoint == Endpoint::Chat) else { return Answer::Malformed };
    let output = present(response, "output").filter(|output| output.kind() == Kind::Array);
    if let Some(error) = present(response, "error").filter(|_| output.is_none()) {
        return Answer::Error(error_message(error));
    }
    let Some(output) = output else { return Answer::Malformed };
    if !output.elements().all(|item| item.kind() == Kind::Object) {
        return Answer::Malformed;
    }
    let mut calls = Calls::default();
    match whole(response, output, &mut calls, items) {
        End::Finished(_) => Answer::Whole,
        End::Later => Answer::Later,
        End::Failed(words) => Answer::Error(words),
    }
}

/// Puts down all that a response says, and its end.
pub(super) fn whole(response: Value<'_>, output: Value<'_>, calls: &mut Calls, items: &mut Vec<Item>) -> End {
    for item in output.elements() {
        calls.rest_of(item, &mut Told::default(), items);
    }
    close(response, calls, items)
}

/// Puts down the end of a response and what it used.
pub(super) fn close(response: Value<'_>, calls: &Calls, items: &mut Vec<Item>) -> End {
    let end = end_of(response, !calls.is_empty());
    if let End::Finished(reason) = &end {
        items.push(Item::Finish { choice: 0, reason: (*reason).to_owned() });
    }
    if let Some(said) = present(response, "usage") {
        usage::read(said, items);
    }
    end
}
