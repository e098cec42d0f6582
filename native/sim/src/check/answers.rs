//! Whether what a caller got is what an upstream said to it, or to somebody whose answer it may be given.

use hoosh_core::clock::{MILLISECOND, SECOND};
use hoosh_core::config::CacheMode;

use super::outcome::Stand;
use super::Invariant;
use crate::answer::{number, Heard, Said};
use crate::caller::{Flaw, Path};
use crate::plan::ALIAS;
use crate::world::World;

/// Between the last byte of an answer and its being cached lie the driver's lag and a counting job.
const SLACK_US: u64 = 60 * MILLISECOND;

type Judged = Result<(), (Invariant, String)>;

fn outcome<T>(words: impl Into<String>) -> Result<T, (Invariant, String)> {
    Err((Invariant::Outcome, words.into()))
}

impl World {
    /// Checks an exchange that is done.
    pub(crate) fn check_done(&mut self, x: usize) {
        if let Err((invariant, words)) = self.judge_answer(x) {
            self.fail(invariant, Some(x), words);
        }
    }

    fn judge_answer(&mut self, x: usize) -> Judged {
        let driven = &self.xs[x];
        let (out, caller) = (&driven.out, &driven.caller);
        if out.stand == Stand::Nothing {
            return Ok(());
        }
        if out.header("x-request-id") != Some(driven.id.as_bytes()) {
            return outcome("the answer has not its request id");
        }
        if let Path::Tokens(_) = caller.path {
            self.judge_tokens(x)?;
        }
        if self.xs[x].out.status != 200 {
            return self.judge_refusal(x);
        }
        let driven = &self.xs[x];
        let (out, caller) = (&driven.out, &driven.caller);
        if caller.is_upload() {
            let whole = driven.is_body_whole() && driven.ups.last().is_some_and(|up| up.sent);
            return if whole { Ok(()) } else { outcome("an upload that is not whole was answered with 200") };
        }
        if caller.path == Path::Other("/metrics") || caller.endpoint().is_none() {
            return Ok(());
        }
        if caller.flaw != Flaw::None {
            return outcome(format!("a request with a flaw ({:?}) was answered with 200", caller.flaw));
        }
        if !out.replied && !caller.stream {
            return outcome("a stream that nobody asked for");
        }
        let heard = match out.stand {
            _ if out.replied => Heard::whole(&out.bytes),
            _ if caller.neutral => Heard::neutral(&out.pieces),
            _ => Heard::stream(&out.bytes),
        };
        let whole = matches!(out.stand, Stand::Replied | Stand::Finished);
        self.judge_heard(x, &heard, whole)
    }

    fn judge_heard(&mut self, x: usize, heard: &Heard, whole: bool) -> Judged {
        let (driven, replied) = (&self.xs[x], self.xs[x].out.replied);
        if let Some(words) = heard.broken.as_ref().filter(|_| whole) {
            return outcome(format!("the caller cannot read its answer: {words}"));
        }
        if heard.after_end {
            return outcome("events after the end of the stream");
        }
        if heard.usage && !replied && !driven.caller.include_usage {
            return outcome("usage was shown to a caller who did not ask");
        }
        if whole && !replied && !heard.error && driven.caller.include_usage && !heard.usage {
            return outcome("usage that was asked for was not shown");
        }
        if whole && !replied && !heard.error && !driven.caller.neutral && !heard.done {
            return outcome("a stream without [DONE] or error");
        }
        let completed = whole && !heard.error;
        let Some(number) = number(&heard.words) else {
            return match completed && !heard.finished {
                true => outcome("an answer without content is passed as complete"),
                false => Ok(()),
            };
        };
        let Some(said) = self.said.get(number - 1).cloned() else { return outcome("words that no upstream said") };
        if completed && heard.words != said.words {
            return outcome(format!("complete, but not what was said: {:?} for {:?}", heard.words, said.words));
        }
        if !said.words.starts_with(&heard.words) {
            return outcome(format!("words were changed: {:?} for {:?}", heard.words, said.words));
        }
        let unfinished = !heard.finished || !heard.open.is_empty();
        if completed && !replied && unfinished && !said.marked {
            return outcome("a stream that neither finished every choice nor gave its mark is passed as complete");
        }
        if driven.raised.contains(&said.x) {
            self.count("joined");
            self.note_answered(x)?;
            return self.judge_joined(x);
        }
        if said.x == x {
            let last = driven.ups.len() - 1;
            self.count(if completed { "complete" } else { "broken off" });
            if completed {
                self.note_answered(x)?;
            }
            return match said.u as usize == last {
                true => Ok(()),
                false => outcome(format!("words of attempt {}, but {last} was the last", said.u)),
            };
        }
        if driven.out.header("idempotent-replayed").is_some() {
            return self.judge_replayed(x, said.x).map_err(|words| (Invariant::Cache, words));
        }
        self.count("shared");
        let (mine, theirs) = (&self.xs[x].caller, &self.xs[self.root(said.x)].caller);
        let (other_form, alias) = (mine.stream != theirs.stream, mine.model == ALIAS);
        if other_form {
            self.count("shared in the other form");
        }
        if alias {
            self.count("shared under an alias");
        }
        self.judge_shared(x, &said).map_err(|words| (Invariant::Cache, words))
    }

    /// Each input has its vector: number `i` of a child's inputs that which this child's upstream made for number `i`.
    fn judge_joined(&self, x: usize) -> Judged {
        let driven = &self.xs[x];
        let mine = vectors(&driven.out.bytes);
        let mut theirs = Vec::new();
        for child in &driven.raised {
            let child = &self.xs[*child];
            let Some(said) = child.ups.last().map(|up| &self.said[up.number - 1]) else { continue };
            let base = theirs.len() as i64;
            theirs.extend((0..said.inputs as i64).map(|at| [base + at, said_number(said), at]));
        }
        match mine == theirs {
            true => Ok(()),
            false => outcome(format!("answers of children were joined to {mine:?}, they are {theirs:?}")),
        }
    }

