//! How calls of tools are told.

use super::encode::Encoder;
use super::events;
use super::output::{Call, Shape};
use super::tools::parted;
use crate::dialects::neutral::{CallKind, Thought};
use crate::dialects::Dialect;

impl Encoder {
    /// `called`: id and name, with the first piece.
    pub fn call(
        &mut self,
        number: u32,
        kind: CallKind,
        called: (Option<&str>, Option<&str>),
        arguments: &str,
        out: &mut Vec<u8>,
    ) {
        let at = match self.calls.iter().rposition(|call| call.number == number) {
            Some(at) => at,
            None => self.open_call(number, kind, called, out),
        };
        let Some(call) = self.calls.get_mut(at).filter(|_| !arguments.is_empty()) else { return };
        call.arguments.push_str(arguments);
        Self::event(&mut self.events, call.shape().delta, &call.place, out);
        events::text(out, "delta", arguments);
        events::close(out);
    }

    fn open_call(
        &mut self,
        number: u32,
        kind: CallKind,
        (id, name): (Option<&str>, Option<&str>),
        out: &mut Vec<u8>,
    ) -> usize {
        self.close_open("completed", out);
        let place = self.place(Shape::of(kind).prefix);
        let call_id = match id.filter(|id| !id.is_empty()) {
            Some(id) => id.to_owned(),
            None => format!("call_{}_{}", self.reply.id, place.index),
        };
        let name = name.unwrap_or_default().to_owned();
        let call = Call { place, number, call_id, name, arguments: String::new(), kind };
        let mut item = Vec::with_capacity(160);
        call.write(&mut item, "in_progress");
        self.added(call.place.index, &item, out);
        let (own, rest) = std::mem::take(&mut self.early).into_iter().partition(|(_, of, _)| *of == number);
        self.early = rest;
        let own: Vec<(Dialect, u32, Thought)> = own;
        own.iter().for_each(|(origin, _, thought)| self.hold(*origin, thought, &call.call_id));
        self.calls.push(call);
        self.calls.len() - 1
    }

    pub fn close_calls(&mut self, status: &str, out: &mut Vec<u8>) {
        for mut call in std::mem::take(&mut self.calls) {
            // No arguments are an object of none: clients read them as JSON.
            if call.arguments.is_empty() && call.kind == CallKind::Function {
                call.arguments.push_str("{}");
                Self::event(&mut self.events, call.shape().delta, &call.place, out);
                events::text(out, "delta", &call.arguments);
                events::close(out);
            }
            Self::event(&mut self.events, call.shape().done, &call.place, out);
            if call.kind == CallKind::Function {
                events::text(out, "name", parted(&call.name).1);
            }
            events::text(out, call.kind.given(), &call.arguments);
            events::close(out);
            let mut item = Vec::with_capacity(192 + call.arguments.len());
            call.write(&mut item, status);
            self.item_done(call.place.index, item, out);
        }
    }
}
