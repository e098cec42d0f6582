"""Callables of this process between the gateway and a provider: what they see, and how they are run.

A hook is foreign code. Whatever it raises or gives back becomes an attempt that failed, with the words for the operator
alone; what it raises of `RequestError` is for the caller. How long it may take is the core's to say: until it has its
answer, the attempt's deadlines run. A function without `async` runs in a thread, so that it may block without keeping
anybody else, and is left there when its time is over.
"""

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.to_thread
import h11

from hoosh._driver.aside import aside
from hoosh._driver.connections import Request
from hoosh.errors import RequestError

Json = dict[str, Any]

HOOK_THREADS = 64
"""Functions that may block at once; the next one waits. Not those of the gateway's own jobs, which it must not keep."""
INLINE_BYTES = 64 << 10
"""Of JSON that is read or written on the event loop: what the core does itself too."""
FRAMING = frozenset({"connection", "content-length", "host", "transfer-encoding"})
"""Headers that the HTTP layer writes."""


@dataclass
class ProviderRequest:
    """A request on its way to a provider, as hooks see and change it.

    Attributes:
        provider: the provider's name.
        endpoint: `chat`, `completions` or `embeddings`; `models` where the gateway asks on its own account.
        method: `POST` or `GET`.
        url: where it goes.
        headers: names in lower case. May be changed, but for those that frame the request.
        body: the JSON object; empty with `GET`. May be changed.
        state: nothing of the gateway's: what hooks of one request want to tell each other.

    """

    provider: str
    endpoint: str
    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: Json = field(repr=False)
    state: Json = field(default_factory=dict, repr=False)
    _as_it_came: bytes = field(default=b"", repr=False)
    _canonical: bytes = field(default=b"", repr=False)

    @property
    def content(self) -> bytes:
        """The bytes that are sent as the body: those that came if nothing was changed. For signatures."""
        if self.method == "GET":
            return b""
        now = written(self.body)
        return self._as_it_came if now == self._canonical else now


@dataclass
class ProviderAnswer:
    """What a provider answered, with a status of 2xx.

    Attributes:
        request: what it answers.
        streams: whether `body` is one event of a stream; else it is the whole answer.
        body: the JSON object. May be changed.

    """

    request: ProviderRequest
    streams: bool
    body: Json = field(repr=False)


Credential = str | Mapping[str, str]
Auth = Callable[[ProviderRequest], Credential | Awaitable[Credential]]
OnRequest = Callable[[ProviderRequest], Json | Awaitable[Json | None] | None]
OnAnswer = Callable[[ProviderAnswer], Json | Awaitable[Json | None] | None]


@dataclass(frozen=True)
class Hooks:
    """The callables of one provider."""

    auth: Auth | None = None
    on_request: OnRequest | None = None
    on_answer: OnAnswer | None = None

    def __bool__(self) -> bool:
        return any((self.auth, self.on_request, self.on_answer))


class HookFailed(Exception):
    """A hook raised, or gave nonsense; the cause is what the operator needs."""


class Declined(Exception):
    """A hook says no, in words for the caller."""

    def __init__(self, why: RequestError) -> None:
        super().__init__(why.message)
        self.status = why.status if 400 <= why.status < 500 else 400
        self.message, self.param = why.message, why.param


