//! The neutral request's settings as Gemini's `generationConfig`.

use super::{abilities, schema, thinking};
use crate::dialects::{Change, Loss, To};
use crate::json::{Kind, Value, Writer};

/// Answers to one request at most (docs.cloud.google.com, "Content generation parameters": from 1 to 8).
const MOST_CANDIDATES: u64 = 8;
/// Stop sequences that Gemini takes at most.
const MOST_STOPS: usize = 5;
/// Alternatives for each token that Gemini takes at most.
const MOST_LOGPROBS: u64 = 20;

/// Settings under way.
pub(super) struct Config<'a> {
    model: &'a str,
    /// Members of `generationConfig`.
    out: Writer,
    cap: Option<u64>,
    thinking: Option<Value<'a>>,
    effort: Option<Value<'a>>,
    format: Format<'a>,
}

impl<'a> Config<'a> {
    pub fn new(to: &To<'a>) -> Config<'a> {
        let out = Writer::with_capacity(256);
        Config { model: to.model, out, cap: to.cap, thinking: None, effort: None, format: Format::Text }
    }

    /// Takes a member of the neutral request that is not null.
    pub fn take(&mut self, name: &str, value: Value<'a>, loss: &mut Loss) {
        match name {
            "temperature" => self.temperature(value, loss),
            "top_p" => self.copy("topP", value),
            "top_k" => self.copy("topK", value),
            "presence_penalty" => self.copy("presencePenalty", value),
            "frequency_penalty" => self.copy("frequencyPenalty", value),
            "n" => self.count(value, loss),
            "max_tokens" | "max_completion_tokens" => {
                self.cap = [self.cap, value.as_u64()].into_iter().flatten().min();
            }
            "seed" => self.seed(value, loss),
            "stop" => self.stop(value, loss),
            // The older completions have a number here.
            "logprobs" if value.kind() == Kind::Number => {
                self.out.key("responseLogprobs").boolean(true);
                self.top(value, "logprobs", loss);
            }
            "logprobs" if value.as_bool() == Some(true) => {
                self.out.key("responseLogprobs").boolean(true);
            }
            "logprobs" => {}
            "top_logprobs" => self.top(value, "top_logprobs", loss),
            "response_format" => self.format = Format::of(value, loss),
            "thinking" => self.thinking = Some(value),
            "reasoning_effort" => self.effort = Some(value),
            "modalities" => self.modalities(value),
            "encoding_format" => {}
            name => loss.add(Change::Dropped, name.to_owned(), "Gemini has no such field"),
        }
    }

    /// Writes the member `generationConfig`, if anything is set.
    pub fn write(mut self, out: &mut Writer, loss: &mut Loss) {
        if let Some(cap) = self.cap {
            let most = i32::MAX.unsigned_abs().into();
            if cap > most {
                loss.add(Change::Clamped, "max_tokens", "a number of 32 bits");
            }
            self.out.key("maxOutputTokens").integer(cap.min(most));
        }
        self.format.write(&mut self.out, loss);
        thinking::write(self.model, self.thinking, self.effort, &mut self.out, loss);
        if !self.out.is_empty() {
            out.key("generationConfig").open_object().raw(&self.out.into_bytes()).close_object();
        }
    }

    /// A model that takes no format beside tools ("Function calling with a response mime type: 'application/json' is
    /// unsupported", googleapis/python-genai#867) is asked for it in words, as a part of the instruction.
    pub fn beside_tools(&mut self, system: &mut Writer, loss: &mut Loss) {
        if abilities::of(self.model).combines {
            return;
        }
        let words = match std::mem::take(&mut self.format) {
            Format::Text => return,
            Format::Json => "Answer with JSON alone, without any text around it.".to_owned(),
            Format::Schema(schema) => {
                let schema = String::from_utf8_lossy(schema.raw());
                format!("Answer with JSON alone, without any text around it, by this JSON Schema:\n{schema}")
            }
        };
        loss.add(Change::Approximated, "response_format", "in words: the model takes no format beside tools");
        system.open_object().text_member("text", &words).close_object();
    }

    /// From 0 to 2 (google-genai 3.6, `types.GenerationConfig`).
    fn temperature(&mut self, value: Value<'_>, loss: &mut Loss) {
        if value.as_f64().is_some_and(|value| value > 2.0) {
            loss.add(Change::Clamped, "temperature", "at most 2");
            self.out.key("temperature").integer(2);
            return;
        }
        self.copy("temperature", value);
    }

    fn count(&mut self, value: Value<'_>, loss: &mut Loss) {
        if value.as_u64().is_some_and(|count| count > MOST_CANDIDATES) {
            loss.add(Change::Clamped, "n", "at most 8");
            self.out.key("candidateCount").integer(MOST_CANDIDATES);
            return;
        }
        self.copy("candidateCount", value);
    }

    fn copy(&mut self, name: &str, value: Value<'_>) {
        self.out.key(name).value(value);
    }

    /// Gemini's has 32 bits.
    fn seed(&mut self, value: Value<'_>, loss: &mut Loss) {
        let Some(seed) = value.as_i64() else {
            return loss.add(Change::Dropped, "seed", "no whole number of 64 bits");
        };
        if i32::try_from(seed).is_err() {
            loss.add(Change::Approximated, "seed", "its lowest 31 bits");
        }
        let seed = i32::try_from(seed).map_or(seed & 0x7fff_ffff, i64::from);
        self.out.key("seed").raw(seed.to_string().as_bytes());
    }

    fn stop(&mut self, value: Value<'_>, loss: &mut Loss) {
        self.out.key("stopSequences").open_array();
        if value.kind() == Kind::String {
            self.out.value(value);
        }
        for (nth, stop) in value.elements().enumerate() {
            if nth == MOST_STOPS {
                loss.add(Change::Clamped, "stop", "the first five");
                break;
            }
            self.out.value(stop);
        }
        self.out.close_array();
    }

    fn top(&mut self, value: Value<'_>, name: &'static str, loss: &mut Loss) {
        let wanted = value.as_u64().unwrap_or(0);
        if wanted > MOST_LOGPROBS {
            loss.add(Change::Clamped, name, "at most 20");
        }
        if wanted > 0 {
            self.out.key("logprobs").integer(wanted.min(MOST_LOGPROBS));
        }
    }

    fn modalities(&mut self, value: Value<'_>) {
        self.out.key("responseModalities").open_array();
        for one in value.elements() {
            self.out.string(&one.as_str().unwrap_or_default().to_ascii_uppercase());
        }
        self.out.close_array();
    }
}

/// The form that an answer shall have.
#[derive(Default)]
enum Format<'a> {
    #[default]
    Text,
    Json,
    Schema(Value<'a>),
}

impl<'a> Format<'a> {
    /// Of the neutral `response_format`.
    fn of(value: Value<'a>, loss: &mut Loss) -> Format<'a> {
        match value.get("type").and_then(Value::as_str).as_deref() {
            Some("text") => Format::Text,
            Some("json_object") => Format::Json,
            Some("json_schema") => {
                let mut schema = None;
                let format = value.get("json_schema").unwrap_or(value);
                for (key, value) in format.fields().filter(|(_, value)| !value.is_null()) {
                    match &*key.as_str().unwrap_or_default() {
                        "schema" => schema = Some(value),
                        // Gemini always keeps to it, and the model need not know its name.
                        "strict" | "type" => {}
                        "name" => loss.add(Change::Renamed, "response_format.json_schema.name", "not needed"),
                        name => {
                            let name = format!("response_format.json_schema.{name}");
                            loss.add(Change::Dropped, name, "no such field");
                        }
                    }
                }
                schema.map_or(Format::Json, Format::Schema)
            }
            _ => {
                loss.add(Change::Dropped, "response_format", "unknown kind");
                Format::Text
            }
        }
    }

    fn write(&self, config: &mut Writer, loss: &mut Loss) {
        if !matches!(self, Format::Text) {
            config.text_member("responseMimeType", "application/json");
        }
        if let Format::Schema(schema) = self {
            config.key("responseJsonSchema");
            schema::write_json(*schema, "response_format.json_schema.schema", config, loss);
        }
    }
}
