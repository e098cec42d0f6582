//! The cache stays within both bounds, never answers past its time, and does the same again for the same seed.

use std::collections::HashMap;

use bytes::Bytes;
use hoosh_core::cache::{Cache, CacheStats, Entry};
use hoosh_core::rng::Rng;
use proptest::prelude::*;

/// Spread as a real key is, and different for different numbers.
fn key(number: u64) -> [u8; 32] {
    let mut rng = Rng::new(number);
    let mut key = [0; 32];
    key.chunks_mut(8).for_each(|part| part.copy_from_slice(&rng.next_u64().to_le_bytes()));
    key
}

fn entry(bytes: usize, stored_us: u64) -> Entry {
    Entry {
        status: 200,
        body: Bytes::from(vec![b'x'; bytes]),
        stream: false,
        stored_us,
        expires_us: u64::MAX,
        ..Entry::default()
    }
}

#[test]
fn what_was_put_is_given_until_its_time() {
    let cache = Cache::new(100, 1 << 20, 50, 1);
    assert!(cache.put(key(1), entry(10, 1_000)));
    assert_eq!(cache.get(&key(1), 1_049).unwrap().expires_us, 1_050);
    assert!(cache.get(&key(2), 1_049).is_none());
    assert!(cache.get(&key(1), 1_050).is_none(), "its time is over");
    assert!(cache.get(&key(1), 1_000).is_none(), "and it is gone");
    assert_eq!(cache.stats(), CacheStats { entries: 0, bytes: 0, hits: 1, misses: 3, evictions: 0, expired: 1 });
}

#[test]
fn an_entry_may_ask_for_less_time_but_not_for_more() {
    let cache = Cache::new(100, 1 << 20, 50, 1);
    cache.put(key(1), Entry { expires_us: 1_010, ..entry(1, 1_000) });
    cache.put(key(2), Entry { expires_us: 9_999, ..entry(1, 1_000) });
    assert!(cache.get(&key(1), 1_010).is_none());
    assert!(cache.get(&key(2), 1_049).is_some());
    assert!(cache.get(&key(2), 1_050).is_none());
    assert!(!cache.put(key(3), Entry { expires_us: 1_000, ..entry(1, 1_000) }), "over before it began");
}

#[test]
fn no_entry_takes_more_than_an_eighth() {
    let cache = Cache::new(1_000, 80_000, u64::MAX, 1);
    let overhead = entry(0, 0).weight() as usize;
    assert!(cache.put(key(1), entry(10_000 - overhead, 0)));
    assert!(!cache.put(key(2), entry(10_001 - overhead, 0)));
    assert!(!cache.put(key(1), entry(10_001 - overhead, 0)));
    assert_eq!(cache.get(&key(1), 0).unwrap().body.len(), 10_000 - overhead, "the old one stays");
    for cache in [Cache::new(0, 80_000, 10, 1), Cache::new(10, 0, 10, 1), Cache::new(10, 80_000, 0, 1)] {
        assert!(!cache.put(key(1), entry(1, 0)));
    }
}

#[test]
fn a_key_has_one_answer_the_last() {
    let cache = Cache::new(100, 1 << 20, 50, 1);
    cache.put(key(1), entry(10, 0));
    cache.put(key(1), entry(20, 1));
    assert_eq!(cache.get(&key(1), 2).unwrap().body.len(), 20);
    assert_eq!((cache.stats().entries, cache.stats().bytes), (1, entry(20, 0).weight()));
}

#[test]
fn clear_forgets_all_and_goes_on() {
    let cache = Cache::new(1_000, 1 << 20, 50, 1);
    (0..100).for_each(|number| assert!(cache.put(key(number), entry(10, 0))));
    assert_eq!(cache.stats().entries, 100);
    cache.clear();
    assert_eq!((cache.stats().entries, cache.stats().bytes), (0, 0));
    assert!(cache.get(&key(1), 1).is_none());
    assert!(cache.put(key(1), entry(10, 0)) && cache.get(&key(1), 1).is_some());
}

#[test]
fn one_round_of_strangers_does_not_push_out_the_popular() {
    let cache = Cache::new(100, 1 << 20, u64::MAX, 1);
    (0..100).for_each(|number| assert!(cache.put(key(number), entry(1, 0))));
    (0..20).for_each(|number| assert!(cache.get(&key(number), 1).is_some()));
    (1_000..1_080).for_each(|number| assert!(cache.put(key(number), entry(1, 0))));
    assert!((0..20).all(|number| cache.get(&key(number), 1).is_some()));
    assert_eq!((cache.stats().entries, cache.stats().evictions), (100, 80));
}

