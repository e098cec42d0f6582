//! `tools` and `tool_choice` of the neutral request as an upstream of this dialect takes them.
//!
//! OpenAI has two things that compatible servers have not: tools of free text (`custom`), which become functions of one
//! text, and a choice among some of the tools (`allowed_tools`), for which the others are left out.

use super::manners::{Manners, MARK_CACHES};
use super::write_request::without;
use crate::dialects::{Change, Dialect, Loss, To};
use crate::json::{Edits, Kind, Value, Writer};

/// The parameters of a tool of free text as a function.
const FREE_TEXT: &[u8] =
    br#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}"#;

/// The writer of a request's tools.
pub(super) struct Tools<'a, 'l> {
    marks: bool,
    /// Those of OpenAI's own are taken.
    own: bool,
    /// The only ones that may be called, where the choice names some.
    allowed: Option<Value<'a>>,
    loss: &'l mut Loss,
}

impl<'a, 'l> Tools<'a, 'l> {
    /// `choice`: the request's `tool_choice`.
    pub fn new(manners: &Manners, to: &To<'_>, choice: Option<Value<'a>>, loss: &'l mut Loss) -> Tools<'a, 'l> {
        let allowed = choice.and_then(|choice| choice.get("allowed_tools")?.get("tools"));
        let allowed = allowed.filter(|list| !manners.openai_tools && list.kind() == Kind::Array);
        let marks = manners.cache_control.by(to.model, MARK_CACHES);
        Tools { marks, own: manners.openai_tools, allowed, loss }
    }

    /// Changes what must be.
    pub fn write(&mut self, tools: Option<Value<'_>>, choice: Option<Value<'_>>, edits: &mut Edits) {
        let mut left = true;
        if let Some(tools) = tools.filter(|tools| tools.kind() == Kind::Array) {
            left = self.list(tools, edits);
        }
        if !left {
            // OpenAI refuses a choice of no tools.
            ["tools", "tool_choice", "parallel_tool_calls"].into_iter().for_each(|name| edits.remove(name));
        } else if let Some(choice) = choice.filter(|_| !self.own).and_then(|choice| self.choice(choice)) {
            edits.set("tool_choice", choice);
        }
    }

    /// Whether any tool is left.
    fn list(&mut self, tools: Value<'_>, edits: &mut Edits) -> bool {
        let mut out = Writer::with_capacity(tools.raw().len());
        let (mut changed, mut left, mut given) = (false, false, false);
        out.open_array();
        for tool in tools.elements() {
            given = true;
            if self.is_forbidden(tool) {
                changed = true;
                continue;
            }
            let before = out.len();
            changed |= self.tool(tool, &mut out);
            left |= out.len() > before;
        }
        out.close_array();
        if changed {
            edits.set("tools", out.into_bytes());
        }
        left || !given
    }

    /// Writes a tool, unless it is of no use; whether it is another than it was.
    fn tool(&mut self, tool: Value<'_>, out: &mut Writer) -> bool {
        let kind = tool.get("type");
        let is = |name: &str| kind.is_some_and(|kind| kind.str_eq(name));
        if is("native") {
            match tool.get("value").filter(|_| is_own(tool)) {
                Some(value) => {
                    out.value(value);
                }
                None => self.loss.add(Change::Dropped, "tools[]", "run by another provider"),
            }
            return true;
        }
        if is("custom") && !self.own {
            self.loss.add(Change::Emulated, "tools[].custom", "as a function of one text");
            let custom = tool.get("custom");
            out.open_object().text_member("type", "function").key("function").open_object();
            out.member("name", custom.and_then(|custom| custom.get("name")));
            out.member("description", custom.and_then(|custom| custom.get("description")));
            out.key("parameters").raw(FREE_TEXT).close_object().close_object();
            return true;
        }
        if !self.marks && tool.get("cache_control").is_some() {
            self.loss.add(Change::Dropped, "tools[].cache_control", "no cache markers");
            without(out, tool, "cache_control");
            return true;
        }
        out.value(tool);
        false
    }

    /// Whether the choice leaves a tool out.
    fn is_forbidden(&self, tool: Value<'_>) -> bool {
        let Some(allowed) = self.allowed else { return false };
        let Some(name) = name_of(tool).and_then(Value::as_str) else { return false };
        !allowed.elements().any(|one| name_of(one).is_some_and(|allowed| allowed.str_eq(&name)))
    }

    /// A choice for a server that knows functions only; `None` if it is sent as it is.
    fn choice(&mut self, choice: Value<'_>) -> Option<Vec<u8>> {
        let is = |name: &str| choice.get("type").is_some_and(|kind| kind.str_eq(name));
        if is("allowed_tools") {
            self.loss.add(Change::Emulated, "tool_choice.allowed_tools", "the other tools are left out");
            let mode = choice.get("allowed_tools").and_then(|allowed| allowed.get("mode"));
            let required = mode.is_some_and(|mode| mode.str_eq("required"));
            return Some(if required { b"\"required\"".to_vec() } else { b"\"auto\"".to_vec() });
        }
        if is("custom") {
            let mut out = Writer::default();
            out.open_object().text_member("type", "function").key("function").open_object();
            out.member("name", name_of(choice)).close_object().close_object();
            return Some(out.into_bytes());
        }
        None
    }
}

/// The name in a tool, or in a choice of one.
fn name_of(tool: Value<'_>) -> Option<Value<'_>> {
    ["function", "custom"].into_iter().find_map(|kind| tool.get(kind)?.get("name"))
}

/// Whether something opaque of the neutral form is of this dialect.
pub(super) fn is_own(value: Value<'_>) -> bool {
    value.get("origin").is_some_and(|origin| origin.str_eq(Dialect::OpenAiChat.as_str()))
}
