"""The native half of hoosh. Private: import the public modules of `hoosh` instead."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, final

from typing_extensions import Buffer

__all__ = [
    "DEMONSTRATION",
    "HEAVIEST",
    "Answer",
    "Config",
    "Edge",
    "Exchange",
    "Gateway",
    "Gauge",
    "HostedCall",
    "InsideCall",
    "Job",
    "JobResult",
    "MemoryStore",
    "NativeEngine",
    "SseEvent",
    "SseParser",
    "Store",
    "StoreOp",
    "StoreOutcome",
    "TlsTerms",
    "Waiter",
    "WakeQueue",
    "WireGuard",
    "WireRefusal",
    "__version__",
    "body_edit",
    "body_scan",
    "cache_key",
    "candle",
    "config_keys",
    "config_schema",
    "error_codes",
    "is_forbidden",
    "provider_types",
    "refusal",
    "sse_write",
    "step_names",
    "store_backup",
    "store_inspect",
    "test_engine",
    "tokens_count",
    "tokens_count_messages",
    "tokens_encode",
    "tokens_encoding_for_model",
]
DEMONSTRATION: Final[str]
HEAVIEST: Final[int]
__version__: Final[str]

def body_edit(body: Buffer, changes: list[tuple[str, Buffer | None]]) -> bytes: ...
def body_scan(body: Buffer) -> dict[str, slice[int, int, int]]: ...
def cache_key(body: Buffer, tenant: str) -> str: ...
def candle(options: str, demonstration: str) -> NativeEngine:
    """The engine of models out of files. `options` are JSON, as `Config.engines` gives them; `demonstration` is the file of that model.

    Raises:
        ConfigError: a file is not there, or is no model that it knows.

    """

def config_schema() -> str: ...
def config_keys() -> list[tuple[str, list[tuple[str, str, list[str], bool, str, str]]]]:
    """What a credential may hold, then each table of the file.

    Of each its header, and its keys as (name, kind, words, required, default, meaning).
    """

def error_codes() -> list[tuple[str, int, str, str]]: ...
def refusal(
    status: int, code: str | None, message: str, retry_after_secs: int | None = None, param: str | None = None
) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """A refusal of an engine for its exchange: the headers and the body of its answer."""

def test_engine(script: list[tuple[str, str]]) -> tuple[NativeEngine, Gauge]:
    """An engine that says `script` to every request, from a thread of its own, and how many of its answers are not dropped.

    Lines are a kind and a text: `text`, `reasoning`, `finish`, `usage` (two numbers), `refuse` (status, code), `fail`, `panic`,
    `silence`; `panic_in_call` and `panic_in_drop`, wherever they stand, have it panic as it is called, and as it is dropped.
    """

@final
class Answer:
    """What such an engine says to one request. Closing or dropping it cancels."""

    def close(self) -> None:
        """Cancel it: nothing more is wanted."""

@final
class Gauge:
    """How many answers are under way."""

    def alive(self) -> int:
        """Answers that nobody dropped yet."""

@final
class NativeEngine:
    """An engine of this process that is no Python. Made by whoever brings one."""

    def call(
        self, endpoint: str, body: bytes, standing: tuple[int, int | None], queue: WakeQueue, number: int
    ) -> Answer:
        """Begin to answer a request to `endpoint`. As number `number` of `queue`, whoever asks the answer is told of more.

        `standing`: which of the five priorities its caller has, from 0, and whose work it may use.
        """

    def cards(self) -> list[dict[str, Any]]:
        """The models that it can be asked for: a dict for each."""

    def load(
        self, model: str, progress: Callable[[int, int], object] | None = None
    ) -> tuple[int, str, str, int | None] | None:
        """Bring a model into memory, for which the calling thread waits. `progress` is called with bytes done and all bytes.

        None, or why not: status, code, message and seconds after which to come again.
        """

    def unload(self, model: str) -> bool:
        """Let a model's memory go as soon as nobody is answered by it. Whether it was loaded."""

