//! The neutral request's settings as Gemini's `generationConfig`.

use super::{schema, thinking};
use crate::dialects::{Change, Loss, To};
use crate::json::{Kind, Value, Writer};

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
}

impl<'a> Config<'a> {
    pub fn new(to: &To<'a>) -> Config<'a> {
        Config { model: to.model, out: Writer::with_capacity(256), cap: to.cap, thinking: None, effort: None }
    }

    /// Takes a member of the neutral request that is not null.
    pub fn take(&mut self, name: &str, value: Value<'a>, loss: &mut Loss) {
        match name {
            "temperature" => self.copy("temperature", value),
            "top_p" => self.copy("topP", value),
            "top_k" => self.copy("topK", value),
            "presence_penalty" => self.copy("presencePenalty", value),
            "frequency_penalty" => self.copy("frequencyPenalty", value),
            "n" => self.copy("candidateCount", value),
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
            "response_format" => self.format(value, loss),
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
            self.out.key("maxOutputTokens").integer(cap);
        }
        thinking::write(self.model, self.thinking, self.effort, &mut self.out, loss);
        if !self.out.is_empty() {
            out.key("generationConfig").open_object().raw(&self.out.into_bytes()).close_object();
        }
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

    fn format(&mut self, value: Value<'_>, loss: &mut Loss) {
        let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
        match &*kind {
            "text" => {}
            "json_object" => {
                self.out.text_member("responseMimeType", "application/json");
            }
            "json_schema" => {
                self.out.text_member("responseMimeType", "application/json");
                let format = value.get("json_schema").unwrap_or(value);
                for (key, value) in format.fields().filter(|(_, value)| !value.is_null()) {
                    match &*key.as_str().unwrap_or_default() {
                        "schema" => {
                            schema::report(value, "response_format.json_schema.schema", loss);
                            self.out.key("responseJsonSchema").value(value);
                        }
                        // Gemini always keeps to it, and the model need not know its name.
                        "strict" | "type" => {}
                        "name" => loss.add(Change::Renamed, "response_format.json_schema.name", "not needed"),
                        name => {
                            let name = format!("response_format.json_schema.{name}");
                            loss.add(Change::Dropped, name, "no such field");
                        }
                    }
                }
            }
            _ => loss.add(Change::Dropped, "response_format", "unknown kind"),
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
