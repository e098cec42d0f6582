//! Cache keys: one for all spellings of a request, another for every other request.

mod spelling;

use hoosh_core::cachekey::{key, key_of, IGNORED};
use hoosh_core::json::ErrorKind;

fn of(body: &str) -> String {
    key_of(body.as_bytes(), "t").unwrap()
}

fn all_equal(bodies: &[&str]) {
    for body in bodies {
        assert_eq!(of(body), of(bodies[0]), "{body} and {}", bodies[0]);
    }
}

fn all_distinct(bodies: &[&str]) {
    for (n, a) in bodies.iter().enumerate() {
        for b in &bodies[..n] {
            assert_ne!(of(a), of(b), "{a} and {b}");
        }
    }
}

/// Stored keys outlive a release: if this changes, so must the version in the canonical form.
#[test]
fn the_digest_is_pinned() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"h\u00e9\n"}],"temperature":0.70,"n":-10,"stop":null,"logprobs":true,"echo":false,"seed":0}"#;
    let mut form = b"hoosh1\x06team-a\x04chat{".to_vec();
    form.extend_from_slice(b"k\x01n-\x02\x011");
    form.extend_from_slice(b"k\x04echof");
    form.extend_from_slice(b"k\x04seedz");
    form.extend_from_slice(b"k\x04stopn");
    form.extend_from_slice(b"k\x05models\x01m");
    form.extend_from_slice(b"k\x08logprobst");
    form.extend_from_slice("k\x08messages[{k\x04roles\x04userk\x07contents\x04hé\n}]".as_bytes());
    form.extend_from_slice(b"k\x0btemperature+\x01\x017}");
    let found = key(body.as_bytes(), "team-a", "chat").unwrap();
    assert_eq!(found.0, *blake3::hash(&form).as_bytes());
    assert_eq!(found.to_hex(), "175e016a93595921bb9e748aa73ecd9f2beec10ad3d7c1c9d4767b11044d2175");
}

#[test]
fn lengths_and_exponents_take_more_bytes_when_they_must() {
    let long = "x".repeat(200);
    let mut form = b"hoosh1\x01t\x00{k\x01as\xc8\x01".to_vec();
    form.extend_from_slice(long.as_bytes());
    form.extend_from_slice(b"k\x01b-\xac\x02\x0212}");
    assert_eq!(of(&format!("{{\"a\":\"{long}\",\"b\":-12e150}}")), blake3::hash(&form).to_hex().to_string());
}

