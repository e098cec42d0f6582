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
    /// Where turns for `previous_response_id` are kept. Default: in memory.
    pub history: HistoryPlace,
    /// Of turns in memory, bytes; 0: none are kept, wherever. Default 64 MiB.
    pub history_max_bytes: u64,
    /// Of turns in the store. Default 1 GiB.
    pub history_store_max_bytes: u64,
    /// How long a turn is kept. Default 30 days, as providers of Responses do: <https://docs.x.ai/docs/guides/chat>.
    pub history_ttl_secs: u64,
}

/// Where turns are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryPlace {
    /// Until the process ends.
    Memory,
    /// In the store too.
    Store,
}

impl HistoryPlace {
    /// As they are written.
    pub const WORDS: &'static [(&'static str, HistoryPlace)] =
        &[("memory", HistoryPlace::Memory), ("store", HistoryPlace::Store)];
}

impl Default for Dialects {
    fn default() -> Self {
        Dialects {
            strict: false,
            anthropic_version: ANTHROPIC_VERSION.to_owned(),
            history: HistoryPlace::Memory,
            history_max_bytes: 64 << 20,
            history_store_max_bytes: 1 << 30,
            history_ttl_secs: 30 * 86_400,
        }
    }
}

impl Dialects {
    /// Whether turns are kept in the store.
    pub fn keeps_in_store(&self) -> bool {
        self.history == HistoryPlace::Store && self.history_max_bytes > 0
    }

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
    t.choice("history", HistoryPlace::WORDS, &mut dialects.history)?;
    t.integer("history_max_bytes", &mut dialects.history_max_bytes)?;
    t.integer("history_store_max_bytes", &mut dialects.history_store_max_bytes)?;
    t.integer("history_ttl_secs", &mut dialects.history_ttl_secs)?;
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
