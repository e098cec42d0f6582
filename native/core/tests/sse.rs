//! The event stream against hand-written cases, against a plain transcription of the standard, and at every split.

use bytes::Bytes;
use hoosh_core::sse::{write_event, Event, FieldError, Frame, Framer, Limits, Parser, SseError, WholeFramer};
use proptest::prelude::*;

fn event(event: &str, data: &str, id: &str, retry: Option<u64>) -> Event {
    Event { event: event.into(), data: data.into(), id: id.into(), retry }
}

fn message(data: &str) -> Event {
    event("message", data, "", None)
}

/// What a stream gives: events, then bytes left over or the error.
type Parsed = (Vec<Event>, Result<usize, SseError>);

fn parse<'a>(limits: Limits, chunks: impl IntoIterator<Item = &'a [u8]>) -> Parsed {
    let mut parser = Parser::new(limits);
    let mut events = Vec::new();
    for chunk in chunks {
        match parser.feed(chunk) {
            Ok(more) => events.extend(more),
            Err(error) => {
                assert_eq!(parser.feed(b"data: more\n\n"), Err(error), "an error stays");
                return (events, parser.finish());
            }
        }
    }
    (events, parser.finish())
}

/// `dispatches`, `event` and `data` of each block, and the rest; raws and rest must join to the input.
fn frame<'a>(
    limits: Limits,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<(Bytes, Bytes)>, Result<usize, SseError>) {
    let mut framer = Framer::new(limits);
    let (mut dispatched, mut input, mut raws) = (Vec::new(), Vec::new(), Vec::new());
    for chunk in chunks {
        input.extend_from_slice(chunk);
        framer.push(Bytes::copy_from_slice(chunk));
        loop {
            match framer.next_frame() {
                Ok(Some(Frame { raw, data, event, dispatches })) => {
                    raws.extend_from_slice(&raw);
                    assert!(dispatches || data.is_empty());
                    dispatched.extend(dispatches.then_some((event, data)));
                }
                Ok(None) => break,
                Err(error) => return (dispatched, Err(error)),
            }
        }
    }
    let rest = framer.rest();
    raws.extend_from_slice(&framer.finish());
    assert_eq!(raws, input, "raws and rest are the input");
    (dispatched, Ok(rest))
}

fn splits(input: &[u8]) -> impl Iterator<Item = [&[u8]; 2]> {
    (0..=input.len()).map(|at| [&input[..at], &input[at..]])
}

/// Both layers give the same whole, byte by byte and at every 2-way split; returns it.
fn parse_everywhere(limits: Limits, input: &[u8]) -> Parsed {
    let whole = parse(limits, [input]);
    let framed = frame(limits, [input]);
    assert_eq!(parse(limits, input.chunks(1)), whole, "byte by byte: {input:?}");
    assert_eq!(frame(limits, input.chunks(1)), framed, "byte by byte: {input:?}");
    for chunks in splits(input) {
        assert_eq!(parse(limits, chunks), whole, "split at {}: {input:?}", chunks[0].len());
        assert_eq!(frame(limits, chunks), framed, "split at {}: {input:?}", chunks[0].len());
    }
    assert_eq!(framed.1, whole.1);
    let decode = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let of_frames: Vec<_> = framed.0.iter().map(|(_, data)| decode(data)).collect();
    assert_eq!(of_frames, whole.0.iter().map(|event| event.data.clone()).collect::<Vec<_>>());
    whole
}

macro_rules! cases {
    ($($name:ident: $input:expr => [$($event:expr),*], $left:expr;)*) => {
        $(#[test] fn $name() {
            let input: &[u8] = $input;
            assert_eq!(parse_everywhere(Limits::default(), input), (vec![$($event),*], Ok($left)));
        })*
    };
}