#[test]
fn spelling_does_not_count() {
    all_equal(&[
        r#"{"a":1,"b":{"c":2,"d":3}}"#,
        r#"{"b":{"d":3,"c":2},"a":1}"#,
        " { \"b\" : {\"c\":2 ,\n\"d\":3} , \"a\":1 } ",
    ]);
    all_equal(&[r#"{"a":"A/é😀\n"}"#, r#"{"\u0061":"\u0041\/\u00e9\ud83d\ude00\u000A"}"#]);
    all_equal(&[r#"{"x":{"a":1,"bb":2}}"#, r#"{"x":{"b\u0062":2,"\u0061":1}}"#]);
    all_equal(&[
        "{\"a\":1}",
        "{\"a\":1.0}",
        "{\"a\":1e0}",
        "{\"a\":10e-1}",
        "{\"a\":0.1E+1}",
        "{\"a\":100e-02}",
        "{\"a\":1.000e00}",
    ]);
    all_equal(&["{\"a\":0}", "{\"a\":-0}", "{\"a\":0.0}", "{\"a\":-0.00e5}", "{\"a\":0e99999999999999999999}"]);
    all_equal(&["{\"a\":-1200}", "{\"a\":-1.2e3}", "{\"a\":-12E2}", "{\"a\":-0.0012e6}"]);
    all_equal(&["{\"a\":90071992547409930000000}", "{\"a\":9007199254740993e7}"]);
}

#[test]
fn meaning_does() {
    all_distinct(&[
        "{}",
        r#"{"a":null}"#,
        r#"{"a":true}"#,
        r#"{"a":false}"#,
        r#"{"a":0}"#,
        r#"{"a":""}"#,
        r#"{"a":[]}"#,
        r#"{"a":{}}"#,
        r#"{"a":"null"}"#,
        r#"{"a":"0"}"#,
        r#"{"a":[null]}"#,
        r#"{"a":[[]]}"#,
        r#"{"a":[{}]}"#,
        r#"{"a":[[],[]]}"#,
        r#"{"a":"n"}"#,
        r#"{"b":null}"#,
        r#"{"a":["a","b"]}"#,
        r#"{"a":["b","a"]}"#,
        r#"{"a":["ab"]}"#,
        r#"{"a":["a","b",""]}"#,
        r#"{"a":[["a"],"b"]}"#,
        r#"{"a":[["a","b"]]}"#,
        r#"{"a":{"a":"b"}}"#,
        r#"{"a":{"a":{"b":""}}}"#,
        r#"{"a":{"a":{},"b":""}}"#,
        r#"{"a":{"b":1,"c":2}}"#,
        r#"{"a":{"b":2,"c":1}}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\udc00"}"#,
        r#"{"a":"\ufffd"}"#,
        r#"{"a":"A"}"#,
        r#"{"a":"\\u0041"}"#,
        r#"{"a":"é"}"#,
        r#"{"a":"e\u0301"}"#,
        r#"{"a":" "}"#,
        r#"{"a":"\u00a0"}"#,
    ]);
    let numbers = [
        "1",
        "-1",
        "10",
        "0.1",
        "11",
        "101",
        "1.01",
        "1e100",
        "1e-100",
        "9007199254740992",
        "9007199254740993",
        "1e999",
        "1e1000",
        "0.1000000000000000055511151231257827",
        "1e999999999999999999",
        "1e999999999999999998",
        "12",
        "21",
        "1.2",
    ];
    let bodies: Vec<_> = numbers.iter().map(|number| format!("{{\"a\":{number}}}")).collect();
    all_distinct(&bodies.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn long_texts_and_many_fields() {
    for len in [126, 127, 128, 129, 16_383, 16_384, 70_000] {
        let (a, b) = ("x".repeat(len), "x".repeat(len + 1));
        assert_ne!(of(&format!("{{\"a\":\"{a}\"}}")), of(&format!("{{\"a\":\"{b}\"}}")));
        assert_eq!(of(&format!("{{\"a\":\"{a}\"}}")), of(&format!("{{\"a\":\"\\u0078{}\"}}", &a[1..])));
        assert_ne!(of(&format!("{{\"a\":{len}1}}")), of(&format!("{{\"a\":{len}2}}")));
    }
    let fields: Vec<_> = (0..200).map(|n| format!("\"k{n}\":{{\"a\":{n},\"b\":[{n}]}}")).collect();
    let back: Vec<_> = fields.iter().rev().cloned().collect();
    let nested = |fields: &[String]| format!("{{{},\"z\":{{{}}}}}", fields.join(","), fields.join(","));
    assert_eq!(of(&nested(&fields)), of(&nested(&back)));
    assert_ne!(of(&nested(&fields)), of(&nested(&fields[1..])));
}

#[test]
fn ignored_fields_are_ignored_at_the_top_only() {
    let plain = of(r#"{"model":"m","messages":[]}"#);
    for (name, reason) in IGNORED {
        assert!(reason.len() > 10, "{name} needs a reason");
        assert_eq!(of(&format!("{{\"{name}\":{{\"x\":[1]}},\"model\":\"m\",\"messages\":[]}}")), plain, "{name}");
        assert_ne!(of(&format!("{{\"model\":\"m\",\"messages\":[{{\"{name}\":1}}]}}")), plain, "{name}");
    }
    assert_eq!(of(r#"{"model":"m","messages":[],"\u0073tream":true}"#), plain);
    for name in [
        "service_tier",
        "store",
        "n",
        "seed",
        "tools",
        "response_format",
        "logit_bias",
        "unknown",
        "streams",
        "Stream",
        "",
    ] {
        assert_ne!(of(&format!("{{\"model\":\"m\",\"messages\":[],\"{name}\":1}}")), plain, "{name}");
    }
}

#[test]
fn tenants_and_endpoints_are_apart() {
    let body = br#"{"model":"m"}"#;
    let parts = ["", "a", "ab", "b", "bc", "c", "abc", "\u{1}a", "{", "}", "a{", "\0"];
    let mut seen = std::collections::HashSet::new();
    for tenant in parts {
        for endpoint in parts {
            assert!(seen.insert(key(body, tenant, endpoint).unwrap()), "{tenant:?} {endpoint:?}");
        }
    }
    assert_eq!(key_of(body, "a").unwrap(), key(body, "a", "").unwrap().to_hex());
}

#[test]
fn what_has_no_key() {
    let refused = |body: &str| key_of(body.as_bytes(), "t").unwrap_err();
    let nested = refused(r#"{"a":[{"b":1,"c":2,"\u0062":1}]}"#);
    assert_eq!((nested.kind, nested.key.as_deref()), (ErrorKind::DuplicateKey, Some("b")));
    assert_eq!(refused(r#"{"a":1,"a":1}"#).kind, ErrorKind::DuplicateKey);
    let exponent = refused(r#"{"a":[0, 1e1000000000000000000]}"#);
    assert_eq!((exponent.kind, exponent.offset), (ErrorKind::Exponent, 9));
    assert_eq!(refused("[]").kind, ErrorKind::NotAnObject);
    assert_eq!(refused("{").kind, ErrorKind::Truncated);
    assert_eq!(refused(r#"{"a":{"b":1,"b":1}}"#).kind, ErrorKind::DuplicateKey);
    // In an ignored field, they cannot make readers disagree on the answer.
    assert!(key_of(br#"{"metadata":{"b":1,"b":1}}"#, "t").is_ok());
}

#[test]
fn deep_bodies() {
    let deep = |fields: &str| format!("{{\"a\":{}1{}}}", format!("[{{{fields}").repeat(60), "}]".repeat(60));
    assert_eq!(of(&deep("\"b\":2,\"a\":")), of(&deep("\"b\":2.0, \"a\":")));
    assert_ne!(of(&deep("\"b\":2,\"a\":")), of(&deep("\"b\":3,\"a\":")));
}
