//! The neutral request as an upstream's body.

use super::errors::invalid;
use super::think::write_think;
use super::write_messages::write_messages;
use super::write_options::{write_options, ALIKE, BOUNDS};
use super::write_tools::write_tools;
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::request::json_failure;
use crate::dialects::{Change, Loss, To};
use crate::error::{Code, Failure};
use crate::json::{Kind, Limits, Object, Value, Writer};

/// Most alternatives of a token.
const MOST_ALTERNATIVES: u64 = 20;

/// Members of a request for chat that are read, beside the sampling: everything else is reported.
const READ_OF_CHAT: &[&str] = &[
    "model",
    "messages",
    "stream",
    "stream_options",
    "pool",
    "tools",
    "tool_choice",
    "response_format",
    "thinking",
    "reasoning_effort",
    "logprobs",
    "top_logprobs",
    "stop",
    "repetition_penalty",
    "options",
    "keep_alive",
];
/// The same of a request for completions.
const READ_OF_COMPLETIONS: &[&str] = &[
    "model",
    "prompt",
    "suffix",
    "stream",
    "stream_options",
    "pool",
    "logprobs",
    "stop",
    "repetition_penalty",
    "options",
    "keep_alive",
];
/// The same of a request for vectors.
const READ_OF_EMBEDDINGS: &[&str] = &["model", "input", "dimensions", "encoding_format", "pool"];

/// A body under construction, and what it is made of.
struct Written<'a> {
    to: &'a To<'a>,
    neutral: &'a Object<'a>,
    out: Writer,
}

/// See [`crate::dialects::Protocol::write_request`].
pub(super) fn write_request(to: &To<'_>, neutral: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure> {
    let mut out = Writer::with_capacity(neutral.len() + 160);
    let neutral = Object::scan(neutral, Limits::default()).map_err(|error| json_failure(&error))?;
    out.open_object().text_member("model", to.model);
    let mut written = Written { to, neutral: &neutral, out };
    match to.endpoint {
        Endpoint::Chat => written.chat(loss),
        Endpoint::Completions => written.completion(loss)?,
        Endpoint::Embeddings => written.embeddings(loss)?,
    }
    written.out.close_object();
    Ok(written.out.into_bytes())
}

