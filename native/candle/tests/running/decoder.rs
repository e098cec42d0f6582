//! The decoder against itself: however tokens are put together in steps, the same numbers come out.

use crate::common::Shape;
use candle_core::quantized::gguf_file::Value;
use candle_core::quantized::GgmlDType;
use candle_core::Device;
use hoosh_candle::decoder::{Architecture, Decoder, DecoderError, Kv, Slice, BLOCK};
use hoosh_candle::file::ModelFile;

fn try_load(shape: &Shape) -> Result<Decoder, DecoderError> {
    let file = ModelFile::from_bytes(shape.bytes())?;
    Decoder::load(&file, None, &Device::Cpu, &mut |_| {})
}

fn load(shape: &Shape) -> Decoder {
    try_load(shape).unwrap_or_else(|error| panic!("{shape:?}: {error}"))
}

/// Families, each with what is its own.
fn families() -> Vec<Shape> {
    let mut shapes: Vec<Shape> = Architecture::NAMES.iter().map(|name| Shape::new(name)).collect();
    for shape in &mut shapes {
        match shape.architecture {
            "gemma2" | "gemma3" => {
                shape.layers = 7;
                shape.changes.push(("attention.sliding_window", Some(Value::U32(5))));
            }
            "phi3" => shape.changes.push(("rope.dimension_count", Some(Value::U32(8)))),
            "qwen2" => shape.tied = true,
            _ => {}
        }
    }
    shapes
}

/// Puts `tokens` in, `size` in each step, and gives what follows the last.
fn feed(decoder: &Decoder, kv: &mut Kv, tokens: &[u32], size: usize) -> Vec<f32> {
    let mut last = None;
    for tokens in tokens.chunks(size) {
        let logits = decoder.step(&mut [Slice { kv, tokens, logits: true }]).expect("a step");
        last = logits.into_iter().next().flatten();
    }
    last.expect("logits were asked for")
}

fn text(length: usize, seed: u64) -> Vec<u32> {
    let mut rng = hoosh_core::rng::Rng::new(seed);
    (0..length).map(|_| rng.below(256) as u32).collect()
}

#[track_caller]
fn assert_near(a: &[f32], b: &[f32], context: &str) {
    let scale = a.iter().fold(1f32, |most, number| most.max(number.abs()));
    let gap = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(a.len() == b.len() && gap <= 1e-4 * scale, "{context}: a gap of {gap} in numbers up to {scale}");
}

#[test]
fn a_prompt_in_slices_gives_what_it_gives_as_a_whole_and_token_by_token() {
    for shape in families() {
        let decoder = load(&shape);
        let tokens = text(40, 3);
        let [whole, slices, single] = [40, 7, 1].map(|size| feed(&decoder, &mut decoder.sequence(64), &tokens, size));
        assert_near(&whole, &slices, shape.architecture);
        assert_near(&whole, &single, shape.architecture);
    }
}

#[test]
fn sequences_in_one_step_do_not_touch_each_other() {
    for shape in families() {
        let decoder = load(&shape);
        let texts = [text(9, 1), text(23, 2), text(1, 3)];
        let alone: Vec<_> = texts.iter().map(|tokens| feed(&decoder, &mut decoder.sequence(64), tokens, 64)).collect();
        // All but the last token of each, then a step with one token of two and a slice of the third.
        let mut kvs: Vec<Kv> = texts.iter().map(|_| decoder.sequence(64)).collect();
        for (kv, tokens) in kvs.iter_mut().zip(&texts).take(2) {
            feed(&decoder, kv, &tokens[..tokens.len() - 4], 5);
        }
        let mut slices: Vec<Slice> = Vec::new();
        for (kv, tokens) in kvs.iter_mut().zip(&texts) {
            let tokens = &tokens[kv.len()..];
            slices.push(Slice { kv, tokens, logits: true });
        }
        let together = decoder.step(&mut slices).expect("a step");
        for (alone, together) in alone.iter().zip(&together) {
            assert_near(alone, together.as_ref().expect("asked for"), shape.architecture);
        }
    }
}

#[test]
fn logits_come_only_to_those_who_want_them() {
    let decoder = load(&Shape::new("llama"));
    let (mut a, mut b, mut c) = (decoder.sequence(8), decoder.sequence(8), decoder.sequence(8));
    let mut slices = [
        Slice { kv: &mut a, tokens: &[1, 2], logits: false },
        Slice { kv: &mut b, tokens: &[3], logits: true },
        Slice { kv: &mut c, tokens: &[4], logits: false },
    ];
    let got = decoder.step(&mut slices).expect("a step");
    assert_eq!(got.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false]);
    let alone = feed(&decoder, &mut decoder.sequence(8), &[3], 1);
    assert_near(&alone, got[1].as_ref().expect("asked for"), "the second");
}

