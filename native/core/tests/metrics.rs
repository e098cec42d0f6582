//! What is recorded is what is rendered, and what is rendered is valid.

use std::collections::{HashMap, HashSet};

use hoosh_core::dialects::neutral::Endpoint;
use hoosh_core::error::Code;
use hoosh_core::ledger::{Ending, Usage, UsageSource};
use hoosh_core::metrics::{CacheResult, Finished, Gauge, Limit, Metrics, Outcome, Served, Slot, MAX_PROVIDERS};
use proptest::prelude::*;

fn finished<'a>(provider: Slot, attempts: &'a [(Slot, Outcome)]) -> Finished<'a> {
    Finished {
        is_part: false,
        served: Served::Inference(Endpoint::Chat),
        status: 200,
        ending: Ending::Completed,
        error: None,
        attempts,
        retries: 0,
        provider,
        usage: Usage {
            input_tokens: 10,
            output_tokens: 20,
            cached_tokens: 4,
            source: UsageSource::Reported,
            ..Usage::default()
        },
        cost_nano_usd: Some(5),
        cache: Some(CacheResult::Miss),
        limited: None,
        losses: [false; 5],
        duration_us: 1_250_000,
        first_content_us: Some(2_500),
        overhead_us: 300,
    }
}

/// The exposition as (series → value), after checking what promtool checks: names, escapes, one HELP and TYPE before
/// the samples of each family, families in one piece, no series twice, counters ending in `_total`, histograms whole.
fn read(page: &str) -> HashMap<String, f64> {
    assert!(page.ends_with('\n'));
    let (mut series, mut kinds) = (HashMap::new(), HashMap::new());
    let (mut closed, mut helped, mut family) = (HashSet::new(), HashSet::new(), String::new());
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("HELP has a text");
            assert!(helped.insert(name.to_owned()) && !help.is_empty(), "{line}");
            assert!(closed.insert(std::mem::replace(&mut family, name.to_owned())), "family in pieces: {line}");
            assert!(!closed.contains(name), "family in pieces: {line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("TYPE has a kind");
            assert_eq!(name, family, "TYPE follows HELP");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
        } else {
            let (id, value) = line.rsplit_once(' ').expect("a sample has a value");
            let name = check_series(id);
            let kind = kinds.get(&family).map(String::as_str);
            let base = match kind {
                Some("histogram") => name.rsplit_once('_').expect("a suffix").0,
                _ => name,
            };
            assert_eq!(base, family, "sample outside its family: {line}");
            let value = value.parse::<f64>().expect("a number");
            assert!(value >= 0.0 && series.insert(id.to_owned(), value).is_none(), "{line}");
        }
    }
    check_histograms(page, &series, &kinds);
    series
}

/// Checks a series' name and labels, and returns the name.
fn check_series(id: &str) -> &str {
    let (name, labels) = match id.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').expect("closing brace")),
        None => (id, ""),
    };
    let word = |text: &str| {
        !text.is_empty()
            && !text.starts_with(|first: char| first.is_ascii_digit())
            && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
    };
    assert!(word(name), "{id}");
    let mut rest = labels;
    let mut seen = HashSet::new();
    while !rest.is_empty() {
        let (label, after) = rest.split_once("=\"").expect("label=\"");
        assert!(word(label) && !label.starts_with("__") && seen.insert(label), "{id}");
        let mut escaped = false;
        let end = after.char_indices().find(|(_, character)| {
            let ends = *character == '"' && !escaped;
            assert!(!escaped || ['\\', '"', 'n'].contains(character), "bad escape: {id}");
            escaped = *character == '\\' && !escaped;
            ends
        });
        rest = &after[end.expect("closing quote").0 + 1..];
        if let Some(next) = rest.strip_prefix(',') {
            assert!(!next.is_empty(), "{id}");
            rest = next;
        } else {
            assert!(rest.is_empty(), "{id}");
        }
    }
    name
}

fn check_histograms(page: &str, series: &HashMap<String, f64>, kinds: &HashMap<String, String>) {
    for (name, _) in kinds.iter().filter(|(_, kind)| *kind == "histogram") {
        for endpoint in Served::ALL {
            let start = format!("{name}_bucket{{endpoint=\"{}\",le=\"", endpoint.as_str());
            let buckets: Vec<(f64, f64)> = page
                .lines()
                .filter_map(|line| line.strip_prefix(&start))
                .map(|rest| rest.split_once("\"} ").expect("bucket"))
                .map(|(bound, count)| (bound.parse().expect("bound"), count.parse().expect("count")))
                .collect();
            assert!(buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1), "{name}");
            let (bound, count) = *buckets.last().expect("buckets");
            let of = |suffix: &str| series[&format!("{name}_{suffix}{{endpoint=\"{}\"}}", endpoint.as_str())];
            assert!(bound.is_infinite() && count == of("count"), "{name}");
            assert!(of("sum") >= 0.0);
        }
    }
}

