//! What a file is that is not the GGUF one hoped for.

use super::error::FileError;

/// What GGUF files begin with.
const MAGIC: &[u8; 4] = b"GGUF";

/// The formats before GGUF, as they stand in a file: each a little-endian number whose letters read backwards.
const LEGACY: [&[u8; 4]; 6] = [b"lmgg", b"fmgg", b"tjgg", b"algg", b"gmgg", b"tmgg"];

/// Nothing where `bytes` begin as GGUF does, and else an error that says what they look like.
pub(super) fn check(bytes: &[u8]) -> Result<(), FileError> {
    if bytes.starts_with(MAGIC) {
        return Ok(());
    }
    Err(FileError::NotGguf(looks_like(bytes)))
}

fn looks_like(bytes: &[u8]) -> String {
    let hint = "a model file in GGUF is needed (its name usually ends in .gguf)";
    if bytes.is_empty() {
        return format!("the file is empty; {hint}");
    }
    if bytes.starts_with(b"version https://git-lfs") {
        return "the file is a pointer of Git LFS, not the model: fetch the model with `git lfs pull`, or download the file itself"
            .into();
    }
    if LEGACY.iter().any(|magic| bytes.starts_with(*magic)) {
        return format!("the file is in GGML, the format before GGUF, which is no longer read; {hint}");
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(&[0x80, 0x02]) {
        return format!("the file is a pickle or an archive of PyTorch, which can run code when it is read; {hint}");
    }
    if is_safetensors(bytes) {
        return format!("the file is in safetensors, which is read as a folder together with its config.json; {hint}");
    }
    if bytes.starts_with(b"<!") || bytes.starts_with(b"<html") {
        return format!("the file is a web page, perhaps a download that asked for a login; {hint}");
    }
    if bytes.len() < MAGIC.len() && MAGIC.starts_with(bytes) {
        return format!("the file ends after {} bytes; download it again", bytes.len());
    }
    format!("the file does not begin as GGUF does; {hint}")
}

/// Safetensors begin with the length of a JSON object, and the object.
fn is_safetensors(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return false };
    u64::from_le_bytes(*length) < 100_000_000 && rest.starts_with(b"{\"")
}
