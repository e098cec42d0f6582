//! Estimating what tool definitions cost.

use std::borrow::Cow;

use super::{count, encoding_for_model, Encoding};

/// A function that a model may call, its strings taken out of the JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolText<'a> {
    /// The function's name.
    pub name: Cow<'a, str>,
    /// Its description; empty if it has none.
    pub description: Cow<'a, str>,
    /// The properties of its parameters. Those of nested objects belong here too, one after the other.
    pub properties: Vec<PropertyText<'a>>,
}

/// One property of a function's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PropertyText<'a> {
    /// The property's key.
    pub name: Cow<'a, str>,
    /// Its `type`; empty if it has none.
    pub kind: Cow<'a, str>,
    /// Its description; empty if it has none.
    pub description: Cow<'a, str>,
    /// The values of its `enum`, as text.
    pub values: Vec<Cow<'a, str>>,
}

/// Tokens that tool definitions add to a prompt: always an estimate, because what a model is shown is not published.
///
/// The recipe is OpenAI's (`openai/openai-cookbook:examples/How_to_count_tokens_with_tiktoken.ipynb`, section 7), made
/// by measuring. It knows flat parameters only; here each nested property counts like one at the top. An unknown model
/// is counted with o200k_base.
pub fn count_tools(tools: &[ToolText<'_>], model: &str) -> usize {
    if tools.is_empty() {
        return 0;
    }
    let encoding = encoding_for_model(model).unwrap_or(Encoding::O200kBase);
    let per_function = if encoding == Encoding::Cl100kBase { 10 } else { 7 };
    let one = |tool: &ToolText<'_>| {
        let line = format!("{}:{}", tool.name, without_full_stop(&tool.description));
        let properties: usize = tool.properties.iter().map(|property| count_property(property, encoding)).sum();
        let begin = if tool.properties.is_empty() { 0 } else { 3 };
        per_function + count(&line, encoding) + begin + properties
    };
    const END: usize = 12;
    tools.iter().map(one).sum::<usize>() + END
}

fn count_property(property: &PropertyText<'_>, encoding: Encoding) -> usize {
    let line = format!("{}:{}:{}", property.name, property.kind, without_full_stop(&property.description));
    let values: usize = property.values.iter().map(|value| 3 + count(value, encoding)).sum();
    // The first value comes without the 3 tokens that the others have.
    3 + count(&line, encoding) + values.saturating_sub(3)
}

fn without_full_stop(text: &str) -> &str {
    text.strip_suffix('.').unwrap_or(text)
}
