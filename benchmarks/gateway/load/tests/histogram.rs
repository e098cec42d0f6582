use std::time::Duration;

use hoosh_load::histogram::Histogram;

#[test]
fn percentiles_are_right_to_one_percent() {
    let mut histogram = Histogram::default();
    for micros in 1..=10_000 {
        histogram.add(Duration::from_micros(micros));
    }
    assert_eq!(histogram.total(), 10_000);
    for (share, micros) in [(0.5, 5_000.0), (0.9, 9_000.0), (0.99, 9_900.0), (0.999, 9_990.0), (1.0, 10_000.0)] {
        let found = histogram.percentile(share).unwrap().as_secs_f64() * 1e6;
        assert!((found / micros - 1.0).abs() < 0.01, "{share}: {found}");
    }
}

#[test]
fn every_time_has_its_place() {
    for nanos in (0..=300).chain((8..64).flat_map(|bits| [(1u64 << bits) - 1, 1 << bits, (1 << bits) + 1])) {
        let mut histogram = Histogram::default();
        histogram.add(Duration::from_nanos(nanos));
        let found = histogram.percentile(0.5).unwrap().as_nanos() as f64;
        assert!((found - nanos as f64).abs() <= nanos as f64 / 128.0, "{nanos}: {found}");
    }
}

#[test]
fn nothing_has_no_percentile() {
    assert_eq!(Histogram::default().percentile(0.5), None);
}
