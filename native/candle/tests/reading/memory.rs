//! Random damage: never a panic, and never more memory than the file accounts for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use hoosh_candle::file::ModelFile;
use hoosh_candle::text::Tokenizer;
use proptest::prelude::*;

use crate::gguf::sample;
use crate::tokens;

/// Counts what the thread has allocated and not let go, and the most that it was.
struct Counting;

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that is ending has no counters any more.
    let _ = NOW.try_with(|now| {
        now.set(now.get() + bytes);
        let _ = MOST.try_with(|most| most.set(most.get().max(now.get())));
    });
}

// SAFETY: every call is passed on to the system's allocator as it is; only numbers are kept beside it.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        System.alloc(layout)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        System.dealloc(pointer, layout)
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The most that `work` has of memory at a time.
pub fn most_of(work: impl FnOnce()) -> usize {
    let before = NOW.get();
    MOST.set(before);
    work();
    (MOST.get() - before).max(0) as usize
}

/// Times the size of the file that reading it may take: an entry of a few bytes in the file has a name, a place in a table
/// and a value in memory.
const FACTOR: usize = 24;

/// For error messages and the smallest tables.
const BESIDES: usize = 16 * 1024;

fn read(bytes: Vec<u8>) {
    let size = bytes.len();
    let bytes = Bytes::from(bytes);
    let most = most_of(|| {
        if let Ok(file) = ModelFile::from_bytes(bytes) {
            let names: Vec<String> = file.tensor_names().map(String::from).collect();
            for name in names {
                file.tensor(&name).unwrap();
                let _ = file.f32s(&name);
            }
            let _ = Tokenizer::from_gguf(&file).map(|tokenizer| tokenizer.encode("Hello <s> \n12", true));
        }
    });
    assert!(most <= size * FACTOR + BESIDES, "{most} bytes for a file of {size}");
}

/// Changes of single bytes.
fn flips() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damaged_files_never_take_more_than_their_size(flips in flips(), end in any::<prop::sample::Index>(), cut in any::<bool>()) {
        let mut bytes = sample().bytes();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        read(bytes);
    }

    #[test]
    fn what_follows_a_sound_beginning_may_be_anything(noise in prop::collection::vec(any::<u8>(), 0..400), counts in any::<(u8, u8)>()) {
        let head = [&b"GGUF\x03\0\0\0"[..], &u64::from(counts.0 % 4).to_le_bytes(), &u64::from(counts.1 % 4).to_le_bytes()];
        read([&head.concat()[..], &noise].concat());
    }
}

proptest! {
    // A vocabulary is some hundred times the size of the sample, and its pattern is compiled each time.
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn damaged_vocabularies_do_not_panic(flips in flips()) {
        for mut bytes in [tokens::by_bytes("llama-bpe").bytes(), tokens::by_pieces(true, "x").bytes()] {
            for (at, value) in &flips {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            if let Ok(file) = ModelFile::from_bytes(Bytes::from(bytes)) {
                let _ = Tokenizer::from_gguf(&file).map(|tokenizer| tokenizer.encode("Hello <s> \n12 日本", true));
            }
        }
    }
}
