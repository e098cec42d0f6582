//! What runs took of the budgets.

use std::sync::Arc;

use hoosh_core::store::Earlier;
use rusqlite::{params, Connection, OptionalExtension};

/// One budget in one run, tokens.
#[derive(Clone, Copy, Default)]
pub(crate) struct Account {
    pub leased: u64,
    pub returned: u64,
    pub used: u64,
}

impl Account {
    /// Leased and not returned.
    fn held(&self) -> u64 {
        self.leased.saturating_sub(self.returned)
    }

    /// What it takes of the capacity. Rows can show more than was leased: an overrun.
    pub fn committed(&self) -> u64 {
        self.held().max(self.used)
    }

    /// Held and not used: lost, once its run is over.
    pub fn unspent(&self) -> u64 {
        self.held().saturating_sub(self.used)
    }
}

/// SQLite's integers are signed. No capacity is larger, so that a larger count says no less than "all of it".
pub(crate) fn signed(tokens: u64) -> i64 {
    tokens.try_into().unwrap_or(i64::MAX)
}

fn unsigned(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(at)?.try_into().unwrap_or(0))
}

pub(crate) fn account_at(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Account> {
    Ok(Account { leased: unsigned(row, at)?, returned: unsigned(row, at + 1)?, used: unsigned(row, at + 2)? })
}

/// The runs' accounts of a budget, all but that of `without`.
fn accounts(connection: &Connection, budget: &str, without: i64) -> rusqlite::Result<Vec<Account>> {
    let mut select =
        connection.prepare_cached("SELECT leased, returned, used FROM leases WHERE budget = ?1 AND run <> ?2")?;
    let accounts = select.query_map(params![budget, without], |row| account_at(row, 0))?;
    accounts.collect()
}

/// What every run but this one took of each budget.
pub(crate) fn restore(connection: &Connection, run: i64, budgets: &[Arc<str>]) -> rusqlite::Result<Vec<Earlier>> {
    let last: i64 =
        connection.query_row("SELECT coalesce(max(id), 0) FROM runs WHERE id < ?1", [run], |row| row.get(0))?;
    let earlier = |budget: &Arc<str>| {
        let mut earlier = Earlier { lost_by_last: of(connection, last, budget)?.unspent(), ..Earlier::default() };
        for account in accounts(connection, budget, run)? {
            earlier.used = earlier.used.saturating_add(account.used);
            earlier.lost = earlier.lost.saturating_add(account.unspent());
        }
        Ok(earlier)
    };
    budgets.iter().map(earlier).collect()
}

/// Leases up to `tokens` of what `capacity` has left; the result is how many.
pub(crate) fn lease(
    connection: &Connection,
    run: i64,
    budget: &str,
    capacity: u64,
    tokens: u64,
) -> rusqlite::Result<u64> {
    let others = accounts(connection, budget, run)?.iter().fold(0, |sum: u64, a| sum.saturating_add(a.committed()));
    let mut mine = of(connection, run, budget)?;
    let granted = tokens.min(capacity.saturating_sub(others).saturating_sub(mine.committed()));
    mine.leased = mine.leased.saturating_add(granted);
    keep(connection, run, budget, mine)?;
    let capacity = signed(capacity);
    connection
        .prepare_cached(
            "INSERT INTO budgets VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET capacity = ?2 WHERE capacity <> ?2",
        )?
        .execute(params![budget, capacity])?;
    Ok(granted)
}

/// Gives back what was leased and not spent.
pub(crate) fn give_back(connection: &Connection, run: i64, budget: &str, tokens: u64) -> rusqlite::Result<()> {
    let mut mine = of(connection, run, budget)?;
    mine.returned = mine.returned.saturating_add(tokens).min(mine.leased);
    keep(connection, run, budget, mine)
}

/// Books what new rows used.
pub(crate) fn add_used(connection: &Connection, run: i64, budget: &str, tokens: u64) -> rusqlite::Result<()> {
    let mut mine = of(connection, run, budget)?;
    mine.used = mine.used.saturating_add(tokens);
    keep(connection, run, budget, mine)
}

/// Ends a run: what is neither used nor held by somebody is free again.
pub(crate) fn end(connection: &Connection, run: i64, held: &[(Arc<str>, u64)], now_us: i64) -> rusqlite::Result<()> {
    let mut select = connection.prepare_cached("SELECT budget, leased, returned, used FROM leases WHERE run = ?1")?;
    let all = select.query_map([run], |row| Ok((row.get(0)?, account_at(row, 1)?)))?;
    for (budget, mut mine) in all.collect::<rusqlite::Result<Vec<(String, Account)>>>()? {
        let held: u64 = held.iter().filter(|(name, _)| **name == *budget).map(|(_, tokens)| tokens).sum();
        mine.returned = mine.returned.saturating_add(mine.unspent().saturating_sub(held));
        keep(connection, run, &budget, mine)?;
    }
    connection.prepare_cached("UPDATE runs SET ended_us = ?2 WHERE id = ?1")?.execute(params![run, now_us])?;
    Ok(())
}

fn of(connection: &Connection, run: i64, budget: &str) -> rusqlite::Result<Account> {
    let mut select =
        connection.prepare_cached("SELECT leased, returned, used FROM leases WHERE budget = ?1 AND run = ?2")?;
    let found = select.query_row(params![budget, run], |row| account_at(row, 0)).optional()?;
    Ok(found.unwrap_or_default())
}

fn keep(connection: &Connection, run: i64, budget: &str, account: Account) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO leases (budget, run, leased, returned, used) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![budget, run, signed(account.leased), signed(account.returned), signed(account.used)])?;
    Ok(())
}
