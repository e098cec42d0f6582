//! Writes model files for the tests, sound ones and others.

use bytes::Bytes;
use hoosh_candle::file::ModelFile;

/// A model file in the making.
#[derive(Clone)]
pub struct Gguf {
    pub version: u32,
    pub alignment: usize,
    pub entries: Vec<Vec<u8>>,
    pub tensors: Vec<TensorOf>,
}

#[derive(Clone)]
pub struct TensorOf {
    name: String,
    dimensions: Vec<u64>,
    kind: u32,
    data: Vec<u8>,
}

pub const U32: u32 = 4;
pub const I32: u32 = 5;
pub const F32: u32 = 6;
pub const FLAG: u32 = 7;
pub const TEXT: u32 = 8;
pub const ARRAY: u32 = 9;

impl Gguf {
    pub fn new() -> Gguf {
        Gguf { version: 3, alignment: 32, entries: Vec::new(), tensors: Vec::new() }
    }

    /// An entry whose value is already bytes.
    pub fn raw(mut self, key: &str, kind: u32, value: &[u8]) -> Gguf {
        self.entries.push([text(key), kind.to_le_bytes().to_vec(), value.to_vec()].concat());
        self
    }

    pub fn u32(self, key: &str, value: u32) -> Gguf {
        self.raw(key, U32, &value.to_le_bytes())
    }

    pub fn flag(self, key: &str, value: bool) -> Gguf {
        self.raw(key, FLAG, &[value.into()])
    }

    pub fn text(self, key: &str, value: &str) -> Gguf {
        self.raw(key, TEXT, &text(value))
    }

    pub fn texts(self, key: &str, values: &[impl AsRef<str>]) -> Gguf {
        self.array(key, TEXT, values.len(), values.iter().flat_map(|value| text(value.as_ref())).collect())
    }

    pub fn i32s(self, key: &str, values: &[i32]) -> Gguf {
        self.array(key, I32, values.len(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    pub fn f32s(self, key: &str, values: &[f32]) -> Gguf {
        self.array(key, F32, values.len(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    fn array(self, key: &str, kind: u32, count: usize, values: Vec<u8>) -> Gguf {
        self.raw(key, ARRAY, &[kind.to_le_bytes().to_vec(), (count as u64).to_le_bytes().to_vec(), values].concat())
    }

    /// A tensor; `dimensions` as the file has them, those of a row first.
    pub fn tensor(mut self, name: &str, dimensions: &[u64], kind: u32, data: Vec<u8>) -> Gguf {
        self.tensors.push(TensorOf { name: name.into(), dimensions: dimensions.into(), kind, data });
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut offset = 0;
        let offsets: Vec<u64> = self
            .tensors
            .iter()
            .map(|tensor| {
                let at = offset;
                offset = (at + tensor.data.len()).next_multiple_of(self.alignment);
                at as u64
            })
            .collect();
        self.bytes_with(&offsets)
    }

    /// The file with tensors said to be where they are not.
    pub fn bytes_with(&self, offsets: &[u64]) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.entries.len() as u64).to_le_bytes());
        out.extend(self.entries.concat());
        for (tensor, offset) in self.tensors.iter().zip(offsets) {
            out.extend(text(&tensor.name));
            out.extend((tensor.dimensions.len() as u32).to_le_bytes());
            out.extend(tensor.dimensions.iter().flat_map(|size| size.to_le_bytes()));
            out.extend(tensor.kind.to_le_bytes());
            out.extend(offset.to_le_bytes());
        }
        for tensor in &self.tensors {
            out.resize(out.len().next_multiple_of(self.alignment), 0);
            out.extend(&tensor.data);
        }
        out
    }

    pub fn file(&self) -> ModelFile {
        ModelFile::from_bytes(Bytes::from(self.bytes())).unwrap()
    }
}

pub fn text(value: &str) -> Vec<u8> {
    [&(value.len() as u64).to_le_bytes(), value.as_bytes()].concat()
}

/// What is wrong with the file `bytes`.
pub fn problem(bytes: Vec<u8>) -> String {
    match ModelFile::from_bytes(Bytes::from(bytes)) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.to_string(),
    }
}

/// A file with a bit of everything.
pub fn sample() -> Gguf {
    let f32s = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    Gguf::new()
        .text("general.architecture", "llama")
        .u32("general.file_type", 15)
        .u32("llama.context_length", 512)
        .raw("llama.rope.freq_base", F32, &10_000f32.to_le_bytes())
        .raw("of.i8", 1, &[0xff])
        .raw("of.u64", 10, &u64::MAX.to_le_bytes())
        .raw("of.f64", 12, &f64::INFINITY.to_le_bytes())
        .flag("of.flag", true)
        .texts("of.texts", &["a", "", "ß"])
        .i32s("of.i32s", &[-1, 2])
        .f32s("of.f32s", &[0.5, -2.0])
        .tensor("norm", &[3], 0, f32s(&[1.0, 2.0, 3.0]))
        .tensor("half", &[2, 2], 1, vec![0x00, 0x3c, 0x00, 0xc0, 0, 0, 0x00, 0x38])
        .tensor("quantized", &[32, 2], 8, [vec![0x00, 0x3c], vec![2; 32], vec![0x00, 0x40], vec![0xff; 32]].concat())
}
