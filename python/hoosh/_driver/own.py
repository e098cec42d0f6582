"""Engines that are hoosh's own: they compute models in this process."""

from pathlib import Path

from hoosh import _environment
from hoosh._native import NativeEngine, candle
from hoosh.errors import ConfigError

NATIVE = "native:"
"""Before the name of an engine that is hoosh's own, in the core's words for what makes it."""
DEMONSTRATION = Path(__file__).parent.parent / "models" / "hoosh-tiny.gguf"
"""The model that comes with hoosh."""


def made(provider: str, target: str, options: str) -> NativeEngine:
    """The engine `target` of `provider`. It looks at its files, and reads none of them whole.

    Args:
        provider: the provider's name, for the words of errors.
        target: `candle`, which is the only one.
        options: JSON, as the core writes it of the configuration.

    Raises:
        ConfigError: a file is not there, or is no model that it knows.

    """
    assert target == "candle"
    _environment.leave_a_core()
    try:
        return candle(options, str(DEMONSTRATION))
    except ConfigError as error:
        raise ConfigError(f"provider `{provider}`: {error.message}") from error
