"""The keys of the configuration as types, for editors and type checkers. Written by scripts/keys.py: `make keys`."""

from collections.abc import Mapping, Sequence
from typing import Literal, Required, TypedDict


class CredentialKeys(TypedDict, total=False):
    """Keys of a credential."""

    file: str
    """Path of a file that holds it. Left out: none."""

    command: Sequence[str]
    """A program and its arguments, run without a shell, that prints it within 10 seconds. Left out: none."""

    refresh_secs: int
    """It is read again so often, besides whenever the provider refuses it. Left out: read again only when the provider refuses it."""


class ServerKeys(TypedDict, total=False):
    """Keys of `[server]`."""

    bind: str
    """Address to listen on. One that others can reach is refused while there are no tokens. Left out: "127.0.0.1"."""

    port: int
    """TCP port; 0 lets the system choose. Left out: 8088."""

    threads: int
    """Threads that answer callers; 0: one for each core. Read at the start. Left out: 0."""

    max_connections: int
    """Callers' connections at once. Beyond it the one that is idle for the longest is closed, and where none is idle a new one gets 503. Left out: 16_384."""

    max_connections_per_address: int
    """The same of one address, where a new one gets 503. 0: no bound, as behind a proxy, whose address all have. Left out: 0."""

    strategy: Literal["priority", "round_robin", "lowest_latency", "direct"]
    """`priority`, `round_robin`, `lowest_latency` or `direct`. Left out: "priority"."""

    max_body_bytes: int
    """Largest request body that is not streamed. Left out: 33_554_432."""

    max_audio_bytes: int
    """Largest upload of audio or images. It streams through, so that it is not held. Left out: 52_428_800."""

    max_file_bytes: int
    """Largest upload of a file; streamed too. Left out: 268_435_456."""

    max_buffered_bytes: int
    """Largest sum of bodies and answers held at once; beyond it new work gets 503. At least `max_body_bytes`. Left out: 1_073_741_824."""

    allowed_hosts: Sequence[str]
    """Names under which it answers without keys, besides this machine's own and `bind`. `*`: any. Left out: []."""

    cors_origins: Sequence[str]
    """Origins of web pages that may ask, such as `https://app.example`; `*`: any. Empty: none. Left out: []."""

    pass_request_headers: Sequence[str]
    """Names of headers that are sent on from callers to providers. Left out: []."""

    pass_response_headers: Sequence[str]
    """Names of headers that are given on from providers to callers. Left out: []."""

    keep_alive_secs: int
    """A stream that says nothing for so long gets a comment, for the sake of proxies in between. 0: never. Left out: 15."""

    early_start_secs: int
    """A stream that has no content for so long begins without it; what fails then is told by an event. 0: with its first content. Left out: 0."""

    settle_secs: int
    """After SIGTERM, how long all is served as before while `/v1/health/ready` says 503. Left out: 0."""

    drain_secs: int
    """Then, how long requests in progress may take; after that they end with `draining`. Left out: 30."""

    mounts: Sequence["MountKeys"]
    """ASGI applications that are served below a path beside the gateway, as tables of their own. Left out: none."""


class MountKeys(TypedDict, total=False):
    """Keys of `[[server.mounts]]`."""

    path: Required[str]
    """Where its paths begin, such as `/tools`. Not below `/v1`, `/v1beta`, `/v2`, `/api`, `/metrics`, `/health` or `/admin`."""

    app: Required[str]
    """The ASGI application, as `package.module:attribute`. Loaded at the start; it runs on trio."""

    public: bool
    """Whether it is reached without a key where `[auth]` has tokens. Left out: false."""


