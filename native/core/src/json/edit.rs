//! Changes in place: what is not changed keeps every byte.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use super::{write_string, Index};

/// Replaces ranges of `bytes`. Ranges are sorted and do not overlap; one that breaks this, or reaches past the end,
/// is left out. Empty ranges insert.
pub fn splice(bytes: &[u8], changes: &[(Range<usize>, &[u8])]) -> Vec<u8> {
    let added: usize = changes.iter().map(|(_, with)| with.len()).sum();
    let mut out = Vec::with_capacity(bytes.len() + added);
    let mut done = 0;
    for (range, with) in changes {
        let fits = done <= range.start && range.start <= range.end && range.end <= bytes.len();
        if fits {
            out.extend_from_slice(&bytes[done..range.start]);
            out.extend_from_slice(with);
            done = range.end;
        }
    }
    out.extend_from_slice(&bytes[done..]);
    out
}

/// Changes of single top-level fields of an object. Every other byte stays as it was: white space, the order of keys,
/// unknown fields, the spelling of numbers.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    /// Each key once; `None` removes.
    list: SmallVec<[(Cow<'static, str>, Option<Bytes>); 4]>,
}

impl Edits {
    /// No change.
    pub fn new() -> Self {
        Edits::default()
    }

    /// Gives `key` the value `raw_json`, which must be JSON text: in place of its old value, or as the last field.
    /// The last word on a key counts.
    pub fn set(&mut self, key: impl Into<Cow<'static, str>>, raw_json: impl Into<Bytes>) {
        self.put(key.into(), Some(raw_json.into()));
    }

    /// Takes `key` out, with one comma and the white space between it and the field before (the field after, if it is
    /// the first). Nothing happens if there is no such field. The last word on a key counts.
    pub fn remove(&mut self, key: impl Into<Cow<'static, str>>) {
        self.put(key.into(), None);
    }

    fn put(&mut self, key: Cow<'static, str>, value: Option<Bytes>) {
        match self.list.iter_mut().find(|(known, _)| *known == key) {
            Some(edit) => edit.1 = value,
            None => self.list.push((key, value)),
        }
    }

    /// Whether [`Edits::apply`] would return the text as it was, whatever the text.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The changed text. `index` must come from `bytes`.
    pub fn apply(&self, bytes: &[u8], index: &Index) -> Vec<u8> {
        let mut replaced: SmallVec<[(usize, &[u8]); 4]> = SmallVec::new();
        let mut removed: SmallVec<[usize; 4]> = SmallVec::new();
        let mut added = Vec::new();
        for (key, value) in &self.list {
            match (index.position(bytes, key), value) {
                (Some(at), Some(value)) => replaced.push((at, value)),
                (Some(at), None) => removed.push(at),
                (None, Some(value)) => add(&mut added, key, value),
                (None, None) => {}
            }
        }
        removed.sort_unstable();
        let fields = index.fields();
        let mut changes: SmallVec<[(Range<usize>, &[u8]); 8]> = SmallVec::new();
        changes.extend(replaced.iter().map(|&(at, with)| (fields[at].value as usize..fields[at].end as usize, with)));
        changes.extend(removals(index, &removed).map(|range| (range, &b""[..])));
        changes.sort_unstable_by_key(|(range, _)| range.start);
        if !added.is_empty() {
            let at = fields.last().map_or(index.inside(), |last| last.end as usize);
            // `added` begins with a comma, which is one too many in front of the first field.
            let comma = removed.len() < fields.len();
            changes.push((at..at, if comma { &added } else { &added[1..] }));
        }
        splice(bytes, &changes)
    }
}

/// Appends `,"key":value`.
fn add(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    out.reserve(key.len() + value.len() + 4);
    out.push(b',');
    write_string(out, key);
    out.push(b':');
    out.extend_from_slice(value);
}

/// What to cut for the fields `removed` (sorted): those at the front with the comma that follows each, the others with
/// the comma before.
fn removals<'a>(index: &'a Index, removed: &'a [usize]) -> impl Iterator<Item = Range<usize>> + 'a {
    let fields = index.fields();
    let front = removed.iter().enumerate().take_while(|(at, field)| at == *field).count();
    removed.iter().enumerate().map(move |(nth, &at)| {
        let field = fields[at];
        if nth >= front {
            return fields[at - 1].end as usize..field.end as usize;
        }
        let end = fields.get(at + 1).map_or(field.end, |next| next.key);
        field.key as usize..end as usize
    })
}
