"""hoosh.sse: the standard's examples, the shape of events, splits, bounds, and the writer against the parser."""

import copy
import pickle
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoosh.errors import InvalidRequest, MalformedReply
from hoosh.sse import Event, Parser, write


def parse(*chunks: bytes) -> list[Event]:
    parser = Parser()
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    parser.finish()
    return events


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [Event("message", "YHOO\n+2\n10")]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            [Event("message", "first event", "1"), Event("message", "second event"), Event("message", " third event")],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [Event("message", ""), Event("message", "\n")]),
        (b"data:test\n\ndata: test\n\n", [Event("message", "test")] * 2),
        (b"\xef\xbb\xbfdata: after a BOM\r\rdata: b\r\n\r\n", [Event("message", "after a BOM"), Event("message", "b")]),
        (b"event: done\nretry: 250\ndata: \xff\n\n", [Event("done", "\ufffd", "", 250)]),
        (b"data: unfinished\n", []),
    ],
)
def test_examples_whole_and_byte_by_byte(stream, expected):
    assert parse(stream) == expected
    assert parse(*(bytes([byte]) for byte in stream)) == expected


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_anything_with_a_buffer_is_read(kind):
    assert parse(kind(b"data: 1\n\n")) == [Event("message", "1")]


def test_text_is_refused():
    with pytest.raises(TypeError):
        Parser().feed("data: 1\n\n")


def test_an_event_is_a_value():
    event = Event("done", "1", "7", 250)
    assert event == Event(event="done", data="1", id="7", retry=250)
    assert hash(event) == hash(Event("done", "1", "7", 250))
    assert event != Event("done", "1", "7")
    assert event != ("done", "1", "7", 250)
    assert repr(event) == "Event(event='done', data='1', id='7', retry=250)"
    assert pickle.loads(pickle.dumps(event)) == copy.copy(event) == event
    with pytest.raises(AttributeError):
        event.data = "2"
    with pytest.raises(AttributeError):
        event.more = "2"
    match event:
        case Event(name, data):
            assert (name, data) == ("done", "1")


def test_finish_tells_what_was_dropped_and_what_a_reconnect_needs():
    parser = Parser()
    assert (parser.last_event_id, parser.retry) == ("", None)
    parser.feed(b"id: 7\nretry: 9\n\ndata: unfini")
    assert parser.finish() == len(b"data: unfini")
    assert (parser.last_event_id, parser.retry) == ("7", 9)
    assert parser.feed(b"data: 1\n\n") == [Event("message", "1", "7")]


@pytest.mark.parametrize(
    ("bounds", "stream"),
    [({"max_line_bytes": 8}, b"data: 456"), ({"max_event_bytes": 8}, b"data: 1\ndata: 2\n")],
)
def test_a_broken_bound_is_an_error_and_stays_one(bounds, stream):
    parser = Parser(**bounds)
    assert parser.feed(b"data: 1\n\n") == [Event("message", "1")]
    for _ in range(2):
        with pytest.raises(MalformedReply, match="8 bytes") as caught:
            parser.feed(stream)
        assert caught.value.code == "upstream_malformed"
    with pytest.raises(MalformedReply):
        parser.finish()


lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))


@given(st.lists(st.tuples(lines, st.lists(lines, min_size=1))), st.data())
def test_what_was_written_is_read_at_every_split(events, data):
    stream = b"".join(write("\n".join(texts), event=name) for name, texts in events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert parse(*chunks) == [Event(name or "message", "\n".join(texts)) for name, texts in events]


def test_the_writer():
    assert write("a\r\nb\rc", event="done", id="7") == b"event: done\nid: 7\ndata: a\ndata: b\ndata: c\n\n"
    for bad in ({"event": "a\nb"}, {"id": "a\0"}):
        with pytest.raises(InvalidRequest) as caught:
            write("", **bad)
        assert [caught.value.param] == list(bad)


def test_a_large_chunk_lets_other_threads_run():
    """While 64 MB are parsed, another thread makes progress, which it could not if the interpreter lock were held."""
    stream = (b"data: " + b"x" * (7 << 20) + b"\n\n") * 9
    ticks, done = [], threading.Event()

    def tick():
        while not done.wait(0.0005):
            ticks.append(1)

    thread = threading.Thread(target=tick)
    thread.start()
    parser = Parser()
    before = len(ticks)
    parser.feed(stream)
    during = len(ticks) - before
    done.set()
    thread.join()
    assert during > 3
