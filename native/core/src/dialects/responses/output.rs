//! The output items of an answer that is being written, and their JSON.

use super::tools::parted;
use crate::dialects::neutral::CallKind;
use crate::json::write_string;

/// Where an output item is, and its id: `msg_…`, `rs_…`, `fc_…` or `ctc_…`.
#[derive(Debug)]
pub(super) struct Place {
    pub index: u32,
    pub id: String,
}

/// A message of the model.
#[derive(Debug)]
pub(super) struct Message {
    pub place: Place,
    /// The finished parts, with commas between them.
    pub parts: Vec<u8>,
    /// How many.
    pub count: u32,
    pub part: Option<Part>,
}

/// A part of a message that is being said.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub is_refusal: bool,
    pub text: String,
    /// Elements, with commas between them.
    pub logprobs: Vec<u8>,
    pub annotations: Vec<u8>,
    /// How many.
    pub annotated: u32,
}

/// What the model thinks.
#[derive(Debug)]
pub(super) struct Reasoning {
    pub place: Place,
    pub text: String,
}

/// A call of a tool.
#[derive(Debug)]
pub(super) struct Call {
    pub place: Place,
    /// Which call of the answer.
    pub number: u32,
    pub call_id: String,
    /// With the namespace before it.
    pub name: String,
    /// JSON, or the text of a custom tool.
    pub arguments: String,
    pub kind: CallKind,
}

/// The words of a kind of call (`openai` 3.57: `ResponseFunctionToolCall`, `ResponseCustomToolCall` and their events).
pub(super) struct Shape {
    /// Of its id.
    pub prefix: &'static str,
    /// The type of its item.
    pub item: &'static str,
    /// Events.
    pub delta: &'static str,
    pub done: &'static str,
}

impl Shape {
    pub const fn of(kind: CallKind) -> Shape {
        match kind {
            CallKind::Function => Shape {
                prefix: "fc",
                item: "function_call",
                delta: "response.function_call_arguments.delta",
                done: "response.function_call_arguments.done",
            },
            CallKind::Custom => Shape {
                prefix: "ctc",
                item: "custom_tool_call",
                delta: "response.custom_tool_call_input.delta",
                done: "response.custom_tool_call_input.done",
            },
        }
    }
}

impl Message {
    pub fn write(&self, out: &mut Vec<u8>, status: &str) {
        open(out, &self.place.id, "message");
        member(out, "status", status);
        out.extend_from_slice(b",\"role\":\"assistant\",\"content\":[");
        out.extend_from_slice(&self.parts);
        out.extend_from_slice(b"]}");
    }
}

impl Part {
    pub fn write(&self, out: &mut Vec<u8>) {
        if self.is_refusal {
            out.extend_from_slice(b"{\"type\":\"refusal\"");
            member(out, "refusal", &self.text);
            out.push(b'}');
            return;
        }
        out.extend_from_slice(b"{\"type\":\"output_text\"");
        member(out, "text", &self.text);
        out.extend_from_slice(b",\"annotations\":[");
        out.extend_from_slice(&self.annotations);
        out.extend_from_slice(b"],\"logprobs\":[");
        out.extend_from_slice(&self.logprobs);
        out.extend_from_slice(b"]}");
    }
}

impl Reasoning {
    /// `wrapped` is its encrypted content, which comes when it is whole.
    pub fn write(&self, out: &mut Vec<u8>, status: &str, wrapped: Option<&str>) {
        open(out, &self.place.id, "reasoning");
        member(out, "status", status);
        out.extend_from_slice(b",\"summary\":[");
        if !self.text.is_empty() {
            self.write_part(out);
        }
        out.push(b']');
        if let Some(wrapped) = wrapped {
            member(out, "encrypted_content", wrapped);
        }
        out.push(b'}');
    }

    pub fn write_part(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"type\":\"summary_text\"");
        member(out, "text", &self.text);
        out.push(b'}');
    }
}

impl Call {
    pub fn shape(&self) -> Shape {
        Shape::of(self.kind)
    }

    pub fn write(&self, out: &mut Vec<u8>, status: &str) {
        open(out, &self.place.id, self.shape().item);
        member(out, "status", status);
        member(out, self.kind.given(), &self.arguments);
        member(out, "call_id", &self.call_id);
        let (namespace, name) = parted(&self.name);
        member(out, "name", name);
        if let Some(namespace) = namespace {
            member(out, "namespace", namespace);
        }
        out.push(b'}');
    }
}

fn open(out: &mut Vec<u8>, id: &str, kind: &str) {
    out.extend_from_slice(b"{\"id\":");
    write_string(out, id);
    member(out, "type", kind);
}

fn member(out: &mut Vec<u8>, name: &str, text: &str) {
    super::events::text(out, name, text);
}
