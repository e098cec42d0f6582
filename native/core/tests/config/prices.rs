//! `[[prices]]`

use super::{bad, good};

#[test]
fn prices_are_read_exactly() {
    let price = |text: &str| format!("[[prices]]\nmodel = \"m\"\noutput_usd_per_mtok = 0\ninput_usd_per_mtok = {text}");
    for (text, micro) in [
        ("0", 0),
        ("3", 3_000_000),
        ("0.15", 150_000),
        ("0.1", 100_000),
        ("\"0.000001\"", 1),
        ("12.500000", 12_500_000),
        ("\"2.50000000\"", 2_500_000),
        ("1_000", 1_000_000_000),
        ("1000000", 1_000_000_000_000),
    ] {
        assert_eq!(good(&price(text)).prices[0].rates.input, micro, "{text}");
    }
    for text in [
        "0.0000001",
        "-1",
        "1e3",
        "inf",
        "\"1.\"",
        "\".5\"",
        "\"\"",
        "\"1,5\"",
        "\"+1\"",
        "1000001",
        "\"99999999999999999999\"",
    ] {
        let error = bad(&price(text));
        assert_eq!(error.line, Some(4), "{text}");
        assert!(error.message.contains("must be a decimal number of USD from 0 to 1000000"), "{error}");
    }
    assert!(bad(&price("true")).message.contains("must be a decimal number, not a boolean"));
    let twice = format!("{}\n{}", price("1"), price("2"));
    assert!(bad(&twice).message.contains("has two prices"));
    let config = good(&price("\"0.000001\""));
    assert_eq!(good(&config.describe()).prices, config.prices);
}
