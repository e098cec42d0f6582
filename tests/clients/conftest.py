"""The fixtures of tests/python."""

from tests.python.conftest import upstream

__all__ = ["upstream"]
