"""A provider made in Python: the record of `[[providers]]`, and the callables that no file can hold."""

from typing import Any, Unpack

from hoosh import _toml
from hoosh._driver import kinds
from hoosh._driver.engine import Engine, EngineCall, EngineFunction
from hoosh._driver.hooks import Auth, Hooks, OnAnswer, OnRequest, ProviderAnswer, ProviderRequest
from hoosh._keys import ProviderKeys
from hoosh.errors import ConfigError

__all__ = [
    "Auth",
    "Engine",
    "EngineCall",
    "EngineFunction",
    "OnAnswer",
    "OnRequest",
    "Provider",
    "ProviderAnswer",
    "ProviderRequest",
]


class Provider:
    """One of `[[providers]]`: `hoosh.Provider(type="openai", api_key="$OPENAI_API_KEY", priority=1)`.

    The keys, defaults and checks are those of the file ([docs/config.md](docs/config.md)); `$NAME` is looked up in the
    environment. Beyond them:

    Args:
        auth: gives the credential of a request: a `str`, sent as `Authorization: Bearer …`, or headers as a mapping.
            Asked for every request, and for the provider's list of models: it keeps what it may use again.
        on_request: sees a request before it is sent, and may change `body` and `headers`, or return another body.
        on_answer: sees each answer of status 2xx, of a stream each event, and may change its `body` or return another.
        engine: answers itself, for `type="engine"`: an object with `chat`, `complete` or `embed` ([docs/engines.md](docs/engines.md)), or
            a coroutine function of one `EngineCall`. Where `max_concurrency` is left out, it is the object's `concurrency`.

    A callable may be `async`; it runs in the gateway's event loop then and must not block it. One that is not runs in a
    thread. `auth` and `on_request` have `[deadlines] connect_secs` together with the connection, `on_answer` has
    `idle_secs` each time. What raises a `RequestError` (`hoosh.errors.InvalidRequest("not this", status=422)`)
    declines: the caller gets its words, and no other provider is asked. Whatever else is raised, and nonsense given
    back, is a failure of the provider: it is logged, and another is asked.

    Raises:
        ConfigError: a key is unknown or wrong, in the words of the file's own check.

    """

    def __init__(
        self,
        *,
        auth: Auth | None = None,
        on_request: OnRequest | None = None,
        on_answer: OnAnswer | None = None,
        engine: "Engine | None" = None,
        **keys: Unpack[ProviderKeys],
    ) -> None:
        for argument, given in (("auth", auth), ("on_request", on_request), ("on_answer", on_answer)):
            if given is not None and not callable(given):
                raise ConfigError(f"`{argument}` is a function, not {type(given).__name__}")
        self.keys: dict[str, Any] = {name: value for name, value in keys.items() if value is not None}
        self.hooks = Hooks(auth, on_request, on_answer)
        self.engine = engine
        if engine is not None:
            _check(engine, self.keys)
        config = _toml.parse({"providers": [self.keys]})
        self.name, self.type, self.base_url = config.providers[0]
        if self.hooks:
            config.hooked([self.name])
        if engine is not None and self.type != "engine":
            raise ConfigError(f'provider `{self.name}` is of type {self.type}; only type="engine" has an `engine`')

    def __repr__(self) -> str:
        return f"<Provider {self.name} ({self.type}) {self.base_url or 'in this process'}>"


def _check(engine: "Engine", keys: dict[str, Any]) -> None:
    """It is an engine. How much at once, it may say itself: then the core queues what is more, in its order.

    Raises:
        ConfigError: it is none, or says nonsense.

    """
    kinds.check(engine)
    if most := kinds.concurrency(engine):
        keys.setdefault("max_concurrency", most)