impl<'a> Written<'a> {
    fn field(&self, name: &str) -> Option<Value<'a>> {
        self.neutral.get(name)
    }

    fn chat(&mut self, loss: &mut Loss) {
        write_messages(self.field("messages"), &mut self.out, loss);
        write_tools(self.field("tools"), self.field("tool_choice"), &mut self.out, loss);
        self.format(loss);
        write_think(self.field("thinking"), self.field("reasoning_effort"), &mut self.out, loss);
        if self.field("logprobs").and_then(Value::as_bool) == Some(true) {
            self.out.key("logprobs").boolean(true);
            self.alternatives(self.field("top_logprobs"), loss);
        }
        self.generation(loss);
        self.rest(READ_OF_CHAT, loss);
    }

    /// Ollama has one prompt, and its own template around it, as its `/v1/completions` has.
    fn completion(&mut self, loss: &mut Loss) -> Result<(), Failure> {
        let prompt = self.field("prompt");
        let only = prompt.filter(|prompt| prompt.kind() == Kind::Array).and_then(|all| {
            let mut all = all.elements();
            all.next().filter(|_| all.next().is_none())
        });
        let Some(prompt) = only.or(prompt).filter(|prompt| prompt.kind() == Kind::String) else {
            let words = format!("The model '{}' takes one prompt, as text.", self.to.model);
            return Err(Failure::new(Code::UnsupportedByModel, words).param("prompt"));
        };
        let suffix = self.field("suffix");
        self.out.key("prompt").value(prompt).member("suffix", suffix);
        // A number says how many alternatives are wanted.
        if let Some(most) = self.field("logprobs") {
            self.out.key("logprobs").boolean(true);
            self.alternatives(Some(most), loss);
        }
        self.generation(loss);
        self.rest(READ_OF_COMPLETIONS, loss);
        Ok(())
    }

    fn embeddings(&mut self, loss: &mut Loss) -> Result<(), Failure> {
        let input = self.field("input").ok_or_else(|| invalid("input", "'input' is missing."))?;
        let is_text = |value: Value<'_>| value.kind() == Kind::String;
        let is_list = |value: Value<'_>| value.kind() == Kind::Array && value.elements().all(is_text);
        if !is_text(input) && !is_list(input) {
            let words = format!("The model '{}' takes text as input, and no tokens.", self.to.model);
            return Err(Failure::new(Code::UnsupportedByModel, words).param("input"));
        }
        let dimensions = self.field("dimensions");
        self.out.key("input").value(input).member("dimensions", dimensions);
        // By default Ollama cuts what is too long, and says nothing.
        self.out.key("truncate").boolean(false);
        self.rest(READ_OF_EMBEDDINGS, loss);
        Ok(())
    }

    /// What chat and completions share.
    fn generation(&mut self, loss: &mut Loss) {
        self.out.key("stream").boolean(self.to.stream);
        // By default Ollama leaves out the oldest messages of what is too long (since 0.12.6 it can be told not to), and the
        // beginning of the context when an answer reaches its end, and says nothing of either.
        self.out.key("truncate").boolean(false).key("shift").boolean(false);
        let neutral = self.neutral;
        let field = |name: &str| neutral.get(name);
        self.out.member("keep_alive", field("keep_alive"));
        write_options(self.to, &field, &mut self.out, loss);
    }

    fn alternatives(&mut self, most: Option<Value<'a>>, loss: &mut Loss) {
        let Some(most) = most.and_then(Value::as_u64).filter(|most| *most > 0) else { return };
        if most > MOST_ALTERNATIVES {
            loss.add(Change::Clamped, "top_logprobs", "at most 20");
        }
        self.out.key("top_logprobs").integer(most.min(MOST_ALTERNATIVES));
    }

    fn format(&mut self, loss: &mut Loss) {
        let Some(format) = self.field("response_format").filter(|format| format.kind() == Kind::Object) else { return };
        let nested = format.get("json_schema").filter(|nested| nested.kind() == Kind::Object);
        let schema = nested.and_then(|nested| nested.get("schema")).filter(|schema| schema.kind() == Kind::Object);
        match (format.get("type").and_then(Value::as_str).as_deref(), schema) {
            (Some("json_schema"), Some(schema)) => {
                self.out.key("format").value(schema);
            }
            (Some("json_object" | "json_schema"), _) => {
                self.out.text_member("format", "json");
            }
            (None | Some("text"), _) => {}
            _ => loss.add(Change::Dropped, "response_format", "a format that Ollama does not have"),
        }
    }

    /// What Ollama has no place for.
    fn rest(&self, read: &[&str], loss: &mut Loss) {
        let generates = self.to.endpoint != Endpoint::Embeddings;
        for (name, value) in self.neutral.members() {
            let is_read = read.contains(&&*name) || generates && (ALIKE.contains(&&*name) || BOUNDS.contains(&&*name));
            if !is_read && !says_nothing(&name, value) {
                loss.add(Change::Dropped, name.into_owned(), "Ollama has no such field");
            }
        }
    }
}

/// Members that ask for what is so anyway.
fn says_nothing(name: &str, value: Value<'_>) -> bool {
    match name {
        "n" | "best_of" => value.as_u64() == Some(1),
        "store" | "echo" => value.as_bool() == Some(false),
        "parallel_tool_calls" => value.as_bool() == Some(true),
        "service_tier" => value.str_eq("auto") || value.str_eq("default"),
        "modalities" => value.elements().all(|modality| modality.str_eq("text")),
        "metadata" | "logit_bias" => value.kind() == Kind::Object && value.fields().next().is_none(),
        _ => false,
    }
}
