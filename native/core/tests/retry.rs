//! The retry budget never overspends, back-off stays in its bounds, and `Retry-After` is read in every form.

use hoosh_core::clock::{Now, SECOND};
use hoosh_core::retry::{
    backoff_us, retry_after, retry_after_ms_us, retry_after_us, RetryBudget, Verdict, MAX_RETRY_AFTER_US,
};
use hoosh_core::rng::Rng;
use proptest::prelude::*;

/// 1994-11-06T08:49:37Z, the example of RFC 9110.
const EXAMPLE: i64 = 784_111_777 * 1_000_000;

fn at(wall_us: i64) -> Now {
    Now::new(0, wall_us)
}

#[test]
fn the_share_and_the_floor_add_up_and_no_more() {
    let budget = RetryBudget::new(10, 3);
    (0..1_000).for_each(|_| budget.deposit(5));
    let granted = (0..1_000).filter(|_| budget.withdraw(6)).count();
    assert_eq!(granted, 100 + 3);
    // The floor comes back by the second, the share does not: its requests were used.
    assert_eq!((0..1_000).filter(|_| budget.withdraw(6 + SECOND)).count(), 3);
    assert_eq!((0..1_000).filter(|_| budget.withdraw(6 + SECOND + SECOND / 3 + 1)).count(), 1);
}

#[test]
fn a_quiet_night_saves_nothing_up() {
    let budget = RetryBudget::new(10, 0);
    (0..1_000).for_each(|_| budget.deposit(0));
    assert!(budget.withdraw(9 * SECOND));
    assert!(!budget.withdraw(10 * SECOND), "requests of ten seconds ago are forgotten");
}

#[test]
fn the_floor_holds_one_second_and_no_more() {
    let budget = RetryBudget::new(0, 3);
    let granted = |now| (0..100).filter(|_| budget.withdraw(now)).count();
    assert_eq!((granted(3_600 * SECOND), granted(7_200 * SECOND)), (3, 3));
}

#[test]
fn zero_means_none() {
    let budget = RetryBudget::new(0, 0);
    (0..1_000).for_each(|_| budget.deposit(0));
    assert!(!budget.withdraw(0));
}

proptest! {
    /// (seconds since the last event in tenths, is it a request)
    #[test]
    fn any_run_keeps_the_promise(
        percent in 0u32..60,
        floor in 0u32..4,
        events in prop::collection::vec((0u64..30, prop::bool::weighted(0.8)), 0..800),
    ) {
        let budget = RetryBudget::new(percent, floor);
        let (mut now, mut requests, mut retries) = (0u64, 0u64, 0u64);
        for (tenths, request) in events {
            // Most events come in bursts.
            now += if tenths < 20 { 0 } else { tenths * SECOND / 10 };
            if request {
                budget.deposit(now);
                requests += 1;
            } else if budget.withdraw(now) {
                retries += 1;
            }
            let allowed = requests * u64::from(percent) / 100 + u64::from(floor) * (now / SECOND + 2);
            prop_assert!(retries <= allowed, "{retries} retries of {requests} requests in {now} µs");
        }
    }

    #[test]
    fn back_off_stays_in_its_bounds(attempt: u32, base: u64, max in 0u64..1 << 40, random: u64) {
        let longest = u128::from(base) << attempt.min(60);
        let longest = if base > 0 && attempt > 60 { u128::from(max) } else { longest.min(u128::from(max)) };
        prop_assert!(u128::from(backoff_us(attempt, base, max, random)) <= longest * 1_000);
    }

    #[test]
    fn any_bytes_are_read_without_harm(value in prop::collection::vec(any::<u8>(), 0..40), wall: i64) {
        for wait in [retry_after_us(&value, at(wall)), retry_after_ms_us(&value)].into_iter().flatten() {
            prop_assert!(wait <= MAX_RETRY_AFTER_US);
        }
    }

    #[test]
    fn the_three_date_forms_agree(unix in 0i64..4_000_000_000) {
        let (days, rest) = (unix / 86_400, unix % 86_400);
        let (year, month, day) = civil(days);
        let name = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(days % 7) as usize];
        let long = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"][(days % 7) as usize];
        let (h, m, s) = (rest / 3_600, rest / 60 % 60, rest % 60);
        let now = at((unix - 77) * 1_000_000);
        let fixed = format!("{name}, {day:02} {month} {year} {h:02}:{m:02}:{s:02} GMT");
        prop_assert_eq!(retry_after_us(fixed.as_bytes(), now), Some(77 * SECOND));
        let ctime = format!("{name} {month} {day:2} {h:02}:{m:02}:{s:02} {year}");
        prop_assert_eq!(retry_after_us(ctime.as_bytes(), now), Some(77 * SECOND));
        if year < 2070 {
            let obsolete = format!("{long}, {day:02}-{month}-{:02} {h:02}:{m:02}:{s:02} GMT", year % 100);
            prop_assert_eq!(retry_after_us(obsolete.as_bytes(), now), Some(77 * SECOND));
        }
    }
}

/// The date of a day since 1970, by walking; the code under test goes the other way by formula.
fn civil(mut days: i64) -> (i64, &'static str, i64) {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    for year in 1970.. {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let lengths = [31, 28 + leap as i64, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        for (month, length) in months.iter().zip(lengths) {
            if days < length {
                return (year, month, days + 1);
            }
            days -= length;
        }
    }
    unreachable!()
}

