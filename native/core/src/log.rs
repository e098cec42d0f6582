//! Lines of the log: one for each request that came over HTTP, and the gateway's own words. No prompt, no answer, no
//! secret, and nothing that a terminal would obey.

use crate::clock::SECOND;
use crate::config::{LogFormat, LogLevel};
use crate::json;
use crate::ledger::Row;

/// One line for `row`. Every request has one, so that it is put together without `format!`, which takes five times the
/// instructions.
pub fn access_line(row: &Row, format: LogFormat, out: &mut Vec<u8>) {
    match format {
        LogFormat::Json => {
            out.extend_from_slice(b"{\"time\":\"");
            date(row.at_us, out);
            out.extend_from_slice(b"\",");
            out.extend_from_slice(row.to_json().get(1..).unwrap_or("}").as_bytes());
        }
        LogFormat::Off | LogFormat::Text => text_line(row, out),
    }
    out.push(b'\n');
}

fn text_line(row: &Row, out: &mut Vec<u8>) {
    date(row.at_us, out);
    number(b" ", row.status.into(), out);
    out.push(b' ');
    out.extend_from_slice(row.method.unwrap_or("-").as_bytes());
    let word = |name: &[u8], value: Option<&str>, out: &mut Vec<u8>| {
        if let Some(value) = value {
            out.extend_from_slice(name);
            plain(value, out);
        }
    };
    word(b" ", Some(row.path.as_deref().unwrap_or("-")), out);
    word(b" key=", Some(&row.key), out);
    word(b" model=", row.model.as_deref(), out);
    word(b" provider=", row.provider.as_deref(), out);
    word(b" error=", row.error, out);
    word(b" ending=", Some(row.ending.as_str()), out);
    if row.asked {
        number(b" attempts=", row.attempts.into(), out);
        number(b" tokens=", row.usage.input_tokens, out);
        number(b"+", row.usage.output_tokens, out);
    }
    word(b" cache=", row.cache, out);
    number(b" bytes=", row.bytes_in, out);
    number(b"+", row.bytes_out, out);
    if row.first_content_us > 0 {
        milliseconds(b" first_ms=", row.first_content_us, out);
    }
    milliseconds(b" ms=", row.duration_us, out);
    word(b" id=", Some(&row.request_id), out);
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
fn plain(text: &str, out: &mut Vec<u8>) {
    if text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return out.extend_from_slice(text.as_bytes());
    }
    for c in text.chars() {
        match c {
            '\\' => out.extend_from_slice(b"\\\\"),
            c if c.is_ascii_graphic() || c.is_alphanumeric() => {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            c => out.extend(c.escape_unicode().map(|escape| escape as u8)),
        }
    }
}

fn number(name: &[u8], value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// With one decimal place.
fn milliseconds(name: &[u8], us: u64, out: &mut Vec<u8>) {
    let tenths = us.saturating_add(50) / 100;
    number(name, tenths / 10, out);
    number(b".", tenths % 10, out);
}

/// Microseconds since 1970 as UTC, in the form of RFC 3339 with milliseconds: `2026-11-26T15:25:08.123Z`.
///
/// The date by Howard Hinnant's `civil_from_days`, which counts years from March:
/// <https://howardhinnant.github.io/date_algorithms.html>.
fn date(us: i64, out: &mut Vec<u8>) {
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
    for (number, digits, after) in [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (hour, 2, b':'),
        (minute, 2, b':'),
        (second, 2, b'.'),
        (millis, 3, b'Z'),
    ] {
        padded(number, digits, out);
        out.push(after);
    }
}

/// At least so many digits, with zeros in front.
fn padded(number: i64, digits: usize, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(number);
    out.extend(std::iter::repeat_n(b'0', digits.saturating_sub(text.len())));
    out.extend_from_slice(text.as_bytes());
}

/// The same as a text.
pub fn rfc3339(us: i64) -> String {
    let mut out = Vec::with_capacity(24);
    date(us, &mut out);
    String::from_utf8(out).unwrap_or_default()
}
