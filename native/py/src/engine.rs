//! `hoosh._native.NativeEngine`: engines of Rust, whose words go to their exchange without Python in between.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

use hoosh_core::dialects::neutral::{Endpoint, Request, HEAVIEST};
use hoosh_core::engine::{self, Abilities, Card, Engine, Priority, Refusal, Said, Standing};
use hoosh_core::error::refusal_body;
use hoosh_core::exchange::Exchange;
use hoosh_core::http::Headers;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::exchange::{header_list, lock, shared};
use crate::wake::WakeQueue;

/// What an item costs of an engine's credit at most.
pub const HEAVIEST_ITEM: usize = HEAVIEST;

/// An engine of this process that is no Python. Made by whoever brings one.
#[pyclass(module = "hoosh", frozen)]
pub struct NativeEngine(Arc<dyn Engine>);

/// What such an engine says to one request. Closing or dropping it cancels.
#[pyclass(module = "hoosh", frozen)]
pub struct Answer(Mutex<Option<Box<dyn engine::Answer>>>);

impl NativeEngine {
    /// Hands an engine to Python.
    pub fn new(engine: Arc<dyn Engine>) -> NativeEngine {
        NativeEngine(engine)
    }

    /// The engine itself.
    pub fn engine(&self) -> Arc<dyn Engine> {
        self.0.clone()
    }

    /// What it can do; nothing where it panics.
    pub fn reported(&self) -> Vec<Card> {
        guarded(|| self.0.cards()).unwrap_or_default()
    }
}

#[pymethods]
impl NativeEngine {
    /// Begin to answer a request to `endpoint`. As number `number` of `queue`, whoever asks the answer is told of more.
    ///
    /// `standing`: which of the five priorities its caller has, from 0, and whose work it may use.
    fn call(
        &self,
        endpoint: &str,
        body: PyBackedBytes,
        standing: (usize, Option<u64>),
        queue: &WakeQueue,
        number: u64,
    ) -> PyResult<Answer> {
        let known = [Endpoint::Chat, Endpoint::Completions, Endpoint::Embeddings];
        let endpoint = known.into_iter().find(|known| known.as_str() == endpoint);
        let endpoint = endpoint.ok_or_else(|| PyValueError::new_err("no such endpoint"))?;
        let (priority, tenant) = standing;
        let priority = Priority::ALL.get(priority).ok_or_else(|| PyValueError::new_err("no such priority"))?;
        let standing = Standing { priority: *priority, tenant };
        let request = Request { endpoint, body: shared(body), upstream: None, standing };
        let begun = guarded(|| self.0.call(request, queue.bell(number)));
        begun.map(|answer| Answer(Mutex::new(Some(answer)))).map_err(PyRuntimeError::new_err)
    }

    /// The models that it can be asked for: a dict for each.
    fn cards<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let cards = py.detach(|| guarded(|| self.0.cards())).map_err(PyRuntimeError::new_err)?;
        let cards: Vec<_> = cards.iter().map(|card| card_dict(py, card)).collect::<PyResult<_>>()?;
        PyList::new(py, cards)
    }

    /// Bring a model into memory, for which the calling thread waits. `progress` is called with bytes done and all bytes.
    ///
    /// None, or why not: status, code, message and seconds after which to come again.
    #[pyo3(signature = (model, progress = None))]
    fn load(&self, py: Python<'_>, model: &str, progress: Option<Py<PyAny>>) -> PyResult<Option<Refused>> {
        let mut raised = None;
        let mut tell = |done: u64, all: u64| {
            let Some(progress) = progress.as_ref().filter(|_| raised.is_none()) else { return };
            raised = Python::attach(|py| progress.call1(py, (done, all)).err());
        };
        let loaded = py.detach(|| guarded(|| self.0.load(model, &mut tell)));
        if let Some(error) = raised {
            return Err(error);
        }
        Ok(loaded.map_err(PyRuntimeError::new_err)?.err().map(|refusal| {
            let Refusal { status, code, message, retry_after_secs } = refusal;
            (status, code, message, retry_after_secs)
        }))
    }

    /// Let a model's memory go as soon as nobody is answered by it. Whether it was loaded.
    fn unload(&self, py: Python<'_>, model: &str) -> PyResult<bool> {
        py.detach(|| guarded(|| self.0.unload(model))).map_err(PyRuntimeError::new_err)
    }
}

type Refused = (u16, &'static str, String, Option<u32>);

#[pymethods]
impl Answer {
    /// Cancel it: nothing more is wanted.
    fn close(&self, py: Python<'_>) {
        let answer = lock(&self.0).take();
        py.detach(|| drop(answer));
    }
}

/// A refusal of an engine for its exchange: the headers and the body of its answer.
#[pyfunction]
#[pyo3(signature = (status, code, message, retry_after_secs = None, param = None))]
pub fn refusal<'py>(
    py: Python<'py>,
    status: u16,
    code: Option<&str>,
    message: &str,
    retry_after_secs: Option<u32>,
    param: Option<&str>,
) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyBytes>)> {
    let headers = engine::refusal_headers(retry_after_secs);
    Ok((header_list(py, &headers)?, PyBytes::new(py, &refusal_body(status, code, message, param))))
}

