//! The neutral request as an upstream's body.

use super::thinking::Thinking;
use super::write_format::{stops, wants, Wanted};
use super::write_sampling::sampling;
use super::write_schema::write_schema;
use super::write_tools::{write_choice, write_tools};
use super::write_turns::Turns;
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::request::json_failure;
use crate::dialects::{Change, Loss, To};
use crate::error::{Code, Failure};
use crate::json::{Kind, Limits, Object, Value, Writer};

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
    let object = Object::scan(neutral, Limits::default()).map_err(|error| json_failure(&error))?;
    let field = |name: &str| object.get(name);
    let mut out = Writer::with_capacity(neutral.len() + 128);
    out.open_object().text_member("model", to.model);
    let mut turns = Turns::default();
    turns.read(field("messages"), loss);
    let mut thinking = Thinking::of(field("thinking"), field("reasoning_effort"), to.version, loss);
    if thinking.is_on() && !turns.may_think() {
        loss.add(Change::Dropped, "thinking", "the turn in progress has calls without signed thoughts");
        thinking.off();
    }
    let most = most(to, &field, &thinking, loss);
    out.key("max_tokens").integer(most);
    let thinking = thinking.within(most, loss);
    let wanted = wants(field("response_format"), loss);
    if wanted == Wanted::Json {
        loss.add(Change::Emulated, "response_format", "JSON without a schema is asked for in words");
        turns.add_system(ONLY_JSON);
    }
    turns.write(&mut out, loss);
    if to.stream {
        out.key("stream").boolean(true);
    }
    sampling(to, &thinking, &field, &mut out, loss);
    stops(field("stop"), &mut out, loss);
    let has_tools = write_tools(field("tools"), field("tool_choice"), &mut out, loss);
    write_choice(&field, has_tools, thinking.is_on(), &mut out, loss);
    thinking.write(&mut out);
    output_config(&thinking, wanted, &mut out, loss);
    whose(&field, &mut out, loss);
    rest(&object, loss);
    out.close_object();
    Ok(out.into_bytes())
}

/// The bound on output, which the protocol wants: the lowest that the caller or policy names, else [`USUAL_MOST`] and what
/// is thought besides.
fn most<'a>(to: &To<'_>, field: &dyn Fn(&str) -> Option<Value<'a>>, thinking: &Thinking, loss: &mut Loss) -> u64 {
    let named = ["max_tokens", "max_completion_tokens"].into_iter().filter_map(|name| field(name)?.as_u64());
    named.chain(to.cap).min().unwrap_or_else(|| {
        loss.add(Change::Clamped, "max_tokens", "4,096 and the budget of thoughts: the protocol wants a bound");
        USUAL_MOST.saturating_add(thinking.budget())
    })
}

/// Effort in words, and the schema that the answer keeps to.
fn output_config(thinking: &Thinking, wanted: Wanted<'_>, out: &mut Writer, loss: &mut Loss) {
    let schema = match wanted {
        Wanted::Schema(schema) => Some(schema),
        _ => None,
    };
    if schema.is_none() && thinking.effort().is_none() {
        return;
    }
    out.key("output_config").open_object();
    if let Some(effort) = thinking.effort() {
        out.text_member("effort", effort);
    }
    if let Some(schema) = schema {
        out.key("format").open_object().text_member("type", "json_schema").key("schema");
        write_schema(schema, "response_format.json_schema.schema", out, loss);
        out.close_object();
    }
    out.close_object();
}

/// Whose request it is, and how soon it is wanted.
fn whose<'a>(field: &dyn Fn(&str) -> Option<Value<'a>>, out: &mut Writer, loss: &mut Loss) {
    let said = |name: &str| field(name).filter(|user| user.kind() == Kind::String);
    if let Some(user) = said("user").or(said("safety_identifier")) {
        out.key("metadata").open_object().key("user_id").value(user).close_object();
    }
    if said("user").is_none() && said("safety_identifier").is_some() {
        loss.add(Change::Renamed, "safety_identifier", "metadata.user_id");
    }
    if said("user").is_some() && said("safety_identifier").is_some() {
        loss.add(Change::Dropped, "safety_identifier", "Anthropic knows one id, the user's");
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
fn rest(object: &Object<'_>, loss: &mut Loss) {
    for (name, value) in object.members() {
        match &*name {
            known if READ.contains(&known) => {}
            usual if is_usual(usual, value) => {}
            "n" => loss.add(Change::Dropped, "n", "one answer a request"),
            "store" => loss.add(Change::Dropped, "store", "nothing is kept"),
            other => loss.add(Change::Dropped, other.to_owned(), "Anthropic has no such field"),
        }
    }
}

/// Whether a member asks for what everybody gets.
fn is_usual(name: &str, value: Value<'_>) -> bool {
    match name {
        "n" => value.as_u64() == Some(1),
        "frequency_penalty" | "presence_penalty" | "min_p" | "top_logprobs" => value.as_f64() == Some(0.0),
        // Nobody keeps anything, which is what is asked for.
        "store" | "logprobs" => value.as_bool() == Some(false),
        "logit_bias" => value.fields().next().is_none(),
        "verbosity" => value.str_eq("medium"),
        "modalities" => value.elements().all(|modality| modality.str_eq("text")),
        _ => false,
    }
}
