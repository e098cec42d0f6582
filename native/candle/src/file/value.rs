//! One value of the metadata, as it stands in the file.

use super::cursor::Cursor;
use super::error::FileError;

/// A value of the metadata.
#[derive(Debug)]
pub(crate) enum Value {
    Whole(i128),
    Float(f64),
    Flag(bool),
    Text(String),
    Texts(Vec<String>),
    /// An array of numbers or flags, still as bytes: it takes no more memory than in the file.
    Numbers(Kind, Box<[u8]>),
}

/// What the format calls the type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Flag,
    Text,
    Array,
    U64,
    I64,
    F64,
}

impl Kind {
    fn read(cursor: &mut Cursor<'_>) -> Result<Kind, FileError> {
        Ok(match cursor.u32()? {
            0 => Kind::U8,
            1 => Kind::I8,
            2 => Kind::U16,
            3 => Kind::I16,
            4 => Kind::U32,
            5 => Kind::I32,
            6 => Kind::F32,
            7 => Kind::Flag,
            8 => Kind::Text,
            9 => Kind::Array,
            10 => Kind::U64,
            11 => Kind::I64,
            12 => Kind::F64,
            other => return Err(cursor.wrong(format!("a value has the type {other}, and types go up to 12"))),
        })
    }

    /// Bytes of one value; of those that vary, the fewest.
    fn size(self) -> usize {
        match self {
            Kind::U8 | Kind::I8 | Kind::Flag => 1,
            Kind::U16 | Kind::I16 => 2,
            Kind::U32 | Kind::I32 | Kind::F32 => 4,
            Kind::U64 | Kind::I64 | Kind::F64 | Kind::Text => 8,
            Kind::Array => 12,
        }
    }
}

impl Value {
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Value, FileError> {
        match Kind::read(cursor)? {
            Kind::Text => Ok(Value::Text(cursor.string()?)),
            Kind::Array => array(cursor),
            kind => {
                let bytes = cursor.bytes(kind.size())?;
                number(kind, bytes).ok_or_else(|| cursor.wrong("a flag is neither 0 nor 1"))
            }
        }
    }

    /// What it is, for an error about what it is not.
    pub fn described(&self) -> String {
        match self {
            Value::Whole(number) => format!("the whole number {number}"),
            Value::Float(number) => format!("the number {number}"),
            Value::Flag(flag) => format!("{flag}"),
            Value::Text(_) => "a text".into(),
            Value::Texts(texts) => format!("an array of {} texts", texts.len()),
            Value::Numbers(kind, bytes) => format!("an array of {} values {kind:?}", bytes.len() / kind.size()),
        }
    }

    /// The numbers of an array of numbers.
    pub fn numbers(&self) -> Option<impl ExactSizeIterator<Item = Value> + '_> {
        let Value::Numbers(kind, bytes) = self else { return None };
        // Flags were checked when they were read.
        Some(bytes.chunks_exact(kind.size()).map(|bytes| number(*kind, bytes).unwrap_or(Value::Flag(true))))
    }
}

fn array(cursor: &mut Cursor<'_>) -> Result<Value, FileError> {
    let kind = Kind::read(cursor)?;
    let count = cursor.count("values of an array", kind.size())?;
    match kind {
        Kind::Text => {
            let mut texts = Vec::with_capacity(count);
            for _ in 0..count {
                texts.push(cursor.string()?);
            }
            Ok(Value::Texts(texts))
        }
        // No writer makes any, and other readers refuse them too.
        Kind::Array => Err(cursor.wrong("an array holds arrays, which no model needs")),
        kind => {
            let bytes = cursor.bytes(count * kind.size())?;
            if kind == Kind::Flag && bytes.iter().any(|&byte| byte > 1) {
                return Err(cursor.wrong("a flag is neither 0 nor 1"));
            }
            Ok(Value::Numbers(kind, bytes.into()))
        }
    }
}

/// The value of `kind` in `bytes`, which are as many as it takes. `None`: a flag that is neither 0 nor 1.
fn number(kind: Kind, bytes: &[u8]) -> Option<Value> {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let bits = u64::from_le_bytes(wide);
    Some(match kind {
        Kind::I8 => Value::Whole((bits as i8).into()),
        Kind::I16 => Value::Whole((bits as i16).into()),
        Kind::I32 => Value::Whole((bits as i32).into()),
        Kind::I64 => Value::Whole((bits as i64).into()),
        Kind::F32 => Value::Float(f32::from_bits(bits as u32).into()),
        Kind::F64 => Value::Float(f64::from_bits(bits)),
        Kind::Flag if bits > 1 => return None,
        Kind::Flag => Value::Flag(bits == 1),
        _ => Value::Whole(bits.into()),
    })
}
