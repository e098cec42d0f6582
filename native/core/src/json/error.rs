//! Why a text is not acceptable JSON, and where.

use std::fmt;

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A byte that the grammar of RFC 8259 does not allow there: also a control character, a bad escape, a bad number.
    Syntax,
    /// The text ends inside its value.
    Truncated,
    /// Something other than white space follows the value.
    Trailing,
    /// The text begins with a byte order mark, which RFC 8259 section 8.1 forbids.
    ByteOrderMark,
    /// A string is not UTF-8.
    Utf8,
    /// More containers within containers than [`super::Limits::max_depth`].
    Depth,
    /// Valid JSON, but not an object.
    NotAnObject,
    /// A key occurs twice in one object, after unescaping, so that two readers could disagree on its value.
    DuplicateKey,
    /// A number whose exponent is beyond what can be compared exactly (cache keys only).
    Exponent,
    /// More than `u32::MAX` bytes.
    TooLong,
}

/// A text that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Where, in bytes from the start of the text. For a key that occurs twice: the later one, or, in
    /// a nested object, that object's closing brace.
    pub offset: usize,
    /// The key that occurs twice, with [`ErrorKind::DuplicateKey`].
    pub key: Option<String>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, offset: usize) -> Self {
        Error { kind, offset, key: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.offset;
        match self.kind {
            ErrorKind::Syntax => write!(f, "byte {at} does not belong in JSON here"),
            ErrorKind::Truncated => write!(f, "the JSON text ends at byte {at}, before its value does"),
            ErrorKind::Trailing => write!(f, "something follows the JSON value, at byte {at}"),
            ErrorKind::ByteOrderMark => write!(f, "JSON must not begin with a byte order mark (byte {at})"),
            ErrorKind::Utf8 => write!(f, "the JSON text is not UTF-8 at byte {at}"),
            ErrorKind::Depth => write!(f, "the JSON value is nested too deeply at byte {at}"),
            ErrorKind::NotAnObject => write!(f, "a JSON object is needed; byte {at} begins something else"),
            ErrorKind::DuplicateKey => {
                write!(
                    f,
                    "the key {:?} occurs twice in one object, at byte {at}",
                    self.key.as_deref().unwrap_or_default()
                )
            }
            ErrorKind::Exponent => write!(f, "the exponent of the number at byte {at} is too large"),
            ErrorKind::TooLong => write!(f, "the JSON text is longer than {} bytes", u32::MAX),
        }
    }
}

impl std::error::Error for Error {}

/// A refusal inside the scanner: two words, so that returning it costs little.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub at: usize,
    pub kind: ErrorKind,
}

/// The primitives of the scanner report no more than a place; [`Fault::into_error`] tells a wrong byte from no byte.
impl From<usize> for Fault {
    fn from(at: usize) -> Self {
        Fault { at, kind: ErrorKind::Syntax }
    }
}

impl Fault {
    #[cold]
    pub fn into_error(self, bytes: &[u8]) -> Error {
        let kind = match self.kind {
            ErrorKind::Syntax if self.at >= bytes.len() => ErrorKind::Truncated,
            ErrorKind::Syntax if self.at == 0 && bytes.starts_with(b"\xef\xbb\xbf") => ErrorKind::ByteOrderMark,
            kind => kind,
        };
        Error::new(kind, self.at)
    }
}
