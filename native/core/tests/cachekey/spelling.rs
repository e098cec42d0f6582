//! Random requests in random spellings.

use proptest::prelude::*;

use super::of;

/// A JSON value apart from any spelling. A number is digits × 10^power.
#[derive(Clone, Debug, PartialEq)]
enum Tree {
    Null,
    Bool(bool),
    Number(bool, u64, i32),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        (any::<bool>(), prop_oneof![0..30u64, any::<u64>()], -4..4)
            .prop_map(|(minus, digits, power)| Tree::Number(minus, digits, power)),
        prop_oneof!["[a-c\"\\\\\n/é😀]{0,4}", any::<String>()].prop_map(Tree::Text),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Tree::Array),
            proptest::collection::btree_map("[a-c\"\\\\é]{0,3}", inner, 0..5)
                .prop_map(|fields| Tree::Object(fields.into_iter().collect())),
        ]
    })
}

/// Writes a tree in one of its many spellings, drawn by a small generator.
struct Speller {
    state: u64,
    out: String,
}

impl Speller {
    fn spell(tree: &Tree, seed: u64) -> String {
        let mut speller = Speller { state: seed, out: String::new() };
        speller.value(tree);
        speller.out
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % below
    }

    fn space(&mut self) {
        let at = self.draw(8) as usize;
        self.out.push_str(["", "", "", "", " ", "\n", "\t\r\n", "  "][at]);
    }

    fn value(&mut self, tree: &Tree) {
        self.space();
        match tree {
            Tree::Null => self.out.push_str("null"),
            Tree::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Tree::Number(minus, digits, power) => self.number(*minus, *digits, *power),
            Tree::Text(text) => self.text(text),
            Tree::Array(items) => {
                self.out.push('[');
                for (n, item) in items.iter().enumerate() {
                    self.out.push_str(if n > 0 { "," } else { "" });
                    self.value(item);
                }
                self.space();
                self.out.push(']');
            }
            Tree::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                for n in (1..fields.len()).rev() {
                    let other = self.draw(n as u64 + 1) as usize;
                    fields.swap(n, other);
                }
                self.out.push('{');
                for (n, (name, value)) in fields.into_iter().enumerate() {
                    self.out.push_str(if n > 0 { "," } else { "" });
                    self.space();
                    self.text(name);
                    self.space();
                    self.out.push(':');
                    self.value(value);
                }
                self.space();
                self.out.push('}');
            }
        }
        self.space();
    }

    fn number(&mut self, minus: bool, digits: u64, power: i32) {
        self.out.push_str(if minus { "-" } else { "" });
        let mut text = digits.to_string();
        let mut power = power;
        if digits > 0 {
            for _ in 0..self.draw(4) {
                text.push('0');
                power -= 1;
            }
        }
        // Move the point to the left, which the power makes up for.
        let places = self.draw(text.len() as u64 + 2) as usize;
        if places > 0 {
            let padded = format!("{}{text}", "0".repeat((places + 1).saturating_sub(text.len())));
            let (whole, fraction) = padded.split_at(padded.len() - places);
            text = format!("{whole}.{fraction}{}", "0".repeat(self.draw(3) as usize));
            power += places as i32;
        }
        self.out.push_str(&text);
        if power != 0 || self.draw(2) == 0 {
            let sign = if power < 0 { "-" } else { ["", "+"][self.draw(2) as usize] };
            let letter = ["e", "E"][self.draw(2) as usize];
            let zeros = "0".repeat(self.draw(3) as usize);
            self.out.push_str(&format!("{letter}{sign}{zeros}{}", power.unsigned_abs()));
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            let must = (character as u32) < 0x20 || character == '"' || character == '\\';
            if must || self.draw(6) == 0 {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let hex = if self.draw(2) == 0 { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") };
                    self.out.push_str(&hex);
                }
            } else {
                self.out.push(character);
            }
        }
        self.out.push('"');
    }
}

/// A tree whose numbers are in lowest terms, so that equal meanings are equal trees.
fn reduced(tree: &Tree) -> Tree {
    match tree {
        Tree::Number(_, 0, _) => Tree::Number(false, 0, 0),
        Tree::Number(minus, digits, power) if digits % 10 == 0 => {
            reduced(&Tree::Number(*minus, digits / 10, power + 1))
        }
        Tree::Array(items) => Tree::Array(items.iter().map(reduced).collect()),
        Tree::Object(fields) => {
            Tree::Object(fields.iter().map(|(name, value)| (name.clone(), reduced(value))).collect())
        }
        other => other.clone(),
    }
}

/// Changes one thing somewhere in a tree.
fn changed(tree: &Tree, at: u64) -> Tree {
    match tree {
        Tree::Null => Tree::Bool(false),
        Tree::Bool(value) if at % 2 == 0 => Tree::Bool(!value),
        Tree::Bool(_) => Tree::Null,
        Tree::Number(minus, digits, power) => match at % 3 {
            0 => Tree::Number(!minus, *digits, *power),
            1 => Tree::Number(*minus, *digits, power + 1),
            _ => Tree::Number(*minus, digits ^ 1, *power),
        },
        Tree::Text(text) if at % 2 == 0 => Tree::Text(format!("{text}a")),
        Tree::Text(text) => Tree::Text(text.chars().rev().collect()),
        Tree::Array(items) if items.is_empty() => Tree::Object(Vec::new()),
        Tree::Array(items) => {
            let mut items = items.clone();
            let n = at as usize % items.len();
            match at % 4 {
                0 => drop(items.remove(n)),
                1 => items.rotate_left(1),
                2 => items[n] = Tree::Array(vec![items[n].clone()]),
                _ => items[n] = changed(&items[n], at / 4),
            }
            Tree::Array(items)
        }
        Tree::Object(fields) if fields.is_empty() => Tree::Array(Vec::new()),
        Tree::Object(fields) => {
            let mut fields = fields.clone();
            let n = at as usize % fields.len();
            match at % 3 {
                0 => drop(fields.remove(n)),
                1 => fields[n].0.push('z'),
                _ => fields[n].1 = changed(&fields[n].1, at / 3),
            }
            Tree::Object(fields)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_spellings_have_one_key(tree in tree(), seeds: (u64, u64)) {
        let (a, b) = (Speller::spell(&tree, seeds.0), Speller::spell(&tree, seeds.1));
        let (a, b) = (format!("{{\"input\":{a}}}"), format!("{{\"input\":{b},\"stream\":true}}"));
        prop_assert_eq!(of(&a), of(&b), "{} {}", a, b);
    }

    #[test]
    fn any_change_gives_another_key(tree in tree(), at: u64, seed: u64) {
        let other = changed(&tree, at);
        let (a, b) = (Speller::spell(&tree, seed), Speller::spell(&other, seed));
        let same = reduced(&tree) == reduced(&other);
        prop_assert_eq!(of(&format!("{{\"input\":{a}}}")) == of(&format!("{{\"input\":{b}}}")), same, "{} {}", a, b);
    }

    #[test]
    fn different_trees_have_different_keys(a in tree(), b in tree(), seed: u64) {
        let (x, y) = (Speller::spell(&a, seed), Speller::spell(&b, seed));
        let same = reduced(&a) == reduced(&b);
        prop_assert_eq!(of(&format!("{{\"input\":{x}}}")) == of(&format!("{{\"input\":{y}}}")), same, "{} {}", x, y);
    }
}
