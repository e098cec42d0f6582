//! A whole object that is read more than once: its text, where its members are, and what is in them.

use std::borrow::Cow;

use super::{Error, Index, Limits, Outline, Value};

/// Checked text of an object; walking what is in it reads the text no more.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    bytes: &'a [u8],
    index: Index,
    outline: Outline,
}

impl<'a> Object<'a> {
    /// [`Index::scan`] of `bytes`, with an outline.
    pub fn scan(bytes: &'a [u8], limits: Limits) -> Result<Object<'a>, Error> {
        let mut object = Object { bytes, index: Index::default(), outline: Outline::default() };
        object.outline.scan(&mut object.index, bytes, limits)?;
        Ok(object)
    }

    /// The value of a member that says something: `null` is none.
    #[inline]
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        self.outline.get(&self.index, self.bytes, key).filter(|value| !value.is_null())
    }

    /// Keys (unescaped) and values of all members that are not `null`, in the order of the text.
    pub fn members(&self) -> impl Iterator<Item = (Cow<'_, str>, Value<'_>)> {
        let members = self.outline.fields(&self.index, self.bytes).filter(|(_, value)| !value.is_null());
        members.map(|(key, value)| (text(key), value))
    }
}

/// Keys of checked JSON are UTF-8, but for lone surrogates, which stand as they were written in an exact key.
fn text(key: Cow<'_, [u8]>) -> Cow<'_, str> {
    match key {
        Cow::Borrowed(key) => String::from_utf8_lossy(key),
        Cow::Owned(key) => Cow::Owned(String::from_utf8_lossy(&key).into_owned()),
    }
}
