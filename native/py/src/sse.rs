//! `hoosh.sse`: the event stream parser and writer.

use hoosh_core::error::{Code, Failure};
use hoosh_core::sse::{self, Limits, SseError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::errors;
use crate::input::{detached, Input};

/// One event of a stream, as a browser would dispatch it. Immutable; equal when all four fields are.
///
/// Attributes:
///     event: the event type; `message` where the stream names none.
///     data: the `data` lines, joined by LF. Bytes that are not UTF-8 became U+FFFD.
///     id: the last event id, set by this event or one before it; empty if none did.
///     retry: the reconnection time in milliseconds, if this event set it.
#[pyclass(module = "hoosh.sse", name = "Event", frozen)]
pub struct SseEvent {
    #[pyo3(get)]
    event: Py<PyString>,
    #[pyo3(get)]
    data: Py<PyString>,
    #[pyo3(get)]
    id: Py<PyString>,
    #[pyo3(get)]
    retry: Option<u64>,
}

#[pymethods]
impl SseEvent {
    #[classattr]
    #[allow(non_upper_case_globals)] // Python's name
    const __match_args__: (&'static str, &'static str, &'static str, &'static str) = ("event", "data", "id", "retry");

    #[new]
    #[pyo3(signature = (event, data, id = None, retry = None))]
    fn new(
        py: Python<'_>,
        event: Py<PyString>,
        data: Py<PyString>,
        id: Option<Py<PyString>>,
        retry: Option<u64>,
    ) -> Self {
        SseEvent { event, data, id: id.unwrap_or_else(|| PyString::new(py, "").unbind()), retry }
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let Ok(other) = other.cast::<SseEvent>() else { return Ok(py.NotImplemented()) };
        let same = self.tuple(py)?.eq(other.get().tuple(py)?)?;
        Ok(same.into_pyobject(py)?.to_owned().into_any().unbind())
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        self.tuple(py)?.hash()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (event, data, id) = (self.event.bind(py).repr()?, self.data.bind(py).repr()?, self.id.bind(py).repr()?);
        let retry = self.retry.map_or("None".to_owned(), |retry| retry.to_string());
        Ok(format!("Event(event={event}, data={data}, id={id}, retry={retry})"))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        Ok((py.get_type::<SseEvent>().into_any(), self.tuple(py)?))
    }
}

impl SseEvent {
    fn from_core(py: Python<'_>, event: &sse::Event) -> Self {
        // Not every name is interned: an upstream that invents names would fill a table that is never emptied.
        let name = match event.event.as_str() {
            "message" => intern!(py, "message").clone(),
            other => PyString::new(py, other),
        };
        SseEvent {
            event: name.unbind(),
            data: PyString::new(py, &event.data).unbind(),
            id: PyString::new(py, &event.id).unbind(),
            retry: event.retry,
        }
    }

    fn tuple<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let fields = (self.event.bind(py), self.data.bind(py), self.id.bind(py), self.retry);
        Ok(fields.into_pyobject(py)?.into_any())
    }
}

/// Reads an event stream (`text/event-stream`) that arrives in pieces.
///
/// Follows the WHATWG HTML standard, section 9.2.6 "Interpreting an event stream": LF, CRLF and CR end lines, also where
/// the stream is cut between them; a leading BOM, comments and unknown fields are passed over; several `data` lines are
/// one text; what is not UTF-8 becomes U+FFFD. The events are the same at every split of the input, and the time is
/// linear in its length. One parser belongs to one thread at a time.
///
/// Args:
///     max_line_bytes: bound of one line, without its line end. Default 8 MiB.
///     max_event_bytes: bound of all lines of one event, comments too. Default 8 MiB.
#[pyclass(module = "hoosh.sse", name = "Parser")]
pub struct SseParser(sse::Parser);

#[pymethods]
impl SseParser {
    #[new]
    #[pyo3(signature = (*, max_line_bytes = Limits::default().max_line_bytes, max_event_bytes = Limits::default().max_event_bytes))]
    fn new(max_line_bytes: usize, max_event_bytes: usize) -> Self {
        SseParser(sse::Parser::new(Limits { max_line_bytes, max_event_bytes }))
    }

    /// Take the next bytes of the stream and return the events that they complete, in order.
    ///
    /// Raises:
    ///     MalformedReply: a bound is broken. Events before the fault come first: if these bytes completed some, they are
    ///         returned, and the next call raises. From then on every call raises.
    fn feed(&mut self, py: Python<'_>, data: Input) -> PyResult<Vec<SseEvent>> {
        let parser = &mut self.0;
        let events = detached(py, data.len(), || parser.feed(&data)).map_err(|error| malformed(py, &error))?;
        Ok(events.iter().map(|event| SseEvent::from_core(py, event)).collect())
    }

    /// End the stream: drop the unfinished event, as the standard says, and return how many bytes it had.
    ///
    /// The parser is then at the beginning of a stream again; as in a browser that reconnects, the last event id and the
    /// reconnection time stay.
    ///
    /// Raises:
    ///     MalformedReply: a bound was broken.
    fn finish(&mut self, py: Python<'_>) -> PyResult<usize> {
        self.0.finish().map_err(|error| malformed(py, &error))
    }

    /// The last event id: what a client that reconnects sends as `Last-Event-ID`. Empty if the stream set none.
    #[getter]
    fn last_event_id(&self) -> &str {
        self.0.last_event_id()
    }

    /// The reconnection time in milliseconds that the stream set last; None if it set none.
    #[getter]
    fn retry(&self) -> Option<u64> {
        self.0.retry()
    }
}

/// See `hoosh.sse.write`.
#[pyfunction]
pub fn sse_write<'py>(
    py: Python<'py>,
    data: &str,
    event: Option<&str>,
    id: Option<&str>,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut out = Vec::new();
    sse::write_event(&mut out, event, id, data)
        .map_err(|error| errors::to_py(py, &Failure::new(Code::InvalidValue, error.to_string()).param(error.field)))?;
    Ok(PyBytes::new(py, &out))
}

fn malformed(py: Python<'_>, error: &SseError) -> PyErr {
    errors::raise(py, Code::UpstreamMalformed, error.to_string())
}
