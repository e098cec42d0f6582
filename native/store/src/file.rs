//! Opening the file: for nobody else's eyes, durable, and ours.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::StoreError;
use crate::schema;

/// How long another program (a backup, somebody's `sqlite3`) may hold the file before an operation fails.
const BUSY: Duration = Duration::from_secs(2);

/// Opens or creates a file that its owner alone can read.
pub(crate) fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the folders that are missing, for their owner alone.
pub(crate) fn create_folder_of(path: &Path) -> std::io::Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A connection that writes, to a file of the newest format. `max_pages` bounds the file.
pub(crate) fn open(path: &Path, max_pages: Option<u32>) -> Result<Connection, StoreError> {
    // SQLite gives its own files beside this one the same permissions. A file that is there is left alone: closing it
    // would take away the locks that any connection of this process has on it.
    if !path.exists() {
        create(path).map_err(|error| StoreError::io(path, &error))?;
    }
    let sqlite = |error: rusqlite::Error| StoreError::sqlite(path, &error);
    let mut connection = connect(path).map_err(sqlite)?;
    schema::check_origin(&connection, path)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0)).map_err(sqlite)?;
    if !mode.eq_ignore_ascii_case("wal") {
        let words = format!("The store {} cannot keep a write-ahead log. Put it on a local disk.", path.display());
        return Err(StoreError::new(words));
    }
    // What is deleted is written over with zeros in the file: it may be what people said. The last two make macOS wait for
    // the disk itself; elsewhere they do nothing.
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 16777216;
             PRAGMA secure_delete = ON; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;",
        )
        .map_err(sqlite)?;
    if let Some(pages) = max_pages {
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), (), |_| Ok(())).map_err(sqlite)?;
    }
    schema::migrate(&mut connection).map_err(sqlite)?;
    Ok(connection)
}

/// A connection beside the one that writes, to a file that must be there.
pub(crate) fn open_beside(path: &Path) -> Result<Connection, StoreError> {
    if let Err(error) = std::fs::metadata(path) {
        return Err(StoreError::new(format!(
            "There is no store at {}: {error}. `hoosh serve` makes one at its start.",
            path.display()
        )));
    }
    let connection = connect(path).map_err(|error| StoreError::sqlite(path, &error))?;
    if schema::check_origin(&connection, path)? == schema::Origin::Empty {
        return Err(StoreError::new(format!("{} is empty: no hoosh kept anything there yet.", path.display())));
    }
    Ok(connection)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // Each connection is used by one thread at a time, which is all that this flag asks.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}
