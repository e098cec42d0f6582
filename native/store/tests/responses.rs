//! What a store keeps of responses: for whom, how long, how much, and what a crash and a full disk do to it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use hoosh_core::history::{ResponseKey, Turn};
use hoosh_core::homes::{Home, Known};
use hoosh_core::store::{Bounds, Change, Op, Outcome, Recalled, Shelf, Store};
use hoosh_store::{inspect, Settings, SqliteStore};

/// A folder that goes when its test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hoosh-responses-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn store(&self) -> PathBuf {
        self.0.join("hoosh.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// After every clock of this test, and before the system's: the store prunes by the time that it is told.
const LONG: i64 = i64::MAX;
const WIDE: Bounds = Bounds { now_us: 100, turn_bytes: 1 << 30, homes: 100 };
const NOTHING: Recalled = Recalled { turn: None, home: Known::Nobody };

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Settings::default()).unwrap()
}

fn key(tenant: &str, id: u64) -> ResponseKey {
    ResponseKey::of(tenant, &format!("resp_{id}"))
}

fn turn(words: &str, until_us: i64) -> Turn {
    let bytes = |part: &str| Bytes::from(format!("{part} {words}"));
    Turn { items: bytes("items"), input: bytes("input"), response: bytes("response"), until_us }
}

fn home(provider: &str, owed: bool) -> Home {
    Home { provider: provider.into(), credential: 3, asked: "asked".into(), model: "model".into(), owed }
}

fn remember(store: &mut SqliteStore, changes: Vec<Change>, bounds: Bounds) {
    assert_eq!(store.perform(Op::Remember { changes, bounds }), Outcome::Stored);
}

