//! `previous_response_id` over upstreams that keep nothing: the turns before, as a store may keep them.
//!
//! What is kept of a response is the JSON array of all items that led to it, its own output included: what the next
//! request would have to send if there were no ids. Instructions are not among it: OpenAI does not carry them over either.
//! Who owns what is kept, and how long, is the store's part; here are only the bodies.

use std::borrow::Cow;
use std::collections::HashMap;

use super::refuse::{of_kind, wrong_type};
use crate::dialects::openai::request::json_failure;
use crate::error::{Code, Failure};
use crate::json::{validate, Edits, Index, Kind, Limits, Value, Writer};

/// Items that are kept of one response; a conversation of more is not kept, and its next turn must bring it along.
pub const MOST_ITEMS: usize = 2_000;
/// Bytes that are kept of one response.
pub const MOST_BYTES: usize = 8 << 20;
/// Characters of an id that is told back.
const TOLD: usize = 64;
/// Items on a page where the caller does not say, and at most.
const PAGE: u64 = 20;
const LONGEST_PAGE: u64 = 100;

/// The id of the response that a body goes on from.
pub fn previous_response_id(body: &[u8]) -> Option<String> {
    let index = Index::scan(body, Limits::default()).ok()?;
    index.get(body, "previous_response_id")?.as_str().map(|id| id.into_owned())
}

/// Whether a response may be kept: a caller says no by `store`.
pub fn is_to_be_kept(body: &[u8]) -> bool {
    let Ok(index) = Index::scan(body, Limits::default()) else { return false };
    index.get(body, "store").and_then(Value::as_bool) != Some(false)
}

/// Whether a response is made in the background.
pub fn is_background(body: &[u8]) -> bool {
    let Ok(index) = Index::scan(body, Limits::default()) else { return false };
    index.get(body, "background").and_then(Value::as_bool) == Some(true)
}

/// No response of that id is kept, as OpenAI says it.
pub fn not_found(id: &str) -> Failure {
    let id: String = id.chars().filter(|c| !c.is_control()).take(TOLD).collect();
    let words = format!("Previous response with id '{id}' not found.");
    Failure::new(Code::UnknownResponse, words).param("previous_response_id")
}

/// The whole body that a body with `previous_response_id` stands for: without it, and with the items `kept` before its
/// own. References to items that are among these are resolved.
///
/// # Errors
/// A body that is not JSON, or whose `input` is neither a text nor items; `kept` that is no array.
pub fn whole_body(kept: &[u8], body: &[u8]) -> Result<Vec<u8>, Failure> {
    let index = Index::scan(body, Limits::default()).map_err(|error| json_failure(&error))?;
    let kept = validate(kept, Limits::default()).ok().filter(|kept| kept.kind() == Kind::Array);
    let kept = kept.ok_or_else(|| not_found(&previous_response_id(body).unwrap_or_default()))?;
    let mut input = Writer::with_capacity(kept.raw().len() + body.len());
    input.open_array();
    for item in kept.elements() {
        input.value(item);
    }
    match index.get(body, "input").filter(|input| !input.is_null()) {
        None => {}
        Some(own) => add_input(&mut input, own, &Known::of(own, kept))?,
    }
    input.close_array();
    let mut edits = Edits::new();
    edits.remove("previous_response_id");
    edits.set("input", input.into_bytes());
    Ok(edits.apply(body, &index))
}

/// What to keep of a response: the items of its whole request (see [`whole_body`]) and of its output. `None` if there is
/// nothing to go on from (it failed, or is none), or more than is kept.
pub fn items_to_keep(whole_body: &[u8], response: &[u8]) -> Option<Vec<u8>> {
    let index = Index::scan(whole_body, Limits::default()).ok()?;
    let answer = Index::scan(response, Limits::default()).ok()?;
    let is_over = |status: Value<'_>| status.str_eq("completed") || status.str_eq("incomplete");
    answer.get(response, "status").filter(|status| is_over(*status))?;
    let output = answer.get(response, "output").filter(|output| output.kind() == Kind::Array)?;
    let mut items = Writer::with_capacity(whole_body.len() + output.raw().len());
    items.open_array();
    let mut count = output.elements().count();
    if let Some(input) = index.get(whole_body, "input") {
        count += input.elements().count().max(1);
        add_input(&mut items, input, &Known::default()).ok()?;
    }
    for item in output.elements() {
        items.value(item);
    }
    items.close_array();
    let items = items.into_bytes();
    (count <= MOST_ITEMS && items.len() <= MOST_BYTES).then_some(items)
}

/// Adds the items of an `input`: a text is a message of the user.
fn add_input(out: &mut Writer, input: Value<'_>, known: &Known<'_>) -> Result<(), Failure> {
    match input.kind() {
        Kind::String => write_message(out, None, input),
        Kind::Array => {
            // What is referred to again and again would make a long body of a short one.
            let most = out.len() + input.raw().len() + MOST_BYTES;
            for (at, item) in input.elements().enumerate() {
                of_kind(format_args!("input[{at}]"), Kind::Object, item)?;
                out.value(known.referred(item).unwrap_or(item));
                if out.len() > most {
                    let words = format!("'input' refers to more than {MOST_BYTES} bytes of kept items.");
                    return Err(Failure::new(Code::BodyTooLarge, words).param("input"));
                }
            }
        }
        _ => return Err(wrong_type("input", "a string or an array of items", input)),
    }
    Ok(())
}