cases! {
    one_event: b"data: a\n\n" => [message("a")], 0;
    no_space_after_colon: b"data:a\n\n" => [message("a")], 0;
    only_one_space_is_dropped: b"data:  a \n\n" => [message(" a ")], 0;
    a_tab_is_no_space: b"data:\ta\n\n" => [message("\ta")], 0;
    line_ends_cr: b"data: a\rdata: b\r\r" => [message("a\nb")], 0;
    line_ends_crlf: b"data: a\r\ndata: b\r\n\r\n" => [message("a\nb")], 0;
    line_ends_mixed: b"data: a\rdata: b\ndata: c\r\n\ndata: d\n\r\ndata: e\r\r\n" => [message("a\nb\nc"), message("d"), message("e")], 0;
    lf_cr_is_two_line_ends: b"data: a\n\rdata: b\n\n" => [message("a"), message("b")], 0;
    multi_line_data: b"data: a\ndata:\ndata: c\n\n" => [message("a\n\nc")], 0;
    two_empty_data_lines: b"data\ndata\n\n" => [message("\n")], 0;
    data_without_value_dispatches: b"data\n\ndata:\n\n" => [message(""), message("")], 0;
    event_without_data_does_not: b"event: x\n\ndata: a\n\n" => [message("a")], 0;
    named_event: b"event: x\ndata: a\n\ndata: b\n\n" => [event("x", "a", "", None), message("b")], 0;
    last_event_name_wins: b"event: x\ndata: a\nevent: y\n\n" => [event("y", "a", "", None)], 0;
    empty_event_name_is_message: b"event: x\nevent\ndata: a\n\n" => [message("a")], 0;
    comments: b": hello\ndata: a\n:\n:data: b\n\n:alone\n\n" => [message("a")], 0;
    unknown_fields: b"dat: x\nDATA: x\n data: x\ndata : x\ndata: a\nfoo\n\n" => [message("a")], 0;
    colons_in_the_value: b"data::a:b\n\n" => [message(":a:b")], 0;
    blank_lines_only: b"\n\n\r\n\r\r\n" => [], 0;
    id_persists: b"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n" => [event("message", "a", "1", None), event("message", "b", "1", None), message("c")], 0;
    id_without_data_persists: b"id: 7\n\ndata: a\n\n" => [event("message", "a", "7", None)], 0;
    id_with_nul_is_ignored: b"id: 1\nid: 2\x003\ndata: a\n\n" => [event("message", "a", "1", None)], 0;
    nul_elsewhere_is_kept: b"event: x\x00\ndata: a\x00\n\n" => [event("x\0", "a\0", "", None)], 0;
    retry_digits: b"retry: 0150\ndata: a\n\n" => [event("message", "a", "", Some(150))], 0;
    retry_otherwise_ignored: b"retry: 1\nretry: 1.5\nretry: -2\nretry:  3\nretry: 4 \nretry: 0x5\nretry\nretry: \xD9\xA3\ndata: a\n\n" => [event("message", "a", "", Some(1))], 0;
    retry_saturates: b"retry: 99999999999999999999999\ndata: a\n\n" => [event("message", "a", "", Some(u64::MAX))], 0;
    bom_at_the_start: b"\xEF\xBB\xBFdata: a\n\n" => [message("a")], 0;
    bom_alone_on_its_line: b"\xEF\xBB\xBF\ndata: a\n\n" => [message("a")], 0;
    bom_once_only: b"\xEF\xBB\xBF\xEF\xBB\xBFdata: a\ndata: b\n\n" => [message("b")], 0;
    bom_elsewhere_is_text: b"data: a\n\n\xEF\xBB\xBFdata: b\n\ndata: \xEF\xBB\xBFc\n\n" => [message("a"), message("\u{FEFF}c")], 0;
    half_a_bom: b"\xEF\xBBdata: a\ndata: b\n\n" => [message("b")], 0;
    invalid_utf8: b"data: a\xFFb\xE2\x82\ndata: \x82\xC0\xAF\nevent: \xF0\x9F\x98\ndata: \xED\xA0\x80\n\n"
        => [event("\u{FFFD}", "a\u{FFFD}b\u{FFFD}\n\u{FFFD}\u{FFFD}\u{FFFD}\n\u{FFFD}\u{FFFD}\u{FFFD}", "", None)], 0;
    multi_byte_text: "data: Grüße 👩‍🚀\nid: é\n\n".as_bytes() => [event("message", "Grüße 👩‍🚀", "é", None)], 0;
    other_separators_are_text: "data: a\u{85}b\u{2028}c\u{B}d\u{C}e\n\n".as_bytes() => [message("a\u{85}b\u{2028}c\u{B}d\u{C}e")], 0;
    unfinished_event_is_dropped: b"data: a\n\ndata: b\n" => [message("a")], 8;
    unfinished_line_is_dropped: b"data: a\n\nid: 3\ndata: b" => [message("a")], 13;
    nothing: b"" => [], 0;
}

