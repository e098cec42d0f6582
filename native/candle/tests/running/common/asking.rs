//! Asks an engine, and waits for what it says.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hoosh_candle::{Candle, ModelSource, Settings, Source};
use hoosh_core::dialects::neutral::{Endpoint, Item, Request};
use hoosh_core::engine::{Answer, Engine, Refusal, Said, Standing};
use hoosh_core::ledger::Usage;
use hoosh_core::wake::Wake;

use super::Shape;

/// Long enough for any machine; only a test that hangs waits for it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Remembers that it was woken.
#[derive(Default)]
pub struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Wake for Bell {
    fn wake(&self) {
        *self.rung.lock().expect("whole") = true;
        self.heard.notify_all();
    }
}

impl Bell {
    fn wait(&self) {
        let rung = self.rung.lock().expect("whole");
        let (mut rung, waited) = self.heard.wait_timeout_while(rung, PATIENCE, |rung| !*rung).expect("whole");
        assert!(!waited.timed_out(), "nothing was said");
        *rung = false;
    }
}

/// An engine of one model `m`.
pub fn engine(shape: &Shape, change: impl FnOnce(&mut Settings)) -> Candle {
    let file = Source::Bytes(shape.bytes());
    let models = vec![ModelSource { name: "m".into(), file, context: None }];
    let mut settings = Settings { models, threads: 1, ..Settings::default() };
    change(&mut settings);
    Candle::new(settings)
}

/// An answer and the bell that rings for it.
pub struct Asked {
    pub answer: Box<dyn Answer>,
    bell: Arc<Bell>,
}

/// What an answer said.
#[derive(Debug, Default)]
pub struct Heard {
    pub items: Vec<Item>,
    pub refused: Option<Refusal>,
    pub failed: Option<String>,
}

pub fn ask_as(engine: &Candle, endpoint: Endpoint, body: &str, standing: Standing) -> Asked {
    let bell = Arc::new(Bell::default());
    let request = Request { endpoint, body: Bytes::from(body.to_owned()), upstream: None, standing };
    let answer = engine.call(request, bell.clone());
    Asked { answer, bell }
}

/// Asks model `m` to go on from `prompt`, with more fields.
pub fn complete(engine: &Candle, prompt: &str, more: &str) -> Asked {
    complete_as(engine, prompt, more, Standing::default())
}

pub fn complete_as(engine: &Candle, prompt: &str, more: &str, standing: Standing) -> Asked {
    let prompt = serde_json::Value::String(prompt.to_owned());
    let more = if more.is_empty() { String::new() } else { format!(",{more}") };
    ask_as(engine, Endpoint::Completions, &format!(r#"{{"model":"m","prompt":{prompt}{more}}}"#), standing)
}

impl Asked {
    /// The next word, within `credit`.
    pub fn next(&mut self, credit: usize) -> Said {
        loop {
            match self.answer.next(credit) {
                Said::Nothing => self.bell.wait(),
                said => return said,
            }
        }
    }

    /// All that is said.
    pub fn all(mut self) -> Heard {
        let mut heard = Heard::default();
        loop {
            match self.next(usize::MAX) {
                Said::Item(item) => heard.items.push(item),
                Said::End => return heard,
                Said::Refused(refusal) => {
                    heard.refused = Some(refusal);
                    return heard;
                }
                Said::Failed(why) => {
                    heard.failed = Some(why);
                    return heard;
                }
                Said::Nothing => unreachable!("waited for"),
            }
        }
    }
}

impl Heard {
    /// The text of a choice.
    pub fn text(&self, wanted: u32) -> String {
        let texts = self.items.iter().filter_map(|item| match item {
            Item::Text { choice, text, .. } if *choice == wanted => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// Why a choice ended.
    pub fn reason(&self, wanted: u32) -> Option<&str> {
        self.items.iter().find_map(|item| match item {
            Item::Finish { choice, reason } if *choice == wanted => Some(reason.as_str()),
            _ => None,
        })
    }

    pub fn usage(&self) -> Usage {
        let usage = self.items.iter().rev().find_map(|item| match item {
            Item::Usage(usage) => Some(*usage),
            _ => None,
        });
        usage.unwrap_or_else(|| panic!("no usage in {self:?}"))
    }
}
