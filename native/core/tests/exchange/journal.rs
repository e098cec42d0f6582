//! The log: a line for each request, and the gateway's own words.

use hoosh_core::config::LogFormat;
use hoosh_core::exchange::{Caller, RequestHead};
use hoosh_core::gateway::{LoopResult, LoopStep};
use hoosh_core::log;
use hoosh_core::wake::NoWake;
use std::sync::Arc;

use crate::world::*;
use crate::{ANSWER, CHAT};

/// The next batch of lines.
fn batch(world: &World) -> Option<(u64, String, Option<String>)> {
    match world.gateway.next(world.now) {
        LoopStep::Log { id, lines, file } => {
            Some((id, String::from_utf8(lines.to_vec()).unwrap(), file.map(|file| file.to_string())))
        }
        _ => None,
    }
}

fn refuse(world: &World) {
    drop(world.begin("GET", "/v9", None).exchange.next(world.now));
}

#[test]
fn a_request_is_one_line() {
    let mut world = World::new(ONE);
    world.chat(CHAT, ANSWER);
    let row = world.rows().remove(0);
    let text = format!(
        "2023-11-14T22:13:20.000Z 200 POST /v1/chat/completions key=anonymous model=m provider=one ending=completed \
         attempts=1 tokens={}+{} bytes={}+{} ",
        row.usage.input_tokens, row.usage.output_tokens, row.bytes_in, row.bytes_out
    );
    assert!(world.log.starts_with(&text), "{}\n{text}", world.log);
    assert!(
        world.log.ends_with(&format!("id={}\n", row.request_id)) && world.log.lines().count() == 1,
        "{}",
        world.log
    );
}

#[test]
fn as_json_it_has_the_columns_of_a_row() {
    let mut world = World::new(&format!("[log]\naccess = \"json\"\n{GUARDED}"));
    world.chat(CHAT, ANSWER);
    world.rows();
    let record = world.requests().remove(0);
    let expected = format!("{{\"time\":\"2023-11-14T22:13:20.000Z\",{}\n", &record.to_json()[1..]);
    assert_eq!(world.log, expected);
}

#[test]
fn nothing_that_a_caller_sends_is_obeyed_by_a_terminal_or_makes_a_line() {
    let mut world = World::new(ONE);
    world.ask("GET", "/v9/%0a\u{9b}31m\u{202e}a b?key=secret");
    world.chat(&CHAT.replace("\"m\"", "\"m \u{202e}x\""), ANSWER);
    world.rows();
    assert_eq!(world.log.lines().count(), 2, "{}", world.log);
    assert!(world.log.contains("GET /v9/%0a31m\\u{202e}a\\u{20}b key="), "{}", world.log);
    assert!(world.log.contains("model=m\\u{20}\\u{202e}x "), "{}", world.log);
    assert!(!world.log.contains("secret"));
}

#[test]
fn it_may_be_off_and_levels_hold() {
    let mut world = World::new(&format!("[log]\naccess = \"off\"\nlevel = \"warn\"\n{ONE}"));
    world.chat(CHAT, ANSWER);
    world.rows();
    let text = format!("[log]\naccess = \"off\"\n{ONE}");
    world.reload(&format!("[log]\naccess = \"off\"\nlevel = \"warn\"\n{ONE}"));
    world.run_loop();
    assert_eq!(world.log, "");
    world.reload(&text);
    world.run_loop();
    assert_eq!(world.log, "2023-11-14T22:13:20.000Z info The configuration was reloaded.\n");
}

#[test]
fn what_the_starter_is_told_is_json_where_the_log_is() {
    use hoosh_core::config::LogLevel;
    let mut world = World::new("[log]\naccess = \"json\"\n");
    let told = |world: &World| {
        String::from_utf8(world.gateway.told(LogLevel::Warn, "  one\n\"two\"", world.now)).expect("text")
    };
    let line = "{\"time\":\"2023-11-14T22:13:20.000Z\",\"level\":\"warn\",\"message\":\"one\\n\\\"two\\\"\"}\n";
    assert_eq!(told(&world), line);
    for log in ["access = \"text\"", "access = \"off\"", "access = \"json\"\nfile = \"hoosh.log\""] {
        world.reload(&format!("[log]\n{log}\n"));
        assert_eq!(told(&world), "  one\n\"two\"\n");
    }
}

