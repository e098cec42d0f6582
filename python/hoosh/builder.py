"""A gateway built in a program: `hoosh.Server.builder().provider(...).key(...).build()`."""

import copy
import tomllib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from os import PathLike
from typing import Any, Unpack

from hoosh import _environment, _toml
from hoosh._driver import Engine, inside, kinds
from hoosh._driver.hooks import Auth, Hooks, OnAnswer, OnRequest
from hoosh._driver.inside import Transport
from hoosh._keys import (
    CacheKeys,
    CatalogueKeys,
    DeadlinesKeys,
    DialectsKeys,
    IdempotencyKeys,
    LimitsKeys,
    LogKeys,
    RetryKeys,
    ServerKeys,
    StorageKeys,
)
from hoosh._native import Config
from hoosh.asgi import Asgi
from hoosh.errors import ConfigError
from hoosh.gateway import Gateway
from hoosh.provider import Provider

__all__ = ["Builder", "Server"]

LISTS = ("providers", "aliases", "models", "budgets", "prices", "routes", "tokens")
"""What adds up: the tables that a file may have several of. `tokens` are in `[auth]`."""


class Builder:
    """Collects what a configuration file would hold; each method returns the builder.

    Keys, units and defaults are those of the file ([docs/config.md](docs/config.md)), and so are the checks: `build` has
    the core read it all. What is given twice is the later one; providers, pools and keys add up.
    """

    def __init__(self) -> None:
        self._base: str | PathLike[str] | None = None
        self._tables: dict[str, dict[str, Any]] = {}
        self._lists: dict[str, list[Any]] = {name: [] for name in LISTS}
        self._hooks: dict[str, Hooks] = {}
        self._engines: dict[str, Engine] = {}
        self._prefix = ""
        self._transport: Transport = "python"

    def config(self, given: str | PathLike[str]) -> "Builder":
        """Begin with a file, or with TOML text; what the builder is told besides goes before it, or is added."""
        self._base = given
        return self

    def bind(self, bind: str) -> "Builder":
        """Address that `Server.serve` listens on."""
        return self.server(bind=bind)

    def port(self, port: int) -> "Builder":
        """TCP port that `Server.serve` listens on; 0 lets the system choose."""
        return self.server(port=port)

    def prefix(self, prefix: str) -> "Builder":
        """Answer below this path: with `/ai`, at `/ai/v1/chat/completions`. A host that mounts the application says so itself."""
        if not prefix.startswith("/") or prefix.endswith("/"):
            raise ConfigError("a prefix begins with `/` and does not end with it, such as `/ai`")
        self._prefix = prefix
        return self

    def transport(self, transport: Transport) -> "Builder":
        """Have `Server.gateway`'s calls driven on the event loop that runs it (`python`), or in native threads (`native`)."""
        self._transport = inside.checked(transport)
        return self

    def provider(self, *providers: Provider) -> "Builder":
        """Add providers, in the order in which equals are asked."""
        for provider in providers:
            self._lists["providers"].append(provider.keys)
            if provider.hooks:
                self._hooks[provider.name] = provider.hooks
            if provider.engine is not None:
                self._engines[provider.name] = provider.engine
        return self

    def hooks(
        self,
        provider: str,
        *,
        auth: Auth | None = None,
        on_request: OnRequest | None = None,
        on_answer: OnAnswer | None = None,
    ) -> "Builder":
        """Give a provider of the file its callables: see `Provider`."""
        self._hooks[provider] = Hooks(auth, on_request, on_answer)
        return self

    def engine(self, provider: str, engine: "Engine") -> "Builder":
        """Have a provider of the file, of type `engine`, answered by `engine`: see `Provider`.

        Raises:
            ConfigError: it is no engine.

        """
        kinds.check(engine)
        self._engines[provider] = engine
        return self

    def pool(self, name: str, capacity: int, **keys: Any) -> "Builder":
        """Add a budget, `[[budgets]]`: `capacity` tokens, input and output together; `slice` of them are leased at a time."""
        return self._add("budgets", {"name": name, "capacity": capacity, **keys})

    def key(self, token: str, **keys: Any) -> "Builder":
        """Add a key that callers send, `[[auth.tokens]]`: `name`, `models`, `budget` and its limits."""
        return self._add("tokens", {"token": token, **keys})

    def alias(self, name: str, *models: str) -> "Builder":
        """Have `name` mean these models, `[[aliases]]`: the next is asked where nobody of the one before can be."""
        return self._add("aliases", {"name": name, "models": list(models)})

    def model(self, name: str, **keys: Any) -> "Builder":
        """Say what a model cannot do, `[[models]]`: `provider`, `tools`, `images`, `audio`, `context_tokens`, `max_output_tokens`."""
        return self._add("models", {"name": name, **keys})

    def price(self, model: str, **keys: Any) -> "Builder":
        """Say what a model costs, `[[prices]]`: US dollars for a million tokens."""
        return self._add("prices", {"model": model, **keys})

    def route(self, model: str, **keys: Any) -> "Builder":
        """Give some models deadlines of their own, `[[routes]]`, seconds."""
        return self._add("routes", {"model": model, **keys})

    def server(self, **keys: Unpack[ServerKeys]) -> "Builder":
        """Set keys of `[server]`."""
        return self.section("server", **keys)

    def cache(self, **keys: Unpack[CacheKeys]) -> "Builder":
        """Cache answers, with these keys of `[cache]`; `enabled` is true unless it is given."""
        return self.section("cache", **{"enabled": True, **keys})

    def catalogue(self, **keys: Unpack[CatalogueKeys]) -> "Builder":
        """Say of services and models what hoosh's own catalogue does not, `[catalogue]`.

        `Provider` knows hoosh's own types only; providers of yours stand in the text that `config` takes.
        """
        return self.section("catalogue", **keys)

    def retry(self, **keys: Unpack[RetryKeys]) -> "Builder":
        """Set keys of `[retry]`."""
        return self.section("retry", **keys)

    def limits(self, **keys: Unpack[LimitsKeys]) -> "Builder":
        """Set keys of `[limits]`."""
        return self.section("limits", **keys)

    def deadlines(self, **keys: Unpack[DeadlinesKeys]) -> "Builder":
        """Set keys of `[deadlines]`, seconds."""
        return self.section("deadlines", **keys)

    def idempotency(self, **keys: Unpack[IdempotencyKeys]) -> "Builder":
        """Set keys of `[idempotency]`."""
        return self.section("idempotency", **keys)

    def dialects(self, **keys: Unpack[DialectsKeys]) -> "Builder":
        """Set keys of `[dialects]`."""
        return self.section("dialects", **keys)

    def log(self, **keys: Unpack[LogKeys]) -> "Builder":
        """Set keys of `[log]`."""
        return self.section("log", **keys)

    def storage(self, **keys: Unpack[StorageKeys]) -> "Builder":
        """Set keys of `[storage]`: with `path`, budgets and the ledger outlive the process."""
        return self.section("storage", **keys)

    def section(self, table: str, /, **keys: Any) -> "Builder":
        """Set keys of any table of the file."""
        given = {name: value for name, value in keys.items() if value is not None}
        self._tables.setdefault(table, {}).update(given)
        return self

    def build(self) -> "Server":
        """The gateway.

        Raises:
            ConfigError: the configuration is wrong: in the words of the file's own check.

        """
        composed = copy.deepcopy((self._base, self._tables, self._lists))
        hooks, engines = dict(self._hooks), dict(self._engines)
        return Server(lambda: _compose(*composed), hooks, engines, self._prefix, self._transport)

    def _add(self, name: str, keys: Mapping[str, Any]) -> "Builder":
        self._lists[name].append(dict(keys))
        return self