fn recall(store: &mut SqliteStore, key: ResponseKey, now_us: i64) -> Recalled {
    match store.perform(Op::Recall { key, now_us }) {
        Outcome::Recalled(recalled) => recalled,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_turn_and_a_home_are_there_after_a_restart_for_their_tenant_alone() {
    let folder = Folder::new();
    let mut store = open(&folder.store());
    let changes = vec![
        Change::KeepTurn(key("a", 1), turn("one", LONG)),
        Change::KeepHome(key("a", 2), home("p", true)),
        Change::KeepHome(key("b", 3), home("q", false)),
        Change::KeepHome(key("a", 3), home("r", true)),
    ];
    remember(&mut store, changes, WIDE);
    // No orderly end.
    drop(store);
    let mut store = open(&folder.store());
    let kept = Recalled { turn: Some(turn("one", LONG)), home: Known::Nobody };
    assert_eq!(recall(&mut store, key("a", 1), 100), kept);
    assert_eq!(recall(&mut store, key("b", 1), 100), NOTHING);
    assert_eq!(recall(&mut store, key("a", 2), 100).home, Known::Own(home("p", true)));
    assert_eq!(recall(&mut store, key("b", 2), 100).home, Known::Others);
    assert_eq!(recall(&mut store, key("b", 3), 100).home, Known::Own(home("q", false)));
    assert_eq!(recall(&mut store, key("a", 3), 100).home, Known::Own(home("r", true)), "the same id is two responses");
    remember(&mut store, vec![Change::ForgetTurn(key("a", 1)), Change::ForgetHome(key("a", 2))], WIDE);
    assert_eq!(recall(&mut store, key("a", 1), 100), NOTHING);
    assert_eq!(recall(&mut store, key("a", 2), 100), NOTHING);
}

#[test]
fn a_turn_is_thrown_away_once_its_time_is_over() {
    let folder = Folder::new();
    let mut store = open(&folder.store());
    let changes =
        vec![Change::KeepTurn(key("a", 1), turn("old", 200)), Change::KeepTurn(key("a", 2), turn("new", LONG))];
    remember(&mut store, changes, WIDE);
    assert!(recall(&mut store, key("a", 1), 199).turn.is_some());
    assert_eq!(recall(&mut store, key("a", 1), 200), NOTHING, "though it is in the file still");
    assert_eq!(inspect(&folder.store(), true).unwrap().turns, 2);
    remember(&mut store, Vec::new(), Bounds { now_us: 200, ..WIDE });
    assert_eq!(inspect(&folder.store(), true).unwrap().turns, 1);
    remember(&mut store, vec![Change::KeepTurn(key("a", 3), turn("old", 300))], Bounds { now_us: 250, ..WIDE });
    assert!(!store.prune().unwrap(), "by the system's clock: nobody kept anything new for long");
    assert_eq!(inspect(&folder.store(), true).unwrap().turns, 1);
}

#[test]
fn the_oldest_go_first_beyond_the_bound_also_of_an_earlier_run() {
    let folder = Folder::new();
    let size = turn("x", LONG).bytes();
    let bounds = Bounds { turn_bytes: 3 * size, homes: 2, ..WIDE };
    let mut store = open(&folder.store());
    for id in 1..=3 {
        remember(&mut store, vec![Change::KeepTurn(key("a", id), turn("x", LONG))], bounds);
    }
    drop(store);
    let mut store = open(&folder.store());
    // Kept anew, it is the newest.
    remember(&mut store, vec![Change::KeepTurn(key("a", 1), turn("y", LONG))], bounds);
    remember(&mut store, vec![Change::KeepTurn(key("a", 4), turn("x", LONG))], bounds);
    let found: Vec<u64> = (1..=4).filter(|id| recall(&mut store, key("a", *id), 100).turn.is_some()).collect();
    assert_eq!(found, [1, 3, 4]);
    assert_eq!(recall(&mut store, key("a", 1), 100).turn, Some(turn("y", LONG)));
    let report = inspect(&folder.store(), true).unwrap();
    assert_eq!((report.turns, report.turn_bytes, report.problems.len()), (3, 3 * size, 0));
    let larger = turn(&"x".repeat(1_000), LONG);
    remember(&mut store, vec![Change::KeepTurn(key("a", 5), larger)], bounds);
    assert_eq!(inspect(&folder.store(), true).unwrap().turns, 0, "larger than all may be");
    let homes = (1..=5).map(|id| Change::KeepHome(key("a", id), home("p", false))).collect();
    remember(&mut store, homes, bounds);
    let found: Vec<u64> = (1..=5).filter(|id| recall(&mut store, key("a", *id), 100).home != Known::Nobody).collect();
    assert_eq!((found, inspect(&folder.store(), true).unwrap().homes), (vec![4, 5], 2));
}

#[test]
fn all_turns_are_thrown_away_and_nothing_of_them_is_in_the_file() {
    let folder = Folder::new();
    let mut store = open(&folder.store());
    let secret = "a sentence that nobody else has".repeat(1_000);
    let changes = (1..=20).map(|id| Change::KeepTurn(key("a", id), turn(&secret, LONG))).collect();
    remember(&mut store, changes, WIDE);
    remember(&mut store, vec![Change::KeepHome(key("a", 1), home("p", true)), Change::ForgetTurns], WIDE);
    let report = inspect(&folder.store(), true).unwrap();
    assert_eq!((report.turns, report.turn_bytes, report.homes), (0, 0, 1));
    // Closing it brings the log into the file.
    drop(store);
    let file = std::fs::read(folder.store()).unwrap();
    assert!(!file.windows(31).any(|bytes| bytes == b"a sentence that nobody else has"));
    assert!(file.len() > 20 * secret.len(), "their pages are there, and empty");
}

#[test]
fn a_disk_that_is_full_is_read_all_the_same() {
    let folder = Folder::new();
    let mut store = open(&folder.store());
    remember(&mut store, vec![Change::KeepTurn(key("a", 1), turn("one", LONG))], WIDE);
    let pages = inspect(&folder.store(), false).unwrap().bytes / 4096;
    drop(store);
    let full = Settings { max_pages: Some(pages as u32), ..Settings::default() };
    let mut store = SqliteStore::open(&folder.store(), full).unwrap();
    let large = Change::KeepTurn(key("a", 2), turn(&"x".repeat(100_000), LONG));
    let ops = [
        Op::Recall { key: key("a", 1), now_us: 100 },
        Op::Remember { changes: vec![large], bounds: WIDE },
        Op::Recall { key: key("a", 2), now_us: 100 },
    ];
    let [Outcome::Recalled(first), Outcome::Failed(words), Outcome::Recalled(second)] = &store.perform_all(&ops)[..]
    else {
        panic!("read and not written")
    };
    assert_eq!((first.turn.is_some(), second), (true, &NOTHING));
    assert!(words.contains("cannot grow"), "{words}");
}

#[test]
fn what_does_not_add_up_is_found() {
    let folder = Folder::new();
    let mut store = open(&folder.store());
    remember(&mut store, vec![Change::KeepTurn(key("a", 1), turn("one", LONG))], WIDE);
    drop(store);
    let connection = rusqlite::Connection::open(folder.store()).unwrap();
    connection.execute("UPDATE turns SET bytes = 1, id = x'00'", ()).unwrap();
    drop(connection);
    let problems = inspect(&folder.store(), true).unwrap().problems;
    assert!(problems.iter().any(|words| words.contains("1 bytes are counted, and it has")), "{problems:?}");
    assert!(problems.iter().any(|words| words.contains("is nobody's")), "{problems:?}");
}

/// The file and the plain form in memory give the same answers, whatever is asked of both.
#[test]
fn a_file_answers_as_memory_does() {
    let folder = Folder::new();
    let mut store = open(&folder.store());
    let mut shelf = Shelf::default();
    let mut state = 7u64;
    let mut draw = |of: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % of
    };
    for round in 0..300 {
        let now_us = 1_000 + round * 10;
        let changes: Vec<Change> = (0..draw(4))
            .map(|_| {
                let key = key(["a", "b"][draw(2) as usize], draw(6));
                match draw(12) {
                    0..=4 => {
                        let words = "x".repeat(draw(40) as usize);
                        Change::KeepTurn(key, turn(&words, now_us + draw(300) as i64))
                    }
                    5 => Change::ForgetTurn(key),
                    6..=9 => Change::KeepHome(key, home("p", draw(2) == 0)),
                    10 => Change::ForgetHome(key),
                    _ if draw(8) == 0 => Change::ForgetTurns,
                    _ => Change::ForgetTurn(key),
                }
            })
            .collect();
        // Homes are bounded by their numbers in the file: that leaves no more, and may leave fewer.
        let bounds = Bounds { now_us, turn_bytes: 200, homes: 1_000 };
        shelf.remember(changes.clone(), bounds);
        remember(&mut store, changes, bounds);
        for id in 0..6 {
            for tenant in ["a", "b"] {
                let expected = shelf.recall(&key(tenant, id), now_us + 5);
                assert_eq!(recall(&mut store, key(tenant, id), now_us + 5), expected, "round {round}: {tenant} {id}");
            }
        }
        if round % 50 == 49 {
            drop(store);
            let report = inspect(&folder.store(), true).unwrap();
            assert_eq!((report.turn_bytes, report.problems), (shelf.turn_bytes(), Vec::<String>::new()));
            store = open(&folder.store());
        }
    }
}
