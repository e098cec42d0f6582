//! Providers with callables of this process: the driver's half of what a file cannot hold.

use super::reader::unknown_word;
use super::{Config, ConfigError, ProviderKind};

impl Config {
    /// The same configuration, in which requests to the providers of these names go through callables of this process:
    /// as [`crate::exchange::Step::Call`] with the request that they may change and have sent.
    pub fn hooked<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Result<Config, ConfigError> {
        let fail = |message: String| Err(ConfigError { line: None, message });
        for name in names {
            let known = self.providers.iter().map(|provider| provider.name.as_str());
            let Some(at) = known.clone().position(|known| known == name) else {
                return fail(format!("the provider of these hooks is {}", unknown_word(name, known)));
            };
            if self.providers[at].kind == ProviderKind::Engine {
                return fail(format!(
                    "provider `{name}` is an engine, which answers by itself; hooks are for providers over HTTP"
                ));
            }
            self.providers[at].hooked = true;
        }
        Ok(self)
    }
}
