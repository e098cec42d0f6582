//! The store as a gateway uses it, and what a crash, a full disk and a foreign file do to it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use hoosh_core::ledger::{Ending, Row, Usage, UsageSource};
use hoosh_core::store::{Earlier, Op, Outcome, Store};
use hoosh_store::{backup, inspect, newest_rows, Kind, Settings, SqliteStore};

/// A folder that goes when its test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hoosh-store-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn store(&self) -> PathBuf {
        self.0.join("data").join("hoosh.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Settings::default()).unwrap()
}

fn row(number: u64, budget: Option<&str>, tokens: u64) -> Row {
    Row {
        asked: true,
        is_access: true,
        request_id: format!("request-{number}").into(),
        at_us: 1_700_000_000_000_000 + number as i64,
        key: "key-1".into(),
        budget: budget.map(Into::into),
        method: Some("POST"),
        path: Some("/v1/chat/completions".into()),
        endpoint: "chat",
        model: Some("a \"model\"\n".into()),
        provider: Some("one".into()),
        upstream_model: Some("b".into()),
        cost_nano_usd: Some(number),
        cache: Some("miss"),
        bytes_in: 11,
        attempts: 1,
        status: 200,
        ending: Ending::Completed,
        error: None,
        stream: number % 2 == 0,
        usage: Usage {
            input_tokens: tokens / 2,
            output_tokens: tokens - tokens / 2,
            cached_tokens: number % 3,
            cache_written_tokens: number % 5,
            cache_written_long_tokens: number % 2,
            source: UsageSource::Reported,
        },
        overrun: false,
        loss: None,
        terminator_added: true,
        bytes_out: 12,
        first_content_us: 3,
        duration_us: 4,
    }
}

fn lease(store: &mut SqliteStore, capacity: u64, tokens: u64) -> u64 {
    match store.perform(Op::Lease { budget: "b".into(), capacity, tokens }) {
        Outcome::Leased { tokens } => tokens,
        other => panic!("{other:?}"),
    }
}

fn append(store: &mut SqliteStore, group: u64, tokens: &[u64]) -> Outcome {
    let rows = tokens.iter().enumerate().map(|(at, &tokens)| row(group * 100 + at as u64, Some("b"), tokens));
    store.perform(Op::Append { group, rows: rows.collect() })
}

fn earlier(store: &mut SqliteStore) -> Earlier {
    match store.perform(Op::Restore { budgets: vec!["other".into(), "b".into()] }) {
        Outcome::Restored(found) => {
            assert_eq!(found[0], Earlier::default());
            found[1]
        }
        other => panic!("{other:?}"),
    }
}

fn end(store: &mut SqliteStore, held: u64) {
    let held = if held > 0 { vec![(Arc::from("b"), held)] } else { Vec::new() };
    assert_eq!(store.perform(Op::End { held }), Outcome::Stored);
}

/// What a process that is killed leaves: the file and its log as they are at this instant.
fn crash(store: SqliteStore, path: &Path, to: &Folder) -> PathBuf {
    let copy = to.0.join("crashed.db");
    for suffix in ["", "-wal"] {
        let name = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        let _ = std::fs::remove_file(name(&copy));
        std::fs::copy(name(path), name(&copy)).unwrap();
    }
    drop(store);
    copy
}

#[test]
fn what_an_ended_run_did_not_use_is_free_again() {
    let folder = Folder::new();
    let mut store = open(&folder.store());
    assert_eq!(lease(&mut store, 1_000, 600), 600);
    assert_eq!(lease(&mut store, 1_000, 600), 400);
    assert_eq!(append(&mut store, 1, &[100, 50]), Outcome::Stored);
    end(&mut store, 0);
    end(&mut store, 0);
    drop(store);
    let mut store = open(&folder.store());
    assert_eq!(earlier(&mut store), Earlier { used: 150, lost: 0, lost_by_last: 0 });
    assert_eq!(lease(&mut store, 1_000, 2_000), 850);
    assert_eq!(store.perform(Op::Return { budget: "b".into(), tokens: 50 }), Outcome::Stored);
    end(&mut store, 30);
    // The same store, another run.
    assert_eq!(earlier(&mut store), Earlier { used: 150, lost: 30, lost_by_last: 30 });
    assert_eq!(lease(&mut store, 1_000, 2_000), 820);
    end(&mut store, 0);
    assert_eq!(earlier(&mut store), Earlier { used: 150, lost: 30, lost_by_last: 0 });
}

