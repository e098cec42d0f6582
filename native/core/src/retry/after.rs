//! `Retry-After`: RFC 9110 section 10.2.3 (seconds or an HTTP date), and the `retry-after-ms` that OpenAI's and Azure's
//! services send and their SDKs prefer.

use crate::clock::{Now, MILLISECOND, SECOND};
use crate::http::HeaderView;

/// The longest time believed: a day. Whoever says more means "long", and the breaker will probe anyway.
pub const MAX_RETRY_AFTER_US: u64 = 86_400 * SECOND;

/// How long an answer asks us to wait, microseconds from now: `retry-after-ms` if it can be read, else `retry-after`.
pub fn retry_after(headers: &dyn HeaderView, now: Now) -> Option<u64> {
    let milliseconds = headers.get("retry-after-ms").and_then(retry_after_ms_us);
    milliseconds.or_else(|| headers.get("retry-after").and_then(|value| retry_after_us(value, now)))
}

/// Reads a `Retry-After` value: seconds (a fraction is allowed, as providers send it), or an HTTP date in any of its
/// three forms against the wall clock. A date in the past is 0; more than a day is a day; anything else is `None`.
pub fn retry_after_us(value: &[u8], now: Now) -> Option<u64> {
    let value = value.trim_ascii();
    if let Some(wait) = decimal(value, SECOND) {
        return Some(wait);
    }
    let at_us = http_date(value)?.checked_mul(SECOND as i64)?;
    Some(u64::try_from(at_us.saturating_sub(now.wall_us)).unwrap_or(0).min(MAX_RETRY_AFTER_US))
}

/// Reads a `retry-after-ms` value: milliseconds, a fraction allowed. Bounds as for [`retry_after_us`].
pub fn retry_after_ms_us(value: &[u8]) -> Option<u64> {
    decimal(value.trim_ascii(), MILLISECOND)
}

/// `digits[.digits]` times `unit` (a power of ten), at most a day; digits finer than a microsecond are dropped.
fn decimal(value: &[u8], unit: u64) -> Option<u64> {
    let dot = value.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = match dot {
        Some(dot) => (&value[..dot], &value[dot + 1..]),
        None => (value, &b"0"[..]),
    };
    if whole.is_empty() || fraction.is_empty() || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |byte: &u8| u64::from(byte - b'0');
    let whole = whole.iter().fold(0u64, |sum, byte| sum.saturating_mul(10).saturating_add(digit(byte)));
    let mut total = whole.saturating_mul(unit);
    let mut place = unit;
    for byte in fraction {
        place /= 10;
        total = total.saturating_add(digit(byte) * place);
    }
    Some(total.min(MAX_RETRY_AFTER_US))
}

/// Seconds since the epoch of an HTTP date (RFC 9110 section 5.6.7). The weekday must be a weekday; that it is the
/// right one is not checked, because nothing hangs on it.
fn http_date(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    let words: Vec<&str> = text.split_ascii_whitespace().take(7).collect();
    match words[..] {
        // Sun, 06 Nov 1994 08:49:37 GMT
        [weekday, day, month, year, time, "GMT"] => {
            DAYS.contains(&weekday.strip_suffix(',')?).then_some(())?;
            seconds(digits(year, 4)?, month, digits(day, 2)?, time)
        }
        // Sunday, 06-Nov-94 08:49:37 GMT
        [weekday, date, time, "GMT"] => {
            LONG_DAYS.contains(&weekday.strip_suffix(',')?).then_some(())?;
            let mut parts = date.split('-');
            let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
            parts.next().is_none().then_some(())?;
            seconds(full_year(digits(year, 2)?), month, digits(day, 2)?, time)
        }
        // Sun Nov  6 08:49:37 1994
        [weekday, month, day, time, year] => {
            DAYS.contains(&weekday).then_some(())?;
            seconds(digits(year, 4)?, month, digits(day, day.len())?, time)
        }
        _ => None,
    }
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LONG_DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The obsolete form has two digits. RFC 9110 resolves them by "not more than 50 years ahead"; the pivot of RFC 6265
/// (70 and above is the past) agrees with it until 2070 and needs no clock.
fn full_year(two_digits: i64) -> i64 {
    two_digits + if two_digits >= 70 { 1900 } else { 2000 }
}

fn digits(text: &str, length: usize) -> Option<i64> {
    let right = text.len() == length && (1..=4).contains(&length) && text.bytes().all(|byte| byte.is_ascii_digit());
    right.then(|| text.parse().ok()).flatten()
}

fn seconds(year: i64, month: &str, day: i64, time: &str) -> Option<i64> {
    let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
    let mut parts = time.split(':').map(|part| digits(part, 2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = if month == 2 { 28 + leap as i64 } else { 30 + ((month + month / 8) & 1) };
    let valid = parts.next().is_none() && (1..=month_days).contains(&day) && hour < 24 && minute < 60 && second <= 60; // a leap second
    valid.then(|| days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Days since the epoch (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}