class ProviderKeys(TypedDict, total=False):
    """Keys of `[[providers]]`."""

    type: Required[str]
    """One of the types, or `python:module:Name` for an engine that is made so, or a type that an installed package offers."""

    name: str
    """Unique, 1 to 64 of the letters, digits and `-_.:@`. The prefix in `provider/model`. Left out: the type."""

    base_url: str
    """`http` or `https`, host, port, path. No credentials, query or fragment; IPv6 in brackets. Left out: the type's."""

    dialect: Literal["openai_chat", "openai_responses", "anthropic", "gemini", "ollama"]
    """The wire protocol that it speaks. `ollama`: its own API in place of its OpenAI interface; `openai_responses`: the Responses API in place of chat completions. Left out: the type's."""

    api_key: str | CredentialKeys
    """Sent as `Authorization: Bearer …`, or in the header that the dialect has for it. Text, `$NAME`, or a table with `file` or `command`, which is read again. Left out: the type's variable."""

    api_keys: Sequence[str | CredentialKeys]
    """Several keys in place of `api_key`, at most 64, asked in turn; each has its own quota and health. Left out: none."""

    priority: int
    """Lower is asked first, equals in the order of the file. Left out: 10."""

    models: Sequence[str]
    """Names, or patterns in which `*` is any text. Empty: every model. Left out: []."""

    max_concurrency: int
    """Requests at once. Left out: no bound."""

    rate_limit_rpm: int
    """Requests a minute. Left out: no bound."""

    rate_limit_tpm: int
    """Tokens a minute, input and output together. Left out: no bound."""

    max_tokens_limit: int
    """Most output tokens for each choice: sent as the cap where the caller names more, or none. Left out: no bound."""

    headers: Mapping[str, str]
    """Headers that every request to it says. Left out: none."""

    tls: "TlsKeys"
    """What TLS to it must be like, as a table of its own. Left out: the system's authorities, and no certificate of one's own."""

    options: Mapping[str, object]
    """What an engine of `python:module:Name` or of a package is made with, as it stands here. Left out: none."""

    files: Mapping[str, str]
    """Of `candle`: the models that this process computes, and the file or folder of each; `$NAME` takes one from the environment. Left out: the demonstration model `hoosh-tiny`."""

    device: Literal["auto", "cpu", "cuda", "metal"]
    """Of `candle`: what computes its models. `auto`: a graphics card where hoosh was built for one and one is there, else the processor. Left out: `auto`."""

    context_tokens: int
    """Of `candle`: tokens of prompt and answer together. Left out: what each model was made for."""

    max_sequences: int
    """Of `candle`: answers that a model computes at once. Left out: 4."""

    cache_bytes: int
    """Of `candle`: memory for what a model keeps of the texts that it works on, for each model. Left out: 1 GiB."""

    memory_bytes: int
    """Of `candle`: memory for the weights of all its models; the one that was asked least lately goes first. Left out: no bound."""

    idle_unload_secs: int
    """Of `candle`: after how long a model leaves memory that nobody asks. Left out: never."""

    connect_secs: int
    """To connect to it. Left out: that of `[deadlines]`."""

    first_byte_secs: int
    """To its first byte. Left out: that of `[deadlines]`."""

    idle_secs: int
    """Between two reads of its answer. Left out: that of `[deadlines]`."""

    total_secs: int
    """A whole exchange, while it is asked. Left out: that of `[deadlines]`."""


class TlsKeys(TypedDict, total=False):
    """Keys of `[providers.tls]`."""

    ca_file: str
    """File in PEM of the only authorities that may vouch for it. Left out: the system's authorities."""

    client_cert_file: str
    """File in PEM of the certificate that is shown to it, with those between it and its authority. Left out: none is shown."""

    client_key_file: str
    """File in PEM of that certificate's private key, without a passphrase. Left out: `client_cert_file`."""

    pins: Sequence[str]
    """Public keys of which its own certificate must have one: SHA-256 in base64. Empty: any that an authority vouches for. Left out: []."""


class AliasKeys(TypedDict, total=False):
    """Keys of `[[aliases]]`."""

    name: Required[str]
    """Unique; what callers ask for. May end in `*`."""

    models: Required[Sequence[str]]
    """What it stands for, each as a caller could ask; the next is asked where nobody of the one before can be."""


class ModelKeys(TypedDict, total=False):
    """Keys of `[[models]]`."""

    name: Required[str]
    """A model as its provider calls it, or a pattern with `*`."""

    provider: str
    """The provider that it is of. Left out: every provider."""

    tools: bool
    """Whether it takes tools. Left out: not known."""

    images: bool
    """Whether it takes images. Left out: not known."""

    audio: bool
    """Whether it takes or gives audio. Left out: not known."""

    context_tokens: int
    """Input tokens that it holds. Left out: not known."""

    max_output_tokens: int
    """Output tokens that it may be asked for; a larger cap is lowered to it. Left out: not known."""


class AuthKeys(TypedDict, total=False):
    """Keys of `[auth]`."""

    tokens: Sequence[str | Mapping[str, object]]
    """Keys that may call: strings, or tables. Empty: anybody who reaches the port. Left out: []."""


