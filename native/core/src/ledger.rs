//! The ledger: one row for each exchange that reached an upstream. Rows add up to the budgets.

use crate::sync::Arc;

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The caller got a whole answer.
    Completed,
    /// The caller got an error before any content.
    Refused,
    /// The answer broke off after it began; the caller got an error event or a cut.
    Broken,
    /// The caller left first.
    CallerGone,
    /// The exchange was dropped by its driver (shutdown, cancellation, panic).
    Dropped,
}

impl Ending {
    /// The word used in rows, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Ending::Completed => "completed",
            Ending::Refused => "refused",
            Ending::Broken => "broken",
            Ending::CallerGone => "caller_gone",
            Ending::Dropped => "dropped",
        }
    }
}

/// Where the token counts of a row come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum UsageSource {
    /// Nothing was used that anybody knows of.
    #[default]
    None,
    /// The upstream said so.
    Reported,
    /// The upstream said nothing; hoosh counted with the model's tokenizer.
    Counted,
    /// Neither was possible (the upstream took the request and broke off): the input bound.
    Bound,
}

impl UsageSource {
    /// The word used in rows and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            UsageSource::None => "none",
            UsageSource::Reported => "reported",
            UsageSource::Counted => "counted",
            UsageSource::Bound => "bound",
        }
    }
}

/// Tokens used, as providers report them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Usage {
    /// Prompt tokens, cached ones included.
    pub input_tokens: u64,
    /// Completion tokens, reasoning included.
    pub output_tokens: u64,
    /// Of the prompt, how many came from the provider's cache.
    pub cached_tokens: u64,
    /// Who says so.
    pub source: UsageSource,
}

impl Usage {
    /// What a token budget is charged.
    pub const fn total(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

/// One settled exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `x-request-id` of the exchange.
    pub request_id: Arc<str>,
    /// Wall clock at settling, microseconds since the epoch.
    pub at_us: i64,
    /// Name of the key that asked; `local` for an in-process caller, `anonymous` when no keys are configured.
    pub key: Arc<str>,
    /// Budget charged, if one was.
    pub budget: Option<Arc<str>>,
    /// `chat`, `completions`, `embeddings`.
    pub endpoint: &'static str,
    /// Model as the caller named it.
    pub model: Arc<str>,
    /// Provider of the last attempt.
    pub provider: Arc<str>,
    /// How many attempts were made.
    pub attempts: u32,
    /// Status that the caller got; 499 if it left before one.
    pub status: u16,
    /// How it ended.
    pub ending: Ending,
    /// The stable code of the error, if one was answered.
    pub error: Option<&'static str>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// What all attempts together used; what the budget was charged.
    pub usage: Usage,
    /// More was used than the reservation held.
    pub overrun: bool,
    /// The upstream forgot its end mark; hoosh added it.
    pub terminator_added: bool,
    /// Answer bytes handed to the driver.
    pub bytes_out: u64,
    /// From the head to the first content byte handed over, microseconds; 0 if none.
    pub first_content_us: u64,
    /// From the head to the end, microseconds.
    pub duration_us: u64,
}
