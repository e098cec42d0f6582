//! The chat template of a model: a request's messages as the text that the model was trained on.

mod clock;
mod environment;
mod error;
mod guard;
mod json;
mod messages;
mod probe;
mod standard;

use std::io;
use std::sync::Arc;
use std::thread;

use minijinja::Environment;
use serde_json::{Map, Value};

use crate::file::FileError;
use crate::text::Tokenizer;
use error::described;
use guard::Guard;
use messages::Manners;

pub use crate::text::Part;
pub use error::TemplateError;

/// Steps of a template for one prompt. A message takes some 100 in the templates about.
const STEPS: u64 = 500_000;

/// Bytes that a template may write: more than any model's context.
const MOST_OUTPUT: usize = 32 * 1024 * 1024;

/// Bytes of the longest source. The longest about have some 20,000.
const LONGEST_SOURCE: usize = 1024 * 1024;

/// The stack on which a template runs. A template can nest a list as deep as it has steps, and lists are let go, printed
/// and compared by recursion, so this is what the deepest needs; it takes memory only as far as it is used.
const STACK: usize = 256 * 1024 * 1024;

/// The name that errors of templates carry.
const NAME: &str = "chat_template";

/// A model's chat template.
pub struct Template {
    environment: Environment<'static>,
    guard: Arc<Guard>,
    manners: Manners,
    /// The model's own variables: the texts of its special tokens.
    tokens: Map<String, Value>,
}

impl Template {
    /// The template whose `source` the model brought along. Without one: ChatML where the vocabulary has its tokens, and
    /// else a plain form of speakers' names and colons.
    pub fn from_source(source: Option<&str>, tokenizer: &Tokenizer) -> Result<Template, FileError> {
        let source = match source {
            Some(source) => standard::known_tags(source),
            None => standard::form(tokenizer).into(),
        };
        if source.len() > LONGEST_SOURCE {
            return Err(FileError::Template(format!(
                "it has {} bytes, and {LONGEST_SOURCE} are the most",
                source.len()
            )));
        }
        let guard = Arc::new(Guard::new(tokenizer.guarded())?);
        let mut environment = environment::environment(&guard);
        environment.set_fuel(Some(STEPS));
        let wrong = |error: minijinja::Error| FileError::Template(described(&error));
        environment.add_template_owned(NAME, source.clone()).map_err(wrong)?;
        let nothing = Manners {
            wants_parts: false,
            takes_system: true,
            takes_developer: false,
            wants_objects: false,
            takes_tools: false,
        };
        let mut template = Template { environment, guard, manners: nothing, tokens: tokens(tokenizer) };
        template.manners = probe::manners(&source, |messages, tools| {
            let variables = [("messages".to_owned(), messages), ("tools".to_owned(), tools)];
            template.run(variables.into_iter().collect()).ok()
        });
        Ok(template)
    }

    /// The prompt for `body`, a request in OpenAI's form, up to where the answer begins. Nothing in it tells apart what
    /// users wrote: for tokens, take [`Template::render_parts`].
    pub fn render(&self, body: &Value) -> Result<String, TemplateError> {
        Ok(guard::remove_marks(&self.marked(body)?).into_owned())
    }

    /// The same in parts: control tokens that the template wrote, and all other text, in which the texts of control
    /// tokens are only text.
    pub fn render_parts(&self, body: &Value) -> Result<Vec<Part>, TemplateError> {
        Ok(self.guard.cut(&self.marked(body)?))
    }

    /// Whether the template tells the model of functions that it may call.
    pub fn calls_tools(&self) -> bool {
        self.manners.takes_tools
    }

    fn marked(&self, body: &Value) -> Result<String, TemplateError> {
        self.run(messages::variables(body, self.manners, &self.guard)?)
    }

    fn run(&self, mut variables: Map<String, Value>) -> Result<String, TemplateError> {
        variables.extend(self.tokens.clone());
        variables.insert("add_generation_prompt".into(), true.into());
        variables.insert("documents".into(), Value::Null);
        thread::scope(|scope| {
            let body = || self.run_here(&variables);
            let started =
                thread::Builder::new().name("hoosh-template".into()).stack_size(STACK).spawn_scoped(scope, body);
            let failed = |why: String| TemplateError::Failed(why);
            let thread = started.map_err(|error| failed(format!("no thread could be started for it: {error}")))?;
            thread.join().unwrap_or_else(|_| Err(failed("it broke the interpreter".into())))
        })
    }

    fn run_here(&self, variables: &Map<String, Value>) -> Result<String, TemplateError> {
        let template = self.environment.get_template(NAME)?;
        let mut output = Output(Vec::new());
        template.render_captured_to(variables, &mut output)?;
        String::from_utf8(output.0).map_err(|_| TemplateError::Failed("it wrote what is not text".into()))
    }
}

/// The tokens of `parts`, without the one that belongs before a prompt; [`Tokenizer::encode_prompt`] adds that.
pub fn encode_parts(tokenizer: &Tokenizer, parts: &[Part]) -> Vec<u32> {
    tokenizer.encode_parts(parts)
}

/// The texts of special tokens, by the names that templates have for them.
fn tokens(tokenizer: &Tokenizer) -> Map<String, Value> {
    let named = [("bos_token", tokenizer.bos()), ("eos_token", tokenizer.eos())];
    let text = |token: Option<u32>| token.map_or("", |token| tokenizer.token_text(token));
    let tokens = named.into_iter().map(|(name, token)| (name.to_owned(), Value::from(text(token))));
    tokens.collect()
}

/// What a template writes, up to a bound.
struct Output(Vec<u8>);

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > MOST_OUTPUT - self.0.len() {
            return Err(io::Error::other("the prompt is too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
