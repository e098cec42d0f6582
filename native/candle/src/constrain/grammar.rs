//! From a form to a grammar in llguidance's dialect of Lark. Calls are in the form that [`crate::tools`] reads, with the white
//! space that Hermes and Qwen were trained on.
//!
//! Schemas are grammars of their own, to which the first one refers by name, so that nothing that a caller wrote becomes a part
//! of its text but the names of functions, which are letters, digits, `_` and `-`.

use llguidance::api::{GrammarWithLexer, TopLevelGrammar};
use serde_json::{json, Value};

use super::form::{Calls, Form, Text};
use super::schema::{self, Parts};
use super::Problem;
use crate::tools::{ARGUMENTS, CLOSE, NAME, OPEN};

/// Bytes of all schemas of one form. OpenAI allows some 120,000 characters of names and values.
pub(super) const MOST_BYTES: usize = 128 * 1024;

/// The grammar of `form`.
pub(super) fn grammar(form: &Form) -> Result<TopLevelGrammar, Problem> {
    let functions = form.calls.iter().flat_map(|calls| &calls.functions);
    let answer = match &form.text {
        Text::Json(schema) => Some(schema),
        Text::Free | Text::Never => None,
    };
    let schemas = answer.into_iter().chain(functions.clone().filter_map(|function| function.parameters.as_ref()));
    let bytes = schemas.map(|schema| schema.to_string().len()).sum();
    if bytes > MOST_BYTES {
        return Err(Problem::TooLarge(bytes));
    }
    let (mut grammars, mut parts) = (Vec::new(), Parts::default());
    grammars.extend(form.calls.as_ref().map(|calls| GrammarWithLexer::from_lark(lark(&form.text, calls))));
    if let Some(answer) = answer {
        let schema = schema::prepared(answer, &mut parts).map_err(Problem::Schema)?;
        grammars.push(GrammarWithLexer { name: Some("answer".into()), ..GrammarWithLexer::from_json_schema(schema) });
    }
    for (index, function) in functions.enumerate() {
        let schema = match &function.parameters {
            Some(schema) => schema::of_arguments(schema, &mut parts),
            None => schema::prepared(&json!({ "type": "object" }), &mut parts),
        };
        let schema = schema.map_err(|words| Problem::Schema(format!("function {}: {words}", function.name)))?;
        grammars.push(GrammarWithLexer { name: Some(reference(index)), ..GrammarWithLexer::from_json_schema(schema) });
    }
    Ok(TopLevelGrammar { grammars, max_tokens: None })
}

fn reference(index: usize) -> String {
    format!("arguments-{index}")
}

/// What begins an answer with calls, and the calls.
///
/// Free text goes on until the tag of a call is complete: that is one lexeme, which ends as soon as it can (`lazy`), so that
/// tokens which go beyond the tag are looked at whole. Text without a tag may end the answer.
fn lark(text: &Text, calls: &Calls) -> String {
    let opened = literal(&format!("{OPEN}\n"));
    let more = if calls.several { r#"("\n" call)*"# } else { "" };
    let start = match text {
        Text::Never => format!("start: call {more}\n"),
        Text::Json(_) => format!("start: @answer | call {more}\n"),
        Text::Free => format!(
            "start: TEXT? | opened function {more}\n\
             opened[lazy]: TEXT? {opened}\n\
             TEXT: /(?s:.+)/ & ~/(?s:.*){OPEN}(?s:.*)/\n"
        ),
    };
    let close = literal(&format!("}}\n{CLOSE}"));
    let function = |(index, name): (usize, &str)| {
        let head = literal(&format!("{NAME}{name}{ARGUMENTS}"));
        format!("{head} @{} {close}", reference(index))
    };
    let names = calls.functions.iter().map(|function| function.name.as_str());
    let functions: Vec<String> = names.enumerate().map(function).collect();
    format!("{start}call: {opened} function\nfunction: {}\n", functions.join("\n    | "))
}

/// `text` as a literal of Lark, which are JSON's strings.
fn literal(text: &str) -> String {
    Value::from(text).to_string()
}
