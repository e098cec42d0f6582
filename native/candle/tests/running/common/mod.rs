//! Small models with random weights, of every family, and what tests ask of them.
#![allow(dead_code)] // Each test uses a part.

pub mod asking;
pub mod folder;

use bytes::Bytes;
use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use hoosh_core::rng::Rng;

/// The shape of a random model.
#[derive(Clone, Debug)]
pub struct Shape {
    pub architecture: &'static str,
    pub width: usize,
    pub feed_forward: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_size: usize,
    pub context: u32,
    pub dtype: GgmlDType,
    pub tied: bool,
    pub seed: u64,
    /// Tokens; those beyond the named ones are never encoded.
    pub vocabulary: usize,
    /// Metadata set or, with `None`, left out in the end, by the name without the architecture's.
    pub changes: Vec<(&'static str, Option<Value>)>,
    /// As the chat template.
    pub template: Option<&'static str>,
}

pub const END: u32 = 256;
pub const TURN: u32 = 257;
pub const TURN_END: u32 = 258;

/// Tokens of more than one byte, from number 259 on.
pub const WORDS: [&str; 9] = ["hi", "th", "END", "xEN", "D\n", "é", "🙂 ", "the", " a"];

const MERGES: [&str; 3] = ["h i", "t h", "th e"];

pub const CHATML: &str =
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n\
                          {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

impl Shape {
    pub fn new(architecture: &'static str) -> Self {
        Shape {
            architecture,
            width: 64,
            feed_forward: 96,
            layers: 2,
            heads: 4,
            kv_heads: 2,
            head_size: 16,
            context: 512,
            dtype: GgmlDType::F32,
            // Files of these have no other output, and llama.cpp loads no others.
            tied: matches!(architecture, "gemma" | "gemma2"),
            seed: 1,
            vocabulary: 272,
            changes: Vec::new(),
            template: Some(CHATML),
        }
    }

    /// Wide enough for every quantization.
    pub fn wide(architecture: &'static str, dtype: GgmlDType) -> Self {
        let (width, feed_forward, head_size) = (256, 512, 64);
        Shape { width, feed_forward, head_size, dtype, ..Shape::new(architecture) }
    }

    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.changes.push((name, Some(value)));
        self
    }

    /// As a GGUF file.
    pub fn bytes(&self) -> Bytes {
        let metadata = self.metadata();
        let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let tensors = Weights { shape: self, rng: Rng::new(self.seed), made: Vec::new() }.make();
        let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        let mut file = std::io::Cursor::new(Vec::new());
        gguf_file::write(&mut file, &metadata, &tensors).expect("written to memory");
        file.into_inner().into()
    }

    fn metadata(&self) -> Vec<(String, Value)> {
        let text = |text: &str| Value::String(text.to_owned());
        let number = |number: usize| Value::U32(number as u32);
        let mut own: Vec<(&str, Value)> = vec![
            ("context_length", Value::U32(self.context)),
            ("embedding_length", number(self.width)),
            ("block_count", number(self.layers)),
            ("feed_forward_length", number(self.feed_forward)),
            ("attention.head_count", number(self.heads)),
            ("attention.head_count_kv", number(self.kv_heads)),
            ("attention.key_length", number(self.head_size)),
            ("attention.value_length", number(self.head_size)),
            ("rope.dimension_count", number(self.head_size)),
            ("rope.freq_base", Value::F32(10_000.0)),
            ("attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
        ];
        for (name, value) in &self.changes {
            own.retain(|(own, _)| own != name);
            own.extend(value.clone().map(|value| (*name, value)));
        }
        let (tokens, kinds) = vocabulary(self.vocabulary);
        let mut all = vec![
            ("general.architecture".to_owned(), text(self.architecture)),
            ("general.name".to_owned(), text("random")),
            ("tokenizer.ggml.model".to_owned(), text("gpt2")),
            ("tokenizer.ggml.pre".to_owned(), text("gpt-2")),
            ("tokenizer.ggml.tokens".to_owned(), Value::Array(tokens.into_iter().map(Value::String).collect())),
            ("tokenizer.ggml.token_type".to_owned(), Value::Array(kinds.into_iter().map(Value::I32).collect())),
            ("tokenizer.ggml.merges".to_owned(), Value::Array(MERGES.map(text).to_vec())),
            ("tokenizer.ggml.eos_token_id".to_owned(), Value::U32(END)),
            ("tokenizer.ggml.bos_token_id".to_owned(), Value::U32(END)),
        ];
        all.extend(self.template.map(|template| ("tokenizer.chat_template".to_owned(), text(template))));
        all.extend(own.into_iter().map(|(name, value)| (format!("{}.{name}", self.architecture), value)));
        all
    }
}

/// Bytes in GPT-2's alphabet, then control tokens, then [`WORDS`], then fillers.
fn vocabulary(size: usize) -> (Vec<String>, Vec<i32>) {
    let mut tokens: Vec<String> = (0..=255).map(|byte| letter(byte).to_string()).collect();
    let mut kinds = vec![1; 256];
    for control in ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] {
        tokens.push(control.to_owned());
        kinds.push(3);
    }
    for word in WORDS {
        tokens.push(word.bytes().map(letter).collect());
        kinds.push(1);
    }
    while tokens.len() < size {
        tokens.push(format!("[{}]", tokens.len()));
        kinds.push(1);
    }
    (tokens, kinds)
}

/// GPT-2's letter for a byte: itself where it can be printed, and else one from 256 on.
fn letter(byte: u8) -> char {
    let is_printed = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    match is_printed(byte) {
        true => byte as char,
        false => {
            let before = (0..byte).filter(|byte| !is_printed(*byte)).count() as u32;
            char::from_u32(256 + before).expect("a letter")
        }
    }
}

struct Weights<'a> {
    shape: &'a Shape,
    rng: Rng,
    made: Vec<(String, QTensor)>,
}

