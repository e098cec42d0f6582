r"""Server-sent events: the stream format in which models answer piece by piece.

    parser = Parser()
    for chunk in chunks:                # bytes, cut anywhere
        for event in parser.feed(chunk):
            print(event.event, event.data)
    parser.finish()                     # an unfinished last event is dropped

    write('{"ok": true}', event="done")  # b'event: done\ndata: {"ok": true}\n\n'

Source: WHATWG HTML standard, section 9.2 "Server-sent events",
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from hoosh import _native

__all__ = ["Event", "Parser", "write"]

Event = _native.SseEvent
Parser = _native.SseParser


def write(data: str, *, event: str | None = None, id: str | None = None) -> bytes:
    """One event as bytes, with the blank line that ends it, in the order `event`, `id`, `data`.

    `data` may have several lines; CR and CRLF in it arrive as LF, because the format knows no other line end inside data.

    Raises:
        InvalidRequest: `event` or `id` (`param` says which) holds a CR, LF or NUL, which would end the field early.

    """
    return _native.sse_write(data, event, id)
