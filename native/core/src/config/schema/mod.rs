//! The keys that a configuration file may hold: one table, from which [`super::parse()`] takes what is known and in which
//! bounds, and from which the JSON Schema is written. The tests hold `hoosh.example.toml` and `docs/config.md` against it.
//!
//! Each table of the file stands in the module of its name, with the tables within it.

mod aliases;
mod auth;
mod budgets;
mod cache;
mod catalogue;
mod deadlines;
mod dialects;
mod idempotency;
mod limits;
mod log;
mod models;
mod prices;
mod providers;
mod retry;
mod routes;
mod server;
mod storage;

pub use super::json_schema::json_schema;
pub use aliases::ALIASES;
pub use auth::{AUTH, TOKENS};
pub use budgets::BUDGETS;
pub use cache::CACHE;
pub use catalogue::{
    CATALOGUE, CATALOGUE_FILE, CATALOGUE_MODELS, CATALOGUE_MODELS_LONG_PROMPTS, CATALOGUE_OF_FILE, CATALOGUE_PROVIDERS,
};
pub use deadlines::DEADLINES;
pub use dialects::DIALECTS;
pub use idempotency::IDEMPOTENCY;
pub use limits::LIMITS;
pub use log::LOG;
pub use models::MODELS;
pub use prices::{PRICES, PRICES_LONG_PROMPTS};
pub use providers::{CREDENTIAL, PROVIDERS, PROVIDERS_TLS};
pub use retry::RETRY;
pub use routes::ROUTES;
pub use server::{SERVER, SERVER_MOUNTS};
pub use storage::STORAGE;

/// One table of the file.
#[derive(Debug)]
pub struct Section {
    /// As an operator writes and reads it: `[server]`, `[[providers]]`.
    pub header: &'static str,
    /// Its keys, in the order in which the documentation shows them.
    pub keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// What holds where it is left out.
    pub default: Default,
    /// What it means, in a sentence or two, with its unit.
    pub about: &'static str,
}

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A string that is never shown; `$NAME` takes it from the environment.
    Secret,
    /// A secret that may also be a table of [`CREDENTIAL`]: where it is.
    Credential,
    /// `true` or `false`.
    Boolean,
    /// A whole number within bounds, both included.
    Integer {
        /// The smallest.
        least: i64,
        /// The largest.
        most: i64,
    },
    /// One of these, read without regard to case, `-` and `_`.
    Word(&'static [&'static str]),
    /// A provider type of the catalogue, read alike.
    Type,
    /// An array of strings.
    Texts,
    /// An array of secrets.
    Secrets,
    /// An array of strings or tables, of which a section says what they hold.
    Tables,
    /// A table or several, as the header of their section says.
    Section,
    /// A table of whatever is wanted.
    Table,
    /// A table of texts by names; `$NAME` takes one from the environment.
    Named,
    /// A decimal number, as a number or a string: at least 0, with at most six places.
    Decimal,
}

/// What holds where a key is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// Nothing: it must be given.
    Required,
    /// This, as TOML.
    Is(&'static str),
    /// Something that other keys decide, in words.
    Derived(&'static str),
    /// Nothing, which means what these words say.
    None(&'static str),
}

impl Section {
    /// The key of that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl Key {
    const fn new(name: &'static str, kind: Kind, default: Default, about: &'static str) -> Key {
        Key { name, kind, default, about }
    }

    const fn section(name: &'static str) -> Key {
        Key::new(name, Kind::Section, Default::None("every default"), "A table of its own.")
    }
}

/// A bound on spans of time: a year. Beyond it lies a typing error, and within it microseconds fit every integer used.
const YEAR_SECS: i64 = 31_536_000;
/// What one counter of 32 bits can count.
const MANY: i64 = u32::MAX as i64;
const SECONDS: Kind = Kind::Integer { least: 1, most: YEAR_SECS };
const PAUSE: Kind = Kind::Integer { least: 0, most: YEAR_SECS };
const MILLISECONDS: Kind = Kind::Integer { least: 0, most: YEAR_SECS };
const BYTES: Kind = Kind::Integer { least: 1, most: i64::MAX };
const TOKEN_COUNT: Kind = Kind::Integer { least: 1, most: i64::MAX };
const BOUND: Kind = Kind::Integer { least: 1, most: MANY };

/// The tables themselves.
pub const TOP: Section = Section {
    header: "the file",
    keys: &[
        Key::section("server"),
        Key::section("providers"),
        Key::section("aliases"),
        Key::section("models"),
        Key::section("auth"),
        Key::section("budgets"),
        Key::section("prices"),
        Key::section("catalogue"),
        Key::section("cache"),
        Key::section("idempotency"),
        Key::section("dialects"),
        Key::section("retry"),
        Key::section("limits"),
        Key::section("deadlines"),
        Key::section("routes"),
        Key::section("log"),
        Key::section("storage"),
    ],
};

/// Every section but [`TOP`].
pub const SECTIONS: &[&Section] = &[
    &SERVER,
    &SERVER_MOUNTS,
    &PROVIDERS,
    &PROVIDERS_TLS,
    &ALIASES,
    &MODELS,
    &AUTH,
    &TOKENS,
    &BUDGETS,
    &PRICES,
    &PRICES_LONG_PROMPTS,
    &CATALOGUE,
    &CATALOGUE_PROVIDERS,
    &CATALOGUE_MODELS,
    &CATALOGUE_MODELS_LONG_PROMPTS,
    &CACHE,
    &IDEMPOTENCY,
    &DIALECTS,
    &RETRY,
    &LIMITS,
    &DEADLINES,
    &ROUTES,
    &LOG,
    &STORAGE,
];
