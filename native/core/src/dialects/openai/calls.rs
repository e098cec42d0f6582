//! Tool calls as they arrive: in pieces, whole, with and without their number, id or name.
//!
//! OpenAI names a call in its first piece and numbers all of them. Others do not: some send every call whole and as
//! number 0 or without a number, some say the name again with each piece, vLLM's older servers made a new id for each
//! piece. What is sure: a piece with a name of its own and an id that is not the last one's begins a call.

use crate::dialects::neutral::{CallKind, Item, Thought};
use crate::dialects::Dialect;
use crate::json::{Kind, Value};

/// Calls of one choice, at most: more than any model makes.
const MOST: usize = 1_024;

/// Arguments kept until their name comes, bytes.
const HELD: usize = 1 << 16;

/// The calls of one choice so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    list: Vec<Call>,
    /// The older `function_call`, as its place in the list.
    function: Option<usize>,
}

#[derive(Debug)]
struct Call {
    /// As the upstream numbers it.
    number: Option<u64>,
    id: String,
    name: String,
    /// The first item of it was told. Until a name comes nothing is: whoever writes a call on needs it first.
    told: bool,
    /// Arguments that came before the name.
    held: String,
    kind: CallKind,
}

/// What one piece says.
#[derive(Default)]
struct Piece<'a> {
    number: Option<u64>,
    id: Option<Value<'a>>,
    name: Option<Value<'a>>,
    arguments: Option<Value<'a>>,
    kind: CallKind,
    signature: Option<Value<'a>>,
}

impl Calls {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Takes `tool_calls` of a delta or a message. `seed`: what ids are made of where the upstream gives none.
    pub fn take(&mut self, choice: u32, calls: Value<'_>, seed: &str, items: &mut Vec<Item>) {
        for call in calls.elements().filter(|call| call.kind() == Kind::Object) {
            let piece = Piece::of(call);
            let at = self.place(&piece);
            self.tell(choice, at, piece, seed, items);
        }
    }

    /// Takes the older `function_call`.
    pub fn take_function(&mut self, choice: u32, function: Value<'_>, seed: &str, items: &mut Vec<Item>) {
        let mut piece = Piece::default();
        piece.function(function);
        let at = match self.function {
            Some(at) => at,
            None => self.begin(None),
        };
        self.function = Some(at);
        self.tell(choice, at, piece, seed, items);
    }

    /// The choice is complete: tells calls that never got a name.
    pub fn close(&mut self, choice: u32, seed: &str, items: &mut Vec<Item>) {
        for (at, call) in self.list.iter_mut().enumerate().filter(|(_, call)| !call.told) {
            items.push(call.first(choice, at, seed));
        }
    }

    fn place(&mut self, piece: &Piece<'_>) -> usize {
        let known = match piece.number {
            Some(number) => self.list.iter().rposition(|call| call.number == Some(number)),
            None => self.list.len().checked_sub(1),
        };
        match known.and_then(|at| self.list.get(at).map(|call| (at, call))) {
            Some((at, call)) if !call.is_another(piece) => at,
            _ => self.begin(piece.number),
        }
    }

    fn begin(&mut self, number: Option<u64>) -> usize {
        if self.list.len() < MOST {
            self.list.push(Call {
                number,
                id: String::new(),
                name: String::new(),
                told: false,
                held: String::new(),
                kind: CallKind::Function,
            });
        }
        self.list.len() - 1
    }

