//! Routing: the tables agree with the rules read one by one, and picking takes each candidate once.

use hoosh_core::config::{Alias, Config, Model, Provider, Strategy as Choice};
use hoosh_core::route::{nearest, pick, Candidate, Resolved, Routes, Tried};
use proptest::prelude::*;

const CHOICES: [Choice; 4] = [Choice::Priority, Choice::RoundRobin, Choice::LowestLatency, Choice::Direct];

fn provider(name: &str, models: &[&str], priority: i64) -> Provider {
    let models = models.iter().map(|m| m.to_string()).collect();
    Provider { name: name.into(), models, priority, ..Provider::default() }
}

fn config(strategy: Choice, providers: Vec<Provider>) -> Config {
    let mut config = Config { providers, ..Config::default() };
    config.server.strategy = strategy;
    config
}

/// `provider:model` for each candidate.
fn shown(config: &Config, resolved: &Resolved) -> Vec<String> {
    let Resolved::Candidates(list) = resolved else { return Vec::new() };
    list.iter().map(|c| format!("{}:{}", config.providers[c.provider as usize].name, c.model)).collect()
}

fn three(strategy: Choice) -> Config {
    config(
        strategy,
        vec![
            provider("openai", &["gpt-4o", "gpt-4o-mini", "o3*"], 20),
            provider("meta", &["big"], 10),
            provider("together", &["meta/llama", "gpt-*"], 10),
            provider("local", &[], 30),
        ],
    )
}

#[test]
fn rules_by_example() {
    let config = three(Choice::Priority);
    let routes = Routes::build(&config, &[]);
    for (model, expected) in [
        ("gpt-4o", &["together:gpt-4o", "openai:gpt-4o", "local:gpt-4o"][..]),
        ("o3-pro", &["openai:o3-pro", "local:o3-pro"]),
        ("openai/gpt-4o", &["openai:gpt-4o"]),
        ("openai/o3-mini", &["openai:o3-mini"]),
        // A named provider keeps to its own list, and nobody steps in for it.
        ("openai/big", &[]),
        ("meta/llama", &["together:meta/llama", "local:meta/llama"]),
        ("meta/big", &["meta:big"]),
        ("local/any/thing", &["local:any/thing"]),
        ("nobody/thing", &["local:nobody/thing"]),
        ("openai/", &[]),
        ("", &["local:"]),
    ] {
        assert_eq!(shown(&config, &routes.resolve(model)), expected, "{model}");
        assert_eq!(shown(&config, &routes.resolve(model)), expected, "{model}, from the cache");
    }
}

#[test]
fn direct_needs_a_provider_or_a_single_lister() {
    let mut config = three(Choice::Direct);
    config.providers.push(provider("azure", &["gpt-4o"], 1));
    let routes = Routes::build(&config, &[]);
    for (model, expected) in [
        ("gpt-4o", &[][..]),
        ("gpt-4o-mini", &["openai:gpt-4o-mini"]),
        ("o3-pro", &[]),
        ("azure/gpt-4o", &["azure:gpt-4o"]),
        ("meta/llama", &["together:meta/llama"]),
        ("local/x", &["local:x"]),
        ("x", &[]),
    ] {
        assert_eq!(shown(&config, &routes.resolve(model)), expected, "{model}");
    }
    let hint = Resolved::Unknown { nearest: Some("openai/gpt-4o".into()) };
    assert_eq!(routes.resolve("gpt-4o"), hint);
}

#[test]
fn unknown_names_get_a_suggestion() {
    let mut config = three(Choice::Priority);
    config.providers.pop();
    let routes = Routes::build(&config, &[]);
    for (model, near) in [
        ("gtp-4o", Some("gpt-4o")),
        ("openai/gtp-4o", Some("openai/gpt-4o")),
        // `meta` is a provider, and only its own models are suggested.
        ("meta/lama", None),
        ("zzz", None),
    ] {
        assert_eq!(routes.resolve(model), Resolved::Unknown { nearest: near.map(Into::into) }, "{model}");
    }
}

/// An alias may take over what its own name would have meant, and lead nowhere: then that name is no advice.
#[test]
fn what_does_not_resolve_is_not_suggested() {
    let mut config = config(Choice::Priority, vec![provider("b", &[], 0)]);
    config.providers[0].found = true;
    config.aliases = vec![Alias { name: "b/llama".into(), models: vec!["nobody-has-it".into()] }];
    let routes = Routes::build(&config, &[vec!["llama".to_owned()]]);
    assert_eq!(routes.resolve("b/llama"), Resolved::Unknown { nearest: None });
    assert_eq!(routes.resolve("b/lama"), Resolved::Unknown { nearest: None });
}

