//! How an answer ended, and what all answers to callers share.

use super::finish::stop_reason;
use crate::dialects::neutral::Item;
use crate::dialects::Reply;
use crate::json::{validate, Kind, Limits, Writer};

/// The id of an answer.
pub(super) fn answer_id(reply: &Reply) -> String {
    format!("msg_{}", reply.id)
}

/// The id of a call that came without: `block` is its place in the answer.
pub(super) fn call_id(reply: &Reply, block: u64) -> String {
    format!("toolu_{}_{block}", reply.id)
}

/// How an answer ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    reason: Option<String>,
    sequence: Option<String>,
    declined: bool,
    /// Of the output, what was thought.
    pub thought: u64,
}

impl Ended {
    pub fn take(&mut self, item: &Item) {
        match item {
            Item::Finish { choice: 0, reason } => self.reason = Some(reason.clone()),
            Item::StopSequence { choice: 0, text } => self.sequence = Some(text.clone()),
            Item::Refusal { choice: 0, .. } => self.declined = true,
            Item::UsageDetail { reasoning_tokens } => self.thought = *reasoning_tokens,
            _ => {}
        }
    }

    /// The members `stop_reason` and `stop_sequence`.
    pub fn write(&self, out: &mut Writer) {
        let reason = self.reason.as_deref().unwrap_or("stop");
        let reason = stop_reason(reason, self.sequence.is_some(), self.declined);
        out.text_member("stop_reason", reason).key("stop_sequence");
        match &self.sequence {
            Some(text) => out.string(text),
            None => out.null(),
        };
    }
}

/// Where something is from, as a citation of a text: `None` for an annotation without an address. What has no
/// `encrypted_index` was found by no search of Anthropic's, and is taken out again on the way there (`own`).
pub(super) fn citation(annotation: &str) -> Option<Vec<u8>> {
    let annotation = validate(annotation.as_bytes(), Limits::default()).ok()?;
    let cited = annotation.get("url_citation")?;
    let url = cited.get("url").filter(|url| url.kind() == Kind::String)?;
    let mut out = Writer::with_capacity(annotation.raw().len() + 96);
    out.open_object().text_member("type", "web_search_result_location").key("url").value(url).key("title");
    match cited.get("title") {
        Some(title) => out.value(title),
        None => out.null(),
    };
    out.text_member("cited_text", "").text_member("encrypted_index", "").close_object();
    let mut json = out.into_bytes();
    // No string of checked JSON holds a line end as it is.
    json.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    Some(json)
}
