//! A kept event stream as the one body that a caller without `stream` gets. Pure.
//!
//! Texts are joined as they are written, between their quotes, so that a character whose halves came in two events is one
//! again. What is not known how to join (an array or object that says something, two names of one call) makes `None`:
//! such an answer is given again in its own form alone.

use std::collections::BTreeMap;

use super::members::{is_empty, write_member, Members};
use crate::dialects::neutral::Endpoint;
use crate::json::{Index, Kind, Limits, Value};
use crate::sse;

#[derive(Default)]
struct Choice {
    /// The text of a completion, or the fields of a message.
    said: Members,
    calls: BTreeMap<u64, Call>,
    /// The older form of a call.
    function: Option<Call>,
    logprobs: Option<Members>,
    reason: Option<Vec<u8>>,
    rest: Members,
}

#[derive(Default)]
struct Call {
    outer: Members,
    /// What is called: `function`, or `custom` for a tool whose input is text of its own.
    what: Option<&'static str>,
    inner: Members,
}

/// Joins a whole stream; `usage` is told where none of its events names any.
pub fn whole_of(stream: &[u8], endpoint: Endpoint, usage: Option<&[u8]>) -> Option<Vec<u8>> {
    let (mut top, mut choices, mut named) = (Members::default(), BTreeMap::new(), None);
    for data in events(stream)? {
        let index = Index::scan(data.as_bytes(), Limits::default()).ok()?;
        for (key, value) in index.iter(data.as_bytes()) {
            match &*key {
                // Padding against those who measure a stream.
                "object" | "obfuscation" => {}
                "usage" if value.is_null() => {}
                "usage" => named = Some(value.raw().to_vec()),
                "choices" => join_choices(value, &mut choices)?,
                _ => top.first(key.as_bytes(), value.raw()),
            }
        }
    }
    let mut out = b"{".to_vec();
    top.write_into(&mut out);
    out.extend_from_slice(match endpoint {
        Endpoint::Completions => b"\"object\":\"text_completion\",\"choices\":[",
        _ => b"\"object\":\"chat.completion\",\"choices\":[",
    });
    for (at, (index, choice)) in choices.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"{\"index\":" } else { b",{\"index\":" });
        out.extend_from_slice(index.to_string().as_bytes());
        choice.write(&mut out, endpoint);
    }
    out.push(b']');
    if let Some(usage) = named.as_deref().or(usage) {
        out.extend_from_slice(b",\"usage\":");
        out.extend_from_slice(usage);
    }
    out.push(b'}');
    Some(out)
}

/// The data of each event but the end mark.
pub(super) fn events(stream: &[u8]) -> Option<Vec<String>> {
    let events = sse::Parser::new(sse::Limits::default()).feed(stream).ok()?;
    Some(events.into_iter().map(|event| event.data).filter(|data| data.trim() != "[DONE]").collect())
}

fn join_choices(list: Value<'_>, choices: &mut BTreeMap<u64, Choice>) -> Option<()> {
    for value in list.elements() {
        let index = value.get("index").and_then(Value::as_u64).unwrap_or(0);
        choices.entry(index).or_default().join(value)?;
    }
    Some(())
}

impl Choice {
    fn join(&mut self, choice: Value<'_>) -> Option<()> {
        for (key, value) in choice.fields().filter(|(_, value)| !value.is_null()) {
            match &*key.as_str()? {
                "index" => {}
                "delta" => self.join_delta(value)?,
                "text" => self.said.text(b"text", value)?,
                "finish_reason" => self.reason = Some(value.raw().to_vec()),
                "logprobs" => self.join_logprobs(value)?,
                name => match value.kind() {
                    Kind::Object | Kind::Array if !is_empty(value) => return None,
                    Kind::Object | Kind::Array => {}
                    _ => self.rest.last(name.as_bytes(), value.raw()),
                },
            }
        }
        Some(())
    }

