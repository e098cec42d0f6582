//! How the callers of an engine stand to each other.

/// Who goes before whom where calls wait for an engine. The order among equals is that in which they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Only when nobody else wants anything.
    Background,
    /// After the others.
    Low,
    /// As most.
    #[default]
    Normal,
    /// Before the others.
    High,
    /// Before everybody.
    Critical,
}

impl Priority {
    /// All, the least first.
    pub const ALL: [Priority; 5] =
        [Priority::Background, Priority::Low, Priority::Normal, Priority::High, Priority::Critical];
    /// As the configuration and `x-hoosh-priority` spell them.
    pub const WORDS: &'static [(&'static str, Priority)] = &[
        ("background", Priority::Background),
        ("low", Priority::Low),
        ("normal", Priority::Normal),
        ("high", Priority::High),
        ("critical", Priority::Critical),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::WORDS[self as usize].0
    }

    /// The one of that word, without regard to case.
    pub fn named(word: &[u8]) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(word)).map(|(_, priority)| *priority)
    }
}

/// How a caller stands to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Who goes first.
    pub priority: Priority,
    /// Whose prompts may be told apart by how fast they are answered: work done for one call is used by another only if
    /// both name the same tenant. `None`: by none.
    pub tenant: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_priorities_are_in_one_order() {
        for (at, priority) in Priority::ALL.into_iter().enumerate() {
            assert_eq!((priority as usize, Priority::WORDS[at].1), (at, priority));
            assert_eq!(Priority::named(priority.word().to_ascii_uppercase().as_bytes()), Some(priority));
        }
        assert!(Priority::Background < Priority::Low && Priority::High < Priority::Critical);
        assert_eq!(Priority::named(b"urgent"), None);
    }
}
