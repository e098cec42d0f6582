//! Whether a step may come now: order of the answer, upstreams, credit.

use hoosh_core::clock::{MILLISECOND, SECOND};
use hoosh_core::exchange::Step;

use super::outcome::Stand;
use super::Invariant;
use crate::world::{UpState, World};

/// More than this unwritten, and the upstream must not be read: what was read ahead plus one event.
const MOST_UNWRITTEN: usize = 64 << 10;
/// Given to an upstream and not taken.
const MOST_UNTAKEN: usize = 256 << 10;
/// A caller that left stops the upstream's work within this time of the door being told.
const LONGEST_FAREWELL_US: u64 = 100 * MILLISECOND;

impl World {
    /// Mixes a step into the trace, and counts it.
    pub(crate) fn trace_step(&mut self, x: usize, step: &Step) {
        let (number, name) = match step {
            Step::Continue => (1, "Continue"),
            Step::ReadCaller { .. } => (2, "ReadCaller"),
            Step::Send { .. } => (3, "Send"),
            Step::Read { .. } => (4, "Read"),
            Step::Abort { .. } => (5, "Abort"),
            Step::Call { .. } => (6, "Call"),
            Step::Work { .. } => (7, "Work"),
            Step::Child { .. } => (8, "Child"),
            Step::Reply { .. } => (9, "Reply"),
            Step::Start { .. } => (10, "Start"),
            Step::Emit { .. } => (11, "Emit"),
            Step::Finish => (12, "Finish"),
            Step::Break => (13, "Break"),
            Step::Wait { .. } => (14, "Wait"),
            Step::Done => (15, "Done"),
            Step::SendBody { .. } => (16, "SendBody"),
            Step::EndBody { .. } => (17, "EndBody"),
        };
        self.count(name);
        self.trace.mix((x as u64) << 8 | number);
        match step {
            Step::Reply { status, body, .. } => {
                self.trace.mix((*status).into());
                self.trace.mix_bytes(body);
                self.count(&format!("status {status}"));
            }
            Step::Emit { bytes } => self.trace.mix_bytes(bytes),
            Step::Send { request, .. } => self.trace.mix_bytes(request.body.bytes()),
            Step::SendBody { bytes, .. } => self.trace.mix_bytes(bytes),
            Step::Read { credit, .. } | Step::ReadCaller { credit } => self.trace.mix(*credit as u64),
            Step::Wait { until_us } => self.trace.mix(until_us.unwrap_or(u64::MAX)),
            _ => {}
        }
        self.note(Some(x), || {
            let words = format!("{step:?}");
            words.chars().take(400).collect()
        });
    }

    /// Checks what can be said of a step before it is performed.
    pub(crate) fn check_step(&mut self, x: usize, step: &Step) {
        if let Err((invariant, words)) = self.judge(x, step) {
            self.fail(invariant, Some(x), words);
        }
    }