#[test]
fn what_a_crashed_run_leased_stays_taken() {
    let folder = Folder::new();
    let mut store = open(&folder.store());
    assert_eq!(lease(&mut store, 1_000, 400), 400);
    append(&mut store, 1, &[100, 50]);
    let path = crash(store, &folder.store(), &folder);
    let mut store = open(&path);
    assert_eq!(earlier(&mut store), Earlier { used: 150, lost: 250, lost_by_last: 250 });
    assert_eq!(lease(&mut store, 1_000, 2_000), 600);
    // More than was leased: it counts too.
    append(&mut store, 1, &[700]);
    let report = inspect(&path, true).unwrap();
    assert_eq!(report.problems, [""; 0]);
    let budget = &report.budgets[0];
    assert_eq!((budget.capacity, budget.used, budget.lost, budget.leased), (1_000, 850, 250, 0));
    assert_eq!((report.runs, report.crashed, report.rows), (2, 1, 3));
    assert_eq!(report.holder, Some(format!("process {} (hoosh)", std::process::id())));
    drop(store);
    assert_eq!(inspect(&path, true).unwrap().crashed, 2, "the second run ended without saying so");
}

#[test]
fn a_group_is_booked_once_also_across_a_reopening() {
    let folder = Folder::new();
    let mut store = open(&folder.store());
    append(&mut store, 7, &[10, 20]);
    append(&mut store, 7, &[10, 20]);
    append(&mut store, 8, &[5]);
    assert_eq!(newest_rows(&folder.store(), Kind::Ledger, 10).unwrap().len(), 3);
    let report = inspect(&folder.store(), true).unwrap();
    assert_eq!((report.budgets[0].used, report.problems.len()), (35, 0));
}

#[test]
fn rows_come_back_as_they_went_in() {
    let folder = Folder::new();
    let mut store = open(&folder.store());
    let mut rows = vec![row(1, None, 7), row(2, Some("b"), 9)];
    rows[1].error = Some("upstream_truncated");
    rows[1].ending = Ending::Broken;
    let expected: Vec<String> = rows.iter().map(Row::to_json).collect();
    assert_eq!(store.perform(Op::Append { group: 1, rows }), Outcome::Stored);
    assert_eq!(newest_rows(&folder.store(), Kind::Ledger, 10).unwrap(), expected);
    assert_eq!(newest_rows(&folder.store(), Kind::Ledger, 1).unwrap(), expected[1..]);
}

#[test]
fn a_record_of_a_request_that_asked_nobody_is_no_row_of_the_ledger() {
    let folder = Folder::new();
    let mut store = open(&folder.store());
    let record = Row { asked: false, model: None, provider: None, method: None, ..row(1, Some("b"), 7) };
    let expected = record.to_json();
    assert_eq!(store.perform(Op::Append { group: 1, rows: vec![record, row(2, Some("b"), 9)] }), Outcome::Stored);
    assert_eq!(newest_rows(&folder.store(), Kind::Requests, 10).unwrap(), [expected]);
    assert_eq!(newest_rows(&folder.store(), Kind::Ledger, 10).unwrap().len(), 1);
    assert_eq!(inspect(&folder.store(), true).unwrap().problems, Vec::<String>::new());
}

#[test]
fn absurd_numbers_say_all_of_it() {
    let folder = Folder::new();
    let mut store = open(&folder.store());
    assert_eq!(lease(&mut store, u64::MAX, u64::MAX), u64::MAX);
    append(&mut store, 1, &[u64::MAX, u64::MAX]);
    end(&mut store, 0);
    assert_eq!(earlier(&mut store).used, i64::MAX as u64);
    assert_eq!(lease(&mut store, 1_000, 10), 0);
}

