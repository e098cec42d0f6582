//! `[dialects]`: what holds for translations between protocols.

use super::reader::{Checked, Source, Table};
use super::schema;

/// Of Anthropic's API, where neither the file nor the environment names one.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// `[dialects]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialects {
    /// Refuse what cannot be carried across as it is. Default false: it is reported in `x-hoosh-loss`.
    pub strict: bool,
    /// `anthropic-version` of requests whose caller names none. Default: `ANTHROPIC_API_VERSION`, else 2023-06-01.
    pub anthropic_version: String,
    /// Of turns kept for `previous_response_id`, bytes; 0: none are. Default 64 MiB.
    pub history_max_bytes: u64,
}

impl Default for Dialects {
    fn default() -> Self {
        Dialects { strict: false, anthropic_version: ANTHROPIC_VERSION.to_owned(), history_max_bytes: 64 << 20 }
    }
}

impl Dialects {
    /// Without a table.
    pub(super) fn of(source: Source<'_>) -> Dialects {
        let mut dialects = Dialects::default();
        if let Some(version) = source.variable("ANTHROPIC_API_VERSION").filter(|version| is_version(version)) {
            dialects.anthropic_version = version;
        }
        dialects
    }
}

pub fn dialects(top: &Table<'_>) -> Checked<Dialects> {
    let mut dialects = Dialects::of(top.source);
    let Some(t) = top.table("dialects", &schema::DIALECTS)? else { return Ok(dialects) };
    t.boolean("strict", &mut dialects.strict)?;
    t.integer("history_max_bytes", &mut dialects.history_max_bytes)?;
    if let Some(version) = t.string("anthropic_version")? {
        if !is_version(version) {
            return t.fail("anthropic_version", "must be a date, such as `2023-06-01`");
        }
        dialects.anthropic_version = version.to_owned();
    }
    Ok(dialects)
}

/// `YYYY-MM-DD`, or a word in its place.
fn is_version(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
