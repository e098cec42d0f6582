//! The Jinja that chat templates are written in, as `transformers` sets it up, with nothing in reach but the messages.
//!
//! A template comes with the weights, from whoever made the file, and is a program (CVE-2024-34359 ran code by one). Here
//! it sees no files, no other templates, no environment and no clock but the date; its steps, its nesting and what it
//! writes are bounded. What is not bounded is the memory of the values it makes in between: a template that is written to
//! waste it, by doubling a text again and again, can. Load models from people you trust to that extent.

use std::sync::Arc;

use minijinja::value::ValueKind;
use minijinja::{escape_formatter, filters, AutoEscape, Environment, Error, ErrorKind, Value};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::clock;
use super::error::Raised;
use super::guard::Guard;
use super::json;

/// How deep macros and blocks may call each other.
const DEEPEST: usize = 128;

/// The environment of a chat template.
pub(super) fn environment(guard: &Arc<Guard>) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_recursion_limit(DEEPEST);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(|out, state, value| match (value.kind(), value.is_true()) {
        // Templates that print these were tried with Python, which writes them so.
        (ValueKind::None, _) => escape_formatter(out, state, &Value::from("None")),
        (ValueKind::Bool, true) => escape_formatter(out, state, &Value::from("True")),
        (ValueKind::Bool, false) => escape_formatter(out, state, &Value::from("False")),
        _ => escape_formatter(out, state, value),
    });
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", |format: &str| clock::now(format));
    environment.add_filter("tojson", json::to_json);
    guard_filters(&mut environment, guard);
    guard_methods(&mut environment, guard);
    environment
}

fn raise_exception(words: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, "raise_exception").with_source(Raised(words)))
}

/// The filters that can make a control token out of a text without one mark what they make.
fn guard_filters(environment: &mut Environment<'static>, guard: &Arc<Guard>) {
    let remade = |change: fn(&str) -> String| {
        let guard = guard.clone();
        move |value: Value| {
            let before = text_of(&value);
            Value::from(guard.mark_made(&change(&before), &before).into_owned())
        }
    };
    environment.add_filter("lower", remade(str::to_lowercase));
    environment.add_filter("upper", remade(str::to_uppercase));
    environment.add_filter("title", remade(|text| filters::title(text.into())));
    environment.add_filter("capitalize", remade(capitalized));
    let guarding = guard.clone();
    environment.add_filter("replace", move |value: Value, from: Value, to: Value| {
        replaced(&guarding, &text_of(&value), &[from, to])
    });
    let guarding = guard.clone();
    environment.add_filter("split", move |value: Value, at: Option<String>, most: Option<i64>| {
        let split = filters::split(&Value::from(text_of(&value)), at.map(Arc::from), most)?;
        pieces(&guarding, &split)
    });
    let guarding = guard.clone();
    environment.add_filter("trim", move |value: Value, letters: Option<String>| {
        let text = text_of(&value);
        match letters {
            None => Ok(Value::from(text.trim())),
            Some(letters) => pieces(&guarding, &Value::from(text.trim_matches(|letter| letters.contains(letter)))),
        }
    });
}

/// Methods of Python's texts, lists and mappings, with the same care.
fn guard_methods(environment: &mut Environment<'static>, guard: &Arc<Guard>) {
    let guard = guard.clone();
    environment.set_unknown_method_callback(move |state, value, method, arguments| {
        if method == "replace" && value.as_str().is_some() {
            return replaced(&guard, &text_of(value), arguments);
        }
        let made = unknown_method_callback(state, value, method, arguments)?;
        match method {
            "lower" | "upper" | "title" | "capitalize" => {
                Ok(Value::from(guard.mark_made(&text_of(&made), &text_of(value)).into_owned()))
            }
            "split" | "splitlines" => pieces(&guard, &made),
            // Without letters they take white space away, which the marks allow for.
            "strip" | "lstrip" | "rstrip" if !arguments.is_empty() => pieces(&guard, &made),
            _ => Ok(made),
        }
    });
}

/// `text` with the first of `arguments` replaced by the second; a third says how often at most.
fn replaced(guard: &Guard, text: &str, arguments: &[Value]) -> Result<Value, Error> {
    let (from, to, most) = match arguments {
        [from, to] => (text_of(from), text_of(to), None),
        [from, to, most] => (text_of(from), text_of(to), most.as_usize()),
        _ => return Err(Error::new(ErrorKind::MissingArgument, "replace needs what is replaced, and by what")),
    };
    Ok(Value::from(match most {
        Some(most) => guard.join(text.splitn(most.saturating_add(1), from.as_str()), &to),
        None => guard.join(text.split(from.as_str()), &to),
    }))
}

/// `made`, or what it lists, as pieces of a text.
fn pieces(guard: &Guard, made: &Value) -> Result<Value, Error> {
    if let Some(text) = made.as_str() {
        return Ok(Value::from(guard.mark_piece(text).into_owned()));
    }
    let piece = |piece: Value| Value::from(guard.mark_piece(&text_of(&piece)).into_owned());
    Ok(made.try_iter()?.map(piece).collect())
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters.flat_map(char::to_lowercase)).collect()
}
