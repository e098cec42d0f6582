//! A caller's `contents` and `systemInstruction`, as messages.

use std::borrow::Cow;

use super::ids::Ids;
use super::names::{fields, get, invalid, object, string, text};
use super::read_part::{self, Part, Place};
use super::read_tools::each;
use crate::dialects::wrapped::Unwrapped;
use crate::dialects::{Change, Loss};
use crate::error::Failure;
use crate::json::{Kind, Value, Writer};

/// Writes the message of role `system`.
pub(super) fn system(instruction: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    out.open_object().text_member("role", "system").key("content");
    if let Some(text) = instruction.as_str() {
        out.string(&text).close_object();
        return Ok(());
    }
    let mut all = Vec::new();
    parts(object(instruction, "systemInstruction")?, Place::System { part: 0 }, &mut all, loss)?;
    content(&all, out, loss)?;
    out.close_object();
    Ok(())
}

/// Writes the messages of `contents`.
pub(super) fn contents(contents: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let mut reading = Reading { ids: Ids::default(), turn: None, out, loss };
    let mut count = 0;
    for (at, content) in each(contents).enumerate() {
        reading.content(at, content)?;
        count += 1;
    }
    if count == 0 {
        return Err(invalid("contents", "is empty: send at least one"));
    }
    reading.end_turn()
}

/// A conversation that is being read.
struct Reading<'r, 'a> {
    ids: Ids,
    /// The parts of the contents of role `model` that follow each other: google-genai's chats keep each event of a stream as
    /// a content of its own.
    turn: Option<Vec<Part<'a>>>,
    out: &'r mut Writer,
    loss: &'r mut Loss,
}