    fn tell(&mut self, choice: u32, at: usize, piece: Piece<'_>, seed: &str, items: &mut Vec<Item>) {
        let Some(call) = self.list.get_mut(at) else { return };
        let arguments = piece.arguments.map(arguments_of).unwrap_or_default();
        if call.told {
            if !arguments.is_empty() {
                items.push(Item::ToolCall {
                    choice,
                    index: at as u32,
                    id: None,
                    name: None,
                    arguments,
                    kind: call.kind,
                });
            }
        } else {
            if piece.kind == CallKind::Custom {
                call.kind = piece.kind;
            }
            if let Some(id) = piece.id.filter(|_| call.id.is_empty()).and_then(Value::as_str) {
                call.id.push_str(&id);
            }
            if let Some(name) = piece.name.and_then(Value::as_str) {
                call.name.push_str(&name);
            }
            call.held.push_str(&arguments);
            if !call.name.is_empty() || call.held.len() > HELD {
                items.push(call.first(choice, at, seed));
            }
        }
        if let Some(signature) = piece.signature.and_then(Value::as_str) {
            let thought = Thought::OfCall(at as u32, signature.into_owned());
            items.push(Item::Thought { choice, origin: Dialect::Gemini, thought });
        }
    }
}

impl Call {
    /// Whether `piece` begins another call than this one, which its number or place points to.
    fn is_another(&self, piece: &Piece<'_>) -> bool {
        if piece.name.is_none() || self.name.is_empty() {
            return false;
        }
        match piece.id {
            Some(id) => !id.str_eq(&self.id),
            // Without numbers and ids, a name is all that tells calls apart.
            None => piece.number.is_none(),
        }
    }

    fn first(&mut self, choice: u32, at: usize, seed: &str) -> Item {
        self.told = true;
        let id = match std::mem::take(&mut self.id) {
            id if id.is_empty() => made_id(seed, choice, at, &self.name),
            id => id,
        };
        self.id.clone_from(&id);
        let arguments = std::mem::take(&mut self.held);
        Item::ToolCall {
            choice,
            index: at as u32,
            id: Some(id),
            name: Some(self.name.clone()),
            arguments,
            kind: self.kind,
        }
    }
}

impl<'a> Piece<'a> {
    fn of(call: Value<'a>) -> Piece<'a> {
        let mut piece = Piece::default();
        for (key, value) in call.fields() {
            match key.raw() {
                b"\"index\"" => piece.number = value.as_u64(),
                b"\"id\"" => piece.id = said(value),
                b"\"function\"" => piece.function(value),
                // A custom tool, whose input is text of its own.
                b"\"custom\"" if value.kind() == Kind::Object => {
                    piece.kind = CallKind::Custom;
                    piece.function(value);
                }
                b"\"extra_content\"" => piece.signature = signature_of(value),
                _ => {}
            }
        }
        piece
    }

    fn function(&mut self, function: Value<'a>) {
        for (key, value) in function.fields() {
            match key.raw() {
                b"\"name\"" => self.name = said(value),
                b"\"arguments\"" | b"\"input\"" => self.arguments = Some(value),
                _ => {}
            }
        }
    }
}

/// `google.thought_signature` of an `extra_content`.
pub(super) fn signature_of(extra: Value<'_>) -> Option<Value<'_>> {
    let google = Some(extra).filter(|extra| extra.kind() == Kind::Object)?.get("google")?;
    said(Some(google).filter(|google| google.kind() == Kind::Object)?.get("thought_signature")?)
}

/// A string that says something.
pub(super) fn said(value: Value<'_>) -> Option<Value<'_>> {
    (value.kind() == Kind::String && value.raw().len() > 2).then_some(value)
}

/// The text of arguments; some servers give the object itself.
fn arguments_of(value: Value<'_>) -> String {
    match value.kind() {
        Kind::Null => String::new(),
        Kind::String => value.as_str().unwrap_or_default().into_owned(),
        _ => String::from_utf8_lossy(value.raw()).into_owned(),
    }
}

/// The id of a call that the upstream gave none: the same whenever the same answer is read, and another in each answer,
/// because callers send them back and some providers refuse a conversation in which one occurs twice.
pub(super) fn made_id(seed: &str, choice: u32, at: usize, name: &str) -> String {
    // FNV-1a, 64 bits: no secret hangs on it.
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in seed.bytes().chain([0]).chain(name.bytes()).chain(choice.to_le_bytes()).chain(at.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("call_{hash:016x}")
}
