//! Why a store cannot be had, in the operator's words.

use std::path::Path;

use rusqlite::ErrorCode;

/// What is wrong with a store and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    /// Names the file, the reason and the way out.
    pub message: String,
}

impl StoreError {
    pub(crate) fn new(message: impl Into<String>) -> StoreError {
        StoreError { message: message.into() }
    }

    /// SQLite's reason, with what an operator can do about it.
    pub(crate) fn sqlite(path: &Path, error: &rusqlite::Error) -> StoreError {
        let path = path.display();
        let words = match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => {
                format!("{path} is not a store of hoosh: {error}. Name another file in [storage] path.")
            }
            Some(ErrorCode::DatabaseCorrupt) => format!(
                "The store {path} is damaged: {error}. Put a backup in its place, or move it away to begin anew."
            ),
            Some(ErrorCode::DiskFull) => format!("The store {path} cannot grow: {error}. Make room on its disk."),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                format!("The store {path} is held by another program: {error}. End what has it open.")
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                format!("The store {path} cannot be written: {error}. Check its permissions and its folder's.")
            }
            _ => format!("The store {path} failed: {error}."),
        };
        StoreError::new(words)
    }

    /// Whether the file itself is at fault.
    pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
        matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
    }

    /// A backup of a store that is not whole.
    pub(crate) fn not_copied(path: &Path, why: &str) -> StoreError {
        let path = path.display();
        StoreError::new(format!(
            "The store {path} is damaged: {why}. No backup was made. `hoosh store check` says all that is wrong; put an \
             older backup in its place, or move it away to begin anew."
        ))
    }

    /// The target of a backup.
    pub(crate) fn copy(to: &Path, why: &impl std::fmt::Display) -> StoreError {
        StoreError::new(format!(
            "The backup {} cannot be written: {why}. Make room, or name another file.",
            to.display()
        ))
    }

    pub(crate) fn io(path: &Path, error: &std::io::Error) -> StoreError {
        let words = format!(
            "The store {} cannot be opened: {error}. Check its folder, or name another file in [storage] path.",
            path.display()
        );
        StoreError::new(words)
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StoreError {}