#[test]
fn a_fork_goes_on_as_if_it_had_been_there_from_the_beginning() {
    let decoder = load(&Shape::new("qwen3"));
    let tokens = text(90, 5);
    let mut trunk = decoder.sequence(200);
    feed(&decoder, &mut trunk, &tokens, 64);
    for length in [1, BLOCK, 89] {
        let mut fork = trunk.fork(length, 100).expect("a fork");
        let forked = feed(&decoder, &mut fork, &tokens[length..], 64);
        assert_near(&feed(&decoder, &mut decoder.sequence(100), &tokens, 64), &forked, "a fork");
    }
    trunk.truncate(10);
    let again = feed(&decoder, &mut trunk, &tokens[10..], 64);
    assert_near(&feed(&decoder, &mut decoder.sequence(100), &tokens, 64), &again, "what was cut and put in again");
}

#[test]
fn every_quantization_keeps_to_itself() {
    use GgmlDType::{F16, Q4K, Q4_0, Q6K, Q8_0};
    for dtype in [F16, Q8_0, Q4_0, Q4K, Q6K] {
        let decoder = load(&Shape::wide("llama", dtype));
        let tokens = text(33, 7);
        let whole = feed(&decoder, &mut decoder.sequence(64), &tokens, 64);
        let single = feed(&decoder, &mut decoder.sequence(64), &tokens, 1);
        // Kernels for one row and for many add in another order, and what they add was rounded to eight bits.
        let gap = whole.iter().zip(&single).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(gap < 2e-2, "{dtype:?}: {gap}");
    }
}

#[test]
fn a_sequence_never_outgrows_its_room() {
    let decoder = load(&Shape::new("llama"));
    let mut kv = decoder.sequence(70);
    feed(&decoder, &mut kv, &text(70, 1), 35);
    let token_bytes = decoder.config().kv_bytes_per_token();
    assert!(kv.bytes() <= (2 * BLOCK) as u64 * token_bytes, "{} bytes", kv.bytes());
    let before = kv.len();
    let error = decoder.step(&mut [Slice { kv: &mut kv, tokens: &[1], logits: true }]).expect_err("full");
    assert!(matches!(error, DecoderError::Full { needed: 71, room: 70 }), "{error}");
    assert_eq!(kv.len(), before);
}

#[test]
fn a_token_that_is_none_is_an_error_and_changes_nothing() {
    let decoder = load(&Shape::new("llama"));
    let mut kv = decoder.sequence(8);
    assert!(decoder.step(&mut [Slice { kv: &mut kv, tokens: &[272], logits: true }]).is_err());
    assert!(decoder.step(&mut [Slice { kv: &mut kv, tokens: &[], logits: true }]).is_err());
    assert_eq!(kv.len(), 0);
}

#[test]
fn metadata_that_no_model_can_have_are_errors() {
    let number = Value::U32;
    for (name, value) in [
        ("attention.head_count", number(0)),
        ("attention.head_count", number(3)),
        ("attention.head_count", number(u32::MAX)),
        ("attention.head_count_kv", number(3)),
        ("attention.key_length", number(15)),
        ("attention.key_length", number(u32::MAX)),
        ("block_count", number(0)),
        ("block_count", number(3)),
        ("block_count", number(u32::MAX)),
        ("embedding_length", number(0)),
        ("embedding_length", number(65)),
        ("feed_forward_length", number(u32::MAX)),
        ("rope.dimension_count", number(17)),
        ("rope.dimension_count", number(64)),
        ("rope.freq_base", Value::F32(0.0)),
        ("rope.scaling.type", Value::String("strange".into())),
        ("expert_count", number(8)),
        ("attention.layer_norm_rms_epsilon", Value::String("small".into())),
        ("context_length", number(0)),
    ] {
        let shape = Shape::new("llama").with(name, value.clone());
        let error = try_load(&shape).expect_err(name);
        assert!(!error.to_string().is_empty(), "{name} {value:?}");
    }
}

#[test]
fn an_unknown_architecture_is_told_with_the_known_ones() {
    let error = try_load(&Shape::new("mamba")).expect_err("unknown").to_string();
    assert!(error.contains("`mamba`") && error.contains("llama, qwen2, qwen3"), "{error}");
}

#[test]
fn a_huge_context_takes_no_memory_before_it_is_used() {
    let decoder = load(&Shape::new("llama").with("context_length", Value::U32(u32::MAX)));
    let mut kv = decoder.sequence(usize::MAX / 2);
    feed(&decoder, &mut kv, &[1, 2, 3], 3);
    assert!(kv.bytes() <= (2 * BLOCK) as u64 * decoder.config().kv_bytes_per_token());
}
