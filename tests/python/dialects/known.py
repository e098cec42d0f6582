"""Faults of the gateway that the matrix shows. Each is a test that must fail until it is mended."""

KNOWN: dict[tuple[str, str, str], str] = {
    ("a tool that failed", "openai_chat", "openai_chat"): (
        "`is_error`, a member of hoosh's own, goes on to OpenAI itself between equals, and OpenAI refuses it"
    ),
    **{
        ("structured output, optional member", "anthropic", upstream): (
            "a schema of Anthropic's goes to OpenAI as strict, which refuses it where a member may be left out"
        )
        for upstream in ("openai_chat", "openai_responses")
    },
    ("document", "anthropic", "gemini"): "the loss report names a file's name that the caller never gave",
    **{
        ("sound", caller, "openai_responses"): (
            "a sound goes to the Responses API as `input_audio`, which its types of a message's content do not have"
        )
        for caller in ("openai_chat", "gemini")
    },
    ("`service_tier`", "anthropic", "ollama"): "`service_tier` is dropped, and the loss report does not say so",
    **{
        ("`tools.0.eager_input_streaming`", "anthropic", upstream): (
            "`eager_input_streaming` of a tool is dropped, and the loss report does not say so"
        )
        for upstream in ("openai_chat", "openai_responses", "gemini", "ollama")
    },
}
"""By capability or field, caller and upstream: what is wrong."""
