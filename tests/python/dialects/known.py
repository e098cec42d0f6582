"""Faults of the gateway that the matrix shows. Each is a test that must fail until it is mended."""

KNOWN: dict[tuple[str, str, str], str] = {
    ("a tool that failed", "openai_chat", "openai_chat"): (
        "`is_error`, a member of hoosh's own, goes on to OpenAI itself between equals, and OpenAI refuses it"
    ),
}
"""By capability, caller and upstream: what is wrong."""
