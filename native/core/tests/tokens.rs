//! Counts against figures that `tiktoken` 0.14.0 gave and against `tiktoken-rs`.

use std::time::{Duration, Instant};

use hoosh_core::tokens::*;
use proptest::prelude::*;
use tiktoken_rs::CoreBPE;

fn reference(encoding: Encoding) -> &'static CoreBPE {
    match encoding {
        Encoding::Cl100kBase => tiktoken_rs::cl100k_base_singleton(),
        Encoding::O200kBase => tiktoken_rs::o200k_base_singleton(),
    }
}

/// Text, its tokens in cl100k_base, and in o200k_base: `len(encoding.encode_ordinary(text))` of tiktoken 0.14.0.
#[rustfmt::skip]
const COUNTS: &[(&str, usize, usize)] = &[
    ("", 0, 0), ("a", 1, 1), (" ", 1, 1), ("hello world", 2, 2), ("Hello, world!", 4, 4),
    ("The quick brown fox jumps over the lazy dog.", 10, 10),
    ("I'm sure they'll say we've won; it's what you'd do, isn't it?", 21, 15),
    ("I'M SURE THEY'LL SAY WE'VE WON", 12, 12), ("it'ſ 'Tis rock'n'roll", 11, 10), ("don’t", 2, 2),
    ("fn main() { println!(\"{}\", x); }", 9, 9), ("def f(x):\n    return x ** 2\n\n\nprint(f(3))\n", 16, 16),
    ("if (a&&b||!c) {\r\n\treturn a?b:c;\r\n}", 17, 17), ("SELECT * FROM t WHERE id IN (1,2,3) -- all\n", 17, 17),
    ("<div class=\"x\">&nbsp;</div>\n", 9, 9), ("{\"a\":[1,2.5e-3,null,true],\"b\":{\"c\":\"d\\n\"}}", 21, 21),
    ("https://example.com/a/b?c=d&e=%20f#g", 14, 14),
    ("camelCaseAndPascalCase snake_case SCREAMING_CASE kebab-case", 15, 15), ("#include <stdio.h>\n", 5, 5),
    ("////////\n/**/\n//\n", 5, 6), ("1", 1, 1), ("12", 1, 1), ("123", 1, 1), ("1234", 2, 2),
    ("12345678901234567890", 7, 7), ("3.14159265358979323846", 9, 9), ("1,000,000", 5, 5), ("0x7fffFFFF", 5, 5),
    ("١٢٣٤٥", 10, 5), ("Ⅷ ½ ² ㊿", 10, 10), ("  ", 1, 1), ("   ", 1, 1), ("        x", 2, 2), ("x        ", 2, 2),
    ("\t\tx\t", 3, 3), ("\n", 1, 1), ("\n\n\n", 1, 1), (" \n \n ", 2, 2), ("a\n  ", 3, 3),
    ("a \n\n  b  \r\n\r\n c", 6, 6), ("\u{a0}\u{2003}\u{3000}x", 5, 4), ("\u{200b}\u{200d}x\u{feff}", 5, 4),
    ("Grüße aus Köln, schöne Straße", 10, 8), ("Où est la bibliothèque ? C’est là-bas…", 15, 11),
    ("El niño comió piñas ¿verdad?", 11, 10), ("Привет, как дела?", 8, 6), ("ПРИВЕТ Мир", 8, 5),
    ("Καλημέρα κόσμε", 14, 6), ("مرحبا بالعالم", 10, 4), ("שלום עולם", 10, 2), ("नमस्ते दुनिया", 13, 5),
    ("สวัสดีชาวโลก", 13, 7), ("你好,世界!今天天气怎么样?", 17, 9), ("こんにちは、世界。カタカナ", 10, 8), ("안녕하세요 세계", 9, 3),
    ("გამარჯობა", 18, 3), ("ሰላም", 9, 6), ("Xin chào thế giới", 9, 5), ("🙏", 3, 1),
    ("👩\u{200d}🚀👨\u{200d}👩\u{200d}👧\u{200d}👦", 26, 16), ("🏳️\u{200d}🌈🇩🇪👍🏽", 21, 13),
    ("e\u{301}a\u{308}\u{323}o\u{302}\u{301}", 11, 8), ("\u{301}\u{301}\u{301}", 3, 3),
    ("Z\u{351}\u{36b}\u{343}a\u{300}\u{301}l\u{334}g\u{315}o", 17, 17), ("Ǆǅǆ ʰʲ ªº", 14, 14),
    ("𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ｆｕｌｌｗｉｄｔｈ", 40, 38), ("<|endoftext|>", 7, 7),
    ("a<|endofprompt|>b <|fim_prefix|><|im_start|>user", 21, 21),
    ("<|start|>assistant<|channel|>final<|message|>", 17, 17), ("\0\u{1}\u{7f}", 3, 3),
    ("\u{1b}[31mred\u{1b}[0m", 7, 9), ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 5, 5),
    ("!!!!!!!!!!!!!!!!????????........", 5, 3), ("aAaAaAaA AAAa aaaA", 12, 9), ("�\u{10ffff}\u{e000}", 8, 7),
    ("'''\"\"\"```", 3, 3), ("--- === *** ___ ~~~", 6, 6),
    ("antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis", 21, 19),
];

