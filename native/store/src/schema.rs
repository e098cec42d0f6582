//! The tables. Each format is one entry of [`MIGRATIONS`]; a file of an older one is brought forward when it is opened.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::error::StoreError;

/// Marks a file as ours: "hoos".
const APPLICATION_ID: i32 = 0x686f_6f73;

/// The format that this version writes.
pub const FORMAT: i32 = MIGRATIONS.len() as i32;

/// What leads from format N to format N + 1. Never changed once released.
const MIGRATIONS: &[&str] = &[FORMAT_1, FORMAT_2, FORMAT_3, FORMAT_4, FORMAT_5];

/// `leases.used` is what `ledger` adds up to, kept so that a lease need not add it up; `hoosh store check` compares them.
const FORMAT_1: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('salt', randomblob(16));

-- From the opening of the store to an orderly end; ended_us stays null after a crash.
CREATE TABLE runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT, started_us INTEGER NOT NULL, ended_us INTEGER, pid INTEGER NOT NULL
) STRICT;

-- The capacity as it was when something was last leased.
CREATE TABLE budgets (name TEXT PRIMARY KEY, capacity INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
  budget TEXT NOT NULL, run INTEGER NOT NULL REFERENCES runs (id),
  leased INTEGER NOT NULL DEFAULT 0, returned INTEGER NOT NULL DEFAULT 0, used INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (budget, run)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
  run INTEGER NOT NULL REFERENCES runs (id), group_number INTEGER NOT NULL, position INTEGER NOT NULL,
  request_id TEXT NOT NULL, at_us INTEGER NOT NULL, key TEXT NOT NULL, budget TEXT, method TEXT, path TEXT,
  endpoint TEXT NOT NULL, model TEXT, provider TEXT, upstream_model TEXT, attempts INTEGER NOT NULL,
  status INTEGER NOT NULL, ending TEXT NOT NULL, error TEXT, stream INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, usage_source TEXT NOT NULL, cost_nano_usd INTEGER,
  overrun INTEGER NOT NULL, terminator_added INTEGER NOT NULL, cache TEXT, bytes_in INTEGER NOT NULL,
  bytes_out INTEGER NOT NULL, first_content_us INTEGER NOT NULL, duration_us INTEGER NOT NULL,
  PRIMARY KEY (run, group_number, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_at ON ledger (at_us);

-- Requests that asked no upstream.
CREATE TABLE requests (
  run INTEGER NOT NULL REFERENCES runs (id), group_number INTEGER NOT NULL, position INTEGER NOT NULL,
  request_id TEXT NOT NULL, at_us INTEGER NOT NULL, key TEXT NOT NULL, budget TEXT, method TEXT, path TEXT,
  endpoint TEXT NOT NULL, model TEXT, provider TEXT, upstream_model TEXT, attempts INTEGER NOT NULL,
  status INTEGER NOT NULL, ending TEXT NOT NULL, error TEXT, stream INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, usage_source TEXT NOT NULL, cost_nano_usd INTEGER,
  overrun INTEGER NOT NULL, terminator_added INTEGER NOT NULL, cache TEXT, bytes_in INTEGER NOT NULL,
  bytes_out INTEGER NOT NULL, first_content_us INTEGER NOT NULL, duration_us INTEGER NOT NULL,
  PRIMARY KEY (run, group_number, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_at ON requests (at_us);

-- Days since 1970.
CREATE TABLE keys (
  name TEXT NOT NULL, fingerprint TEXT NOT NULL, first_seen_day INTEGER NOT NULL, last_seen_day INTEGER NOT NULL,
  PRIMARY KEY (name, fingerprint)
) STRICT, WITHOUT ROWID;
";

/// What was lost between two dialects.
const FORMAT_2: &str = "ALTER TABLE ledger ADD COLUMN loss TEXT; ALTER TABLE requests ADD COLUMN loss TEXT;";

/// Of the input, what the provider put into its cache, and what of that for longer than usual.
const FORMAT_3: &str = "
ALTER TABLE ledger ADD COLUMN cache_written_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN cache_written_long_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN cache_written_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN cache_written_long_tokens INTEGER NOT NULL DEFAULT 0;
";

/// What outlives the process of responses, by digests of tenant and id: the turns that are kept here, and which upstream keeps
/// one. The newest has the largest number.
const FORMAT_4: &str = "
CREATE TABLE turns (
  number INTEGER PRIMARY KEY, id BLOB NOT NULL, tenant BLOB NOT NULL, until_us INTEGER NOT NULL, bytes INTEGER NOT NULL,
  items BLOB NOT NULL, input BLOB NOT NULL, response BLOB NOT NULL, UNIQUE (id, tenant)
) STRICT;
CREATE INDEX turns_until ON turns (until_us, bytes);

CREATE TABLE homes (
  number INTEGER PRIMARY KEY, id BLOB NOT NULL, tenant BLOB NOT NULL, provider TEXT NOT NULL, credential INTEGER NOT NULL,
  asked TEXT NOT NULL, model TEXT NOT NULL, owed INTEGER NOT NULL, UNIQUE (id, tenant)
) STRICT;
";

/// Rows of the ledger stand in the order in which they were booked, and nobody looks for them by time: a seventh of what a row
/// cost went to this.
const FORMAT_5: &str = "DROP INDEX ledger_at;";

/// What a file is that is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Empty,
    Ours,
}

/// Refuses a file that is not ours, or of a format that only a newer hoosh can read.
pub(crate) fn check_origin(connection: &Connection, path: &Path) -> Result<Origin, StoreError> {
    let number = |pragma: &str| {
        let read = connection.query_row(pragma, (), |row| row.get::<_, i32>(0));
        read.map_err(|error| StoreError::sqlite(path, &error))
    };
    let (id, format) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    if id == 0 && format == 0 && number("SELECT count(*) FROM sqlite_schema")? == 0 {
        return Ok(Origin::Empty);
    }
    let path = path.display();
    if id != APPLICATION_ID {
        let words = format!("{path} belongs to another program. Name another file in [storage] path.");
        return Err(StoreError::new(words));
    }
    if format > FORMAT {
        return Err(StoreError::new(format!(
            "The store {path} was written by a newer hoosh (format {format}; this one knows {FORMAT}). Start that \
             version, or name another file in [storage] path."
        )));
    }
    Ok(Origin::Ours)
}

/// Brings the file to [`FORMAT`]: all of it, or nothing.
pub(crate) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    migrate_by(connection, MIGRATIONS)
}

fn migrate_by(connection: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    let format = |connection: &Connection| connection.query_row("PRAGMA user_version", (), |row| row.get::<_, u32>(0));
    if format(connection)? as usize == migrations.len() {
        return Ok(());
    }
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in migrations.iter().skip(format(&change)? as usize) {
        change.execute_batch(migration)?;
    }
    change.pragma_update(None, "application_id", APPLICATION_ID)?;
    change.pragma_update(None, "user_version", migrations.len() as i32)?;
    change.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEXT: &[&str] = &[
        FORMAT_1,
        FORMAT_2,
        FORMAT_3,
        FORMAT_4,
        FORMAT_5,
        "ALTER TABLE runs ADD COLUMN host TEXT; UPDATE runs SET host = 'old';",
    ];

    #[test]
    fn an_older_file_is_brought_forward_with_what_is_in_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection.execute("INSERT INTO runs (started_us, pid) VALUES (1, 2)", ()).unwrap();
        migrate_by(&mut connection, NEXT).unwrap();
        let found: (i64, String) =
            connection.query_row("SELECT pid, host FROM runs", (), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(found, (2, "old".into()));
        assert!(check_origin(&connection, Path::new("x")).unwrap_err().message.contains("newer hoosh (format 6"));
    }

    #[test]
    fn a_file_of_the_format_before_gets_the_tables_of_responses_and_keeps_its_rows() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_by(&mut connection, &[FORMAT_1, FORMAT_2, FORMAT_3]).unwrap();
        connection.execute("INSERT INTO keys VALUES ('k', '0123abcd', 1, 2)", ()).unwrap();
        migrate(&mut connection).unwrap();
        let count = |table: &str| {
            connection.query_row(&format!("SELECT count(*) FROM {table}"), (), |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!((count("keys"), count("turns"), count("homes")), (1, 0, 0));
        assert_eq!(connection.query_row("PRAGMA user_version", (), |row| row.get(0)), Ok(FORMAT));
    }

    #[test]
    fn rows_of_the_ledger_have_no_index_but_their_place() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_by(&mut connection, &[FORMAT_1, FORMAT_2, FORMAT_3, FORMAT_4]).unwrap();
        migrate(&mut connection).unwrap();
        let indexes = "SELECT count(*) FROM pragma_index_list('ledger') WHERE origin <> 'pk'";
        assert_eq!(connection.query_row(indexes, (), |row| row.get(0)), Ok(0));
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let broken = &[FORMAT_1, FORMAT_2, FORMAT_3, FORMAT_4, FORMAT_5, "CREATE TABLE later (a) STRICT;"];
        migrate_by(&mut connection, broken).unwrap_err();
        let broken = &[
            FORMAT_1,
            FORMAT_2,
            FORMAT_3,
            FORMAT_4,
            FORMAT_5,
            "CREATE TABLE later (a INTEGER) STRICT; SELECT nothing FROM nowhere;",
        ];
        migrate_by(&mut connection, broken).unwrap_err();
        assert_eq!(check_origin(&connection, Path::new("x")), Ok(Origin::Ours));
        let later =
            connection.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'later'", (), |row| row.get(0));
        assert_eq!(later, Ok(0));
    }
}
