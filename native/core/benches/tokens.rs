//! Counting against `tiktoken-rs` in the same process, on chat sizes. `cargo bench -p hoosh-core --bench tokens`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use hoosh_core::tokens::{count, encode, Encoding};
use tiktoken_rs::CoreBPE;

const CHAT: &str = "Could you please explain how the borrow checker decides that a reference outlives its owner? I have a \
struct with a lifetime parameter, and the compiler says `x` does not live long enough (error E0597).\n\n```rust\nfn main() {\n    \
let r;\n    {\n        let x = 5;\n        r = &x;\n    }\n    println!(\"r: {}\", r);\n}\n```\n\nIt's confusing: on line 7, \
nothing looks wrong to me! The docs from 2024-10-17 mention \"non-lexical lifetimes\", which we've enabled since v1.31.0. \
Antworten gern auch auf Deutsch, wenn das für Sie einfacher ist; 日本語でも大丈夫です。 Thanks in advance 🙏\n";

/// The beginning of a long chat.
fn text(bytes: usize) -> String {
    let mut text = CHAT.repeat(bytes / CHAT.len() + 1);
    let end = (0..=bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    text
}

/// Time of one call: the best of several rounds, because the machine's noise only ever adds.
fn time(mut call: impl FnMut() -> usize) -> Duration {
    const CALLS: u32 = 500;
    let round = || {
        let start = Instant::now();
        for _ in 0..CALLS {
            black_box(call());
        }
        start.elapsed() / CALLS
    };
    std::iter::repeat_with(round).take(15).min().unwrap_or_default()
}

fn compare(name: &str, ours: Duration, theirs: Duration) {
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    println!("{name:<34} {ours:>10.2?} tiktoken-rs {theirs:>10.2?}  {ratio:.2} x");
}

fn encodings() -> [(Encoding, &'static CoreBPE); 2] {
    [
        (Encoding::Cl100kBase, tiktoken_rs::cl100k_base_singleton()),
        (Encoding::O200kBase, tiktoken_rs::o200k_base_singleton()),
    ]
}

fn main() {
    for encoding in Encoding::ALL {
        let start = Instant::now();
        encoding.load();
        println!("load   {:<27} {:>10.2?}", encoding.as_str(), start.elapsed());
    }
    for (encoding, reference) in encodings() {
        for bytes in [20, 300, 3000] {
            let text = text(bytes);
            assert_eq!(count(&text, encoding), reference.count_ordinary(&text));
            let name = format!("{} {bytes} bytes", encoding.as_str());
            let (ours, theirs) = (time(|| count(&text, encoding)), time(|| reference.count_ordinary(&text)));
            compare(&format!("count  {name}"), ours, theirs);
            let ours = time(|| encode(&text, encoding).len());
            compare(&format!("encode {name}"), ours, time(|| reference.encode_ordinary(&text).len()));
        }
    }
    println!("100 kB of one thing:");
    for (encoding, _) in encodings() {
        for piece in ["a", " ", "🙏", "\n", "1", "!", "aA", "é", "\u{301}", " \n", "的"] {
            let text = piece.repeat(100_000 / piece.len());
            let start = Instant::now();
            let tokens = black_box(count(&text, encoding));
            println!("  {} {piece:<8?} {tokens:>7} tokens {:>10.2?}", encoding.as_str(), start.elapsed());
        }
    }
}
