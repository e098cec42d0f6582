//! Files that are damaged, hostile, or something else.

use crate::gguf::{problem, sample, text, Gguf, ARRAY, FLAG, TEXT, U32};

fn says(bytes: Vec<u8>, words: &str) {
    let problem = problem(bytes);
    assert!(problem.contains(words), "{problem}");
}

#[test]
fn other_formats_are_told_by_name() {
    says(vec![], "empty");
    says(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n".to_vec(), "git lfs pull");
    says(b"lmgg\x01\x00\x00\x00".to_vec(), "GGML");
    says(b"tjgg\x03\x00\x00\x00".to_vec(), "GGML");
    says(b"PK\x03\x04 archive/data.pkl".to_vec(), "PyTorch");
    says(b"\x80\x02}q\x00".to_vec(), "PyTorch");
    says([&9u64.to_le_bytes()[..], b"{\"a\":1}  "].concat(), "safetensors");
    says(b"<!DOCTYPE html>".to_vec(), "web page");
    says(b"GG".to_vec(), "ends after 2 bytes");
    says(b"hello there".to_vec(), "does not begin as GGUF does");
}

#[test]
fn versions_are_told() {
    let of = |version: u32| Gguf { version, ..Gguf::new() }.bytes();
    assert_eq!(Gguf { version: 2, ..sample() }.file().tensor_bytes(), 88);
    says(of(1), "version 1");
    says(of(4), "versions 2 and 3");
    says(of(3u32.swap_bytes()), "big-endian");
}

#[test]
fn counts_that_the_file_cannot_hold_are_refused_at_once() {
    let mut bytes = sample().bytes();
    bytes[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    says(bytes, "claims 18446744073709551615 tensors");
    let mut bytes = sample().bytes();
    bytes[16..24].copy_from_slice(&(1u64 << 60).to_le_bytes());
    says(bytes, "entries of metadata, more than fit");
    let long = (1u64 << 62).to_le_bytes();
    says(Gguf::new().raw("x", TEXT, &long).bytes(), "bytes of text");
    says(Gguf::new().raw("x", ARRAY, &[&U32.to_le_bytes()[..], &long].concat()).bytes(), "values of an array");
    says(
        Gguf::new().raw("x", ARRAY, &[&TEXT.to_le_bytes()[..], &9u64.to_le_bytes(), &[0; 24]].concat()).bytes(),
        "9 values",
    );
    let nested = [&ARRAY.to_le_bytes()[..], &1u64.to_le_bytes(), &U32.to_le_bytes(), &0u64.to_le_bytes()].concat();
    says(Gguf::new().raw("x", ARRAY, &nested).bytes(), "holds arrays");
}

#[test]
fn entries_are_checked() {
    says(Gguf::new().u32("a", 1).u32("a", 2).bytes(), "entry a is there twice");
    says(Gguf::new().raw("a", 13, &[0; 8]).bytes(), "type 13");
    says(Gguf::new().raw("a", FLAG, &[2]).bytes(), "neither 0 nor 1");
    says(
        Gguf::new().raw("a", ARRAY, &[&FLAG.to_le_bytes()[..], &1u64.to_le_bytes(), &[9]].concat()).bytes(),
        "neither 0 nor 1",
    );
    says(Gguf::new().u32("", 1).bytes(), "a name has 0 bytes");
    says(Gguf::new().u32(&"x".repeat(65_536), 1).bytes(), "a name has 65536 bytes");
}

#[test]
fn alignment_is_a_power_of_two() {
    for wrong in [0, 3, 48, 1 << 21] {
        says(Gguf::new().u32("general.alignment", wrong).bytes(), "general.alignment");
    }
    says(Gguf::new().text("general.alignment", "32").bytes(), "has to be a whole number");
    for alignment in [1, 8, 64, 4096] {
        let file = Gguf { alignment: alignment as usize, ..sample() }.u32("general.alignment", alignment).file();
        assert_eq!(file.f32s("norm").unwrap(), [1.0, 2.0, 3.0]);
    }
}

#[test]
fn tensors_are_checked() {
    let one =
        |dimensions: &[u64], kind, bytes: usize| Gguf::new().tensor("t", dimensions, kind, vec![0; bytes]).bytes();
    says(one(&[1; 5], 0, 4), "5 dimensions");
    says(one(&[0], 0, 0), "a dimension of 0");
    says(one(&[1 << 62, 1 << 62], 0, 4), "more than any memory");
    says(one(&[1 << 61, 32], 0, 4), "more than any memory");
    says(one(&[33], 8, 68), "rows of 33 elements, and Q8_0 stores blocks of 32");
    says(one(&[2], 4, 8), "stored as Q4_2");
    says(one(&[256], 20, 144), "stored as IQ4_NL");
    says(one(&[2], 77, 8), "number 77");
    says(one(&[4], 0, 15), "was cut off");
    says(one(&[1 << 40], 0, 4), "was cut off");
    let two = Gguf::new().tensor("a", &[16], 0, vec![0; 64]).tensor("b", &[16], 0, vec![0; 64]);
    says(two.bytes_with(&[0, 32]), "b shares bytes with a");
    says(two.bytes_with(&[0, 33]), "no multiple");
    says(two.bytes_with(&[0, u64::MAX - 31]), "tensor b");
    says(two.bytes_with(&[1 << 40, 0]), "tensor a needs bytes");
    says(
        Gguf::new().tensor("a", &[1], 0, vec![0; 4]).tensor("a", &[1], 0, vec![0; 4]).bytes(),
        "tensor a is there twice",
    );
}

#[test]
fn names_in_errors_are_short_and_printable() {
    let name = format!("\u{1b}[31m{}", "x".repeat(250));
    let problem = problem(Gguf::new().tensor(&name, &[0], 0, vec![]).bytes());
    assert!(problem.len() < 200 && problem.contains("\\u{1b}[31mxx") && problem.contains('…'), "{problem}");
}

#[test]
fn texts_that_are_no_utf8_are_replaced() {
    let broken = [&2u64.to_le_bytes()[..], &[0xff, b'a']].concat();
    assert_eq!(Gguf::new().raw("x", TEXT, &broken).file().metadata().str("x").unwrap(), "\u{fffd}a");
    assert_eq!(text("é").len(), 10);
}

#[test]
fn a_file_that_ends_early_is_told_wherever_it_ends() {
    let bytes = sample().bytes();
    for length in 4..bytes.len() {
        let problem = problem(bytes[..length].to_vec());
        assert!(["damaged", "cut off", "claims"].iter().any(|word| problem.contains(word)), "{length}: {problem}");
    }
}
