//! Proxies of the environment.

use hoosh_core::config::{parse, Config, Environment};

use super::SECRET;

/// Where what connects goes through the proxies of the environment.
struct Proxied(&'static str);

impl Environment for Proxied {
    fn get(&self, name: &str) -> Option<String> {
        match name {
            "HTTPS_PROXY" => Some(self.0.into()),
            "OPENAI_API_KEY" => Some("k".into()),
            _ => None,
        }
    }

    fn has_proxies(&self) -> bool {
        true
    }
}

const TWO: &str = "[[providers]]\ntype = \"openai\"\n[[providers]]\ntype = \"ollama\"";

#[test]
fn the_environments_proxy_is_gone_through_where_anybody_can() {
    let proxies = |config: &Config| -> Vec<Option<String>> {
        let origins = config.providers.iter().filter_map(|provider| Some(provider.base_url.as_ref()?.origin.clone()));
        origins.map(|origin| origin.proxy.as_ref().map(|proxy| proxy.host.clone())).collect()
    };
    let config = parse(TWO, &Proxied("http://user:s3cr3t-value@proxy.example:3128")).unwrap();
    assert_eq!(proxies(&config), [Some("proxy.example".to_owned()), None]);
    let described = config.describe();
    assert!(described.contains("# through the proxy proxy.example on port 3128, of the environment"), "{described}");
    assert!(!described.contains(SECRET) && !format!("{config:?}").contains(SECRET));
    // The key of the type's own service is sent there, whatever the way.
    assert_eq!(config.providers[0].credentials.len(), 1);

    let error = parse(TWO, &Proxied("socks5://s3cr3t-value")).unwrap_err();
    assert!(error
        .message
        .contains("`base_url` in [[providers]] cannot be reached: environment variable `HTTPS_PROXY`"));
    assert!(!error.message.contains(SECRET));

    let found = Config::found(&Proxied("http://proxy.example"));
    assert!(proxies(&found).contains(&Some("proxy.example".to_owned())));
    let found = Config::found(&Proxied("socks5://s3cr3t-value"));
    assert!(!found.providers.iter().any(|provider| provider.name == "openai"));
    assert!(found.warnings.iter().any(|words| words.starts_with("openai is left out") && !words.contains(SECRET)));

    let alone = |name: &str| Proxied("socks5://x").get(name);
    assert_eq!(proxies(&parse(TWO, &alone).unwrap()), [None, None], "what knows no proxies is told of none");
}
