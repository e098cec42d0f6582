//! The fields of a request, each with its type and its range.

use hoosh_core::dialects::neutral::Endpoint;
use hoosh_core::engine::Refusal;
use serde_json::{Map, Value};

use super::wrong;

/// What both endpoints know.
const KNOWN: &[&str] = &[
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_tokens",
    "min_p",
    "n",
    "presence_penalty",
    "repetition_penalty",
    "seed",
    "stop",
    "temperature",
    "top_k",
    "top_p",
];

/// What chat knows besides.
const KNOWN_IN_CHAT: &[&str] = &[
    "chat_template_kwargs",
    "max_completion_tokens",
    "messages",
    "parallel_tool_calls",
    "response_format",
    "tool_choice",
    "tools",
    "top_logprobs",
];

/// What completions know besides.
const KNOWN_IN_COMPLETIONS: &[&str] = &["best_of", "echo", "prompt", "suffix"];

/// What embeddings know. How vectors are written is not the engine's.
pub(super) const KNOWN_IN_EMBEDDINGS: &[&str] = &["dimensions", "encoding_format", "input", "truncate_prompt_tokens"];

/// What says nothing about the answer itself: who asks, how it is sent, where it is kept.
const WITHOUT_EFFECT: &[&str] = &[
    "metadata",
    "model",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "user",
];

