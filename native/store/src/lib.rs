//! hoosh-store: the durable [`hoosh_core::store::Store`], one SQLite file.
//!
//! | File | Holds |
//! | --- | --- |
//! | `lock` | one process per store |
//! | `file` | opening: permissions, pragmas, whose file it is |
//! | `schema` | the tables, and the way from each older format |
//! | `sqlite` | [`SqliteStore`]: operations in one transaction, all durable or none |
//! | `accounts` | leases and returns, and what a crash leaves behind |
//! | `ledger` | rows in and out |
//! | `responses` | turns that are kept, and which upstream keeps a response |
//! | `keys` | which keys were seen, without their secrets |
//! | `writer` | [`Writer`]: the thread that owns the connection, so that no event loop waits for a disk |
//! | `report` | what `hoosh store check`, `info` and `backup` do beside a running server |
//!
//! What is promised: an outcome is given only once it is on the disk (WAL, `synchronous=FULL`). After a failure of any
//! kind nobody can say what the connection still knows, so that it is dropped and the file opened anew.

mod accounts;
mod error;
mod file;
mod keys;
mod ledger;
mod lock;
mod report;
mod responses;
mod schema;
mod sqlite;
mod writer;

pub use error::StoreError;
pub use keys::Key;
pub use ledger::Kind;
pub use report::{backup, inspect, newest_rows, BudgetReport, Report};
pub use schema::FORMAT;
pub use sqlite::{Settings, SqliteStore};
pub use writer::Writer;
