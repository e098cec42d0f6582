//! Sound files, and what asks for the wrong thing in them.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::quantized::GgmlDType;
use candle_core::Device;
use hoosh_candle::file::ModelFile;

use crate::gguf::{sample, Gguf};

#[test]
fn metadata_is_read_by_type() {
    let file = sample().file();
    let metadata = file.metadata();
    assert_eq!(metadata.str("general.architecture").unwrap(), "llama");
    assert_eq!(metadata.get_u32("llama.context_length").unwrap(), 512);
    assert_eq!(metadata.u32_or("absent", 7).unwrap(), 7);
    assert_eq!(metadata.f32_or("llama.rope.freq_base", 1.0).unwrap(), 10_000.0);
    assert_eq!(metadata.f32_or("llama.context_length", 1.0).unwrap(), 512.0);
    assert!(metadata.bool_or("of.flag", false).unwrap());
    assert!(metadata.bool_or("absent", true).unwrap());
    assert_eq!(metadata.opt_str("absent").unwrap(), None);
    assert_eq!(metadata.strings("of.texts").unwrap(), ["a", "", "ß"]);
    assert_eq!(metadata.i32s("of.i32s").unwrap(), [-1, 2]);
    assert_eq!(metadata.f32s("of.f32s").unwrap(), [0.5, -2.0]);
    assert_eq!(metadata.f32s("of.i32s").unwrap(), [-1.0, 2.0]);
    assert!(metadata.has("of.u64") && !metadata.has("absent"));
    assert_eq!(metadata.keys().count(), 11);
    assert_eq!(file.file_type().as_deref(), Some("Q4_K_M"));
}

#[test]
fn a_value_of_another_type_is_named_with_what_is_expected() {
    let file = sample().file();
    let metadata = file.metadata();
    let said = |error: hoosh_candle::file::FileError| error.to_string();
    for (problem, words) in [
        (said(metadata.get_u32("absent").unwrap_err()), "entry absent is missing"),
        (
            said(metadata.get_u32("of.i8").unwrap_err()),
            "of.i8 is the whole number -1, and has to be a whole number of 0 to",
        ),
        (said(metadata.get_u32("of.u64").unwrap_err()), "18446744073709551615"),
        (said(metadata.get_u32("of.texts").unwrap_err()), "an array of 3 texts"),
        (said(metadata.f32_or("of.f64", 0.0).unwrap_err()), "has to be a finite number"),
        (said(metadata.bool_or("general.architecture", false).unwrap_err()), "is a text, and has to be true or false"),
        (said(metadata.str("of.flag").unwrap_err()), "is true, and has to be a text"),
        (said(metadata.strings("of.i32s").unwrap_err()), "an array of 2 values I32"),
        (said(metadata.i32s("of.f32s").unwrap_err()), "whole numbers of 32 bits"),
        (said(metadata.u32s("of.i32s").unwrap_err()), "0 to 4294967295"),
    ] {
        assert!(problem.contains(words), "{problem}");
    }
}

#[test]
fn tensors_are_where_they_are_said_to_be() {
    let file = sample().file();
    assert_eq!(file.tensor_names().collect::<Vec<_>>(), ["norm", "half", "quantized"]);
    assert!(file.has("half") && !file.has("absent"));
    assert_eq!(file.tensor_bytes(), 12 + 8 + 68);
    let tensor = file.tensor("quantized").unwrap();
    assert_eq!((tensor.dtype, tensor.shape, tensor.data.len()), (GgmlDType::Q8_0, vec![2, 32], 68));
    assert_eq!(file.f32s("norm").unwrap(), [1.0, 2.0, 3.0]);
    assert_eq!(file.f32s("half").unwrap(), [1.0, -2.0, 0.0, 0.5]);
    let numbers = file.f32s("quantized").unwrap();
    assert_eq!((numbers[0], numbers[31], numbers[32], numbers[63]), (2.0, 2.0, -2.0, -2.0));
    assert_eq!(file.qtensor("quantized", &Device::Cpu).unwrap().shape().dims(), [2, 32]);
    let problem = file.tensor("absent").unwrap_err().to_string();
    assert!(problem.contains("tensor absent is missing"), "{problem}");
}

#[test]
fn crooked_addresses_are_read_too() {
    let bytes = sample().bytes();
    for shift in 0..9 {
        let buffer = bytes::Bytes::from([vec![0; shift], bytes.clone()].concat());
        let file = ModelFile::from_bytes(buffer.slice(shift..)).unwrap();
        assert_eq!(file.f32s("norm").unwrap(), [1.0, 2.0, 3.0]);
        assert_eq!(file.f32s("quantized").unwrap()[63], -2.0);
    }
}

#[test]
fn a_file_on_disk_is_mapped() {
    let path = scratch("sound.gguf");
    fs::write(&path, sample().bytes()).unwrap();
    let file = ModelFile::open(&path).unwrap();
    // Gone from the folder, it stays as it was for those who have it.
    fs::remove_file(&path).unwrap();
    assert_eq!(file.clone().f32s("norm").unwrap(), [1.0, 2.0, 3.0]);
}

#[test]
fn what_is_no_file_is_refused_before_it_is_opened() {
    let problem = |path: &Path| ModelFile::open(path).map(|_| ()).unwrap_err().to_string();
    let folder = std::env::temp_dir();
    assert!(problem(&folder).contains("is a folder"), "{}", problem(&folder));
    assert!(problem(Path::new("/nonexistent/x.gguf")).contains("cannot be read"));
    let empty = scratch("empty.gguf");
    fs::write(&empty, "").unwrap();
    assert!(problem(&empty).contains("is empty"));
    fs::remove_file(empty).unwrap();
    #[cfg(unix)]
    assert!(problem(Path::new("/dev/zero")).contains("a device"));
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let path = scratch("pipe.gguf");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    if !made.is_ok_and(|status| status.success()) {
        return; // Without the tool there is no pipe to try.
    }
    let problem = ModelFile::open(&path).map(|_| ()).unwrap_err().to_string();
    fs::remove_file(path).unwrap();
    assert!(problem.contains("a pipe"), "{problem}");
}

#[test]
fn an_empty_model_is_a_model() {
    let file = Gguf::new().file();
    assert_eq!((file.tensor_bytes(), file.tensor_names().count(), file.file_type()), (0, 0, None));
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("hoosh-candle-{}-{name}", std::process::id()))
}