/// How an answer stands after its words were handed on.
enum Stands {
    /// More will come, of which the waker tells; or more credit is wanted.
    Open,
    Ended,
    Refused(u16, Headers, bytes::Bytes),
    Failed(String),
}

/// Hands on what there is, as far as the credit goes: bytes handed on, and how the answer stands.
pub fn pump<'py>(
    py: Python<'py>,
    exchange: &Mutex<Exchange>,
    u: u32,
    answer: &Answer,
    credit: usize,
) -> PyResult<(usize, Option<Bound<'py, PyTuple>>)> {
    let (spent, stands) = hand_on(&mut lock(exchange), u, &mut lock(&answer.0), credit);
    let stands = match stands {
        Stands::Open => None,
        Stands::Ended => Some(("end",).into_pyobject(py)?),
        Stands::Refused(status, headers, body) => {
            Some(("refused", status, header_list(py, &headers)?, PyBytes::new(py, &body)).into_pyobject(py)?)
        }
        Stands::Failed(words) => Some(("failed", words).into_pyobject(py)?),
    };
    Ok((spent, stands))
}

fn hand_on(
    exchange: &mut Exchange,
    u: u32,
    slot: &mut Option<Box<dyn engine::Answer>>,
    credit: usize,
) -> (usize, Stands) {
    let mut spent = 0;
    let stands = loop {
        if spent >= credit {
            return (spent, Stands::Open);
        }
        let Some(answer) = slot.as_mut() else { break Stands::Failed("the answer was closed before its end".into()) };
        match guarded(|| answer.next(credit - spent)) {
            Ok(Said::Nothing) => return (spent, Stands::Open),
            Ok(Said::Item(item)) => {
                spent += item.weight();
                exchange.delta(u, item);
            }
            Ok(Said::End) => break Stands::Ended,
            Ok(Said::Refused(refusal)) => break Stands::Refused(refusal.status, refusal.headers(), refusal.body()),
            Ok(Said::Failed(words)) => break Stands::Failed(words),
            Err(words) => break Stands::Failed(words),
        }
    };
    // Nothing follows.
    *slot = None;
    (spent, stands)
}

/// An engine that panics has failed, and nobody else with it.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let words = panic.downcast_ref::<&str>().map(ToString::to_string);
        let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
        format!("the engine panicked: {}", words.as_deref().unwrap_or("(no words)"))
    })
}

fn card_dict<'py>(py: Python<'py>, card: &Card) -> PyResult<Bound<'py, PyDict>> {
    let Card { model, context, max_output, dimensions, abilities, quantization, accelerator, memory_bytes, loaded } =
        card;
    let Abilities { chat, tools, vision, audio, embeddings, structured_output, reasoning } = *abilities;
    let dict = PyDict::new(py);
    dict.set_item("model", model)?;
    dict.set_item("context", context)?;
    dict.set_item("max_output", max_output)?;
    dict.set_item("dimensions", dimensions)?;
    for (name, able) in [
        ("chat", chat),
        ("tools", tools),
        ("vision", vision),
        ("audio", audio),
        ("embeddings", embeddings),
        ("structured_output", structured_output),
        ("reasoning", reasoning),
    ] {
        dict.set_item(name, able)?;
    }
    dict.set_item("quantization", quantization)?;
    dict.set_item("accelerator", accelerator)?;
    dict.set_item("memory_bytes", memory_bytes)?;
    dict.set_item("loaded", loaded)?;
    Ok(dict)
}

/// A card that Python wrote; what is left out is not known, or cannot be done.
pub fn card_of(dict: &Bound<'_, PyDict>) -> PyResult<Card> {
    let wrong = |name: &str| PyValueError::new_err(format!("`{name}` of a model is missing, or not what it must be"));
    let field = |name: &str| Ok::<_, PyErr>(dict.get_item(name)?.filter(|value| !value.is_none()));
    let able = |name: &str| match field(name)? {
        Some(value) => value.extract::<bool>().map_err(|_| wrong(name)),
        None => Ok(false),
    };
    let number = |name: &str| field(name)?.map(|value| value.extract::<u32>().map_err(|_| wrong(name))).transpose();
    let text = |name: &str| field(name)?.map(|value| value.extract::<String>().map_err(|_| wrong(name))).transpose();
    let bytes = field("memory_bytes")?.map(|value| value.extract::<u64>().map_err(|_| wrong("memory_bytes")));
    Ok(Card {
        model: text("model")?.ok_or_else(|| wrong("model"))?,
        context: number("context")?,
        max_output: number("max_output")?,
        dimensions: number("dimensions")?,
        abilities: Abilities {
            chat: able("chat")?,
            tools: able("tools")?,
            vision: able("vision")?,
            audio: able("audio")?,
            embeddings: able("embeddings")?,
            structured_output: able("structured_output")?,
            reasoning: able("reasoning")?,
        },
        quantization: text("quantization")?,
        accelerator: text("accelerator")?,
        memory_bytes: bytes.transpose()?,
        loaded: able("loaded")?,
    })
}