#[test]
fn an_unfinished_block_sets_no_id() {
    let mut parser = Parser::new(Limits::default());
    parser.feed(b"id: 1\nretry: 5\n\nid: 2\nretry: 6\n").unwrap();
    assert_eq!((parser.finish(), parser.last_event_id(), parser.retry()), (Ok(15), "1", Some(5)));
    // The next connection begins with a BOM of its own and the old id.
    assert_eq!(parser.feed(b"\xEF\xBB\xBFdata: a\n\n"), Ok(vec![event("message", "a", "1", None)]));
}

#[test]
fn a_cr_dispatches_at_once_and_its_lf_goes_into_the_next_raw() {
    let mut framer = Framer::new(Limits::default());
    framer.push(Bytes::from_static(b"data: a\r\n\r"));
    assert_eq!(framer.next_frame().unwrap().unwrap().raw, "data: a\r\n\r");
    framer.push(Bytes::from_static(b"\n"));
    assert_eq!((framer.next_frame(), framer.rest()), (Ok(None), 0));
    framer.push(Bytes::from_static(b"data: b\n\n"));
    let next = framer.next_frame().unwrap().unwrap();
    assert_eq!((next.raw, next.data), ("\ndata: b\n\n".into(), "b".into()));
}

/// The raws of a relay, and what is left.
fn raws<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Bytes>, Bytes) {
    let (mut framer, mut raws) = (WholeFramer::new(Limits::default()), Vec::new());
    for chunk in chunks {
        framer.push(Bytes::copy_from_slice(chunk));
        raws.extend(std::iter::from_fn(|| framer.next_frame().unwrap()).map(|frame| frame.raw));
    }
    (raws, framer.finish())
}

#[test]
fn a_relays_raws_are_the_same_wherever_crlf_is_cut() {
    let input = b"data: a\r\n\r\n: b\r\n\r\n\r\ndata: c\r\ndata: d\r\n\r\n\r\nda";
    let whole = raws([&input[..]]);
    assert_eq!(whole.0, ["data: a\r\n\r\n", ": b\r\n\r\n", "\r\n", "data: c\r\ndata: d\r\n\r\n", "\r\n"]);
    assert_eq!(raws(input.chunks(1)), whole);
    splits(input).for_each(|chunks| assert_eq!(raws(chunks), whole, "{}", chunks[0].len()));
    assert_eq!(raws(b"data: a\r\n\r".chunks(1)), (vec!["data: a\r\n\r\n".into()], Bytes::new()), "it broke off");
}

#[test]
fn a_relay_adds_nothing_to_lines_that_end_in_cr_or_lf() {
    for input in [&b"data: a\r\rdata: b\r\r\r"[..], b"data: a\n\n\ndata: b\n\n", b"\r\rdata: a\r\r"] {
        for chunks in splits(input).map(Vec::from).chain([input.chunks(1).collect()]) {
            assert_eq!(raws(chunks).0.concat(), input);
        }
    }
}

#[test]
fn a_whole_block_is_not_copied() {
    let chunk = Bytes::copy_from_slice(b"event: x\ndata: first\n\ndata: second\n\n");
    let mut framer = Framer::new(Limits::default());
    framer.push(chunk.clone());
    for at in [0, 22] {
        let frame = framer.next_frame().unwrap().unwrap();
        assert_eq!(frame.raw.as_ptr(), chunk[at..].as_ptr());
        assert!(chunk.as_ptr_range().contains(&frame.data.as_ptr()));
    }
    assert_eq!((framer.next_frame(), framer.rest()), (Ok(None), 0));
}