class TokenKeys(TypedDict, total=False):
    """Keys of `[[auth.tokens]]`."""

    token: Required[str]
    """The key that callers send as `Authorization: Bearer …`."""

    name: str
    """Unique; shown in rows and metrics in the key's place. Left out: key-1, key-2, …."""

    models: Sequence[str]
    """What it may use: names or patterns of models, alone or as `provider/model`, and names of aliases. Empty: everything. Left out: []."""

    budget: str
    """Budget that it charges; must exist. None: the one the request names, else `default` if there is one. Left out: none."""

    max_concurrency: int
    """Requests at once. Left out: no bound."""

    rate_limit_rpm: int
    """Requests a minute. Left out: no bound."""

    rate_limit_tpm: int
    """Tokens a minute, input and output together. Left out: no bound."""

    max_tokens_limit: int
    """Most output tokens for each choice: sent as the cap where the caller names more, or none. Left out: no bound."""

    priority: Literal["background", "low", "normal", "high", "critical"]
    """Who goes first where requests wait for a model of this process; `x-hoosh-priority` may lower it. Left out: "normal"."""


class BudgetKeys(TypedDict, total=False):
    """Keys of `[[budgets]]`."""

    name: Required[str]
    """Unique. `default` is charged where nothing else is named."""

    capacity: Required[int]
    """Tokens, input and output together; at least 1."""

    slice: int
    """Tokens taken from the store at a time: what a crash can leave unspent. Left out: capacity / 16, at least 16,384, at most a quarter of the capacity."""


class PriceKeys(TypedDict, total=False):
    """Keys of `[[prices]]`."""

    model: Required[str]
    """Name of a model at its provider, or a prefix that ends in `*`."""

    provider: str
    """Name of the provider whose price it is. Left out: every provider."""

    input_usd_per_mtok: Required[str | int | float]
    """USD for a million input tokens, to six places."""

    output_usd_per_mtok: Required[str | int | float]
    """USD for a million output tokens."""

    cached_input_usd_per_mtok: str | int | float
    """USD for a million input tokens that the provider had cached. Left out: as other input."""

    cache_write_usd_per_mtok: str | int | float
    """USD for a million input tokens that the provider puts into its cache. Left out: as other input."""

    cache_write_long_usd_per_mtok: str | int | float
    """The same where they are kept for longer than usual: for an hour at Anthropic, for 12 at OpenAI. Left out: as other cache writes."""

    long_prompts: "PricesLongPromptsKeys"
    """What all tokens of a request with a long prompt cost: a table of its own. Left out: the same."""


class PricesLongPromptsKeys(TypedDict, total=False):
    """Keys of `[prices.long_prompts]`."""

    above_tokens: Required[int]
    """Input tokens beyond which a prompt is long."""

    input_usd_per_mtok: Required[str | int | float]
    """USD for a million input tokens, to six places."""

    output_usd_per_mtok: Required[str | int | float]
    """USD for a million output tokens."""

    cached_input_usd_per_mtok: str | int | float
    """USD for a million input tokens that the provider had cached. Left out: as other input."""

    cache_write_usd_per_mtok: str | int | float
    """USD for a million input tokens that the provider puts into its cache. Left out: as other input."""

    cache_write_long_usd_per_mtok: str | int | float
    """The same where they are kept for longer than usual: for an hour at Anthropic, for 12 at OpenAI. Left out: as other cache writes."""


class CatalogueKeys(TypedDict, total=False):
    """Keys of `[catalogue]`."""

    prices: bool
    """Whether the catalogue's prices count where `[[prices]]` says nothing. Left out: true."""

    file: str
    """A file of TOML with more `[[catalogue.providers]]` and `[[catalogue.models]]`, found beside this one. Left out: none."""

    providers: Sequence["CatalogueProviderKeys"]
    """A table of its own. Left out: every default."""

    models: Sequence["CatalogueModelKeys"]
    """A table of its own. Left out: every default."""