/// The fields of one request. `null` is as good as absent, as OpenAI has it.
pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(object: &'a Map<String, Value>) -> Self {
        Fields { object }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// Refuses fields that are not known, and known ones with values that are not supported.
    pub(super) fn refuse_unknown(&self, endpoint: Endpoint) -> Result<(), Refusal> {
        let own = match endpoint {
            Endpoint::Chat => KNOWN_IN_CHAT,
            Endpoint::Completions => KNOWN_IN_COMPLETIONS,
            // Refused as a whole.
            Endpoint::Embeddings => return Ok(()),
        };
        for (name, value) in self.object.iter().filter(|(_, value)| !value.is_null()) {
            let name = name.as_str();
            if ![KNOWN, own, WITHOUT_EFFECT].iter().any(|list| list.contains(&name)) {
                return Err(wrong("unsupported_parameter", name, "is not supported by this engine; leave it out"));
            }
            if let Some(problem) = unsupported(name, value) {
                return Err(wrong("unsupported_value", name, problem));
            }
        }
        match self.integer("best_of", 1, u64::MAX)? {
            Some(best) if best != self.integer("n", 1, u64::MAX)?.unwrap_or(1) => {
                Err(wrong("unsupported_value", "best_of", "must equal `n`: answers are not ranked"))
            }
            _ => Ok(()),
        }
    }

    /// Refuses fields that are not in `known`, whatever they hold.
    pub(super) fn refuse_others(&self, known: &[&str]) -> Result<(), Refusal> {
        let has_sense = |name: &str| known.contains(&name) || WITHOUT_EFFECT.contains(&name);
        match self.object.iter().find(|(name, value)| !value.is_null() && !has_sense(name)) {
            Some((name, _)) => {
                Err(wrong("unsupported_parameter", name, "is not supported by this engine; leave it out"))
            }
            None => Ok(()),
        }
    }

    pub(super) fn integer(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        // Some clients write whole numbers as 1.0.
        let whole = value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..1e15).contains(number));
        let number = value.as_u64().or(whole.map(|number| number as u64));
        match number {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
            Some(_) if most == u64::MAX => Err(wrong("out_of_range", name, format!("must be at least {least}"))),
            Some(_) => Err(wrong("out_of_range", name, format!("must be from {least} to {most}"))),
            None => Err(wrong("invalid_type", name, "must be a whole number of 0 or more")),
        }
    }

    pub(super) fn number(&self, name: &str, least: f32, most: f32) -> Result<Option<f32>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.as_f64() {
            Some(number) if (f64::from(least)..=f64::from(most)).contains(&number) => Ok(Some(number as f32)),
            Some(_) if least == f32::MIN_POSITIVE => {
                Err(wrong("out_of_range", name, format!("must be above 0 and at most {most}")))
            }
            Some(_) => Err(wrong("out_of_range", name, format!("must be from {least} to {most}"))),
            None => Err(wrong("invalid_type", name, "must be a number")),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(wrong("invalid_type", name, "must be true or false")),
        }
    }

    /// The tools that may be called.
    pub(super) fn tools(&self) -> Result<&'a [Value], Refusal> {
        let forbidden = self.get("tool_choice").is_some_and(|choice| choice == "none");
        match self.get("tools") {
            None => Ok(&[]),
            Some(Value::Array(tools)) => Ok(if forbidden { &[] } else { tools }),
            Some(_) => Err(wrong("invalid_type", "tools", "must be a list")),
        }
    }

    /// -1 means no limit to vLLM, 0 to llama.cpp.
    pub(super) fn top_k(&self) -> Result<usize, Refusal> {
        match self.get("top_k").and_then(Value::as_i64) {
            Some(-1) => Ok(0),
            _ => Ok(self.integer("top_k", 0, u64::from(u32::MAX))?.unwrap_or(0) as usize),
        }
    }

    pub(super) fn seed(&self) -> Result<Option<u64>, Refusal> {
        match self.get("seed") {
            None => Ok(None),
            Some(value) => match (value.as_u64(), value.as_i64()) {
                (Some(seed), _) => Ok(Some(seed)),
                (_, Some(seed)) => Ok(Some(seed as u64)),
                _ => Err(wrong("invalid_type", "seed", "must be a whole number of 64 bits")),
            },
        }
    }

    pub(super) fn stops(&self, most: usize, longest: usize) -> Result<Vec<String>, Refusal> {
        let stops: Vec<String> = match self.get("stop") {
            None => Vec::new(),
            Some(Value::String(stop)) => vec![stop.clone()],
            Some(Value::Array(stops)) => {
                let strings: Option<Vec<&str>> = stops.iter().map(Value::as_str).collect();
                let strings = strings.ok_or_else(|| wrong("invalid_type", "stop", "must hold strings only"))?;
                strings.into_iter().map(str::to_owned).collect()
            }
            Some(_) => return Err(wrong("invalid_type", "stop", "must be a string or a list of strings")),
        };
        if stops.len() > most {
            return Err(wrong("out_of_range", "stop", format!("must hold at most {most} strings")));
        }
        match stops.iter().any(|stop| stop.is_empty() || stop.len() > longest) {
            true => Err(wrong("out_of_range", "stop", format!("must hold strings of 1 to {longest} bytes"))),
            false => Ok(stops),
        }
    }

    pub(super) fn logit_bias(&self) -> Result<Vec<(u32, f32)>, Refusal> {
        let field = "logit_bias";
        let Some(value) = self.get(field) else { return Ok(Vec::new()) };
        let object = value.as_object().ok_or_else(|| wrong("invalid_type", field, "must be an object"))?;
        let mut bias = Vec::with_capacity(object.len());
        for (token, value) in object {
            let token = token.parse().map_err(|_| wrong("invalid_value", field, "must have tokens as its keys"))?;
            match value.as_f64() {
                Some(number) if (-100.0..=100.0).contains(&number) => bias.push((token, number as f32)),
                _ => return Err(wrong("out_of_range", field, "must hold numbers from -100 to 100")),
            }
        }
        Ok(bias)
    }
}

/// What is not supported about the value of a known field.
fn unsupported(name: &str, value: &Value) -> Option<&'static str> {
    match name {
        "echo" if value != &Value::Bool(false) => Some("is not supported: answers do not repeat their prompt"),
        "suffix" if value != "" => Some("is not supported: text is only continued, not filled in"),
        _ => None,
    }
}
