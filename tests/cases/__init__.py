r"""The table of cases that every driver of the exchange must answer alike. One `*.case` file is one case.

A file is plain text, cut by lines that begin with `--- `:

    --- about        one sentence on the rule that is shown
    --- config       TOML of the gateway. $UPSTREAM is the fake upstream's base URL (without /v1), $REFUSED one that
                     refuses connections
    --- request      request line, header lines, an empty line, the body
    --- upstream     what the fake answers to the next request that reaches it: the very bytes of head and body
    --- sent         what such a request must look like, in order: request line, header lines (at least these), an
                     empty line, the body
    --- expect       status, header lines (at least these), an empty line, the body
    --- row          TOML of the ledger row (the fields that matter), or `none`

`request`, `expect` and `row` repeat together where a case needs several requests, sent one after the other;
`upstream` and `sent` repeat as often as the upstream is asked. After the word `upstream` may stand how the answer ends:
`keep` (the default), `close`, `reset` (TCP RST; with no bytes: before the head) or `stall` (silence). After the word
`about` may stand `http`: then the case is about the wire (paths, methods, keys) and means nothing in process.

Bytes: the line ends of the file do not count. `\r`, `\n`, `\t`, `\\` and `\xNN` write bytes; in `upstream`, `\L` is the
length of what follows the head, in decimal. In `sent` and `expect`, `\*` matches any bytes, as few as will do; a header
whose value is `\!` must be absent. Request bodies are given their `content-length` by whoever sends them.
"""

from .check import check_answer, check_row, check_sent, neutral_events
from .load import Answer, Case, CaseError, Exchange, Request, Script, load_cases, parse_case

__all__ = [
    "Answer",
    "Case",
    "CaseError",
    "Exchange",
    "Request",
    "Script",
    "check_answer",
    "check_row",
    "check_sent",
    "load_cases",
    "neutral_events",
    "parse_case",
]
