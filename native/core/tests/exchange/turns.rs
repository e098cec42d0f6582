//! Who waits for its turn at requests and tokens a minute (`rate_wait_secs`).

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use hoosh_core::exchange::Step;
use hoosh_core::wake::Wake;

use super::world::*;
use super::{ANSWER, CHAT, STREAM};

const SECOND: u64 = 1_000_000;

#[derive(Default)]
struct Calls(AtomicU32);

impl Wake for Calls {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

pub fn limits(lines: &str) -> String {
    format!("[limits]\nrate_wait_secs = 100\n{lines}\n")
}

/// Three requests a minute, of which the first three come at once, and then one each 20 seconds.
fn three_a_minute() -> World {
    let mut world = World::new(&format!("{}{ONE}", limits("rate_limit_rpm = 3")));
    (0..3).for_each(|_| assert_eq!(world.chat(CHAT, ANSWER).status, 200));
    world
}

/// Chats that wait, and each one's seconds from now until it looks by itself.
pub fn waiting(world: &mut World, many: usize) -> (Vec<Call>, Vec<u64>) {
    let mut calls: Vec<Call> = (0..many).map(|_| world.post("/v1/chat/completions", CHAT)).collect();
    let due = calls.iter_mut().map(|call| due(call, world)).collect();
    (calls, due)
}

pub fn due(call: &mut Call, world: &mut World) -> u64 {
    assert!(!call.pump(world), "it was let in");
    call.waits(world).expect("it waits for a time") / SECOND
}

pub fn gauge(world: &mut World, limit: &str) -> String {
    world.metric(&format!("hoosh_limit_waiting{{limit=\"{limit}\"}}"))
}

#[test]
fn they_are_served_in_the_order_of_their_coming_and_at_the_rate() {
    let mut world = three_a_minute();
    let began = world.now_us();
    let (mut calls, due) = waiting(&mut world, 3);
    assert_eq!(due, [20, 40, 60]);
    assert_eq!(gauge(&mut world, "gateway_rate"), "3");
    for at in 1..=3 {
        world.pass(20 * SECOND - 1);
        assert!(calls.iter_mut().all(|call| !call.pump(&mut world)), "before its time");
        world.pass(1);
        let mut first = calls.remove(0);
        assert!(calls.iter_mut().all(|call| !call.pump(&mut world)), "before its turn");
        let (u, _) = first.sent(&mut world);
        first.answer(u, 200, "application/json", ANSWER);
        assert_eq!(first.reply(&mut world).status, 200);
        first.over(&mut world);
        assert_eq!(world.now_us() - began, at * 20 * SECOND);
    }
    assert_eq!(gauge(&mut world, "gateway_rate"), "0");
    assert_eq!(world.metric("hoosh_limited_total{limit=\"gateway_rate\"}"), "0");
    let rows = world.rows();
    assert_eq!(rows.last().unwrap().duration_us, 60 * SECOND, "what it waited is in its row");
}

#[test]
fn a_turn_that_would_come_too_late_is_refused_at_once() {
    let mut world = three_a_minute();
    let before = world.now_us();
    let (calls, due) = waiting(&mut world, 5);
    assert_eq!(due, [20, 40, 60, 80, 100]);
    let reply = world.post("/v1/chat/completions", CHAT).reply(&mut world);
    assert_eq!(reply.error(), (429, Some("120"), "rate_limit_exceeded".into()));
    assert_eq!((world.now_us(), gauge(&mut world, "gateway_rate").as_str()), (before, "5"));
    assert_eq!(world.metric("hoosh_limited_total{limit=\"gateway_rate\"}"), "1");
    drop(calls);
    assert_eq!(gauge(&mut world, "gateway_rate"), "0");
}

#[test]
fn a_deadline_before_the_turn_and_a_full_line_are_refused_at_once() {
    for lines in ["rate_limit_rpm = 3\n[deadlines]\ntotal_secs = 20", "rate_limit_rpm = 3\nmax_waiting = 0"] {
        let mut world = World::new(&format!("{}{ONE}", limits(lines)));
        (0..3).for_each(|_| assert_eq!(world.chat(CHAT, ANSWER).status, 200));
        let before = world.now_us();
        let reply = world.post("/v1/chat/completions", CHAT).reply(&mut world);
        assert_eq!(reply.error(), (429, Some("20"), "rate_limit_exceeded".into()), "{lines}");
        assert_eq!(world.now_us(), before);
    }
}

#[test]
fn who_leaves_holds_nothing_and_those_behind_come_sooner() {
    let mut world = three_a_minute();
    let (mut calls, _) = waiting(&mut world, 3);
    let wakes = Arc::new(Calls::default());
    world.waker = wakes.clone();
    let mut last = world.post("/v1/chat/completions", CHAT);
    assert_eq!(due(&mut last, &mut world), 80);
    calls[0].exchange.caller_gone();
    assert!(calls[0].until(&mut world, |step| matches!(step, Step::Done)));
    calls.remove(1);
    assert_eq!(gauge(&mut world, "gateway_rate"), "2");
    assert_eq!(wakes.0.load(Ordering::SeqCst), 0, "it is not the first");
    world.pass(20 * SECOND);
    assert!(calls[1].pump(&mut world), "woken when the first left, it had the turn of that one");
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
    assert_eq!(due(&mut last, &mut world), 20);
    drop((calls, last));
    world.pass(20 * SECOND);
    assert_eq!(world.chat(CHAT, ANSWER).status, 200);
    assert_eq!(gauge(&mut world, "gateway_rate"), "0");
}

#[test]
fn a_keys_backlog_delays_another_key_by_one_turn() {
    let keys = "[[auth.tokens]]\ntoken = \"a\"\n[[auth.tokens]]\ntoken = \"b\"\n";
    let mut world = World::new(&format!("{keys}{}{ONE}", limits("rate_limit_rpm = 3")));
    world.key = Some("a");
    (0..3).for_each(|_| assert_eq!(world.chat(CHAT, ANSWER).status, 200));
    let (mut of_a, due_of_a) = waiting(&mut world, 4);
    assert_eq!(due_of_a, [20, 40, 60, 80]);
    world.key = Some("b");
    let (mut of_b, due_of_b) = waiting(&mut world, 1);
    assert_eq!(due_of_b, [40]);
    world.pass(20 * SECOND);
    assert!(of_a.remove(0).pump(&mut world));
    world.pass(20 * SECOND);
    assert_eq!(due(&mut of_a[0], &mut world), 20, "it is the other's turn");
    assert!(of_b[0].pump(&mut world));
}

#[test]
fn a_keys_own_limit_holds_back_nobody_else() {
    let keys = "[[auth.tokens]]\ntoken = \"a\"\nrate_limit_rpm = 1\n[[auth.tokens]]\ntoken = \"b\"\n";
    let mut world = World::new(&format!("{keys}{}{ONE}", limits("rate_limit_rpm = 3")));
    world.key = Some("a");
    assert_eq!(world.chat(CHAT, ANSWER).status, 200);
    let (mut of_a, due_of_a) = waiting(&mut world, 1);
    assert_eq!(
        (due_of_a, gauge(&mut world, "key_rate"), gauge(&mut world, "gateway_rate")),
        (vec![60], "1".into(), "0".into())
    );
    world.key = Some("b");
    (0..2).for_each(|_| assert_eq!(world.chat(CHAT, ANSWER).status, 200));
    let (mut of_b, due_of_b) = waiting(&mut world, 1);
    assert_eq!(due_of_b, [20]);
    world.pass(20 * SECOND);
    assert!(of_b[0].pump(&mut world));
    world.pass(40 * SECOND);
    assert!(of_a[0].pump(&mut world), "and of the gateway's it took nothing while it waited for its own");
}

#[test]
fn a_reload_tells_those_who_wait() {
    let text = |rpm: &str| format!("{}{ONE}", limits(&format!("rate_limit_rpm = {rpm}")));
    let mut world = three_a_minute();
    let wakes = Arc::new(Calls::default());
    world.waker = wakes.clone();
    let (mut calls, _) = waiting(&mut world, 3);
    world.reload(&text("3"));
    world.reload(&text("6"));
    assert_eq!(wakes.0.load(Ordering::SeqCst), 3, "once each, until they have looked");
    assert!(calls.iter_mut().all(|call| call.pump(&mut world)), "three more at once");
    let (mut calls, due) = waiting(&mut world, 2);
    assert_eq!(due, [10, 20]);
    world.reload(&text("1"));
    assert_eq!(calls.remove(1).reply(&mut world).error().0, 429, "its turn would come too late now");
    let before = world.now_us();
    calls.remove(0).sent(&mut world);
    assert_eq!(world.now_us() - before, 60 * SECOND, "and the first's comes at the new rate");
}

#[test]
fn tokens_that_were_not_used_let_the_next_in_at_once() {
    let mut world = World::new(&format!("{}{ONE}", limits("rate_limit_tpm = 600")));
    let body = CHAT.replacen('{', "{\"max_tokens\":400,", 1);
    let mut first = world.post("/v1/chat/completions", &body);
    let (u, _) = first.sent(&mut world);
    let wakes = Arc::new(Calls::default());
    world.waker = wakes.clone();
    let mut next = world.post("/v1/chat/completions", &body);
    assert!(due(&mut next, &mut world) > 30);
    assert_eq!(gauge(&mut world, "gateway_tokens"), "1");
    first.answer(u, 200, "application/json", ANSWER);
    assert_eq!(first.reply(&mut world).status, 200);
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
    let before = world.now_us();
    let (u, _) = next.sent(&mut world);
    assert_eq!(world.now_us(), before);
    next.answer(u, 200, "application/json", ANSWER);
    assert_eq!(next.reply(&mut world).status, 200);
}

#[test]
fn a_providers_rate_is_waited_for_only_while_nobody_else_can_be_asked() {
    let rated = TWO.replacen("priority = 1", "priority = 1\nrate_limit_rpm = 1", 1);
    let text = format!("[retry]\nmax_attempts = 1\n{}{rated}", limits(""));
    let mut world = World::new(&text);
    let mut ports = Vec::new();
    for _ in 0..2 {
        let mut call = world.post("/v1/chat/completions", CHAT);
        let (u, request) = call.sent(&mut world);
        ports.push(request.origin.port);
        match request.origin.port {
            1 => call.answer(u, 200, "application/json", ANSWER),
            // The other throttles the model for 30 seconds.
            _ => call.refuse(u, 429, &[("retry-after", "30")]),
        }
        call.reply(&mut world);
        call.over(&mut world);
    }
    assert_eq!(ports, [1, 2]);
    let (mut calls, due) = waiting(&mut world, 1);
    assert_eq!(due, [30], "its turn comes in 60 seconds, but the other may be asked before");
    let reply = world.post("/v1/chat/completions", CHAT).reply(&mut world);
    assert_eq!(reply.error().0, 429, "the turn of one more would come too late");
    assert_eq!(gauge(&mut world, "provider_rate"), "1");
    world.pass(30 * SECOND);
    assert_eq!(calls[0].sent(&mut world).1.origin.port, 2);
    assert_eq!(gauge(&mut world, "provider_rate"), "0");
}

#[test]
fn whoever_has_its_turn_at_a_provider_keeps_it_while_it_waits_for_a_place() {
    let mut world = World::new(&format!("{}{ONE}rate_limit_rpm = 2\nmax_concurrency = 1\n", limits("wait_secs = 60")));
    assert_eq!(world.chat(CHAT, ANSWER).status, 200);
    let mut busy = world.post("/v1/chat/completions", CHAT);
    let (u, _) = busy.sent(&mut world);
    let (mut calls, due_at) = waiting(&mut world, 2);
    assert_eq!(due_at, [30, 60]);
    world.pass(30 * SECOND);
    assert_eq!(due(&mut calls[0], &mut world), 60, "for the place");
    assert_eq!(
        (gauge(&mut world, "provider_rate"), gauge(&mut world, "provider_concurrency")),
        ("1".into(), "1".into())
    );
    world.pass(30 * SECOND);
    assert_eq!(due(&mut calls[1], &mut world), 60);
    let mut late = world.post("/v1/chat/completions", CHAT);
    assert_eq!(due(&mut late, &mut world), 30, "both turns are kept");
    busy.answer(u, 200, "application/json", ANSWER);
    assert_eq!(busy.reply(&mut world).status, 200);
    let (u, _) = calls[0].sent(&mut world);
    assert!(!calls[1].pump(&mut world));
    calls[0].answer(u, 200, "application/json", ANSWER);
    assert_eq!(calls[0].reply(&mut world).status, 200);
    calls[1].sent(&mut world);
}

#[test]
fn a_stream_that_waits_is_kept_company_and_told_if_it_waits_in_vain() {
    let mut world = three_a_minute();
    world.reload(&format!("[server]\nearly_start_secs = 5\n{}{ONE}", limits("rate_limit_rpm = 3")));
    let mut call = world.post("/v1/chat/completions", STREAM);
    assert_eq!(due(&mut call, &mut world), 5);
    world.pass(5 * SECOND);
    assert!(call.until(&mut world, |step| matches!(step, Step::Start { .. })));
    assert!(call.until(&mut world, |step| matches!(step, Step::Emit { .. })));
}

#[test]
fn who_waits_is_routed_by_the_new_configuration_where_its_provider_was_withdrawn() {
    for elsewhere in [ONE.replace("127.0.0.1:1", "127.0.0.1:2"), ONE.replace("name = \"one\"", "name = \"other\"")] {
        let mut world = three_a_minute();
        let (mut calls, _) = waiting(&mut world, 2);
        world.reload(&format!("{}{elsewhere}", limits("rate_limit_rpm = 3")));
        assert_eq!(due(&mut calls[0], &mut world), 20, "its turn stays");
        assert_eq!(due(&mut calls[1], &mut world), 40);
        assert_eq!(gauge(&mut world, "gateway_rate"), "2");
        world.pass(20 * SECOND);
        let mut first = calls.remove(0);
        let (u, _) = first.sent(&mut world);
        first.answer(u, 200, "application/json", ANSWER);
        assert_eq!(first.reply(&mut world).status, 200);
    }
}

#[test]
fn who_waits_for_a_model_that_nobody_serves_any_more_is_told_so_at_once() {
    let mut world = three_a_minute();
    let (mut calls, _) = waiting(&mut world, 1);
    world.reload(&format!(
        "{}{}",
        limits("rate_limit_rpm = 3"),
        ONE.replace("\"m\"", "\"n\"").replace("127.0.0.1:1", "127.0.0.1:2")
    ));
    let before = world.now_us();
    assert_eq!(calls[0].reply(&mut world).error(), (404, None, "model_not_found".into()));
    assert_eq!(world.now_us(), before);
}

#[test]
fn who_waits_for_a_withdrawn_providers_turn_or_place_goes_elsewhere_at_once() {
    let busy = "max_concurrency = 1\n";
    for (bound, lines) in [("rate_limit_rpm = 1\n", ""), (busy, "wait_secs = 60")] {
        let mut world = World::new(&format!("{}{ONE}{bound}", limits(lines)));
        let mut first = world.post("/v1/chat/completions", CHAT);
        first.sent(&mut world);
        let wakes = Arc::new(Calls::default());
        world.waker = wakes.clone();
        let (mut calls, _) = waiting(&mut world, 1);
        world.reload(&format!("{}{}", limits(lines), ONE.replace("127.0.0.1:1", "127.0.0.1:2")));
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1, "{bound}");
        let before = world.now_us();
        calls[0].sent(&mut world);
        assert_eq!(world.now_us(), before, "{bound}");
    }
}

