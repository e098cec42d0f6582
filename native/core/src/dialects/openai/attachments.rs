//! What tools' results cannot hold in this dialect, and a user's message can.

use crate::json::Writer;

/// Parts of tools' results, until these are over.
#[derive(Debug, Default)]
pub(super) struct Attachments(Vec<Attachment>);

/// Parts of one tool's result, each as JSON.
#[derive(Debug)]
struct Attachment {
    call: String,
    parts: Vec<Vec<u8>>,
}

impl Attachments {
    /// Keeps parts of the result of `call`.
    pub fn add(&mut self, call: String, parts: Vec<Vec<u8>>) {
        self.0.push(Attachment { call, parts });
    }

    /// Writes a message with all that is kept, after the last of the results: nothing may stand between a call and these.
    /// Whether there was any.
    pub fn tell(&mut self, out: &mut Writer) -> bool {
        if self.0.is_empty() {
            return false;
        }
        out.open_object().text_member("role", "user").key("content").open_array();
        for kept in self.0.drain(..) {
            out.open_object().text_member("type", "text");
            out.text_member("text", &format!("Attachment of the tool result {}:", kept.call)).close_object();
            for part in kept.parts {
                out.raw(&part);
            }
        }
        out.close_array().close_object();
        true
    }
}
