//! `[[providers]]`, what belongs to a provider, and what a credential may be.

use super::{Default, Key, Kind, Section, BOUND, SECONDS};
use crate::config::candle::DEVICES;
use crate::dialects::Dialect;

/// `[[providers]]`
pub const PROVIDERS: Section = Section {
    header: "[[providers]]",
    keys: &[
        Key::new(
            "type",
            Kind::Type,
            Default::Required,
            "One of the types, or `python:module:Name` for an engine that is made so, or a type that an installed package offers.",
        ),
        Key::new(
            "name",
            Kind::Text,
            Default::Derived("the type"),
            "Unique, 1 to 64 of the letters, digits and `-_.:@`. The prefix in `provider/model`.",
        ),
        Key::new(
            "base_url",
            Kind::Text,
            Default::Derived("the type's"),
            "`http` or `https`, host, port, path. No credentials, query or fragment; IPv6 in brackets.",
        ),
        Key::new(
            "dialect",
            Kind::Word(Dialect::NAMES),
            Default::Derived("the type's"),
            "The wire protocol that it speaks. `ollama`: its own API in place of its OpenAI interface; `openai_responses`: the Responses API in place of chat completions.",
        ),
        Key::new(
            "api_key",
            Kind::Credential,
            Default::Derived("the type's variable"),
            "Sent as `Authorization: Bearer …`, or in the header that the dialect has for it. Text, `$NAME`, or a table with `file` or `command`, which is read again.",
        ),
        Key::new(
            "api_keys",
            Kind::Secrets,
            Default::None("none"),
            "Several keys in place of `api_key`, at most 64, asked in turn; each has its own quota and health.",
        ),
        Key::new(
            "priority",
            Kind::Integer { least: -1_000_000, most: 1_000_000 },
            Default::Is("10"),
            "Lower is asked first, equals in the order of the file.",
        ),
        Key::new(
            "models",
            Kind::Texts,
            Default::Is("[]"),
            "Names, or patterns in which `*` is any text. Empty: every model.",
        ),
        Key::new("max_concurrency", BOUND, Default::None("no bound"), "Requests at once."),
        Key::new("rate_limit_rpm", BOUND, Default::None("no bound"), "Requests a minute."),
        Key::new("rate_limit_tpm", BOUND, Default::None("no bound"), "Tokens a minute, input and output together."),
        Key::new(
            "max_tokens_limit",
            BOUND,
            Default::None("no bound"),
            "Most output tokens for each choice: sent as the cap where the caller names more, or none.",
        ),
        Key::new("headers", Kind::Named, Default::None("none"), "Headers that every request to it says."),
        Key::new(
            "tls",
            Kind::Section,
            Default::None("the system's authorities, and no certificate of one's own"),
            "What TLS to it must be like, as a table of its own.",
        ),
        Key::new(
            "options",
            Kind::Table,
            Default::None("none"),
            "What an engine of `python:module:Name` or of a package is made with, as it stands here.",
        ),
        Key::new(
            "files",
            Kind::Named,
            Default::None("the demonstration model `hoosh-tiny`"),
            "Of `candle`: the models that this process computes, and the file or folder of each; `$NAME` takes one from the environment.",
        ),
        Key::new(
            "device",
            Kind::Word(&DEVICES),
            Default::None("`auto`"),
            "Of `candle`: what computes its models. `auto`: a graphics card where hoosh was built for one and one is there, else the processor.",
        ),
        Key::new(
            "context_tokens",
            Kind::Integer { least: 16, most: 16_777_216 },
            Default::None("what each model was made for"),
            "Of `candle`: tokens of prompt and answer together.",
        ),
        Key::new(
            "max_sequences",
            Kind::Integer { least: 1, most: 64 },
            Default::None("4"),
            "Of `candle`: answers that a model computes at once.",
        ),
        Key::new(
            "cache_bytes",
            Kind::Integer { least: 1_048_576, most: i64::MAX },
            Default::None("1 GiB"),
            "Of `candle`: memory for what a model keeps of the texts that it works on, for each model.",
        ),
        Key::new(
            "memory_bytes",
            Kind::Integer { least: 1_048_576, most: i64::MAX },
            Default::None("no bound"),
            "Of `candle`: memory for the weights of all its models; the one that was asked least lately goes first.",
        ),
        Key::new(
            "idle_unload_secs",
            Kind::Integer { least: 1, most: 31_536_000 },
            Default::None("never"),
            "Of `candle`: after how long a model leaves memory that nobody asks.",
        ),
        Key::new("connect_secs", SECONDS, Default::None("that of `[deadlines]`"), "To connect to it."),
        Key::new("first_byte_secs", SECONDS, Default::None("that of `[deadlines]`"), "To its first byte."),
        Key::new("idle_secs", SECONDS, Default::None("that of `[deadlines]`"), "Between two reads of its answer."),
        Key::new("total_secs", SECONDS, Default::None("that of `[deadlines]`"), "A whole exchange, while it is asked."),
    ],
};
/// `[providers.tls]`
pub const PROVIDERS_TLS: Section = Section {
    header: "[providers.tls]",
    keys: &[
        Key::new(
            "ca_file",
            Kind::Text,
            Default::None("the system's authorities"),
            "File in PEM of the only authorities that may vouch for it.",
        ),
        Key::new(
            "client_cert_file",
            Kind::Text,
            Default::None("none is shown"),
            "File in PEM of the certificate that is shown to it, with those between it and its authority.",
        ),
        Key::new(
            "client_key_file",
            Kind::Text,
            Default::Derived("`client_cert_file`"),
            "File in PEM of that certificate's private key, without a passphrase.",
        ),
        Key::new(
            "pins",
            Kind::Texts,
            Default::Is("[]"),
            "Public keys of which its own certificate must have one: SHA-256 in base64. Empty: any that an authority vouches for.",
        ),
    ],
};

/// A credential that is neither in the file nor in the environment, in place of its text.
pub const CREDENTIAL: Section = Section {
    header: "a credential",
    keys: &[
        Key::new("file", Kind::Text, Default::None("none"), "Path of a file that holds it."),
        Key::new(
            "command",
            Kind::Texts,
            Default::None("none"),
            "A program and its arguments, run without a shell, that prints it within 10 seconds.",
        ),
        Key::new(
            "refresh_secs",
            SECONDS,
            Default::None("read again only when the provider refuses it"),
            "It is read again so often, besides whenever the provider refuses it.",
        ),
    ],
};
