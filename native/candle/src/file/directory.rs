//! Which tensors a model file holds, and where: all of it checked before any is read.

use std::collections::HashMap;
use std::ops::Range;

use candle_core::quantized::GgmlDType;

use super::cursor::Cursor;
use super::error::{shown, FileError};
use super::kinds::tensor_type;
use super::metadata::Metadata;

/// `GGML_MAX_DIMS` of ggml.h.
const MOST_DIMENSIONS: u32 = 4;

/// ggml allows 63 bytes; some converters write a few more.
const LONGEST_NAME: usize = 255;

/// Bytes of the smallest entry: the length of its name, one letter, its number of dimensions, its type, its offset.
const LEAST_ENTRY: usize = 8 + 1 + 4 + 4 + 8;

/// Where tensors begin, unless `general.alignment` says otherwise.
const ALIGNMENT: u32 = 32;

/// The tensors of a file, in its order.
pub(super) struct Directory {
    entries: Vec<TensorEntry>,
    by_name: HashMap<String, usize>,
}

/// Where a tensor is and what it is made of.
pub(crate) struct TensorEntry {
    pub name: String,
    /// Which of the model's files holds it.
    pub file: usize,
    pub dtype: GgmlDType,
    /// Rows first, as Candle has it; the file has the elements of a row first.
    pub shape: Vec<usize>,
    /// Its bytes in the file.
    pub bytes: Range<usize>,
}

impl Directory {
    /// Reads `count` entries, after which the file's tensors follow up to `length`.
    pub fn read(
        cursor: &mut Cursor<'_>,
        count: u64,
        metadata: &Metadata,
        length: usize,
    ) -> Result<Directory, FileError> {
        if count > (cursor.left() / LEAST_ENTRY) as u64 {
            return Err(cursor.wrong(format!("it claims {count} tensors, more than fit in the file")));
        }
        let alignment = alignment(metadata)?;
        let mut entries = Vec::with_capacity(count as usize);
        for _ in 0..count {
            entries.push(read_entry(cursor, alignment)?);
        }
        let base = cursor.at().next_multiple_of(alignment);
        place(&mut entries, base, length)?;
        apart(&entries)?;
        Directory::of(entries)
    }

    /// Of tensors that lie within their files and apart from each other.
    pub fn of(entries: Vec<TensorEntry>) -> Result<Directory, FileError> {
        Ok(Directory { by_name: named(&entries)?, entries })
    }

    pub fn get(&self, name: &str) -> Option<&TensorEntry> {
        self.by_name.get(name).map(|&index| &self.entries[index])
    }

    pub fn entries(&self) -> &[TensorEntry] {
        &self.entries
    }
}

fn alignment(metadata: &Metadata) -> Result<usize, FileError> {
    const KEY: &str = "general.alignment";
    let alignment = metadata.u32_or(KEY, ALIGNMENT)?;
    // The largest that is seen is a page; a large one would only serve to make the arithmetic wrap.
    if !alignment.is_power_of_two() || alignment > 1 << 20 {
        return Err(FileError::entry(KEY, format!("is {alignment}, and has to be a power of two of at most 1048576")));
    }
    Ok(alignment as usize)
}

/// One entry. Its bytes are counted from where tensors begin, which is known when all entries are read.
fn read_entry(cursor: &mut Cursor<'_>, alignment: usize) -> Result<TensorEntry, FileError> {
    let name = cursor.name(LONGEST_NAME)?;
    let wrong = |problem: String| FileError::tensor(&name, problem);
    let dimensions = cursor.u32()?;
    if dimensions > MOST_DIMENSIONS {
        return Err(wrong(format!("has {dimensions} dimensions, and {MOST_DIMENSIONS} are the most")));
    }
    let mut shape = Vec::with_capacity(dimensions as usize);
    for _ in 0..dimensions {
        let size = cursor.u64()?;
        let fits = usize::try_from(size).ok().filter(|&size| size > 0);
        shape.push(fits.ok_or_else(|| wrong(format!("has a dimension of {size} elements")))?);
    }
    let kind = cursor.u32()?;
    let dtype = tensor_type(kind).map_err(|word| {
        wrong(format!(
            "is stored as {word}, which is not computed here; use a file in F16, BF16, F32, Q8_0, Q6_K, Q5_K, Q4_K or Q4_0"
        ))
    })?;
    let size = size_of(&shape, dtype).map_err(wrong)?;
    let offset = cursor.u64()?;
    if offset % alignment as u64 != 0 {
        return Err(wrong(format!("begins at {offset}, which is no multiple of the file's alignment, {alignment}")));
    }
    let range = usize::try_from(offset).ok().and_then(|start| Some(start..start.checked_add(size)?));
    let bytes = range.ok_or_else(|| wrong(format!("begins at {offset}, far outside the file")))?;
    shape.reverse();
    Ok(TensorEntry { name, file: 0, dtype, shape, bytes })
}

/// Bytes that elements of `shape` (those of a row first) take as `dtype`.
fn size_of(shape: &[usize], dtype: GgmlDType) -> Result<usize, String> {
    let block = dtype.block_size();
    let row = shape.first().copied().unwrap_or(1);
    if row % block != 0 {
        return Err(format!("has rows of {row} elements, and {dtype:?} stores blocks of {block}"));
    }
    let elements = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    let bytes = elements.and_then(|elements| (elements / block).checked_mul(dtype.type_size()));
    bytes.ok_or_else(|| format!("has {shape:?} elements, more than any memory holds"))
}

/// Counts bytes from the beginning of the file, and refuses what reaches past its end.
fn place(entries: &mut [TensorEntry], base: usize, length: usize) -> Result<(), FileError> {
    for entry in entries {
        let start = base.checked_add(entry.bytes.start);
        let end = base.checked_add(entry.bytes.end).filter(|&end| end <= length);
        let (Some(start), Some(end)) = (start, end) else {
            return Err(FileError::tensor(
                &entry.name,
                format!(
                    "needs bytes {} to {} after byte {base}, and the file has {length}; it was cut off, perhaps by a download that broke",
                    entry.bytes.start, entry.bytes.end
                ),
            ));
        };
        entry.bytes = start..end;
    }
    Ok(())
}

/// Refuses tensors that share bytes: a small file could else claim a memory of any size.
fn apart(entries: &[TensorEntry]) -> Result<(), FileError> {
    let mut order: Vec<&TensorEntry> = entries.iter().collect();
    order.sort_by_key(|entry| entry.bytes.start);
    for pair in order.windows(2) {
        if pair[1].bytes.start < pair[0].bytes.end {
            return Err(FileError::tensor(&pair[1].name, format!("shares bytes with {}", shown(&pair[0].name))));
        }
    }
    Ok(())
}

fn named(entries: &[TensorEntry]) -> Result<HashMap<String, usize>, FileError> {
    let mut by_name = HashMap::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        if by_name.insert(entry.name.clone(), index).is_some() {
            return Err(FileError::tensor(&entry.name, "is there twice"));
        }
    }
    Ok(by_name)
}
