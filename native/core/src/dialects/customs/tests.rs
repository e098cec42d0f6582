use serde_json::json;

use super::*;

fn customs(body: &serde_json::Value) -> Customs {
    let body = body.to_string();
    let index = Index::scan(body.as_bytes(), Limits::default()).unwrap();
    Customs::of(body.as_bytes(), &index)
}

fn patch() -> Customs {
    customs(&json!({"model": "m", "tools": [
        {"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "patch"}}]}))
}

fn piece(index: u32, name: Option<&str>, arguments: &str) -> Item {
    let id = name.map(|_| format!("call_{index}"));
    let (name, arguments, kind) = (name.map(str::to_owned), arguments.to_owned(), CallKind::Function);
    Item::ToolCall { choice: 0, index, id, name, arguments, kind }
}

fn finish() -> Item {
    Item::Finish { choice: 0, reason: "tool_calls".into() }
}

/// What is said of these items.
fn told(items: Vec<Item>) -> Vec<Item> {
    let (mut customs, mut out) = (patch(), Vec::new());
    for item in items {
        assert!(customs.take(item, |item| {
            out.push(item);
            true
        }));
    }
    assert_eq!(customs.held(), 0);
    out
}

/// The text of the one custom call in these.
fn text(items: &[Item]) -> String {
    let pieces = items.iter().map(|item| match item {
        Item::ToolCall { arguments, kind: CallKind::Custom, .. } => arguments.as_str(),
        Item::Finish { .. } => "",
        other => panic!("{other:?}"),
    });
    pieces.collect()
}

#[test]
fn the_text_is_read_out_of_the_arguments_at_every_split() {
    let texts = ["", "plain", "*** \"a\"\\\n\t/ü🦀\u{8}", "x\u{0}y", "{\"input\":\"z\"}"];
    for want in texts {
        let plain = json!({"input": want}).to_string();
        let escaped: String = want.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        for arguments in
            [plain.clone(), format!(" {{ \"input\" : \"{escaped}\" , \"more\": [1] }}"), plain.replace('/', "\\/")]
        {
            let ends: Vec<_> = arguments.char_indices().map(|(at, _)| at).chain([arguments.len()]).collect();
            for first in &ends {
                for second in ends.iter().filter(|second| *second >= first) {
                    let items = told(vec![
                        piece(0, Some("patch"), &arguments[..*first]),
                        piece(0, None, &arguments[*first..*second]),
                        piece(0, None, &arguments[*second..]),
                        finish(),
                    ]);
                    assert_eq!(text(&items), want, "{arguments} at {first} and {second}");
                    assert!(
                        matches!(&items[0], Item::ToolCall { id: Some(id), name: Some(name), .. } if id == "call_0" && name == "patch")
                    );
                    assert_eq!(items.last(), Some(&finish()));
                }
            }
        }
    }
}

#[test]
fn the_text_comes_while_the_arguments_do() {
    let (mut customs, mut out) = (patch(), Vec::new());
    for item in [piece(0, Some("patch"), "{\"input\":\"one"), piece(0, None, " two\\")] {
        customs.take(item, |item| {
            out.push(item);
            true
        });
    }
    assert_eq!((text(&out).as_str(), customs.held()), ("one two", 1));
}

#[test]
fn halves_of_characters_that_stay_alone_are_replaced() {
    for (arguments, want) in [
        (r#"{"input":"\ud83e"}"#, "\u{fffd}"),
        (r#"{"input":"\ud83ea\udd80"}"#, "\u{fffd}a\u{fffd}"),
        (r#"{"input":"\ud83e\ud83e\udd80"}"#, "\u{fffd}🦀"),
        (r#"{"input":"\ud83e\n"}"#, "\u{fffd}\n"),
        (r#"{"input":"\ud83e"#, "\u{fffd}"),
        (r#"{"input":"\u12"}"#, "\u{12}"),
    ] {
        let items = told(vec![piece(0, Some("patch"), arguments), finish()]);
        assert_eq!(text(&items), want, "{arguments}");
    }
}

#[test]
fn other_arguments_are_told_at_the_end_as_far_as_they_hold_a_text() {
    for (arguments, want) in [
        (r#"{"why":"so","input":"a\nb"}"#, "a\nb"),
        ("{}", ""),
        ("", ""),
        ("{\"inp", "{\"inp"),
        ("*** Begin Patch", "*** Begin Patch"),
        (r#"{"input":5}"#, r#"{"input":5}"#),
        (r#"["input"]"#, r#"["input"]"#),
    ] {
        for at in 0..=arguments.len() {
            let (head, tail) = arguments.split_at(at);
            let items = told(vec![piece(0, Some("patch"), head), piece(0, None, tail), finish()]);
            assert_eq!(text(&items), want, "{arguments} at {at}");
        }
    }
}

#[test]
fn functions_stay_functions_and_calls_may_come_in_turns() {
    let items = told(vec![
        piece(0, Some("f"), "{\"input\":"),
        piece(1, Some("patch"), "{\"input\":\"a"),
        piece(0, None, "\"x\"}"),
        piece(1, None, "b\"}"),
        finish(),
    ]);
    let of = |at: u32, want: CallKind| -> String {
        let one = |item: &Item| match item {
            Item::ToolCall { index, arguments, kind, .. } if *index == at => {
                assert_eq!(*kind, want);
                Some(arguments.clone())
            }
            _ => None,
        };
        items.iter().filter_map(one).collect()
    };
    assert_eq!((of(0, CallKind::Function).as_str(), of(1, CallKind::Custom).as_str()), ("{\"input\":\"x\"}", "ab"));
}

#[test]
fn the_tools_of_a_request_are_found() {
    assert_eq!(patch().names, ["patch"]);
    for body in [
        json!({"model": "custom"}),
        json!({"tools": "custom"}),
        json!({"tools": [{"type": "function", "function": {"name": "custom"}}, {"type": "custom"}, "custom"]}),
    ] {
        assert!(customs(&body).is_empty(), "{body}");
    }
}
