//! JSON as it is written, for what operators are told.

use crate::json::write_string;

/// A JSON text in the making.
pub(super) struct Page(pub Vec<u8>);

impl Page {
    pub fn name(&mut self, name: &str) {
        self.comma();
        write_string(&mut self.0, name);
        self.0.push(b':');
    }

    /// Before whatever is not the first of its object or list.
    fn comma(&mut self) {
        if !matches!(self.0.last(), Some(b'{' | b'[')) {
            self.0.push(b',');
        }
    }

    pub fn text(&mut self, name: &str, text: Option<&str>) {
        self.name(name);
        match text {
            Some(text) => write_string(&mut self.0, text),
            None => self.0.extend_from_slice(b"null"),
        }
    }

    pub fn number(&mut self, name: &str, number: Option<u64>) {
        self.name(name);
        let digits = number.map_or("null".into(), |number| number.to_string());
        self.0.extend_from_slice(digits.as_bytes());
    }

    pub fn flag(&mut self, name: &str, flag: Option<bool>) {
        self.name(name);
        let word = flag.map_or("null", |flag| if flag { "true" } else { "false" });
        self.0.extend_from_slice(word.as_bytes());
    }

    /// An object, filled by `fill`.
    pub fn object(&mut self, name: &str, fill: impl FnOnce(&mut Page)) {
        self.name(name);
        self.0.push(b'{');
        fill(self);
        self.0.push(b'}');
    }

    /// A list of objects, each filled by `fill`.
    pub fn list<T>(&mut self, name: &str, all: impl Iterator<Item = T>, fill: impl Fn(&mut Page, T)) {
        self.name(name);
        self.0.push(b'[');
        for one in all {
            self.comma();
            self.0.push(b'{');
            fill(self, one);
            self.0.push(b'}');
        }
        self.0.push(b']');
    }
}
