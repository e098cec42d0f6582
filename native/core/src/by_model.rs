//! Values by the name of a model, or by the beginning of names: found in as many looks as there are lengths of beginnings,
//! however many entries there are.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// Values by exact names and by prefixes (`name*`).
#[derive(Debug)]
pub(crate) struct ByModel<T> {
    exact: HashMap<String, T, FixedState>,
    /// Without their `*`.
    prefixes: HashMap<String, T, FixedState>,
    /// Of the prefixes, each once; the longest first.
    lengths: Vec<usize>,
}

impl<T: Default> ByModel<T> {
    pub fn new() -> ByModel<T> {
        let hasher = FixedState::with_seed(0x6279_206d_6f64_656c);
        ByModel {
            exact: HashMap::with_hasher(hasher.clone()),
            prefixes: HashMap::with_hasher(hasher),
            lengths: Vec::new(),
        }
    }

    /// The value of a name or prefix; a new one if it has none.
    pub fn entry(&mut self, pattern: &str) -> &mut T {
        let Some(stem) = pattern.strip_suffix('*') else { return self.exact.entry_ref(pattern).or_default() };
        if let Err(at) = self.lengths.binary_search_by(|known| stem.len().cmp(known)) {
            self.lengths.insert(at, stem.len());
        }
        self.prefixes.entry_ref(stem).or_default()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.prefixes.is_empty()
    }

    /// That of exactly this name.
    pub fn exact(&self, model: &str) -> Option<&T> {
        self.exact.get(model)
    }

    /// Those of the prefixes that it begins with, the longest first.
    pub fn prefixes<'a>(&'a self, model: &'a str) -> impl Iterator<Item = &'a T> {
        self.lengths.iter().filter_map(move |length| self.prefixes.get(model.get(..*length)?))
    }
}
