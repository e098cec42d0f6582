//! What can be asked beside the process that has the store: whether it is whole, what is in it, and a copy.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::Connection;

use crate::accounts::account_at;
use crate::error::StoreError;
use crate::file;
use crate::ledger::{self, Kind};
use crate::lock::Lock;
use crate::responses;

/// Pages that a backup copies before it lets the writer in.
const PAGES_AT_ONCE: i32 = 1_000;

/// The format that has tables of responses.
const WITH_RESPONSES: i64 = 4;

/// What a store holds.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The process that has it open.
    pub holder: Option<String>,
    /// Format of the file.
    pub format: i64,
    /// Bytes of the file, without its log.
    pub bytes: i64,
    /// Runs begun, and those of them that neither ended in order nor run now.
    pub runs: i64,
    /// See [`Self::runs`].
    pub crashed: i64,
    /// Ledger rows.
    pub rows: i64,
    /// Records of requests that asked no upstream.
    pub requests: i64,
    /// Turns that are kept, and their bytes.
    pub turns: i64,
    /// See [`Self::turns`].
    pub turn_bytes: u64,
    /// Responses of which it is known which upstream keeps them.
    pub homes: i64,
    /// Each budget that was ever leased of or booked to, by name.
    pub budgets: Vec<BudgetReport>,
    /// What does not add up; empty if all is well, or nobody looked.
    pub problems: Vec<String>,
}

/// One budget. Tokens.
#[derive(Clone, Debug, Default)]
pub struct BudgetReport {
    /// As configured.
    pub name: String,
    /// As it was at the last lease.
    pub capacity: i64,
    /// Of all rows.
    pub used: u64,
    /// Leased by runs that crashed, and not accounted for.
    pub lost: u64,
    /// Leased by the process that runs now, and not used yet.
    pub leased: u64,
}

/// Reads the store at `path`; with `check` everything in it, which takes a while.
pub fn inspect(path: &Path, check: bool) -> Result<Report, StoreError> {
    let holder = Lock::holder(path);
    let connection = file::open_beside(path)?;
    read(&connection, holder, check).map_err(|error| StoreError::sqlite(path, &error))
}

/// The newest `most` records of a kind, oldest first, as JSON objects.
pub fn newest_rows(path: &Path, kind: Kind, most: usize) -> Result<Vec<String>, StoreError> {
    let connection = file::open_beside(path)?;
    ledger::newest(&connection, kind, most).map_err(|error| StoreError::sqlite(path, &error))
}

/// Copies the store at `path` to the new file `to`, whole and as of one instant, while others write to it. What is copied is
/// checked then: a backup that cannot be read would be found out when it is needed. One that fails leaves no file.
pub fn backup(path: &Path, to: &Path) -> Result<(), StoreError> {
    let source = file::open_beside(path)?;
    if std::fs::symlink_metadata(to).is_ok() {
        return Err(StoreError::new(format!("{} is there already. Name a new file.", to.display())));
    }
    file::create(to).map_err(|error| StoreError::copy(to, &error))?;
    let failed = match copy(&source, to) {
        Ok(damage) => damage.first().map(|why| StoreError::not_copied(path, why.trim_end_matches('.'))),
        Err(error) if StoreError::is_damage(&error) => Some(StoreError::not_copied(path, &error.to_string())),
        Err(error) => Some(StoreError::copy(to, &error)),
    };
    let Some(error) = failed else { return Ok(()) };
    let _ = std::fs::remove_file(to);
    Err(error)
}

/// Copies, and says what of the copy SQLite finds to be damaged.
fn copy(source: &Connection, to: &Path) -> rusqlite::Result<Vec<String>> {
    let mut target = Connection::open(to)?;
    // One read transaction: a writer elsewhere would make the copy begin again and again.
    let _instant = source.unchecked_transaction()?;
    source.query_row("SELECT count(*) FROM meta", (), |_| Ok(()))?;
    Backup::new(source, &mut target)?.run_to_completion(PAGES_AT_ONCE, Duration::ZERO, None)?;
    target.query_row("PRAGMA journal_mode = DELETE", (), |_| Ok(()))?;
    damage(&target)
}

