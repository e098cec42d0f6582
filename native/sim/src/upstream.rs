//! Scripted upstreams: what one attempt will see, act by act, drawn when it is opened.

use std::collections::VecDeque;

use bytes::Bytes;
use hoosh_core::clock::{MILLISECOND, SECOND};
use hoosh_core::dialects::neutral::{Endpoint, Item};
use hoosh_core::exchange::Stage;
use hoosh_core::ledger::{Usage, UsageSource};

use crate::answer::{self, Oddity, Said, ODDITIES};
use crate::dice::Dice;
use crate::plan::Mood;

/// One thing that an upstream does.
#[derive(Debug)]
pub enum Act {
    /// The connection stands.
    Connected,
    /// The request is written.
    Sent,
    /// The answer's head.
    Head(u16, Vec<(&'static str, String)>),
    /// Bytes of its body; they need credit.
    Data(Bytes),
    /// An engine's item; it needs credit.
    Delta(Item),
    /// The body is complete.
    End,
    /// It failed.
    Fail(Stage, bool),
    /// A callable between declined.
    Decline,
}

/// What will happen, each act so long after the one before. Where the acts run out without an end, it is silent.
#[derive(Debug, Default)]
pub struct Script {
    /// Delay in microseconds, and act.
    pub acts: VecDeque<(u64, Act)>,
}

/// What an attempt asks for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Endpoint.
    pub endpoint: Endpoint,
    /// As a stream.
    pub stream: bool,
    /// Inputs of an embeddings request.
    pub inputs: usize,
    /// On a connection that served before.
    pub reused: bool,
    /// With callables between.
    pub hooked: bool,
}

/// Draws the script of one attempt. `said` comes filled with whose it is, and gets what the answer is.
pub fn http(dice: &mut Dice, mood: Mood, asked: Asked, wall_us: i64, number: usize, said: &mut Said) -> Script {
    let mut acts = vec![Act::Connected, Act::Sent];
    let fault = match mood {
        Mood::Well => 0,
        Mood::Faulty(percent) => percent,
        Mood::Storm | Mood::Long => 90,
        Mood::Locked(percent) => percent,
        Mood::Down => 95,
        Mood::StormOf(_) => 0,
    };
    let mut cut = None;
    if !dice.chance(fault) {
        content(dice, asked, Oddity::None, number, said, &mut acts);
    } else if mood == Mood::Storm {
        refusal(dice, 429, wall_us, &mut acts);
    } else if mood == Mood::Long {
        let seconds = dice.pick(&[61, 120, 3_600]).to_string();
        acts.push(Act::Head(429, vec![("retry-after", seconds)]));
        acts.push(Act::End);
    } else if matches!(mood, Mood::Locked(_)) {
        refusal(dice, 401, wall_us, &mut acts);
    } else if mood == Mood::Down {
        cut = Some(0);
    } else {
        match dice.below(4) {
            0 => {
                let status = dice.pick(&[429, 429, 500, 502, 503, 529, 408, 400, 401, 402, 403, 404, 422, 301, 204]);
                refusal(dice, status, wall_us, &mut acts);
            }
            1 => {
                let oddity = dice.pick(ODDITIES);
                content(dice, asked, oddity, number, said, &mut acts);
            }
            2 => odd_head(dice, number, asked, &mut acts),
            _ => {
                content(dice, asked, Oddity::None, number, said, &mut acts);
                cut = Some(if dice.chance(50) { dice.below(3) } else { dice.below(acts.len()) });
            }
        }
    }
    if asked.reused && dice.chance(20) {
        let stage = if dice.chance(50) { Stage::Send } else { Stage::Head };
        acts.truncate(if stage == Stage::Send { 1 } else { 2 });
        acts.push(Act::Fail(stage, true));
        said.fit = false;
    } else if let Some(cut) = cut {
        // A stream that breaks off after its end mark was whole.
        said.fit &= asked.stream && cut + 1 == acts.len();
        said.marked &= cut + 1 == acts.len();
        break_off(dice, cut, &mut acts);
    } else if asked.hooked && dice.chance(20) {
        let cut = dice.below(acts.len());
        said.fit &= asked.stream && cut + 1 == acts.len();
        said.marked &= cut + 1 == acts.len();
        acts.truncate(cut);
        acts.push(if dice.chance(50) { Act::Decline } else { Act::Fail(Stage::Hook, false) });
    }
    Script { acts: paced(dice, acts) }
}

/// Draws the script of an upstream that is sent a file: it may answer, or be gone, before it has all of it.
pub fn receiver(dice: &mut Dice, mood: Mood, wall_us: i64, number: usize) -> Script {
    let fault = match mood {
        Mood::Well => 0,
        Mood::Faulty(percent) => percent,
        Mood::Storm | Mood::StormOf(_) | Mood::Long | Mood::Locked(_) | Mood::Down => 90,
    };
    let mut acts = vec![Act::Connected];
    match if dice.chance(fault) { dice.below(4) } else { 4 } {
        0 => acts = vec![Act::Fail(Stage::Connect, false)],
        1 => acts.push(Act::Fail(Stage::Send, dice.chance(30))),
        2 => {
            let status = dice.pick(&[413, 413, 401, 429, 500, 503]);
            refusal(dice, status, wall_us, &mut acts);
        }
        at => {
            acts.push(Act::Sent);
            if at == 3 {
                acts.push(Act::Fail(Stage::Head, false));
            } else {
                acts.push(Act::Head(200, vec![("content-type", "application/json".into())]));
                acts.push(Act::Data(format!(r#"{{"id":"file-{number}"}}"#).into()));
                acts.push(Act::End);
            }
        }
    }
    let mut acts = paced(dice, acts);
    if dice.chance(50) {
        // What it does first it does when some of the body came.
        acts.iter_mut().skip(1).take(1).for_each(|(delay, _)| *delay += dice.span(1, 500 * MILLISECOND));
    }
    Script { acts }
}

/// Cuts the acts off after the first `cut`: with a failure, or with silence.
fn break_off(dice: &mut Dice, cut: usize, acts: &mut Vec<Act>) {
    acts.truncate(cut);
    if dice.chance(30) {
        return;
    }
    let stage = match cut {
        0 => dice.pick(&[Stage::Connect, Stage::Tls]),
        1 => Stage::Send,
        2 => dice.pick(&[Stage::Head, Stage::Protocol]),
        _ => dice.pick(&[Stage::Body, Stage::Protocol]),
    };
    acts.push(Act::Fail(stage, false));
}

fn paced(dice: &mut Dice, acts: Vec<Act>) -> VecDeque<(u64, Act)> {
    let slow = dice.chance(10);
    let longest = if slow { 1_500 * MILLISECOND } else { dice.pick(&[1, 300, 20 * MILLISECOND]) };
    let stall = dice.chance(3).then(|| dice.below(acts.len() + 1));
    let pause = |dice: &mut Dice, at| if stall == Some(at) { 8 * SECOND } else { dice.span(1, longest) };
    acts.into_iter().enumerate().map(|(at, act)| (pause(dice, at), act)).collect()
}

fn refusal(dice: &mut Dice, status: u16, wall_us: i64, acts: &mut Vec<Act>) {
    let mut headers = vec![("Content-Type", "application/json".to_string())];
    if status == 429 || status == 503 {
        match dice.below(6) {
            0 => headers.push(("Retry-After", dice.range(0, 3).to_string())),
            1 => headers.push(("retry-after-ms", dice.range(0, 900).to_string())),
            2 => headers.push(("retry-after", http_date(wall_us / 1_000_000 + dice.range(0, 5) as i64))),
            3 => headers.push(("retry-after", "100000".into())),
            4 => headers.push(("retry-after", "soon".into())),
            _ => {}
        }
    }
    let body = match dice.below(5) {
        4 => {
            r#"{"error":{"message":"no","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#.into()
        }
        0 => String::new(),
        1 => {
            headers[0].1 = "text/html".into();
            "<html><body>Bad gateway</body></html>".into()
        }
        2 => r#"{"error":"#.into(),
        _ => r#"{"error":{"message":"no","type":"t","param":null,"code":"c"}}"#.to_string(),
    };
    acts.push(Act::Head(status, headers));
    if !body.is_empty() {
        acts.push(Act::Data(body.into()));
    }
    acts.push(Act::End);
}

/// A 200 that is not what was asked for.
fn odd_head(dice: &mut Dice, number: usize, asked: Asked, acts: &mut Vec<Act>) {
    let (kind, body) = match dice.below(4) {
        0 => ("text/html", "<html>please log in</html>".to_string()),
        1 => ("application/json", String::new()),
        2 => ("text/event-stream", String::new()),
        _ => ("application/json", answer::whole(asked.endpoint, number, "", Oddity::WrongShape, asked.inputs)),
    };
    acts.push(Act::Head(200, vec![("content-type", kind.into())]));
    if !body.is_empty() {
        acts.push(Act::Data(body.into()));
    }
    acts.push(Act::End);
}

fn content(dice: &mut Dice, asked: Asked, oddity: Oddity, number: usize, said: &mut Said, acts: &mut Vec<Act>) {
    let large = dice.chance(1);
    let pieces = answer::words(dice, number, large);
    said.words = pieces.concat();
    if asked.endpoint == Endpoint::Embeddings {
        said.words = format!("n{number:08};");
    }
    // A server that cannot stream answers whole.
    let stream = asked.stream && !dice.chance(3);
    said.fit = match oddity {
        Oddity::None | Oddity::NoUsage | Oddity::TwiceUsage | Oddity::SplitUsage | Oddity::Overrun => true,
        Oddity::NoDone | Oddity::Babble | Oddity::TwoChoices => true,
        Oddity::NoFinish | Oddity::NoReason | Oddity::Length | Oddity::Filtered | Oddity::Failed => {
            asked.endpoint == Endpoint::Embeddings
        }
        // What is odd of a stream alone, or of vectors alone, is as it should be elsewhere. Vectors are counted only
        // where they are joined.
        Oddity::Empty | Oddity::OneOpen | Oddity::OneOpenNoDone => !stream,
        Oddity::FewVectors | Oddity::TwiceVector => true,
        Oddity::ErrorFirst | Oddity::ErrorLater | Oddity::Malformed | Oddity::WrongShape => false,
    };
    let (_, usage) = answer::terms(oddity);
    said.usage = usage.map(|(input, output)| input + output);
    let (kind, bytes) = if stream {
        let events = answer::events(dice, asked.endpoint, number, &pieces, oddity);
        said.marked = events.iter().any(|event| event == "[DONE]");
        ("text/event-stream; charset=utf-8", framed(dice, &events, oddity))
    } else {
        ("application/json", answer::whole(asked.endpoint, number, &said.words, oddity, asked.inputs).into_bytes())
    };
    acts.push(Act::Head(200, vec![("content-type", kind.into())]));
    acts.extend(split(dice, bytes).into_iter().map(Act::Data));
    acts.push(Act::End);
}

fn framed(dice: &mut Dice, events: &[String], oddity: Oddity) -> Vec<u8> {
    let line = dice.pick(&["\n", "\n", "\r\n", "\r"]);
    let space = if dice.chance(80) { " " } else { "" };
    let comments = dice.chance(20);
    let mut out = Vec::new();
    if dice.chance(3) {
        out.extend_from_slice("\u{feff}".as_bytes());
    }
    if dice.chance(if matches!(oddity, Oddity::ErrorFirst | Oddity::Empty) { 30 } else { 1 }) {
        // More than is held back for the first content.
        out.extend_from_slice(format!(": {}{line}{line}", "-".repeat(70_000)).as_bytes());
    }
    for event in events {
        let space_after = if event == "[DONE]" && dice.chance(10) { " " } else { "" };
        if comments && dice.chance(30) {
            out.extend_from_slice(format!(": keep-alive{line}{line}").as_bytes());
        }
        out.extend_from_slice(format!("data:{space}{event}{space_after}{line}{line}").as_bytes());
    }
    out
}

fn split(dice: &mut Dice, bytes: Vec<u8>) -> Vec<Bytes> {
    let mut rest = Bytes::from(bytes);
    let longest = if dice.chance(50) { rest.len() } else { dice.span(1, 4_096).max(rest.len() as u64 / 30) as usize };
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let length = (dice.below(longest.max(1)) + 1).min(rest.len());
        pieces.push(rest.split_to(length));
    }
    pieces
}

/// Draws the script of a call to an engine of this process.
pub fn engine(dice: &mut Dice, mood: Mood, asked: Asked, wall_us: i64, number: usize, said: &mut Said) -> Script {
    let mut acts = vec![Act::Connected];
    let pieces = answer::words(dice, number, false);
    said.fit = true;
    if asked.endpoint == Endpoint::Embeddings {
        said.words = format!("n{number:08};");
        let vector = |at: usize| Item::Embedding { index: at as u32, vector: vec![number as f32, at as f32] };
        acts.extend((0..asked.inputs).rev().map(|at| Act::Delta(vector(at))));
    } else {
        said.words = pieces.concat();
        acts.extend(pieces.into_iter().map(|text| Act::Delta(Item::Text { choice: 0, text, logprobs: Vec::new() })));
        let reason = if dice.chance(10) { "length" } else { "stop" };
        said.fit = reason == "stop";
        acts.push(Act::Delta(Item::Finish { choice: 0, reason: reason.into() }));
    }
    if dice.chance(70) {
        let usage = Usage { input_tokens: 3, output_tokens: 5, source: UsageSource::Reported, ..Usage::default() };
        said.usage = Some(usage.total());
        acts.push(Act::Delta(Item::Usage(usage)));
    }
    acts.push(Act::End);
    let fault = match mood {
        Mood::Well => 0,
        Mood::Faulty(percent) => percent,
        Mood::Storm | Mood::Long | Mood::Locked(_) | Mood::Down => 90,
        Mood::StormOf(_) => 0,
    };
    if dice.chance(fault) && dice.chance(30) {
        (said.fit, said.usage) = (false, None);
        said.words.clear();
        acts.truncate(1);
        let status = dice.pick(&[400, 413, 429, 500, 503, 200]);
        refusal(dice, status, wall_us, &mut acts);
    } else if dice.chance(fault) {
        said.fit = false;
        let cut = dice.below(acts.len());
        acts.truncate(cut);
        if dice.chance(70) {
            acts.push(Act::Fail(if cut == 0 { Stage::Connect } else { Stage::Body }, false));
        }
    }
    Script { acts: paced(dice, acts) }
}

/// `seconds` since the epoch as in RFC 9110 section 5.6.7.
fn http_date(seconds: i64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let z = days + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    let name = MONTHS[(month - 1) as usize];
    format!("Mon, {day:02} {name} {year:04} {:02}:{:02}:{:02} GMT", rest / 3_600, rest / 60 % 60, rest % 60)
}