    fn judge(&self, x: usize, step: &Step) -> Result<(), (Invariant, String)> {
        let driven = &self.xs[x];
        let stand = driven.out.stand;
        let ended = driven.out.is_over();
        let outcome = |ok: bool, words: &str| match ok {
            true => Ok(()),
            false => Err((Invariant::Outcome, format!("{words} while the answer is {stand:?}: {step:?}"))),
        };
        if let Some(gone) = driven.gone_us {
            self.judge_farewell(x, gone, step)?;
        }
        match step {
            Step::Reply { .. } | Step::Start { .. } => outcome(stand == Stand::Nothing, "an answer begins"),
            Step::Emit { bytes } if bytes.is_empty() => Err((Invariant::Outcome, "an empty Emit".into())),
            Step::Emit { .. } => outcome(stand == Stand::Started, "bytes come"),
            Step::Finish => outcome(stand == Stand::Started, "a finish comes"),
            Step::Break => outcome(stand == Stand::Started || driven.unwritten() > 0, "a cut comes"),
            Step::Continue => outcome(!ended && !driven.continued && driven.caller.expects_continue, "100 comes"),
            Step::ReadCaller { credit } => {
                outcome(!ended, "the caller is read")?;
                let unasked = driven.caller.expects_continue && !driven.continued;
                outcome(!unasked, "the caller is read without the 100 that it waits for")?;
                let server = &self.pinned(x).server;
                let bound = if driven.caller.is_upload() { server.max_file_bytes } else { server.max_body_bytes };
                let most = bound as usize + (128 << 10);
                if driven.credit_sum + credit > most {
                    return Err((Invariant::Buffers, "more of the body is asked for than may be kept".into()));
                }
                Ok(())
            }
            Step::Send { u, .. } | Step::Call { u, .. } => {
                outcome(!ended, "an attempt begins")?;
                if *u as usize != driven.ups.len() {
                    return Err((Invariant::Upstreams, format!("handle {u} is not the next one")));
                }
                match driven.ups.iter().position(|up| up.state == UpState::Open) {
                    Some(open) => Err((Invariant::Upstreams, format!("attempt {open} is still open"))),
                    None => Ok(()),
                }
            }
            Step::Read { u, .. } => match driven.ups.get(*u as usize) {
                Some(up) if up.state == UpState::Open => {
                    // Behind a complete answer its upstream's last bytes are read and thrown away, for a bounded time:
                    // its connection is not to hang on a slow caller, and nothing more is held.
                    if driven.unwritten() > MOST_UNWRITTEN && !ended {
                        let words = format!("an upstream is read while {} bytes are unwritten", driven.unwritten());
                        return Err((Invariant::Buffers, words));
                    }
                    Ok(())
                }
                // Its end may lie in the exchange's inbox, or its own credit came before it.
                Some(up) if up.state != UpState::Aborted => Ok(()),
                _ => Err((Invariant::Upstreams, format!("{step:?} of what is not open"))),
            },
            Step::Abort { u } => match driven.ups.get(*u as usize) {
                Some(up) if up.state != UpState::Aborted => Ok(()),
                _ => Err((Invariant::Upstreams, format!("{step:?} of what is not open"))),
            },
            Step::SendBody { u, bytes } => match driven.ups.get(*u as usize) {
                Some(up) if up.state == UpState::Open && !up.body_over && !bytes.is_empty() => {
                    // What was kept at first may be more than the window, if its model came late.
                    let most = MOST_UNTAKEN.max(up.first_bytes);
                    if up.untaken + bytes.len() > most && up.got > 0 {
                        return Err((Invariant::Buffers, format!("{} bytes are untaken, and more come", up.untaken)));
                    }
                    Ok(())
                }
                Some(up) if matches!(up.state, UpState::Ended | UpState::Failed) => Ok(()),
                _ => Err((Invariant::Upstreams, "a body goes to what takes none".into())),
            },
            Step::EndBody { u } => match driven.ups.get(*u as usize) {
                Some(up) if matches!(up.state, UpState::Ended | UpState::Failed) => Ok(()),
                Some(up)
                    if up.state == UpState::Open && !up.body_over && driven.body_over && driven.is_body_whole() =>
                {
                    Ok(())
                }
                _ => Err((Invariant::Upstreams, "a body is ended that is not whole".into())),
            },
            Step::Child { .. } => outcome(!ended, "a child is born"),
            Step::Wait { until_us } => self.judge_silence(x, *until_us),
            Step::Work { .. } => Ok(()),
            Step::Done => match driven.ups.iter().position(|up| up.state == UpState::Open) {
                Some(open) => Err((Invariant::Upstreams, format!("done, and attempt {open} is open"))),
                None if driven.is_gone() => Ok(()),
                None => outcome(ended, "the exchange is done"),
            },
        }
    }

    /// A stream that began never says nothing for longer than its signs of life are apart, if its caller takes them.
    fn judge_silence(&self, x: usize, until_us: Option<u64>) -> Result<(), (Invariant, String)> {
        let (driven, every) = (&self.xs[x], self.pinned(x).server.keep_alive_secs);
        let owed = every > 0 && driven.out.stand == Stand::Started && driven.unwritten() == 0;
        let due_us = driven.out.spoke_us + every * SECOND;
        if !owed || driven.caller.neutral || driven.is_gone() || until_us.is_some_and(|at| at <= due_us) {
            return Ok(());
        }
        Err((Invariant::Wakes, format!("a stream would be silent until {until_us:?}, a sign is due at {due_us}")))
    }

    /// Counts what keeps a caller company.
    pub(crate) fn note_signs(&mut self, x: usize, bytes: &[u8]) {
        if bytes == b": keep-alive\n\n" {
            self.count(if self.xs[x].out.bytes.is_empty() { "early starts" } else { "keep-alives" });
        }
    }

    fn judge_farewell(&self, x: usize, gone_us: u64, step: &Step) -> Result<(), (Invariant, String)> {
        let open = self.xs[x].ups.iter().any(|up| up.state == UpState::Open);
        let late = self.now.mono_us > gone_us + LONGEST_FAREWELL_US;
        match step {
            Step::Abort { .. } | Step::Work { .. } | Step::Done | Step::Break => Ok(()),
            Step::Wait { .. } if open => {
                Err((Invariant::Upstreams, "the caller left, and an upstream still works for it".into()))
            }
            Step::Wait { .. } if late => {
                Err((Invariant::Upstreams, "the caller left long ago, and the exchange is not over".into()))
            }
            Step::Wait { .. } => Ok(()),
            step => Err((Invariant::Upstreams, format!("the caller left, and yet {step:?}"))),
        }
    }
}
