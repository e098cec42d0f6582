//! Why a prompt could not be written.

use std::error::Error as _;
use std::fmt;

use minijinja::ErrorKind;

/// Why a prompt could not be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// The request is not what it has to be, or asks for what the model cannot take.
    Request(String),
    /// The template refuses these messages, in its own words: roles that do not alternate, a system message too many.
    Refused(String),
    /// The template took more steps, or wrote more text, than any chat needs.
    TooMuch(String),
    /// The template failed: it is wrong, or uses what is not known here.
    Failed(String),
}

impl TemplateError {
    /// Whether the caller can mend it by another request.
    pub fn is_callers(&self) -> bool {
        matches!(self, TemplateError::Request(_) | TemplateError::Refused(_))
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TemplateError::Request(problem) => out.write_str(problem),
            TemplateError::Refused(words) => {
                write!(out, "the model's chat template does not take these messages: {words}")
            }
            TemplateError::TooMuch(problem) => write!(out, "the model's chat template was stopped: {problem}"),
            TemplateError::Failed(problem) => write!(
                out,
                "the model's chat template failed: {problem}; another conversion of the model may have a better one"
            ),
        }
    }
}

impl std::error::Error for TemplateError {}

/// What a template says by `raise_exception`.
#[derive(Debug)]
pub(super) struct Raised(pub String);

impl fmt::Display for Raised {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Raised {}

impl From<minijinja::Error> for TemplateError {
    fn from(error: minijinja::Error) -> TemplateError {
        let mut source = error.source();
        while let Some(inner) = source {
            if let Some(Raised(words)) = inner.downcast_ref::<Raised>() {
                return TemplateError::Refused(short(words));
            }
            source = inner.source();
        }
        match error.kind() {
            ErrorKind::OutOfFuel => {
                TemplateError::TooMuch("it takes more steps than a chat of this length needs".into())
            }
            ErrorKind::WriteFailure => TemplateError::TooMuch("it writes more than a chat of this length needs".into()),
            _ => TemplateError::Failed(short(&described(&error))),
        }
    }
}

/// `error` on one line, with the place in the template.
pub(super) fn described(error: &minijinja::Error) -> String {
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    let line = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
    format!("{}{detail}{line}", error.kind())
}

/// `text` as it fits in an error: a template may quote a whole conversation.
fn short(text: &str) -> String {
    const LONGEST: usize = 300;
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.into(),
    }
}
