//! What a model file says about its model: named values, read with the type that the reader needs.

use std::collections::hash_map::{Entry, HashMap};

use super::cursor::Cursor;
use super::error::{shown, FileError};
use super::value::Value;

/// Bytes of the longest name of an entry that the format allows.
const LONGEST_KEY: usize = 65_535;

/// Bytes of the smallest entry: the length of its name, one letter, its type, one byte.
const LEAST_ENTRY: usize = 8 + 1 + 4 + 1;

/// The named values of a model file.
///
/// Every reader below refuses a value of another type, or out of range, with an error that names the entry, says what it
/// is and what is expected.
#[derive(Debug)]
pub struct Metadata {
    entries: HashMap<String, Value>,
}

impl Metadata {
    pub(super) fn read(cursor: &mut Cursor<'_>, count: u64) -> Result<Metadata, FileError> {
        if count > (cursor.left() / LEAST_ENTRY) as u64 {
            return Err(cursor.wrong(format!("it claims {count} entries of metadata, more than fit in the file")));
        }
        let mut entries = HashMap::new();
        for _ in 0..count {
            let key = cursor.name(LONGEST_KEY)?;
            match entries.entry(key) {
                Entry::Occupied(twice) => {
                    return Err(cursor.wrong(format!("the entry {} is there twice", shown(twice.key()))))
                }
                Entry::Vacant(free) => {
                    free.insert(Value::read(cursor)?);
                }
            }
        }
        Ok(Metadata { entries })
    }

    /// Of a model whose file has none, in the words of GGUF.
    pub(crate) fn of(entries: impl IntoIterator<Item = (String, Value)>) -> Metadata {
        Metadata { entries: entries.into_iter().collect() }
    }

    /// The names of all entries, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &str> + '_ {
        self.entries.keys().map(String::as_str)
    }

    /// Whether there is an entry `key`.
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// A whole number of 0 to 4,294,967,295.
    pub fn get_u32(&self, key: &str) -> Result<u32, FileError> {
        self.opt_u32(key)?.ok_or_else(|| missing(key))
    }

    /// The same where it is there, and else `default`.
    pub fn u32_or(&self, key: &str, default: u32) -> Result<u32, FileError> {
        Ok(self.opt_u32(key)?.unwrap_or(default))
    }

    /// The same where it is there.
    pub fn opt_u32(&self, key: &str) -> Result<Option<u32>, FileError> {
        self.read_as(key, "a whole number of 0 to 4294967295", as_u32)
    }

    /// A finite number, or `default`.
    pub fn f32_or(&self, key: &str, default: f32) -> Result<f32, FileError> {
        let found = self.read_as(key, "a finite number", |value| as_f32(value).filter(|number| number.is_finite()))?;
        Ok(found.unwrap_or(default))
    }

    /// A flag, or `default`.
    pub fn bool_or(&self, key: &str, default: bool) -> Result<bool, FileError> {
        Ok(self.opt_bool(key)?.unwrap_or(default))
    }

    /// A flag where it is there.
    pub fn opt_bool(&self, key: &str) -> Result<Option<bool>, FileError> {
        self.read_as(key, "true or false", |value| match value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        })
    }

    /// A text.
    pub fn str(&self, key: &str) -> Result<&str, FileError> {
        self.opt_str(key)?.ok_or_else(|| missing(key))
    }

    /// A text where it is there.
    pub fn opt_str(&self, key: &str) -> Result<Option<&str>, FileError> {
        self.read_as(key, "a text", |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// An array of texts.
    pub fn strings(&self, key: &str) -> Result<&[String], FileError> {
        let found = self.read_as(key, "an array of texts", |value| match value {
            Value::Texts(texts) => Some(texts.as_slice()),
            _ => None,
        })?;
        found.ok_or_else(|| missing(key))
    }

    /// An array of numbers.
    pub fn f32s(&self, key: &str) -> Result<Vec<f32>, FileError> {
        self.array(key, "an array of numbers", as_f32)
    }

    /// An array of whole numbers that fit in 32 bits with a sign.
    pub fn i32s(&self, key: &str) -> Result<Vec<i32>, FileError> {
        self.array(key, "an array of whole numbers of 32 bits", |value| match value {
            Value::Whole(number) => i32::try_from(*number).ok(),
            _ => None,
        })
    }

    /// An array of whole numbers of 0 to 4,294,967,295.
    pub fn u32s(&self, key: &str) -> Result<Vec<u32>, FileError> {
        self.array(key, "an array of whole numbers of 0 to 4294967295", as_u32)
    }

    fn array<T>(&self, key: &str, expected: &str, convert: fn(&Value) -> Option<T>) -> Result<Vec<T>, FileError> {
        let found = self.read_as(key, expected, |value| {
            value.numbers()?.map(|number| convert(&number)).collect::<Option<Vec<T>>>()
        })?;
        found.ok_or_else(|| missing(key))
    }

    fn read_as<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, FileError> {
        let Some(value) = self.entries.get(key) else { return Ok(None) };
        let wrong = || FileError::entry(key, format!("is {}, and has to be {expected}", value.described()));
        convert(value).map(Some).ok_or_else(wrong)
    }
}

fn missing(key: &str) -> FileError {
    FileError::entry(key, "is missing; was the file converted by a tool that is too old?")
}

fn as_u32(value: &Value) -> Option<u32> {
    match value {
        Value::Whole(number) => u32::try_from(*number).ok(),
        _ => None,
    }
}

fn as_f32(value: &Value) -> Option<f32> {
    match value {
        Value::Float(number) => Some(*number as f32),
        Value::Whole(number) => Some(*number as f32),
        _ => None,
    }
}