#[test]
fn several_operations_are_one_transaction() {
    let folder = Folder::new();
    let mut store = open(&folder.store());
    let lease = |tokens| Op::Lease { budget: "b".into(), capacity: 100, tokens };
    let append = Op::Append { group: 1, rows: vec![row(1, Some("b"), 30)] };
    let outcomes = store.perform_all(&[lease(60), append, lease(60)]);
    assert_eq!(outcomes, [Outcome::Leased { tokens: 60 }, Outcome::Stored, Outcome::Leased { tokens: 40 }]);
}

#[test]
fn a_second_process_is_refused_and_told_whom() {
    let folder = Folder::new();
    let first = open(&folder.store());
    let refused = SqliteStore::open(&folder.store(), Settings::default()).unwrap_err().message;
    let me = format!("is in use by process {} (hoosh). Two processes would spend", std::process::id());
    assert!(refused.contains(&me), "{refused}");
    drop(first);
    open(&folder.store());
}

#[test]
fn foreign_newer_and_damaged_files_are_refused() {
    let folder = Folder::new();
    let refused = |path: &Path| {
        let error = SqliteStore::open(path, Settings::default()).unwrap_err();
        assert!(error.message.contains(&path.display().to_string()), "{error}");
        error.message
    };
    let path = folder.0.join("notes.txt");
    std::fs::write(
        &path,
        "this is my diary, and longer than a page header would be, so that it is read as one. ".repeat(9),
    )
    .unwrap();
    assert!(refused(&path).contains("is not a store of hoosh"));
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("this is my diary"));

    let path = folder.0.join("other.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE mine (a)").unwrap();
    assert!(refused(&path).contains("belongs to another program"));

    let path = folder.0.join("newer.db");
    drop(open(&path));
    rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    assert!(refused(&path).contains("written by a newer hoosh (format 99; this one knows"));
    assert!(inspect(&path, false).unwrap_err().message.contains("newer hoosh"));

    let path = folder.0.join("damaged.db");
    let mut store = open(&path);
    for group in 1..200 {
        append(&mut store, group, &[1; 20]);
    }
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    let len = bytes.len();
    bytes[4_096..len - 4_096].fill(0x55);
    std::fs::write(&path, &bytes).unwrap();
    assert!(refused(&path).contains("is damaged"));
    let checked = inspect(&path, true).map_or_else(|error| error.message, |report| report.problems.join(" "));
    assert!(!checked.is_empty());
}

#[test]
fn a_full_disk_fails_and_what_was_stored_stays() {
    let folder = Folder::new();
    drop(open(&folder.store()));
    let pages = Settings { max_pages: Some(20), ..Settings::default() };
    let mut store = SqliteStore::open(&folder.store(), pages).unwrap();
    assert_eq!(lease(&mut store, 1_000_000, 500_000), 500_000);
    let mut stored = 0;
    let failed = loop {
        match append(&mut store, stored + 1, &[1; 30]) {
            Outcome::Stored => stored += 1,
            Outcome::Failed(words) => break words,
            other => panic!("{other:?}"),
        }
        assert!(stored < 1_000, "a file of 20 pages does not fill");
    };
    assert!(failed.contains("Make room on its disk"), "{failed}");
    assert!(matches!(append(&mut store, stored + 1, &[1; 30]), Outcome::Failed(_)));
    drop(store);
    let mut store = open(&folder.store());
    assert_eq!(earlier(&mut store).used, stored * 30);
    assert_eq!(inspect(&folder.store(), true).unwrap().problems, [""; 0]);
}

