//! Where the values inside a text begin and end, noted while it is scanned, so that walking them reads no text again.

use std::borrow::Cow;

use super::error::{Error, ErrorKind};
use super::{text, Index, Limits, Value, Visit};

/// Values noted without the heap: those of a usual answer or event, and of a short request.
const INLINE: usize = 64;

/// Values noted at most, in 12 bytes each. A text of more is walked by its bytes, as it is without an outline.
const MOST: usize = 1 << 16;

/// One value or key, in the order of the text; what is in a container follows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    /// The first byte.
    pub start: u32,
    /// After the last byte.
    pub end: u32,
    /// How many nodes it is, with all that is in it. Of a container that is still open: the one around it.
    pub nodes: u32,
}

/// See the module. Made by [`Outline::scan`], asked through [`Outline::get`].
#[derive(Debug)]
pub(crate) struct Outline {
    inline: [Node; INLINE],
    /// All of them, once they are more than fit in there.
    heap: Vec<Node>,
    len: usize,
    /// The innermost container that is open, as its place and 1; 0 is none.
    open: u32,
    full: bool,
}

impl Default for Outline {
    fn default() -> Self {
        Outline { inline: [Node::default(); INLINE], heap: Vec::new(), len: 0, open: 0, full: false }
    }
}

impl Outline {
    /// [`Index::scan`] of a text into `index`, and the outline of it. For one text.
    pub fn scan(&mut self, index: &mut Index, bytes: &[u8], limits: Limits) -> Result<(), Error> {
        index.rescan(bytes, limits, self)
    }

    /// [`Index::get`], with a value that knows its parts. All must be of the same text.
    #[inline]
    pub fn get<'a>(&'a self, index: &Index, bytes: &'a [u8], key: &str) -> Option<Value<'a>> {
        index.field(bytes, key).map(|field| self.value(field.node).unwrap_or_default().of(field.value(bytes)))
    }

    /// Keys and values of all fields, in the order of the text; the values know their parts. Keys are what they mean.
    #[inline]
    pub fn fields<'a>(
        &'a self,
        index: &'a Index,
        bytes: &'a [u8],
    ) -> impl Iterator<Item = (Cow<'a, [u8]>, Value<'a>)> + 'a {
        index.fields().iter().map(move |field| {
            let key = field.key_text(bytes);
            let key = if index.escaped() { text::exact(key) } else { Cow::Borrowed(key) };
            (key, self.value(field.node).unwrap_or_default().of(field.value(bytes)))
        })
    }

    /// The nodes of the value noted at `at`.
    #[inline]
    fn value(&self, at: u32) -> Option<Nodes<'_>> {
        let nodes = if self.heap.is_empty() { self.inline.get(..self.len)? } else { &self.heap };
        let rest = nodes.get(at as usize..).filter(|_| !self.full)?;
        let all = rest.first()?.nodes as usize;
        rest.get(..all).map(Nodes)
    }

    #[inline(always)]
    fn note(&mut self, start: usize, len: usize) {
        self.push(Node { start: start as u32, end: (start + len) as u32, nodes: 1 });
    }

    #[inline(always)]
    fn push(&mut self, node: Node) {
        match self.inline.get_mut(self.len) {
            Some(place) => *place = node,
            None => self.push_beyond(node),
        }
        self.len += 1;
    }

    #[cold]
    fn push_beyond(&mut self, node: Node) {
        match self.heap.len() {
            _ if self.full => return,
            0 => {
                self.heap.reserve(4 * INLINE);
                self.heap.extend_from_slice(&self.inline);
            }
            MOST => {
                self.full = true;
                self.heap = Vec::new();
                return;
            }
            _ => {}
        }
        self.heap.push(node);
    }
}

/// A value's nodes: its own, and those of all in it. None: nothing is known of its parts.
#[derive(Clone, Copy, Default)]
struct Nodes<'a>(&'a [Node]);

impl<'a> Nodes<'a> {
    #[inline]
    fn of(self, value: Value<'a>) -> Value<'a> {
        value.noted(self.0)
    }
}

impl Visit for Outline {
    #[inline(always)]
    fn place(&self) -> u32 {
        self.len as u32
    }

