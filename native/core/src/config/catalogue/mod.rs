//! The catalogue: provider types and models as data. What hoosh knows stands in two files, read once; an operator adds to it in `[[catalogue.providers]]` and `[[catalogue.models]]`, with the same keys under the same checks.
//!
//! | File | Holds |
//! | --- | --- |
//! | `catalogue.toml` | what hoosh knows of services and servers |
//! | `models.toml` | what hoosh knows of their models; `scripts/catalogue.py` writes it |
//! | `read` | a catalogue out of TOML |
//! | `model` | what is known of a model |
//! | `told` | a catalogue as JSON |

mod model;
mod read;
mod told;

use std::sync::OnceLock;

use super::candle;
use super::parse::ConfigError;
use super::{BaseUrl, ProviderKind};
use crate::dialects::openai::manners::Manners;
use crate::dialects::passed::Services;
use crate::dialects::Dialect;

pub use model::{KnownModel, KnownPrice, CAPABILITIES, MODALITIES};
pub(super) use read::catalogue;

/// What hoosh knows of services and servers.
const TYPES: &str = include_str!("catalogue.toml");
/// And of their models.
const MODELS: &str = include_str!("models.toml");

/// In which header a provider gets its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthScheme {
    /// `authorization: Bearer …`
    Bearer,
    /// `api-key: …`, as Azure has it.
    ApiKey,
}

impl AuthScheme {
    /// As written in a catalogue.
    pub const WORDS: &'static [(&'static str, AuthScheme)] =
        &[("bearer", AuthScheme::Bearer), ("api_key", AuthScheme::ApiKey)];
}

/// What a `type` stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderType {
    /// The value of `type`, and the default provider name.
    pub name: String,
    /// Other spellings; case, `-` and `_` never matter.
    pub aliases: Vec<String>,
    /// Over HTTP, or an engine.
    pub kind: ProviderKind,
    /// What it speaks, if `dialect` says nothing else.
    pub dialect: Dialect,
    /// Scheme, host and port when no `base_url` is given. `None`: it must be given, or there is none (engines).
    pub origin: Option<String>,
    /// Path prefix of an address that comes without a path.
    pub prefix: String,
    /// Both together.
    pub home: Option<BaseUrl>,
    /// Environment variable that holds the key by the service's own documentation.
    pub key_variable: Option<String>,
    /// How it takes its key. `None`: as its dialect has it.
    pub auth: Option<AuthScheme>,
    /// What it offers beside chat, completions and embeddings.
    pub services: Services,
    /// The names of its quirks ([`crate::dialects::openai::quirks`]).
    pub quirks: Vec<&'static str>,
    /// What they add up to.
    pub manners: Manners,
    /// Runs on the operator's machine: needs no key.
    pub local: bool,
    /// Is looked for on its default port when nothing is configured.
    pub found: bool,
    /// The page that says so.
    pub source: Option<String>,
}

impl ProviderType {
    /// One of which no more than the name is known.
    fn named(name: &str) -> ProviderType {
        ProviderType {
            name: name.to_owned(),
            aliases: Vec::new(),
            kind: ProviderKind::Http,
            dialect: Dialect::OpenAiChat,
            origin: None,
            prefix: Dialect::NEUTRAL.door().prefix.to_owned(),
            home: None,
            key_variable: None,
            auth: None,
            services: Services::NONE,
            quirks: Vec::new(),
            manners: Manners::USUAL,
            local: false,
            found: false,
            source: None,
        }
    }

    /// An engine of this process, which speaks no protocol that a catalogue could describe.
    fn engine(name: &str) -> ProviderType {
        ProviderType { kind: ProviderKind::Engine, local: true, ..ProviderType::named(name) }
    }

    fn is_called(&self, folded: &str) -> bool {
        fold(&self.name) == folded || self.aliases.iter().any(|alias| fold(alias) == folded)
    }
}

/// Provider types and models: hoosh's own, or those that an operator adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    /// Whether what models cost by it counts where `[[prices]]` says nothing. Default true.
    pub prices: bool,
    /// Where the rest of an operator's stands that is told here.
    pub file: Option<String>,
    /// `[[providers]]`
    pub types: Vec<ProviderType>,
    /// `[[models]]`
    pub models: Vec<KnownModel>,
}

impl Default for Catalogue {
    fn default() -> Self {
        Catalogue { prices: true, file: None, types: Vec::new(), models: Vec::new() }
    }
}

impl Catalogue {
    /// What hoosh knows of services and servers, without their models. Read when it is first asked for.
    pub fn built_in() -> &'static Catalogue {
        static BUILT_IN: OnceLock<Catalogue> = OnceLock::new();
        BUILT_IN.get_or_init(|| {
            let read = read::types(TYPES);
            debug_assert!(read.is_ok(), "catalogue.toml, {}", read.unwrap_err());
            let mut read = read.unwrap_or_default();
            read.types.extend([candle::TYPE, "engine"].map(ProviderType::engine));
            read
        })
    }

    /// What hoosh knows of models. Read when it is first asked for, which a gateway of local servers does not.
    pub fn built_in_models() -> &'static [KnownModel] {
        static MODELS_READ: OnceLock<Vec<KnownModel>> = OnceLock::new();
        MODELS_READ.get_or_init(|| {
            let read = read::models(MODELS, types());
            debug_assert!(read.is_ok(), "models.toml, {}", read.unwrap_err());
            read.unwrap_or_default()
        })
    }

    /// The same anew: what is wrong with it, the tests would meet.
    pub fn read_built_in() -> Result<Catalogue, ConfigError> {
        let mut read = read::types(TYPES)?;
        read.models = read::models(MODELS, &read.types)?;
        Ok(read)
    }

    /// The type of this one catalogue that is called `name`, whatever its case, hyphens and underscores.
    pub fn own(&self, name: &str) -> Option<&ProviderType> {
        // Mostly it is the name itself.
        self.types.iter().find(|kind| kind.name == name).or_else(|| {
            let folded = fold(name);
            self.types.iter().find(|kind| kind.is_called(&folded))
        })
    }

    /// The type called `name`: an operator's word goes before hoosh's.
    pub fn find(&self, name: &str) -> Option<&ProviderType> {
        self.own(name).or_else(|| Catalogue::built_in().own(name))
    }

    /// Every type, an operator's before hoosh's, of two of one name the operator's.
    pub fn all(&self) -> impl Iterator<Item = &ProviderType> + Clone {
        let known = Catalogue::built_in().types.iter().filter(|kind| self.own(&kind.name).is_none());
        self.types.iter().chain(known)
    }
}

/// The types that hoosh knows.
pub fn types() -> &'static [ProviderType] {
    &Catalogue::built_in().types
}

/// The one of them that is called `name`, whatever its case, hyphens and underscores.
pub fn find(name: &str) -> Option<&'static ProviderType> {
    Catalogue::built_in().own(name)
}

/// Lower case without `-` and `_`: `Llama-Cpp` and `llama_cpp` are `llamacpp`.
pub(super) fn fold(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect()
}