#[test]
fn discovered_models() {
    let mut config = config(
        Choice::Priority,
        vec![
            provider("found", &[], 1),
            provider("set", &[], 2),
            provider("bound", &["a*"], 3),
            provider("quiet", &[], 4),
        ],
    );
    config.providers[0].found = true;
    config.providers[3].found = true;
    let list = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
    let routes = Routes::build(&config, &[list(&["llama"]), list(&["x/y"]), list(&["ab", "zz"])]);
    // A found provider serves what it reported; one that reported nothing, and one that was configured, everything.
    assert_eq!(shown(&config, &routes.resolve("llama")), ["found:llama", "set:llama", "quiet:llama"]);
    assert_eq!(shown(&config, &routes.resolve("other")), ["set:other", "quiet:other"]);
    // `models` admits what is discovered.
    assert_eq!(shown(&config, &routes.resolve("ab")), ["set:ab", "bound:ab", "quiet:ab"]);
    assert_eq!(shown(&config, &routes.resolve("zz")), ["set:zz", "quiet:zz"]);
    assert_eq!(shown(&config, &routes.resolve("found/other")), Vec::<String>::new());
    let listed: Vec<_> = routes.listed().iter().map(|l| (&*l.model, l.provider)).collect();
    assert_eq!(listed, [("llama", 0), ("x/y", 1), ("ab", 2)]);
}

#[test]
fn what_a_provider_reports_takes_nothing_over_that_another_is_asked_for_by_name() {
    let config = config(
        Choice::Priority,
        vec![provider("openai", &["gpt-4o"], 1), provider("reseller", &[], 2), provider("writer", &["openai/o3"], 3)],
    );
    let reported = vec!["openai/gpt-4o".to_string(), "meta/llama".to_string()];
    let routes = Routes::build(&config, &[vec![], reported, vec![]]);
    assert_eq!(shown(&config, &routes.resolve("openai/gpt-4o")), ["openai:gpt-4o"]);
    assert_eq!(shown(&config, &routes.resolve("reseller/openai/gpt-4o")), ["reseller:openai/gpt-4o"]);
    assert_eq!(shown(&config, &routes.resolve("meta/llama")), ["reseller:meta/llama"]);
    // What the operator writes down is meant.
    assert_eq!(shown(&config, &routes.resolve("openai/o3")), ["reseller:openai/o3", "writer:openai/o3"]);
    let listed: Vec<_> = routes.listed().iter().map(|l| &*l.model).collect();
    assert_eq!(listed, ["gpt-4o", "reseller/openai/gpt-4o", "meta/llama", "openai/o3"]);
}

fn aliases(of: &[(&str, &[&str])]) -> Vec<Alias> {
    let texts = |models: &[&str]| models.iter().map(|m| m.to_string()).collect();
    of.iter().map(|(name, models)| Alias { name: name.to_string(), models: texts(models) }).collect()
}

#[test]
fn aliases_stand_for_models_in_their_order() {
    let mut config = three(Choice::Priority);
    config.aliases = aliases(&[
        ("fast", &["openai/o3-mini", "gpt-4o"]),
        ("best", &["meta/big", "fast", "nobody-lists-this"]),
        ("gpt-4o-mini", &["gpt-4o-mini", "meta/big"]),
        ("gpt-3.5*", &["openai/gpt-4o"]),
        ("gpt-3*", &["meta/big"]),
        ("openai/o3-pro", &["meta/big"]),
    ]);
    let routes = Routes::build(&config, &[vec![], vec![], vec!["gpt-3.5-turbo".into()], vec!["gpt-3.5-now".into()]]);
    let fast = ["openai:o3-mini", "together:gpt-4o", "openai:gpt-4o", "local:gpt-4o"];
    for (model, expected) in [
        ("fast", &fast[..]),
        ("best", &[&["meta:big"], &fast[..], &["local:nobody-lists-this"]].concat()),
        // In its own list a name is the model's, and the alias is what callers get.
        ("gpt-4o-mini", &["together:gpt-4o-mini", "openai:gpt-4o-mini", "local:gpt-4o-mini", "meta:big"]),
        // The longer pattern; also for what was only discovered, and not for a provider's name.
        ("gpt-3.5-turbo-16k", &["openai:gpt-4o"]),
        ("gpt-3.5-turbo", &["openai:gpt-4o"]),
        ("gpt-3.5-now", &["openai:gpt-4o"]),
        ("gpt-30", &["meta:big"]),
        ("together/gpt-3.5-turbo", &["together:gpt-3.5-turbo"]),
        ("openai/o3-pro", &["meta:big"]),
        ("openai/o3-mini", &["openai:o3-mini"]),
    ] {
        assert_eq!(shown(&config, &routes.resolve(model)), expected, "{model}");
    }
    let names =
        ["fast", "gpt-3.5-x", "gpt-30", "together/gpt-3.5-turbo", "openai/o3-pro", "gpt-4o"].map(|m| routes.alias(m));
    assert_eq!(names, [Some("fast"), Some("gpt-3.5*"), Some("gpt-3*"), None, Some("openai/o3-pro"), None]);
    let listed: Vec<_> = routes.listed().iter().filter(|l| l.alias).map(|l| &*l.model).collect();
    assert_eq!(listed, ["fast", "best", "gpt-4o-mini", "openai/o3-pro"]);
    let all: std::collections::BTreeSet<_> = routes.listed().iter().map(|l| &l.model).collect();
    assert_eq!(all.len(), routes.listed().len(), "each name once");
}

