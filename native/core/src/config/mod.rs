//! Configuration: what the operator wrote, checked. [`parse`] is pure: text and an environment go in.

//!
//! | File | Holds |
//! | --- | --- |
//! | `mod` | what a configuration is, with its defaults |
//! | `schema`, `json_schema` | the keys that may be written, and the same for editors |
//! | `catalogue` | the provider types, as data |
//! | `parse`, `providers`, `reader`, `url` | TOML to [`Config`], each error with its line |
//! | `credential` | keys from files and commands |
//! | `found` | the configuration without a file |
//! | `hooked` | which providers have callables of this process |
//! | `describe` | [`Config`] to text, secrets hidden |

pub mod catalogue;
mod credential;
mod describe;
mod found;
mod hooked;
mod json_schema;
mod parse;
mod providers;
mod reader;
pub mod schema;
mod url;

pub use credential::Source as CredentialSource;
pub use parse::{parse, ConfigError, Environment};

/// A whole configuration, defaults filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[[providers]]`
    pub providers: Vec<Provider>,
    /// `[auth]`
    pub auth: Auth,
    /// `[[budgets]]`
    pub budgets: Vec<Budget>,
    /// `[cache]`
    pub cache: Cache,
    /// `[retry]`
    pub retry: Retry,
    /// `[limits]`
    pub limits: Limits,
    /// `[deadlines]`
    pub deadlines: Deadlines,
    /// Odd but workable, for the operator: a remote provider without a key, and the like. Never holds a secret.
    pub warnings: Vec<String>,
}

/// How a provider is chosen among those that serve a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Strategy {
    /// Lowest `priority` number first; equals in the order of the file.
    #[default]
    Priority,
    /// Each in turn, per model.
    RoundRobin,
    /// The one whose answers began soonest lately; an unmeasured one is tried first.
    LowestLatency,
    /// Only where the caller names it: `provider/model`.
    Direct,
}

impl Strategy {
    /// As written in the file.
    pub const WORDS: &'static [(&'static str, Strategy)] = &[
        ("priority", Strategy::Priority),
        ("round_robin", Strategy::RoundRobin),
        ("lowest_latency", Strategy::LowestLatency),
        ("direct", Strategy::Direct),
    ];
}

/// `[server]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Address to listen on. Default `127.0.0.1`.
    pub bind: String,
    /// TCP port. Default 8088; 0 lets the system choose.
    pub port: u16,
    /// Default `priority`.
    pub strategy: Strategy,
    /// Largest request body, bytes. Default 32 MiB.
    pub max_body_bytes: u64,
    /// Largest sum of all bodies and answers held at once, bytes. Default 1 GiB. Beyond it new work gets 503.
    pub max_buffered_bytes: u64,
}

impl Default for Server {
    fn default() -> Self {
        Server {
            bind: "127.0.0.1".into(),
            port: 8088,
            strategy: Strategy::Priority,
            max_body_bytes: 32 << 20,
            max_buffered_bytes: 1 << 30,
        }
    }
}

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

/// What a provider is: a dialect over HTTP, or an engine of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ProviderKind {
    /// Speaks the OpenAI dialect (`openai`, `ollama`, `llamacpp`, `vllm`, `lmstudio`, `localai`, …).
    #[default]
    OpenAi,
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
    /// The catalogue's name of the type: `openai`, `ollama`, …, however it was spelled.
    pub type_name: String,
    /// From `type`.
    pub kind: ProviderKind,
    /// Scheme, host, port and path prefix before `/chat/completions`, such as `https://api.openai.com/v1`. `None` for engines.
    pub base_url: Option<BaseUrl>,
    /// Sent as `Authorization: Bearer …`.
    pub api_key: Option<Secret>,
    /// Lower is asked first. Default 10.
    pub priority: i64,
    /// Exact names, or prefixes that end in `*`. Empty: every model.
    pub models: Vec<String>,
    /// Requests at once. `None`: no bound.
    pub max_concurrency: Option<u32>,
    /// Requests a minute. `None`: no bound.
    pub rate_limit_rpm: Option<u32>,
    /// From `type`.
    pub cap_field: CapField,
    /// From `type`: an `x-request-id` that is no UUID is not sent.
    pub uuid_ids: bool,
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
    /// Models it may use: exact, `prefix*`, or `provider/model`. Empty: all.
    pub models: Vec<String>,
    /// Budget charged for its requests. `None`: the one the request names, else `default` if configured.
    pub budget: Option<String>,
    /// Requests at once. `None`: no bound.
    pub max_concurrency: Option<u32>,
    /// Requests a minute. `None`: no bound.
    pub rate_limit_rpm: Option<u32>,
}

