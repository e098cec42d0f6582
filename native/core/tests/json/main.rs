//! The JSON kernel against RFC 8259, serde_json and itself.

mod properties;

use hoosh_core::json::{splice, validate, Edits, ErrorKind, Index, Kind, Limits, Value};

fn scan(text: &[u8]) -> Result<Index, ErrorKind> {
    Index::scan(text, Limits::default()).map_err(|error| error.kind)
}

fn refusal(text: &[u8]) -> (ErrorKind, usize) {
    let error = Index::scan(text, Limits::default()).expect_err("should be refused");
    (error.kind, error.offset)
}

fn is_json(text: &[u8]) -> bool {
    validate(text, Limits { max_depth: u32::MAX }).is_ok()
}

#[rustfmt::skip]
const ACCEPTED: &[&str] = &[
    "[]", "{}", "[[]]", "[{}]", "{\"a\":[]}", " [ ] ", "\t\r\n{ }\n", "null", "true", "false", "0", "\"\"", "\"a\"",
    "-0", "-0.0", "1", "12", "-12", "0.5", "-0.5", "10.25", "1e5", "1E5", "1e+5", "1e-5", "0e0", "0E+1", "1.5e10",
    "123456789012345678901234567890", "1e999", "-1e-999", "0.00000000000000000000000000000000000000000001",
    r#""\"\\\/\b\f\n\r\t""#, r#""\u0041""#, r#""\u00e9""#, r#""\uD83D\uDE00""#, r#""\ud83d\ude00""#, r#""\u0000""#,
    r#""\ud800""#, r#""\udc00""#, r#""\udc00\ud800""#, r#""\ud800a""#, r#""\uFFFF""#, "\"\u{7f}\"", "\"é\"",
    "\"😀\"", "\"\u{2028}\"", "\"\u{feff}\"", "\"/\"", "\"a\\u0022b\"", "[1,2]", "[1 ,2 , 3]", "[null,true,false]",
    "[\"a\",[\"b\",[\"c\"]]]", "{\"\":0}", "{\"a\":1,\"b\":2}", "{ \"a\" : 1 , \"b\" : [ ] }", "{\"a\":{\"b\":{}}}",
    "{\"a\":{\"b\":1,\"b\":2}}", "[{\"a\":1},{\"a\":1}]", "{\"\\u0061\":1}", "\"12345678\"", "\"1234567\\n8\"",
    "[0,1]", "\"exactly eight b, and more\"", "[\"é\",\"1234567é\"]", "{\"key with spaces\":null}", "[ [ ] , { } ]",
];

#[rustfmt::skip]
const REFUSED: &[&[u8]] = &[
    b"", b" ", b"\n", b"[", b"]", b"{", b"}", b"[1", b"[1,", b"[1,]", b"[,1]", b"[,]", b"[1,,2]", b"[1 2]", b"[1}",
    b"{]", b"{\"a\"}", b"{\"a\":}", b"{\"a\":1,}", b"{,\"a\":1}", b"{\"a\" 1}", b"{a:1}", b"{'a':1}", b"{1:1}",
    b"{\"a\":1 \"b\":2}", b"{\"a\":1,,\"b\":2}", b"{\"a\"::1}", b"{\"a\",1}", b"{null:1}", b"{\"a\":1", b"{\"a\":",
    b"{\"a\"", b"{\"a", b"[{]}", b"nul", b"nulL", b"True", b"tru", b"falsee", b"nan", b"NaN", b"Infinity",
    b"-Infinity", b"undefined", b"01", b"-01", b"00", b"-", b"+1", b".5", b"1.", b"1.e5", b"-.5", b"1e", b"1e+",
    b"1ee5", b"1e5.5", b"0x10", b"1_000", b"--1", b"1a", b"\"", b"\"a", b"\"\\", b"\"\\\"", b"\"\\x\"", b"\"\\'\"",
    b"\"\\u\"", b"\"\\u12\"", b"\"\\u123g\"", b"\"\\u 123\"", b"\"\\U0041\"", b"\"\\0\"", b"\"a\nb\"", b"\"\t\"",
    b"\"\0\"", b"\"1234567\x1f\"", b"'a'", b"\"a\"\"b\"", b"1 2", b"[] []", b"{} x", b"[]]", b"{}}", b"// c\n1",
    b"[1]/* c */", b"\xef\xbb\xbf{}", b"\"\xff\"", b"\"\xc3\"", b"\"\xc0\xaf\"", b"\"\xed\xa0\x80\"",
    b"\"\xf4\x90\x80\x80\"", b"\"12345678\x80\"", b"\"\xe2\x82\"", b"\xc3\xa9", b"[\xc2\xa0]", b"\x0c[]", b"[]\0",
    b"\0", b"[1]\x0b",
];