    fn join_delta(&mut self, delta: Value<'_>) -> Option<()> {
        for (key, value) in delta.fields().filter(|(_, value)| !value.is_null()) {
            match (&*key.as_str()?, value.kind()) {
                ("role", Kind::String) => self.said.first(b"role", value.raw()),
                ("tool_calls", Kind::Array) => {
                    for (at, call) in value.elements().enumerate() {
                        let index = call.get("index").and_then(Value::as_u64).unwrap_or(at as u64);
                        self.calls.entry(index).or_default().join(call)?;
                    }
                }
                ("function_call", Kind::Object) => self.function.get_or_insert_default().join_function(value)?,
                (name, Kind::String) => self.said.text(name.as_bytes(), value)?,
                (_, Kind::Array | Kind::Object) if is_empty(value) => {}
                _ => return None,
            }
        }
        Some(())
    }

    fn join_logprobs(&mut self, logprobs: Value<'_>) -> Option<()> {
        let joined = self.logprobs.get_or_insert_default();
        for (key, value) in logprobs.fields() {
            let name = key.as_str()?;
            match value.kind() {
                Kind::Null => joined.first(name.as_bytes(), b"null"),
                Kind::Array => joined.list(name.as_bytes(), value),
                _ => return None,
            }
        }
        Some(())
    }

    fn write(&self, out: &mut Vec<u8>, endpoint: Endpoint) {
        out.push(b',');
        match endpoint {
            Endpoint::Completions => self.said.write_into(out),
            _ => self.write_message(out),
        }
        self.rest.write_into(out);
        out.extend_from_slice(b"\"logprobs\":");
        match &self.logprobs {
            Some(logprobs) => logprobs.write(out),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"finish_reason\":");
        out.extend_from_slice(self.reason.as_deref().unwrap_or(b"null"));
        out.push(b'}');
    }

    fn write_message(&self, out: &mut Vec<u8>) {
        let calls = !self.calls.is_empty() || self.function.is_some();
        let speechless = |content: &[u8]| content == b"\"\"" && (calls || self.said.get(b"refusal").is_some());
        let content = self.said.get(b"content").filter(|content| !speechless(content));
        out.extend_from_slice(b"\"message\":{\"role\":");
        out.extend_from_slice(self.said.get(b"role").unwrap_or(b"\"assistant\""));
        out.extend_from_slice(b",\"content\":");
        out.extend_from_slice(content.unwrap_or(b"null"));
        for (name, raw) in self.said.0.iter().filter(|(name, _)| !matches!(&name[..], b"role" | b"content")) {
            out.push(b',');
            write_member(out, name, raw);
        }
        for (at, call) in self.calls.values().enumerate() {
            out.extend_from_slice(if at == 0 { b",\"tool_calls\":[{" } else { b",{" });
            call.outer.write_into(out);
            out.push(b'"');
            out.extend_from_slice(call.what.unwrap_or("function").as_bytes());
            out.extend_from_slice(b"\":");
            call.inner.write(out);
            out.push(b'}');
        }
        if !self.calls.is_empty() {
            out.push(b']');
        }
        if let Some(function) = &self.function {
            out.extend_from_slice(b",\"function_call\":");
            function.inner.write(out);
        }
        out.extend_from_slice(b"},");
    }
}

impl Call {
    fn join(&mut self, call: Value<'_>) -> Option<()> {
        for (key, value) in call.fields().filter(|(_, value)| !value.is_null()) {
            match (&*key.as_str()?, value.kind()) {
                ("index", _) => {}
                ("function", Kind::Object) => self.join_function(value)?,
                ("custom", Kind::Object) => self.join_custom(value)?,
                // The first piece names them, and some providers name them again.
                (name @ ("id" | "type"), Kind::String) => self.outer.same(name.as_bytes(), value)?,
                _ => return None,
            }
        }
        Some(())
    }

    fn join_function(&mut self, function: Value<'_>) -> Option<()> {
        self.join_called("function", function, "arguments")
    }

    fn join_custom(&mut self, custom: Value<'_>) -> Option<()> {
        self.join_called("custom", custom, "input")
    }

    /// `said` is the member of which pieces come.
    fn join_called(&mut self, what: &'static str, called: Value<'_>, said: &str) -> Option<()> {
        if *self.what.get_or_insert(what) != what {
            return None;
        }
        for (key, value) in called.fields().filter(|(_, value)| !value.is_null()) {
            match (&*key.as_str()?, value.kind()) {
                ("name", Kind::String) => self.inner.same(b"name", value)?,
                (name, Kind::String) if name == said => self.inner.text(name.as_bytes(), value)?,
                _ => return None,
            }
        }
        Some(())
    }
}
