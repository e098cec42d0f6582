//! The neutral request as an upstream of this dialect takes it. They are alike, so that a request which has none of the
//! neutral form's own members goes byte for byte.

use bytes::Bytes;

use super::effort::{word_of, Thinking};
use super::limits;
use super::manners::{Manners, NO_EFFORT};
use super::request::json_failure;
use super::splice::{cap, cap_name, policy};
use super::strict::may_be_strict;
use super::write_messages::Turns;
use super::write_tools::Tools;
use crate::dialects::neutral::Endpoint;
use crate::dialects::{Change, Loss, To};
use crate::error::Failure;
use crate::json::{Edits, Index, Kind, Limits, Outline, Value, Writer};

/// See [`crate::dialects::Protocol::write_request`].
///
/// # Errors
/// If `neutral` is not a JSON object.
pub fn write_request(manners: &Manners, to: &To<'_>, neutral: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure> {
    let mut outline = Outline::default();
    let mut index = Index::default();
    outline.scan(&mut index, neutral, Limits::default()).map_err(|error| json_failure(&error))?;
    let mut edits = Edits::new();
    policy(to, &index, neutral, &mut edits);
    if to.endpoint == Endpoint::Chat {
        let field = |name: &str| outline.get(&index, neutral, name).filter(|value| !value.is_null());
        members(manners, to, &field, &mut edits, loss);
        let choice = field("tool_choice");
        Tools::new(manners, to, choice, loss).write(field("tools"), choice, &mut edits);
        if let Some(messages) = field("messages").and_then(|all| Turns::new(manners, to.model, loss).write(all)) {
            edits.set("messages", messages);
        }
    } else {
        cap(manners, to, &index, neutral, &mut edits);
    }
    if edits.is_empty() {
        return Ok(neutral.to_vec());
    }
    Ok(edits.apply(neutral, &index))
}

/// Members at the top that OpenAI does not have, or has under another name.
fn members<'a>(
    manners: &Manners,
    to: &To<'_>,
    field: &dyn Fn(&str) -> Option<Value<'a>>,
    edits: &mut Edits,
    loss: &mut Loss,
) {
    if field("safety_settings").is_some() {
        loss.add(Change::Dropped, "safety_settings", "Gemini's own");
        edits.remove("safety_settings");
    }
    for name in ["top_k", "min_p"].into_iter().filter(|name| !manners.sampling && field(name).is_some()) {
        loss.add(Change::Dropped, name, "refused by this provider");
        edits.remove(name);
    }
    if manners.metadata_of_stored
        && field("store").and_then(Value::as_bool) != Some(true)
        && field("metadata").is_some()
    {
        loss.add(Change::Dropped, "metadata", "taken with `store` only");
        edits.remove("metadata");
    }
    if let Some(format) = field("response_format").and_then(|format| unforced(format, loss)) {
        edits.set("response_format", format);
    }
    limits::keep(manners, field, edits, loss);
    if NO_EFFORT.iter().any(|word| to.model.contains(word)) {
        for name in ["thinking", "reasoning_effort"].into_iter().filter(|name| field(name).is_some()) {
            loss.add(Change::Dropped, name, "this model does not think");
            edits.remove(name);
        }
    } else if let Some(asked) = field("thinking") {
        thinking(manners, to, asked, field("reasoning_effort").is_some(), edits, loss);
    }
    caps(manners, to, field, edits, loss);
}

/// A format that asks to be strict of a schema that cannot be, without that.
fn unforced(format: Value<'_>, loss: &mut Loss) -> Option<Vec<u8>> {
    let schema = format.get("json_schema").filter(|schema| schema.kind() == Kind::Object)?;
    if may_be_strict(schema, loss) {
        return None;
    }
    let mut out = Writer::with_capacity(format.raw().len());
    out.open_object().text_member("type", "json_schema").key("json_schema");
    without(&mut out, schema, "strict");
    out.close_object();
    Some(out.into_bytes())
}

fn thinking(manners: &Manners, to: &To<'_>, asked: Value<'_>, has_word: bool, edits: &mut Edits, loss: &mut Loss) {
    let takes = manners.thinking.by(to.model, &[]);
    let asked = Thinking::of(asked);
    match asked {
        Thinking::Enabled(budget) => {
            if !has_word {
                edits.set("reasoning_effort", [b"\"", word_of(budget).as_bytes(), b"\""].concat());
            }
            if !takes || budget.is_some() {
                loss.add(Change::Approximated, "thinking", "as reasoning_effort");
            }
        }
        Thinking::Disabled if takes => {}
        Thinking::Adaptive | Thinking::Disabled if has_word => {}
        Thinking::Adaptive | Thinking::Disabled => {
            loss.add(Change::Approximated, "thinking", "left to the provider's default");
        }
        Thinking::Unknown => loss.add(Change::Dropped, "thinking", "of an unknown type"),
    }
    match asked {
        Thinking::Enabled(_) if takes => edits.set("thinking", Bytes::from_static(b"{\"type\":\"enabled\"}")),
        Thinking::Disabled if takes => edits.set("thinking", Bytes::from_static(b"{\"type\":\"disabled\"}")),
        _ => edits.remove("thinking"),
    }
}

/// One bound on the output, under the name that the upstream knows, no higher than policy allows. Of two, the lower: an
/// upstream obeys but one of them.
fn caps<'a>(
    manners: &Manners,
    to: &To<'_>,
    field: &dyn Fn(&str) -> Option<Value<'a>>,
    edits: &mut Edits,
    loss: &mut Loss,
) {
    const NAMES: [&str; 2] = ["max_tokens", "max_completion_tokens"];
    let wanted = cap_name(manners.cap_field, to.endpoint);
    let asked = NAMES.into_iter().filter_map(|name| field(name)?.as_u64());
    let Some(lowest) = asked.chain(to.cap).min() else { return };
    if field(wanted).and_then(Value::as_u64) != Some(lowest) {
        edits.set(wanted, Bytes::from(lowest.to_string()));
    }
    for name in NAMES.into_iter().filter(|name| *name != wanted && field(name).is_some()) {
        edits.remove(name);
        loss.add(Change::Renamed, name, "as the provider names it");
    }
}

/// Writes an object without one of its members.
pub(super) fn without(out: &mut Writer, object: Value<'_>, name: &str) {
    out.open_object();
    for (key, value) in object.fields().filter(|(key, _)| !key.str_eq(name)) {
        out.key(&key.as_str().unwrap_or_default()).value(value);
    }
    out.close_object();
}