    /// A child failed, and every one that did had asked an upstream.
    fn failed_children_asked(&self, x: usize) -> bool {
        let driven = &self.xs[x];
        let family = driven.raised.iter().chain(&driven.children).map(|child| &self.xs[*child]);
        let mut failed = family.filter(|child| child.out.is_over() && child.out.status != 200).peekable();
        failed.peek().is_some() && failed.all(|child| !child.ups.is_empty())
    }

    /// Who asked for it at first.
    pub(crate) fn root(&self, x: usize) -> usize {
        self.xs[x].parent.map_or(x, |(parent, _)| parent)
    }

    /// The answer was another's: from the cache, or from a flight that both were on.
    fn judge_shared(&self, x: usize, said: &Said) -> Result<(), String> {
        let other = self.root(said.x);
        let (mine, theirs) = (&self.xs[x], &self.xs[other]);
        let cache = &self.pinned(x).cache;
        if self.tenant(x) != self.tenant(other) {
            return Err(format!("{:?} was given the answer of {:?}", self.tenant(x), self.tenant(other)));
        }
        let question = |driven: &crate::world::Driven| {
            let c = &driven.caller;
            (c.question, c.endpoint(), c.model.clone(), c.deterministic)
        };
        if self.stands_for(x) != self.stands_for(other) {
            return Err(format!("{:?} meant something else", mine.caller.model));
        }
        if theirs.caller.no_store {
            return Err("the answer was not to be kept".into());
        }
        if question(mine) != question(theirs) {
            return Err(format!("the answer to {:?} was given to {:?}", question(theirs), question(mine)));
        }
        if !mine.ups.is_empty() && mine.out.stand == Stand::Started {
            return Err("a shared answer came on top of its own".into());
        }
        if !said.fit {
            return Err("the answer was truncated, filtered, cut or an error".into());
        }
        let wanted = cache.mode == CacheMode::Always || mine.caller.deterministic;
        if !cache.enabled || !wanted || mine.caller.no_cache {
            return Err("the cache must not be used for it".into());
        }
        if !self.pinned(x).providers.iter().any(|p| p.name == said.provider) {
            return Err(format!("{} is not among its providers", said.provider));
        }
        // What children said was joined when the last one ended.
        let family = theirs.raised.iter().chain(&theirs.children).flat_map(|child| &self.xs[*child].ups);
        let last = family.filter_map(|up| self.said[up.number - 1].ended_us).max();
        let Some(ended_us) = said.ended_us.max(last) else { return Err("the answer had not ended".into()) };
        let age = mine.out.began_us.saturating_sub(ended_us);
        if age > cache.ttl_secs * SECOND + SLACK_US + 4 * self.plan.lag_us {
            return Err(format!("the answer is {age} µs old"));
        }
        Ok(())
    }

    /// Whose cache it is: whoever holds the key, with its scope; all without a key; the program itself.
    pub(crate) fn tenant(&self, x: usize) -> (String, Vec<String>) {
        let (config, caller) = (self.pinned(x), &self.xs[x].caller);
        if caller.neutral {
            return ("the program".into(), Vec::new());
        }
        let secret = caller.key.map(|key| format!("key-of-caller-{key}"));
        match config.auth.tokens.iter().find(|t| Some(t.token.expose()) == secret.as_deref()) {
            Some(token) => (token.token.expose().into(), token.models.clone()),
            None => ("nobody".into(), Vec::new()),
        }
    }

    fn judge_refusal(&mut self, x: usize) -> Judged {
        let driven = &self.xs[x];
        let (out, caller) = (&driven.out, &driven.caller);
        if matches!(caller.path, Path::Other("/v1/health/ready")) {
            return Ok(());
        }
        if !(400..=599).contains(&out.status) {
            return outcome(format!("status {}", out.status));
        }
        let body: serde_json::Value = match serde_json::from_slice(&out.bytes) {
            Ok(body) => body,
            Err(error) => return outcome(format!("an error that is not JSON: {error}")),
        };
        let error = &body["error"];
        if !(error["message"].is_string() && error["type"].is_string() && !error["code"].is_number()) {
            return outcome(format!("an error of another shape: {body}"));
        }
        // One that goes down does not keep its caller from asking another.
        let goes_down = error["code"] == "draining";
        let spent = !goes_down && (!driven.ups.is_empty() || self.failed_children_asked(x));
        if spent && out.header("x-should-retry") != Some(b"false") {
            return outcome("attempts are spent, and the caller is not told so");
        }
        let reads_secret = String::from_utf8_lossy(&out.bytes);
        match reads_secret.contains("secret-of-") || reads_secret.contains("key-of-caller") {
            true => Err((Invariant::Scope, "an error tells a secret".into())),
            false => self.judge_patience(x, error["code"].as_str().unwrap_or_default()),
        }
    }
}

/// The number of an answer whose words are vectors.
fn said_number(said: &Said) -> i64 {
    number(&said.words).map_or(-1, |number| number as i64)
}

/// Number, answer and input of each vector of an embeddings answer, in the order of the numbers.
fn vectors(body: &[u8]) -> Vec<[i64; 3]> {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let data = body["data"].as_array().cloned().unwrap_or_default();
    let whole = |value: &serde_json::Value| value.as_f64().unwrap_or(-1.0) as i64;
    let mut vectors: Vec<_> =
        data.iter().map(|v| [whole(&v["index"]), whole(&v["embedding"][0]), whole(&v["embedding"][1])]).collect();
    vectors.sort_unstable();
    vectors
}
