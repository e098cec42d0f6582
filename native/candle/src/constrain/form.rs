//! What a request wants its answers held to.

use serde_json::Value;

/// What an answer is held to.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// What it may say where it calls nothing.
    pub text: Text,
    /// What it may call.
    pub calls: Option<Calls>,
}

/// What an answer may say where it calls nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Text {
    /// Anything.
    Free,
    /// JSON that keeps to this schema.
    Json(Value),
    /// Nothing: it has to call.
    Never,
}

/// What an answer may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Calls {
    /// At least one.
    pub functions: Vec<Function>,
    /// Whether more than one call may be made.
    pub several: bool,
}

/// A function that may be called.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Letters, digits, `_` and `-`.
    pub name: String,
    /// The schema of its arguments; `None`: any object.
    pub parameters: Option<Value>,
    /// Whether the arguments must keep to the schema. Others are kept to it where that is possible.
    pub strict: bool,
}

impl Form {
    /// The field of a request that asks for it, or the most of it.
    pub(super) fn field(&self) -> &'static str {
        match self.text {
            Text::Json(_) => "response_format",
            Text::Free | Text::Never => "tools",
        }
    }

    /// Without calls, if something is left.
    pub(super) fn answer_alone(&self) -> Option<Form> {
        let has_both = self.calls.is_some() && matches!(self.text, Text::Json(_));
        has_both.then(|| Form { text: self.text.clone(), calls: None })
    }

    /// Without the schemas that need not be kept to, if there are such.
    pub(super) fn eased(&self) -> Option<Form> {
        let mut eased = self.clone();
        let functions = eased.calls.as_mut()?.functions.iter_mut();
        let lenient = functions.filter(|function| !function.strict && function.parameters.is_some());
        let count = lenient.map(|function| function.parameters = None).count();
        (count > 0).then_some(eased)
    }
}