#[test]
fn another_program_that_holds_the_file_is_waited_for_and_then_told() {
    let folder = Folder::new();
    let mut store = open(&folder.store());
    let other = rusqlite::Connection::open(folder.store()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let Outcome::Failed(words) = append(&mut store, 1, &[5]) else { panic!("written beside another") };
    assert!(words.contains("held by another program"), "{words}");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(append(&mut store, 1, &[5]), Outcome::Stored);
    assert_eq!(newest_rows(&folder.store(), Kind::Ledger, 10).unwrap().len(), 1);
}

#[test]
fn a_backup_beside_the_writer_is_a_whole_store() {
    let folder = Folder::new();
    let mut store = open(&folder.store());
    lease(&mut store, 1_000, 500);
    append(&mut store, 1, &[40]);
    let copy = folder.0.join("copy.db");
    backup(&folder.store(), &copy).unwrap();
    append(&mut store, 2, &[2]);
    assert!(backup(&folder.store(), &copy).unwrap_err().message.contains("is there already"));
    assert!(backup(&folder.0.join("none.db"), &copy).unwrap_err().message.contains("There is no store"));
    let report = inspect(&copy, true).unwrap();
    assert_eq!((report.rows, report.problems.len(), report.holder), (1, 0, None));
    let mut restored = open(&copy);
    assert_eq!(earlier(&mut restored), Earlier { used: 40, lost: 460, lost_by_last: 460 });
}

#[test]
fn a_backup_of_a_damaged_store_fails_and_leaves_nothing() {
    let folder = Folder::new();
    let mut store = open(&folder.store());
    for group in 1..200 {
        append(&mut store, group, &[1, 2, 3]);
    }
    drop(store);
    let (whole, copy) = (std::fs::read(folder.store()).unwrap(), folder.0.join("copy.db"));
    let path = folder.store().display().to_string();
    // The second half, of rows; then the table of tables, without which nothing is read at all.
    for damaged in [whole.len() / 2..whole.len(), 100..4_096] {
        let mut bytes = whole.clone();
        bytes[damaged].fill(0x5a);
        std::fs::write(folder.store(), bytes).unwrap();
        let words = backup(&folder.store(), &copy).unwrap_err().message;
        assert!(words.starts_with(&format!("The store {path} is damaged: ")), "{words}");
        assert!(!copy.exists());
    }
    std::fs::write(folder.store(), whole).unwrap();
    let words = backup(&folder.store(), &folder.0.join("none/copy.db")).unwrap_err().message;
    assert!(words.contains("none/copy.db cannot be written") && !words.contains("[storage]"), "{words}");
    backup(&folder.store(), &copy).unwrap();
}

#[test]
fn rows_that_do_not_add_up_are_found() {
    let folder = Folder::new();
    let mut store = open(&folder.store());
    lease(&mut store, 1_000, 500);
    append(&mut store, 1, &[40, 2]);
    drop(store);
    let other = rusqlite::Connection::open(folder.store()).unwrap();
    other.execute_batch("DELETE FROM ledger WHERE position = 1").unwrap();
    let problems = inspect(&folder.store(), true).unwrap().problems;
    assert_eq!(problems, ["budget b, run 1: its rows add up to 40 tokens, and 42 are booked"]);
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let mut store = open(&folder.store());
    append(&mut store, 1, &[1]);
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder.0.join("data")), 0o700);
    let path = folder.store().display().to_string();
    for suffix in ["", "-wal", "-shm", ".lock"] {
        assert_eq!(mode(format!("{path}{suffix}").into()), 0o600, "{suffix}");
    }
}

#[test]
fn keys_leave_a_name_and_a_fingerprint() {
    let folder = Folder::new();
    let mut store = open(&folder.store());
    let key = |token: &str| hoosh_store::Key { name: "team".into(), token: token.into() };
    store.note_keys(&[key("sk-secret-one")]).unwrap();
    store.note_keys(&[key("sk-secret-one")]).unwrap();
    store.note_keys(&[key("sk-secret-two")]).unwrap();
    drop(store);
    let other = rusqlite::Connection::open(folder.store()).unwrap();
    let count = |sql: &str| other.query_row(sql, (), |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM keys WHERE name = 'team' AND length(fingerprint) = 8"), 2);
    let bytes = std::fs::read(folder.store()).unwrap();
    assert!(!bytes.windows(9).any(|window| window == b"sk-secret"));
}
