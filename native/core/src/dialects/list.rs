//! The dialects, each once.

use super::{anthropic, gemini, ollama, openai, responses, Door, Protocol};

/// Makes [`Dialect`] of a list: the variant, its word in configuration, records and metrics, and what it can do.
macro_rules! dialects {
    ($($(#[$about:meta])* $variant:ident $word:literal $protocol:expr;)+) => {
        /// A wire protocol.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum Dialect {
            $($(#[$about])* $variant,)+
        }

        impl Dialect {
            /// Each.
            pub const ALL: [Dialect; [$($word),+].len()] = [$(Dialect::$variant),+];

            /// Their words, in the same order.
            pub const NAMES: &'static [&'static str] = &[$($word),+];

            /// The word in configuration, records and metrics.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Dialect::$variant => $word,)+
                }
            }

            /// What it can do. Of an upstream ask [`crate::gateway`]'s, which knows its manners.
            pub fn protocol(self) -> &'static dyn Protocol {
                match self {
                    $(Dialect::$variant => &$protocol,)+
                }
            }

            /// Its paths, keys, headers and media types.
            pub fn door(self) -> &'static Door {
                match self {
                    $(Dialect::$variant => $protocol.door(),)+
                }
            }
        }
    };
}

dialects! {
    /// OpenAI's chat completions, completions and embeddings.
    #[default]
    OpenAiChat "openai_chat" openai::OpenAiChat::USUAL;
    /// OpenAI's Responses.
    OpenAiResponses "openai_responses" responses::OpenAiResponses;
    /// Anthropic's Messages.
    Anthropic "anthropic" anthropic::Anthropic;
    /// Google's Gemini API.
    Gemini "gemini" gemini::Gemini;
    /// Ollama's own API.
    Ollama "ollama" ollama::Ollama;
}

impl Dialect {
    /// The one whose request is the neutral request: it passes without being read anew.
    pub const NEUTRAL: Dialect = Dialect::OpenAiChat;

    /// The one of that word.
    pub fn named(word: &str) -> Option<Dialect> {
        Dialect::ALL.into_iter().find(|dialect| dialect.as_str() == word)
    }
}