#[test]
fn accepts_and_refuses_what_rfc_8259_does() {
    for text in ACCEPTED {
        assert!(is_json(text.as_bytes()), "should be accepted: {text}");
        assert!(scan(format!("{{\"x\":{text}}}").as_bytes()).is_ok(), "as a field: {text}");
        assert!(is_json(format!("[0,{text} ,1]").as_bytes()), "as an element: {text}");
    }
    for text in REFUSED {
        let shown = String::from_utf8_lossy(text);
        assert!(!is_json(text), "should be refused: {shown}");
        assert!(scan(text).is_err(), "should be refused: {shown}");
        let inside = [b"{\"x\":", *text, b"}"].concat();
        assert!(scan(&inside).is_err(), "as a field: {shown}");
    }
}

#[test]
fn every_cut_of_a_text_is_refused() {
    let text = br#" {"a":[1,-2.5e3,"x\u00e9\n",null,true,false,{"b":{}}],"c":"0123456789 \ud83d\ude00"} "#;
    assert!(scan(text).is_ok());
    for cut in 0..text.len() - 1 {
        assert_eq!(refusal(&text[..cut]), (ErrorKind::Truncated, cut));
    }
}

#[test]
fn errors_say_what_and_where() {
    assert_eq!(refusal(b"{\"a\":tru3}"), (ErrorKind::Syntax, 8));
    assert_eq!(refusal(b"{\"a\":1} x"), (ErrorKind::Trailing, 8));
    assert_eq!(refusal(b"\xef\xbb\xbf{}"), (ErrorKind::ByteOrderMark, 0));
    assert_eq!(refusal(b"{\"a\":\"\xc3\"}"), (ErrorKind::Utf8, 6));
    assert_eq!(refusal(b" [1]"), (ErrorKind::NotAnObject, 1));
    assert_eq!(refusal(b"\"text\""), (ErrorKind::NotAnObject, 0));
    assert_eq!(refusal(b" [1"), (ErrorKind::Truncated, 3));
    assert_eq!(refusal(b"{\"a\":01}"), (ErrorKind::Syntax, 6));
    assert_eq!(refusal(b"{\"a\":\"\\u00g0\"}"), (ErrorKind::Syntax, 10));
    let error = Index::scan(b"{\"a\":1 \"b\":2}", Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "byte 7 does not belong in JSON here");
}

#[test]
fn utf8_is_checked_at_every_place() {
    for at in 0..40 {
        let mut text = format!("{{\"a\":\"{}\"}}", "x".repeat(40)).into_bytes();
        text[6 + at] = 0x80;
        assert_eq!(refusal(&text), (ErrorKind::Utf8, 6 + at));
        text[6 + at] = 0x1f;
        assert_eq!(refusal(&text), (ErrorKind::Syntax, 6 + at));
    }
}

