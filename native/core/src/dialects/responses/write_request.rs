//! The neutral request as an upstream of this dialect takes it.

use super::effort::write_reasoning;
use super::fields::{drop_field, drop_unknown, NEUTRAL_FIELDS};
use super::refuse::present;
use super::tools::{write_choice, write_tools};
use super::write_input::write_messages;
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::request::json_failure;
use crate::dialects::openai::strict::may_be_strict;
use crate::dialects::{Change, Loss, To};
use crate::error::{Code, Failure};
use crate::json::{Index, Kind, Limits, Outline, Value, Writer};

/// OpenAI refuses a lower bound on the output.
const LEAST_OUTPUT: u64 = 16;

/// What belongs together and comes in any order.
#[derive(Default)]
struct Given<'a> {
    messages: Option<Value<'a>>,
    cap: Option<u64>,
    effort: Option<Value<'a>>,
    thinking: Option<Value<'a>>,
    format: Option<Value<'a>>,
    verbosity: Option<Value<'a>>,
    choice: Option<Value<'a>>,
    tools: Option<Value<'a>>,
    parallel: Option<Value<'a>>,
    logprobs: bool,
    alternatives: Option<Value<'a>>,
    stores: bool,
}

/// See [`crate::dialects::Protocol::write_request`].
///
/// # Errors
/// If `neutral` is not a JSON object, or asks for something else than a chat.
pub(super) fn write_request(to: &To<'_>, neutral: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure> {
    if to.endpoint != Endpoint::Chat {
        let words = format!("The Responses API has no {}.", to.endpoint.as_str());
        return Err(Failure::new(Code::EndpointUnsupported, words));
    }
    let mut outline = Outline::default();
    let mut index = Index::default();
    outline.scan(&mut index, neutral, Limits::default()).map_err(|error| json_failure(&error))?;
    let mut given = Given::default();
    let mut out = Writer::with_capacity(neutral.len() + neutral.len() / 4 + 192);
    out.open_object().text_member("model", to.model);
    for (key, value) in outline.fields(&index, neutral).filter(|(_, value)| !value.is_null()) {
        write_field(&mut out, &mut given, &key, value, loss);
    }
    write_given(&mut out, to, &given, loss);
    if to.stream {
        out.key("stream").boolean(true);
    }
    out.close_object();
    Ok(out.into_bytes())
}

fn write_field<'a>(out: &mut Writer, given: &mut Given<'a>, key: &[u8], value: Value<'a>, loss: &mut Loss) {
    match key {
        b"model" | b"stream" | b"pool" => {}
        b"messages" => given.messages = Some(value),
        b"max_tokens" | b"max_completion_tokens" => {
            given.cap = [given.cap, value.as_u64()].into_iter().flatten().min();
        }
        b"reasoning_effort" => given.effort = Some(value),
        b"thinking" => given.thinking = Some(value),
        b"response_format" => given.format = Some(value),
        b"verbosity" => given.verbosity = Some(value),
        b"tools" => given.tools = Some(value),
        b"tool_choice" => given.choice = Some(value),
        b"parallel_tool_calls" => given.parallel = Some(value),
        b"logprobs" => given.logprobs = value.as_bool() == Some(true),
        b"top_logprobs" => given.alternatives = Some(value),
        b"store" => {
            given.stores = true;
            out.key("store").value(value);
        }
        b"temperature"
        | b"top_p"
        | b"metadata"
        | b"user"
        | b"safety_identifier"
        | b"prompt_cache_key"
        | b"prompt_cache_retention"
        | b"prompt_cache_options"
        | b"moderation"
        | b"service_tier" => {
            out.key(&String::from_utf8_lossy(key)).value(value);
        }
        b"stream_options" => {
            drop_unknown(value, &["include_usage", "include_obfuscation"], "stream_options.", loss);
            if let Some(obfuscation) = present(value, "include_obfuscation") {
                out.key("stream_options").open_object().key("include_obfuscation").value(obfuscation).close_object();
            }
        }
        _ if asks_for_nothing(key, value) => {}
        _ => drop_field(NEUTRAL_FIELDS, key, loss),
    }
}

/// Values that say what is done anyway.
fn asks_for_nothing(key: &[u8], value: Value<'_>) -> bool {
    match key {
        b"n" => value.as_u64() == Some(1),
        b"presence_penalty" | b"frequency_penalty" => value.as_f64() == Some(0.0),
        b"modalities" => value.elements().all(|one| one.str_eq("text")),
        b"stop" | b"safety_settings" => value.kind() == Kind::Array && value.elements().next().is_none(),
        b"logit_bias" => value.fields().next().is_none(),
        _ => false,
    }
}

fn write_given(out: &mut Writer, to: &To<'_>, given: &Given<'_>, loss: &mut Loss) {
    write_cap(out, to, given.cap, loss);
    write_text(out, given, loss);
    let has_tools = given.tools.is_some_and(|tools| write_tools(out, tools, loss));
    // A choice of no tools is refused.
    if has_tools {
        out.member("parallel_tool_calls", given.parallel);
        if let Some(choice) = given.choice {
            write_choice(out, choice, loss);
        }
    }
    let mut thinks = write_reasoning(out, given.effort, given.thinking, loss);
    if let Some(messages) = given.messages {
        thinks |= write_messages(out, messages, loss);
    }
    // Chat keeps nothing unless it is asked to; here nothing said means kept.
    if !given.stores {
        out.key("store").boolean(false);
    }
    if given.logprobs {
        out.member("top_logprobs", given.alternatives);
    } else if given.alternatives.is_some_and(|count| count.as_u64() != Some(0)) {
        loss.add(Change::Dropped, "top_logprobs", "without logprobs");
    }
    if !given.logprobs && !thinks {
        return;
    }
    out.key("include").open_array();
    if given.logprobs {
        out.string("message.output_text.logprobs");
    }
    // So that thoughts can come back. Models that do not think refuse it.
    if thinks {
        out.string("reasoning.encrypted_content");
    }
    out.close_array();
}

fn write_cap(out: &mut Writer, to: &To<'_>, asked: Option<u64>, loss: &mut Loss) {
    let Some(lowest) = [asked, to.cap].into_iter().flatten().min() else { return };
    let may_rise = to.cap.is_none_or(|cap| cap >= LEAST_OUTPUT);
    if lowest < LEAST_OUTPUT && may_rise {
        loss.add(Change::Clamped, "max_completion_tokens", "at least 16");
        out.key("max_output_tokens").integer(LEAST_OUTPUT);
    } else {
        out.key("max_output_tokens").integer(lowest);
    }
}

fn write_text(out: &mut Writer, given: &Given<'_>, loss: &mut Loss) {
    if given.format.is_none() && given.verbosity.is_none() {
        return;
    }
    out.key("text").open_object().member("verbosity", given.verbosity);
    if let Some(format) = given.format {
        out.key("format").open_object().member("type", format.get("type"));
        if let Some(schema) = present(format, "json_schema") {
            drop_unknown(schema, &["name", "description", "schema", "strict"], "response_format.json_schema.", loss);
            out.member("name", schema.get("name")).member("description", schema.get("description"));
            // Required here; chat lets it be left out.
            match present(schema, "schema") {
                Some(schema) => out.key("schema").value(schema),
                None => out.key("schema").raw(b"{\"type\":\"object\"}"),
            };
            out.member("strict", schema.get("strict").filter(|_| may_be_strict(schema, loss)));
        }
        out.close_object();
    }
    out.close_object();
}
