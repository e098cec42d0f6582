//! The writer against a naive one that looks at the whole text after every byte.

use hoosh_candle::stop::Writer;
use proptest::prelude::*;

/// The text up to the first byte that completes a stop string, whether there was one, and how many bytes that took.
fn naive(bytes: &[u8], stops: &[String]) -> (String, bool) {
    for end in 1..=bytes.len() {
        let longest = stops.iter().filter(|stop| bytes[..end].ends_with(stop.as_bytes())).map(String::len).max();
        if let Some(length) = longest {
            return (String::from_utf8_lossy(&bytes[..end - length]).into_owned(), true);
        }
    }
    (String::from_utf8_lossy(bytes).into_owned(), false)
}

/// Few letters, so that stop strings come, overlap and almost come; and characters of several bytes, whole and cut.
fn token() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'c')], 0..5),
        1 => Just("é".as_bytes().to_vec()),
        1 => Just("🙂".as_bytes().to_vec()),
        1 => proptest::collection::vec(prop_oneof![Just(0xf0u8), Just(0x9f), Just(0x99), Just(0x82), Just(0xc3), Just(0xa9)], 1..3),
    ]
}

fn stop() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[abc]{1,4}", 1 => "[ab]{0,2}é[ab]{0,2}", 1 => "🙂[ab]{0,2}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn writes_what_the_naive_one_does(
        tokens in proptest::collection::vec(token(), 0..14),
        stops in proptest::collection::vec(stop(), 0..4),
    ) {
        let (text, stopped) = naive(&tokens.concat(), &stops);
        let mut writer = Writer::new(&stops);
        let mut written = String::new();
        let mut ended = false;
        for token in &tokens {
            let piece = writer.push(token);
            written.push_str(&piece.text);
            // What was given once cannot be taken back.
            prop_assert!(text.starts_with(&written), "{written:?} is no beginning of {text:?}");
            if piece.stopped {
                ended = true;
                break;
            }
        }
        if !ended {
            written.push_str(&writer.finish());
        }
        prop_assert_eq!(written, text);
        prop_assert_eq!(ended, stopped);
    }

    #[test]
    fn holds_back_no_more_than_can_become_a_stop(
        tokens in proptest::collection::vec("[abc]{1,3}", 1..10),
        stops in proptest::collection::vec("[abc]{2,4}", 1..4),
    ) {
        let mut writer = Writer::new(&stops);
        let (mut given, mut taken) = (String::new(), String::new());
        for token in &tokens {
            taken.push_str(token);
            let piece = writer.push(token.as_bytes());
            given.push_str(&piece.text);
            if piece.stopped {
                break;
            }
            let held = &taken[given.len()..];
            let can_become = stops.iter().any(|stop| stop.len() > held.len() && stop.starts_with(held));
            prop_assert!(held.is_empty() || can_become, "{held:?} was held back for {stops:?}");
        }
    }
}