#[test]
fn counts_are_tiktokens() {
    for (text, cl100k, o200k) in COUNTS {
        assert_eq!(
            (count(text, Encoding::Cl100kBase), count(text, Encoding::O200kBase)),
            (*cl100k, *o200k),
            "{text:?}"
        );
    }
}

fn assert_exact(text: &str) {
    for encoding in Encoding::ALL {
        let ids = encode(text, *encoding);
        assert_eq!(ids, reference(*encoding).encode_ordinary(text), "{} {text:?}", encoding.as_str());
        assert_eq!(count(text, *encoding), ids.len(), "{} {text:?}", encoding.as_str());
        assert_eq!(decode(&ids, *encoding).as_deref(), Some(text));
    }
}

#[test]
fn ids_are_tiktokens() {
    COUNTS.iter().for_each(|(text, ..)| assert_exact(text));
    assert_exact(&COUNTS.iter().map(|(text, ..)| *text).collect::<String>());
    let ids = encode("Hello, world! <|endoftext|>", Encoding::O200kBase);
    assert_eq!(ids, [13225, 11, 2375, 0, 464, 91, 419, 1440, 919, 91, 29]);
}

#[test]
fn every_token_is_found_by_its_bytes() {
    for encoding in Encoding::ALL {
        // One past the last mergeable token: 100,256 and 199,998.
        let end = (0..).find(|id| decode_bytes(&[*id], *encoding).is_none()).unwrap();
        assert_eq!(end, if *encoding == Encoding::Cl100kBase { 100_256 } else { 199_998 });
        let texts = (0..end).step_by(7).filter_map(|id| Some((id, decode(&[id], *encoding)?)));
        for (id, text) in texts {
            assert_eq!(encode(&text, *encoding), reference(*encoding).encode_ordinary(&text), "{id}");
        }
    }
}

#[test]
fn decoding_refuses_what_is_no_text() {
    let half = &encode("👩", Encoding::Cl100kBase)[..1];
    assert_eq!(decode(half, Encoding::Cl100kBase), None);
    assert_eq!(decode_bytes(half, Encoding::Cl100kBase).unwrap(), "👩".as_bytes()[..2]);
    // <|endoftext|>, and ids that are nothing at all.
    for id in [100_257, 100_256, u32::MAX] {
        assert_eq!(decode_bytes(&[id], Encoding::Cl100kBase), None);
    }
    assert_eq!(decode(&[], Encoding::O200kBase).as_deref(), Some(""));
}

#[test]
fn encodings_have_names() {
    for encoding in Encoding::ALL {
        assert_eq!(encoding.as_str().parse(), Ok(*encoding));
    }
    let error = "p50k_base".parse::<Encoding>().unwrap_err().to_string();
    assert_eq!(error, "unknown encoding \"p50k_base\"; known are cl100k_base and o200k_base");
}

