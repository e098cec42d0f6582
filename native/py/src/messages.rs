//! `hoosh.tokens.count_messages`: the strings of a conversation, read out of Python's dicts where they lie.

use std::borrow::Cow;

use hoosh_core::error::{Code, Failure};
use hoosh_core::tokens::{self, Encoding, ImageDetail, MessageText, PropertyText, ToolCallText, ToolText};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyDict, PyList, PyString};

use crate::tokens::load;
use crate::{errors, input::detached};

/// Properties of one tool, nested ones included, that are looked at. A schema that holds itself would have no end.
const MOST_PROPERTIES: usize = 10_000;

#[derive(FromPyObject)]
struct Message {
    #[pyo3(item)]
    role: PyBackedStr,
    #[pyo3(item, default)]
    name: Option<PyBackedStr>,
    #[pyo3(item, default)]
    content: Option<Content>,
    #[pyo3(item, default)]
    refusal: Option<PyBackedStr>,
    #[pyo3(item, default)]
    tool_calls: Option<Vec<ToolCall>>,
    #[pyo3(item, default)]
    function_call: Option<Call>,
}

#[derive(FromPyObject)]
enum Content {
    #[pyo3(transparent, annotation = "str")]
    Text(PyBackedStr),
    #[pyo3(transparent, annotation = "list of parts")]
    Parts(Vec<Part>),
}

#[derive(FromPyObject)]
struct Part {
    #[pyo3(item("type"))]
    _kind: PyBackedStr,
    #[pyo3(item, default)]
    text: Option<PyBackedStr>,
    #[pyo3(item, default)]
    refusal: Option<PyBackedStr>,
    #[pyo3(item, default)]
    image_url: Option<Image>,
}

#[derive(FromPyObject)]
struct Image {
    #[pyo3(item("url"))]
    _url: PyBackedStr,
    #[pyo3(item, default)]
    detail: Option<PyBackedStr>,
}

#[derive(FromPyObject)]
struct ToolCall {
    #[pyo3(item("type"))]
    _kind: PyBackedStr,
    #[pyo3(item, default)]
    function: Option<Call>,
}

#[derive(FromPyObject)]
struct Call {
    #[pyo3(item)]
    name: PyBackedStr,
    #[pyo3(item, default)]
    arguments: Option<PyBackedStr>,
}

impl Message {
    fn borrow(&self) -> MessageText<'_> {
        let mut message = MessageText { role: &self.role, name: self.name.as_deref(), ..MessageText::default() };
        match &self.content {
            Some(Content::Text(text)) => message.texts.push(Cow::Borrowed(text)),
            Some(Content::Parts(parts)) => {
                for part in parts {
                    message.texts.extend(part.text.iter().chain(&part.refusal).map(|text| Cow::Borrowed(&**text)));
                    message.images.extend(part.image_url.as_ref().map(Image::detail));
                }
            }
            None => {}
        }
        message.texts.extend(self.refusal.as_deref().map(Cow::Borrowed));
        let calls = self.tool_calls.iter().flatten().filter_map(|call| call.function.as_ref());
        message.tool_calls = calls.chain(&self.function_call).map(Call::borrow).collect();
        message
    }
}

impl Image {
    fn detail(&self) -> ImageDetail {
        match self.detail.as_deref() {
            Some("low") => ImageDetail::Low,
            Some("high") => ImageDetail::High,
            _ => ImageDetail::Auto,
        }
    }
}

impl Call {
    fn borrow(&self) -> ToolCallText<'_> {
        let arguments = self.arguments.as_deref().unwrap_or_default();
        ToolCallText { name: Cow::Borrowed(&self.name), arguments: Cow::Borrowed(arguments) }
    }
}

