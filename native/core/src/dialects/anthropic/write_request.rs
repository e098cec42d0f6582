//! The neutral request as an upstream's body.

use super::thinking::{takes_sampling, Thinking};
use super::write_tools::{write_choice, write_tools};
use super::write_turns::Turns;
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::request::json_failure;
use crate::dialects::{Change, Loss, To};
use crate::error::{Code, Failure};
use crate::json::{Index, Kind, Limits, Value, Writer};

/// Output tokens, where nobody names a bound: the protocol wants one, and every model gives so many.
pub(super) const USUAL_MOST: u64 = 4_096;
/// Asks for JSON where no schema says which.
const ONLY_JSON: &str = "Answer with one JSON object and nothing else.";

/// The members that are read, and what they say: everything else is reported.
const READ: &[&str] = &[
    "model",
    "messages",
    "stream",
    "stream_options",
    "pool",
    "max_tokens",
    "max_completion_tokens",
    "thinking",
    "reasoning_effort",
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "user",
    "safety_identifier",
    "service_tier",
    "metadata",
    "n",
    "store",
];

/// See [`crate::dialects::Protocol::write_request`].
pub(super) fn write_request(to: &To<'_>, neutral: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure> {
    if to.endpoint != Endpoint::Chat {
        let words = format!(
            "The model '{}' is asked by Anthropic's Messages, which has no {}.",
            to.model,
            to.endpoint.as_str()
        );
        return Err(Failure::new(Code::UnsupportedByModel, words).param("model"));
    }
    let index = Index::scan(neutral, Limits::default()).map_err(|error| json_failure(&error))?;
    let field = |name: &str| index.get(neutral, name).filter(|value| !value.is_null());
    let mut out = Writer::with_capacity(neutral.len() + 128);
    out.open_object().text_member("model", to.model);
    let mut turns = Turns::default();
    turns.read(field("messages"), loss);
    let mut thinking = Thinking::of(field("thinking"), field("reasoning_effort"), to.version, loss);
    if thinking.is_on() && !turns.may_think() {
        loss.add(Change::Dropped, "thinking", "the turn in progress has calls without signed thoughts");
        thinking = Thinking::Off;
    }
    let named = ["max_tokens", "max_completion_tokens"].into_iter().filter_map(|name| field(name)?.as_u64());
    let most = match named.chain(to.cap).min() {
        Some(most) => most,
        None => {
            loss.add(Change::Clamped, "max_tokens", "4,096 and the budget of thoughts: the protocol wants a bound");
            USUAL_MOST + thinking.budget()
        }
    };
    out.key("max_tokens").integer(most);
    let thinking = thinking.within(most, loss);
    if wants_bare_json(field("response_format")) {
        loss.add(Change::Emulated, "response_format", "JSON without a schema is asked for in words");
        turns.add_system(ONLY_JSON);
    }
    turns.write(&mut out, loss);
    if to.stream {
        out.key("stream").boolean(true);
    }
    sampling(to, &thinking, &field, &mut out, loss);
    stops(field("stop"), &mut out, loss);
    let has_tools = write_tools(field("tools"), &mut out, loss);
    write_choice(&field, has_tools, thinking.is_on(), &mut out, loss);
    thinking.write(&mut out);
    output_config(&thinking, field("response_format"), &mut out);
    whose(&field, &mut out, loss);
    rest(&index, neutral, loss);
    out.close_object();
    Ok(out.into_bytes())
}