class CatalogueProviderKeys(TypedDict, total=False):
    """Keys of `[[catalogue.providers]]`."""

    name: Required[str]
    """What `type` says, and the default name of its providers. One that hoosh knows takes the place of it."""

    aliases: Sequence[str]
    """Other names for it. Case, `-` and `_` never matter. Left out: []."""

    dialect: Literal["openai_chat", "openai_responses", "anthropic", "gemini", "ollama"]
    """The wire protocol that it speaks. Left out: "openai_chat"."""

    origin: str
    """Scheme, host and port: where it is, and the only place that the key of `key_variable` goes to of its own accord. Left out: each provider of the type needs a `base_url`."""

    prefix: str
    """The path before those of the protocol; empty for none. Left out: the dialect's, `/v1` mostly."""

    key_variable: str
    """The environment variable with its key. Left out: it has no key of its own accord."""

    auth: Literal["bearer", "api_key"]
    """`bearer`: the key goes into `authorization: Bearer …`. `api_key`: into `api-key`, as Azure has it. Left out: as the dialect has it."""

    services: Sequence[str]
    """What it offers beside chat, completions and embeddings: `moderations`, `rerank`, `images`, `speech`, `transcriptions`, `translations`, `files`, `model_files`. Left out: []."""

    quirks: Sequence[str]
    """What it does otherwise than most, by name. Of two about the same member the later counts. Left out: []."""

    local: bool
    """It runs on this machine and needs no key. Left out: false."""

    found: bool
    """It is looked for where there is no configuration. That is for hoosh's own catalogue: where yours is, there is one. Left out: false."""

    source: str
    """The page that says so. Left out: none."""


class CatalogueModelKeys(TypedDict, total=False):
    """Keys of `[[catalogue.models]]`."""

    provider: Required[str]
    """The type of its providers."""

    name: Required[str]
    """As it is asked for there, or a prefix that ends in `*`. One that hoosh knows is described anew."""

    context_tokens: int
    """Input tokens that it holds. Left out: not known."""

    max_output_tokens: int
    """Output tokens that it may be asked for. Left out: not known."""

    modalities: Sequence[str]
    """What it takes: `text`, `image`, `audio`, `video`, `pdf`. Of what is not listed nothing is known. Left out: []."""

    capabilities: Sequence[str]
    """What it does: `chat`, `embeddings`, `tools`, `structured_output`, `reasoning`. Of what is not listed nothing is known. Left out: []."""

    input_usd_per_mtok: str | int | float
    """USD for a million input tokens, to six places. Left out: the price is not known."""

    output_usd_per_mtok: str | int | float
    """USD for a million output tokens. Left out: the price is not known."""

    cached_input_usd_per_mtok: str | int | float
    """USD for a million input tokens that the provider had cached. Left out: as other input."""

    cache_write_usd_per_mtok: str | int | float
    """USD for a million input tokens that the provider puts into its cache. Left out: as other input."""

    cache_write_long_usd_per_mtok: str | int | float
    """The same where they are kept for longer than usual: for an hour at Anthropic, for 12 at OpenAI. Left out: as other cache writes."""

    long_prompts: "CatalogueModelsLongPromptsKeys"
    """What all tokens of a request with a long prompt cost: a table of its own. Left out: the same."""

    as_of: str
    """The day on which all that was so, such as `2026-11-27`. Left out: none."""

    source: str
    """The page that says so. Left out: none."""


class CatalogueModelsLongPromptsKeys(TypedDict, total=False):
    """Keys of `[catalogue.models.long_prompts]`."""

    above_tokens: Required[int]
    """Input tokens beyond which a prompt is long."""

    input_usd_per_mtok: Required[str | int | float]
    """USD for a million input tokens, to six places."""

    output_usd_per_mtok: Required[str | int | float]
    """USD for a million output tokens."""

    cached_input_usd_per_mtok: str | int | float
    """USD for a million input tokens that the provider had cached. Left out: as other input."""

    cache_write_usd_per_mtok: str | int | float
    """USD for a million input tokens that the provider puts into its cache. Left out: as other input."""

    cache_write_long_usd_per_mtok: str | int | float
    """The same where they are kept for longer than usual: for an hour at Anthropic, for 12 at OpenAI. Left out: as other cache writes."""


class CacheKeys(TypedDict, total=False):
    """Keys of `[cache]`."""

    enabled: bool
    """Whether answers are cached. Left out: false."""

    mode: Literal["deterministic", "always"]
    """`deterministic`: only where the caller asked for a repeatable answer (`temperature` 0, a `seed`, embeddings). `always`: all. Left out: "deterministic"."""

    ttl_secs: int
    """Seconds an entry lives. Left out: 300."""

    max_entries: int
    """Entries. Left out: 10_000."""

    max_bytes: int
    """Bytes of all entries. Left out: 67_108_864."""


class IdempotencyKeys(TypedDict, total=False):
    """Keys of `[idempotency]`."""

    ttl_secs: int
    """Seconds that an answer is remembered under its `Idempotency-Key`. 0: the header is not read. Left out: 86_400."""

    max_entries: int
    """Answers remembered; the oldest goes first. Left out: 10_000."""

    max_bytes: int
    """Bytes of all of them. Left out: 67_108_864."""