impl Weights<'_> {
    fn make(mut self) -> Vec<(String, QTensor)> {
        let shape = self.shape.clone();
        let (width, inner) = (shape.width, shape.feed_forward);
        let (queries, keys) = (shape.heads * shape.head_size, shape.kv_heads * shape.head_size);
        let is = |names: &[&str]| names.contains(&shape.architecture);
        self.matrix("token_embd.weight", shape.vocabulary, width, 1.0);
        for layer in 0..shape.layers {
            let name = |part: &str| format!("blk.{layer}.{part}");
            self.norm(&name("attn_norm.weight"), width);
            if is(&["phi3"]) {
                self.matrix(&name("attn_qkv.weight"), queries + 2 * keys, width, 1.0);
            } else {
                self.matrix(&name("attn_q.weight"), queries, width, 1.0);
                self.matrix(&name("attn_k.weight"), keys, width, 1.0);
                self.matrix(&name("attn_v.weight"), keys, width, 1.0);
            }
            if is(&["qwen2"]) {
                self.vector(&name("attn_q.bias"), queries, 0.0, 0.5);
                self.vector(&name("attn_k.bias"), keys, 0.0, 0.5);
                self.vector(&name("attn_v.bias"), keys, 0.0, 0.5);
            }
            if is(&["qwen3", "gemma3"]) {
                self.norm(&name("attn_q_norm.weight"), shape.head_size);
                self.norm(&name("attn_k_norm.weight"), shape.head_size);
            }
            self.matrix(&name("attn_output.weight"), width, queries, 1.0);
            if is(&["gemma2", "gemma3"]) {
                self.norm(&name("post_attention_norm.weight"), width);
                self.norm(&name("post_ffw_norm.weight"), width);
            }
            self.norm(&name("ffn_norm.weight"), width);
            if is(&["phi3"]) {
                self.matrix(&name("ffn_up.weight"), 2 * inner, width, 1.0);
            } else {
                self.matrix(&name("ffn_gate.weight"), inner, width, 1.0);
                self.matrix(&name("ffn_up.weight"), inner, width, 1.0);
            }
            self.matrix(&name("ffn_down.weight"), width, inner, 1.0);
        }
        self.norm("output_norm.weight", width);
        if !shape.tied {
            self.matrix("output.weight", shape.vocabulary, width, 2.0);
        }
        self.made
    }

    /// Sums of four uniform numbers are near enough to a normal distribution.
    fn number(&mut self) -> f32 {
        let sum: i64 = (0..4).map(|_| self.rng.below(2_000_001) as i64 - 1_000_000).sum();
        sum as f32 / 1_154_700.0
    }

    fn matrix(&mut self, name: &str, outputs: usize, inputs: usize, gain: f32) {
        // An embedding is looked up, not summed.
        let scale = if name.starts_with("token_embd") { 1.0 } else { gain / (inputs as f32).sqrt() };
        let numbers: Vec<f32> = (0..outputs * inputs).map(|_| self.number() * scale).collect();
        let tensor = Tensor::from_vec(numbers, (outputs, inputs), &Device::Cpu).expect("a tensor");
        self.made.push((name.to_owned(), QTensor::quantize(&tensor, self.shape.dtype).expect("quantized")));
    }

    fn norm(&mut self, name: &str, size: usize) {
        self.vector(name, size, 1.0, 0.1);
    }

    fn vector(&mut self, name: &str, size: usize, mean: f32, spread: f32) {
        let numbers: Vec<f32> = (0..size).map(|_| mean + self.number() * spread).collect();
        let tensor = Tensor::from_vec(numbers, size, &Device::Cpu).expect("a tensor");
        self.made.push((name.to_owned(), QTensor::quantize(&tensor, GgmlDType::F32).expect("kept")));
    }
}
