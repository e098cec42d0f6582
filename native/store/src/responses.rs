//! Responses: the turns that are kept here, and which upstream keeps one.

use bytes::Bytes;
use hoosh_core::history::{ResponseKey, Turn};
use hoosh_core::homes::{Home, Known};
use hoosh_core::store::{Bounds, Change, Recalled};
use rusqlite::{params, Connection, OptionalExtension};

use crate::accounts::signed;

/// The oldest turns are looked at so many at a time when there are too many bytes of them.
const LOOKED_AT: i64 = 64;

/// Performs `changes`, and leaves no more than `bounds` allow. `bytes` is what all turns have, once somebody added them up.
pub(crate) fn remember(
    connection: &Connection,
    changes: &[Change],
    bounds: &Bounds,
    bytes: &mut Option<u64>,
) -> rusqlite::Result<()> {
    let mut sum = match *bytes {
        Some(sum) => sum,
        None => bytes_of_all(connection)?,
    };
    for change in changes {
        match change {
            Change::KeepTurn(key, turn) => {
                sum = sum.saturating_sub(forget_turn(connection, key)?) + turn.bytes();
                keep_turn(connection, key, turn)?;
            }
            Change::ForgetTurn(key) => sum = sum.saturating_sub(forget_turn(connection, key)?),
            Change::KeepHome(key, home) => keep_home(connection, key, home)?,
            Change::ForgetHome(key) => {
                connection
                    .prepare_cached("DELETE FROM homes WHERE id = ?1 AND tenant = ?2")?
                    .execute(params![key.id, key.tenant])?;
            }
            Change::ForgetTurns => {
                connection.execute("DELETE FROM turns", ())?;
                sum = 0;
            }
        }
    }
    sum = sum.saturating_sub(prune_expired(connection, bounds.now_us, usize::MAX)?.1);
    while sum > bounds.turn_bytes {
        let Some(gone) = drop_oldest(connection, sum - bounds.turn_bytes)? else { break };
        sum = sum.saturating_sub(gone);
    }
    // Numbers of those that are gone meanwhile are among them, so that at most so many are left.
    connection
        .prepare_cached("DELETE FROM homes WHERE number <= (SELECT max(number) FROM homes) - ?1")?
        .execute([signed(bounds.homes)])?;
    *bytes = Some(sum);
    Ok(())
}

/// What is known of a response.
pub(crate) fn recall(connection: &Connection, key: &ResponseKey, now_us: i64) -> rusqlite::Result<Recalled> {
    let turn = connection
        .prepare_cached(
            "SELECT items, input, response, until_us FROM turns WHERE id = ?1 AND tenant = ?2 AND until_us > ?3",
        )?
        .query_row(params![key.id, key.tenant, now_us], |row| {
            Ok(Turn { items: blob(row, 0)?, input: blob(row, 1)?, response: blob(row, 2)?, until_us: row.get(3)? })
        })
        .optional()?;
    let home = connection
        .prepare_cached("SELECT provider, credential, asked, model, owed FROM homes WHERE id = ?1 AND tenant = ?2")?
        .query_row(params![key.id, key.tenant], |row| {
            let text = |at: usize| row.get::<_, String>(at).map(Into::into);
            Ok(Home {
                provider: text(0)?,
                credential: row.get(1)?,
                asked: text(2)?,
                model: text(3)?,
                owed: row.get(4)?,
            })
        })
        .optional()?;
    let home = match home {
        Some(home) => Known::Own(home),
        None if is_anybodys(connection, key)? => Known::Others,
        None => Known::Nobody,
    };
    Ok(Recalled { turn, home })
}

fn blob(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Bytes> {
    row.get::<_, Vec<u8>>(at).map(Bytes::from)
}

fn is_anybodys(connection: &Connection, key: &ResponseKey) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM homes WHERE id = ?1")?.exists([key.id])
}

/// Throws away turns whose time is over, at most so many: how many they were, and bytes.
pub(crate) fn prune_expired(connection: &Connection, now_us: i64, most: usize) -> rusqlite::Result<(usize, u64)> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut delete = connection.prepare_cached(
        "DELETE FROM turns WHERE number IN (SELECT number FROM turns WHERE until_us <= ?1 ORDER BY until_us LIMIT ?2)
         RETURNING bytes",
    )?;
    let gone = delete.query_map(params![now_us, most], |row| row.get::<_, i64>(0))?;
    let gone = gone.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok((gone.len(), gone.into_iter().map(unsigned).sum()))
}

/// Of the oldest as many as have `excess` bytes, or the most that are looked at; the bytes. `None`: there are none.
fn drop_oldest(connection: &Connection, excess: u64) -> rusqlite::Result<Option<u64>> {
    let mut oldest = connection.prepare_cached("SELECT number, bytes FROM turns ORDER BY number LIMIT ?1")?;
    let found = oldest.query_map([LOOKED_AT], |row| Ok((row.get::<_, i64>(0)?, unsigned(row.get(1)?))))?;
    let (mut up_to, mut gone) = (None, 0);
    for found in found {
        let (number, bytes) = found?;
        (up_to, gone) = (Some(number), gone + bytes);
        if gone >= excess {
            break;
        }
    }
    let Some(up_to) = up_to else { return Ok(None) };
    connection.prepare_cached("DELETE FROM turns WHERE number <= ?1")?.execute([up_to])?;
    Ok(Some(gone))
}

fn keep_turn(connection: &Connection, key: &ResponseKey, turn: &Turn) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO turns (id, tenant, until_us, bytes, items, input, response) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            key.id,
            key.tenant,
            turn.until_us,
            signed(turn.bytes()),
            &turn.items[..],
            &turn.input[..],
            &turn.response[..]
        ])?;
    Ok(())
}

/// Its bytes.
fn forget_turn(connection: &Connection, key: &ResponseKey) -> rusqlite::Result<u64> {
    let mut delete = connection.prepare_cached("DELETE FROM turns WHERE id = ?1 AND tenant = ?2 RETURNING bytes")?;
    let gone = delete.query_map(params![key.id, key.tenant], |row| row.get::<_, i64>(0))?;
    gone.map(|bytes| bytes.map(unsigned)).sum()
}

fn keep_home(connection: &Connection, key: &ResponseKey, home: &Home) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO homes (id, tenant, provider, credential, asked, model, owed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            key.id,
            key.tenant,
            &*home.provider,
            home.credential,
            &*home.asked,
            &*home.model,
            home.owed
        ])?;
    Ok(())
}

/// Bytes of all turns.
pub(crate) fn bytes_of_all(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT coalesce(sum(bytes), 0) FROM turns", (), |row| row.get(0)).map(unsigned)
}

fn unsigned(bytes: i64) -> u64 {
    bytes.try_into().unwrap_or(0)
}