    #[inline(always)]
    fn key(&mut self, at: usize, text: &[u8], _: bool) {
        if self.open != 0 {
            self.note(at, text.len() + 2);
        }
    }

    #[inline(always)]
    fn string(&mut self, at: usize, text: &[u8], _: bool) {
        self.note(at, text.len() + 2);
    }

    #[inline(always)]
    fn number(&mut self, at: usize, text: &[u8]) -> Result<(), ErrorKind> {
        self.note(at, text.len());
        Ok(())
    }

    #[inline(always)]
    fn literal(&mut self, at: usize, first: u8) {
        self.note(at, if first == b'f' { 5 } else { 4 });
    }

    #[inline(always)]
    fn open(&mut self, at: usize, _: bool) {
        let around = std::mem::replace(&mut self.open, self.len as u32 + 1);
        self.push(Node { start: at as u32, end: 0, nodes: around });
    }

    #[inline(always)]
    fn close(&mut self, at: usize, _: bool) -> Result<(), ErrorKind> {
        if self.full {
            return Ok(());
        }
        let all = self.len as u32;
        let nodes = if self.heap.is_empty() { &mut self.inline[..] } else { &mut self.heap[..] };
        if let Some(node) = nodes.get_mut((self.open as usize).wrapping_sub(1)) {
            let around = node.nodes;
            node.end = at as u32 + 1;
            node.nodes = all + 1 - self.open;
            self.open = around;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Kind;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("false".to_owned()),
            Just("-1.5e3".to_owned()),
            "\"[a-c ]{0,4}\"",
            Just("\"\\\"]}\"".to_owned()),
        ];
        leaf.prop_recursive(4, 80, 8, |inner| {
            let fields = proptest::collection::vec(("[ab]{0,2}", inner.clone()), 0..6);
            prop_oneof![
                proptest::collection::vec(inner, 0..8).prop_map(|all| format!("[ {} ]", all.join(" ,"))),
                fields.prop_map(|all| {
                    let fields: Vec<_> = all.iter().map(|(key, value)| format!("\"{key}\" : {value}")).collect();
                    format!("{{{}}}", fields.join(", "))
                }),
            ]
        })
    }

    fn same(noted: Value<'_>, plain: Value<'_>) {
        assert_eq!(noted, plain);
        assert_eq!(noted.elements().count(), plain.elements().count());
        noted.elements().zip(plain.elements()).for_each(|(a, b)| same(a, b));
        assert_eq!(noted.fields().count(), plain.fields().count());
        for ((key, value), (plain_key, plain_value)) in noted.fields().zip(plain.fields()) {
            assert_eq!(key, plain_key);
            same(value, plain_value);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn noted_and_plain_values_are_walked_alike(a in text(), b in text()) {
            let text = format!(" {{\"a\": {a} ,\"b\":{b}}} ");
            let mut outline = Outline::default();
            let mut index = Index::default();
            outline.scan(&mut index, text.as_bytes(), Limits::default()).unwrap();
            for key in ["a", "b"] {
                let noted = outline.get(&index, text.as_bytes(), key).unwrap();
                same(noted, index.get(text.as_bytes(), key).unwrap());
            }
            prop_assert_eq!(outline.fields(&index, text.as_bytes()).count(), 2);
        }
    }

    #[test]
    fn a_text_of_any_number_of_values_is_walked_alike() {
        for length in [INLINE - 2, INLINE - 1, INLINE, 10 * INLINE, MOST - 2, MOST - 1, MOST, 2 * MOST] {
            let text = format!("{{\"a\":[{}],\"b\":[[]]}}", vec!["1"; length].join(","));
            let mut outline = Outline::default();
            let mut index = Index::default();
            outline.scan(&mut index, text.as_bytes(), Limits::default()).unwrap();
            let list = outline.get(&index, text.as_bytes(), "a").unwrap();
            assert_eq!(list.elements().count(), length);
            assert!(list.elements().all(|one| one.kind() == Kind::Number));
            same(list, index.get(text.as_bytes(), "a").unwrap());
            assert_eq!(outline.get(&index, text.as_bytes(), "b").unwrap().elements().count(), 1);
        }
    }
}