fn read(connection: &Connection, holder: Option<String>, check: bool) -> rusqlite::Result<Report> {
    // All of it as of one instant.
    let _instant = connection.unchecked_transaction()?;
    let number = |sql: &str| connection.query_row(sql, (), |row| row.get::<_, i64>(0));
    let newest = number("SELECT coalesce(max(id), 0) FROM runs WHERE ended_us IS NULL")?;
    let current = if holder.is_some() { newest } else { 0 };
    let crashed = format!("SELECT count(*) FROM runs WHERE ended_us IS NULL AND id <> {current}");
    let format = number("PRAGMA user_version")?;
    // One that no newer hoosh has opened yet is read as it is.
    let has_responses = format >= WITH_RESPONSES;
    Ok(Report {
        format,
        bytes: number("PRAGMA page_count")? * number("PRAGMA page_size")?,
        runs: number("SELECT count(*) FROM runs")?,
        crashed: number(&crashed)?,
        rows: number("SELECT count(*) FROM ledger")?,
        requests: number("SELECT count(*) FROM requests")?,
        turns: if has_responses { number("SELECT count(*) FROM turns")? } else { 0 },
        turn_bytes: if has_responses { responses::bytes_of_all(connection)? } else { 0 },
        homes: if has_responses { number("SELECT count(*) FROM homes")? } else { 0 },
        budgets: budgets(connection, current)?,
        problems: if check { problems(connection, has_responses)? } else { Vec::new() },
        holder,
    })
}

fn budgets(connection: &Connection, current: i64) -> rusqlite::Result<Vec<BudgetReport>> {
    let mut select = connection.prepare(
        "SELECT budget, run, leased, returned, used, coalesce(capacity, 0)
         FROM leases LEFT JOIN budgets ON name = budget ORDER BY budget, run",
    )?;
    let mut rows = select.query(())?;
    let mut budgets: Vec<BudgetReport> = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, run, account): (String, i64, _) = (row.get(0)?, row.get(1)?, account_at(row, 2)?);
        if budgets.last().is_none_or(|budget| budget.name != name) {
            budgets.push(BudgetReport { name, capacity: row.get(5)?, ..BudgetReport::default() });
        }
        let Some(budget) = budgets.last_mut() else { continue };
        budget.used = budget.used.saturating_add(account.used);
        let unspent = if run == current { &mut budget.leased } else { &mut budget.lost };
        *unspent = unspent.saturating_add(account.unspent());
    }
    Ok(budgets)
}

/// What SQLite finds, and rows that do not add up to what is booked.
fn problems(connection: &Connection, has_responses: bool) -> rusqlite::Result<Vec<String>> {
    let mut problems = damage(connection)?;
    problems.extend(words(
        connection,
        "SELECT 'a row of ' || \"table\" || ' belongs to a run that is not there' FROM pragma_foreign_key_check LIMIT 20",
    )?);
    problems.extend(words(
        connection,
        "WITH sums AS (
           SELECT budget, run, sum(tokens) AS tokens FROM (
             SELECT budget, run, input_tokens + output_tokens AS tokens FROM ledger WHERE budget IS NOT NULL
             UNION ALL SELECT budget, run, 0 FROM leases
           ) GROUP BY budget, run
         )
         SELECT 'budget ' || sums.budget || ', run ' || sums.run || ': its rows add up to ' || tokens || ' tokens, and '
                || coalesce(used, 0) || ' are booked'
         FROM sums LEFT JOIN leases USING (budget, run) WHERE tokens <> coalesce(used, 0) LIMIT 20",
    )?);
    problems.extend(words(
        connection,
        "SELECT 'budget ' || budget || ', run ' || run || ': ' || leased || ' leased, ' || returned || ' returned'
         FROM leases WHERE returned > leased OR leased < 0 OR returned < 0 OR used < 0 LIMIT 20",
    )?);
    if has_responses {
        problems.extend(problems_of_responses(connection)?);
    }
    Ok(problems)
}

fn problems_of_responses(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut problems = words(
        connection,
        "SELECT 'turn ' || number || ': ' || bytes || ' bytes are counted, and it has '
                || (length(items) + length(input) + length(response))
         FROM turns WHERE bytes <> length(items) + length(input) + length(response) LIMIT 20",
    )?;
    problems.extend(words(
        connection,
        "SELECT what || ' ' || number || ' is nobody''s' FROM (
           SELECT 'turn' AS what, number, id, tenant FROM turns UNION ALL SELECT 'home', number, id, tenant FROM homes
         ) WHERE length(id) <> 32 OR length(tenant) <> 32 LIMIT 20",
    )?);
    Ok(problems)
}

/// What SQLite finds wrong with the file.
fn damage(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut problems = words(connection, "PRAGMA integrity_check(20)")?;
    problems.retain(|words| words != "ok");
    Ok(problems)
}

fn words(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    connection.prepare(sql)?.query_map((), |row| row.get(0))?.collect()
}
