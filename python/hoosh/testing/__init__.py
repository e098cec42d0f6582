"""For authors of engines: tests that every engine should pass. docs/engines.md shows them in use."""

from hoosh.testing.contract import ProviderContract

__all__ = ["ProviderContract"]
