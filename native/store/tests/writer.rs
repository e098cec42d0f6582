//! The thread that owns the store, and a process that is killed while it writes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use hoosh_core::store::{Op, Outcome};
use hoosh_core::wake::Wake;
use hoosh_store::{inspect, Settings, SqliteStore, Writer};

#[derive(Default)]
struct Told(Mutex<bool>, Condvar);

impl Wake for Told {
    fn wake(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
}

impl Told {
    fn wait(&self) {
        let (mut told, waited) =
            self.1.wait_timeout_while(self.0.lock().unwrap(), Duration::from_secs(20), |told| !*told).unwrap();
        assert!(!waited.timed_out(), "nobody was woken");
        *told = false;
    }
}

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("hoosh-writer-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir(&path).unwrap();
    path
}

fn lease(tokens: u64) -> Op {
    Op::Lease { budget: "b".into(), capacity: 1_000_000, tokens }
}

/// Answers until there are `count`.
fn answers(writer: &Writer, told: &Told, count: usize) -> Vec<(u64, Outcome)> {
    let mut all = Vec::new();
    while all.len() < count {
        told.wait();
        all.extend(writer.answers());
    }
    all
}

#[test]
fn whoever_asks_is_woken_with_answers_in_order() {
    let folder = folder("order");
    let told = Arc::new(Told::default());
    let mut writer = Writer::open(&folder.join("hoosh.db"), Settings::default(), told.clone()).unwrap();
    let began = Instant::now();
    for id in 1..=500 {
        writer.ask(id, lease(10));
    }
    assert!(began.elapsed() < Duration::from_millis(500), "asking waits for no disk");
    let all = answers(&writer, &told, 500);
    assert!(all.iter().map(|(id, _)| *id).eq(1..=500));
    assert!(all.iter().all(|(_, outcome)| *outcome == Outcome::Leased { tokens: 10 }));
    writer.ask(501, Op::End { held: Vec::new() });
    writer.close();
    assert_eq!(writer.answers(), [(501, Outcome::Stored)], "what was asked is performed before the end");
    writer.ask(502, lease(1));
    assert!(matches!(&writer.answers()[..], [(502, Outcome::Failed(words))] if words.contains("is closed")));
    SqliteStore::open(&folder.join("hoosh.db"), Settings::default()).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

/// What the child of the next test does, which names the store in its environment: says each lease once it has it.
#[test]
fn child_that_leases_until_it_is_killed() {
    let Ok(path) = std::env::var("HOOSH_STORE_OF_CHILD") else { return };
    let mut store = SqliteStore::open(Path::new(&path), Settings::default()).unwrap();
    loop {
        let [Outcome::Leased { tokens: 10 }] = store.perform_all(&[lease(10)])[..] else { panic!("not leased") };
        let said = std::fs::OpenOptions::new().append(true).create(true).open(format!("{path}.said"));
        said.unwrap().write_all(b"leased\n").unwrap();
    }
}

#[test]
fn whatever_was_answered_before_a_kill_is_there_after_it() {
    let folder = folder("kill");
    let path = folder.join("hoosh.db");
    let said = || std::fs::read_to_string(format!("{}.said", path.display())).map_or(0, |said| said.lines().count());
    for _ in 0..3 {
        let before = said();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_leases_until_it_is_killed", "--nocapture"])
            .env("HOOSH_STORE_OF_CHILD", &path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while said() < before + 20 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        let refused = SqliteStore::open(&path, Settings::default()).unwrap_err().message;
        assert!(refused.contains(&format!("in use by process {}", child.id())), "{refused}");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(said() >= before + 20);
    }
    // No stale lock, nothing that was said is missing, and of what was not said at most one lease of each child.
    let report = inspect(&path, true).unwrap();
    assert_eq!((report.holder, report.problems.len(), report.crashed), (None, 0, 3));
    let (lost, said) = (report.budgets[0].lost, said() as u64 * 10);
    assert!((said..=said + 30).contains(&lost), "{lost} of {said} are taken");
    SqliteStore::open(&path, Settings::default()).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}