#[test]
fn an_alias_of_what_nobody_serves_is_unknown_and_not_listed() {
    let mut config = config(Choice::Priority, vec![provider("one", &["m"], 1)]);
    config.aliases = aliases(&[("lost", &["n"]), ("round", &["trip"]), ("trip", &["round"])]);
    let routes = Routes::build(&config, &[]);
    for model in ["lost", "round"] {
        assert_eq!(shown(&config, &routes.resolve(model)), Vec::<String>::new());
    }
    assert_eq!(routes.listed().len(), 1);
}

#[test]
fn the_models_of_an_alias_are_picked_one_after_the_other() {
    let mut list = candidates(4);
    list.iter_mut().zip([0, 0, 1, 1]).for_each(|(candidate, step)| candidate.step = step);
    for (strategy, turn, expected) in [
        (Choice::Priority, 0, [Some(0), Some(1), Some(2), Some(3), None]),
        (Choice::RoundRobin, 1, [Some(1), Some(0), Some(3), Some(2), None]),
    ] {
        let mut tried = Tried::new();
        let mut next = || pick(strategy, &list, turn, &mut tried, |_| true, |_| None);
        assert_eq!([next(), next(), next(), next(), next()], expected);
    }
    let latency = |p: u32| Some([30, 10, 5, 1][p as usize]);
    let mut tried = Tried::new();
    let mut next = || pick(Choice::LowestLatency, &list, 7, &mut tried, |_| true, latency);
    assert_eq!([next(), next(), next(), next()], [Some(1), Some(0), Some(3), Some(2)]);
}

#[test]
fn the_most_exact_table_tells_what_a_model_cannot_do() {
    let mut config = config(Choice::Priority, vec![provider("one", &[], 1), provider("two", &[], 2)]);
    let model = |name: &str, provider: Option<&str>| Model {
        name: name.into(),
        provider: provider.map(Into::into),
        ..Model::default()
    };
    config.models = vec![
        Model { tools: Some(false), context_tokens: Some(1), ..model("*", None) },
        Model { tools: Some(true), ..model("llama*", Some("two")) },
        Model { context_tokens: Some(3), images: Some(false), ..model("llama-3", None) },
    ];
    let routes = Routes::build(&config, &[]);
    let Resolved::Candidates(list) = routes.resolve("llama-3") else { panic!() };
    let known: Vec<_> = list.iter().map(|c| c.bounds.clone().unwrap()).collect();
    let facts = known.iter().map(|b| (b.tools, b.images, b.context_tokens)).collect::<Vec<_>>();
    assert_eq!(facts, [(Some(false), Some(false), Some(3)), (Some(true), Some(false), Some(3))]);
}

#[test]
fn many_names_under_many_open_providers_stay_right() {
    // More candidates than are kept ready: the last names are merged on demand.
    let mut providers: Vec<_> = (0..600).map(|i| provider(&format!("open{i}"), &[], i)).collect();
    let names: Vec<String> = (0..600).map(|i| format!("m{i}")).collect();
    providers.push(Provider { models: names.clone(), ..provider("lister", &[], -1) });
    let config = config(Choice::Priority, providers);
    let routes = Routes::build(&config, &[]);
    for name in [&names[0], &names[599]] {
        let Resolved::Candidates(list) = routes.resolve(name) else { panic!() };
        assert_eq!((list.len(), list[0].provider), (601, 600));
    }
}

