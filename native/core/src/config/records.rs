//! The tables of the file that may be many: providers, keys, budgets, prices.

use super::catalogue::AuthScheme;
use super::{EngineSource, Patience, Renewal};
use crate::dialects::openai::manners::Manners;
use crate::dialects::Dialect;
use crate::engine::Priority;

/// A secret: never shown by `Debug` or `Display`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }
    /// The text itself. Only for what sends it to its own origin or hashes it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a provider is shown to be let in. A provider may have several, each with its own quota and its own health.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// Sent as `Authorization: Bearer …`; what its source said when the configuration was made.
    pub secret: Secret,
    /// Where and when it is read again. `None`: it stands in the file or the environment.
    pub renewal: Option<Renewal>,
}

/// Where a provider is: behind HTTP, or in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ProviderKind {
    /// Answers over HTTP, in its dialect.
    #[default]
    Http,
    /// Runs in this process: the driver knows it by the provider's name (`engine`).
    Engine,
}

/// Which field bounds the output of a chat for this provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CapField {
    /// `max_tokens`: what every compatible server knows.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`: OpenAI's own; its reasoning models refuse the other.
    MaxCompletionTokens,
}

/// `[[providers]]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provider {
    /// Unique; the prefix of `provider/model`. Default: the type.
    pub name: String,
    /// The catalogue's name of the type: `openai`, `ollama`, …, however it was spelled; of an engine that is in none, as it is written.
    pub type_name: String,
    /// From `type`.
    pub kind: ProviderKind,
    /// What it speaks: from `type`, or as `dialect` says.
    pub dialect: Dialect,
    /// Of an engine: from `type` and `options`.
    pub engine: EngineSource,
    /// Scheme, host, port and path prefix before `/chat/completions`, such as `https://api.openai.com/v1`. `None` for engines.
    pub base_url: Option<BaseUrl>,
    /// From `api_key` or `api_keys`. Empty: asked without any.
    pub credentials: Vec<Credential>,
    /// Lower is asked first. Default 10.
    pub priority: i64,
    /// Names, or patterns with `*`. Empty: every model.
    pub models: Vec<String>,
    /// Requests at once. `None`: no bound.
    pub max_concurrency: Option<u32>,
    /// Requests a minute. `None`: no bound.
    pub rate_limit_rpm: Option<u32>,
    /// Tokens a minute, input and output together. `None`: no bound.
    pub rate_limit_tpm: Option<u32>,
    /// Most output tokens, for each choice, that a request may ask of it. `None`: no bound.
    pub max_tokens_limit: Option<u32>,
    /// Sent with every request, names in lower case.
    pub headers: Vec<(String, Secret)>,
    /// Deadlines of its own.
    pub patience: Patience,
    /// From `type`: how it takes its key. `None`: as its dialect has it.
    pub auth: Option<AuthScheme>,
    /// From `type`: what it takes of requests, and how.
    pub manners: Manners,
    /// From `type`: what it offers beside chat, completions and embeddings.
    pub services: crate::dialects::passed::Services,
    /// Found rather than configured (environment keys, default ports): tried, and silent when absent.
    pub found: bool,
    /// Callables of this process stand between: see [`Config::hooked`]. No key of the file, which cannot hold any.
    pub hooked: bool,
}

/// A provider's base URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// Where to connect.
    pub origin: std::sync::Arc<crate::http::Origin>,
    /// Path prefix without a trailing `/`; may be empty.
    pub prefix: String,
}

/// `[auth]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Auth {
    /// Keys that may call. Empty: anybody may (and a public address is refused).
    pub tokens: Vec<Token>,
}

/// One entry of `[auth] tokens`: a string, or a table with `token` and the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Token {
    /// The bearer key.
    pub token: Secret,
    /// For rows and metrics; never the key itself. Default `key-1`, `key-2`, … in order.
    pub name: String,
    /// Models it may use: names or patterns, alone or after `provider/`, and names of aliases. Empty: all.
    pub models: Vec<String>,
    /// Budget charged for its requests. `None`: the one the request names, else `default` if configured.
    pub budget: Option<String>,
    /// Requests at once. `None`: no bound.
    pub max_concurrency: Option<u32>,
    /// Requests a minute. `None`: no bound.
    pub rate_limit_rpm: Option<u32>,
    /// Tokens a minute, input and output together. `None`: no bound.
    pub rate_limit_tpm: Option<u32>,
    /// Most output tokens, for each choice, that a request of it may ask for. `None`: no bound.
    pub max_tokens_limit: Option<u32>,
    /// How its requests stand to others that wait for an engine.
    pub priority: Priority,
}

/// `[[budgets]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Unique.
    pub name: String,
    /// Tokens, input and output together.
    pub capacity: u64,
    /// Tokens taken from the store at a time. Default: capacity / 16, at least 16,384, at most a quarter of the capacity.
    pub slice: u64,
}

/// `[[prices]]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Name of the model at the provider, or a prefix that ends in `*`.
    pub model: String,
    /// `None`: of every provider.
    pub provider: Option<String>,
    /// What tokens cost.
    pub rates: Rates,
    /// What they cost in a request with a long prompt. `None`: the same.
    pub long_prompts: Option<LongPrompts>,
}

/// What tokens cost: micro-USD for a million of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of input.
    pub input: u64,
    /// Of output.
    pub output: u64,
    /// Of input that the provider had cached. `None`: as other input.
    pub cached_input: Option<u64>,
    /// Of input that the provider puts into its cache. `None`: as other input.
    pub cache_write: Option<u64>,
    /// The same where it is kept for longer than the provider keeps it by itself. `None`: as other writes.
    pub cache_write_long: Option<u64>,
}

impl Rates {
    /// Each by its key.
    pub fn named(&self) -> [(&'static str, Option<u64>); 5] {
        [
            ("input_usd_per_mtok", Some(self.input)),
            ("output_usd_per_mtok", Some(self.output)),
            ("cached_input_usd_per_mtok", self.cached_input),
            ("cache_write_usd_per_mtok", self.cache_write),
            ("cache_write_long_usd_per_mtok", self.cache_write_long),
        ]
    }
}

/// `long_prompts` of a price: a request with more input costs this, all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LongPrompts {
    /// The input tokens beyond which a prompt is long.
    pub above_tokens: u64,
    /// What tokens cost then.
    pub rates: Rates,
}
