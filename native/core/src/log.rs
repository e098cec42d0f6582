//! Lines of the log: one for each request that came over HTTP, and the gateway's own words. No prompt, no answer, no
//! secret, and nothing that a terminal would obey.

use std::fmt::Write;

use crate::clock::SECOND;
use crate::config::{LogFormat, LogLevel};
use crate::json;
use crate::ledger::Row;

/// One line for `row`.
pub fn access_line(row: &Row, format: LogFormat, out: &mut Vec<u8>) {
    let time = rfc3339(row.at_us);
    match format {
        LogFormat::Json => {
            out.extend_from_slice(format!("{{\"time\":\"{time}\",").as_bytes());
            out.extend_from_slice(row.to_json().get(1..).unwrap_or("}").as_bytes());
            out.push(b'\n');
        }
        LogFormat::Off | LogFormat::Text => {
            let mut line = String::with_capacity(256);
            // Writing to a `String` cannot fail.
            let _ = text_line(row, &time, &mut line);
            line.push('\n');
            out.extend_from_slice(line.as_bytes());
        }
    }
}

fn text_line(row: &Row, time: &str, out: &mut String) -> std::fmt::Result {
    write!(out, "{time} {} {} ", row.status, row.method.unwrap_or("-"))?;
    plain(row.path.as_deref().unwrap_or("-"), out);
    out.push_str(" key=");
    plain(&row.key, out);
    for (name, value) in [("model", row.model.as_deref()), ("provider", row.provider.as_deref())] {
        if let Some(value) = value {
            write!(out, " {name}=")?;
            plain(value, out);
        }
    }
    if let Some(error) = row.error {
        write!(out, " error={error}")?;
    }
    write!(out, " ending={}", row.ending.as_str())?;
    if row.asked {
        write!(out, " attempts={} tokens={}+{}", row.attempts, row.usage.input_tokens, row.usage.output_tokens)?;
    }
    if let Some(cache) = row.cache {
        write!(out, " cache={cache}")?;
    }
    write!(out, " bytes={}+{}", row.bytes_in, row.bytes_out)?;
    if row.first_content_us > 0 {
        write!(out, " first_ms={}", milliseconds(row.first_content_us))?;
    }
    write!(out, " ms={} id=", milliseconds(row.duration_us))?;
    plain(&row.request_id, out);
    Ok(())
}

/// One line of the gateway's own.
pub fn event_line(at_us: i64, level: LogLevel, words: &str, format: LogFormat, out: &mut Vec<u8>) {
    let (time, level) = (rfc3339(at_us), level.as_str());
    if format == LogFormat::Json {
        out.extend_from_slice(format!("{{\"time\":\"{time}\",\"level\":\"{level}\",\"message\":").as_bytes());
        json::write_string(out, words);
        out.extend_from_slice(b"}\n");
    } else {
        let words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        out.extend_from_slice(format!("{time} {level} {words}\n").as_bytes());
    }
}

/// Adds `text` as one word: what is no letter, digit or visible ASCII is written as `\u{…}`.
fn plain(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            c if c.is_ascii_graphic() || c.is_alphanumeric() => out.push(c),
            c => out.extend(c.escape_unicode()),
        }
    }
}

/// With one decimal place.
fn milliseconds(us: u64) -> String {
    let tenths = us.saturating_add(50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Microseconds since 1970 as UTC, in the form of RFC 3339 with milliseconds: `2026-11-26T15:25:08.123Z`.
///
/// The date by Howard Hinnant's `civil_from_days`, which counts years from March:
/// <https://howardhinnant.github.io/date_algorithms.html>.
pub fn rfc3339(us: i64) -> String {
    let second = SECOND as i64;
    let (seconds, millis) = (us.div_euclid(second), us.rem_euclid(second) / 1_000);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}