#[test]
fn an_empty_page_is_valid_and_shows_what_can_be_counted() {
    let series = read(&Metrics::new(1).render(&[]));
    assert_eq!(series["hoosh_retries_total"], 0.0);
    for code in Code::ALL {
        assert_eq!(series[&format!("hoosh_errors_total{{code=\"{}\"}}", code.as_str())], 0.0);
    }
    for (name, label, words) in [
        ("hoosh_cache_total", "result", vec!["hit", "miss", "bypass", "shared"]),
        ("hoosh_limited_total", "limit", Limit::ALL.iter().map(|limit| limit.as_str()).collect()),
    ] {
        words.iter().for_each(|word| assert_eq!(series[&format!("{name}{{{label}=\"{word}\"}}")], 0.0));
    }
}

#[test]
fn one_exchange_is_counted_everywhere_it_belongs() {
    let metrics = Metrics::new(2);
    let slots = metrics.providers(&["openai", "local"]);
    let attempts = [(slots[0], Outcome::Throttled), (slots[1], Outcome::Completed)];
    metrics.lane(0).record(&Finished { retries: 1, ..finished(slots[1], &attempts) });
    metrics.lane(1).record(&Finished {
        served: Served::Models,
        status: 429,
        ending: Ending::Refused,
        error: Some(Code::RateLimited),
        limited: Some(Limit::KeyRate),
        usage: Usage::default(),
        cache: None,
        first_content_us: None,
        duration_us: 1_000,
        ..finished(Slot::OTHER, &[])
    });
    metrics.lane(7).attempt(slots[0], Outcome::Unreachable);
    let series = read(&metrics.render(&[]));
    for (id, value) in [
        ("hoosh_requests_total{endpoint=\"chat\",status_class=\"2xx\",ending=\"completed\"}", 1.0),
        ("hoosh_requests_total{endpoint=\"models\",status_class=\"4xx\",ending=\"refused\"}", 1.0),
        ("hoosh_errors_total{code=\"rate_limit_exceeded\"}", 1.0),
        ("hoosh_retries_total", 1.0),
        ("hoosh_cache_total{result=\"miss\"}", 1.0),
        ("hoosh_limited_total{limit=\"key_rate\"}", 1.0),
        ("hoosh_upstream_attempts_total{provider=\"openai\",outcome=\"throttled\"}", 1.0),
        ("hoosh_upstream_attempts_total{provider=\"openai\",outcome=\"unreachable\"}", 1.0),
        ("hoosh_upstream_attempts_total{provider=\"local\",outcome=\"completed\"}", 1.0),
        ("hoosh_tokens_total{provider=\"local\",direction=\"input\"}", 10.0),
        ("hoosh_tokens_total{provider=\"local\",direction=\"output\"}", 20.0),
        ("hoosh_tokens_total{provider=\"local\",direction=\"cached\"}", 4.0),
        ("hoosh_tokens_total{provider=\"openai\",direction=\"input\"}", 0.0),
        ("hoosh_request_duration_seconds_bucket{endpoint=\"chat\",le=\"1\"}", 0.0),
        ("hoosh_request_duration_seconds_bucket{endpoint=\"chat\",le=\"2.5\"}", 1.0),
        ("hoosh_request_duration_seconds_sum{endpoint=\"chat\"}", 1.25),
        ("hoosh_request_duration_seconds_bucket{endpoint=\"models\",le=\"0.001\"}", 1.0),
        ("hoosh_first_content_seconds_bucket{endpoint=\"chat\",le=\"0.0025\"}", 1.0),
        ("hoosh_first_content_seconds_count{endpoint=\"models\"}", 0.0),
    ] {
        assert_eq!(series.get(id), Some(&value), "{id}");
    }
}

