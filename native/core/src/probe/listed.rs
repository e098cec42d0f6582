//! A list of models, as `GET /v1/models` answers, and what some servers add to OpenAI's fields.

use super::{context, Facts, Server, MOST_MEMORY};
use crate::dialects::openai::fields::MAX_MODEL_BYTES;
use crate::dialects::Dialect;
use crate::json::{self, Kind, Value};

/// Most models that a list may add; what is longer is no list of models.
pub(crate) const MAX_LISTED: usize = 10_000;

/// What a list says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The models, in its order.
    pub models: Vec<String>,
    /// Whose list it is, by its own account.
    pub server: Option<Server>,
    /// What it says of its models beyond their names, of those of which it says something.
    pub facts: Vec<Facts>,
}

/// Reads a list. Entries that are none are left out; what is no list has none.
pub fn read_list(body: &[u8]) -> Listed {
    let mut listed = Listed::default();
    let Ok(index) = json::Index::scan(body, json::Limits::default()) else { return listed };
    let forms = Dialect::ALL.map(|dialect| dialect.door().listing);
    let found = forms.iter().find_map(|form| index.get(body, form.list).map(|list| (list, form.name)));
    let (data, name) = found.unzip();
    let name = name.unwrap_or_default();
    let data = data.filter(|data| data.kind() == Kind::Array);
    let entries = data.into_iter().flat_map(|data| data.elements()).filter(|entry| entry.kind() == Kind::Object);
    let named = entries.filter_map(|entry| {
        let id = entry.get(name)?.as_str()?;
        // Google's names are so in its list for OpenAI's clients too.
        let bare = forms.iter().find_map(|form| id.strip_prefix(form.before?)).unwrap_or(&id).to_owned();
        Some((entry, bare))
    });
    for (entry, id) in named.filter(|(_, id)| !id.is_empty() && id.len() <= MAX_MODEL_BYTES).take(MAX_LISTED) {
        listed.server = listed.server.or_else(|| Server::of_owner(entry.get("owned_by")?));
        listed.facts.extend(said_of(entry).map(|facts| facts.named(&id)));
        listed.models.push(id);
    }
    listed
}

/// vLLM: `max_model_len`. llama.cpp: `meta`, null while it loads. Its `n_ctx_train` is what the model was trained with, and no
/// bound: the server's own context is in `/props`, or in `n_ctx` here.
fn said_of(entry: Value<'_>) -> Option<Facts> {
    let meta = entry.get("meta");
    let facts = Facts {
        context: context(entry.get("max_model_len")).or_else(|| context(meta?.get("n_ctx"))),
        memory_bytes: meta.and_then(|meta| meta.get("size")?.as_u64()).filter(|size| (1..=MOST_MEMORY).contains(size)),
        ..Facts::default()
    };
    (facts != Facts::default()).then_some(facts)
}
