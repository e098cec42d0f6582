//! Which encoding a model uses.

use super::Encoding::{self, Cl100kBase, O200kBase};

// `openai/tiktoken:tiktoken/model.py` as of release 0.14.0, in its order, without the retired models whose encodings
// (r50k, p50k, gpt2) are not here. `gpt-oss-` is o200k_harmony there, which differs in special tokens only.

const NAMES: &[(&str, Encoding)] = &[
    ("o1", O200kBase),
    ("o3", O200kBase),
    ("o4-mini", O200kBase),
    ("gpt-5", O200kBase),
    ("gpt-4.1", O200kBase),
    ("gpt-4o", O200kBase),
    ("gpt-4", Cl100kBase),
    ("gpt-3.5-turbo", Cl100kBase),
    ("gpt-3.5", Cl100kBase),
    ("gpt-35-turbo", Cl100kBase),
    ("davinci-002", Cl100kBase),
    ("babbage-002", Cl100kBase),
    ("text-embedding-ada-002", Cl100kBase),
    ("text-embedding-3-small", Cl100kBase),
    ("text-embedding-3-large", Cl100kBase),
];

const PREFIXES: &[(&str, Encoding)] = &[
    ("o1-", O200kBase),
    ("o3-", O200kBase),
    ("o4-mini-", O200kBase),
    ("gpt-5", O200kBase),
    ("gpt-4.5-", O200kBase),
    ("gpt-4.1-", O200kBase),
    ("chatgpt-4o-", O200kBase),
    ("gpt-4o-", O200kBase),
    ("gpt-4-", Cl100kBase),
    ("gpt-3.5-turbo-", Cl100kBase),
    ("gpt-35-turbo-", Cl100kBase),
    ("gpt-oss-", O200kBase),
    ("ft:gpt-4o", O200kBase),
    // Not in the table there, where `ft:gpt-4` takes it for cl100k: a fine-tuned model has the encoding of its base.
    ("ft:gpt-4.1", O200kBase),
    ("ft:gpt-4", Cl100kBase),
    ("ft:gpt-3.5-turbo", Cl100kBase),
    ("ft:davinci-002", Cl100kBase),
    ("ft:babbage-002", Cl100kBase),
];

/// The encoding of an OpenAI model, by its name or a name that begins like it; `provider/model` is looked up as `model`.
/// `None` for a model that is not known to use one of the encodings here.
pub fn encoding_for_model(model: &str) -> Option<Encoding> {
    let model = without_provider(model);
    let by_name = NAMES.iter().find(|(name, _)| *name == model);
    let found = by_name.or_else(|| PREFIXES.iter().find(|(prefix, _)| model.starts_with(prefix)));
    found.map(|(_, encoding)| *encoding)
}

/// The model's own name: what follows the last slash.
pub(super) fn without_provider(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or(model)
}
