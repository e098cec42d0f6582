//! `[catalogue]` and its tables.

use super::prices::{
    input_rate, output_rate, CACHED_INPUT_RATE, CACHE_WRITE_LONG_RATE, CACHE_WRITE_RATE, LONG_PROMPTS,
    LONG_PROMPTS_KEYS,
};
use super::{Default, Key, Kind, Section, TOKEN_COUNT};
use crate::dialects::Dialect;

/// `[catalogue]`
pub const CATALOGUE: Section = Section {
    header: "[catalogue]",
    keys: &[
        Key::new(
            "prices",
            Kind::Boolean,
            Default::Is("true"),
            "Whether the catalogue's prices count where `[[prices]]` says nothing.",
        ),
        Key::new(
            "file",
            Kind::Text,
            Default::None("none"),
            "A file of TOML with more `[[catalogue.providers]]` and `[[catalogue.models]]`, found beside this one.",
        ),
        Key::section("providers"),
        Key::section("models"),
    ],
};
/// The file that `[catalogue]` names.
pub const CATALOGUE_FILE: Section = Section { header: "a catalogue's file", keys: &[Key::section("catalogue")] };
/// `[catalogue]` of it.
pub const CATALOGUE_OF_FILE: Section =
    Section { header: "[catalogue] of a catalogue's file", keys: &[Key::section("providers"), Key::section("models")] };
/// `[[catalogue.providers]]`
pub const CATALOGUE_PROVIDERS: Section = Section {
    header: "[[catalogue.providers]]",
    keys: &[
        Key::new(
            "name",
            Kind::Text,
            Default::Required,
            "What `type` says, and the default name of its providers. One that hoosh knows takes the place of it.",
        ),
        Key::new("aliases", Kind::Texts, Default::Is("[]"), "Other names for it. Case, `-` and `_` never matter."),
        Key::new("dialect", Kind::Word(Dialect::NAMES), Default::Is("\"openai_chat\""), "The wire protocol that it speaks."),
        Key::new(
            "origin",
            Kind::Text,
            Default::None("each provider of the type needs a `base_url`"),
            "Scheme, host and port: where it is, and the only place that the key of `key_variable` goes to of its own accord.",
        ),
        Key::new(
            "prefix",
            Kind::Text,
            Default::Derived("the dialect's, `/v1` mostly"),
            "The path before those of the protocol; empty for none.",
        ),
        Key::new(
            "key_variable",
            Kind::Text,
            Default::None("it has no key of its own accord"),
            "The environment variable with its key.",
        ),
        Key::new(
            "auth",
            Kind::Word(&["bearer", "api_key"]),
            Default::Derived("as the dialect has it"),
            "`bearer`: the key goes into `authorization: Bearer …`. `api_key`: into `api-key`, as Azure has it.",
        ),
        Key::new(
            "services",
            Kind::Texts,
            Default::Is("[]"),
            "What it offers beside chat, completions and embeddings: `moderations`, `rerank`, `images`, `speech`, `transcriptions`, `translations`, `files`, `model_files`.",
        ),
        Key::new(
            "quirks",
            Kind::Texts,
            Default::Is("[]"),
            "What it does otherwise than most, by name. Of two about the same member the later counts.",
        ),
        Key::new("local", Kind::Boolean, Default::Is("false"), "It runs on this machine and needs no key."),
        Key::new(
            "found",
            Kind::Boolean,
            Default::Is("false"),
            "It is looked for where there is no configuration. That is for hoosh's own catalogue: where yours is, there is one.",
        ),
        Key::new("source", Kind::Text, Default::None("none"), "The page that says so."),
    ],
};
/// `[[catalogue.models]]`
pub const CATALOGUE_MODELS: Section = Section {
    header: "[[catalogue.models]]",
    keys: &[
        Key::new("provider", Kind::Text, Default::Required, "The type of its providers."),
        Key::new(
            "name",
            Kind::Text,
            Default::Required,
            "As it is asked for there, or a prefix that ends in `*`. One that hoosh knows is described anew.",
        ),
        Key::new("context_tokens", TOKEN_COUNT, Default::None("not known"), "Input tokens that it holds."),
        Key::new("max_output_tokens", TOKEN_COUNT, Default::None("not known"), "Output tokens that it may be asked for."),
        Key::new(
            "modalities",
            Kind::Texts,
            Default::Is("[]"),
            "What it takes: `text`, `image`, `audio`, `video`, `pdf`. Of what is not listed nothing is known.",
        ),
        Key::new(
            "capabilities",
            Kind::Texts,
            Default::Is("[]"),
            "What it does: `chat`, `embeddings`, `tools`, `structured_output`, `reasoning`. Of what is not listed nothing is known.",
        ),
        input_rate(Default::None("the price is not known")),
        output_rate(Default::None("the price is not known")),
        CACHED_INPUT_RATE,
        CACHE_WRITE_RATE,
        CACHE_WRITE_LONG_RATE,
        LONG_PROMPTS,
        Key::new("as_of", Kind::Text, Default::None("none"), "The day on which all that was so, such as `2026-11-27`."),
        Key::new("source", Kind::Text, Default::None("none"), "The page that says so."),
    ],
};
/// `long_prompts` of a model's price
pub const CATALOGUE_MODELS_LONG_PROMPTS: Section =
    Section { header: "[catalogue.models.long_prompts]", keys: LONG_PROMPTS_KEYS };