#[test]
fn a_key_that_is_taken_back_while_it_waits_is_refused_at_once_and_those_behind_move_up() {
    let text = |keys: &str, lines: &str| format!("[auth]\ntokens = [{keys}]\n{}{ONE}", limits(lines));
    for lines in ["rate_limit_rpm = 3", "max_concurrency = 3\nwait_secs = 60"] {
        let mut world = World::new(&text(r#""a", "b""#, lines));
        world.key = Some("b");
        let mut running: Vec<Call> = (0..3).map(|_| world.post("/v1/chat/completions", CHAT)).collect();
        running.iter_mut().for_each(|call| drop(call.sent(&mut world)));
        world.key = Some("a");
        let wakes = Arc::new(Calls::default());
        world.waker = wakes.clone();
        let (mut of_a, _) = waiting(&mut world, 1);
        world.key = Some("b");
        let (mut of_b, _) = waiting(&mut world, 1);
        world.reload(&text(r#""b""#, lines));
        assert_eq!(wakes.0.load(Ordering::SeqCst), 2, "{lines}");
        let before = world.now_us();
        assert_eq!(of_a[0].reply(&mut world).error(), (401, None, "invalid_api_key".into()), "{lines}");
        assert_eq!(world.now_us(), before);
        if lines.starts_with("rate") {
            assert_eq!(due(&mut of_b[0], &mut world), 20, "the turn of the other is its own now");
        } else {
            drop(running.pop());
            assert!(of_b[0].pump(&mut world), "it got the place");
        }
    }
}

#[test]
fn a_key_that_is_taken_back_while_it_waits_at_its_own_limit_is_refused_at_once() {
    for own in ["rate_limit_rpm = 1", "max_concurrency = 1"] {
        let text = format!("[[auth.tokens]]\ntoken = \"a\"\n{own}\n{}{ONE}", limits("wait_secs = 60"));
        let mut world = World::new(&text);
        world.key = Some("a");
        let mut first = world.post("/v1/chat/completions", CHAT);
        first.sent(&mut world);
        let wakes = Arc::new(Calls::default());
        world.waker = wakes.clone();
        let (mut calls, _) = waiting(&mut world, 1);
        world.reload(&text.replace("\"a\"", "\"b\""));
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1, "{own}");
        assert_eq!(calls[0].reply(&mut world).error().0, 401, "{own}");
    }
}

#[test]
fn a_limit_that_is_taken_away_lets_in_who_waits_for_it() {
    let key = |lines: &str| format!("[[auth.tokens]]\ntoken = \"a\"\n{lines}\n{}{ONE}", limits("wait_secs = 60"));
    let all = |lines: &str| format!("{}{ONE}", limits(&format!("wait_secs = 60\n{lines}")));
    let provider = |lines: &str| format!("{}{ONE}{lines}\n", limits("wait_secs = 60"));
    for whose in ["gateway", "key", "provider"] {
        let text = |line: &str| match whose {
            "gateway" => all(line),
            "key" => key(line),
            _ => provider(line),
        };
        for line in ["rate_limit_rpm = 1", "rate_limit_tpm = 7_000", "max_concurrency = 1"] {
            let mut world = World::new(&text(line));
            world.key = Some("a");
            let mut first = world.post("/v1/chat/completions", CHAT);
            first.sent(&mut world);
            let wakes = Arc::new(Calls::default());
            world.waker = wakes.clone();
            let (mut calls, _) = waiting(&mut world, 1);
            world.reload(&text(""));
            assert_eq!(wakes.0.load(Ordering::SeqCst), 1, "{whose} {line}");
            let before = world.now_us();
            calls.iter_mut().for_each(|call| drop(call.sent(&mut world)));
            assert_eq!(world.now_us(), before, "{whose} {line}");
        }
    }
}
