"""Faults of the gateway that the matrix shows. Each is a test that must fail until it is mended."""

KNOWN: dict[tuple[str, str, str], str] = {}
"""By capability or field, caller and upstream: what is wrong."""
