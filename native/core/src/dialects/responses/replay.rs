//! A kept response as the events of its stream, for `GET /v1/responses/{id}?stream=true`. Pure. The pieces in which it was said are not
//! kept: each text comes as one. Shapes: `openai` 3.57, `types/responses/response_*_event.py`.

use super::events::{self, Events};
use crate::json::{Edits, Index, Limits, Value};

/// Events that are numbered alike in every stream: `response.created` and `response.in_progress`.
const ALIKE: u32 = 2;

/// The events of `response` behind number `after`. Whoever saw more than its beginning saw it in other pieces, of which nobody knows
/// the numbers: they get the last event, which has everything. `None`: it is no response that ended.
pub fn events_of(response: &[u8], after: Option<u32>) -> Option<Vec<u8>> {
    let index = Index::scan(response, Limits::default()).ok()?;
    let status = index.get(response, "status")?.as_str()?;
    let kind = ["completed", "incomplete", "failed"].into_iter().find(|known| *known == status)?;
    let mut replay = Replay::default();
    let null = ["usage", "completed_at", "error", "incomplete_details"]
        .into_iter()
        .filter(|name| index.get(response, name).is_some());
    let sets: Vec<(&'static str, &[u8])> = vec![("status", b"\"in_progress\""), ("output", b"[]")];
    let sets: Vec<_> = sets.into_iter().chain(null.map(|name| (name, &b"null"[..]))).collect();
    let begun = blank(response, &sets, &[])?;
    for kind in ["response.created", "response.in_progress"] {
        replay.event(kind, |out| events::raw(out, "response", &begun));
    }
    for (place, item) in index.get(response, "output")?.elements().enumerate() {
        replay.item(u32::try_from(place).ok()?, item)?;
    }
    if let Some(after) = after.filter(|after| *after >= ALIKE) {
        replay.all.clear();
        replay.events = Events::from(replay.events.next().max(u64::from(after) + 1));
    }
    replay.event(&format!("response.{kind}"), |out| events::raw(out, "response", response));
    let seen = after.filter(|after| *after < ALIKE).map_or(0, |after| after as usize + 1);
    Some(replay.all.split_off(seen.min(replay.all.len())).concat())
}

#[derive(Default)]
struct Replay {
    events: Events,
    all: Vec<Vec<u8>>,
}

/// Where an event belongs.
#[derive(Clone, Copy)]
struct Place<'a> {
    item: u32,
    id: Option<Value<'a>>,
    /// The part of the item: the name of its number, and that.
    part: Option<(&'static str, u32)>,
}

impl Replay {
    fn event(&mut self, kind: &str, fill: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::with_capacity(256);
        self.events.open(&mut out, kind);
        fill(&mut out);
        events::close(&mut out);
        self.all.push(out);
    }

    /// An event of a part of an item, with the members of `raw`.
    fn of(&mut self, place: Place<'_>, kind: &str, raw: &[(&str, &[u8])]) {
        self.event(kind, |out| {
            if let Some(id) = place.id {
                events::raw(out, "item_id", id.raw());
            }
            events::number(out, "output_index", place.item);
            if let Some((name, number)) = place.part {
                events::number(out, name, number);
            }
            raw.iter().for_each(|(name, json)| events::raw(out, name, json));
        });
    }

    fn item(&mut self, number: u32, item: Value<'_>) -> Option<()> {
        let kind = item.get("type").and_then(Value::as_str).unwrap_or_default();
        let said: &[(&'static str, &[u8])] = match &*kind {
            "message" => &[("content", b"[]")],
            "reasoning" => &[("summary", b"[]")],
            "function_call" => &[("arguments", b"\"\"")],
            "custom_tool_call" => &[("input", b"\"\"")],
            _ => &[],
        };
        let mut sets = said.to_vec();
        if !said.is_empty() && item.get("status").is_some() {
            sets.push(("status", b"\"in_progress\""));
        }
        let hidden: &[&'static str] = if kind == "reasoning" { &["content", "encrypted_content"] } else { &[] };
        let begun = blank(item.raw(), &sets, hidden)?;
        self.event("response.output_item.added", |out| {
            events::number(out, "output_index", number);
            events::raw(out, "item", &begun);
        });
        let place = Place { item: number, id: item.get("id"), part: None };
        match &*kind {
            "message" => self.parts(place, "content_index", item.get("content"))?,
            "reasoning" => {
                self.parts(place, "summary_index", item.get("summary"))?;
                self.parts(place, "content_index", item.get("content"))?;
            }
            "function_call" => {
                self.call(place, "response.function_call_arguments", "arguments", item);
            }
            "custom_tool_call" => self.call(place, "response.custom_tool_call_input", "input", item),
            _ => {}
        }
        self.event("response.output_item.done", |out| {
            events::number(out, "output_index", number);
            events::raw(out, "item", item.raw());
        });
        Some(())
    }

    fn call(&mut self, place: Place<'_>, kind: &str, member: &str, item: Value<'_>) {
        let Some(text) = item.get(member) else { return };
        self.of(place, &format!("{kind}.delta"), &[("delta", text.raw())]);
        let name = item.get("name").filter(|_| member == "arguments");
        let named = name.map(|name| ("name", name.raw()));
        let done: Vec<_> = named.into_iter().chain([(member, text.raw())]).collect();
        self.of(place, &format!("{kind}.done"), &done);
    }

    fn parts(&mut self, place: Place<'_>, numbered: &'static str, parts: Option<Value<'_>>) -> Option<()> {
        for (number, part) in parts.into_iter().flat_map(Value::elements).enumerate() {
            let place = Place { part: Some((numbered, u32::try_from(number).ok()?)), ..place };
            self.part(place, part)?;
        }
        Some(())
    }

    fn part(&mut self, place: Place<'_>, part: Value<'_>) -> Option<()> {
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        let (frame, said, member) = match &*kind {
            "output_text" => ("content_part", "output_text", "text"),
            "refusal" => ("content_part", "refusal", "refusal"),
            "reasoning_text" => ("content_part", "reasoning_text", "text"),
            "summary_text" => ("reasoning_summary_part", "reasoning_summary_text", "text"),
            _ => return Some(()),
        };
        let mut sets: Vec<(&'static str, &[u8])> = vec![(member, b"\"\"")];
        sets.extend(
            ["annotations", "logprobs"]
                .into_iter()
                .filter(|name| part.get(name).is_some())
                .map(|name| (name, &b"[]"[..])),
        );
        let begun = blank(part.raw(), &sets, &[])?;
        self.of(place, &format!("response.{frame}.added"), &[("part", &begun)]);
        let text = part.get(member).map_or(&b"\"\""[..], Value::raw);
        // Of output alone, and there demanded.
        let logprobs = part.get("logprobs").map_or(&b"[]"[..], Value::raw);
        let odds: &[(&str, &[u8])] = if &*kind == "output_text" { &[("logprobs", logprobs)] } else { &[] };
        let delta: Vec<_> = [("delta", text)].into_iter().chain(odds.iter().copied()).collect();
        self.of(place, &format!("response.{said}.delta"), &delta);
        for (number, annotation) in part.get("annotations").into_iter().flat_map(Value::elements).enumerate() {
            let number = number.to_string();
            let members = [("annotation_index", number.as_bytes()), ("annotation", annotation.raw())];
            self.of(place, "response.output_text.annotation.added", &members);
        }
        let done: Vec<_> = [(member, text)].into_iter().chain(odds.iter().copied()).collect();
        self.of(place, &format!("response.{said}.done"), &done);
        self.of(place, &format!("response.{frame}.done"), &[("part", part.raw())]);
        Some(())
    }
}

/// An object as it was before anything was said: with these members, and without those of `unsaid`.
fn blank(object: &[u8], sets: &[(&'static str, &[u8])], unsaid: &[&'static str]) -> Option<Vec<u8>> {
    let index = Index::scan(object, Limits::default()).ok()?;
    let mut edits = Edits::new();
    for (name, json) in sets {
        edits.set(*name, json.to_vec());
    }
    for name in unsaid {
        edits.remove(*name);
    }
    Some(edits.apply(object, &index))
}