class DialectsKeys(TypedDict, total=False):
    """Keys of `[dialects]`."""

    strict: bool
    """Refuse a request of which something would be lost between two dialects, as `x-hoosh-strict: true` asks for one. `false`: `x-hoosh-loss` tells. Left out: false."""

    anthropic_version: str
    """`anthropic-version` of requests to Anthropic whose caller names none. Left out: `ANTHROPIC_API_VERSION`, else 2023-06-01."""

    history: Literal["memory", "store"]
    """Where earlier turns are kept for `previous_response_id` of the Responses API. `store`: in the file of `[storage]` too, prompts and answers, so that a restart forgets none. Left out: "memory"."""

    history_max_bytes: int
    """Bytes of turns in memory; the oldest go first. 0: none are kept, in the store neither. Left out: 67_108_864."""

    history_store_max_bytes: int
    """Bytes of turns in the store; the oldest go first. Left out: 1_073_741_824."""

    history_ttl_secs: int
    """Seconds that a turn is kept, in memory and in the store. Left out: 2_592_000."""


class RetryKeys(TypedDict, total=False):
    """Keys of `[retry]`."""

    max_attempts: int
    """Attempts for one request, the first included. Left out: 3."""

    base_delay_ms: int
    """Back-off before the same upstream is asked again is drawn from 0 to this, doubled each time. Left out: 250."""

    max_delay_ms: int
    """Largest back-off; at least `base_delay_ms`. Left out: 8_000."""

    budget_percent: int
    """Retries allowed as a share of all requests. Left out: 10."""

    min_per_sec: int
    """Retries a second allowed whatever the share says. Left out: 10."""


class LimitsKeys(TypedDict, total=False):
    """Keys of `[limits]`."""

    max_concurrency: int
    """Requests at once. Left out: no bound."""

    rate_limit_rpm: int
    """Requests a minute. Left out: no bound."""

    rate_limit_tpm: int
    """Tokens a minute, input and output together. Left out: no bound."""

    max_waiting: int
    """Callers that may wait at one limit; the next gets 429. 0 refuses at once. Left out: 128."""

    wait_secs: int
    """Longest wait for a place. Left out: 10."""

    rate_wait_secs: int
    """Longest wait for a turn at requests or tokens a minute; a turn that comes later is refused at once. Left out: 0."""

    reserve_output: int
    """Output tokens reserved, and sent as the cap, under a budget when the caller names none. Left out: 4_096."""

    max_inputs: int
    """Embedding inputs in one request to a provider; a longer array is asked in slices of so many and joined. Left out: 2_048."""


class DeadlinesKeys(TypedDict, total=False):
    """Keys of `[deadlines]`."""

    connect_secs: int
    """To connect to an upstream. Left out: 5."""

    first_byte_secs: int
    """To write the request, and then again to the first byte of the answer; of an engine, to what it says first. Left out: 120."""

    idle_secs: int
    """Between two reads of an answer. Left out: 60."""

    total_secs: int
    """A whole exchange; of a stream, until its first content. Left out: 600."""

    body_secs: int
    """For the caller's body to arrive. Left out: 30."""

    caller_stall_secs: int
    """A caller that takes nothing for so long is cut off (under hoosh serve). Left out: 60."""


class RouteKeys(TypedDict, total=False):
    """Keys of `[[routes]]`."""

    model: Required[str]
    """The model's name at its provider, or a prefix that ends in `*`. A name goes before a prefix, a longer prefix before a shorter one."""

    connect_secs: int
    """To connect to its provider. Left out: the provider's."""

    first_byte_secs: int
    """To the first byte of its answer. Left out: the provider's."""

    idle_secs: int
    """Between two reads of its answer. Left out: the provider's."""

    total_secs: int
    """A whole exchange. Left out: the provider's."""


class LogKeys(TypedDict, total=False):
    """Keys of `[log]`."""

    access: Literal["off", "text", "json"]
    """A line for each request over HTTP: `text`, `json` or `off`. Left out: "text"."""

    level: Literal["error", "warn", "info", "debug"]
    """What the gateway says of its own: `error`, `warn`, `info`; `debug` logs requests in process too. Left out: "info"."""

    file: str
    """File that lines are added to. Left out: the standard error."""


class StorageKeys(TypedDict, total=False):
    """Keys of `[storage]`."""

    path: str
    """File that budgets and the ledger are kept in; `:memory:` keeps nothing. Left out: `hoosh.db` in the platform's data folder."""

    request_days: int
    """Days that records of requests that asked no provider are kept. Ledger rows are kept for ever. Left out: 30."""