#[test]
fn threads_share_it_within_its_bounds() {
    let cache = Cache::new(512, 400_000, 1_000, 7);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let cache = &cache;
            scope.spawn(move || {
                let mut rng = Rng::new(thread);
                for now in 0..20_000u64 {
                    let number = rng.below(2_000);
                    match cache.get(&key(number), now) {
                        Some(found) => assert!(found.expires_us > now),
                        None => _ = cache.put(key(number), entry(rng.below(2_000) as usize, now)),
                    }
                }
            });
        }
    });
    let stats = cache.stats();
    assert!(stats.entries <= 512 && stats.bytes <= 400_000, "{stats:?}");
    assert_eq!(stats.hits + stats.misses, 80_000);
}

#[derive(Clone, Debug)]
enum Op {
    Get(u64),
    Put(u64, usize, u64),
    Later(u64),
    Clear,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0u64..60).prop_map(Op::Get),
        8 => (0u64..60, 0usize..1_500, 1u64..200).prop_map(|(number, bytes, lives)| Op::Put(number, bytes, lives)),
        2 => (0u64..80).prop_map(Op::Later),
        1 => prop::bool::weighted(0.1).prop_map(|clear| if clear { Op::Clear } else { Op::Later(0) }),
    ]
}

/// Plays `ops`, checks every answer against what was put last, and returns all that could be seen.
fn play(ops: &[Op], max_entries: usize, max_bytes: u64, seed: u64) -> Result<Vec<Option<usize>>, TestCaseError> {
    let cache = Cache::new(max_entries, max_bytes, 100, seed);
    let mut last: HashMap<u64, (usize, u64)> = HashMap::new();
    let (mut seen, mut now) = (Vec::new(), 0);
    for op in ops {
        match *op {
            Op::Later(by) => now += by,
            Op::Clear => {
                cache.clear();
                last.clear();
            }
            Op::Get(number) => {
                let found = cache.get(&key(number), now).map(|entry| entry.body.len());
                if let Some(bytes) = found {
                    let expected = last.get(&number).filter(|(_, expires)| *expires > now).map(|(bytes, _)| *bytes);
                    prop_assert_eq!(Some(bytes), expected);
                }
                seen.push(found);
            }
            Op::Put(number, bytes, lives) => {
                let entry = Entry { expires_us: now + lives, ..entry(bytes, now) };
                let fits = max_entries > 0 && entry.weight() <= max_bytes / 8;
                prop_assert_eq!(cache.put(key(number), entry), fits);
                if fits {
                    last.insert(number, (bytes, now + lives.min(100)));
                    prop_assert!(cache.get(&key(number), now).is_some(), "what was just put is there");
                }
            }
        }
        let stats = cache.stats();
        prop_assert!(stats.entries <= max_entries as u64 && stats.bytes <= max_bytes, "{:?}", stats);
        prop_assert!((stats.entries == 0) == (stats.bytes == 0));
    }
    Ok(seen)
}

proptest! {
    #[test]
    fn it_is_bounded_right_and_repeatable(
        ops in prop::collection::vec(op(), 0..300),
        max_entries in prop_oneof![0usize..40, 128usize..600],
        max_bytes in 0u64..40_000,
        seed: u64,
    ) {
        let first = play(&ops, max_entries, max_bytes, seed)?;
        prop_assert_eq!(first, play(&ops, max_entries, max_bytes, seed)?);
    }
}

/// `cargo test --release -- --ignored --nocapture cost`
#[test]
#[ignore = "prints figures"]
fn cost() {
    let cache = Cache::new(10_000, 64 << 20, u64::MAX, 1);
    let keys: Vec<_> = (0..8_192).map(key).collect();
    keys.iter().for_each(|key| assert!(cache.put(*key, entry(300, 0))));
    let rounds = 10_000_000u64;
    let time = |name: &str, keys: &[[u8; 32]]| {
        let begun = std::time::Instant::now();
        for now in 0..rounds {
            std::hint::black_box(cache.get(&keys[now as usize % keys.len()], now));
        }
        println!("cache get, {name}: {:.1} ns", begun.elapsed().as_nanos() as f64 / rounds as f64);
    };
    time("64 keys in turn", &keys[..64]);
    time("8,192 keys in turn", &keys);
    time("missed", &[key(1 << 40)]);
    let entries: Vec<_> = (0..100_000u64).map(|number| (key(1 << 32 | number), entry(300, 0))).collect();
    let begun = std::time::Instant::now();
    entries.into_iter().for_each(|(key, entry)| _ = cache.put(key, entry));
    println!("cache put, evicting: {:.1} ns", begun.elapsed().as_nanos() as f64 / 100_000.0);
}