#[test]
fn chunks_may_be_pushed_ahead() {
    let mut framer = Framer::new(Limits::default());
    let chunks: [&[u8]; 5] = [b"data: a\r", b"", b"\n\r", b"\ndata", b": b\n\nda"];
    chunks.into_iter().for_each(|chunk| framer.push(Bytes::from_static(chunk)));
    let frames: Vec<_> = std::iter::from_fn(|| framer.next_frame().unwrap()).map(|frame| frame.data).collect();
    assert_eq!(frames, ["a", "b"]);
    assert_eq!((framer.rest(), framer.finish()), (2, Bytes::from_static(b"da")));
}

#[test]
fn a_line_may_be_as_long_as_its_bound() {
    let limits = Limits { max_line_bytes: 8, max_event_bytes: 100 };
    let error = SseError::LineTooLong { limit: 8 };
    let long = Err(error);
    assert_eq!(parse_everywhere(limits, b"data: 12\r\n\r\n"), (vec![message("12")], Ok(0)));
    assert_eq!(parse_everywhere(limits, b"data: 1\n\ndata: 123\n\n"), (vec![message("1")], long));
    assert_eq!(parse_everywhere(limits, b"data: 1\n\n:comment without end"), (vec![message("1")], long));
    assert!(error.to_string().contains("longer than 8 bytes"));
}

#[test]
fn an_event_may_be_as_large_as_its_bound() {
    let limits = Limits { max_line_bytes: 50, max_event_bytes: 16 };
    let error = SseError::EventTooLarge { limit: 16 };
    let large = Err(error);
    assert_eq!(parse_everywhere(limits, b"data: 1\r\ndata: 2\r\n\r\n"), (vec![message("1\n2")], Ok(0)));
    assert_eq!(parse_everywhere(limits, b"data: 1\n\n:c\ndata: 2\n:ddddd"), (vec![message("1")], large));
    assert_eq!(parse_everywhere(limits, b"data: 1\ndata: 234\n\n"), (vec![], large));
    assert_eq!(parse_everywhere(limits, b":1\n:2\n:3\n:4\n:5\n:6\n"), (vec![], large));
    assert!(error.to_string().contains("larger than 16 bytes"));
}

#[test]
fn the_bound_that_is_met_first_is_reported() {
    let limits = Limits { max_line_bytes: 10, max_event_bytes: 14 };
    assert_eq!(parse_everywhere(limits, b"data:\n:0123456789").1, Err(SseError::EventTooLarge { limit: 14 }));
    assert_eq!(parse_everywhere(limits, b"a\n:0123456789012345").1, Err(SseError::LineTooLong { limit: 10 }));
    let both = Limits { max_line_bytes: 10, max_event_bytes: 10 };
    assert_eq!(parse_everywhere(both, b"01234567890").1, Err(SseError::LineTooLong { limit: 10 }));
}

#[test]
fn time_is_linear_in_the_worst_split() {
    // Both would take minutes if a byte were looked at again for every byte that follows.
    let mut one_line = b"data: ".to_vec();
    one_line.resize(2 << 20, b'x');
    one_line.extend_from_slice(b"\n\n");
    let many_lines = [b"data: x\n".repeat(1 << 18), b"\n".to_vec()].concat();
    for input in [one_line, many_lines] {
        let (events, left) = parse(Limits::default(), input.chunks(1));
        assert_eq!((events.len(), left), (1, Ok(0)));
    }
}

#[test]
fn written_events_are_read_back() {
    let mut out = Vec::new();
    write_event(&mut out, None, None, "{}").unwrap();
    assert_eq!(out, b"data: {}\n\n");
    write_event(&mut out, Some("x"), Some("9"), " a\r\nb\rc\n").unwrap();
    write_event(&mut out, None, Some(""), "").unwrap();
    let expected = vec![message("{}"), event("x", " a\nb\nc\n", "9", None), message("")];
    assert_eq!(parse_everywhere(Limits::default(), &out), (expected, Ok(0)));
}

