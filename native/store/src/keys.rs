//! Which keys were seen: their names, and a fingerprint that tells a key from its successor of the same name.

use rusqlite::{params, Connection};

/// A configured key.
#[derive(Clone)]
pub struct Key {
    /// As rows call it.
    pub name: String,
    /// The secret, of which a fingerprint alone is kept.
    pub token: String,
}

/// Hex digits of a fingerprint: enough to tell two keys apart, and too few to try guesses at one against.
const DIGITS: usize = 8;

/// Notes that these keys are configured on `day` (since 1970).
pub(crate) fn note(connection: &Connection, keys: &[Key], day: i64) -> rusqlite::Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let salt: Vec<u8> = connection.query_row("SELECT value FROM meta WHERE name = 'salt'", (), |row| row.get(0))?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO keys VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT DO UPDATE SET last_seen_day = ?3 WHERE last_seen_day < ?3",
    )?;
    for key in keys {
        insert.execute(params![key.name, fingerprint(&salt, &key.token), day])?;
    }
    Ok(())
}

fn fingerprint(salt: &[u8], token: &str) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("hoosh store 2026-11 key fingerprint");
    hasher.update(salt);
    hasher.update(token.as_bytes());
    hasher.finalize().to_hex()[..DIGITS].to_owned()
}
