//! What hoosh itself gave a caller that Anthropic would refuse: taken out of a body that goes to an upstream of the same
//! dialect. Each comes from an answer of another dialect, which the caller sends back as a part of the conversation:
//!
//! - thinking that nobody signed, and thoughts of other dialects (`wrapped`);
//! - citations that no search of Anthropic's found.

use std::ops::Range;

use super::read_messages::is;
use crate::dialects::wrapped::MARK;
use crate::json::{splice, Kind, Value, Writer};

/// `messages` without what is hoosh's own; `None` if there is none of it.
pub(super) fn without(messages: Value<'_>) -> Option<Vec<u8>> {
    if !may_hold(messages.raw()) {
        return None;
    }
    let mut out = Writer::with_capacity(messages.raw().len());
    let mut changed = false;
    out.open_array();
    for message in messages.elements() {
        match message.get("content").and_then(content) {
            None => {
                out.value(message);
            }
            Some(kept) => {
                changed = true;
                // A turn that had nothing else was no turn of this model's: its neighbours become one.
                if let (Some(kept), Some(content)) = (kept, message.get("content")) {
                    out.raw(&splice(message.raw(), &[(content.span_in(message.raw()), &kept)]));
                }
            }
        }
    }
    out.close_array();
    changed.then(|| out.into_bytes())
}

/// A cheap look: nearly no body has any.
fn may_hold(raw: &[u8]) -> bool {
    let has = |what: &[u8]| memchr::memmem::find(raw, what).is_some();
    has(MARK.as_bytes()) || has(b"\"thinking\"") || has(b"\"encrypted_index\"")
}

/// Content without what is hoosh's own, as `Some(None)` if nothing is left; `None` if it stays as it is.
fn content(content: Value<'_>) -> Option<Option<Vec<u8>>> {
    let mut kept: Vec<(Value<'_>, Option<Vec<u8>>)> = Vec::new();
    let mut changed = false;
    for block in content.elements() {
        if is_unsigned(block) || (is(block, "redacted_thinking") && is_wrapped(block)) {
            changed = true;
            continue;
        }
        let cited = citations(block);
        changed |= cited.is_some();
        kept.push((block, cited));
    }
    if !changed {
        return None;
    }
    if kept.is_empty() {
        return Some(None);
    }
    let mut out = Writer::with_capacity(content.raw().len());
    out.open_array();
    for (block, cited) in kept {
        match cited {
            Some(block) => out.raw(&block),
            None => out.value(block),
        };
    }
    out.close_array();
    Some(Some(out.into_bytes()))
}

/// Thoughts of another dialect.
fn is_wrapped(block: Value<'_>) -> bool {
    block.get("data").and_then(Value::as_str).is_some_and(|data| data.starts_with(MARK))
}

/// Thinking without a signature.
fn is_unsigned(block: Value<'_>) -> bool {
    is(block, "thinking") && !block.get("signature").is_some_and(|it| it.kind() == Kind::String && !it.str_eq(""))
}

/// A text with its citations but those of no index; `None` if it stays as it is.
fn citations(block: Value<'_>) -> Option<Vec<u8>> {
    let citations = block.get("citations").filter(|_| is(block, "text"))?;
    let is_made = |citation: &Value<'_>| citation.get("encrypted_index").is_some_and(|index| index.str_eq(""));
    if !citations.elements().any(|citation| is_made(&citation)) {
        return None;
    }
    let mut out = Writer::with_capacity(citations.raw().len());
    out.open_array();
    for citation in citations.elements().filter(|citation| !is_made(citation)) {
        out.value(citation);
    }
    out.close_array();
    let span: Range<usize> = citations.span_in(block.raw());
    Some(splice(block.raw(), &[(span, &out.into_bytes())]))
}
