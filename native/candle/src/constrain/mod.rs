//! Holds answers to a form: JSON that keeps to a schema, calls of functions with the arguments that they take.
//!
//! A [`Form`] becomes a [grammar], which llguidance compiles against the model's [vocabulary]: a lexer of automata that are made
//! as they are needed, and an Earley parser over it. Before each token it says which may come next, and the others are left
//! out ([`Held`]); an answer can only end where its grammar can.
//!
//! What is refused and what is bounded: grammars are compiled where calls are read, not where the model is stepped, and a schema
//! that is too large, too deep or needs what llguidance does not know is refused before any token. Each step, too, has
//! bounds (see [`limits`]); an answer that runs into one is cut there, as by its length, and no other.

mod form;
mod grammar;
mod held;
mod schema;
mod vocabulary;

use std::collections::VecDeque;

use hoosh_core::engine::Refusal;
use hoosh_core::sync::{lock, Mutex};
use llguidance::api::{ParserLimits, TopLevelGrammar};
use llguidance::{Matcher, ParserFactory};
use std::sync::OnceLock;

use crate::request::wrong;
use crate::text::Tokenizer;

pub use form::{Calls, Form, Function, Text};
pub use held::Held;

/// Compiled forms that are kept, for callers who ask for the same one again and again.
const KEPT: usize = 8;

/// The stack on which a form is compiled: a schema's references are followed by recursion, so this is what the longest chain
/// that fits into [`grammar::MOST_BYTES`] needs. It takes memory only as far as it is used.
const STACK: usize = 256 * 1024 * 1024;

/// Longer errors are cut: llguidance quotes what it read.
const LONGEST_ERROR: usize = 300;

/// What compiles forms for one model.
#[derive(Default)]
pub struct Forms {
    /// Made when the first form is asked for, which most models never see. `None`: this vocabulary cannot be held to any.
    factory: OnceLock<Option<ParserFactory>>,
    /// The last one first.
    recent: Mutex<VecDeque<(Form, Held)>>,
}

impl Forms {
    /// What holds an answer to `form`, at its beginning.
    pub fn compile(&self, form: &Form, tokenizer: &Tokenizer) -> Result<Held, Refusal> {
        if let Some(held) = self.recall(form) {
            return Ok(held);
        }
        let factory = self.factory.get_or_init(|| factory(tokenizer));
        let Some(factory) = factory else {
            return Err(wrong(
                "unsupported_value",
                form.field(),
                "cannot be kept to: this model's vocabulary is not fit for it",
            ));
        };
        let held = on_a_deep_stack(|| compile(factory, form))?;
        let mut recent = lock(&self.recent);
        recent.truncate(KEPT - 1);
        recent.push_front((form.clone(), held.afresh()));
        Ok(held)
    }

    fn recall(&self, form: &Form) -> Option<Held> {
        let mut recent = lock(&self.recent);
        let at = recent.iter().position(|(known, _)| known == form)?;
        let found = recent.remove(at)?;
        let held = found.1.afresh();
        recent.push_front(found);
        Some(held)
    }
}

/// How much one answer may cost. Times are llguidance's own estimates for each unit.
fn limits() -> ParserLimits {
    ParserLimits {
        // 20 ms before the first token.
        initial_lexer_fuel: 1_000_000,
        max_grammar_size: 200_000,
        // 7 ms for a token at most, in which the other answers wait; most take a hundredth of it.
        step_lexer_fuel: 100_000,
        step_max_items: 50_000,
        // An object of as many optional properties as are allowed has some five for each.
        max_items_in_row: 10_000,
        // Of 1 to 2 KiB each.
        max_lexer_states: 20_000,
        verbose_errors: false,
        ..ParserLimits::default()
    }
}

fn factory(tokenizer: &Tokenizer) -> Option<ParserFactory> {
    let environment = vocabulary::environment(tokenizer)?;
    let mut factory = ParserFactory::new(&environment, Default::default(), &vocabulary::slices()).ok()?;
    *factory.limits_mut() = limits();
    factory.quiet();
    Some(factory)
}

fn compile(factory: &ParserFactory, form: &Form) -> Result<Held, Refusal> {
    let begun = |form: &Form| grammar::grammar(form).and_then(|grammar| begin(factory, grammar));
    begun(form).or_else(|problem| {
        // Arguments of functions that are not strict are kept to their schema as well as possible: if need be, not at all.
        let eased = form.eased().and_then(|eased| begun(&eased).ok());
        eased.ok_or_else(|| blame(form, &problem, |form| begun(form).is_ok()))
    })
}

/// Says which of the form's fields is at fault, where `works` tries others.
fn blame(form: &Form, problem: &Problem, works: impl Fn(&Form) -> bool) -> Refusal {
    let field = match form.answer_alone() {
        Some(answer) if works(&answer) => "tools",
        _ => form.field(),
    };
    match problem {
        Problem::TooLarge(bytes) => {
            let most = grammar::MOST_BYTES;
            wrong("schema_too_large", field, format!("holds schemas of {bytes} bytes, and {most} are the most"))
        }
        Problem::Schema(words) => {
            wrong("invalid_schema", field, format!("has a schema that cannot be kept to: {words}"))
        }
    }
}

/// What is wrong with a form.
#[derive(Debug)]
enum Problem {
    TooLarge(usize),
    Schema(String),
}

fn begin(factory: &ParserFactory, grammar: TopLevelGrammar) -> Result<Held, Problem> {
    let mut matcher = Matcher::new(factory.create_parser(grammar));
    // The first mask finds grammars that no text keeps to, and those for whose every token a step is too short.
    match matcher.compute_mask() {
        Ok(_) => Ok(Held::new(matcher)),
        Err(error) => Err(Problem::Schema(said(&error.to_string()))),
    }
}

/// What llguidance's error says to a caller, without what is for its developers.
fn said(error: &str) -> String {
    let first = error.lines().next().unwrap_or_default();
    let words = match first {
        _ if first.starts_with("panic") => "llguidance does not understand it".to_owned(),
        // Nothing may come next, and it may not end either.
        _ if first.starts_with("NoExtension") => "no text of this model's tokens keeps to it".to_owned(),
        // What a pattern's parser says comes after the pattern.
        _ if first.ends_with(':') => {
            let last = error.lines().rev().find(|line| line.starts_with("error:")).unwrap_or_default();
            format!("{first} {}", last.trim_start_matches("error: "))
        }
        _ => first.split(". Enable").next().unwrap_or_default().to_owned(),
    };
    words.chars().take(LONGEST_ERROR).collect()
}

fn on_a_deep_stack<T: Send>(work: impl FnOnce() -> Result<T, Refusal> + Send) -> Result<T, Refusal> {
    let failed = |why: &str| Refusal {
        status: 500,
        code: "form_failed",
        message: format!("the answer's form cannot be compiled: {why}"),
        retry_after_secs: None,
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("hoosh-form".into()).stack_size(STACK).spawn_scoped(scope, work);
        let thread = thread.map_err(|error| failed(&error.to_string()))?;
        thread.join().unwrap_or_else(|_| Err(failed("it broke the compiler")))
    })
}
