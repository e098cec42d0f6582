//! Bodies that are sent on while they come: back-pressure, ends that are none, and what may be asked again.

use bytes::Bytes;
use hoosh_core::exchange::{Stage, Step};
use hoosh_core::http::Body;

use crate::world::*;

const KIB: usize = 1 << 10;

/// A form with `file` of so many bytes, and fields before and behind it.
fn form(before: &[(&str, &str)], size: usize, behind: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    let field = |out: &mut Vec<u8>, (name, value): &(&str, &str)| {
        out.extend(format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
    };
    before.iter().for_each(|it| field(&mut out, it));
    out.extend(b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n");
    out.extend(std::iter::repeat_n(b'w', size));
    out.extend(b"\r\n");
    behind.iter().for_each(|it| field(&mut out, it));
    out.extend(b"--b--\r\n");
    out
}

/// One upload, driven piece by piece.
struct Upload {
    call: Call,
    body: Bytes,
    given: usize,
    credit: usize,
    /// What the upstream was given.
    got: Vec<u8>,
    untaken: usize,
    ended: bool,
    length: Option<u64>,
    u: u32,
}

#[derive(Debug, PartialEq)]
enum Next {
    Sent,
    Ended,
    Aborted,
    Continue,
    Broke,
    Reply(u16, String),
    Waits(Option<u64>),
    Done,
}

impl Upload {
    fn new(world: &World, target: &str, body: Vec<u8>, length: Option<usize>, more: &[(&str, &str)]) -> Upload {
        let length = length.map(|length| length.to_string());
        let mut headers = vec![("content-type", "multipart/form-data; boundary=b")];
        headers.extend(length.as_deref().map(|length| ("content-length", length)));
        headers.extend(more);
        let call = world.begin_as("POST", target, &headers, None);
        Upload {
            call,
            body: body.into(),
            given: 0,
            credit: 0,
            got: Vec::new(),
            untaken: 0,
            ended: false,
            length: None,
            u: 0,
        }
    }

    /// The next thing of interest. `feeds`: the caller sends as it may; `takes`: the upstream takes what it is given.
    fn next(&mut self, world: &World, feeds: bool, takes: bool) -> Next {
        loop {
            match self.call.exchange.next(world.now) {
                Step::Continue => return Next::Continue,
                Step::ReadCaller { credit } => self.credit += credit,
                Step::Send { u, request } => {
                    self.u = u;
                    self.got.clear();
                    self.untaken = 0;
                    self.ended = false;
                    match request.body {
                        Body::Whole(bytes) => {
                            self.length = Some(bytes.len() as u64);
                            self.got = bytes.to_vec();
                            self.ended = true;
                        }
                        Body::Streamed { length } => self.length = length,
                    }
                    return Next::Sent;
                }
                Step::SendBody { u, bytes } => {
                    assert_eq!(u, self.u);
                    assert!(!bytes.is_empty() && !self.ended);
                    self.got.extend_from_slice(&bytes);
                    self.untaken += bytes.len();
                }
                Step::EndBody { u } => {
                    assert_eq!(u, self.u);
                    self.ended = true;
                    return Next::Ended;
                }
                Step::Abort { .. } => return Next::Aborted,
                Step::Break => return Next::Broke,
                Step::Done => return Next::Done,
                Step::Reply { status, body, .. } => {
                    self.call.exchange.written(body.len());
                    return Next::Reply(status, String::from_utf8_lossy(&body).into_owned());
                }
                Step::Wait { until_us } => {
                    let more = self.credit.min(self.body.len() - self.given).min(16 * KIB);
                    if takes && self.untaken > 0 {
                        self.call.exchange.took(self.u, std::mem::take(&mut self.untaken));
                    } else if feeds && more > 0 {
                        self.call.exchange.body(self.body.slice(self.given..self.given + more));
                        self.given += more;
                        self.credit -= more;
                        if self.given == self.body.len() {
                            self.call.exchange.body_end();
                        }
                    } else {
                        return Next::Waits(until_us.map(|at| at - world.now_us()));
                    }
                }
                Step::Work { job } => self.call.exchange.worked(job.run()),
                _ => {}
            }
        }
    }

    fn connect(&mut self, world: &World) {
        assert_eq!(self.next(world, true, false), Next::Sent);
        self.call.exchange.connected(self.u);
    }
}

#[test]
fn a_file_passes_in_a_window_however_large() {
    let mut world = World::new(ONE);
    let body = form(&[("purpose", "batch")], 3_000 * KIB, &[]);
    for length in [Some(body.len()), None] {
        let mut upload = Upload::new(&world, "/v1/files", body.clone(), length, &[]);
        upload.connect(&world);
        assert_eq!((upload.given, upload.length), (0, length.map(|it| it as u64)), "no byte is read before the gates");
        // An upstream that takes nothing stops its caller.
        assert!(matches!(upload.next(&world, true, false), Next::Waits(_)));
        assert!((192 * KIB..=256 * KIB).contains(&upload.given), "{}", upload.given);
        assert!(world.gateway.buffered_bytes() <= 256 << 10, "{}", world.gateway.buffered_bytes());
        assert_eq!(upload.next(&world, true, true), Next::Ended);
        assert_eq!(upload.got, body);
        upload.call.exchange.sent(upload.u);
        upload.call.answer(upload.u, 200, "application/json", r#"{"id":"file-1"}"#);
        assert_eq!(upload.next(&world, true, true), Next::Reply(200, r#"{"id":"file-1"}"#.into()));
        upload.call.over(&mut world);
    }
}

#[test]
fn a_model_is_renamed_in_the_form() {
    let world = World::new(&ONE.replace("\"m\"", "\"whisper-1\""));
    for size in [10, 500 * KIB] {
        let body = form(&[("language", "de"), ("model", "one/whisper-1")], size, &[("prompt", "x")]);
        let wanted = form(&[("language", "de"), ("model", "whisper-1")], size, &[("prompt", "x")]);
        let mut upload = Upload::new(&world, "/v1/audio/transcriptions", body.clone(), Some(body.len()), &[]);
        upload.connect(&world);
        assert_eq!(upload.length, Some(wanted.len() as u64));
        assert!(upload.given < 66 * KIB);
        if !upload.ended {
            assert_eq!(upload.next(&world, true, true), Next::Ended);
        }
        assert_eq!(upload.got, wanted);
    }
}

#[test]
fn a_model_behind_a_long_file_is_waited_for_or_named_in_the_head() {
    let world = World::new(&format!("[server]\nmax_body_bytes = 1_000_000\n{}", ONE.replace("\"m\"", "\"w\", \"x\"")));
    let body = form(&[], 500 * KIB, &[("model", "w")]);
    let path = "/v1/audio/transcriptions";
    let mut upload = Upload::new(&world, path, body.clone(), Some(body.len()), &[]);
    upload.connect(&world);
    assert_eq!((upload.given, &upload.got), (body.len(), &body), "it is held until the model is known");

    let named = [("x-hoosh-model", "one/w")];
    let mut upload = Upload::new(&world, path, body.clone(), Some(body.len()), &named);
    upload.connect(&world);
    assert!(upload.given <= 80 * KIB, "{}", upload.given);
    assert_eq!(upload.next(&world, true, true), Next::Ended);
    assert_eq!(upload.got, body);

    // Its word is held to.
    for behind in [&[("model", "x")][..], &[], &[("model", "w"), ("model", "x")]] {
        let body = form(&[], 500 * KIB, behind);
        let mut upload = Upload::new(&world, path, body.clone(), Some(body.len()), &named);
        upload.connect(&world);
        assert_eq!(upload.next(&world, true, true), Next::Aborted, "{behind:?}");
        assert!(!upload.ended);
        assert!(matches!(upload.next(&world, true, true), Next::Reply(400, _)));
    }

    let body = form(&[], 1_100 * KIB, &[("model", "w")]);
    let mut upload = Upload::new(&world, path, body, None, &[]);
    let Next::Reply(413, words) = upload.next(&world, true, true) else { panic!("it is held without bound") };
    assert!(words.contains("x-hoosh-model") && words.contains("max_body_bytes"), "{words}");
}

#[test]
fn an_end_that_is_none_never_ends_the_body() {
    let world = World::new(ONE);
    let body = form(&[], 500 * KIB, &[]);
    for fault in ["gone", "short", "long", "refused", "dropped"] {
        let mut upload = Upload::new(&world, "/v1/files", body.clone(), Some(body.len()), &[]);
        upload.connect(&world);
        assert!(matches!(upload.next(&world, true, false), Next::Waits(_)));
        let exchange = &mut upload.call.exchange;
        match fault {
            "gone" => exchange.caller_gone(),
            "short" => exchange.body_end(),
            "long" => exchange.body(vec![0; body.len()].into()),
            "refused" => {
                exchange.refused(hoosh_core::error::Failure::new(hoosh_core::error::Code::MalformedRequest, "x"))
            }
            _ => {
                drop(upload);
                continue;
            }
        }
        assert_eq!(upload.next(&world, false, true), Next::Aborted, "{fault}");
        assert!(!upload.ended, "{fault}");
        match (fault, upload.next(&world, false, true)) {
            ("gone", next) => assert_eq!(next, Next::Done),
            (_, next) => assert!(matches!(next, Next::Reply(400, _)), "{fault}: {next:?}"),
        }
    }
    assert_eq!(world.gateway.buffered_bytes(), 0);
}

#[test]
fn what_is_held_may_be_asked_again_and_nothing_else() {
    let world = World::new(TWO);
    let body = form(&[("model", "m")], 500 * KIB, &[]);
    let path = "/v1/audio/transcriptions";
    let new = || Upload::new(&world, path, body.clone(), Some(body.len()), &[]);
    // No connection: nothing was sent.
    let mut upload = new();
    assert_eq!(upload.next(&world, true, false), Next::Sent);
    upload.call.exchange.failed(upload.u, Stage::Connect, false);
    upload.connect(&world);
    assert_eq!(upload.u, 1);
    assert_eq!(upload.next(&world, true, true), Next::Ended);
    assert_eq!(upload.got, body, "the other gets all of it");
    // An answer to the beginning: all that was sent is still held.
    let mut upload = new();
    upload.connect(&world);
    upload.call.answer(upload.u, 503, "text/plain", "busy");
    upload.connect(&world);
    assert_eq!(upload.next(&world, true, true), Next::Ended);
    assert_eq!(upload.got, body);
    // More was sent than is held.
    let mut upload = new();
    upload.connect(&world);
    assert!(matches!(upload.next(&world, true, false), Next::Waits(_)));
    assert!(upload.given > 64 * KIB);
    upload.call.exchange.failed(upload.u, Stage::Send, true);
    assert!(matches!(upload.next(&world, true, true), Next::Reply(502, _)));
    // A short one is always held, also when it was worked on.
    let body = form(&[("model", "m")], 20 * KIB, &[]);
    let mut upload = Upload::new(&world, path, body.clone(), None, &[]);
    upload.connect(&world);
    if !upload.ended {
        assert_eq!(upload.next(&world, true, true), Next::Ended);
    }
    upload.call.exchange.sent(upload.u);
    upload.call.answer(upload.u, 500, "text/plain", "");
    upload.connect(&world);
    assert!(upload.ended || upload.next(&world, true, true) == Next::Ended);
    assert_eq!(upload.got, body);
}

#[test]
fn an_answer_before_the_end_goes_to_the_caller() {
    let mut world = World::new(TWO);
    let body = form(&[], 500 * KIB, &[]);
    for (status, wanted) in [(413, 413), (401, 502)] {
        let mut upload = Upload::new(&world, "/v1/files", body.clone(), Some(body.len()), &[]);
        upload.connect(&world);
        assert!(matches!(upload.next(&world, true, false), Next::Waits(_)));
        upload.call.answer(upload.u, status, "application/json", r#"{"error":{"message":"too large"}}"#);
        let Next::Reply(told, words) = upload.next(&world, true, true) else { panic!("{status}") };
        assert_eq!((told, words.contains("too large")), (wanted, status == 413));
        assert!(!upload.ended && upload.given < body.len(), "the rest is nobody's");
        upload.call.over(&mut world);
    }
    // A 2xx head does not end the upload.
    let mut upload = Upload::new(&world, "/v1/files", body.clone(), Some(body.len()), &[]);
    upload.connect(&world);
    upload.call.exchange.head(upload.u, 200, &vec![("content-type", "application/json")]);
    assert_eq!(upload.next(&world, true, true), Next::Ended);
    upload.call.exchange.data(upload.u, Bytes::from_static(b"{}"));
    upload.call.exchange.end(upload.u);
    assert_eq!(upload.next(&world, true, true), Next::Reply(200, "{}".into()));
}

#[test]
fn a_caller_must_send_a_kib_a_second_and_an_upstream_must_take() {
    let mut world = World::new(ONE);
    let body = form(&[], 700 * KIB, &[]);
    let mut upload = Upload::new(&world, "/v1/files", body.clone(), Some(body.len()), &[]);
    upload.connect(&world);
    // Ten minutes at just more than that are well.
    for _ in 0..100 {
        let next = upload.next(&world, false, true);
        assert!(matches!(next, Next::Waits(Some(us)) if us <= 5_000_000), "{next:?}");
        upload.call.exchange.body(upload.body.slice(upload.given..upload.given + 5 * KIB));
        upload.given += 5 * KIB;
        upload.credit -= 5 * KIB;
        world.pass(5_000_000);
    }
    assert!(matches!(upload.next(&world, false, true), Next::Waits(_)));
    upload.call.exchange.body(upload.body.slice(..5 * KIB - 1));
    world.pass(5_000_000);
    assert_eq!(upload.next(&world, false, true), Next::Aborted);
    assert!(matches!(upload.next(&world, false, true), Next::Reply(408, _)));

    // While the upstream takes nothing its caller is not blamed, but it is.
    let mut upload = Upload::new(&world, "/v1/files", body.clone(), Some(body.len()), &[]);
    upload.connect(&world);
    for _ in 0..23 {
        assert!(matches!(upload.next(&world, true, false), Next::Waits(_)));
        world.pass(5_000_000);
    }
    world.pass(10_000_000);
    assert_eq!(upload.next(&world, true, false), Next::Aborted);
    assert!(matches!(upload.next(&world, true, false), Next::Reply(504, _)));
}

#[test]
fn uploads_are_bounded_in_size_with_and_without_a_length() {
    let world = World::new(&format!("[server]\nmax_file_bytes = 100_000\nmax_audio_bytes = 90_000\n{ONE}"));
    for (path, most, key) in
        [("/v1/files", 100_000, "max_file_bytes"), ("/v1/audio/translations", 90_000, "max_audio_bytes")]
    {
        let around = form(&[("model", "m")], 0, &[]).len();
        for (size, known) in [(most, true), (most, false), (most + 1, true), (most + 1, false)] {
            let body = form(&[("model", "m")], size - around, &[]);
            let mut upload = Upload::new(&world, path, body.clone(), known.then_some(size), &[]);
            if known && size > most {
                let Next::Reply(413, words) = upload.next(&world, true, true) else { panic!("{path} {size}") };
                assert!(words.contains(key) && upload.given == 0, "{words}");
                continue;
            }
            upload.connect(&world);
            let next = upload.next(&world, true, true);
            if size == most {
                assert_eq!(next, Next::Ended, "{path}");
            } else {
                assert_eq!(next, Next::Aborted);
                assert!(matches!(upload.next(&world, true, true), Next::Reply(413, words) if words.contains(key)));
            }
        }
    }
}

#[test]
fn an_upload_under_a_budget_needs_a_length() {
    let mut world = World::new(&GUARDED.replace("300", "6000\nslice = 6000"));
    world.key = Some("secret");
    let body = form(&[("model", "m")], 1_600, &[]);
    let path = "/v1/audio/transcriptions";
    let long = form(&[("model", "m")], 200 * KIB, &[]);
    let mut upload = Upload::new(&world, path, long.clone(), None, &[]);
    let Next::Reply(400, words) = upload.next(&world, true, true) else { panic!("nobody can bound it") };
    assert!(words.contains("unbounded_input") && words.contains("content-length"), "{words}");
    let mut upload = Upload::new(&world, path, long.clone(), Some(long.len()), &[]);
    assert!(matches!(upload.next(&world, true, true), Next::Reply(429, _)));
    let mut upload = Upload::new(&world, path, body.clone(), None, &[]);
    upload.connect(&world);
    upload.call.exchange.sent(upload.u);
    upload.call.answer(upload.u, 200, "text/plain", "hello");
    assert_eq!(upload.next(&world, true, true), Next::Reply(200, "hello".into()));
    upload.call.over(&mut world);
    assert_eq!(
        world.rows().pop().unwrap().usage.total(),
        body.len().div_ceil(16) as u64 + 8,
        "unreported: at its bound"
    );
}

#[test]
fn the_caller_is_told_to_go_on_when_its_body_is_wanted() {
    let world = World::new(ONE);
    let body = form(&[], 500, &[]);
    let mut upload = Upload::new(&world, "/v1/files", body, None, &[("expect", "100-continue")]);
    upload.connect(&world);
    assert_eq!(upload.next(&world, true, true), Next::Continue);
    assert_eq!(upload.next(&world, true, true), Next::Ended);
}