class Server:
    """A gateway of this program: an ASGI application, a server of its own, and a gateway in process, all one.

    Made by `Server.builder()`. Nothing runs before it is used, so that it may be made before worker processes are forked.
    """

    def __init__(
        self,
        compose: Callable[[], Config],
        hooks: dict[str, Hooks],
        engines: "Mapping[str, Engine]",
        prefix: str,
        transport: Transport = "python",
    ) -> None:
        self._compose = compose
        self.config = compose().hooked([name for name, given in hooks.items() if given])
        """What is in force, checked."""
        kinds = {name: kind for name, kind, _ in self.config.providers}
        for name in engines:
            if kinds.get(name) != "engine":
                raise ConfigError(f"no provider of type engine is called `{name}`")
        self.app = Asgi(self.config, hooks=hooks, engines=engines, prefix=prefix, transport=transport)
        """The ASGI application: `host.mount("/ai", server.app)`."""

    @staticmethod
    def builder() -> Builder:
        """Begin."""
        return Builder()

    @property
    def gateway(self) -> Gateway:
        """The same gateway for callers of this process, while it runs: under `serve`, `running` or the host's lifespan."""
        return Gateway._of(self.app.driver)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Server"]:
        """Run the gateway's own loop: `async with server.running()` in the lifespan of a host, or around calls in process."""
        async with self.app.running():
            yield self

    def serve(self) -> int:
        """Serve, as `hoosh serve` does, until SIGTERM or SIGINT; SIGHUP reads the builder's file and the environment anew.

        To be called in the main thread, without an event loop. Returns the exit code.

        Raises:
            ConfigError: it must not be served there, or cannot be.

        """
        from hoosh.server import serve_app

        return serve_app(self.app, self.config, self._compose)

    def close(self) -> None:
        """Admit nothing any more, and have what is not stored yet stored. May be called again, and from any thread."""
        self.app.close()


def _compose(
    base: str | PathLike[str] | None, tables: dict[str, dict[str, Any]], lists: dict[str, list[Any]]
) -> Config:
    """The file, with what the builder was told over it."""
    text = "" if base is None else _environment.text(base)
    folder = _environment.folder(base)
    try:
        whole = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        _environment.parse(text, folder=folder)  # says it better, with the line
        raise ConfigError(f"not valid TOML: {error}") from error
    for name, keys in tables.items():
        given = whole.setdefault(name, {})
        if isinstance(given, dict):
            given.update(keys)
    places = dict.fromkeys(LISTS, whole) | {"tokens": whole.setdefault("auth", {})}
    for name, entries in lists.items():
        if entries and isinstance(table := places[name], dict):
            given = table.setdefault(name, [])
            table[name] = [*given, *entries] if isinstance(given, list) else given
    if not whole["auth"]:
        del whole["auth"]
    try:
        return _toml.parse(whole, folder=folder)
    except ConfigError:
        if base is not None:
            _environment.parse(text, folder=folder)  # where the fault is in the file, its line is known
        raise
