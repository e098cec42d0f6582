//! What a route costs, and that ten thousand cost at most twice what twenty do.
//!
//! `cargo bench -p hoosh-core --bench route`. Times are medians of rounds that alternate between the small and the
//! large table, so that a change of the machine's pace meets both. Names are asked in a shuffled order.

use std::hint::black_box;
use std::time::Instant;

use hoosh_core::config::{Config, Provider};
use hoosh_core::route::{Resolved, Routes, Tried};

const ROUNDS: usize = 201;
const CALLS: usize = 10_000;

fn config(providers: usize, models: impl Fn(usize) -> Vec<String>) -> Config {
    let provider = |i| Provider { name: format!("p{i}"), models: models(i), priority: 10, ..Provider::default() };
    Config { providers: (0..providers).map(provider).collect(), ..Config::default() }
}

fn shuffled(names: Vec<String>) -> Vec<String> {
    let mut state = 1u64;
    (0..CALLS)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            names[(state >> 33) as usize % names.len()].clone()
        })
        .collect()
}

/// Nanoseconds of one resolve and pick.
fn round(routes: &Routes, asked: &[String]) -> f64 {
    let start = Instant::now();
    for (turn, name) in asked.iter().enumerate() {
        let Resolved::Candidates(candidates) = routes.resolve(black_box(name)) else { panic!("{name} is unknown") };
        let picked = routes.pick(&candidates, turn as u64, &mut Tried::new(), |_| true, |_| None);
        black_box((&candidates[picked.unwrap_or(0)], candidates.len()));
    }
    start.elapsed().as_nanos() as f64 / asked.len() as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn compare(what: &str, table: impl Fn(usize) -> (Config, Vec<String>)) {
    let build = |n| {
        let (config, names) = table(n);
        (Routes::build(&config, &[]), shuffled(names))
    };
    let ((small, few), (large, many)) = (build(20), build(10_000));
    round(&small, &few);
    round(&large, &many);
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        a.push(round(&small, &few));
        b.push(round(&large, &many));
    }
    let (a, b) = (median(a), median(b));
    println!("{what:<44} 20: {a:>6.1} ns   10,000: {b:>6.1} ns   ratio {:.2}", b / a);
}

fn main() {
    compare("exact name, one provider each", |n| {
        let name = |i: usize| format!("vendor-model-{i}");
        (config(n, |i| vec![name(i)]), (0..n).map(name).collect())
    });
    compare("exact name, every provider serves 3 of n", |n| {
        let name = move |i: usize| format!("vendor-model-{}", i % n);
        (config(n, move |i| vec![name(i), name(i + 1), name(i + 2)]), (0..n).map(name).collect())
    });
    compare("provider/model, all in use", |n| {
        (config(n, |_| vec![]), (0..n).map(|i| format!("p{i}/some-model")).collect())
    });
    compare("provider/model, listed", |n| {
        let name = |i: usize| format!("vendor-model-{i}");
        (config(n, |i| vec![name(i)]), (0..n).map(|i| format!("p{i}/{}", name(i))).collect())
    });
    compare("prefix, all in use", |n| {
        let name = |i: usize| format!("family-{i}-large");
        (config(n, |i| vec![format!("family-{i}-*")]), (0..n).map(name).collect())
    });
    compare("one model that every provider serves", |n| (config(n, |_| vec!["same".into()]), vec!["same".into()]));

    // Not part of the bound, for information.
    let (all, names) = (config(10_000, |i| vec![format!("vendor-model-{i}")]), vec!["vendor-modle-5000x".to_owned()]);
    let routes = Routes::build(&all, &[]);
    let start = Instant::now();
    (0..100).for_each(|_| drop(black_box(routes.resolve(&names[0]))));
    println!("unknown name among 10,000, with suggestion: {:.0} µs", start.elapsed().as_micros() as f64 / 100.0);
    let start = Instant::now();
    black_box(Routes::build(&all, &[]));
    println!("build of 10,000: {:.1} ms", start.elapsed().as_micros() as f64 / 1e3);
}