/// The kept items by their ids, where a body refers to any.
#[derive(Default)]
struct Known<'a>(HashMap<String, Value<'a>>);

impl<'a> Known<'a> {
    fn of(input: Value<'_>, kept: Value<'a>) -> Known<'a> {
        if !input.elements().any(|item| reference(item).is_some()) {
            return Known::default();
        }
        let id = |item: Value<'a>| Some((item.get("id")?.as_str()?.into_owned(), item));
        Known(kept.elements().filter_map(id).collect())
    }

    /// What a reference refers to, if it is one and that is kept.
    fn referred(&self, item: Value<'_>) -> Option<Value<'a>> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&*reference(item)?).copied()
    }
}

/// The id that an item refers to, if it is a reference.
fn reference(item: Value<'_>) -> Option<Cow<'_, str>> {
    let is_reference = match item.get("type").filter(|kind| !kind.is_null()) {
        Some(kind) => kind.str_eq("item_reference"),
        None => item.get("role").is_none(),
    };
    item.get("id").filter(|_| is_reference)?.as_str()
}

fn write_message(out: &mut Writer, id: Option<&str>, text: Value<'_>) {
    out.open_object().text_member("type", "message");
    if let Some(id) = id {
        out.text_member("id", id);
    }
    out.text_member("role", "user").key("content").open_array();
    out.open_object().text_member("type", "input_text").key("text").value(text).close_object();
    out.close_array().close_object();
}

/// The body of `DELETE /v1/responses/{id}`.
pub fn deleted(id: &str) -> Vec<u8> {
    let mut out = Writer::with_capacity(96);
    out.open_object().text_member("id", id).text_member("object", "response").key("deleted").boolean(true);
    out.close_object();
    out.into_bytes()
}

/// Which items of a list a caller wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Those after the item of this id.
    pub after: Option<String>,
    /// How many; 20 where nothing is said, and at most 100.
    pub limit: Option<u64>,
    /// The oldest first; else the newest.
    pub ascending: bool,
}

/// The body of `GET /v1/responses/{id}/input_items`: `input` is that of the response's whole request. Items without an id
/// get one of the response's id and their place. `None` if `after` is no item's, or `input` is none.
pub fn input_items(id: &str, input: &[u8], page: &Page) -> Option<Vec<u8>> {
    let input = validate(input, Limits::default()).ok()?;
    let mut items: Vec<(String, Value<'_>)> = match input.kind() {
        Kind::String => vec![(format!("msg_{id}_in_0"), input)],
        Kind::Array => {
            let own = |item: Value<'_>| item.get("id").and_then(Value::as_str).map(|id| id.into_owned());
            let named = input.elements().enumerate();
            named.map(|(at, item)| (own(item).unwrap_or_else(|| format!("msg_{id}_in_{at}")), item)).collect()
        }
        _ => return None,
    };
    if !page.ascending {
        items.reverse();
    }
    let start = match &page.after {
        Some(after) => items.iter().position(|(id, _)| id == after)? + 1,
        None => 0,
    };
    let limit = page.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE) as usize;
    let rest = items.get(start..).unwrap_or_default();
    let shown = rest.get(..limit).unwrap_or(rest);
    let mut out = Writer::with_capacity(256);
    out.open_object().text_member("object", "list").key("data").open_array();
    shown.iter().for_each(|(id, item)| write_item(&mut out, id, *item));
    out.close_array();
    for (name, item) in [("first_id", shown.first()), ("last_id", shown.last())] {
        match item {
            Some((id, _)) => out.text_member(name, id),
            None => out.key(name).null(),
        };
    }
    out.key("has_more").boolean(rest.len() > shown.len()).close_object();
    Some(out.into_bytes())
}

fn write_item(out: &mut Writer, id: &str, item: Value<'_>) {
    if item.kind() == Kind::String {
        write_message(out, Some(id), item);
        return;
    }
    out.open_object();
    if item.get("type").is_none() && item.get("role").is_some() {
        out.text_member("type", "message");
    }
    if item.get("id").is_none_or(Value::is_null) {
        out.text_member("id", id);
    }
    for (key, value) in item.fields().filter(|(key, value)| !(key.str_eq("id") && value.is_null())) {
        let is_user = item.get("role").is_some_and(|role| !role.str_eq("assistant"));
        out.key(&key.as_str().unwrap_or_default());
        if key.str_eq("content") && value.kind() == Kind::String {
            let kind = if is_user { "input_text" } else { "output_text" };
            out.open_array().open_object().text_member("type", kind).key("text").value(value);
            out.close_object().close_array();
        } else {
            out.value(value);
        }
    }
    out.close_object();
}