#[test]
fn turns_are_counted_for_each_model() {
    let routes = Routes::build(&Config::default(), &[]);
    assert_eq!((0..3).map(|_| routes.turn("a")).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(routes.turn("b"), 0);
}

fn candidates(n: u32) -> Vec<Candidate> {
    (0..n).map(|provider| Candidate { provider, step: 0, model: "m".into(), priority: 0, bounds: None }).collect()
}

#[test]
fn round_robin_takes_turns_and_goes_on_in_a_circle() {
    let list = candidates(3);
    let mut tried = Tried::new();
    let mut next = || pick(Choice::RoundRobin, &list, 4, &mut tried, |_| true, |_| None);
    assert_eq!([next(), next(), next(), next()], [Some(1), Some(2), Some(0), None]);
}

#[test]
fn lowest_latency_prefers_the_unmeasured_then_the_fastest() {
    let list = candidates(4);
    let latency = |p: u32| [Some(30), Some(10), None, Some(20)][p as usize];
    for turn in 0..50 {
        let mut tried = Tried::new();
        let mut next = || pick(Choice::LowestLatency, &list, turn, &mut tried, |_| true, latency);
        assert_eq!([next(), next(), next(), next(), next()], [Some(2), Some(1), Some(3), Some(0), None]);
    }
}

#[test]
fn lowest_latency_spreads_over_equals_and_asks_few_of_many() {
    let list = candidates(1_000);
    let asked = std::cell::Cell::new(0);
    let first = |turn| {
        asked.set(0);
        let latency = |_| {
            asked.set(asked.get() + 1);
            Some(5)
        };
        let picked = pick(Choice::LowestLatency, &list, turn, &mut Tried::new(), |_| true, latency);
        assert!(asked.get() <= 32, "{}", asked.get());
        picked.unwrap()
    };
    let places: std::collections::BTreeSet<usize> = (0..200).map(first).collect();
    assert!(places.len() > 150, "{}", places.len());
}

#[test]
fn nearest_names() {
    let known = ["port", "bind", "strategy", "max_body_bytes"];
    for (name, near) in [
        ("prot", Some("port")),
        ("Port", Some("port")),
        ("prt", Some("port")),
        ("strat", Some("strategy")),
        ("max_body_byte", Some("max_body_bytes")),
        ("colour", None),
        ("", None),
    ] {
        assert_eq!(nearest(name, known), near, "{name}");
    }
    assert_eq!(nearest(&"x".repeat(1_000_000), known), None);
}

/// `*` is any text.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_at_checked(1) {
        None => name.is_empty(),
        Some(("*", rest)) => (0..=name.len()).any(|at| matches(rest, &name[at..])),
        Some((letter, rest)) => name.strip_prefix(letter).is_some_and(|name| matches(rest, name)),
    }
}

/// What an alias stands for, each model by the rules without aliases, nothing twice.
fn stands_for(config: &Config, discovered: &[Vec<String>], alias: &Alias) -> Vec<String> {
    let bare = Config { aliases: Vec::new(), ..config.clone() };
    let mut all: Vec<String> = Vec::new();
    for model in &alias.models {
        let found = match config.aliases.iter().find(|other| other.name == *model && other.name != alias.name) {
            Some(other) => stands_for(config, discovered, other),
            None => reference(&bare, discovered, model),
        };
        let new: Vec<String> = found.into_iter().filter(|one| !all.contains(one)).collect();
        all.extend(new);
    }
    all
}

/// The rules of the module, one provider after another.
fn reference(config: &Config, discovered: &[Vec<String>], model: &str) -> Vec<String> {
    if let Some(alias) = config.aliases.iter().find(|alias| alias.name == model) {
        return stands_for(config, discovered, alias);
    }
    let strategy = config.server.strategy;
    let found = |p: usize| discovered.get(p).map_or(&[][..], Vec::as_slice);
    let by_config = |p: usize, m: &str| {
        let models = &config.providers[p].models;
        models.is_empty() || models.iter().any(|x| matches(x, m))
    };
    let lists = |p: usize, m: &str| {
        let exact = config.providers[p].models.iter().any(|x| x == m && !x.contains('*'));
        exact || (found(p).iter().any(|d| d == m) && by_config(p, m))
    };
    let serves = |p: usize, m: &str| {
        let only_found = config.providers[p].found && config.providers[p].models.is_empty() && !found(p).is_empty();
        lists(p, m) || (!only_found && by_config(p, m))
    };
    let mut order: Vec<usize> = (0..config.providers.len()).collect();
    order.sort_by_key(|p| config.providers[*p].priority);
    let show = |p: usize, m: &str| format!("{}:{m}", config.providers[p].name);
    let listers: Vec<usize> = order.iter().copied().filter(|p| lists(*p, model)).collect();
    let is_written = config.providers.iter().any(|p| p.models.iter().any(|x| x == model && !x.contains('*')));
    let names_provider =
        model.split_once('/').is_some_and(|(first, _)| config.providers.iter().any(|p| p.name == first));
    let is_model = !listers.is_empty() && (is_written || !names_provider);
    let mut caught: Vec<&Alias> =
        config.aliases.iter().filter(|a| a.name.contains('*') && matches(&a.name, model)).collect();
    caught.sort_by_key(|alias| std::cmp::Reverse(alias.name.len()));
    let caught = caught.first().filter(|_| !is_written && (is_model || !names_provider));
    if strategy == Choice::Direct && is_model && listers.len() == 1 && caught.is_none() {
        return vec![show(listers[0], model)];
    }
    if (strategy == Choice::Direct || !is_model) && caught.is_none() {
        if let Some((name, rest)) = model.split_once('/') {
            if let Some(p) = order.iter().copied().find(|p| config.providers[*p].name == name) {
                return if !rest.is_empty() && serves(p, rest) { vec![show(p, rest)] } else { Vec::new() };
            }
        }
    }
    if let Some(alias) = caught {
        return stands_for(config, discovered, alias);
    }
    if strategy == Choice::Direct {
        return Vec::new();
    }
    order.into_iter().filter(|p| serves(*p, model)).map(|p| show(p, model)).collect()
}

