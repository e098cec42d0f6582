//! The tables of the file that are there once, with their defaults.

use super::Mount;
use crate::sync::Arc;

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
    /// Threads that answer callers; 0: one for each core. Default 0.
    pub threads: u64,
    /// Callers' connections at once. Default 16,384.
    pub max_connections: u64,
    /// The same of one address; 0: as many. Default 0.
    pub max_connections_per_address: u64,
    /// Default `priority`.
    pub strategy: Strategy,
    /// Largest request body, bytes. Default 32 MiB.
    pub max_body_bytes: u64,
    /// Largest upload of audio or images, bytes. Default 50 MiB.
    pub max_audio_bytes: u64,
    /// Largest upload of a file, bytes. Default 256 MiB.
    pub max_file_bytes: u64,
    /// Largest sum of all bodies and answers held at once, bytes. Default 1 GiB. Beyond it new work gets 503.
    pub max_buffered_bytes: u64,
    /// Names under which it answers callers without keys, besides this machine's own; `*`: any.
    pub allowed_hosts: Vec<String>,
    /// Origins of web pages that may ask and read the answers, such as `https://app.example`; `*`: any.
    pub cors_origins: Vec<String>,
    /// Headers of callers that are sent on to providers, in lower case.
    pub pass_request_headers: Vec<String>,
    /// Headers of providers that their callers get, in lower case.
    pub pass_response_headers: Vec<String>,
    /// A stream that began gets a comment after so long without a word, seconds; 0: never. Default 15.
    pub keep_alive_secs: u64,
    /// A stream begins after so long even without a word, seconds; 0: not before its first. Default 0.
    pub early_start_secs: u64,
    /// On the way down: how long all is served while readiness is denied, seconds. Default 0.
    pub settle_secs: u64,
    /// Then: how long requests in progress may take, seconds. Default 30.
    pub drain_secs: u64,
    /// `[[server.mounts]]`
    pub mounts: Vec<Arc<Mount>>,
}

impl Default for Server {
    fn default() -> Self {
        Server {
            bind: "127.0.0.1".into(),
            port: 8088,
            threads: 0,
            max_connections: 16_384,
            max_connections_per_address: 0,
            strategy: Strategy::Priority,
            max_body_bytes: 32 << 20,
            max_audio_bytes: 50 << 20,
            max_file_bytes: 256 << 20,
            max_buffered_bytes: 1 << 30,
            allowed_hosts: Vec::new(),
            cors_origins: Vec::new(),
            pass_request_headers: Vec::new(),
            pass_response_headers: Vec::new(),
            keep_alive_secs: 15,
            early_start_secs: 0,
            settle_secs: 0,
            drain_secs: 30,
            mounts: Vec::new(),
        }
    }
}

/// How requests are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Not at all.
    Off,
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

impl LogFormat {
    /// As written in the file.
    pub const WORDS: &'static [(&'static str, LogFormat)] =
        &[("off", LogFormat::Off), ("text", LogFormat::Text), ("json", LogFormat::Json)];
}

/// How much the gateway says of its own, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// Something does not work.
    Error,
    /// Something worked less well than it should.
    Warn,
    /// Something changed.
    #[default]
    Info,
    /// Requests in process too.
    Debug,
}

impl LogLevel {
    /// As written in the file.
    pub const WORDS: &'static [(&'static str, LogLevel)] =
        &[("error", LogLevel::Error), ("warn", LogLevel::Warn), ("info", LogLevel::Info), ("debug", LogLevel::Debug)];

    /// The word in a line.
    pub const fn as_str(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
        }
    }
}

/// `[log]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Default `text`.
    pub access: LogFormat,
    /// Default `info`.
    pub level: LogLevel,
    /// Path of a file that lines are added to. `None`: the standard error.
    pub file: Option<String>,
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

/// `[idempotency]`: answers that are given again to who asks again under the same `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Seconds that an answer is remembered; 0: the header is not read. Default 86,400.
    pub ttl_secs: u64,
    /// Default 10,000.
    pub max_entries: usize,
    /// Default 64 MiB.
    pub max_bytes: u64,
}

impl Default for Idempotency {
    fn default() -> Self {
        Idempotency { ttl_secs: 86_400, max_entries: 10_000, max_bytes: 64 << 20 }
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
    /// Requests a minute; `None`: no bound.
    pub rate_limit_rpm: Option<u32>,
    /// Tokens a minute, input and output together; `None`: no bound.
    pub rate_limit_tpm: Option<u32>,
    /// Callers that may wait for a place of one limit; the next is refused with 429. Default 128; 0 refuses at once.
    pub max_waiting: u32,
    /// Longest wait for a place, seconds. Default 10.
    pub wait_secs: u64,
    /// How long a request waits, at most, for its turn at limits of a minute, seconds. Default 0: not at all.
    pub rate_wait_secs: u64,
    /// Output tokens reserved (and sent as the cap) under a budget when the caller names none. Default 4,096.
    pub reserve_output: u64,
    /// Embedding inputs in one request to a provider; a longer array is asked in slices of so many. Default 2,048,
    /// OpenAI's own bound.
    pub max_inputs: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_concurrency: None,
            rate_limit_rpm: None,
            rate_limit_tpm: None,
            max_waiting: 128,
            wait_secs: 10,
            rate_wait_secs: 0,
            reserve_output: 4_096,
            max_inputs: 2_048,
        }
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

/// `[storage]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// File of the store; `:memory:` keeps nothing. `None`: the driver's choice, because the core knows no folders.
    pub path: Option<String>,
    /// How long the records of requests that asked no upstream are kept. Default 30.
    pub request_days: u32,
}

impl Default for Storage {
    fn default() -> Self {
        Storage { path: None, request_days: 30 }
    }
}
