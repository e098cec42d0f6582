//! Fields of an object that is put together from pieces, each as JSON.

use crate::json::Value;

/// Fields with their JSON, in the order in which they came.
#[derive(Default)]
pub(super) struct Members(pub Vec<(Vec<u8>, Vec<u8>)>);

impl Members {
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, raw)| &raw[..])
    }

    fn of(&mut self, name: &[u8]) -> Option<&mut Vec<u8>> {
        self.0.iter_mut().find(|(known, _)| known == name).map(|(_, raw)| raw)
    }

    /// What was said first; `null` says nothing.
    pub fn first(&mut self, name: &[u8], raw: &[u8]) {
        match self.of(name) {
            Some(before) if &before[..] == b"null" => *before = raw.to_vec(),
            Some(_) => {}
            None => self.0.push((name.to_vec(), raw.to_vec())),
        }
    }

    pub fn last(&mut self, name: &[u8], raw: &[u8]) {
        match self.of(name) {
            Some(before) => *before = raw.to_vec(),
            None => self.0.push((name.to_vec(), raw.to_vec())),
        }
    }

    /// A string that is whole wherever it is said, and empty where it is not.
    pub fn same(&mut self, name: &[u8], value: Value<'_>) -> Option<()> {
        match self.of(name) {
            _ if value.raw() == b"\"\"" => Some(()),
            Some(before) => (&before[..] == value.raw()).then_some(()),
            None => {
                self.0.push((name.to_vec(), value.raw().to_vec()));
                Some(())
            }
        }
    }

    /// A piece of a string.
    pub fn text(&mut self, name: &[u8], value: Value<'_>) -> Option<()> {
        let [b'"', inside @ .., b'"'] = value.raw() else { return None };
        match self.of(name) {
            Some(before) => {
                before.pop();
                before.extend_from_slice(inside);
                before.push(b'"');
            }
            None => self.0.push((name.to_vec(), value.raw().to_vec())),
        }
        Some(())
    }

    /// More elements of an array.
    pub fn list(&mut self, name: &[u8], value: Value<'_>) {
        let [_, inside @ .., _] = value.raw() else { return };
        match self.of(name) {
            Some(before) if &before[..] != b"null" && !is_empty(value) => {
                before.pop();
                if before.len() > 1 {
                    before.push(b',');
                }
                before.extend_from_slice(inside);
                before.push(b']');
            }
            Some(before) if &before[..] == b"null" => *before = value.raw().to_vec(),
            Some(_) => {}
            None if is_empty(value) => self.0.push((name.to_vec(), b"[]".to_vec())),
            None => self.0.push((name.to_vec(), value.raw().to_vec())),
        }
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (at, (name, raw)) in self.0.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_member(out, name, raw);
        }
        out.push(b'}');
    }

    /// Each with a comma behind it.
    pub fn write_into(&self, out: &mut Vec<u8>) {
        for (name, raw) in &self.0 {
            write_member(out, name, raw);
            out.push(b',');
        }
    }
}

pub(super) fn write_member(out: &mut Vec<u8>, name: &[u8], raw: &[u8]) {
    crate::json::write_string(out, &String::from_utf8_lossy(name));
    out.push(b':');
    out.extend_from_slice(raw);
}

pub(super) fn is_empty(value: Value<'_>) -> bool {
    value.elements().next().is_none() && value.fields().next().is_none()
}
