//! The keys that a configuration file may hold: one table, from which [`super::parse()`] takes what is known and in which
//! bounds, and from which the JSON Schema is written. The tests hold `hoosh.example.toml` and `docs/config.md` against it.

pub use super::json_schema::json_schema;
use crate::dialects::Dialect;

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
/// `[server]`
pub const SERVER: Section = Section {
    header: "[server]",
    keys: &[
        Key::new(
            "bind",
            Kind::Text,
            Default::Is("\"127.0.0.1\""),
            "Address to listen on. One that others can reach is refused while there are no tokens.",
        ),
        Key::new(
            "port",
            Kind::Integer { least: 0, most: 65_535 },
            Default::Is("8088"),
            "TCP port; 0 lets the system choose.",
        ),
        Key::new(
            "threads",
            Kind::Integer { least: 0, most: 256 },
            Default::Is("0"),
            "Threads that answer callers; 0: one for each core. Read at the start.",
        ),
        Key::new(
            "max_connections",
            Kind::Integer { least: 1, most: 1_000_000 },
            Default::Is("16_384"),
            "Callers' connections at once. Beyond it the one that is idle for the longest is closed, and where none is idle a new one gets 503.",
        ),
        Key::new(
            "max_connections_per_address",
            Kind::Integer { least: 0, most: 1_000_000 },
            Default::Is("0"),
            "The same of one address, where a new one gets 503. 0: no bound, as behind a proxy, whose address all have.",
        ),
        Key::new(
            "strategy",
            Kind::Word(&["priority", "round_robin", "lowest_latency", "direct"]),
            Default::Is("\"priority\""),
            "`priority`, `round_robin`, `lowest_latency` or `direct`.",
        ),
        Key::new("max_body_bytes", BYTES, Default::Is("33_554_432"), "Largest request body that is not streamed."),
        Key::new(
            "max_audio_bytes",
            BYTES,
            Default::Is("52_428_800"),
            "Largest upload of audio or images. It streams through, so that it is not held.",
        ),
        Key::new("max_file_bytes", BYTES, Default::Is("268_435_456"), "Largest upload of a file; streamed too."),
        Key::new(
            "max_buffered_bytes",
            BYTES,
            Default::Is("1_073_741_824"),
            "Largest sum of bodies and answers held at once; beyond it new work gets 503. At least `max_body_bytes`.",
        ),
        Key::new(
            "allowed_hosts",
            Kind::Texts,
            Default::Is("[]"),
            "Names under which it answers without keys, besides this machine's own and `bind`. `*`: any.",
        ),
        Key::new(
            "cors_origins",
            Kind::Texts,
            Default::Is("[]"),
            "Origins of web pages that may ask, such as `https://app.example`; `*`: any. Empty: none.",
        ),
        Key::new(
            "pass_request_headers",
            Kind::Texts,
            Default::Is("[]"),
            "Names of headers that are sent on from callers to providers.",
        ),
        Key::new(
            "pass_response_headers",
            Kind::Texts,
            Default::Is("[]"),
            "Names of headers that are given on from providers to callers.",
        ),
        Key::new(
            "keep_alive_secs",
            PAUSE,
            Default::Is("15"),
            "A stream that says nothing for so long gets a comment, for the sake of proxies in between. 0: never.",
        ),
        Key::new("early_start_secs", PAUSE, Default::Is("0"), "A stream that has no content for so long begins without it; what fails then is told by an event. 0: with its first content."),
        Key::new(
            "settle_secs",
            PAUSE,
            Default::Is("0"),
            "After SIGTERM, how long all is served as before while `/v1/health/ready` says 503.",
        ),
        Key::new(
            "drain_secs",
            PAUSE,
            Default::Is("30"),
            "Then, how long requests in progress may take; after that they end with `draining`.",
        ),
        Key::new(
            "mounts",
            Kind::Section,
            Default::None("none"),
            "ASGI applications that are served below a path beside the gateway, as tables of their own.",
        ),
    ],
};
/// `[[server.mounts]]`
pub const SERVER_MOUNTS: Section = Section {
    header: "[[server.mounts]]",
    keys: &[
        Key::new(
            "path",
            Kind::Text,
            Default::Required,
            "Where its paths begin, such as `/tools`. Not below `/v1`, `/v1beta`, `/v2`, `/api`, `/metrics`, `/health` or `/admin`.",
        ),
        Key::new(
            "app",
            Kind::Text,
            Default::Required,
            "The ASGI application, as `package.module:attribute`. Loaded at the start; it runs on trio.",
        ),
        Key::new(
            "public",
            Kind::Boolean,
            Default::Is("false"),
            "Whether it is reached without a key where `[auth]` has tokens.",
        ),
    ],
};
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
            Kind::Word(&super::candle::DEVICES),
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
/// `[[aliases]]`
pub const ALIASES: Section = Section {
    header: "[[aliases]]",
    keys: &[
        Key::new("name", Kind::Text, Default::Required, "Unique; what callers ask for. May end in `*`."),
        Key::new(
            "models",
            Kind::Texts,
            Default::Required,
            "What it stands for, each as a caller could ask; the next is asked where nobody of the one before can be.",
        ),
    ],
};
/// `[[models]]`
pub const MODELS: Section = Section {
    header: "[[models]]",
    keys: &[
        Key::new("name", Kind::Text, Default::Required, "A model as its provider calls it, or a pattern with `*`."),
        Key::new("provider", Kind::Text, Default::None("every provider"), "The provider that it is of."),
        Key::new("tools", Kind::Boolean, Default::None("not known"), "Whether it takes tools."),
        Key::new("images", Kind::Boolean, Default::None("not known"), "Whether it takes images."),
        Key::new("audio", Kind::Boolean, Default::None("not known"), "Whether it takes or gives audio."),
        Key::new("context_tokens", TOKEN_COUNT, Default::None("not known"), "Input tokens that it holds."),
        Key::new(
            "max_output_tokens",
            TOKEN_COUNT,
            Default::None("not known"),
            "Output tokens that it may be asked for; a larger cap is lowered to it.",
        ),
    ],
};
/// `[[routes]]`
pub const ROUTES: Section = Section {
    header: "[[routes]]",
    keys: &[
        Key::new("model", Kind::Text, Default::Required, "The model's name at its provider, or a prefix that ends in `*`. A name goes before a prefix, a longer prefix before a shorter one."),
        Key::new("connect_secs", SECONDS, Default::None("the provider's"), "To connect to its provider."),
        Key::new("first_byte_secs", SECONDS, Default::None("the provider's"), "To the first byte of its answer."),
        Key::new("idle_secs", SECONDS, Default::None("the provider's"), "Between two reads of its answer."),
        Key::new("total_secs", SECONDS, Default::None("the provider's"), "A whole exchange."),
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
/// `[auth]`
pub const AUTH: Section = Section {
    header: "[auth]",
    keys: &[Key::new(
        "tokens",
        Kind::Tables,
        Default::Is("[]"),
        "Keys that may call: strings, or tables. Empty: anybody who reaches the port.",
    )],
};
/// `[[auth.tokens]]`
pub const TOKENS: Section = Section {
    header: "[[auth.tokens]]",
    keys: &[
        Key::new("token", Kind::Secret, Default::Required, "The key that callers send as `Authorization: Bearer …`."),
        Key::new(
            "name",
            Kind::Text,
            Default::Derived("key-1, key-2, …"),
            "Unique; shown in rows and metrics in the key's place.",
        ),
        Key::new(
            "models",
            Kind::Texts,
            Default::Is("[]"),
            "What it may use: names or patterns of models, alone or as `provider/model`, and names of aliases. Empty: everything.",
        ),
        Key::new(
            "budget",
            Kind::Text,
            Default::None("none"),
            "Budget that it charges; must exist. None: the one the request names, else `default` if there is one.",
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
        Key::new(
            "priority",
            Kind::Word(&["background", "low", "normal", "high", "critical"]),
            Default::Is("\"normal\""),
            "Who goes first where requests wait for a model of this process; `x-hoosh-priority` may lower it.",
        ),
    ],
};
/// `[[budgets]]`
pub const BUDGETS: Section = Section {
    header: "[[budgets]]",
    keys: &[
        Key::new("name", Kind::Text, Default::Required, "Unique. `default` is charged where nothing else is named."),
        Key::new("capacity", TOKEN_COUNT, Default::Required, "Tokens, input and output together; at least 1."),
        Key::new(
            "slice",
            TOKEN_COUNT,
            Default::Derived("capacity / 16, at least 16,384, at most a quarter of the capacity"),
            "Tokens taken from the store at a time: what a crash can leave unspent.",
        ),
    ],
};
/// `[[prices]]`
pub const PRICES: Section = Section {
    header: "[[prices]]",
    keys: &[
        Key::new(
            "model",
            Kind::Text,
            Default::Required,
            "Name of a model at its provider, or a prefix that ends in `*`.",
        ),
        Key::new("provider", Kind::Text, Default::None("every provider"), "Name of the provider whose price it is."),
        input_rate(Default::Required),
        output_rate(Default::Required),
        CACHED_INPUT_RATE,
        CACHE_WRITE_RATE,
        CACHE_WRITE_LONG_RATE,
        LONG_PROMPTS,
    ],
};
/// `long_prompts` of a price
pub const PRICES_LONG_PROMPTS: Section = Section { header: "[prices.long_prompts]", keys: LONG_PROMPTS_KEYS };

const fn input_rate(default: Default) -> Key {
    Key::new("input_usd_per_mtok", Kind::Decimal, default, "USD for a million input tokens, to six places.")
}

const fn output_rate(default: Default) -> Key {
    Key::new("output_usd_per_mtok", Kind::Decimal, default, "USD for a million output tokens.")
}

const CACHED_INPUT_RATE: Key = Key::new(
    "cached_input_usd_per_mtok",
    Kind::Decimal,
    Default::None("as other input"),
    "USD for a million input tokens that the provider had cached.",
);
const CACHE_WRITE_RATE: Key = Key::new(
    "cache_write_usd_per_mtok",
    Kind::Decimal,
    Default::None("as other input"),
    "USD for a million input tokens that the provider puts into its cache.",
);
const CACHE_WRITE_LONG_RATE: Key = Key::new(
    "cache_write_long_usd_per_mtok",
    Kind::Decimal,
    Default::None("as other cache writes"),
    "The same where they are kept for longer than usual: for an hour at Anthropic, for 12 at OpenAI.",
);
const LONG_PROMPTS: Key = Key::new(
    "long_prompts",
    Kind::Section,
    Default::None("the same"),
    "What all tokens of a request with a long prompt cost: a table of its own.",
);
const LONG_PROMPTS_KEYS: &[Key] = &[
    Key::new("above_tokens", TOKEN_COUNT, Default::Required, "Input tokens beyond which a prompt is long."),
    input_rate(Default::Required),
    output_rate(Default::Required),
    CACHED_INPUT_RATE,
    CACHE_WRITE_RATE,
    CACHE_WRITE_LONG_RATE,
];

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
/// `[cache]`
pub const CACHE: Section = Section {
    header: "[cache]",
    keys: &[
        Key::new("enabled", Kind::Boolean, Default::Is("false"), "Whether answers are cached."),
        Key::new("mode", Kind::Word(&["deterministic", "always"]), Default::Is("\"deterministic\""), "`deterministic`: only where the caller asked for a repeatable answer (`temperature` 0, a `seed`, embeddings). `always`: all."),
        Key::new("ttl_secs", SECONDS, Default::Is("300"), "Seconds an entry lives."),
        Key::new("max_entries", BOUND, Default::Is("10_000"), "Entries."),
        Key::new("max_bytes", BYTES, Default::Is("67_108_864"), "Bytes of all entries."),
    ],
};
/// `[idempotency]`
pub const IDEMPOTENCY: Section = Section {
    header: "[idempotency]",
    keys: &[
        Key::new(
            "ttl_secs",
            PAUSE,
            Default::Is("86_400"),
            "Seconds that an answer is remembered under its `Idempotency-Key`. 0: the header is not read.",
        ),
        Key::new("max_entries", BOUND, Default::Is("10_000"), "Answers remembered; the oldest goes first."),
        Key::new("max_bytes", BYTES, Default::Is("67_108_864"), "Bytes of all of them."),
    ],
};
/// `[dialects]`
pub const DIALECTS: Section = Section {
    header: "[dialects]",
    keys: &[
        Key::new(
            "strict",
            Kind::Boolean,
            Default::Is("false"),
            "Refuse a request of which something would be lost between two dialects, as `x-hoosh-strict: true` asks for one. `false`: `x-hoosh-loss` tells.",
        ),
        Key::new(
            "anthropic_version",
            Kind::Text,
            Default::Derived("`ANTHROPIC_API_VERSION`, else 2023-06-01"),
            "`anthropic-version` of requests to Anthropic whose caller names none.",
        ),
        Key::new(
            "history",
            Kind::Word(&["memory", "store"]),
            Default::Is("\"memory\""),
            "Where earlier turns are kept for `previous_response_id` of the Responses API. `store`: in the file of `[storage]` too, prompts and answers, so that a restart forgets none.",
        ),
        Key::new(
            "history_max_bytes",
            Kind::Integer { least: 0, most: i64::MAX },
            Default::Is("67_108_864"),
            "Bytes of turns in memory; the oldest go first. 0: none are kept, in the store neither.",
        ),
        Key::new(
            "history_store_max_bytes",
            BYTES,
            Default::Is("1_073_741_824"),
            "Bytes of turns in the store; the oldest go first.",
        ),
        Key::new(
            "history_ttl_secs",
            SECONDS,
            Default::Is("2_592_000"),
            "Seconds that a turn is kept, in memory and in the store.",
        ),
    ],
};
/// `[retry]`
pub const RETRY: Section = Section {
    header: "[retry]",
    keys: &[
        Key::new(
            "max_attempts",
            Kind::Integer { least: 1, most: 100 },
            Default::Is("3"),
            "Attempts for one request, the first included.",
        ),
        Key::new(
            "base_delay_ms",
            MILLISECONDS,
            Default::Is("250"),
            "Back-off before the same upstream is asked again is drawn from 0 to this, doubled each time.",
        ),
        Key::new("max_delay_ms", MILLISECONDS, Default::Is("8_000"), "Largest back-off; at least `base_delay_ms`."),
        Key::new(
            "budget_percent",
            Kind::Integer { least: 0, most: 100 },
            Default::Is("10"),
            "Retries allowed as a share of all requests.",
        ),
        Key::new(
            "min_per_sec",
            Kind::Integer { least: 0, most: MANY },
            Default::Is("10"),
            "Retries a second allowed whatever the share says.",
        ),
    ],
};
/// `[limits]`
pub const LIMITS: Section = Section {
    header: "[limits]",
    keys: &[
        Key::new("max_concurrency", BOUND, Default::None("no bound"), "Requests at once."),
        Key::new("rate_limit_rpm", BOUND, Default::None("no bound"), "Requests a minute."),
        Key::new("rate_limit_tpm", BOUND, Default::None("no bound"), "Tokens a minute, input and output together."),
        Key::new(
            "max_waiting",
            Kind::Integer { least: 0, most: MANY },
            Default::Is("128"),
            "Callers that may wait at one limit; the next gets 429. 0 refuses at once.",
        ),
        Key::new(
            "wait_secs",
            Kind::Integer { least: 0, most: YEAR_SECS },
            Default::Is("10"),
            "Longest wait for a place.",
        ),
        Key::new(
            "rate_wait_secs",
            Kind::Integer { least: 0, most: YEAR_SECS },
            Default::Is("0"),
            "Longest wait for a turn at requests or tokens a minute; a turn that comes later is refused at once.",
        ),
        Key::new(
            "reserve_output",
            TOKEN_COUNT,
            Default::Is("4_096"),
            "Output tokens reserved, and sent as the cap, under a budget when the caller names none.",
        ),
        Key::new(
            "max_inputs",
            BOUND,
            Default::Is("2_048"),
            "Embedding inputs in one request to a provider; a longer array is asked in slices of so many and joined.",
        ),
    ],
};
/// `[deadlines]`
pub const DEADLINES: Section = Section {
    header: "[deadlines]",
    keys: &[
        Key::new("connect_secs", SECONDS, Default::Is("5"), "To connect to an upstream."),
        Key::new("first_byte_secs", SECONDS, Default::Is("120"), "To write the request, and then again to the first byte of the answer; of an engine, to what it says first."),
        Key::new("idle_secs", SECONDS, Default::Is("60"), "Between two reads of an answer."),
        Key::new("total_secs", SECONDS, Default::Is("600"), "A whole exchange; of a stream, until its first content."),
        Key::new("body_secs", SECONDS, Default::Is("30"), "For the caller's body to arrive."),
        Key::new("caller_stall_secs", SECONDS, Default::Is("60"), "A caller that takes nothing for so long is cut off (under hoosh serve)."),
    ],
};

/// `[log]`
pub const LOG: Section = Section {
    header: "[log]",
    keys: &[
        Key::new(
            "access",
            Kind::Word(&["off", "text", "json"]),
            Default::Is("\"text\""),
            "A line for each request over HTTP: `text`, `json` or `off`.",
        ),
        Key::new(
            "level",
            Kind::Word(&["error", "warn", "info", "debug"]),
            Default::Is("\"info\""),
            "What the gateway says of its own: `error`, `warn`, `info`; `debug` logs requests in process too.",
        ),
        Key::new("file", Kind::Text, Default::None("the standard error"), "File that lines are added to."),
    ],
};
/// `[storage]`
pub const STORAGE: Section = Section {
    header: "[storage]",
    keys: &[
        Key::new(
            "path",
            Kind::Text,
            Default::Derived("`hoosh.db` in the platform's data folder"),
            "File that budgets and the ledger are kept in; `:memory:` keeps nothing.",
        ),
        Key::new(
            "request_days",
            Kind::Integer { least: 0, most: 36_500 },
            Default::Is("30"),
            "Days that records of requests that asked no provider are kept. Ledger rows are kept for ever.",
        ),
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
