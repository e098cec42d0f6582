//! A call on its way to a slot.

use hoosh_core::dialects::neutral::Request;
use hoosh_core::engine::{Refusal, Standing};

use super::outbox::Outlet;
use crate::constrain::{Forms, Held};
use crate::request::{wrong, Ask, Prompt};
use crate::sample::Sampling;
use crate::template::{Template, TemplateError};
use crate::text::Tokenizer;

/// A call as it came.
pub(crate) struct Call {
    pub(crate) request: Request,
    pub(crate) outlet: Outlet,
}

/// A call that can start.
pub(crate) struct Prepared {
    pub(crate) outlet: Outlet,
    pub(crate) standing: Standing,
    pub(crate) ask: Ask,
    /// What its answers are held to, at their beginning.
    pub(crate) held: Option<Held>,
    /// At least one token.
    pub(crate) prompt: Vec<u32>,
    /// Tokens of each answer at most.
    pub(crate) limit: u32,
}

impl Prepared {
    /// Tokens that each of its sequences may come to hold. The last token of an answer is never put in.
    pub(crate) fn room(&self) -> usize {
        self.prompt.len() + self.limit as usize
    }
}

/// What turns requests into tokens, and the bounds that hold for them.
pub(crate) struct Texts {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) template: Template,
    /// What answers can be held to.
    pub(crate) forms: Forms,
    /// How its tokens are drawn where a request does not say.
    pub(crate) usual: Sampling,
    /// Tokens that the weights know.
    pub(crate) vocabulary: usize,
    /// Tokens of prompt and answer together.
    pub(crate) context: usize,
    /// Tokens that all sequences together may hold.
    pub(crate) held: usize,
    pub(crate) max_sequences: usize,
}

impl Texts {
    /// Reads a call and finds its tokens, or says to its reader what is wrong with it.
    pub(crate) fn prepare(&self, call: Call) -> Option<Prepared> {
        let standing = call.request.standing;
        let read = Ask::read(call.request.endpoint, &call.request.body, &self.usual);
        let tokens = read.and_then(|ask| self.tokens(ask));
        let held = tokens.and_then(|(ask, prompt, limit)| Ok((self.held(&ask)?, ask, prompt, limit)));
        match held {
            Ok((held, ask, prompt, limit)) => {
                Some(Prepared { outlet: call.outlet, standing, ask, held, prompt, limit })
            }
            Err(refusal) => {
                call.outlet.refuse(refusal);
                None
            }
        }
    }

    /// Compiles what its answers are held to.
    fn held(&self, ask: &Ask) -> Result<Option<Held>, Refusal> {
        ask.form.as_ref().map(|form| self.forms.compile(form, &self.tokenizer)).transpose()
    }

    fn tokens(&self, mut ask: Ask) -> Result<(Ask, Vec<u32>, u32), Refusal> {
        let prompt = self.encode(std::mem::replace(&mut ask.prompt, Prompt::Tokens(Vec::new())))?;
        if ask.tools && !self.template.calls_tools() {
            return Err(wrong("unsupported_value", "tools", "cannot be used: this model knows no tools"));
        }
        if prompt.is_empty() {
            return Err(wrong("invalid_value", "prompt", "has no tokens"));
        }
        if prompt.len() >= self.context {
            return Err(Refusal {
                status: 400,
                code: "context_length_exceeded",
                message: format!(
                    "the prompt has {} tokens, and the model's context of {} tokens must hold it and an answer; shorten it",
                    prompt.len(),
                    self.context
                ),
                retry_after_secs: None,
            });
        }
        if ask.choices as usize > self.max_sequences {
            let most = self.max_sequences;
            return Err(wrong("out_of_range", "n", format!("can be {most} at most: so many are answered at once")));
        }
        // More than fits is not refused, but ends with the reason `length`, as it does in llama.cpp.
        let fits = (self.context - prompt.len()) as u32;
        let limit = ask.max_tokens.unwrap_or(fits).min(fits);
        let held = ask.choices as usize * crate::decoder::in_blocks(prompt.len() + limit as usize);
        if held > self.held {
            return Err(wrong(
                "out_of_range",
                "n",
                format!(
                    "asks for {held} tokens of memory, and there are {}; ask for fewer or for shorter ones",
                    self.held
                ),
            ));
        }
        Ok((ask, prompt, limit))
    }

    fn encode(&self, prompt: Prompt) -> Result<Vec<u32>, Refusal> {
        match prompt {
            Prompt::Tokens(tokens) => match tokens.iter().find(|token| **token as usize >= self.vocabulary) {
                Some(token) => Err(wrong("invalid_value", "prompt", format!("holds {token}, which is no token"))),
                None => Ok(tokens),
            },
            Prompt::Text(text) => Ok(self.begin(self.tokenizer.encode(&text, true))),
            Prompt::Chat(body) => {
                let parts = self.template.render_parts(&body).map_err(template_refusal)?;
                Ok(self.tokenizer.encode_prompt(&parts))
            }
        }
    }

    /// Puts the token that begins texts before it, if the model wants one and a template has not put it already.
    fn begin(&self, mut tokens: Vec<u32>) -> Vec<u32> {
        let first = self.tokenizer.bos().filter(|_| self.tokenizer.add_bos());
        if let Some(first) = first.filter(|first| tokens.first() != Some(first)) {
            tokens.insert(0, first);
        }
        tokens
    }
}

fn template_refusal(error: TemplateError) -> Refusal {
    let (status, code) = match error.is_callers() {
        true => (400, "invalid_messages"),
        false => (500, "template_failed"),
    };
    Refusal { status, code, message: error.to_string(), retry_after_secs: None }
}
