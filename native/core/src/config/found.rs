//! What hoosh does without a file: it takes what the machine and the environment already offer.

use super::candle;
use super::catalogue::types;
use super::parse::Environment;
use super::providers::{is_loopback, through_proxy};
use super::reader::Source;
use super::{Config, Credential, Provider, ProviderKind, Secret};

/// Local engines cost nothing and keep data here, so that they are asked first.
const LOCAL_PRIORITY: i64 = 10;
const REMOTE_PRIORITY: i64 = 20;
/// It is asked for its own name alone, and before those that take any name: a server that is not there would only cost attempts.
const DEMONSTRATION_PRIORITY: i64 = 0;
const DEMONSTRATION_PROVIDER: &str = "local";

impl Config {
    /// The configuration of a gateway without a file: the local servers of the catalogue on their default ports, then
    /// every service whose key is in the environment, all marked [`Provider::found`]; and the model that comes with hoosh,
    /// so that there is always an answer.
    pub fn found(environment: &dyn Environment) -> Config {
        let (source, mut config) = (Source::new("", environment), Config::default());
        config.dialects = super::Dialects::of(source);
        for kind in types().iter().filter(|kind| kind.kind == ProviderKind::Http && kind.origin.is_some()) {
            let key = kind.key_variable.as_ref().and_then(|variable| environment.get(variable));
            let key = key.map(|key| key.trim().to_owned()).filter(|key| !key.is_empty()).map(Secret::new);
            // Two local types share a port; whatever listens there is asked once.
            let taken = config.providers.iter().any(|p: &Provider| p.base_url == kind.provider().base_url);
            if taken || !(kind.found || key.is_some()) {
                continue;
            }
            let priority = if kind.local { LOCAL_PRIORITY } else { REMOTE_PRIORITY };
            let mut provider = kind.provider();
            let url = provider.base_url.take();
            match url.map(|url| through_proxy(url, &|name| source.proxy_variable(name))).transpose() {
                Ok(url) => provider.base_url = url,
                // Never past a proxy that is wanted.
                Err(wrong) => {
                    let words = format!("{} is left out, because it cannot be reached: {wrong}", kind.name);
                    config.warnings.push(words);
                    continue;
                }
            }
            let credentials = key.map(|secret| Credential { secret, renewal: None }).into_iter().collect();
            config.providers.push(Provider { credentials, priority, found: true, ..provider });
        }
        config.providers.push(Provider {
            name: DEMONSTRATION_PROVIDER.to_owned(),
            type_name: candle::TYPE.to_owned(),
            kind: ProviderKind::Engine,
            priority: DEMONSTRATION_PRIORITY,
            found: true,
            ..candle::demonstration()
        });
        config
    }

    /// Why this must not be served, if it must not: anybody on the network could spend the operator's keys. To be
    /// asked again when a command line has overridden `bind`.
    pub fn exposed(&self) -> Option<String> {
        let open = self.auth.tokens.is_empty() && !is_loopback(&self.server.bind);
        open.then(|| {
            format!(
                "`bind` is {}, which others can reach, and there are no [auth] tokens; add tokens, or bind 127.0.0.1",
                self.server.bind
            )
        })
    }
}
