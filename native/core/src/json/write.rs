//! Writes JSON piece by piece, without a tree.

use super::{write_string, Value};

/// JSON under construction. Commas come by themselves; that each `open` has its `close`, and each key its value, is the
/// caller's part.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// Room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Writer {
        Writer { out: Vec::with_capacity(bytes) }
    }

    /// `{`
    pub fn open_object(&mut self) -> &mut Self {
        self.begin().push(b'{');
        self
    }

    /// `}`
    pub fn close_object(&mut self) -> &mut Self {
        self.out.push(b'}');
        self
    }

    /// `[`
    pub fn open_array(&mut self) -> &mut Self {
        self.begin().push(b'[');
        self
    }

    /// `]`
    pub fn close_array(&mut self) -> &mut Self {
        self.out.push(b']');
        self
    }

    /// The name of the next value.
    pub fn key(&mut self, name: &str) -> &mut Self {
        write_string(self.begin(), name);
        self.out.push(b':');
        self
    }

    /// A string.
    pub fn string(&mut self, text: &str) -> &mut Self {
        write_string(self.begin(), text);
        self
    }

    /// A whole number.
    pub fn integer(&mut self, number: u64) -> &mut Self {
        let mut digits = itoa::Buffer::new();
        self.begin().extend_from_slice(digits.format(number).as_bytes());
        self
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, value: bool) -> &mut Self {
        self.begin().extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    /// `null`
    pub fn null(&mut self) -> &mut Self {
        self.begin().extend_from_slice(b"null");
        self
    }

    /// A value as it was written elsewhere.
    pub fn value(&mut self, value: Value<'_>) -> &mut Self {
        self.raw(value.raw())
    }

    /// Whole, valid JSON.
    pub fn raw(&mut self, json: &[u8]) -> &mut Self {
        self.begin().extend_from_slice(json);
        self
    }

    /// A member with a string.
    pub fn text_member(&mut self, name: &str, text: &str) -> &mut Self {
        self.key(name).string(text)
    }

    /// A member with a value from elsewhere, if there is one and it is not null.
    pub fn member(&mut self, name: &str, value: Option<Value<'_>>) -> &mut Self {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            self.key(name).value(value);
        }
        self
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// A comma, unless something was just opened or named. No value ends in one of these bytes.
    fn begin(&mut self) -> &mut Vec<u8> {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(b',');
        }
        &mut self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_come_by_themselves() {
        let mut json = Writer::default();
        json.open_object().text_member("a", "{").key("b").open_array().integer(1).open_object().close_object();
        json.boolean(true).null().close_array().key("c").raw(b"[]").text_member("d", ":").close_object();
        assert_eq!(json.into_bytes(), br#"{"a":"{","b":[1,{},true,null],"c":[],"d":":"}"#);
    }
}
