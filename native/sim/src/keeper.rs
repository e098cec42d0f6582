//! The gateway's own loop: fetches and the store.

use bytes::Bytes;
use hoosh_core::clock::{MILLISECOND, SECOND};
use hoosh_core::config::{Credential, CredentialSource, Secret};
use hoosh_core::gateway::{LoopResult, LoopStep};
use hoosh_core::http::UpstreamRequest;

use crate::check::Invariant;
use crate::plan::{Mood, MODELS};
use crate::world::{Event, World};

/// A loop that asks for more than this without waiting asks for ever.
const MOST_STEPS: usize = 10_000;

impl World {
    pub(crate) fn look_at_loop(&mut self) {
        self.loop_set = false;
        for _ in 0..MOST_STEPS {
            match self.gateway.next(self.now) {
                LoopStep::Fetch { id, request, .. } => self.fetch(id, &request),
                LoopStep::Cancel { id } => {
                    self.count("loop cancels");
                    self.note(None, || format!("loop: cancel {id}"));
                }
                LoopStep::Store { id, op } => {
                    self.count("loop stores");
                    self.note(None, || format!("loop: store {id}: {op:?}"));
                    let answers = self.store.perform(&mut self.dice, &self.plan.store, op);
                    for (delay, outcome) in answers {
                        let done = Event::LoopDone(self.generation, id, LoopResult::Stored(outcome));
                        self.after(delay, done);
                    }
                }
                LoopStep::Log { id, lines, .. } => self.write_log(id, &lines),
                LoopStep::Read { id, source } => self.read(id, &source),
                LoopStep::Over => return self.run_is_over(),
                LoopStep::Wait { until_us } => {
                    self.loop_timer += 1;
                    if let Some(until_us) = until_us {
                        let at = until_us.max(self.now.mono_us) + self.lag();
                        let timer = self.loop_timer;
                        self.put(at, Event::LoopTimer(timer));
                    }
                    return;
                }
            }
        }
        self.fail(Invariant::Wakes, None, "the gateway's loop never waits".into());
    }

    pub(crate) fn loop_done(&mut self, id: u64, result: LoopResult) {
        self.note(None, || format!("loop: {id} answered {result:?}"));
        self.trace.mix(id);
        self.books.health.answered_to_loop(id, &result, self.now.mono_us);
        self.gateway.done(id, result, self.now);
        self.look_loop();
    }

    /// A log that is written late, not, or never. Nobody may wait for it, and no line may be two.
    fn write_log(&mut self, id: u64, lines: &Bytes) {
        self.count("loop logs");
        self.trace.mix_bytes(lines);
        let text = String::from_utf8_lossy(lines);
        let fit = |line: &str| !line.is_empty() && !line.chars().any(char::is_control);
        if !text.ends_with('\n')
            || !text.lines().all(fit)
            || text.contains("key-of-caller")
            || text.contains("secret-of-")
        {
            self.fail(Invariant::Ledger, None, format!("lines that must not be written: {text:?}"));
        }
        let delay = self.dice.span(1, SECOND);
        match self.dice.below(20) {
            0 => {}
            1 => self.after(delay, Event::LoopDone(self.generation, id, LoopResult::Logged(Err("scripted".into())))),
            _ => self.after(delay, Event::LoopDone(self.generation, id, LoopResult::Logged(Ok(())))),
        }
    }

    /// A credential's file: it says what it said, or something new, or cannot be read, or keeps silent.
    fn read(&mut self, id: u64, source: &CredentialSource) {
        self.count("loop readings");
        self.note(None, || format!("loop: read {id}"));
        let CredentialSource::File(file) = source else { return };
        let providers = &self.plan.configs[self.config].providers;
        let mut credentials = providers.iter().flat_map(|p| p.credentials.iter().map(move |c| (&*p.name, c)));
        let is_of_file = |c: &Credential| c.renewal.as_ref().is_some_and(|r| r.source == *source);
        let Some((provider, known)) = credentials.find(|(_, c)| is_of_file(c)) else {
            return self.fail(Invariant::Scope, None, format!("{file} is read, and is not configured"));
        };
        let before = self.books.health.asked_to_read(id, provider, file, known.secret.expose());
        let result = match self.dice.below(10) {
            0 => return,
            1 => Err("the file cannot be read".into()),
            2 => Ok(Secret::new("two words")),
            3..=5 => Ok(Secret::new(before)),
            _ => {
                self.count("new credentials");
                Ok(Secret::new(format!("{file}-r{id}\n")))
            }
        };
        let delay = self.dice.span(1, 12 * SECOND);
        self.after(delay, Event::LoopDone(self.generation, id, LoopResult::Read(result)));
    }

    fn fetch(&mut self, id: u64, request: &UpstreamRequest) {
        self.count("loop fetches");
        let provider = self.provider_of(request);
        self.note(None, || format!("loop: fetch {id} from {provider} {:?}", request.target));
        if !self.plan.configs[self.config].providers.iter().any(|p| p.name == provider) {
            self.fail(Invariant::Scope, None, format!("the loop asks {provider}, which is not configured"));
        }
        self.books.health.asked_by_loop(id, &provider, request);
        let mood = self.plan.configs[0].providers.iter().position(|p| p.name == provider);
        let well = match mood.map(|at| self.plan.moods[at]) {
            Some(Mood::Down) => 5,
            Some(Mood::Faulty(percent)) => 100 - percent,
            _ => 95,
        };
        let delay = self.dice.span(MILLISECOND, 2 * SECOND);
        let result = if self.dice.chance(well) {
            Ok((200, if request.method == "POST" { self.facts() } else { self.list() }))
        } else {
            match self.dice.below(5) {
                0 => return,
                1 => Err("refused".into()),
                2 => Ok((200, Bytes::from_static(b"<html>"))),
                3 => Ok((401, Bytes::new())),
                _ => Ok((500, Bytes::new())),
            }
        };
        if self.dice.chance(10) {
            let again = self.dice.span(delay, delay + 12 * SECOND);
            self.after(again, Event::LoopDone(self.generation, id, LoopResult::Fetched(result.clone())));
        }
        self.after(delay, Event::LoopDone(self.generation, id, LoopResult::Fetched(result)));
    }

    /// A list of models, now and then of a server that is asked about each of them. Nothing else hangs on whose it is.
    fn list(&mut self) -> Bytes {
        let owner = self.dice.clone().pick(&["nobody", "vllm", "library"]);
        let entry = |id: &&str| format!(r#"{{"id":"{id}","object":"model","owned_by":"{owner}"}}"#);
        let list: Vec<String> = MODELS.iter().map(entry).collect();
        Bytes::from(format!(r#"{{"object":"list","data":[{}]}}"#, list.join(",")))
    }

    /// What a server says of a model: nonsense, or what keeps no request away.
    fn facts(&mut self) -> Bytes {
        self.count("questions about models");
        Bytes::from_static(self.dice.pick::<&[u8]>(&[
            br#"{"model_info":{"general.architecture":"a","a.context_length":100000000},"capabilities":["completion","embedding","tools","vision"]}"#,
            br#"{"model_info":{"general.architecture":"a","a.context_length":-1},"capabilities":["nothing"]}"#,
            b"<html>",
        ]))
    }
}
