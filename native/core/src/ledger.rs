//! One record of each exchange. Those that asked an upstream are rows of the ledger, and add up to the budgets; the others
//! (refusals, answers of the cache, lists) are request records, which a store may forget.

use std::borrow::Cow;

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

/// Where the token counts of a row come from, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
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

/// More tokens than any one answer can cost: a hundred times the largest context there is. A provider that tells more is
/// mistaken, and to charge it would take a budget away for good; hoosh counts such an answer itself.
pub const MOST_TOKENS: u64 = 1_000_000_000;

/// Tokens used, as providers report them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Usage {
    /// Prompt tokens, cached ones included.
    pub input_tokens: u64,
    /// Completion tokens, reasoning included.
    pub output_tokens: u64,
    /// Of the prompt, how many came from the provider's cache.
    pub cached_tokens: u64,
    /// Of the prompt, how many went into the provider's cache.
    pub cache_written_tokens: u64,
    /// Of these, how many are kept there for longer than usual: for an hour at Anthropic, for 12 at OpenAI.
    pub cache_written_long_tokens: u64,
    /// Who says so.
    pub source: UsageSource,
}

impl Usage {
    /// Whether it can be all that an answer with words cost: neither its prompt nor its words are free.
    pub const fn is_likely(&self) -> bool {
        self.input_tokens > 0 && self.output_tokens > 0
    }

    /// The larger of each count, where one answer names them more than once.
    pub fn larger(self, other: Usage) -> Usage {
        Usage {
            input_tokens: self.input_tokens.max(other.input_tokens),
            output_tokens: self.output_tokens.max(other.output_tokens),
            cached_tokens: self.cached_tokens.max(other.cached_tokens),
            cache_written_tokens: self.cache_written_tokens.max(other.cache_written_tokens),
            cache_written_long_tokens: self.cache_written_long_tokens.max(other.cache_written_long_tokens),
            source: other.source,
        }
    }

    /// What a token budget is charged.
    pub const fn total(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

/// One settled exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// An upstream was asked: a row of the ledger. `false`: a request record.
    pub asked: bool,
    /// It came over HTTP and is no part of another: a line of the access log. No column.
    pub is_access: bool,
    /// `x-request-id` of the exchange.
    pub request_id: Arc<str>,
    /// Wall clock at settling, microseconds since the epoch.
    pub at_us: i64,
    /// Name of the key that asked; `local` for an in-process caller, `anonymous` when no keys are configured.
    pub key: Arc<str>,
    /// Budget charged, if one was.
    pub budget: Option<Arc<str>>,
    /// HTTP method; `OTHER` for one that no path has. `None`: the head could not be read.
    pub method: Option<&'static str>,
    /// Path without its query. A path that exists is named as the documentation does (`/v1/models/{model}`); of another,
    /// the first 128 characters. `None`: the head could not be read.
    pub path: Option<Cow<'static, str>>,
    /// What was asked for, in one word: `chat`, `completions`, `embeddings`, `models`, …; `unknown` for other paths.
    pub endpoint: &'static str,
    /// Model as the caller named it, once its body was read.
    pub model: Option<Arc<str>>,
    /// Provider of the last attempt.
    pub provider: Option<Arc<str>>,
    /// Model as that provider was asked for it.
    pub upstream_model: Option<Arc<str>>,
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
    /// What that costs at the last provider's price, nano-USD; `None` where no price is known.
    pub cost_nano_usd: Option<u64>,
    /// More was used than the reservation held.
    pub overrun: bool,
    /// The upstream forgot its end mark; hoosh added it.
    pub terminator_added: bool,
    /// What was not carried as it was between two dialects, one after the other: `dropped top_k (no such field)`.
    pub loss: Option<String>,
    /// What the cache said, if it was on and came to it: `hit`, `miss`, `shared`, `bypass`.
    pub cache: Option<&'static str>,
    /// Body bytes taken from the caller.
    pub bytes_in: u64,
    /// Answer bytes handed to the driver.
    pub bytes_out: u64,
    /// From the head to the first content byte handed over, microseconds; 0 if none.
    pub first_content_us: u64,
    /// From the head to the end, microseconds.
    pub duration_us: u64,
}

impl Row {
    /// As one JSON object, for stores and tests that read text.
    pub fn to_json(&self) -> String {
        let mut out = Vec::with_capacity(512);
        let mut field = |name: &str, value: Field<'_>| {
            out.extend_from_slice(if out.is_empty() { b"{\"" } else { b",\"" });
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            match value {
                Field::Text(Some(text)) => crate::json::write_string(&mut out, text),
                Field::Text(None) => out.extend_from_slice(b"null"),
                Field::Number(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
                Field::Flag(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
            }
        };
        field("asked", Field::Flag(self.asked));
        field("request_id", Field::Text(Some(&self.request_id)));
        field("at_us", Field::Number(self.at_us));
        field("key", Field::Text(Some(&self.key)));
        field("budget", Field::Text(self.budget.as_deref()));
        field("method", Field::Text(self.method));
        field("path", Field::Text(self.path.as_deref()));
        field("endpoint", Field::Text(Some(self.endpoint)));
        field("model", Field::Text(self.model.as_deref()));
        field("provider", Field::Text(self.provider.as_deref()));
        field("upstream_model", Field::Text(self.upstream_model.as_deref()));
        field("attempts", Field::Number(self.attempts.into()));
        field("status", Field::Number(self.status.into()));
        field("ending", Field::Text(Some(self.ending.as_str())));
        field("error", Field::Text(self.error));
        field("stream", Field::Flag(self.stream));
        field("input_tokens", Field::Number(self.usage.input_tokens as i64));
        field("output_tokens", Field::Number(self.usage.output_tokens as i64));
        field("cached_tokens", Field::Number(self.usage.cached_tokens as i64));
        field("cache_written_tokens", Field::Number(self.usage.cache_written_tokens as i64));
        field("cache_written_long_tokens", Field::Number(self.usage.cache_written_long_tokens as i64));
        field("usage_source", Field::Text(Some(self.usage.source.as_str())));
        match self.cost_nano_usd {
            Some(cost) => field("cost_nano_usd", Field::Number(cost as i64)),
            None => field("cost_nano_usd", Field::Text(None)),
        }
        field("overrun", Field::Flag(self.overrun));
        field("terminator_added", Field::Flag(self.terminator_added));
        field("loss", Field::Text(self.loss.as_deref()));
        field("cache", Field::Text(self.cache));
        field("bytes_in", Field::Number(self.bytes_in as i64));
        field("bytes_out", Field::Number(self.bytes_out as i64));
        field("first_content_us", Field::Number(self.first_content_us as i64));
        field("duration_us", Field::Number(self.duration_us as i64));
        out.push(b'}');
        String::from_utf8(out).unwrap_or_default()
    }
}

enum Field<'a> {
    Text(Option<&'a str>),
    Number(i64),
    Flag(bool),
}