class Runner:
    """Runs the hooks of all providers."""

    def __init__(self, hooks: Mapping[str, Hooks]) -> None:
        self._hooks = dict(hooks)
        self._threads: anyio.CapacityLimiter | None = None

    def of(self, provider: str) -> Hooks:
        """Those of a provider; none where none were given."""
        return self._hooks.get(provider) or Hooks()

    async def outgoing(self, provider: str, endpoint: str, given: Request) -> tuple[ProviderRequest, Request]:
        """Have the hooks see a request; what they made of it, and how it is sent.

        Raises:
            HookFailed: a hook raised or gave nonsense.
            Declined: it is not to be sent.

        """
        hooks = self.of(provider)
        size = len(given.whole)
        request: ProviderRequest = await apart(size, seen, provider, endpoint, given)
        if hooks.on_request is not None and given.method != "GET":
            made = await self.run("on_request", provider, hooks.on_request, request)
            request.body = self._object("on_request", provider, made, request.body)
        if hooks.auth is not None:
            credential = await self.run("auth", provider, hooks.auth, request)
            with_credential(provider, request, credential)
        return request, await apart(size, sendable, given, request)

    async def answered(self, answer: ProviderAnswer) -> Json:
        """Have `on_answer` see an answer, or an event of it; what it made of it.

        Raises:
            HookFailed: see `outgoing`.
            Declined: see `outgoing`.

        """
        provider = answer.request.provider
        hook = self.of(provider).on_answer
        if hook is None:
            return answer.body
        made = await self.run("on_answer", provider, hook, answer)
        return self._object("on_answer", provider, made, answer.body)

    async def run(self, name: str, provider: str, hook: Callable[..., Any], given: object) -> Any:
        """What a hook returns, on the event loop if it is `async`, else in a thread."""
        try:
            if inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(getattr(hook, "__call__", None)):  # noqa: B004
                return await hook(given)
            if self._threads is None:
                self._threads = anyio.CapacityLimiter(HOOK_THREADS)
            made = await aside(hook, given, limiter=self._threads)
            return await made if inspect.isawaitable(made) else made
        except RequestError as why:
            raise Declined(why) from why
        except Exception as error:
            raise _failed(name, provider, error) from error

    @staticmethod
    def _object(name: str, provider: str, made: object, changed: object) -> Json:
        """What a hook returned, or changed in place where it returned nothing, if it is a JSON object."""
        body = changed if made is None else made
        if not isinstance(body, dict):
            words = f"{name} gives a dict, or None after changes in place, not {type(body).__name__}"
            raise _failed(name, provider, TypeError(words))
        try:
            written(body)
        except (TypeError, ValueError, RecursionError) as error:
            raise _failed(name, provider, error) from error
        return body


def _failed(name: str, provider: str, error: Exception) -> HookFailed:
    error.add_note(f"in {name} of provider {provider!r}")
    failed = HookFailed(name)
    failed.__cause__ = error
    return failed


def written(body: Json) -> bytes:
    """As JSON bytes, the same for equal objects. Half of a surrogate pair is written as JSON writes it, escaped."""
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace")


async def apart(size: int, work: Callable[..., Any], *given: Any) -> Any:
    """Do `work` on `size` bytes here, or in a thread where the event loop would wait for it."""
    return work(*given) if size <= INLINE_BYTES else await anyio.to_thread.run_sync(work, *given)


def seen(provider: str, endpoint: str, given: Request) -> ProviderRequest:
    """A request of the core as hooks see it.

    Raises:
        HookFailed: Python cannot hold its numbers.

    """
    url = f"{'https' if given.tls else 'http'}://{given.authority.decode()}{_text(given.target)}"
    headers = {name.decode(): value.decode("latin-1") for name, value in given.headers}
    try:
        body: Json = json.loads(given.whole) if given.whole else {}
        return ProviderRequest(provider, endpoint, given.method, url, headers, body, {}, given.whole, written(body))
    except (ValueError, RecursionError) as error:
        raise _failed("on_request", provider, error) from error


def with_credential(provider: str, request: ProviderRequest, credential: object) -> None:
    """Put what `auth` gave into the headers.

    Raises:
        HookFailed: it is neither a credential nor headers.

    """
    if isinstance(credential, str) and credential:
        request.headers["authorization"] = f"Bearer {credential}"
    elif isinstance(credential, Mapping) and all(isinstance(x, str) for pair in credential.items() for x in pair):
        request.headers.update({name.lower(): value for name, value in credential.items()})
    else:
        words = f"auth gives a credential, or headers as a mapping of str to str, not {type(credential).__name__}"
        raise _failed("auth", provider, TypeError(words))


def sendable(given: Request, request: ProviderRequest) -> Request:
    """The request to send, with what hooks changed.

    Raises:
        HookFailed: its headers cannot be sent.

    """
    try:
        if framing := FRAMING & {name.lower() for name in request.headers}:
            raise ValueError(f"the header {min(framing)} is the HTTP layer's to write")
        headers = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in request.headers.items()]
        # h11 knows what can be sent; that it refuses here keeps it from refusing in the middle of an attempt.
        h11.Request(method=given.method, target=given.target, headers=[(b"host", given.authority), *headers])
        return given._replace(headers=headers, body=request.content)
    except (h11.LocalProtocolError, AttributeError, TypeError, ValueError):
        # Not with the error's own words, which may quote a header's value: that can be a credential.
        words = (
            "the headers of the request cannot be sent: names and values are text of one line, and none is of framing"
        )
        reason = ValueError(words)
        raise _failed("auth or on_request", request.provider, reason) from reason


def _text(target: str | bytes) -> str:
    return target if isinstance(target, str) else target.decode("latin-1")