#[test]
fn the_writer_refuses_what_would_break_the_framing() {
    for bad in ["a\nb", "a\rb", "\0"] {
        let mut out = Vec::new();
        assert_eq!(write_event(&mut out, Some(bad), None, ""), Err(FieldError { field: "event" }));
        assert_eq!(write_event(&mut out, None, Some(bad), ""), Err(FieldError { field: "id" }));
        assert!(out.is_empty());
    }
}

/// The standard's own order of work, on the whole stream: decode, divide into lines, process line by line.
fn reference(input: &[u8]) -> Vec<Event> {
    let text = String::from_utf8_lossy(input.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(input)).into_owned();
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines.pop(); // What follows the last line end is no line.
    let (mut events, mut id) = (Vec::new(), String::new());
    let (mut data, mut kind, mut new_id, mut retry) = (String::new(), String::new(), None, None);
    for line in lines {
        if line.is_empty() {
            id = new_id.take().unwrap_or(id);
            let (mut data, kind, retry) = (std::mem::take(&mut data), std::mem::take(&mut kind), retry.take());
            if data.pop().is_some() {
                events.push(event(if kind.is_empty() { "message" } else { &kind }, &data, &id, retry));
            }
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => data.extend([value, "\n"]),
            "event" => kind = value.to_owned(),
            "id" if !value.contains('\0') => new_id = Some(value.to_owned()),
            "retry" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => retry = value.parse().ok(),
            _ => {}
        }
    }
    events
}

/// Streams made of the pieces that matter, with a little noise.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        6 => prop::sample::select(vec![&b"\n"[..], b"\r", b"\r\n", b"\n\n", b"\r\n\r\n"]),
        6 => prop::sample::select(vec![&b"data: "[..], b"data", b"data:", b"event:", b"id: ", b"retry:", b":", b" "]),
        3 => prop::sample::select(vec![&b"x"[..], b"12", b"\0", b"{\"a\":1}", b"[DONE]"]),
        1 => prop::sample::select(vec![&b"\xEF\xBB\xBF"[..], b"\xFF", b"\xE2\x82", b"\xE2\x82\xAC", b"\xF0\x9F"]),
    ];
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

fn cut<'a>(input: &'a [u8], at: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = at.iter().map(|index| index.index(input.len() + 1)).chain([0, input.len()]).collect();
    places.sort_unstable();
    places.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_standard_at_any_split(input in stream(), at in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let (events, left) = parse(Limits::default(), cut(&input, &at));
        prop_assert_eq!(events, reference(&input));
        prop_assert!(left.is_ok());
    }

    #[test]
    fn chunks_pushed_ahead_give_the_same(input in stream(), at in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let mut framer = Framer::new(Limits::default());
        cut(&input, &at).into_iter().for_each(|chunk| framer.push(Bytes::copy_from_slice(chunk)));
        let frames: Vec<_> = std::iter::from_fn(|| framer.next_frame().unwrap()).collect();
        let dispatched = frames.iter().filter(|frame| frame.dispatches).map(|frame| (frame.event.clone(), frame.data.clone()));
        prop_assert_eq!((dispatched.collect(), Ok(framer.rest())), frame(Limits::default(), [&input[..]]));
        let raws = frames.iter().flat_map(|frame| frame.raw.to_vec()).chain(framer.finish());
        prop_assert_eq!(raws.collect::<Vec<_>>(), input);
    }

    #[test]
    fn both_layers_agree_everywhere(input in stream(), line in 1..40usize, event in 1..80usize) {
        let _ = parse_everywhere(Limits::default(), &input);
        let _ = parse_everywhere(Limits { max_line_bytes: line, max_event_bytes: event }, &input);
    }

    #[test]
    fn any_data_is_written_and_read_back(data in "\\PC*([\r\n]\\PC*){0,3}", id in "[^\r\n\0]{0,9}") {
        let mut out = Vec::new();
        write_event(&mut out, Some("e"), Some(&id), &data).unwrap();
        let data = data.replace("\r\n", "\n").replace('\r', "\n");
        prop_assert_eq!(parse(Limits::default(), [&out[..]]), (vec![event("e", &data, &id, None)], Ok(0)));
    }
}
