//! An engine with a script, for the tests of what carries an engine's words. It is in no wheel.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use hoosh_core::dialects::neutral::{Item, Request};
use hoosh_core::engine::{Abilities, Answer, Card, Engine, Refusal, Said, AHEAD};
use hoosh_core::ledger::{Usage, UsageSource};
use hoosh_core::wake::Waker;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::engine::NativeEngine;
use crate::exchange::lock;

/// One word of the script: its kind and its text.
type Line = (String, String);

/// An engine that says `script` to every request, from a thread of its own, and how many of its answers are not dropped.
///
/// Lines are a kind and a text: `text`, `reasoning`, `finish`, `usage` (two numbers), `refuse` (status, code), `fail`, `panic`,
/// `silence`; `panic_in_call` and `panic_in_drop`, wherever they stand, have it panic as it is called, and as it is dropped.
#[pyfunction]
pub fn test_engine(script: Vec<Line>) -> PyResult<(NativeEngine, Gauge)> {
    let script = script.iter().map(read).collect::<PyResult<_>>()?;
    let alive = Arc::new(AtomicUsize::new(0));
    let engine = Scripted { script, alive: alive.clone() };
    Ok((NativeEngine::new(Arc::new(engine)), Gauge(alive)))
}

/// How many answers are under way.
#[pyclass(module = "hoosh", frozen)]
pub struct Gauge(Arc<AtomicUsize>);

#[pymethods]
impl Gauge {
    /// Answers that nobody dropped yet.
    fn alive(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

#[derive(Clone)]
enum Act {
    Say(Item),
    Refuse(Refusal),
    Fail(String),
    Panic,
    PanicInCall,
    PanicInDrop,
    Silence,
}

struct Scripted {
    script: Vec<Act>,
    alive: Arc<AtomicUsize>,
}

/// What the thread has said and nobody has taken.
#[derive(Default)]
struct Spoken {
    acts: VecDeque<Act>,
    bytes: usize,
    over: bool,
    dropped: bool,
}

struct Saying {
    said: Arc<(Mutex<Spoken>, Condvar)>,
    alive: Arc<AtomicUsize>,
    panics: bool,
}

fn read((kind, text): &Line) -> PyResult<Act> {
    let words: Vec<&str> = text.split(' ').collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse().ok()).unwrap_or(0);
    Ok(match kind.as_str() {
        "text" => Act::Say(Item::Text { choice: 0, text: text.clone(), logprobs: Vec::new() }),
        "reasoning" => Act::Say(Item::Reasoning { choice: 0, text: text.clone() }),
        "finish" => Act::Say(Item::Finish { choice: 0, reason: text.clone() }),
        "usage" => {
            let (input_tokens, output_tokens) = (number(0), number(1));
            let source = UsageSource::Reported;
            Act::Say(Item::Usage(Usage { input_tokens, output_tokens, source, ..Usage::default() }))
        }
        "refuse" => {
            let status = u16::try_from(number(0)).unwrap_or(0);
            let message = format!("The script says {text}.");
            Act::Refuse(Refusal { status, code: "scripted", message, retry_after_secs: Some(7) })
        }
        "fail" => Act::Fail(text.clone()),
        "panic" => Act::Panic,
        "panic_in_call" => Act::PanicInCall,
        "panic_in_drop" => Act::PanicInDrop,
        "silence" => Act::Silence,
        other => return Err(PyValueError::new_err(format!("no such line: {other:?}"))),
    })
}

impl Engine for Scripted {
    fn cards(&self) -> Vec<Card> {
        vec![Card {
            model: "scripted".into(),
            context: Some(4_096),
            max_output: None,
            dimensions: None,
            abilities: Abilities { chat: true, ..Abilities::default() },
            quantization: Some("F16".into()),
            accelerator: Some("cpu".into()),
            memory_bytes: Some(1),
            loaded: true,
        }]
    }

    fn call(&self, _: Request, waker: Waker) -> Box<dyn Answer> {
        assert!(!self.script.iter().any(|act| matches!(act, Act::PanicInCall)), "as the script says");
        let panics = self.script.iter().any(|act| matches!(act, Act::PanicInDrop));
        self.alive.fetch_add(1, Ordering::AcqRel);
        let said = Arc::new((Mutex::new(Spoken::default()), Condvar::new()));
        let (script, mine) = (self.script.clone(), said.clone());
        std::thread::spawn(move || say(script, &mine, &waker));
        Box::new(Saying { said, alive: self.alive.clone(), panics })
    }

    fn load(&self, model: &str, progress: &mut dyn FnMut(u64, u64)) -> Result<(), Refusal> {
        if model != "scripted" {
            let message = format!("There is no {model}.");
            return Err(Refusal { status: 404, code: "model_not_found", message, retry_after_secs: None });
        }
        progress(1, 2);
        progress(2, 2);
        Ok(())
    }

    fn unload(&self, model: &str) -> bool {
        model == "scripted"
    }
}

fn say(script: Vec<Act>, (said, taken): &(Mutex<Spoken>, Condvar), waker: &Waker) {
    for act in script {
        let mut said = lock(said);
        if matches!(act, Act::Silence) {
            return;
        }
        while said.bytes >= AHEAD && !said.dropped {
            said = taken.wait(said).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        if said.dropped {
            return;
        }
        said.bytes += weight(&act);
        said.acts.push_back(act);
        drop(said);
        waker.wake();
    }
    lock(said).over = true;
    waker.wake();
}

fn weight(act: &Act) -> usize {
    match act {
        Act::Say(item) => item.weight(),
        _ => 0,
    }
}

impl Answer for Saying {
    fn next(&mut self, credit: usize) -> Said {
        let (said, taken) = &*self.said;
        let mut said = lock(said);
        let Some(act) = said.acts.pop_front() else {
            return if said.over { Said::End } else { Said::Nothing };
        };
        let bytes = weight(&act);
        if bytes > credit {
            said.acts.push_front(act);
            return Said::Nothing;
        }
        said.bytes -= bytes;
        taken.notify_one();
        match act {
            Act::Say(item) => Said::Item(item),
            Act::Refuse(refusal) => Said::Refused(refusal),
            Act::Fail(words) => Said::Failed(words),
            Act::Panic => panic!("as the script says"),
            Act::PanicInCall | Act::PanicInDrop | Act::Silence => Said::Nothing,
        }
    }
}

impl Drop for Saying {
    fn drop(&mut self) {
        let (said, taken) = &*self.said;
        lock(said).dropped = true;
        taken.notify_one();
        self.alive.fetch_sub(1, Ordering::AcqRel);
        assert!(!self.panics, "as the script says");
    }
}