#[test]
fn back_off_is_drawn_from_the_whole_range() {
    assert_eq!(backoff_us(0, 250, 8_000, 0), 0);
    assert_eq!(backoff_us(0, 250, 8_000, u64::MAX), 250_000);
    assert_eq!(backoff_us(3, 250, 8_000, u64::MAX), 2_000_000);
    assert_eq!(backoff_us(30, 250, 8_000, u64::MAX), 8_000_000);
    assert_eq!(backoff_us(u32::MAX, 250, 8_000, 1 << 63), 4_000_000);
    assert_eq!(backoff_us(5, 0, 8_000, u64::MAX), 0);
}

#[test]
fn seconds_and_milliseconds() {
    let cases: [(&str, Option<u64>); 18] = [
        ("0", Some(0)),
        ("7", Some(7 * SECOND)),
        (" 120 ", Some(120 * SECOND)),
        ("1.5", Some(SECOND * 3 / 2)),
        ("0.0000019", Some(1)),
        ("86401", Some(MAX_RETRY_AFTER_US)),
        ("1000000000", Some(MAX_RETRY_AFTER_US)),
        ("99999999999999999999999999", Some(MAX_RETRY_AFTER_US)),
        ("", None),
        ("-1", None),
        ("+5", None),
        ("1e3", None),
        ("1.", None),
        (".5", None),
        ("1.2.3", None),
        ("nan", None),
        ("soon", None),
        ("٣", None),
    ];
    for (value, expected) in cases {
        assert_eq!(retry_after_us(value.as_bytes(), at(0)), expected, "{value:?}");
    }
    assert_eq!(retry_after_ms_us(b"250"), Some(250_000));
    assert_eq!(retry_after_ms_us(b"12.5"), Some(12_500));
    assert_eq!(retry_after_ms_us(b"-3"), None);
}

#[test]
fn the_three_forms_of_an_http_date() {
    let forms = ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"];
    for form in forms {
        let read = |wall| retry_after_us(form.as_bytes(), at(wall));
        assert_eq!(read(EXAMPLE - 5_000_000), Some(5 * SECOND), "{form}");
        assert_eq!(read(EXAMPLE), Some(0), "{form}");
        assert_eq!(read(EXAMPLE + 1), Some(0), "a date in the past: {form}");
        assert_eq!(read(0), Some(MAX_RETRY_AFTER_US), "{form}");
        assert_eq!(read(i64::MIN), Some(MAX_RETRY_AFTER_US), "{form}");
    }
    let wrong = [
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Son, 06 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Tue, 29 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 19941 08:49:37 GMT",
        "1994-11-06T08:49:37Z",
    ];
    for value in wrong {
        assert_eq!(retry_after_us(value.as_bytes(), at(0)), None, "{value}");
    }
    assert_eq!(retry_after_us(b"Thu, 29 Feb 2024 23:59:60 GMT", at(1_709_251_195_000_000)), Some(5 * SECOND));
}

#[test]
fn milliseconds_win_where_they_can_be_read() {
    let read = |headers: &[(&str, &str)]| retry_after(&headers, at(0));
    assert_eq!(read(&[("Retry-After", "2"), ("Retry-After-Ms", "150")]), Some(150_000));
    assert_eq!(read(&[("retry-after", "2"), ("retry-after-ms", "soon")]), Some(2 * SECOND));
    assert_eq!(read(&[("date", "2")]), None);
}

#[test]
fn statuses() {
    for status in [408, 429, 500, 502, 503, 504, 529, 599] {
        assert_eq!(Verdict::of_status(status), Verdict::Retry, "{status}");
    }
    for status in [200, 301, 400, 401, 403, 404, 409, 413, 422, 499, 600] {
        assert_eq!(Verdict::of_status(status), Verdict::GiveUp, "{status}");
    }
}

#[test]
fn the_generator_is_splitmix64() {
    // Reference values of the seed 1234567 as published with Java's SplittableRandom comparisons (Rosetta Code).
    let mut rng = Rng::new(1_234_567);
    assert_eq!(rng.next_u64(), 6_457_827_717_110_365_317);
    assert_eq!(rng.next_u64(), 3_203_168_211_198_807_973);
    assert_eq!(rng.next_u64(), 9_817_491_932_198_370_423);
    let mut seen = [0u32; 7];
    (0..7_000).for_each(|_| seen[rng.below(7) as usize] += 1);
    assert!(seen.iter().all(|count| (800..1_200).contains(count)), "{seen:?}");
    assert_eq!(rng.below(0), 0);
}

/// `cargo test --release -- --ignored --nocapture cost`
#[test]
#[ignore = "prints figures"]
fn cost() {
    let budget = RetryBudget::new(10, 10);
    let rounds = 10_000_000u64;
    let begun = std::time::Instant::now();
    (0..rounds).for_each(|now| budget.deposit(std::hint::black_box(now)));
    println!("retry deposit:  {:.1} ns", begun.elapsed().as_nanos() as f64 / rounds as f64);
    let begun = std::time::Instant::now();
    (0..rounds).for_each(|now| _ = std::hint::black_box(budget.withdraw(now)));
    println!("retry withdraw: {:.1} ns", begun.elapsed().as_nanos() as f64 / rounds as f64);
}