@final
class TlsTerms:
    """What TLS to one provider must be like: `[providers.tls]`. Requests with equal terms may share a connection."""

    @property
    def ca(self) -> tuple[str, str] | None:
        """Path and PEM of the only authorities that are trusted; None: the system's."""

    @property
    def identity(self) -> tuple[str, str] | None:
        """Paths of the certificate that is shown and of its key; None: none is."""

    @property
    def pins(self) -> list[bytes]:
        """SHA-256 of each public key of which the provider's certificate must have one; empty: any."""

    def check(self) -> None:
        """Hold that the native way to providers can keep them.

        Raises:
            OSError: why it cannot.
        """

    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

def is_forbidden(address: str) -> bool:
    """Whether an address must not be connected to for anybody but the operator.

    Raises:
        ValueError: this is no address.
    """

@final
class Config:
    """A whole, checked configuration, with every default filled in. Immutable; `docs/config.md` explains each key.

    Made by `Config.parse` or `Config.found`. Neither reads the environment: it is a parameter.
    """

    @classmethod
    def parse(
        cls,
        text: str,
        environment: dict[str, str],
        read: Callable[[str, list[str]], str] | None = None,
        engine_types: Callable[[], Sequence[str]] | None = None,
        keeps: Callable[[TlsTerms], None] | None = None,
    ) -> Config:
        """Parse and check TOML text. `$NAME` in a value is looked up in `environment`.

        `read` gives the text of a credential's source, `("file", [path])` or `("command", [program, argument, ...])`, or of a
        file of certificates or a key, `("pem", [path])`, or of the catalogue's, `("catalogue", [path])`; or raises an `OSError`
        that says why not.

        `engine_types` gives the types of engines that installed packages offer; it is called only for a type that is not known.

        `keeps` is called with the TLS terms of each provider that has any, and raises an `OSError` that says why whatever connects
        to providers cannot keep them. Without it nobody keeps any, and a provider that has some is a mistake.

        Raises:
            ConfigError: what is wrong, in which line, and how to mend it. Never holds a secret.
        """

    @classmethod
    def found(cls, environment: dict[str, str]) -> Config:
        """What hoosh does without a file.

        That is: local servers on their default ports, then every service whose key is in `environment`.
        """

    def catalogue(self) -> str:
        """Every provider type and every model that is known, the operator's in place of hoosh's, as JSON."""

    def describe(self) -> str:
        """The configuration in force as TOML, defaults spelled out and secrets hidden."""

    @property
    def warnings(self) -> list[str]:
        """What is odd but workable, for the operator."""

    @property
    def bind(self) -> str:
        """Address to listen on."""

    @property
    def threads(self) -> int:
        """Threads that answer callers; 0: one for each core."""

    @property
    def port(self) -> int:
        """TCP port to listen on; 0 lets the system choose."""

    @property
    def keyed(self) -> bool:
        """Whether callers over HTTP need a key."""

    def exposed(self) -> str | None:
        """Why it must not be served: a public address without keys. None if it may."""

    @property
    def providers(self) -> list[tuple[str, str, str | None]]:
        """Name, type and base URL of each provider, in the order of the file."""

    def engines(self) -> list[tuple[str, str, str, str]]:
        """Of each provider that is an engine of this process: its name, kind, target and options.

        The kind is `python`, of which the target is `module:Name`, or `engine`: the target is `entry:NAME` for what a package
        offers as `NAME`, and empty for what the program registers. The options are a JSON object, which may hold secrets.
        """

    @property
    def budgets(self) -> list[tuple[str, int]]:
        """Name and capacity in tokens of each budget."""

    @property
    def storage_path(self) -> str | None:
        """File of the store as it is written, `:memory:` for none; None where nothing is written."""

    @property
    def keeps_in_store(self) -> bool:
        """Whether earlier turns are kept in the store."""

    def hooked(self, names: Sequence[str]) -> Config:
        """The same configuration, in which requests to the providers of these `names` go through callables of this process.

        Raises:
            ConfigError: there is no such provider, or it is an engine.
        """

    @property
    def mounts(self) -> list[tuple[str, str, bool]]:
        """Path, `module:attribute`, and whether no key is asked for, of each application that is mounted, in the file's order."""

    def mounting(self, other: Config) -> Config:
        """The same configuration with the mounts of `other`."""

    def listening(self, bind: str | None, port: int | None) -> Config:
        """The same configuration on another address."""

