//! Random texts: agreement with serde_json, and edits that round-trip.

use hoosh_core::json::{validate, write_string, Edits, ErrorKind, Index, Kind, Limits, Value};
use proptest::prelude::*;

use super::{is_json, scan};

fn agrees_with_serde(text: &[u8]) -> Result<(), TestCaseError> {
    let theirs =
        std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
    prop_assert_eq!(is_json(text), theirs, "{:?}", String::from_utf8_lossy(text));
    let wrapped = [b"{\"x\":", text, b"}"].concat();
    let as_text = std::str::from_utf8(&wrapped);
    let theirs = as_text.is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
    match Index::scan(&wrapped, Limits { max_depth: u32::MAX }) {
        Err(error) if error.kind == ErrorKind::DuplicateKey => {}
        ours => prop_assert_eq!(ours.is_ok(), theirs, "{:?}", String::from_utf8_lossy(&wrapped)),
    }
    Ok(())
}

fn tree() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300f64).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec(("[a-d\"\\\\é]{0,3}", inner), 0..6)
                .prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

/// The same tree, rebuilt from a walk.
fn rebuild(value: Value<'_>) -> serde_json::Value {
    match value.kind() {
        Kind::Null => serde_json::Value::Null,
        Kind::True | Kind::False => value.as_bool().into(),
        Kind::String => value.as_str().unwrap().into_owned().into(),
        Kind::Array => value.elements().map(rebuild).collect(),
        Kind::Object => {
            value.fields().map(|(key, value)| (key.as_str().unwrap().into_owned(), rebuild(value))).collect()
        }
        Kind::Number => {
            value.as_u64().map(Into::into).or(value.as_i64().map(Into::into)).unwrap_or(value.as_f64().into())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reads_what_serde_json_writes(tree in tree(), pretty: bool) {
        let text = if pretty { serde_json::to_vec_pretty(&tree) } else { serde_json::to_vec(&tree) }.unwrap();
        let value = validate(&text, Limits::default()).unwrap();
        prop_assert!(equal(&rebuild(value), &tree), "{:?} {}", value, tree);
    }

    #[test]
    fn agrees_with_serde_json_on_mutations(
        tree in tree(),
        pretty: bool,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..6u8), 0..4),
    ) {
        let mut text = if pretty { serde_json::to_vec_pretty(&tree) } else { serde_json::to_vec(&tree) }.unwrap();
        for (at, byte, what) in edits {
            let at = at.index(text.len());
            let structural = b"{}[]:,\"\\ 0-.eEtnu\x1f\x80";
            let common = structural[usize::from(byte) % structural.len()];
            match what {
                0 => text[at] = byte,
                1 => text[at] = common,
                2 => text.insert(at, common),
                3 => text.insert(at, byte),
                4 => text.truncate(at.max(1)),
                _ => { text.remove(at); if text.is_empty() { text.push(b' ') } }
            }
        }
        agrees_with_serde(&text)?;
    }

    #[test]
    fn agrees_with_serde_json_on_soup(text in "[\\[\\]{}:,\"\\\\ 01.eEu\\-+tna]{0,12}|[0-9.eE+\\-]{1,8}|\"[\\\\u0-9a-fn\"]{0,12}\"") {
        agrees_with_serde(text.as_bytes())?;
    }

    #[test]
    fn agrees_with_serde_json_on_any_bytes_in_a_string(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
        agrees_with_serde(&[b"\"", &bytes[..], b"\""].concat())?;
    }

    #[test]
    fn edits_change_what_they_name_and_nothing_else(
        fields in proptest::collection::vec(("[ \n]{0,2}", "[ ]{0,1}", tree()), 0..8),
        what in proptest::collection::vec((0..10usize, proptest::option::of(tree())), 0..5),
    ) {
        const KEYS: [&str; 10] = ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9"];
        let parts: Vec<_> = fields.iter().enumerate()
            .map(|(n, (before, after, value))| format!("{before}\"k{n}\"{after}:{before}{value}{after}")).collect();
        let text = format!(" {{{}}}\n", parts.join(","));
        let index = scan(text.as_bytes()).unwrap();
        let mut edits = Edits::new();
        let mut wanted: Vec<(String, String)> =
            index.iter(text.as_bytes()).map(|(key, value)| (key.into_owned(), String::from_utf8(value.raw().to_vec()).unwrap())).collect();
        for (key, value) in &what {
            let key = KEYS[*key];
            let known = wanted.iter().position(|(name, _)| name == key);
            match value {
                Some(value) => edits.set(key, value.to_string()),
                None => edits.remove(key),
            }
            match (known, value) {
                (Some(at), Some(value)) => wanted[at].1 = value.to_string(),
                (Some(at), None) => { wanted.remove(at); }
                (None, Some(value)) => wanted.push((key.to_string(), value.to_string())),
                (None, None) => {}
            }
        }
        let out = edits.apply(text.as_bytes(), &index);
        let again = scan(&out).unwrap();
        let mut found: Vec<(String, String)> =
            again.iter(&out).map(|(key, value)| (key.into_owned(), String::from_utf8(value.raw().to_vec()).unwrap())).collect();
        let ends = out.starts_with(b" {") && out.ends_with(b"}\n");
        prop_assert!(ends);
        // Fields of the original keep their order; added ones come after them.
        let original: Vec<_> = found.iter().filter(|(key, _)| index.get(text.as_bytes(), key).is_some()).cloned().collect();
        prop_assert_eq!(&original[..], &found[..original.len()]);
        found.sort();
        wanted.sort();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn what_write_string_writes_means_the_same(text: String) {
        let mut out = Vec::new();
        write_string(&mut out, &text);
        let value = validate(&out, Limits::default()).unwrap();
        prop_assert_eq!(value.as_str().unwrap(), &text[..]);
        prop_assert!(value.str_eq(&text));
    }
}

/// Equal trees, where `1.0` is `1`.
fn equal(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value::*;
    match (a, b) {
        (Number(x), Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Array(x), Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| equal(x, y)),
        (Object(x), Object(y)) => {
            x.len() == y.len() && x.iter().all(|(key, x)| y.get(key).is_some_and(|y| equal(x, y)))
        }
        _ => a == b,
    }
}