impl<'a> Reading<'_, 'a> {
    fn content(&mut self, at: usize, value: Value<'a>) -> Result<(), Failure> {
        if value.kind() == Kind::String {
            return Err(invalid(format!("contents[{at}]"), "must be an object with 'parts': [{\"text\": …}]"));
        }
        let value = object(value, format_args!("contents[{at}]"))?;
        let role = match get(value, "role") {
            None => Cow::Borrowed("user"),
            Some(role) => string(role, format_args!("contents[{at}].role"))?,
        };
        let place = Place::Content { content: at, part: 0 };
        if role == "model" {
            let turn = self.turn.get_or_insert_with(Vec::new);
            return parts(value, place, turn, self.loss);
        }
        self.end_turn()?;
        let mut all = Vec::new();
        parts(value, place, &mut all, self.loss)?;
        match &*role {
            "user" | "function" | "" => self.user(&all),
            "system" => self.said("system", &all),
            _ => Err(invalid(format!("contents[{at}].role"), "must be 'user' or 'model'")),
        }
    }

    fn said(&mut self, role: &str, parts: &[Part<'_>]) -> Result<(), Failure> {
        self.out.open_object().text_member("role", role).key("content");
        content(parts, self.out, self.loss)?;
        self.out.close_object();
        Ok(())
    }

    /// A user's content: first the results of tools, each a message of its own, then the rest.
    fn user(&mut self, parts: &[Part<'_>]) -> Result<(), Failure> {
        let mut results = 0;
        for part in parts {
            if let Some(response) = part.response {
                results += 1;
                self.result(part.place, response)?;
            } else if part.call.is_some() {
                return Err(invalid(format!("{}.functionCall", part.place), "belongs to a content of role 'model'"));
            }
        }
        if results == parts.len() && results > 0 {
            return Ok(());
        }
        self.said("user", parts)
    }

    /// What a model thought, said and called in the turn that is over.
    fn end_turn(&mut self) -> Result<(), Failure> {
        let Some(parts) = self.turn.take() else { return Ok(()) };
        if let Some(part) = parts.iter().find(|part| part.response.is_some()) {
            return Err(invalid(format!("{}.functionResponse", part.place), "belongs to a content of role 'user'"));
        }
        self.ids.turn();
        let calls = parts.iter().any(|part| part.call.is_some());
        self.out.open_object().text_member("role", "assistant").key("content");
        if calls && !parts.iter().any(|part| part.speaks() && !part.is_empty()) {
            self.out.null();
        } else {
            words(&parts, self.out, self.loss)?;
        }
        self.thoughts(&parts);
        if calls {
            self.out.key("tool_calls").open_array();
            for part in &parts {
                if let Some(value) = part.call {
                    self.call(value, part)?;
                }
            }
            self.out.close_array();
        }
        self.out.close_object();
        Ok(())
    }

    /// What a model thought, and its signatures of what is no call.
    fn thoughts(&mut self, parts: &[Part<'_>]) {
        let texts = parts.iter().filter(|part| part.thought).filter_map(|part| part.text.as_deref());
        let thoughts: String = texts.collect();
        if !thoughts.is_empty() {
            self.out.text_member("reasoning_content", &thoughts);
        }
        let is_signed = |part: &&Part<'_>| part.carried.is_some() || part.call.is_none() && part.signature.is_some();
        let mut signed = parts.iter().filter(is_signed).peekable();
        if signed.peek().is_none() {
            return;
        }
        self.out.key("thoughts").open_array();
        for part in signed {
            let mut carried = Unwrapped::default();
            carried.take(part.carried.as_deref().unwrap_or_default());
            carried.thoughts.iter().for_each(|thought| {
                self.out.raw(thought);
            });
            if let (Some(signature), None) = (&part.signature, part.call) {
                self.out.open_object().text_member("origin", "gemini").text_member("type", "text");
                self.out.text_member("signature", signature).close_object();
            }
        }
        self.out.close_array();
    }

    fn call(&mut self, call: Value<'_>, part: &Part<'_>) -> Result<(), Failure> {
        let place = part.place;
        let name = text(object(call, format_args!("{place}.functionCall"))?, "name").unwrap_or_default();
        if name.is_empty() {
            return Err(invalid(format!("{place}.functionCall.name"), "is missing"));
        }
        let mut arguments = Cow::Borrowed("{}");
        for (field, value) in fields(call) {
            match &*field {
                "name" | "id" => {}
                "args" => {
                    let value = object(value, format_args!("{place}.functionCall.args"))?;
                    arguments = String::from_utf8_lossy(value.raw());
                }
                field => {
                    self.loss.add(Change::Dropped, format!("contents[].parts[].functionCall.{field}"), "unknown");
                }
            }
        }
        let id = self.ids.call(place, text(call, "id"), &name);
        self.out.open_object().text_member("id", &id).text_member("type", "function").key("function").open_object();
        self.out.text_member("name", &name).text_member("arguments", &arguments).close_object();
        if let Some(signature) = &part.signature {
            self.out.key("extra_content").open_object().key("google").open_object();
            self.out.text_member("thought_signature", signature).close_object().close_object();
        }
        self.out.close_object();
        Ok(())
    }

    /// One result as a message of role `tool`. `output` and `error` are Google's words for what came of it; any other
    /// object is the result itself.
    fn result(&mut self, place: Place, result: Value<'_>) -> Result<(), Failure> {
        const AT: &str = "contents[].parts[].functionResponse";
        let name = text(object(result, format_args!("{place}.functionResponse"))?, "name").unwrap_or_default();
        let (mut response, mut media) = (None, None);
        for (field, value) in fields(result) {
            match &*field {
                "name" | "id" => {}
                "response" => response = Some(object(value, format_args!("{place}.functionResponse.response"))?),
                "parts" => media = Some(value),
                field => self.loss.add(Change::Dropped, format!("{AT}.{field}"), "no other protocol has it"),
            }
        }
        let (said, is_error) = outcome(response);
        let id = self.ids.result(place, text(result, "id"), &name);
        self.out.open_object().text_member("role", "tool").text_member("tool_call_id", &id);
        if !name.is_empty() {
            self.out.text_member("name", &name);
        }
        if is_error {
            self.out.key("is_error").boolean(true);
        }
        self.out.key("content");
        match media {
            None => {
                self.out.string(&said);
            }
            Some(media) => {
                self.out.open_array().open_object().text_member("type", "text").text_member("text", &said);
                self.out.close_object();
                for (inner, part) in each(media).enumerate() {
                    read_part::read(part, place.inside(inner), self.loss)?.write(self.out, self.loss)?;
                }
                self.out.close_array();
            }
        }
        self.out.close_object();
        Ok(())
    }
}

/// What came of a call, as text, and whether that is an error.
fn outcome(response: Option<Value<'_>>) -> (Cow<'_, str>, bool) {
    let mut members = response.into_iter().flat_map(Value::fields);
    let (said, is_error) = match (members.next(), members.next()) {
        (Some((key, value)), None) if key.str_eq("output") => (Some(value), false),
        (Some((key, value)), None) if key.str_eq("error") => (Some(value), true),
        _ => (response, false),
    };
    let said = said.map(|said| said.as_str().unwrap_or_else(|| String::from_utf8_lossy(said.raw())));
    (said.unwrap_or_default(), is_error)
}

/// Adds the parts of one content, each as what it is.
fn parts<'a>(content: Value<'a>, place: Place, all: &mut Vec<Part<'a>>, loss: &mut Loss) -> Result<(), Failure> {
    for (name, value) in fields(content) {
        match &*name {
            "parts" => {
                for (nth, part) in each(value).enumerate() {
                    all.push(read_part::read(part, place.part(nth), loss)?);
                }
            }
            "role" => {}
            name => loss.add(Change::Dropped, format!("contents[].{name}"), "unknown"),
        }
    }
    Ok(())
}

/// Writes what parts say, thoughts, calls and results apart: one text as it is, all else as an array.
fn content(parts: &[Part<'_>], out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let mut said = parts.iter().filter(|part| part.speaks());
    match (said.next(), said.next()) {
        (None, _) => {
            out.string("");
        }
        (Some(Part { text: Some(text), .. }), None) => {
            out.string(text);
        }
        _ => {
            out.open_array();
            parts.iter().filter(|part| part.speaks()).try_for_each(|part| part.write(out, loss))?;
            out.close_array();
        }
    }
    Ok(())
}

/// Writes what a model said: its texts are one, which may have come in pieces.
fn words(parts: &[Part<'_>], out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let said = || parts.iter().filter(|part| part.speaks() && !part.is_empty());
    if said().all(|part| part.text.is_some()) {
        let mut texts = said().filter_map(|part| part.text.as_deref());
        match (texts.next(), texts.next()) {
            (Some(first), Some(second)) => out.string(&[first, second].into_iter().chain(texts).collect::<String>()),
            (first, _) => out.string(first.unwrap_or_default()),
        };
        return Ok(());
    }
    out.open_array();
    said().try_for_each(|part| part.write(out, loss))?;
    out.close_array();
    Ok(())
}
