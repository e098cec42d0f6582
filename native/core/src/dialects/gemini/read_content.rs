//! A caller's `contents` and `systemInstruction`, as messages.

use std::borrow::Cow;

use super::ids::Ids;
use super::names::{fields, get, invalid, object, string, text};
use super::read_part::{self, Part};
use super::read_tools::each;
use crate::dialects::{Change, Loss};
use crate::error::Failure;
use crate::json::{Kind, Value, Writer};

/// Writes the message of role `system`.
pub(super) fn system(instruction: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    const AT: &str = "systemInstruction";
    out.open_object().text_member("role", "system").key("content");
    if let Some(text) = instruction.as_str() {
        out.string(&text).close_object();
        return Ok(());
    }
    let parts = parts(object(instruction, AT)?, AT, loss)?;
    content(&parts, AT, out, loss)?;
    out.close_object();
    Ok(())
}

/// Writes the messages of `contents`.
pub(super) fn contents(contents: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let mut reading = Reading { ids: Ids::default(), out, loss };
    let mut count = 0;
    for (at, content) in each(contents).enumerate() {
        reading.content(at, content)?;
        count += 1;
    }
    if count == 0 {
        return Err(invalid("contents", "is empty: send at least one"));
    }
    Ok(())
}

/// A conversation that is being read.
struct Reading<'r> {
    ids: Ids,
    out: &'r mut Writer,
    loss: &'r mut Loss,
}

impl Reading<'_> {
    fn content(&mut self, at: usize, value: Value<'_>) -> Result<(), Failure> {
        let place = format!("contents[{at}]");
        if value.kind() == Kind::String {
            return Err(invalid(place, "must be an object with 'parts': [{\"text\": …}]"));
        }
        let parts = parts(object(value, &*place)?, &place, self.loss)?;
        let role = match get(value, "role") {
            None => Cow::Borrowed("user"),
            Some(role) => string(role, format!("{place}.role"))?,
        };
        match &*role {
            "model" => self.model(at, &parts, &place),
            "user" | "function" | "" => self.user(at, &parts, &place),
            "system" => self.said("system", &parts, &place),
            _ => Err(invalid(format!("{place}.role"), "must be 'user' or 'model'")),
        }
    }

    fn said(&mut self, role: &str, parts: &[Part<'_>], place: &str) -> Result<(), Failure> {
        self.out.open_object().text_member("role", role).key("content");
        content(parts, place, self.out, self.loss)?;
        self.out.close_object();
        Ok(())
    }

    /// A user's content: first the results of tools, each a message of its own, then the rest.
    fn user(&mut self, at: usize, parts: &[Part<'_>], place: &str) -> Result<(), Failure> {
        let mut results = 0;
        for (nth, part) in parts.iter().enumerate() {
            if let Some(response) = part.response {
                results += 1;
                self.result(at, nth, response, &format!("{place}.parts[{nth}].functionResponse"))?;
            } else if part.call.is_some() {
                let place = format!("{place}.parts[{nth}].functionCall");
                return Err(invalid(place, "belongs to a content of role 'model'"));
            }
        }
        if results == parts.len() && results > 0 {
            return Ok(());
        }
        self.said("user", parts, place)
    }

    /// A model's content: what it thought, said and called.
    fn model(&mut self, at: usize, parts: &[Part<'_>], place: &str) -> Result<(), Failure> {
        self.ids.turn();
        let calls = parts.iter().any(|part| part.call.is_some());
        self.out.open_object().text_member("role", "assistant").key("content");
        if calls && !parts.iter().any(Part::speaks) {
            self.out.null();
        } else {
            content(parts, place, self.out, self.loss)?;
        }
        self.thoughts(parts);
        if calls {
            self.out.key("tool_calls").open_array();
            for (nth, part) in parts.iter().enumerate() {
                if let Some(value) = part.call {
                    self.call(at, nth, value, part, &format!("{place}.parts[{nth}].functionCall"))?;
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
        let texts = parts.iter().filter(|part| part.call.is_none());
        let mut signatures = texts.filter_map(|part| part.signature.as_deref()).peekable();
        if signatures.peek().is_some() {
            self.out.key("thoughts").open_array();
            for signature in signatures {
                self.out.open_object().text_member("origin", "gemini").text_member("type", "text");
                self.out.text_member("signature", signature).close_object();
            }
            self.out.close_array();
        }
    }

    fn call(&mut self, at: usize, nth: usize, call: Value<'_>, part: &Part<'_>, place: &str) -> Result<(), Failure> {
        let name = text(object(call, place)?, "name").unwrap_or_default();
        if name.is_empty() {
            return Err(invalid(format!("{place}.name"), "is missing"));
        }
        let mut arguments = Cow::Borrowed("{}");
        for (field, value) in fields(call) {
            match &*field {
                "name" | "id" => {}
                "args" => arguments = String::from_utf8_lossy(object(value, format!("{place}.args"))?.raw()),
                field => {
                    self.loss.add(Change::Dropped, format!("contents[].parts[].functionCall.{field}"), "unknown");
                }
            }
        }
        let id = self.ids.call(at, nth, text(call, "id"), &name);
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
    fn result(&mut self, at: usize, nth: usize, result: Value<'_>, place: &str) -> Result<(), Failure> {
        const AT: &str = "contents[].parts[].functionResponse";
        let name = text(object(result, place)?, "name").unwrap_or_default();
        let (mut response, mut media) = (None, None);
        for (field, value) in fields(result) {
            match &*field {
                "name" | "id" => {}
                "response" => response = Some(object(value, format!("{place}.response"))?),
                "parts" => media = Some(value),
                field => self.loss.add(Change::Dropped, format!("{AT}.{field}"), "no other protocol has it"),
            }
        }
        let (said, is_error) = outcome(response);
        let id = self.ids.result(at, nth, text(result, "id"), &name);
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
                for (nth, part) in each(media).enumerate() {
                    let place = format!("{place}.parts[{nth}]");
                    read_part::read(part, &place, self.loss)?.write(&place, self.out, self.loss)?;
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

/// The parts of one content, each as what it is.
fn parts<'a>(content: Value<'a>, at: &str, loss: &mut Loss) -> Result<Vec<Part<'a>>, Failure> {
    let mut all = Vec::new();
    for (name, value) in fields(content) {
        match &*name {
            "parts" => {
                for (nth, part) in each(value).enumerate() {
                    all.push(read_part::read(part, &format!("{at}.parts[{nth}]"), loss)?);
                }
            }
            "role" => {}
            name => loss.add(Change::Dropped, format!("contents[].{name}"), "unknown"),
        }
    }
    Ok(all)
}

/// Writes what parts say, thoughts, calls and results apart: one text as it is, all else as an array.
fn content(parts: &[Part<'_>], place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let mut said = parts.iter().enumerate().filter(|(_, part)| part.speaks());
    match (said.next(), said.next()) {
        (None, _) => {
            out.string("");
        }
        (Some((_, Part { text: Some(text), .. })), None) => {
            out.string(text);
        }
        _ => {
            out.open_array();
            for (nth, part) in parts.iter().enumerate().filter(|(_, part)| part.speaks()) {
                part.write(&format!("{place}.parts[{nth}]"), out, loss)?;
            }
            out.close_array();
        }
    }
    Ok(())
}
