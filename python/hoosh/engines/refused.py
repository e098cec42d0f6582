"""How an engine says no."""


class Refused(Exception):
    """The engine does not answer this request, in the words that an upstream over HTTP would use.

    Raised before anything was said. What a status means is judged as with every provider: 400, 404, 413 and 422 are the request's
    fault and end it; 429 has the model left alone until `retry_after`, and 503 counts against the engine, while another
    provider may be asked.

    Args:
        status: from 400 to 599.
        message: what is wrong and what helps, for the caller.
        code: a stable word, such as `context_length_exceeded`.
        param: the field of the request that is meant.
        retry_after: seconds after which to come again.

    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        if not isinstance(status, int) or not 400 <= status <= 599:
            raise ValueError(f"a refusal has a status from 400 to 599, not {status!r}")
        if retry_after is not None and not 0 <= retry_after < float("inf"):
            raise ValueError(f"retry_after is a number of seconds, not {retry_after!r}")
        super().__init__(message)
        self.status, self.message, self.code, self.param, self.retry_after = status, message, code, param, retry_after
