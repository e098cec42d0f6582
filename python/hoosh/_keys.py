"""The keys of the configuration as types, for editors and type checkers. Written by scripts/keys.py: `make keys`."""

from collections.abc import Mapping, Sequence
from typing import Literal, Required, TypedDict


class CredentialKeys(TypedDict, total=False):
    """Keys of a credential."""

    file: str
    """Path of a file that holds it. Left out: none."""

    command: Sequence[str]
    """A program and its arguments, run without a shell, that prints it within 10 seconds. Left out: none."""


class ServerKeys(TypedDict, total=False):
    """Keys of `[server]`."""

    bind: str
    """Address to listen on. One that others can reach is refused while there are no tokens. Left out: "127.0.0.1"."""

    port: int
    """TCP port; 0 lets the system choose. Left out: 8088."""

    strategy: Literal["priority", "round_robin", "lowest_latency", "direct"]
    """`priority`, `round_robin`, `lowest_latency` or `direct`. Left out: "priority"."""

    max_body_bytes: int
    """Largest request body. Left out: 33_554_432."""

    max_buffered_bytes: int
    """Largest sum of bodies and answers held at once; beyond it new work gets 503. At least `max_body_bytes`. Left out: 1_073_741_824."""


class ProviderKeys(TypedDict, total=False):
    """Keys of `[[providers]]`."""

    type: Required[str]
    """One of the types."""

    name: str
    """Unique, 1 to 64 of the letters, digits and `-_.:@`. The prefix in `provider/model`. Left out: the type."""

    base_url: str
    """`http` or `https`, host, port, path. No credentials, query or fragment; IPv6 in brackets. Left out: the type's."""

    api_key: str | CredentialKeys
    """Sent as `Authorization: Bearer …`. Text, `$NAME`, or a table with `file` or `command`. Left out: the type's variable."""

    priority: int
    """Lower is asked first, equals in the order of the file. Left out: 10."""

    models: Sequence[str]
    """Exact names, or prefixes that end in `*`. Empty: every model. Left out: []."""

    max_concurrency: int
    """Requests at once. Left out: no bound."""

    rate_limit_rpm: int
    """Requests a minute. Left out: no bound."""


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
    """What it may use: `model`, `prefix*`, `provider/model`, `provider/*`. Empty: everything. Left out: []."""

    budget: str
    """Budget that it charges; must exist. None: the one the request names, else `default` if there is one. Left out: none."""

    max_concurrency: int
    """Requests at once. Left out: no bound."""

    rate_limit_rpm: int
    """Requests a minute. Left out: no bound."""


class BudgetKeys(TypedDict, total=False):
    """Keys of `[[budgets]]`."""

    name: Required[str]
    """Unique. `default` is charged where nothing else is named."""

    capacity: Required[int]
    """Tokens, input and output together; at least 1."""

    slice: int
    """Tokens taken from the store at a time: what a crash can leave unspent. Left out: capacity / 16, at least 16,384, at most the capacity."""


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

    max_waiting: int
    """Callers that may wait for a place of one limit; the next gets 429. 0 refuses at once. Left out: 128."""

    wait_secs: int
    """Longest wait for a place. Left out: 10."""

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