/// Anthropic takes temperatures to 1, none while it thinks, and since 2026-10-21 none at all.
fn sampling<'a>(
    to: &To<'_>,
    thinking: &Thinking,
    field: &dyn Fn(&str) -> Option<Value<'a>>,
    out: &mut Writer,
    loss: &mut Loss,
) {
    for name in ["temperature", "top_p", "top_k"] {
        let Some(value) = field(name) else { continue };
        let Some(number) = value.as_f64() else {
            loss.add(Change::Dropped, name, "no number");
            continue;
        };
        if !takes_sampling(to.version) {
            loss.add(Change::Dropped, name, "refused by this version of the API");
        } else if thinking.is_on() && (name != "top_p" || number < 0.95) {
            if name != "temperature" || number != 1.0 {
                loss.add(Change::Dropped, name, "refused while the model thinks");
            }
        } else if name == "temperature" && number > 1.0 {
            loss.add(Change::Clamped, name, "0 to 1");
            out.key(name).integer(1);
        } else {
            out.key(name).value(value);
        }
    }
}

/// `stop_sequences`: without those of white space, which are refused.
fn stops(stop: Option<Value<'_>>, out: &mut Writer, loss: &mut Loss) {
    let Some(stop) = stop else { return };
    let one = (stop.kind() == Kind::String).then_some(stop);
    let all: Vec<Value<'_>> = one.into_iter().chain(stop.elements()).collect();
    let fits = |stop: &&Value<'_>| stop.as_str().is_some_and(|text| !text.trim().is_empty());
    let kept: Vec<&Value<'_>> = all.iter().filter(fits).collect();
    if kept.len() < all.len() {
        loss.add(Change::Dropped, "stop", "sequences of white space are refused");
    }
    if !kept.is_empty() {
        out.key("stop_sequences").open_array();
        for stop in kept {
            out.value(*stop);
        }
        out.close_array();
    }
}

fn wants_bare_json(format: Option<Value<'_>>) -> bool {
    format.and_then(|format| format.get("type")).is_some_and(|kind| kind.str_eq("json_object"))
}

/// Effort in words, and the schema that the answer keeps to.
fn output_config(thinking: &Thinking, format: Option<Value<'_>>, out: &mut Writer) {
    let schema = format.and_then(|format| format.get("json_schema")?.get("schema"));
    let effort = match thinking {
        Thinking::Effort(word) => Some(*word),
        _ => None,
    };
    if schema.is_none() && effort.is_none() {
        return;
    }
    out.key("output_config").open_object();
    if let Some(effort) = effort {
        out.text_member("effort", effort);
    }
    if let Some(schema) = schema {
        out.key("format").open_object().text_member("type", "json_schema").key("schema").value(schema).close_object();
    }
    out.close_object();
}

/// Whose request it is, and how soon it is wanted.
fn whose<'a>(field: &dyn Fn(&str) -> Option<Value<'a>>, out: &mut Writer, loss: &mut Loss) {
    if let Some(user) = field("user").or(field("safety_identifier")).filter(|user| user.kind() == Kind::String) {
        out.key("metadata").open_object().key("user_id").value(user).close_object();
    }
    if field("metadata").is_some_and(|metadata| metadata.fields().next().is_some()) {
        loss.add(Change::Dropped, "metadata", "Anthropic knows the user's id alone");
    }
    match field("service_tier").and_then(Value::as_str).as_deref() {
        None | Some("auto") => {}
        Some("default" | "standard") => {
            out.text_member("service_tier", "standard_only");
        }
        Some(_) => loss.add(Change::Dropped, "service_tier", "auto or default"),
    }
}

/// What Anthropic has no place for.
fn rest(index: &Index, neutral: &[u8], loss: &mut Loss) {
    for (name, value) in index.iter(neutral).filter(|(_, value)| !value.is_null()) {
        match &*name {
            "n" if value.as_u64() == Some(1) => {}
            "n" => loss.add(Change::Dropped, "n", "one answer a request"),
            // Nobody keeps anything, which is what is asked for.
            "store" if value.as_bool() == Some(false) => {}
            "store" => loss.add(Change::Dropped, "store", "nothing is kept"),
            "logprobs" if value.as_bool() == Some(false) => {}
            known if READ.contains(&known) => {}
            other => loss.add(Change::Dropped, other.to_owned(), "Anthropic has no such field"),
        }
    }
}
