//! Rows in, and out again as JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use hoosh_core::json::write_string;
use hoosh_core::ledger::Row;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{params_from_iter, Connection};

use crate::accounts::{add_used, signed};

/// The columns that `Row::to_json` has, in its order, but for `asked`, which is the table; a test compares them.
pub(crate) const COLUMNS: &[&str] = &[
    "request_id",
    "at_us",
    "key",
    "budget",
    "method",
    "path",
    "endpoint",
    "model",
    "provider",
    "upstream_model",
    "attempts",
    "status",
    "ending",
    "error",
    "stream",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_written_tokens",
    "cache_written_long_tokens",
    "usage_source",
    "cost_nano_usd",
    "overrun",
    "terminator_added",
    "loss",
    "cache",
    "bytes_in",
    "bytes_out",
    "first_content_us",
    "duration_us",
];

/// Of the columns, those that are true or false.
const FLAGS: &[&str] = &["stream", "overrun", "terminator_added"];

/// A row's place: run, group, position.
const PLACE: usize = 3;

/// Which of the two kinds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An upstream was asked: kept for ever.
    Ledger,
    /// None was.
    Requests,
}

impl Kind {
    fn table(self) -> &'static str {
        match self {
            Kind::Ledger => "ledger",
            Kind::Requests => "requests",
        }
    }
}

/// Appends a group. Of one that is there already nothing is booked again: its answer was lost.
pub(crate) fn append(connection: &Connection, run: i64, group: u64, rows: &[Row]) -> rusqlite::Result<()> {
    let mut asked = connection.prepare_cached(&insert_into(Kind::Ledger))?;
    let mut not_asked = connection.prepare_cached(&insert_into(Kind::Requests))?;
    let mut used: BTreeMap<&Arc<str>, u64> = BTreeMap::new();
    for (position, row) in rows.iter().enumerate() {
        let values = values(run, group, position, row).into_iter().map(ToSqlOutput::Borrowed);
        let insert = if row.asked { &mut asked } else { &mut not_asked };
        let new = insert.execute(params_from_iter(values))? == 1;
        if let Some(budget) = row.budget.as_ref().filter(|_| new && row.asked) {
            let sum = used.entry(budget).or_default();
            *sum = sum.saturating_add(row.usage.total());
        }
    }
    used.into_iter().try_for_each(|(budget, tokens)| add_used(connection, run, budget, tokens))
}

/// Deletes the records of requests from before `before_us`, some at a time; the result is how many.
pub(crate) fn prune_requests(connection: &Connection, before_us: i64, most: usize) -> rusqlite::Result<usize> {
    let delete = "DELETE FROM requests WHERE (run, group_number, position) IN
                  (SELECT run, group_number, position FROM requests WHERE at_us < ?1 ORDER BY at_us LIMIT ?2)";
    connection.prepare_cached(delete)?.execute((before_us, most as i64))
}

/// The newest `most` records of a kind, oldest first, each as `Row::to_json` writes it.
pub(crate) fn newest(connection: &Connection, kind: Kind, most: usize) -> rusqlite::Result<Vec<String>> {
    let columns = COLUMNS.join(", ");
    let order = "ORDER BY run DESC, group_number DESC, position DESC";
    let mut select = connection.prepare(&format!("SELECT {columns} FROM {} {order} LIMIT ?1", kind.table()))?;
    let rows = select.query_map([most as i64], |row| {
        let cells = COLUMNS.iter().enumerate().map(|(at, &name)| Ok((name, row.get_ref(at)?)));
        Ok(json(kind, cells.collect::<rusqlite::Result<Vec<_>>>()?))
    })?;
    let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    rows.reverse();
    Ok(rows)
}

fn insert_into(kind: Kind) -> String {
    let table = kind.table();
    let columns = COLUMNS.join(", ");
    let places: Vec<String> = (1..=COLUMNS.len() + PLACE).map(|at| format!("?{at}")).collect();
    let places = places.join(", ");
    format!("INSERT INTO {table} (run, group_number, position, {columns}) VALUES ({places}) ON CONFLICT DO NOTHING")
}

fn values(run: i64, group: u64, position: usize, row: &Row) -> [ValueRef<'_>; 33] {
    let count = |count: u64| ValueRef::Integer(signed(count));
    let flag = |flag: bool| ValueRef::Integer(flag.into());
    [
        ValueRef::Integer(run),
        count(group),
        count(position as u64),
        text(Some(&row.request_id)),
        ValueRef::Integer(row.at_us),
        text(Some(&row.key)),
        text(row.budget.as_deref()),
        text(row.method),
        text(row.path.as_deref()),
        text(Some(row.endpoint)),
        text(row.model.as_deref()),
        text(row.provider.as_deref()),
        text(row.upstream_model.as_deref()),
        count(row.attempts.into()),
        count(row.status.into()),
        text(Some(row.ending.as_str())),
        text(row.error),
        flag(row.stream),
        count(row.usage.input_tokens),
        count(row.usage.output_tokens),
        count(row.usage.cached_tokens),
        count(row.usage.cache_written_tokens),
        count(row.usage.cache_written_long_tokens),
        text(Some(row.usage.source.as_str())),
        row.cost_nano_usd.map_or(ValueRef::Null, count),
        flag(row.overrun),
        flag(row.terminator_added),
        text(row.loss.as_deref()),
        text(row.cache),
        count(row.bytes_in),
        count(row.bytes_out),
        count(row.first_content_us),
        count(row.duration_us),
    ]
}

fn text(text: Option<&str>) -> ValueRef<'_> {
    text.map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes()))
}

fn json(kind: Kind, cells: Vec<(&str, ValueRef<'_>)>) -> String {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(if kind == Kind::Ledger { b"{\"asked\":true" } else { b"{\"asked\":false" });
    for (name, value) in cells {
        out.push(b',');
        write_string(&mut out, name);
        out.push(b':');
        match value {
            ValueRef::Text(text) => write_string(&mut out, &String::from_utf8_lossy(text)),
            ValueRef::Integer(flag) if FLAGS.contains(&name) => {
                out.extend_from_slice(if flag != 0 { b"true" } else { b"false" });
            }
            ValueRef::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
            ValueRef::Real(_) | ValueRef::Blob(_) | ValueRef::Null => out.extend_from_slice(b"null"),
        }
    }
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}
