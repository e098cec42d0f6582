"""A fake upstream that answers exactly, fails exactly and remembers what it was asked.

    async with open_upstream() as upstream:
        upstream.plan(reset_after=0)           # the next request gets a TCP reset instead of an answer
        ...                                    # point a client or gateway at upstream.url
        assert upstream.requests[0].path == "/v1/chat/completions"

Three ways to ask for a fault, strongest first: a queued plan (`upstream.plan`, first in first out), the request header
`x-fake-plan` (a JSON object of the same fields), and the model name `fake:<field>[=<JSON>][,<field>...]`.

`answers` knows the protocol and no socket; `plan` is the list of faults; `wire` turns an answer and a plan into the very
bytes and endings; `server` moves them. `python -m tests.upstream` runs it as a program of its own.
"""

from .plan import Plan
from .server import Recorded, Upstream, open_upstream

__all__ = ["Plan", "Recorded", "Upstream", "open_upstream"]