#[test]
fn depth_is_a_limit_and_never_a_crash() {
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    for depth in [1, 63, 64, 65, 127, 128] {
        assert!(validate(&nested(depth), Limits::default()).is_ok(), "{depth}");
    }
    let limit = |max_depth| Limits { max_depth };
    for depth in [1usize, 64, 128, 129, 192] {
        let error = validate(&nested(depth), limit(depth as u32 - 1)).unwrap_err();
        assert_eq!((error.kind, error.offset), (ErrorKind::Depth, depth - 1));
        let object = [&b"{\"a\":"[..], &nested(depth), b"}"].concat();
        assert!(Index::scan(&object, limit(depth as u32 + 1)).is_ok());
        assert_eq!(Index::scan(&object, limit(depth as u32)).unwrap_err().kind, ErrorKind::Depth);
    }
    assert_eq!(Index::scan(b"{}", limit(0)).unwrap_err().kind, ErrorKind::Depth);
    for open in ["[", "{\"a\":", "[{\"a\":[", "{\"a\":[[1],"] {
        assert_eq!(refusal(format!("{{\"x\":{}", open.repeat(100_000)).as_bytes()).0, ErrorKind::Depth);
    }
    let deep = nested(100_000);
    let value = validate(&deep, limit(100_000)).unwrap();
    assert_eq!(value.elements().next().unwrap().raw().len(), 199_998);
    // Kinds of containers are remembered across the 64 of one word.
    let mixed = format!("{}1{}", "[{\"a\":".repeat(100), "}]".repeat(100));
    assert!(validate(mixed.as_bytes(), limit(200)).is_ok());
    let crossed = format!("{}1{}{}", "[{\"a\":".repeat(100), "}]".repeat(60), "]}".repeat(40));
    assert!(validate(crossed.as_bytes(), limit(200)).is_err());
}