#[test]
fn models_have_encodings() {
    let table = [
        (
            "cl100k_base",
            "gpt-4 gpt-4-0613 gpt-4-turbo gpt-4-32k-0314 gpt-3.5-turbo gpt-3.5 gpt-3.5-turbo-0125 gpt-35-turbo-16k",
        ),
        ("cl100k_base", "text-embedding-3-small text-embedding-3-large text-embedding-ada-002 davinci-002"),
        ("cl100k_base", "ft:gpt-4-0613:org::id ft:gpt-3.5-turbo:org ft:babbage-002 openai/gpt-4 azure/gpt-35-turbo"),
        (
            "o200k_base",
            "gpt-5 gpt-5-mini gpt-5.1 gpt-4.1 gpt-4.1-nano gpt-4.5-preview gpt-4o gpt-4o-mini chatgpt-4o-latest",
        ),
        (
            "o200k_base",
            "o1 o1-mini o3 o3-mini o4-mini o4-mini-2025-04-16 gpt-oss-120b ft:gpt-4o-mini:org ft:gpt-4.1-mini:org",
        ),
        ("o200k_base", "openai/gpt-4o openrouter/openai/gpt-5-nano"),
        ("", "claude-sonnet-4 llama3 o10 gpt-4q gpt gpt-2 text-davinci-003 gpt-4o/claude-3 openai/ GPT-4"),
    ];
    for (encoding, models) in table {
        for model in models.split(' ') {
            assert_eq!(encoding_for_model(model).map_or("", Encoding::as_str), encoding, "{model}");
        }
    }
    assert_eq!(encoding_for_model(""), None);
}

#[test]
fn hostile_text_takes_linear_time() {
    Encoding::ALL.iter().for_each(|encoding| encoding.load());
    let pieces = [
        "a",
        "A",
        " ",
        "\n",
        "\t",
        "1",
        "!",
        "'",
        "/",
        "-",
        "é",
        "的",
        "🙏",
        "\u{301}",
        "aA",
        " a",
        " \n",
        "\n ",
        "\r\n",
        "a1",
        "'s",
        "'S",
        " !",
        "\u{a0}",
        "\0",
        "\u{10FFFF}",
        "ab",
        "zq",
        "\u{200d}👩",
        "ſ",
        "   x",
        "\\n",
    ];
    for (piece, encoding) in
        pieces.iter().flat_map(|piece| Encoding::ALL.iter().map(move |encoding| (piece, *encoding)))
    {
        // Also with an end that undoes what a greedy match hoped for.
        for end in ["", "x", "\n", " ", "1"] {
            let text = piece.repeat(100_000 / piece.len()) + end;
            let start = Instant::now();
            let tokens = count(&text, encoding);
            // A few milliseconds; a quadratic step would take minutes.
            assert!(start.elapsed() < Duration::from_secs(1), "{piece:?} {:?}", start.elapsed());
            assert!(tokens > 0 && tokens <= text.len());
        }
    }
}

/// Text of what pre-tokenizers and merges care about.
fn mixed() -> impl Strategy<Value = String> {
    let pieces = vec![
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\u{a0}",
        "'s",
        "'LL",
        "'",
        "a",
        "The",
        "hELLO",
        "tion",
        "12",
        "3",
        "½",
        "!",
        "...",
        "/",
        "ß",
        "é",
        "e\u{301}",
        "你",
        "日本",
        "Я",
        "م",
        "🙏",
        "\u{200d}",
        "👩",
        "ǅ",
        "ʰ",
        "<|endoftext|>",
        "\u{2028}",
        "_",
        "{\"",
        "\":",
        "\0",
        "ſ",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_exact(mixed in mixed(), any in any::<String>(), ascii in "[ -~\n]{0,80}") {
        assert_exact(&mixed);
        assert_exact(&any);
        assert_exact(&ascii);
    }
}
