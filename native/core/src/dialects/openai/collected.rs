//! What was said, by an engine of this process or an upstream of another dialect, joined into an answer.

use super::choices::is_clean;
use super::logprobs::offsets;
use super::thoughts::write_thought;
use super::words::{Words, BETWEEN};
use crate::dialects::neutral::{CallKind, Endpoint, Item, Thought, TokenLogprob};
use crate::dialects::Dialect;

/// What an engine said so far, joined.
#[derive(Debug, Default)]
pub struct Collected {
    pub(super) choices: Vec<Choice>,
    pub(super) vectors: Vec<(u32, Vec<f32>)>,
    pub(super) reasoning_tokens: u64,
}

#[derive(Debug, Default)]
pub(super) struct Choice {
    pub text: String,
    /// Characters of `text`.
    characters: usize,
    pub reasoning: String,
    pub refusal: String,
    /// Of the tokens of `text`, where they were asked for.
    pub logprobs: Vec<TokenLogprob>,
    /// Where each of these tokens begins in `text`, in characters.
    pub offsets: Vec<usize>,
    pub calls: Vec<Call>,
    /// Each as JSON.
    pub annotations: Vec<Vec<u8>>,
    /// Elements of `thoughts`, each as JSON.
    pub thoughts: Vec<Vec<u8>>,
    /// Bytes of `reasoning` that a signature has signed.
    signed: usize,
    /// The stop sequence that ended it.
    pub stop: Option<String>,
    pub finish: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Call {
    pub id: String,
    pub name: String,
    pub arguments: String,
    pub kind: CallKind,
    /// Gemini's.
    pub signature: Option<String>,
}

/// More choices or calls than any caller can ask for; an engine that names a higher one is wrong.
const MAX_PARTS: u32 = 1_024;

impl Collected {
    /// Adds an item. `false` if it makes no sense (an index out of all proportion).
    pub fn add(&mut self, item: Item) -> bool {
        match item {
            Item::Text { choice, text, logprobs } => self.choice(choice).map(|c| c.say(&text, logprobs)).is_some(),
            Item::Reasoning { choice, text } => self.choice(choice).map(|c| c.reasoning.push_str(&text)).is_some(),
            Item::Finish { choice, reason } => self.choice(choice).map(|c| c.finish = Some(reason)).is_some(),
            Item::ToolCall { choice, index, id, name, arguments, kind } => {
                let Some(call) = self.choice(choice).and_then(|c| c.call(index)) else { return false };
                call.kind = kind;
                call.id.push_str(id.as_deref().unwrap_or_default());
                call.name.push_str(name.as_deref().unwrap_or_default());
                call.arguments.push_str(&arguments);
                true
            }
            Item::Embedding { index, vector } => {
                self.vectors.push((index, vector));
                true
            }
            Item::Refusal { choice, text } => self.choice(choice).map(|c| c.refusal.push_str(&text)).is_some(),
            Item::Annotation { choice, json } => {
                self.choice(choice).map(|c| c.annotations.push(json.into_bytes())).is_some()
            }
            Item::Thought { choice, origin, thought } => self.choice(choice).is_some_and(|c| c.think(origin, &thought)),
            Item::StopSequence { choice, text } => self.choice(choice).map(|c| c.stop = Some(text)).is_some(),
            Item::UsageDetail { reasoning_tokens } => {
                self.reasoning_tokens = reasoning_tokens;
                true
            }
            Item::Usage(_) => true,
        }
    }

    /// Characters that the choice of a piece of text said before it.
    pub fn said(&self, item: &Item) -> usize {
        let Item::Text { choice, .. } = item else { return 0 };
        self.choices.get(*choice as usize).map_or(0, |choice| choice.characters)
    }

    /// Every choice has its finish reason, and there is one; or each of `inputs` inputs has its vector, once.
    pub fn is_complete(&self, endpoint: Endpoint, inputs: u64) -> bool {
        match endpoint {
            Endpoint::Embeddings => {
                let mut numbers: Vec<u64> = self.vectors.iter().map(|(index, _)| u64::from(*index)).collect();
                numbers.sort_unstable();
                numbers.into_iter().eq(0..inputs)
            }
            _ => !self.choices.is_empty() && self.choices.iter().all(|choice| choice.finish.is_some()),
        }
    }

    /// Every choice ended by itself and as it was meant to, so that the answer may be given again.
    pub fn is_clean(&self) -> bool {
        self.choices.iter().all(|choice| choice.finish.as_deref().is_some_and(is_clean))
    }

    /// All words said, for counting.
    pub fn words(&self) -> Words {
        let mut words = Words::default();
        for (at, choice) in self.choices.iter().enumerate() {
            if at > 0 {
                words.add(|all| all.push(BETWEEN));
            }
            let mut add = |text: &str| words.add(|all| all.extend_from_slice(text.as_bytes()));
            add(&choice.reasoning);
            add(&choice.text);
            add(&choice.refusal);
            for call in &choice.calls {
                add(&call.name);
                add(&call.arguments);
            }
        }
        words
    }

    /// Vectors in the order of their inputs.
    pub fn sort(&mut self) {
        self.vectors.sort_by_key(|(index, _)| *index);
    }

    fn choice(&mut self, at: u32) -> Option<&mut Choice> {
        grow(&mut self.choices, at)
    }
}

impl Choice {
    fn say(&mut self, text: &str, logprobs: Vec<TokenLogprob>) {
        self.offsets.extend(offsets(self.characters, &logprobs));
        self.logprobs.extend(logprobs);
        self.characters += text.chars().count();
        self.text.push_str(text);
    }

    fn think(&mut self, origin: Dialect, thought: &Thought) -> bool {
        if let Thought::OfCall(at, signature) = thought {
            let Some(call) = self.call(*at) else { return false };
            call.signature = Some(signature.clone()).filter(|_| origin == Dialect::Gemini);
            return true;
        }
        let mut json = Vec::new();
        let thinking = self.reasoning.get(self.signed..).unwrap_or_default();
        write_thought(&mut json, origin, thought, thinking);
        if let Thought::Signature(_) = thought {
            self.signed = self.reasoning.len();
        }
        self.thoughts.push(json);
        true
    }

    fn call(&mut self, at: u32) -> Option<&mut Call> {
        grow(&mut self.calls, at)
    }
}

fn grow<T: Default>(list: &mut Vec<T>, at: u32) -> Option<&mut T> {
    if at >= MAX_PARTS {
        return None;
    }
    let at = at as usize;
    if list.len() <= at {
        list.resize_with(at + 1, T::default);
    }
    list.get_mut(at)
}