/// Few letters, so that names, prefixes and providers meet.
const NAME: &str = "[ab]{1,2}(/[ab]{1,2})?";

fn any_config() -> impl Strategy<Value = (Config, Vec<Vec<String>>)> {
    let any_name = || prop_oneof![NAME.prop_map(|n| n), "[ab/]{0,2}".prop_map(|n| n + "*")];
    let models = prop::collection::vec(prop_oneof![3 => any_name(), 1 => "[ab]{0,1}[*][ab/]{1,2}[*]?"], 0..4);
    let aliases = prop::collection::vec((any_name(), prop::collection::vec(NAME, 1..3)), 0..3);
    let one = (models, -1i64..2, any::<bool>(), prop::collection::vec(NAME, 0..3));
    let names = Just(vec!["a", "b", "ab", "c", "ba", "bb"]).prop_shuffle();
    (prop::collection::vec(one, 0..6), names, 0usize..4, aliases).prop_map(|(parts, names, strategy, aliases)| {
        let mut discovered = Vec::new();
        let mut providers = Vec::new();
        for ((models, priority, found, reported), name) in parts.into_iter().zip(names) {
            providers.push(Provider { name: name.into(), models, priority, found, ..Provider::default() });
            discovered.push(reported);
        }
        let mut config = config(CHOICES[strategy], providers);
        for (name, models) in aliases {
            // Names are unique, and an alias leads to models and to those before it: no circles.
            let later = |model: &String| name == *model || !model.contains('*');
            if !config.aliases.iter().any(|known| known.name == name || known.models.contains(&name)) {
                config.aliases.push(Alias { models: models.into_iter().filter(later).collect(), name });
            }
        }
        (config, discovered)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn resolve_agrees_with_the_rules((config, discovered) in any_config(), asked in prop::collection::vec("[abc]{0,2}(/[ab]{0,2}){0,2}", 1..12)) {
        let routes = Routes::build(&config, &discovered);
        for model in asked {
            let expected = reference(&config, &discovered, &model);
            prop_assert_eq!(shown(&config, &routes.resolve(&model)), expected.clone(), "{}", &model);
            prop_assert_eq!(shown(&config, &routes.resolve(&model)), expected, "{} again", &model);
        }
    }

    #[test]
    fn what_is_listed_or_suggested_resolves((config, discovered) in any_config(), asked in NAME) {
        let routes = Routes::build(&config, &discovered);
        for listed in routes.listed() {
            let resolved = routes.resolve(&listed.model);
            prop_assert!(matches!(resolved, Resolved::Candidates(_)), "{}", &listed.model);
        }
        if let Resolved::Unknown { nearest: Some(name) } = routes.resolve(&asked) {
            prop_assert!(matches!(routes.resolve(&name), Resolved::Candidates(_)), "{} for {}", name, asked);
        }
    }

    #[test]
    fn picking_takes_each_usable_candidate_once(n in 0u32..200, turn in any::<u64>(), strategy in 0usize..4, every in 1u32..5) {
        let list = candidates(n);
        let mut tried = Tried::new();
        let mut seen = Vec::new();
        let latency = |p: u32| (p % 3 != 0).then(|| u64::from(p * 7 % 11));
        while let Some(i) = pick(CHOICES[strategy], &list, turn, &mut tried, |c| c.provider % every == 0, latency) {
            seen.push(i as u32);
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..n).filter(|p| p % every == 0).collect::<Vec<_>>());
    }
}
