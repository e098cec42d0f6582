//! Calls for vectors: their texts become tokens.

use hoosh_core::dialects::neutral::Endpoint;
use hoosh_core::engine::{Refusal, Standing};

use super::call::Call;
use super::outbox::Outlet;
use crate::encoder::Recipe;
use crate::request::vectors::{AskVectors, Cut, Input};
use crate::request::wrong;
use crate::text::framed::FramedTokenizer;

/// Bytes of text for each token that a model takes; of more than that only what comes first is split into tokens. No ordinary
/// text has so few, and splitting takes some hundred bytes of memory for each byte of text.
const BYTES_PER_TOKEN: usize = 256;

/// A call for vectors that can start.
pub(crate) struct Inputs {
    pub(crate) outlet: Outlet,
    pub(crate) standing: Standing,
    /// Each of at least one token, and of no more than the model takes.
    pub(crate) inputs: Vec<Vec<u32>>,
    /// How long each vector is to be, if it is to be shorter than the model makes it.
    pub(crate) dimensions: Option<usize>,
}

/// What turns texts into tokens, and the bounds that hold for them.
pub(crate) struct VectorTexts {
    pub(crate) tokenizer: FramedTokenizer,
    pub(crate) recipe: Recipe,
    /// Tokens that the weights know.
    pub(crate) vocabulary: usize,
    /// Tokens of one text.
    pub(crate) most: usize,
}

impl VectorTexts {
    /// Reads a call and finds its tokens, or says to its reader what is wrong with it.
    pub(crate) fn prepare(&self, call: Call) -> Option<Inputs> {
        match self.read(&call) {
            Ok((inputs, dimensions)) => {
                Some(Inputs { outlet: call.outlet, standing: call.request.standing, inputs, dimensions })
            }
            Err(refusal) => {
                call.outlet.refuse(refusal);
                None
            }
        }
    }

    fn read(&self, call: &Call) -> Result<(Vec<Vec<u32>>, Option<usize>), Refusal> {
        if call.request.endpoint != Endpoint::Embeddings {
            let message =
                "this model makes vectors of texts and answers none; ask a model that was made for it".to_owned();
            return Err(Refusal { status: 400, code: "unsupported_endpoint", message, retry_after_secs: None });
        }
        let ask = AskVectors::read(&call.request.body)?;
        let dimensions = self.dimensions(ask.dimensions)?;
        let most = self.cut_to(ask.cut)?;
        let mut inputs = Vec::with_capacity(ask.inputs.len());
        for (index, input) in ask.inputs.iter().enumerate() {
            // Whoever has left wants no more of it.
            if call.outlet.is_left() {
                break;
            }
            inputs.push(self.tokens(index, input, most)?);
        }
        Ok((inputs, dimensions))
    }

    fn dimensions(&self, asked: Option<usize>) -> Result<Option<usize>, Refusal> {
        let all = self.recipe.dimensions();
        match asked {
            Some(asked) if asked > all => Err(wrong(
                "out_of_range",
                "dimensions",
                format!("can be {all} at most: so long are this model's vectors"),
            )),
            asked => Ok(asked.filter(|asked| *asked < all)),
        }
    }

    /// To how many tokens texts are cut, if they are.
    fn cut_to(&self, cut: Cut) -> Result<Option<usize>, Refusal> {
        let field = "truncate_prompt_tokens";
        let least = self.tokenizer.least();
        match cut {
            Cut::Never => Ok(None),
            Cut::ToModel => Ok(Some(self.most)),
            Cut::To(most) if most > self.most => {
                let problem =
                    format!("can be {} at most: so many tokens this model takes; -1 stands for them", self.most);
                Err(wrong("out_of_range", field, problem))
            }
            Cut::To(most) if most < least => {
                let problem = format!("must be at least {least}: this model has {} tokens around each text", least - 1);
                Err(wrong("out_of_range", field, problem))
            }
            Cut::To(most) => Ok(Some(most)),
        }
    }

    fn tokens(&self, index: usize, input: &Input, cut_to: Option<usize>) -> Result<Vec<u32>, Refusal> {
        let field = format!("input[{index}]");
        let mut tokens = match input {
            Input::Text(text) if cut_to.is_none() && text.len() > self.most_bytes() => {
                return Err(self.too_long(&field, &format!("{} bytes", text.len())));
            }
            Input::Text(text) => {
                let text = begins(text, self.most_bytes());
                let encoded = self.tokenizer.encode(&self.recipe.text(text));
                encoded.map_err(|why| wrong("invalid_value", &field, format!("cannot be split into tokens: {why}")))?
            }
            Input::Tokens(tokens) => tokens.clone(),
        };
        if let Some(token) = tokens.iter().find(|token| **token as usize >= self.vocabulary) {
            let problem = format!("holds {token}, which is no token: there are {}", self.vocabulary);
            return Err(wrong("invalid_value", &field, problem));
        }
        if tokens.is_empty() {
            return Err(wrong("invalid_value", &field, "has no tokens"));
        }
        match (cut_to, input) {
            (Some(most), Input::Text(_)) => tokens = self.tokenizer.cut(tokens, most),
            (Some(most), Input::Tokens(_)) => tokens.truncate(most),
            (None, _) if tokens.len() > self.most => {
                return Err(self.too_long(&field, &format!("{} tokens", tokens.len())))
            }
            (None, _) => {}
        }
        Ok(tokens)
    }

    fn most_bytes(&self) -> usize {
        self.most.saturating_mul(BYTES_PER_TOKEN)
    }

    fn too_long(&self, field: &str, length: &str) -> Refusal {
        let most = self.most;
        Refusal {
            status: 400,
            code: "context_length_exceeded",
            message: format!(
                "`{field}` has {length}, and this model takes {most} tokens; shorten it, or have its end left out by \
                 `\"truncate_prompt_tokens\": -1`"
            ),
            retry_after_secs: None,
        }
    }
}

/// The first `bytes` of `text`, or as many fewer as end between two characters.
fn begins(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