@final
class Exchange:
    """One caller request. See `native/core/src/exchange/step.rs` for the contract of every door and step."""

    def begin(self, method: str, target: str, headers: Sequence[tuple[bytes, bytes]], neutral: bool) -> None:
        """The caller's request head. `neutral`: a caller of this process, without framing."""

    def refused(self, refusal: WireRefusal) -> None:
        """The listener could not read the request."""

    def body(self, data: bytes) -> None:
        """More of the caller's body."""

    def body_end(self) -> None:
        """The caller's body is complete."""

    def connected(self, u: int) -> None:
        """A connection stands."""

    def took(self, u: int, size: int) -> None:
        """The upstream's transport took `size` more bytes of a streamed body."""

    def sent(self, u: int) -> None:
        """The request was written whole."""

    def head(self, u: int, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """The answer's head came."""

    def data(self, u: int, data: bytes) -> None:
        """More of the answer's body."""

    def end(self, u: int) -> None:
        """The answer is complete."""

    def failed(self, u: int, stage: str, reused: bool) -> None:
        """The attempt failed, at `connect`, `tls`, `send`, `head`, `body`, `protocol` or `hook`."""

    def declined(self, u: int, status: int, message: str, param: str | None) -> None:
        """A hook of the provider declines; `status` (400 to 499), `message` and `param` are for the caller."""

    def pump(self, u: int, answer: Answer, credit: int) -> tuple[int, tuple[Any, ...] | None]:
        """Hand on what an engine of Rust says, as far as the credit goes: bytes handed on, and how its answer stands.

        That is None where more will come, `("end",)`, `("refused", status, headers, body)` or `("failed", words)`.
        """

    def delta_text(
        self,
        u: int,
        choice: int,
        text: str,
        logprobs: Sequence[tuple[str, bytes, float, Sequence[tuple[str, bytes, float]]]] | None = None,
    ) -> None:
        """An engine said more text, with how likely its tokens were."""

    def delta_reasoning(self, u: int, choice: int, text: str) -> None:
        """An engine said more of what it thinks."""

    def delta_tool_call(
        self, u: int, choice: int, index: int, id: str | None, name: str | None, arguments: str
    ) -> None:
        """An engine said more of a tool call."""

    def delta_finish(self, u: int, choice: int, reason: str) -> None:
        """An engine finished a choice."""

    def delta_embedding(self, u: int, index: int, vector: Sequence[float]) -> None:
        """An engine gave one input's vector."""

    def delta_usage(self, u: int, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> None:
        """An engine said what it used."""

    def worked(self, result: JobResult) -> None:
        """A job is done."""

    def child(self, c: int, status: int, body: bytes) -> None:
        """A child answered."""

    def written(self, size: int) -> None:
        """The caller's transport took `size` more body bytes."""

    def caller_gone(self) -> None:
        """The caller left."""

    def passage(self, mono_us: int, wall_us: int) -> tuple[str, str, str | None] | None:
        """Leave to have a mounted application answer: the mount's path, the request's id, and the name of the caller's key.

        None: the request is none of its, or is refused. The name is None where no key was asked for.
        """

    def mount_began(self, status: int) -> bool:
        """The application is about to answer; False: it must not, because the exchange does, or has ended."""

    def mount_ended(self) -> None:
        """Its answer is complete."""

    def mount_failed(self) -> None:
        """It broke off."""

    @property
    def request_id(self) -> str:
        """`x-request-id`; empty before `begin` or `refused`."""

    def next(self, mono_us: int, wall_us: int) -> tuple[Any, ...]:
        """What to do now: a tuple that begins with its kind."""

@final
class Gateway:
    """What all exchanges of a process share. `seed` makes request ids and back-off differ between processes."""

    def __new__(cls, config: Config, seed: int) -> Gateway: ...
    def exchange(self, queue: WakeQueue, number: int) -> Exchange:
        """A new exchange, number `number` in `queue`."""

    def set_waker(self, queue: WakeQueue) -> None:
        """Has the loop woken as number 0 of `queue`."""

    def next(self, mono_us: int, wall_us: int) -> tuple[Any, ...]:
        """What the loop must do now: a tuple that begins with its kind."""

    def fetched(self, id: int, status: int, body: bytes, error: str | None, mono_us: int, wall_us: int) -> None:
        """A fetch ended: with status and body, or with the words of an error."""

    def stored(self, id: int, outcome: StoreOutcome, mono_us: int, wall_us: int) -> None:
        """The store answered."""

    def read(self, id: int, text: str, error: str | None, mono_us: int, wall_us: int) -> None:
        """A credential was read, or not, for the reason given, which quotes nothing of it."""

    def logged(self, id: int, error: str | None, mono_us: int, wall_us: int) -> None:
        """Lines of the log were written, or not, for the reason given. From any thread."""

    def log_waiting(self) -> bool:
        """Whether lines of the log wait, or are being written."""

    def reload(self, config: Config, mono_us: int, wall_us: int) -> None:
        """A new configuration for exchanges that begin from now on."""

    def report_engine(self, provider: str, engine: NativeEngine, mono_us: int, wall_us: int) -> None:
        """What the engine of `provider` can do, as it says now: its models are listed, and asked only for what they can do."""

    def report_cards(self, provider: str, cards: list[dict[str, Any]], mono_us: int, wall_us: int) -> None:
        """The same of an engine that is Python: a dict for each model, as `NativeEngine.cards` gives them; `model` must be there.

        Raises:
            ValueError: a dict lacks `model`, or holds what it cannot.
        """

    def set_mounts_run(self, run: bool) -> None:
        """Whether applications of `[[server.mounts]]` can be asked; before this is said, they cannot."""

    def set_store_lasts(self, lasts: bool) -> None:
        """Whether the store outlives this process; before this is said, it does not."""

    def caller_stall(self) -> int:
        """Seconds after which a caller that takes nothing is cut off."""

    def way_down(self) -> tuple[int, int]:
        """On the way down: seconds for which all is served, then seconds that requests in progress may take."""

    def settle(self) -> None:
        """It will go down: readiness says so, and all is served as before."""

    def drain(self) -> None:
        """No new request is admitted; those in progress end."""

    def stop(self) -> None:
        """Whoever has no whole answer yet is told `draining` at the next look, so that all must look."""

    def close(self) -> None:
        """End the run: the loop says so once everything is stored and the store told that it is over."""

    def open_exchanges(self) -> int:
        """Exchanges begun and not over."""

    def discovered(self) -> list[tuple[str, list[str]]]:
        """The models that providers said they have, by the provider's name, as far as they were asked and answered."""

    def told(self, level: str, words: str, mono_us: int, wall_us: int) -> bytes:
        """What whoever started this program is told on the standard error, `level` an `error`, `warn` or `info`.

        A line of JSON where the log is, else the words.
        """

    def rows_waiting(self) -> int:
        """Ledger rows and request records that the store has not confirmed yet."""

@final
class Job:
    """CPU work for any thread."""

    def run(self) -> JobResult:
        """Do it, with the interpreter lock released."""

@final
class JobResult:
    """What a job found."""

@final
class MemoryStore:
    """A store that keeps everything in memory, and of the ledger and the request records the newest `max_rows`."""

    def __new__(cls, max_rows: int) -> MemoryStore: ...
    @property
    def path(self) -> None:
        """None: it is in no file."""

    def ask(self, id: int, op: StoreOp) -> None:
        """Have `op` performed, once."""

    def take(self) -> list[tuple[int, StoreOutcome]]:
        """The answers since the last call."""

    def note_keys(self, _config: Config) -> None:
        """Keeps nothing of keys."""

    def rows(self, most: int = 100_000) -> list[dict[str, Any]]:
        """The newest rows of the ledger, at most `most`, oldest first: a dict for each exchange that reached an upstream."""

    def requests(self, most: int = 100_000) -> list[dict[str, Any]]:
        """The newest requests that asked no upstream, at most `most`, oldest first: refusals, answers of the cache, lists."""

    def close(self) -> None:
        """There is nothing to close."""

@final
class Store:
    """A store in a file, which this process alone has while it is open. A thread of its own writes it.

    Making one opens the file at `path` and begins a run. `holder` says to an operator which program this is; `queue` is
    told, as number 0, of answers.

    Raises:
        ConfigError: another process has it, it is not ours, or cannot be written.
    """

    def __new__(cls, path: str, config: Config, holder: str, queue: WakeQueue | Edge) -> Store: ...
    @property
    def path(self) -> str:
        """Where it is."""

    def ask(self, id: int, op: StoreOp) -> None:
        """Have `op` performed, once; its answer comes under `id`."""

    def take(self) -> list[tuple[int, StoreOutcome]]:
        """The answers since the last call."""

    def note_keys(self, config: Config) -> None:
        """Note which keys are configured now."""

    def rows(self, most: int = 100_000) -> list[dict[str, Any]]:
        """The newest rows of the ledger, at most `most`, oldest first, whether the store is open or not."""

    def requests(self, most: int = 100_000) -> list[dict[str, Any]]:
        """The newest requests that asked no upstream, at most `most`, oldest first."""

    def close(self) -> None:
        """Perform what was asked, and let go of the file.

        What was leased stays so unless the gateway ended its run.
        """

    def forked(self) -> None:
        """In a child of a fork: let go of the copy of the lock. Everything else raises there."""

@final
class StoreOp:
    """An operation for a store; only a store can look into it."""

@final
class StoreOutcome:
    """What a store answered."""

    @property
    def failure(self) -> str | None:
        """Why it was not done; None if it was."""

@final
class WakeQueue:
    """The woken exchanges of one event loop.

    A wake puts an exchange's number here and one byte into a socket whose other end the loop waits on; it takes no
    interpreter lock and may come from any thread. The loop waits until `fileno()` is readable, then calls `take()`.
    """

    def __new__(cls) -> WakeQueue: ...
    def fileno(self) -> int:
        """The descriptor that becomes readable when something was woken."""

    def take(self) -> list[int]:
        """The numbers of the exchanges woken since the last call."""

def store_inspect(path: str, check: bool) -> dict[str, Any]:
    """What is in the store at `path`; with `check` whether it is whole too. Beside a process that has it, or without.

    Raises:
        ConfigError: there is none, it is not ours, or cannot be read.
    """

def store_backup(path: str, to: str) -> None:
    """Copy the store at `path` to the new file `to`, as of one instant, also while a server writes to it.

    Raises:
        ConfigError: there is none, or `to` is there already or cannot be written.
    """

def step_names() -> list[str]:
    """The kinds of steps, by number."""

@final
class SseEvent:
    """One event of a stream, as a browser would dispatch it. Immutable; equal when all four fields are.

    Attributes:
        event: the event type; `message` where the stream names none.
        data: the `data` lines, joined by LF. Bytes that are not UTF-8 became U+FFFD.
        id: the last event id, set by this event or one before it; empty if none did.
        retry: the reconnection time in milliseconds, if this event set it.
    """

    __match_args__: Final = ("event", "data", "id", "retry")
    def __new__(cls, event: str, data: str, id: str | None = None, retry: int | None = None) -> SseEvent: ...
    @property
    def event(self) -> str: ...
    @property
    def data(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def retry(self) -> int | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[type[SseEvent], tuple[str, str, str, int | None]]: ...

@final
class SseParser:
    """Reads an event stream (`text/event-stream`) that arrives in pieces.

    Follows the WHATWG HTML standard, section 9.2.6 "Interpreting an event stream": LF, CRLF and CR end lines, also where
    the stream is cut between them; a leading BOM, comments and unknown fields are passed over; several `data` lines are
    one text; what is not UTF-8 becomes U+FFFD. The events are the same at every split of the input, and the time is
    linear in its length. One parser belongs to one thread at a time.

    Args:
        max_line_bytes: bound of one line, without its line end. Default 8 MiB.
        max_event_bytes: bound of all lines of one event, comments too. Default 8 MiB.
    """

    def __new__(cls, *, max_line_bytes: int = ..., max_event_bytes: int = ...) -> SseParser: ...
    def feed(self, data: Buffer) -> list[SseEvent]:
        """Take the next bytes of the stream and return the events that they complete, in order.

        Raises:
            MalformedReply: a bound is broken. Events before the fault come first: if these bytes completed some, they are
                returned, and the next call raises. From then on every call raises.
        """

    def finish(self) -> int:
        """End the stream: drop the unfinished event, as the standard says, and return how many bytes it had.

        The parser is then at the beginning of a stream again; as in a browser that reconnects, the last event id and the
        reconnection time stay.

        Raises:
            MalformedReply: a bound was broken.
        """

    @property
    def last_event_id(self) -> str:
        """The last event id: what a client that reconnects sends as `Last-Event-ID`. Empty if the stream set none."""

    @property
    def retry(self) -> int | None:
        """The reconnection time in milliseconds that the stream set last; None if it set none."""

def provider_types() -> list[tuple[str, str | None, str | None, bool]]: ...
def sse_write(data: str, event: str | None, id: str | None) -> bytes: ...
def tokens_count(text: str, encoding: str | None, model: str | None) -> int: ...
def tokens_count_messages(
    messages: Sequence[Mapping[str, Any]], model: str, tools: Sequence[Mapping[str, Any]] | None
) -> tuple[int, bool]: ...
def tokens_encode(text: str, encoding: str | None, model: str | None) -> list[int]: ...
def tokens_encoding_for_model(model: str) -> Literal["cl100k_base", "o200k_base"] | None: ...

@final
class WireGuard:
    """Judges the bytes of one connection before the server's own parser reads them; `docs/wire.md` has the rules."""

    def __new__(cls, gateway: Gateway | None = None, prefix: str = "") -> WireGuard: ...
    def switched(self) -> None:
        """The handshake of a websocket that was given on succeeded: what comes is not looked at."""

    def stayed(self) -> None:
        """It was refused: the next request may come."""

    @property
    def is_full(self) -> bool:
        """Whether no more is to be fed before it is known what became of the handshake."""

    def feed(self, data: bytes | bytearray) -> None:
        """What the socket gave."""

    def end(self) -> WireRefusal | None:
        """The peer will send no more: the refusal of a body that is not whole."""

    def next(self) -> bytes | WireRefusal | None:
        """Bytes for the parser, at most to the end of one request; or why the connection is refused; None: feed more."""

    @property
    def in_head(self) -> bool:
        """Whether a head has begun and is not whole."""

    def slow_head(self) -> WireRefusal:
        """The refusal of a head that takes too long."""

@final
class WireRefusal:
    """Why a connection is refused: for `Exchange.refused`."""

    @property
    def code(self) -> str:
        """The stable code."""

    @property
    def ending(self) -> bytes | None:
        """What ends the body for the parser, empty if nothing can; None: it has seen nothing of the request."""

@final
class Waiter:
    """What one thread without an event loop waits by."""

    def __new__(cls) -> Waiter: ...
    def wait(self) -> None:
        """Wait until a call that has it as its caller has something to take; perhaps for nothing.

        The interpreter lock is released, and signals are handled meanwhile.
        """

@final
class InsideCall:
    """A request of this program, being answered. Dropping it ends its work.

    Raises:
        ValueError: the edge does not answer, or not any more.
    """

    def __new__(
        cls,
        edge: Edge,
        told: WakeQueue | Waiter,
        number: int,
        method: str,
        target: str,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        neutral: bool,
    ) -> InsideCall: ...
    def take(self) -> tuple[tuple[int, list[tuple[bytes, bytes]]] | None, list[bytes], str | None]:
        """What there is: the head (status and headers, once), pieces of the body, and how it ended, if it has.

        That is `reply` (one whole body), `finish` (of a stream), `cut` (nobody took it for too long) or `gone` (the edge ended).
        """

    def cancel(self) -> None:
        """Nothing more is wanted: its upstream's work ends."""

@final
class Edge:
    """The native listener of `hoosh serve`. Making one opens its sockets; `accept` begins to answer.

    Raises:
        OSError: the address is taken, not ours, or none.
    """

    def __new__(
        cls, gateway: Gateway, bind: str | None, port: int, prefix: str, threads: int, mono_us: int
    ) -> Edge: ...
    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""

    def start_loop(self, store: MemoryStore | Store) -> None:
        """Start the gateway's loop in a thread of its own, over `store`, which rings this edge."""

    @property
    def is_listed(self) -> bool:
        """Whether the providers that are asked for their models have said them, or had their time."""

    def pass_to(self, socket: str, secret: str) -> None:
        """Have applications that are mounted asked over the Unix socket at `socket`; `secret` begins the header that says who asks."""

    def accept(self) -> None:
        """Begin to answer."""

    def engines(self, engines: dict[str, NativeEngine]) -> None:
        """Have these engines of Rust answer here, by their provider's name, and no others."""

    def open_host(self, queue: WakeQueue, number: int) -> None:
        """Put what no engine of Rust answers into the host's queue, and tell `queue` under `number`."""

    def take(self) -> list[tuple[Any, ...]]:
        """What the host must do, oldest first: tuples that begin with `call`, `credit`, `abort`, `fetch`, `read` or `cancel`."""

    def ring(self) -> None:
        """Have the gateway's loop look."""

    def close(self) -> None:
        """Accept no connection any more, and end each after the request that it is in."""

    def look(self) -> None:
        """Have all exchanges look: something changed for them all."""

    def cut(self) -> None:
        """Close all connections now."""

    @property
    def connections(self) -> int:
        """Callers' connections that are open."""

    def end(self, seconds: float) -> bool:
        """End its threads, and the gateway's run: whether everything was stored and written within `seconds`."""

    def say(self, words: bytes) -> bool:
        """Have `words` written to the standard error, in turn with the log; whether there was room for them."""

    def flush(self, seconds: float) -> None:
        """Wait until what was said is written, for `seconds` at most."""

@final
class HostedCall:
    """A call that the engine host answers: the doors of its exchange, under any number."""

    def connected(self, _u: int) -> None: ...
    def sent(self, _u: int) -> None: ...
    def head(self, _u: int, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None: ...
    def data(self, _u: int, data: bytes) -> None: ...
    def end(self, _u: int) -> None: ...
    def failed(self, _u: int, stage: str, reused: bool) -> None: ...
    def declined(self, _u: int, status: int, message: str, param: str | None) -> None: ...
    def delta_text(
        self,
        _u: int,
        choice: int,
        text: str,
        logprobs: Sequence[tuple[str, bytes, float, Sequence[tuple[str, bytes, float]]]] | None = None,
    ) -> None: ...
    def delta_reasoning(self, _u: int, choice: int, text: str) -> None: ...
    def delta_tool_call(
        self, _u: int, choice: int, index: int, id: str | None, name: str | None, arguments: str
    ) -> None: ...
    def delta_finish(self, _u: int, choice: int, reason: str) -> None: ...
    def delta_embedding(self, _u: int, index: int, vector: Sequence[float]) -> None: ...
    def delta_usage(self, _u: int, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> None: ...