/// `[[budgets]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Unique.
    pub name: String,
    /// Tokens, input and output together.
    pub capacity: u64,
    /// Tokens taken from the store at a time. Default: capacity / 16, at least 16,384, at most the capacity.
    pub slice: u64,
}

/// Which answers are cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CacheMode {
    /// Only where the caller asked for a repeatable answer: `temperature` 0 or a `seed`, and embeddings.
    #[default]
    Deterministic,
    /// All.
    Always,
}

impl CacheMode {
    /// As written in the file.
    pub const WORDS: &'static [(&'static str, CacheMode)] =
        &[("deterministic", CacheMode::Deterministic), ("always", CacheMode::Always)];
}

/// `[cache]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Default false.
    pub enabled: bool,
    /// Default `deterministic`.
    pub mode: CacheMode,
    /// Seconds an entry lives. Default 300.
    pub ttl_secs: u64,
    /// Default 10,000.
    pub max_entries: usize,
    /// Default 64 MiB.
    pub max_bytes: u64,
}

impl Default for Cache {
    fn default() -> Self {
        Cache {
            enabled: false,
            mode: CacheMode::Deterministic,
            ttl_secs: 300,
            max_entries: 10_000,
            max_bytes: 64 << 20,
        }
    }
}

/// `[retry]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all, the first included. Default 3.
    pub max_attempts: u32,
    /// Back-off before the first retry on the same upstream is drawn from 0 to this. Default 250 ms.
    pub base_delay_ms: u64,
    /// Largest back-off. Default 8,000 ms.
    pub max_delay_ms: u64,
    /// Retries allowed as a share of all requests, percent. Default 10.
    pub budget_percent: u32,
    /// Retries allowed per second whatever the share says. Default 10.
    pub min_per_sec: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Retry { max_attempts: 3, base_delay_ms: 250, max_delay_ms: 8_000, budget_percent: 10, min_per_sec: 10 }
    }
}

/// `[limits]`: over all callers together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Exchanges at once; `None`: no bound.
    pub max_concurrency: Option<u32>,
    /// Callers that may wait for a place of one limit; the next is refused with 429. Default 128; 0 refuses at once.
    pub max_waiting: u32,
    /// Longest wait for a place, seconds. Default 10.
    pub wait_secs: u64,
    /// Output tokens reserved (and sent as the cap) under a budget when the caller names none. Default 4,096.
    pub reserve_output: u64,
    /// Embedding inputs in one request to a provider; a longer array is asked in slices of so many. Default 2,048,
    /// OpenAI's own bound.
    pub max_inputs: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_concurrency: None, max_waiting: 128, wait_secs: 10, reserve_output: 4_096, max_inputs: 2_048 }
    }
}

/// `[deadlines]`, seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// To connect to an upstream. Default 5.
    pub connect_secs: u64,
    /// To write the request, and then again to the first byte of the answer. Default 120.
    pub first_byte_secs: u64,
    /// Between two reads of an answer. Default 60.
    pub idle_secs: u64,
    /// For a whole exchange that does not stream. Default 600.
    pub total_secs: u64,
    /// For the caller's body to arrive. Default 30.
    pub body_secs: u64,
    /// A caller that takes nothing for so long is cut off. Default 60.
    pub caller_stall_secs: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Deadlines {
            connect_secs: 5,
            first_byte_secs: 120,
            idle_secs: 60,
            total_secs: 600,
            body_secs: 30,
            caller_stall_secs: 60,
        }
    }
}
