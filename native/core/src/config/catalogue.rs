//! The provider types, as data. A new service that speaks a dialect that is known is one row here and nothing else.

use super::{CapField, ProviderKind};
use crate::dialects::passed::Service::{
    self, Files, Images, ModelFiles, Moderations, Rerank, Speech, Transcriptions, Translations,
};
use crate::dialects::passed::Services;
use crate::dialects::Dialect;

/// What a `type` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderType {
    /// The value of `type`, and the default provider name.
    pub name: &'static str,
    /// Other spellings; case, `-` and `_` never matter.
    pub aliases: &'static [&'static str],
    /// Over HTTP, or an engine.
    pub kind: ProviderKind,
    /// What it speaks, if `dialect` says nothing else.
    pub dialect: Dialect,
    /// Scheme, host and port when no `base_url` is given. `None`: it must be given, or there is none (engines).
    pub origin: Option<&'static str>,
    /// Path prefix of an address that comes without a path.
    pub prefix: &'static str,
    /// Environment variable that holds the key by the service's own documentation.
    pub key_variable: Option<&'static str>,
    /// The field that bounds a chat's output.
    pub cap_field: CapField,
    /// Refuses an `x-request-id` that is no UUID: llama-cpp-python's server answers 400 without a word
    /// (starlette-context's `RequestIdPlugin`).
    pub uuid_ids: bool,
    /// What it offers beside chat, completions and embeddings.
    pub services: Services,
    /// Runs on the operator's machine: needs no key, and is looked for when nothing is configured.
    pub local: bool,
}

const fn local(name: &'static str, origin: &'static str) -> ProviderType {
    ProviderType { origin: Some(origin), local: true, ..BASE.named(name) }
}

const fn remote(
    name: &'static str,
    aliases: &'static [&'static str],
    origin: &'static str,
    prefix: &'static str,
    variable: &'static str,
) -> ProviderType {
    ProviderType { aliases, origin: Some(origin), prefix, key_variable: Some(variable), ..BASE.named(name) }
}

const BASE: ProviderType = ProviderType {
    name: "",
    aliases: &[],
    kind: ProviderKind::Http,
    dialect: Dialect::OpenAiChat,
    origin: None,
    prefix: "/v1",
    key_variable: None,
    cap_field: CapField::MaxTokens,
    uuid_ids: false,
    services: Services::NONE,
    local: false,
};

impl ProviderType {
    const fn named(self, name: &'static str) -> Self {
        ProviderType { name, ..self }
    }

    const fn speaks(self, dialect: Dialect) -> Self {
        ProviderType { dialect, ..self }
    }

    const fn offers(self, services: &[Service]) -> Self {
        ProviderType { services: Services::of(services), ..self }
    }

    const fn capped_by_completion(self) -> Self {
        ProviderType { cap_field: CapField::MaxCompletionTokens, ..self }
    }
}

/// Every type. The order is the order in which found providers of equal priority are asked.
pub const TYPES: &[ProviderType] = &[
    local("ollama", "http://localhost:11434").offers(&[ModelFiles]),
    ProviderType { uuid_ids: true, ..local("llamacpp", "http://localhost:8080").offers(&[Rerank]) },
    local("lmstudio", "http://localhost:1234"),
    local("vllm", "http://localhost:8000").offers(&[Rerank, Transcriptions, Translations]),
    local("localai", "http://localhost:8080").offers(&[Rerank, Images, Speech, Transcriptions]),
    remote("openai", &[], "https://api.openai.com", "/v1", "OPENAI_API_KEY").capped_by_completion().offers(&[
        Moderations,
        Images,
        Speech,
        Transcriptions,
        Translations,
        Files,
    ]),
    remote("anthropic", &["claude"], "https://api.anthropic.com", "/v1", "ANTHROPIC_API_KEY")
        .speaks(Dialect::Anthropic),
    remote("gemini", &["google"], "https://generativelanguage.googleapis.com", "/v1beta", "GEMINI_API_KEY")
        .speaks(Dialect::Gemini),
    remote("deepseek", &[], "https://api.deepseek.com", "/v1", "DEEPSEEK_API_KEY"),
    remote("mistral", &[], "https://api.mistral.ai", "/v1", "MISTRAL_API_KEY").offers(&[
        Moderations,
        Transcriptions,
        Files,
    ]),
    remote("groq", &[], "https://api.groq.com", "/openai/v1", "GROQ_API_KEY").offers(&[
        Speech,
        Transcriptions,
        Translations,
        Files,
    ]),
    remote("grok", &["xai"], "https://api.x.ai", "/v1", "XAI_API_KEY").offers(&[Images, Files]),
    remote("openrouter", &[], "https://openrouter.ai", "/api/v1", "OPENROUTER_API_KEY"),
    remote("together", &["togetherai"], "https://api.together.xyz", "/v1", "TOGETHER_API_KEY").offers(&[
        Rerank,
        Images,
        Speech,
        Transcriptions,
        Translations,
    ]),
    remote("fireworks", &["fireworksai"], "https://api.fireworks.ai", "/inference/v1", "FIREWORKS_API_KEY"),
    remote("cerebras", &[], "https://api.cerebras.ai", "/v1", "CEREBRAS_API_KEY").capped_by_completion(),
    remote("nvidia", &["nim"], "https://integrate.api.nvidia.com", "/v1", "NVIDIA_API_KEY"),
    ProviderType { services: Services::ALL, ..BASE.named("openai_compatible") },
    ProviderType { kind: ProviderKind::Engine, local: true, ..BASE.named(super::candle::TYPE) },
    ProviderType { kind: ProviderKind::Engine, local: true, ..BASE.named("engine") },
];

/// The type called `name`, whatever its case, hyphens and underscores.
pub fn find(name: &str) -> Option<&'static ProviderType> {
    let wanted = fold(name);
    TYPES.iter().find(|t| fold(t.name) == wanted || t.aliases.contains(&wanted.as_str()))
}

/// Lower case without `-` and `_`: `Llama-Cpp` and `llama_cpp` are `llamacpp`.
pub(super) fn fold(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect()
}
