//! Configuration: what the operator wrote, checked. [`parse`] is pure: text and an environment go in.
//!
//! | File | Holds |
//! | --- | --- |
//! | `mod`, `tables`, `records` | what a configuration is, with its defaults: as a whole, tables there once, tables there often |
//! | `schema`, `json_schema` | the keys that may be written, and the same for editors |
//! | `catalogue` | provider types and models, as data |
//! | `parse`, `prices`, `providers`, `names`, `reader`, `url` | TOML to [`Config`], each error with its line |
//! | `manners` | hosts and origins of `[server]` |
//! | `mounts` | applications beside the gateway |
//! | `headers` | headers that go through |
//! | `routes` | `[[routes]]`, and deadlines that a table sets for itself |
//! | `credential` | keys from files and commands |
//! | `terms` | `[providers.tls]` |
//! | `engines` | who makes an engine of this process, and with which options |
//! | `candle` | models that this process computes out of files |
//! | `found` | the configuration without a file |
//! | `hooked` | which providers have callables of this process |
//! | `describe` | [`Config`] to text, secrets hidden |

pub mod candle;
pub mod catalogue;
mod credential;
mod describe;
mod dialects;
mod engines;
mod found;
mod headers;
mod hooked;
mod json_schema;
mod manners;
mod mounts;
mod names;
mod parse;
mod prices;
mod providers;
mod reader;
mod records;
mod routes;
pub mod schema;
mod tables;
mod terms;
mod url;

pub use catalogue::Catalogue;
pub use credential::{Renewal, Source as CredentialSource};
pub use dialects::{Dialects, HistoryPlace};
pub use engines::{EngineSource, Maker};
pub use mounts::{mount_of, Mount};
pub use names::{Alias, Model};
pub use parse::{parse, ConfigError, Environment};
pub(crate) use providers::is_loopback;
pub use records::{
    Auth, BaseUrl, Budget, CapField, Credential, LongPrompts, Price, Provider, ProviderKind, Rates, Secret, Token,
};
pub use routes::{Patience, Route};
pub use tables::{
    Cache, CacheMode, Deadlines, Idempotency, Limits, Log, LogFormat, LogLevel, Retry, Server, Storage, Strategy,
};
pub(crate) use url::host_and_port;

/// A whole configuration, defaults filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[[providers]]`
    pub providers: Vec<Provider>,
    /// `[[aliases]]`
    pub aliases: Vec<Alias>,
    /// `[[models]]`
    pub models: Vec<Model>,
    /// `[auth]`
    pub auth: Auth,
    /// `[[budgets]]`
    pub budgets: Vec<Budget>,
    /// `[[prices]]`
    pub prices: Vec<Price>,
    /// `[catalogue]`: what the operator adds to what hoosh knows.
    pub catalogue: Catalogue,
    /// `[cache]`
    pub cache: Cache,
    /// `[idempotency]`
    pub idempotency: Idempotency,
    /// `[dialects]`
    pub dialects: Dialects,
    /// `[retry]`
    pub retry: Retry,
    /// `[limits]`
    pub limits: Limits,
    /// `[deadlines]`
    pub deadlines: Deadlines,
    /// `[[routes]]`
    pub routes: Vec<Route>,
    /// `[log]`
    pub log: Log,
    /// `[storage]`
    pub storage: Storage,
    /// Odd but workable, for the operator: a remote provider without a key, and the like. Never holds a secret.
    pub warnings: Vec<String>,
}
