//! The bodies of control paths: small objects of which every field is known.

use bytes::Bytes;

use crate::dialects::openai::request::json_failure;
use crate::error::{Code, Failure};
use crate::json::{Index, Kind, Limits};

/// A body that was read. A field that is null is absent, as everywhere.
pub(super) struct Form {
    body: Bytes,
    index: Index,
}

impl Form {
    /// Fields that nobody knows are refused: a misspelt one would be silently left out of account.
    pub fn read(body: Bytes, known: &[&str]) -> Result<Form, Failure> {
        let index = Index::scan(&body, Limits::default()).map_err(|error| json_failure(&error))?;
        let stranger = index.iter(&body).find(|(name, _)| !known.contains(&&**name));
        if let Some((name, _)) = stranger {
            let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            let words = format!("'{name}' is no field of this path; known are {}.", known.join(", "));
            return Err(Failure::new(Code::InvalidValue, words).param(name));
        }
        Ok(Form { body, index })
    }

    pub fn integer(&self, name: &str, low: u64, high: u64) -> Result<Option<u64>, Failure> {
        let Some(value) = self.index.get(&self.body, name).filter(|value| !value.is_null()) else { return Ok(None) };
        let number = (value.kind() == Kind::Number).then(|| value.as_u64()).flatten();
        match number.filter(|number| (low..=high).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let words = format!("'{name}' must be an integer from {low} to {high}.");
                Err(Failure::new(Code::InvalidValue, words).param(name))
            }
        }
    }

    /// A name: 1 to `most` bytes, no control characters.
    pub fn text(&self, name: &str, most: usize) -> Result<Option<String>, Failure> {
        let Some(value) = self.index.get(&self.body, name).filter(|value| !value.is_null()) else { return Ok(None) };
        let fit = |text: &str| (1..=most).contains(&text.len()) && !text.chars().any(char::is_control);
        match value.as_str().filter(|text| fit(text)) {
            Some(text) => Ok(Some(text.into_owned())),
            None => {
                let words = format!("'{name}' must be a string of 1 to {most} bytes without control characters.");
                Err(Failure::new(Code::InvalidValue, words).param(name))
            }
        }
    }
}

pub(super) fn required<T>(name: &str, value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::new(Code::MissingField, format!("Missing required parameter: '{name}'.")).param(name))
}