/// See `hoosh.tokens.count_messages`. Returns the tokens and whether they are an estimate.
#[pyfunction]
pub fn tokens_count_messages(
    py: Python<'_>,
    messages: &Bound<'_, PyAny>,
    model: &str,
    tools: Option<&Bound<'_, PyAny>>,
) -> PyResult<(usize, bool)> {
    let messages: Vec<Message> = each(messages, "messages", MESSAGE, |message| message.extract())?;
    let tools = tools.map(|tools| each(tools, "tools", TOOL, read_tool)).transpose()?.unwrap_or_default();
    load(py, tokens::encoding_for_model(model).unwrap_or(Encoding::O200kBase));
    let borrowed: Vec<_> = messages.iter().map(Message::borrow).collect();
    let size = borrowed.iter().flat_map(|message| &message.texts).map(|text| text.len()).sum();
    Ok(detached(py, size, || {
        let count = tokens::count_messages(&borrowed, model);
        (count.tokens + tokens::count_tools(&tools, model), count.estimated || !tools.is_empty())
    }))
}

const MESSAGE: &str = "`role` is a string, `content` a string, a list of parts or None, `tool_calls` a list of calls";
const TOOL: &str = "`function` is a dict with a `name` that is a string";

/// The entries of a list. What is wrong with one is told by its place and the shape that is wanted: what Python or the
/// extraction say would name types of ours.
fn each<'py, T>(
    list: &Bound<'py, PyAny>,
    param: &'static str,
    shape: &str,
    read: impl Fn(&Bound<'py, PyAny>) -> PyResult<T>,
) -> PyResult<Vec<T>> {
    let py = list.py();
    let refuse = |message: String| errors::to_py(py, &Failure::new(Code::InvalidValue, message).param(param));
    let entries = if list.is_instance_of::<PyString>() { None } else { list.try_iter().ok() };
    let Some(entries) = entries else { return Err(refuse(format!("{param} must be a list of dicts."))) };
    let entry = |(at, entry): (usize, PyResult<Bound<'py, PyAny>>)| {
        let words = || format!("{param}[{at}] is not in the shape of OpenAI's chat completions: {shape}.");
        read(&entry?).map_err(|_| refuse(words()))
    };
    entries.enumerate().map(entry).collect()
}

/// `{"type": "function", "function": {"name", "description", "parameters"}}`
fn read_tool(tool: &Bound<'_, PyAny>) -> PyResult<ToolText<'static>> {
    let function = tool.get_item("function")?.cast_into::<PyDict>()?;
    let name = function.get_item("name")?.map(|name| name.extract()).transpose()?.unwrap_or_default();
    let mut read =
        ToolText { name: Cow::Owned(name), description: text(&function, "description")?, properties: vec![] };
    let mut schemas = vec![];
    schemas.extend(child(&function, "parameters")?);
    while let Some(schema) = schemas.pop() {
        for (name, property) in child(&schema, "properties")?.iter().flatten() {
            let Ok(property) = property.cast_into::<PyDict>() else { continue };
            if read.properties.len() == MOST_PROPERTIES {
                return Ok(read);
            }
            read.properties.push(PropertyText {
                name: Cow::Owned(name.extract()?),
                kind: text(&property, "type")?,
                description: text(&property, "description")?,
                values: values(&property)?,
            });
            schemas.extend(child(&property, "items")?);
            schemas.push(property);
        }
    }
    Ok(read)
}

fn child<'py>(of: &Bound<'py, PyDict>, key: &str) -> PyResult<Option<Bound<'py, PyDict>>> {
    Ok(of.get_item(key)?.and_then(|value| value.cast_into().ok()))
}

/// A string, or the empty one for anything else: a schema may hold what this estimate does not look at.
fn text(of: &Bound<'_, PyDict>, key: &str) -> PyResult<Cow<'static, str>> {
    match of.get_item(key)? {
        Some(value) if value.is_instance_of::<PyString>() => Ok(Cow::Owned(value.extract()?)),
        _ => Ok(Cow::Borrowed("")),
    }
}

fn values(property: &Bound<'_, PyDict>) -> PyResult<Vec<Cow<'static, str>>> {
    let Some(values) = property.get_item("enum")? else { return Ok(vec![]) };
    let Ok(values) = values.cast_into::<PyList>() else { return Ok(vec![]) };
    values.iter().map(|value| Ok(Cow::Owned(value.str()?.extract()?))).collect()
}
