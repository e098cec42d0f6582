//! Ten of everything against very many: keys, budgets, models, routes, cache entries.

use std::hint::black_box;

use hoosh_core::config;

use super::{cpu_seconds, many, turn, World, BATCH};

const MANY: usize = 100_000;
const ENTRIES: usize = 1_000_000;
const ROUNDS: usize = 41;

/// Prints the figures of both, in turns. `entries`: cached answers of the large one, a million if not said.
pub fn compare(entries: Option<usize>) {
    let (mut few, mut very_many) = (prepare(10, 10), prepare(MANY, entries.unwrap_or(ENTRIES)));
    let (mut chats, mut passes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        chats.push([batch(&mut few), batch(&mut very_many)]);
        passes.push([pass(&mut few), pass(&mut very_many)]);
    }
    print("one chat", chats);
    print("one pass of the loop, after one chat", passes);
}

/// A gateway with so many of everything that has so many answers in its cache; says what making it took.
fn prepare(count: usize, entries: usize) -> World {
    let text = many::config(count);
    let start = cpu_seconds();
    let config = config::parse(&text, &|_: &str| None).expect("a good configuration");
    let parsed = cpu_seconds();
    let again = config.clone();
    let cloned = cpu_seconds();
    let mut world = World::of(config);
    let built = cpu_seconds();
    world.run_loop();
    let leased = cpu_seconds();
    world.gateway.reload(again, world.now);
    let reloaded = cpu_seconds();
    world.run_loop();
    let looked = cpu_seconds();
    black_box(world.gateway.render_metrics());
    println!(
        "{count:>7} of each: parse {:.3} s, build {:.3} s, first passes of the loop {:.3} s, reload {:.3} s, passes after it {:.3} s, metrics {:.3} s",
        parsed - start,
        built - cloned,
        leased - built,
        reloaded - leased,
        looked - reloaded,
        cpu_seconds() - looked,
    );
    world.many = count;
    for _ in 0..entries.div_ceil(BATCH) {
        batch(&mut world);
    }
    world
}

/// CPU seconds of one of a batch of chats, without the loop's share.
fn batch(world: &mut World) -> f64 {
    let bodies = world.bodies(false, BATCH);
    let keys: Vec<String> = (0..BATCH as u64)
        .map(|n| format!("Bearer {}", many::key(turn(world.asked.wrapping_sub(n) ^ 0x5555, world.many))))
        .collect();
    let start = cpu_seconds();
    for (body, key) in bodies.into_iter().zip(&keys) {
        let exchange = world.begin_with(key, body);
        assert!(world.drive(exchange));
    }
    let spent = cpu_seconds() - start;
    world.run_loop();
    spent / BATCH as f64
}

/// CPU seconds of the loop for the rows of one chat.
fn pass(world: &mut World) -> f64 {
    let body = world.bodies(false, 1).remove(0);
    let exchange = world.begin_with(&format!("Bearer {}", many::key(turn(world.asked, world.many))), body);
    assert!(world.drive(exchange));
    let start = cpu_seconds();
    world.run_loop();
    cpu_seconds() - start
}

fn print(what: &str, times: Vec<[f64; 2]>) {
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let few = median(times.iter().map(|both| both[0]).collect()) * 1e6;
    let very_many = median(times.iter().map(|both| both[1]).collect()) * 1e6;
    let ratio = median(times.iter().map(|both| both[1] / both[0]).collect());
    println!("{what:<40} ten: {few:>8.2} µs   very many: {very_many:>8.2} µs   ratio {ratio:.2}");
}