#[test]
fn a_reload_keeps_the_counts_of_those_that_stay() {
    let metrics = Metrics::new(1);
    let before = metrics.providers(&["a", "b"]);
    metrics.lane(0).record(&finished(before[1], &[(before[1], Outcome::Completed)]));
    let after = metrics.providers(&["c", "b"]);
    assert_eq!(after[1], before[1]);
    assert!(after[0] != before[0], "a free slot is taken before one that is still shown");
    metrics.lane(0).record(&finished(after[1], &[(after[1], Outcome::Completed)]));
    let series = read(&metrics.render(&[]));
    assert_eq!(series["hoosh_upstream_attempts_total{provider=\"b\",outcome=\"completed\"}"], 2.0);
    assert_eq!(metrics.providers(&["a"]), vec![before[0]], "who comes back has their slot again");
}

#[test]
fn providers_are_bounded_and_the_rest_is_other() {
    let metrics = Metrics::new(1);
    let names: Vec<String> = (0..MAX_PROVIDERS + 10).map(|number| format!("p{number}")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let slots = metrics.providers(&all);
    assert!(slots[MAX_PROVIDERS..].iter().all(|slot| *slot == Slot::OTHER));
    assert_eq!(slots[..MAX_PROVIDERS].iter().collect::<HashSet<_>>().len(), MAX_PROVIDERS);
    slots.iter().for_each(|slot| metrics.lane(0).record(&finished(*slot, &[])));
    assert_eq!(read(&metrics.render(&[]))["hoosh_tokens_total{provider=\"other\",direction=\"input\"}"], 100.0);
    // Now "p0" goes, and a newcomer gets its slot, empty.
    let mut changed = vec!["newcomer"];
    changed.extend(&all[1..MAX_PROVIDERS]);
    let reloaded = metrics.providers(&changed);
    assert_eq!((reloaded[0], &reloaded[1..]), (slots[0], &slots[1..MAX_PROVIDERS]));
    let series = read(&metrics.render(&[]));
    assert_eq!(series["hoosh_tokens_total{provider=\"newcomer\",direction=\"input\"}"], 0.0);
    assert_eq!(series["hoosh_tokens_total{provider=\"p1\",direction=\"input\"}"], 10.0);
    assert!(!series.contains_key("hoosh_tokens_total{provider=\"p0\",direction=\"input\"}"));
}

#[test]
fn a_slot_of_nowhere_and_a_provider_named_other_count_as_other() {
    let (large, small) = (Metrics::new(1), Metrics::new(1));
    let foreign = large.providers(&["a", "b", "c"])[2];
    assert_eq!(small.providers(&["other"]), vec![Slot::OTHER]);
    small.lane(0).record(&finished(foreign, &[(foreign, Outcome::Error)]));
    let series = read(&small.render(&[]));
    assert_eq!(series["hoosh_upstream_attempts_total{provider=\"other\",outcome=\"error\"}"], 1.0);
}

#[test]
fn absurd_numbers_stay_numbers() {
    let metrics = Metrics::new(1);
    let usage = Usage { input_tokens: u64::MAX, output_tokens: u64::MAX, ..Usage::default() };
    for _ in 0..2 {
        metrics.lane(0).record(&Finished { usage, duration_us: u64::MAX, status: 0, ..finished(Slot::OTHER, &[]) });
    }
    let series = read(&metrics.render(&[]));
    assert_eq!(series["hoosh_requests_total{endpoint=\"chat\",status_class=\"other\",ending=\"completed\"}"], 2.0);
    assert!(series["hoosh_tokens_total{provider=\"other\",direction=\"input\"}"] > 1e19);
}

#[test]
fn gauges_of_a_family_are_brought_together() {
    let gauge = |name, pool, value| Gauge { name, help: "Tokens.", labels: vec![("pool", pool)], value };
    let plain = Gauge { name: "hoosh_open_exchanges", help: "Now.", labels: vec![], value: 3 };
    let gauges = [gauge("hoosh_pool_used", "x", 1), plain, gauge("hoosh_pool_used", "y\"\\\n", 2)];
    let series = read(&Metrics::new(1).render(&gauges));
    assert_eq!(series["hoosh_pool_used{pool=\"x\"}"], 1.0);
    assert_eq!(series["hoosh_pool_used{pool=\"y\\\"\\\\\\n\"}"], 2.0);
    assert_eq!(series["hoosh_open_exchanges"], 3.0);
}

#[test]
fn threads_on_one_lane_lose_nothing() {
    let metrics = Metrics::new(1);
    std::thread::scope(|scope| {
        for index in 0..4 {
            let metrics = &metrics;
            scope.spawn(move || {
                (0..10_000).for_each(|_| metrics.lane(index).record(&finished(Slot::OTHER, &[])));
            });
        }
    });
    assert_eq!(read(&metrics.render(&[]))["hoosh_request_duration_seconds_count{endpoint=\"chat\"}"], 40_000.0);
}

#[test]
fn a_slice_counts_for_its_upstream_only() {
    let metrics = Metrics::new(1);
    let slot = metrics.providers(&["one"])[0];
    let attempts = [(slot, Outcome::Error), (slot, Outcome::Completed)];
    let whole = finished(Slot::OTHER, &[]);
    let part = Finished { is_part: true, retries: 1, ..finished(slot, &attempts) };
    metrics.lane(0).record(&Finished { usage: Usage::default(), ..whole });
    let before = read(&metrics.render(&[]));
    metrics.lane(0).record(&part);
    let mut changed: Vec<String> = Vec::new();
    for (series, value) in read(&metrics.render(&[])) {
        if before.get(&series) != Some(&value) {
            changed.push(series);
        }
    }
    changed.sort();
    let families: Vec<&str> = changed.iter().filter_map(|series| series.split('{').next()).collect();
    let (attempts, tokens) = ("hoosh_upstream_attempts_total", "hoosh_tokens_total");
    assert_eq!(
        families,
        ["hoosh_cost_nano_usd_total", "hoosh_retries_total", tokens, tokens, tokens, attempts, attempts]
    );
}

proptest! {
    /// Any names and any exchanges: the page is valid, and its parts agree with each other.
    #[test]
    fn any_page_is_valid_and_consistent(
        names in prop::collection::vec(any::<String>(), 0..6),
        exchanges in prop::collection::vec((0usize..8, 0usize..5, any::<u16>(), 0u64..1 << 40, 0usize..10), 0..60),
    ) {
        let metrics = Metrics::new(3);
        let present: Vec<&str> = names.iter().map(String::as_str).collect();
        let slots = metrics.providers(&present);
        for (provider, served, status, duration_us, outcome) in &exchanges {
            let slot = slots.get(*provider).copied().unwrap_or(Slot::OTHER);
            metrics.lane(*provider).record(&Finished {
                served: Served::ALL[*served],
                status: *status,
                duration_us: *duration_us,
                ..finished(slot, &[(slot, Outcome::ALL[*outcome])])
            });
        }
        let series = read(&metrics.render(&[]));
        let sum = |start: &str| series.iter().filter(|(id, _)| id.starts_with(start)).map(|(_, value)| value).sum::<f64>();
        prop_assert_eq!(sum("hoosh_requests_total{"), exchanges.len() as f64);
        prop_assert_eq!(sum("hoosh_request_duration_seconds_count"), exchanges.len() as f64);
        prop_assert_eq!(sum("hoosh_upstream_attempts_total{"), exchanges.len() as f64);
        prop_assert_eq!(sum("hoosh_tokens_total{"), 34.0 * exchanges.len() as f64);
    }
}

/// `cargo test --release -- --ignored --nocapture cost`
#[test]
#[ignore = "prints figures"]
fn cost() {
    use std::sync::atomic::{AtomicU64, Ordering};
    let metrics = Metrics::new(4);
    let slot = metrics.providers(&["openai"])[0];
    let attempts = [(slot, Outcome::Completed)];
    let rounds = 10_000_000u64;
    let begun = std::time::Instant::now();
    for now in 0..rounds {
        metrics.lane(1).record(std::hint::black_box(&Finished { duration_us: now, ..finished(slot, &attempts) }));
    }
    println!("metrics record: {:.1} ns", begun.elapsed().as_nanos() as f64 / rounds as f64);
    // The alternative: an atomic each for the ten numbers that this exchange moves.
    let atomics: [AtomicU64; 10] = Default::default();
    let begun = std::time::Instant::now();
    for now in 0..rounds {
        atomics.iter().for_each(|atomic| _ = atomic.fetch_add(std::hint::black_box(now), Ordering::Relaxed));
    }
    println!("  ten atomic additions: {:.1} ns", begun.elapsed().as_nanos() as f64 / rounds as f64);
    let begun = std::time::Instant::now();
    let pages = (0..1_000).map(|_| std::hint::black_box(metrics.render(&[])).len()).sum::<usize>() / 1_000;
    println!("metrics render: {:.1} µs for {pages} bytes", begun.elapsed().as_nanos() as f64 / 1e6);
}