#[test]
fn a_provider_that_is_left_alone_is_said_to_be_once_and_when_it_is_back() {
    let mut world = World::new(&format!("[retry]\nmax_attempts = 1\n[log]\naccess = \"off\"\n{ONE}"));
    for status in [401, 500] {
        let mut call = world.post("/v1/chat/completions", CHAT);
        let step = call.step(&mut world);
        if let hoosh_core::exchange::Step::Send { u, .. } = step {
            call.refuse(u, status, &[]);
            call.reply(&mut world);
        }
        world.rows();
    }
    assert_eq!(world.log.matches("Provider one is left alone").count(), 1, "{}", world.log);
    assert!(world.log.contains(" warn "));
    world.now.mono_us += 10_000_000;
    while let LoopStep::Fetch { id, .. } = world.gateway.next(world.now) {
        world.gateway.done(id, LoopResult::Fetched(Ok((200, "{}".into()))), world.now);
    }
    world.chat(CHAT, ANSWER);
    world.rows();
    assert!(world.log.contains("info Provider one is well again."), "{}", world.log);
}

#[test]
fn requests_in_process_are_no_accesses() {
    for (level, lines) in [("info", 0), ("debug", 1)] {
        let mut world = World::new(&format!("[log]\nlevel = \"{level}\"\n{ONE}"));
        let headers: Vec<(&str, &str)> = Vec::new();
        let mut exchange = world.gateway.exchange(Arc::new(NoWake), 0);
        exchange.begin(RequestHead { method: "GET", target: "/v1/models", headers: &headers, caller: Caller::Neutral });
        exchange.next(world.now);
        drop(exchange);
        world.rows();
        assert_eq!(world.log.lines().count(), lines, "{}", world.log);
    }
}

#[test]
fn a_log_that_is_not_written_holds_nobody_up_and_what_it_lost_is_said() {
    let mut world = World::new(&format!("[log]\nfile = \"/var/log/hoosh\"\n{ONE}"));
    refuse(&world);
    let (id, lines, file) = batch(&world).expect("a batch");
    assert_eq!((lines.lines().count(), file.as_deref()), (1, Some("/var/log/hoosh")));
    // It is being written, for a long time.
    for _ in 0..20 {
        for _ in 0..1_000 {
            refuse(&world);
        }
        world.now.mono_us += 10_000;
        assert!(batch(&world).is_none(), "one at a time");
        world.run_loop();
    }
    let lost: u64 = world.metric("hoosh_log_lines_dropped_total").parse().unwrap();
    assert!(lost > 5_000, "{lost}");
    world.gateway.done(id + 5, LoopResult::Logged(Ok(())), world.now);
    assert!(batch(&world).is_none(), "nobody asked for that");
    world.gateway.done(id, LoopResult::Logged(Ok(())), world.now);
    let (_, lines, _) = batch(&world).expect("a batch");
    assert!(lines.len() < (1 << 20) + 200, "{}", lines.len());
    let first = lines.lines().next().unwrap();
    assert!(
        first.ends_with(&format!("warn {lost} lines of the log are lost: it was not written as fast as they came.")),
        "{first}"
    );
    assert_eq!(lines.lines().count() as u64, 1 + 20_000 - lost);
}

#[test]
fn a_file_that_cannot_be_written_is_said_once_to_the_standard_error() {
    let world = World::new(&format!("[log]\nfile = \"/nowhere/log\"\n{ONE}"));
    let mut world = world;
    for round in 0..2 {
        refuse(&world);
        world.now.mono_us += 10_000;
        let (id, _, file) = batch(&world).expect("a batch");
        assert_eq!(file.as_deref(), Some("/nowhere/log"));
        world.gateway.done(id, LoopResult::Logged(Err("no such folder".into())), world.now);
        if round == 0 {
            let (id, lines, file) = batch(&world).expect("a notice");
            assert!(lines.contains("error The log cannot be written: no such folder") && file.is_none(), "{lines}");
            world.gateway.done(id, LoopResult::Logged(Ok(())), world.now);
        }
        assert!(batch(&world).is_none());
    }
    assert_eq!(world.metric("hoosh_log_lines_dropped_total"), "2");
}

#[test]
fn dates_are_those_of_the_calendar() {
    for (us, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
        (1_709_164_799_999_999, "2024-02-28T23:59:59.999Z"),
        (4_107_542_399_000_000, "2100-02-28T23:59:59.000Z"),
        (4_107_542_400_000_000, "2100-03-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(log::rfc3339(us), text);
    }
    assert_eq!(LogFormat::default(), LogFormat::Text);
}