#[test]
fn refuses_keys_that_mean_the_same() {
    let key = |text: &str| {
        let error = Index::scan(text.as_bytes(), Limits::default()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::DuplicateKey, "{text}");
        (error.offset, error.key.unwrap())
    };
    assert_eq!(key(r#"{"a":1,"a":1}"#), (7, "a".into()));
    assert_eq!(key(r#"{"a":1,"b":2,"\u0061":3}"#), (13, "a".into()));
    assert_eq!(key(r#"{"\u0061":1,"a":2}"#), (12, "a".into()));
    assert_eq!(key(r#"{"":1,"":2}"#), (6, "".into()));
    assert_eq!(key(r#"{"😀":1,"\ud83d\ude00":2}"#).1, "😀");
    assert_eq!(key(r#"{"\ud800":1,"\uD800":2}"#).1, "\u{fffd}");
    for count in 1..60 {
        for twice in 0..count {
            let fields: Vec<_> = (0..count).chain([twice]).map(|n| format!("\"key-number-{n}\":{n}")).collect();
            assert_eq!(key(&format!("{{{}}}", fields.join(","))).1, format!("key-number-{twice}"));
        }
    }
    for distinct in [r#"{"a":1,"A":2}"#, r#"{"\ud800":1,"\ud801":2,"\ufffd":3}"#, r#"{"a":1,"aa":2,"\\u0061":3}"#] {
        assert!(scan(distinct.as_bytes()).is_ok(), "{distinct}");
    }
    let many: Vec<_> = (0..100_000).map(|n| format!("\"{n}\":{n}")).collect();
    let many = format!("{{{}}}", many.join(","));
    let index = scan(many.as_bytes()).unwrap();
    assert_eq!(index.len(), 100_000);
    assert_eq!(index.get(many.as_bytes(), "99999").unwrap().as_u64(), Some(99_999));
}

#[test]
fn reads_scalars() {
    let read = |text: &'static str| validate(text.as_bytes(), Limits::default()).unwrap();
    let numbers = [
        ("0", Some(0), Some(0)),
        ("-0", Some(0), Some(0)),
        ("7", Some(7), Some(7)),
        ("-7", None, Some(-7)),
        ("1e3", Some(1000), Some(1000)),
        ("10.0", Some(10), Some(10)),
        ("1.5", None, None),
        ("15e-1", None, None),
        ("100e-2", Some(1), Some(1)),
        ("0.001e3", Some(1), Some(1)),
        ("0e99999999999999999999", Some(0), Some(0)),
        ("18446744073709551615", Some(u64::MAX), None),
        ("18446744073709551616", None, None),
        ("1e20", None, None),
        ("9223372036854775807", Some(i64::MAX as u64), Some(i64::MAX)),
        ("-9223372036854775808", None, Some(i64::MIN)),
        ("-9223372036854775809", None, None),
        ("1e99999999999999999999", None, None),
        ("\"7\"", None, None),
    ];
    for (text, unsigned, signed) in numbers {
        assert_eq!((read(text).as_u64(), read(text).as_i64()), (unsigned, signed), "{text}");
    }
    assert_eq!(read("0.7").as_f64(), Some(0.7));
    assert_eq!(read("1e999").as_f64(), Some(f64::INFINITY));
    assert_eq!(read("null").as_f64(), None);
    assert_eq!((read("true").as_bool(), read("false").as_bool(), read("0").as_bool()), (Some(true), Some(false), None));
    assert!(read(" null ").is_null() && !read("0").is_null());
    assert_eq!(read(r#""\ud800-\udc00\ud83d\ude00\ud83dx""#).as_str().unwrap(), "\u{fffd}-\u{fffd}😀\u{fffd}x");
    assert_eq!(read(r#""\"\\\/\b\f\n\r\t\u00e9é""#).as_str().unwrap(), "\"\\/\u{8}\u{c}\n\r\téé");
    assert!(matches!(read("\"plain\"").as_str(), Some(std::borrow::Cow::Borrowed("plain"))));
    let kinds = ["null", "true", "false", "-1", "\"\"", "[]", "{}"].map(|text| read(text).kind());
    use Kind::*;
    assert_eq!(kinds, [Null, True, False, Number, String, Array, Object]);
}

#[test]
fn compares_strings_by_meaning() {
    let same = |json: &'static str, text: &str| validate(json.as_bytes(), Limits::default()).unwrap().str_eq(text);
    assert!(same("\"model\"", "model") && same(r#""m\u006fdel""#, "model") && same(r#""\u006dodel""#, "model"));
    assert!(same("\"\"", "") && same(r#""\\n""#, "\\n") && same(r#""\n""#, "\n") && same(r#""\ud83d\ude00""#, "😀"));
    assert!(!same(r#""\n""#, "\\n") && !same("\"a\"", "") && !same("\"\"", "a") && !same("\"modem\"", "model"));
    assert!(!same(r#""\u0061""#, "\\u0061") && !same(r#""\ud800""#, "\u{fffd}") && !same("12", "12"));
}

#[test]
fn walks_objects_and_arrays() {
    let text = br#" {"a" : [ 1 , "}]\"" , {"b":[]} ] , "c\n":{"d":null,"e":1,"d":2}, "f":[]} "#;
    let index = scan(text).unwrap();
    let keys: Vec<_> = index.iter(text).map(|(key, _)| key.into_owned()).collect();
    assert_eq!(keys, ["a", "c\n", "f"]);
    let raw = |value: Value<'_>| String::from_utf8_lossy(value.raw()).into_owned();
    let a = index.get(text, "a").unwrap();
    assert_eq!(a.elements().map(raw).collect::<Vec<_>>(), ["1", "\"}]\\\"\"", "{\"b\":[]}"]);
    assert_eq!(a.fields().count(), 0);
    let c = index.get(text, "c\n").unwrap();
    let fields: Vec<_> = c.fields().map(|(key, value)| (key.as_str().unwrap().into_owned(), raw(value))).collect();
    assert_eq!(fields, [("d", "null"), ("e", "1"), ("d", "2")].map(|(k, v)| (k.into(), v.into())));
    assert_eq!(c.get("d").and_then(Value::as_u64), Some(2), "the last one counts");
    assert_eq!(c.span_in(text), 42..64);
    assert_eq!(&text[c.span_in(text)], c.raw());
    assert_eq!(c.span_in(b"another text"), 0..0);
    assert!(index.get(text, "b").is_none() && c.get("x").is_none() && a.get("a").is_none());
    assert_eq!(index.get(text, "f").unwrap().elements().count(), 0);
}

#[test]
fn long_strings_and_lone_surrogates_pass_untouched() {
    let mut text = b"{\"a\":\"".to_vec();
    text.resize(50 << 20, b'x');
    text.extend_from_slice(b"\\ud800\",\"b\":1}");
    let index = scan(&text).unwrap();
    assert_eq!(index.get(&text, "a").unwrap().raw().len(), text.len() - 12);
    let mut edits = Edits::new();
    edits.set("b", &b"2"[..]);
    let edited = edits.apply(&text, &index);
    assert!(edited[..text.len() - 2] == text[..text.len() - 2] && edited.ends_with(b"\\ud800\",\"b\":2}"));
}

fn edited(text: &str, edits: &[(&'static str, Option<&'static str>)]) -> String {
    let mut list = Edits::new();
    for (key, value) in edits {
        match value {
            Some(value) => list.set(*key, value.as_bytes()),
            None => list.remove(*key),
        }
    }
    let out = list.apply(text.as_bytes(), &scan(text.as_bytes()).unwrap());
    assert!(scan(&out).is_ok(), "{}", String::from_utf8_lossy(&out));
    String::from_utf8(out).unwrap()
}

#[test]
fn edits_keep_every_other_byte() {
    let text = "{ \"a\" : 1.0 ,\n \"b\":[ ],\t\"c\": \"x\" }\n";
    assert_eq!(edited(text, &[]), text);
    assert_eq!(edited(text, &[("b", Some("2"))]), "{ \"a\" : 1.0 ,\n \"b\":2,\t\"c\": \"x\" }\n");
    assert_eq!(edited(text, &[("a", None)]), "{ \"b\":[ ],\t\"c\": \"x\" }\n");
    assert_eq!(edited(text, &[("b", None)]), "{ \"a\" : 1.0,\t\"c\": \"x\" }\n");
    assert_eq!(edited(text, &[("c", None)]), "{ \"a\" : 1.0 ,\n \"b\":[ ] }\n");
    assert_eq!(edited(text, &[("c", None), ("a", None)]), "{ \"b\":[ ] }\n");
    assert_eq!(edited(text, &[("b", None), ("a", None)]), "{ \"c\": \"x\" }\n");
    assert_eq!(edited(text, &[("b", None), ("c", None), ("a", None)]), "{  }\n");
    assert_eq!(edited(text, &[("d", Some("4"))]), "{ \"a\" : 1.0 ,\n \"b\":[ ],\t\"c\": \"x\",\"d\":4 }\n");
    assert_eq!(edited("{ }", &[("a", Some("1")), ("b", Some("2"))]), "{\"a\":1,\"b\":2 }");
    assert_eq!(edited("{\"a\":1}", &[("a", None), ("b", Some("2"))]), "{\"b\":2}");
    assert_eq!(edited("{\"a\":1}", &[("a", Some("2")), ("a", None)]), "{}");
    assert_eq!(edited("{\"a\":1}", &[("a", None), ("a", Some("2"))]), "{\"a\":2}");
    assert_eq!(edited("{\"\\u0061\":1}", &[("a", Some("2"))]), "{\"\\u0061\":2}");
    assert_eq!(edited("{}", &[("q\"\n", Some("1")), ("x", None)]), "{\"q\\\"\\n\":1}");
}

#[test]
fn splices() {
    assert_eq!(splice(b"0123456789", &[]), b"0123456789");
    assert_eq!(splice(b"0123456789", &[(0..0, b"<"), (2..4, b""), (4..5, b"four"), (10..10, b">")]), b"<01four56789>");
}

#[test]
fn an_index_used_with_other_bytes_does_not_panic() {
    let text = br#"{"a":{"b":[1,2]},"cccc":"text","d":[{"e":null}]}"#;
    let index = scan(text).unwrap();
    let mut edits = Edits::new();
    edits.set("", &b"1"[..]);
    edits.remove("]]");
    for other in [&b""[..], b"{", b"\"\"\"\"", b"[[[[[[[[[[[[[[[[[[[[[[[[[[", b"}}}]]]:::,,,\"\\\"\\u"] {
        for (key, value) in index.iter(other) {
            let _ = (key, value.kind(), value.as_str(), value.as_u64(), value.as_f64(), value.get("b"));
            let _ = (value.elements().count(), value.fields().count());
        }
        edits.apply(other, &index);
    }
}
