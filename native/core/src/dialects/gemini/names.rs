//! Names of members as Google reads them: `maxOutputTokens` and `max_output_tokens` are one (the JSON mapping of protocol
//! buffers takes both), and a member that is null is absent.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Display;

use crate::error::{Code, Failure};
use crate::json::{Kind, Value};

/// `max_output_tokens` as `maxOutputTokens`.
pub(super) fn camel(name: &str) -> Cow<'_, str> {
    if !name.contains('_') {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for letter in name.chars() {
        match letter {
            '_' => upper = !out.is_empty(),
            letter if std::mem::take(&mut upper) => out.push(letter.to_ascii_uppercase()),
            letter => out.push(letter),
        }
    }
    Cow::Owned(out)
}

/// The members of an object that are not null, by their names in camel case.
pub(super) fn fields(value: Value<'_>) -> impl Iterator<Item = (Cow<'_, str>, Value<'_>)> {
    value.fields().filter(|(_, value)| !value.is_null()).filter_map(|(key, value)| {
        let name = match key.as_str()? {
            Cow::Borrowed(name) => camel(name),
            Cow::Owned(name) => Cow::Owned(camel(&name).into_owned()),
        };
        Some((name, value))
    })
}

/// Refuses an object that has a member twice, in two spellings: which of them Google takes nobody says, and policy must know.
pub(super) fn refuse_twice<'a>(names: impl Iterator<Item = Cow<'a, str>>) -> Result<(), Failure> {
    let mut seen: HashSet<Cow<'a, str>> = HashSet::new();
    for name in names {
        let name = match name {
            Cow::Borrowed(name) => camel(name),
            Cow::Owned(name) => Cow::Owned(camel(&name).into_owned()),
        };
        if let Some(name) = seen.replace(name) {
            let words = format!("The field '{name}' occurs twice, in two spellings. Send it once.");
            return Err(Failure::new(Code::DuplicateField, words).param(&*name));
        }
    }
    Ok(())
}

/// One member, by its name in camel case.
pub(super) fn get<'a>(value: Value<'a>, wanted: &str) -> Option<Value<'a>> {
    fields(value).filter(|(name, _)| name == wanted).last().map(|(_, value)| value)
}

/// A member that is text.
pub(super) fn text<'a>(value: Value<'a>, wanted: &str) -> Option<Cow<'a, str>> {
    get(value, wanted).and_then(Value::as_str)
}

/// A whole number, also one that is written as text, as the mapping writes those of 64 bits.
pub(super) fn whole(value: Value<'_>) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// JSON in one line: outside of strings a line end is but white space, and inside it is escaped.
pub(super) fn one_line(mut json: Vec<u8>) -> Vec<u8> {
    for byte in &mut json {
        if matches!(*byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    json
}

/// A field of another kind than it must be.
pub(super) fn wrong(param: impl Into<String>, wanted: &str, got: Value<'_>) -> Failure {
    let param = param.into();
    let got = match got.kind() {
        Kind::Null => "null",
        Kind::True | Kind::False => "a boolean",
        Kind::Number => "a number",
        Kind::String => "a string",
        Kind::Array => "an array",
        Kind::Object => "an object",
    };
    Failure::new(Code::InvalidValue, format!("'{param}' must be {wanted}, not {got}.")).param(param)
}

/// A field with a value that cannot be.
pub(super) fn invalid(param: impl Into<String>, words: &str) -> Failure {
    let param = param.into();
    Failure::new(Code::InvalidValue, format!("'{param}' {words}.")).param(param)
}

/// An object, or the failure that says what it is instead. What names the field is written only then.
pub(super) fn object<'a>(value: Value<'a>, param: impl Display) -> Result<Value<'a>, Failure> {
    match value.kind() {
        Kind::Object => Ok(value),
        _ => Err(wrong(param.to_string(), "an object", value)),
    }
}

/// An array, or the failure that says what it is instead.
pub(super) fn array<'a>(value: Value<'a>, param: impl Display) -> Result<Value<'a>, Failure> {
    match value.kind() {
        Kind::Array => Ok(value),
        _ => Err(wrong(param.to_string(), "an array", value)),
    }
}

/// Text, or the failure that says what it is instead.
pub(super) fn string<'a>(value: Value<'a>, param: impl Display) -> Result<Cow<'a, str>, Failure> {
    value.as_str().ok_or_else(|| wrong(param.to_string(), "a string", value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_one_name() {
        for (written, name) in [
            ("max_output_tokens", "maxOutputTokens"),
            ("maxOutputTokens", "maxOutputTokens"),
            ("_self", "self"),
            ("a__b", "aB"),
            ("", ""),
            ("_", ""),
        ] {
            assert_eq!(camel(written), name);
        }
    }

    #[test]
    fn numbers_of_64_bits_come_as_text_too() {
        let value = crate::json::validate(br#"["12",12,1e1,"x",-3]"#, Default::default()).unwrap();
        let all: Vec<_> = value.elements().map(whole).collect();
        assert_eq!(all, [Some(12), Some(12), Some(10), None, Some(-3)]);
    }
}
