//! `[[aliases]]` and `[[models]]`: other names for models, and what models cannot do.

use std::collections::{HashMap, HashSet};

use super::providers::{check_name, model_name};
use super::reader::{Checked, Table, Words};
use super::{schema, Config};
use crate::route::{Resolved, Routes};

/// `[[aliases]]`: another name for models.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alias {
    /// Unique; may end in `*`.
    pub name: String,
    /// What it stands for, each as a caller could ask; the first is asked first. Its own name means the model so called.
    pub models: Vec<String>,
}

/// `[[models]]`: what a model can and cannot do. What is `None` is not known, and does not keep a request away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// A name as it is sent upstream, or a pattern.
    pub name: String,
    /// At this provider alone. `None`: at every one.
    pub provider: Option<String>,
    /// Takes tools.
    pub tools: Option<bool>,
    /// Takes images.
    pub images: Option<bool>,
    /// Takes or gives audio.
    pub audio: Option<bool>,
    /// Input tokens that it holds.
    pub context_tokens: Option<u64>,
    /// Output tokens that it may be asked for.
    pub max_output_tokens: Option<u64>,
}

pub fn aliases(top: &Table<'_>) -> Checked<Vec<Alias>> {
    let (mut aliases, mut taken) = (Vec::<Alias>::new(), HashSet::new());
    let tables = top.tables("aliases", &schema::ALIASES)?;
    for t in &tables {
        let Some(name) = t.string("name")? else { return t.fail("name", "is missing; give the alias a name") };
        model_name(t, name, &t.at("name"))?;
        if name.strip_suffix('*').unwrap_or(name).contains('*') {
            return t.fail("name", "may have one `*`, at its end");
        }
        if !taken.insert(name) {
            return t.fail("name", format_args!("is taken: two aliases are called `{name}`; join their `models`"));
        }
        let mut models = Vec::new();
        for (model, at) in t.strings("models")? {
            model_name(t, model, &at)?;
            if model.contains('*') {
                return t.source.error(&at, "what an alias stands for is a name, without `*`");
            }
            models.push(model.to_owned());
        }
        if models.is_empty() {
            return t.fail("models", "is empty or missing; name the models that the alias stands for");
        }
        aliases.push(Alias { name: name.to_owned(), models });
    }
    match circle(&aliases) {
        Some((at, circle)) => tables[at].fail("models", format_args!("leads in a circle: {}", circle.join(" → "))),
        None => Ok(aliases),
    }
}

/// The first of the aliases that lead back to themselves, and the names on its way there. In its own list a name is a
/// model's, so that one step is no circle. Each alias is looked at once.
fn circle(aliases: &[Alias]) -> Option<(usize, Vec<&str>)> {
    let places: HashMap<&str, usize> = aliases.iter().enumerate().map(|(at, alias)| (&*alias.name, at)).collect();
    let mut seen = vec![false; aliases.len()];
    // Where each stands on the way, while it does.
    let mut steps: Vec<Option<usize>> = vec![None; aliases.len()];
    for from in 0..aliases.len() {
        let mut way = if seen[from] { Vec::new() } else { vec![(from, 0)] };
        while let Some((at, looked)) = way.last().copied() {
            (seen[at], steps[at]) = (true, Some(way.len() - 1));
            let Some(model) = aliases[at].models.get(looked) else {
                steps[at] = None;
                way.pop();
                continue;
            };
            way[steps[at].unwrap_or_default()].1 += 1;
            let Some(next) = places.get(&**model).copied().filter(|next| *next != at) else { continue };
            match steps[next] {
                Some(step) => return Some(told(aliases, way[step..].iter().map(|(at, _)| *at).collect())),
                None if seen[next] => {}
                None => way.push((next, 0)),
            }
        }
    }
    None
}

/// A circle from the first of its aliases in the file, and back to that.
fn told(aliases: &[Alias], mut circle: Vec<usize>) -> (usize, Vec<&str>) {
    let first = (0..circle.len()).min_by_key(|step| circle[*step]).unwrap_or_default();
    circle.rotate_left(first);
    let names = circle.iter().chain(circle.first()).map(|at| &*aliases[*at].name).collect();
    (circle[0], names)
}

pub fn models(top: &Table<'_>, config: &Config) -> Checked<Vec<Model>> {
    let providers = Words::of(config.providers.iter().map(|provider| provider.name.as_str()));
    let (mut models, mut taken) = (Vec::new(), HashSet::new());
    for t in top.tables("models", &schema::MODELS)? {
        let Some(name) = t.string("name")? else { return t.fail("name", "is missing; name a model, or a pattern") };
        model_name(&t, name, &t.at("name"))?;
        let mut model = Model { name: name.to_owned(), ..Model::default() };
        if let Some(provider) = t.string("provider")? {
            check_name(&t, "provider", provider)?;
            if !providers.contains(provider) {
                return t.fail("provider", format_args!("is {}", providers.unknown(provider)));
            }
            model.provider = Some(provider.to_owned());
        }
        if !taken.insert((name, model.provider.clone())) {
            return t.fail("name", format_args!("is taken: two tables describe `{name}`; join them"));
        }
        for (key, into) in [("tools", &mut model.tools), ("images", &mut model.images), ("audio", &mut model.audio)] {
            let mut able = true;
            t.boolean(key, &mut able)?;
            *into = t.value(key).map(|_| able);
        }
        for (key, into) in
            [("context_tokens", &mut model.context_tokens), ("max_output_tokens", &mut model.max_output_tokens)]
        {
            let mut bound = 0u64;
            t.integer(key, &mut bound)?;
            *into = (bound > 0).then_some(bound);
        }
        models.push(model);
    }
    Ok(models)
}

/// An alias that leads to a name which nobody serves is odd, and may be right once a provider has told its models.
pub fn warn_of_lost_names(config: &mut Config) {
    if config.aliases.is_empty() {
        return;
    }
    let routes = Routes::build(config, &[]);
    let named = config.aliases.iter().flat_map(|alias| alias.models.iter().map(move |model| (alias, model)));
    let lost = named.filter(|(alias, model)| match model == &&alias.name {
        // Asked by name it would be the alias.
        true => false,
        false => matches!(routes.resolve(model), Resolved::Unknown { .. }),
    });
    let warnings: Vec<String> = lost
        .map(|(alias, model)| format!("alias `{}`: no provider serves `{model}`; check its name", alias.name))
        .collect();
    config.warnings.extend(warnings);
}
