//! A catalogue as JSON, for those who look into it: `hoosh providers`, `hoosh models --catalogue`.

use super::{AuthScheme, Catalogue, KnownModel, ProviderType};
use crate::config::{ProviderKind, Rates};
use crate::json::Tree;
use crate::price::decimal;

impl Catalogue {
    /// Every type and every model, an operator's in place of hoosh's: `{"providers":[…],"models":[…]}`.
    pub fn json(&self) -> String {
        let known = Catalogue::built_in_models().iter().filter(|model| !self.describes(model));
        let models = self.models.iter().chain(known).map(model).collect();
        Tree::Object(vec![("providers", self.all().map(provider).collect()), ("models", models)]).pretty()
    }

    /// Whether a model is described here anew, by the same name.
    fn describes(&self, model: &KnownModel) -> bool {
        self.models.iter().any(|own| own.provider == model.provider && own.name == model.name)
    }
}

fn provider(kind: &ProviderType) -> Tree {
    let is_http = kind.kind == ProviderKind::Http;
    Tree::Object(vec![
        ("name", kind.name.as_str().into()),
        ("aliases", kind.aliases.iter().map(|alias| Tree::from(alias.as_str())).collect()),
        ("dialect", Tree::from(is_http.then(|| kind.dialect.as_str()))),
        ("address", Tree::from(kind.home.as_ref().map(ToString::to_string).as_deref())),
        ("key_variable", Tree::from(kind.key_variable.as_deref())),
        (
            "auth",
            Tree::from(
                kind.auth
                    .and_then(|auth| AuthScheme::WORDS.iter().find(|(_, known)| *known == auth))
                    .map(|(word, _)| *word),
            ),
        ),
        ("services", kind.services.all().map(|service| Tree::from(service.as_str())).collect()),
        ("quirks", words(&kind.quirks)),
        ("local", kind.local.into()),
        ("source", Tree::from(kind.source.as_deref())),
    ])
}

fn model(model: &KnownModel) -> Tree {
    let rates = |rates: Option<&Rates>| {
        let known = |rate: Option<u64>| rate.filter(|_| rates.is_some()).map(decimal);
        let named = rates.copied().unwrap_or_default().named();
        named.into_iter().map(move |(key, rate)| (key, Tree::from(known(rate)))).collect::<Vec<_>>()
    };
    let price = model.price.as_ref();
    let long_prompts = price.and_then(|price| price.long_prompts.as_ref()).map(|long| {
        let above = std::iter::once(("above_tokens", Some(long.above_tokens).into()));
        Tree::Object(above.chain(rates(Some(&long.rates))).collect())
    });
    let mut fields = vec![
        ("provider", model.provider.as_str().into()),
        ("name", model.name.as_str().into()),
        ("context_tokens", model.context_tokens.into()),
        ("max_output_tokens", model.max_output_tokens.into()),
        ("modalities", words(&model.modalities)),
        ("capabilities", words(&model.capabilities)),
    ];
    fields.extend(rates(price.map(|price| &price.rates)));
    fields.extend([
        ("long_prompts", long_prompts.unwrap_or_else(|| Tree::Plain("null".into()))),
        ("as_of", Tree::from(model.as_of.as_deref())),
        ("source", Tree::from(model.source.as_deref())),
    ]);
    Tree::Object(fields)
}

fn words(words: &[&str]) -> Tree {
    words.iter().map(|word| Tree::from(*word)).collect()
}
