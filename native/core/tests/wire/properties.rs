//! The guard judges bytes, not reads: however a stream is cut, the same comes out.

use proptest::prelude::*;

use super::run;

fn piece() -> impl Strategy<Value = String> {
    let words = [
        "GET / HTTP/1.1\r\n",
        "POST /v1/x HTTP/1.1\r\n",
        "GET / HTTP/1.0\r\n",
        "Host: a\r\n",
        "Connection: close\r\n",
        "Upgrade: b\r\n",
        "Expect: 100-continue\r\n",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "A: b\r\n",
        " folded\r\n",
        "\r\n",
        "\n",
        "\r",
        "5\r\nhello\r\n",
        "0\r\n\r\n",
        "5;x\r\n",
        "hello",
        "0\r\nT: u\r\n\r\n",
        "PRI * HTTP/2.0\r\n",
    ];
    prop_oneof![8 => prop::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => "[ -~]{0,4}"]
}

pub fn stream() -> impl Strategy<Value = Vec<u8>> {
    let free = prop::collection::vec(piece(), 0..24).prop_map(|pieces| pieces.concat());
    let good = prop::collection::vec(piece(), 0..12).prop_map(|pieces| {
        let more = pieces.concat();
        format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n{more}")
    });
    prop_oneof![free, good].prop_map(String::into_bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn cutting_changes_nothing(input in stream(), cuts in prop::collection::vec(0usize..200, 0..6)) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
        cuts.sort_unstable();
        let mut parts = Vec::new();
        let mut from = 0;
        for cut in cuts {
            parts.push(&input[from..cut]);
            from = cut;
        }
        parts.push(&input[from..]);
        let (whole, refusal) = run(&[&input]);
        let (cut, refusal_cut) = run(&parts);
        prop_assert_eq!(whole.concat(), cut.concat());
        prop_assert_eq!(refusal, refusal_cut);
    }
}
