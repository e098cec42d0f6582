//! The walk over a value and all in it, without recursion.

use super::error::{ErrorKind, Fault};
use super::scan::{key, number, space, string, word, Step};

/// What a walk reports. `at` is where the first byte of each is. Texts come without quotes and as they are written;
/// `escaped` says whether they hold a backslash.
pub(crate) trait Visit {
    /// What a top-level field keeps of a visitor that notes values: where the next one will lie.
    #[inline(always)]
    fn place(&self) -> u32 {
        0
    }
    fn key(&mut self, at: usize, text: &[u8], escaped: bool);
    fn string(&mut self, at: usize, text: &[u8], escaped: bool);
    fn number(&mut self, at: usize, text: &[u8]) -> Result<(), ErrorKind>;
    /// `null`, `true` or `false`, by its first letter.
    fn literal(&mut self, at: usize, first: u8);
    fn open(&mut self, at: usize, object: bool);
    /// `at` is the closing bracket.
    fn close(&mut self, at: usize, object: bool) -> Result<(), ErrorKind>;
}

/// Only checks.
impl Visit for () {
    fn key(&mut self, _: usize, _: &[u8], _: bool) {}
    fn string(&mut self, _: usize, _: &[u8], _: bool) {}
    fn number(&mut self, _: usize, _: &[u8]) -> Result<(), ErrorKind> {
        Ok(())
    }
    fn literal(&mut self, _: usize, _: u8) {}
    fn open(&mut self, _: usize, _: bool) {}
    fn close(&mut self, _: usize, _: bool) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Which containers are open: one bit each, the innermost lowest, 64 to a word.
struct Nesting {
    inner: u64,
    outer: Vec<u64>,
    depth: u32,
}

impl Nesting {
    #[inline(always)]
    fn push(&mut self, object: bool) {
        if self.depth % 64 == 0 && self.depth > 0 {
            self.outer.push(self.inner);
        }
        self.inner = self.inner << 1 | u64::from(object);
        self.depth += 1;
    }

    #[inline(always)]
    fn pop(&mut self) {
        self.inner >>= 1;
        self.depth -= 1;
        if self.depth % 64 == 0 && self.depth > 0 {
            self.inner = self.outer.pop().unwrap_or(0);
        }
    }

    #[inline(always)]
    fn in_object(&self) -> bool {
        self.inner & 1 == 1
    }
}

/// Reads the value that begins at `pos` and all in it, and tells `visit`. `max_depth` is how many containers may yet
/// be opened.
pub(crate) fn walk<V: Visit>(
    bytes: &[u8],
    mut pos: usize,
    max_depth: u32,
    all_high: &mut u64,
    visit: &mut V,
) -> Result<usize, Fault> {
    let mut nesting = Nesting { inner: 0, outer: Vec::new(), depth: 0 };
    // A local, so that it lives in a register.
    let mut high = 0;
    'value: loop {
        match bytes.get(pos) {
            Some(b'"') => {
                let mut escaped = false;
                let end = string(bytes, pos + 1, &mut high, &mut escaped)?;
                visit.string(pos, &bytes[pos + 1..end - 1], escaped);
                pos = end;
            }
            Some(&open @ (b'{' | b'[')) => {
                if nesting.depth == max_depth {
                    return Err(Fault { at: pos, kind: ErrorKind::Depth });
                }
                let object = open == b'{';
                nesting.push(object);
                visit.open(pos, object);
                pos = space(bytes, pos + 1);
                if bytes.get(pos) != Some(&(open + 2)) {
                    if object {
                        pos = member(bytes, pos, &mut high, visit)?;
                    }
                    continue 'value;
                }
            }
            Some(b'-' | b'0'..=b'9') => {
                let end = number(bytes, pos)?;
                visit.number(pos, &bytes[pos..end]).map_err(|kind| Fault { at: pos, kind })?;
                pos = end;
            }
            Some(&first) => {
                let end = word(bytes, pos, first)?;
                visit.literal(pos, first);
                pos = end;
            }
            None => return Err(pos.into()),
        }
        loop {
            if nesting.depth == 0 {
                *all_high |= high;
                return Ok(pos);
            }
            pos = space(bytes, pos);
            let object = nesting.in_object();
            match bytes.get(pos) {
                Some(b',') => {
                    pos = space(bytes, pos + 1);
                    if object {
                        pos = member(bytes, pos, &mut high, visit)?;
                    }
                    continue 'value;
                }
                Some(&byte) if byte == if object { b'}' } else { b']' } => {
                    nesting.pop();
                    visit.close(pos, object).map_err(|kind| Fault { at: pos, kind })?;
                    pos += 1;
                }
                _ => return Err(pos.into()),
            }
        }
    }
}

/// Reads a key with its colon within [`walk`].
#[inline(always)]
fn member<V: Visit>(bytes: &[u8], pos: usize, high: &mut u64, visit: &mut V) -> Step {
    let mut escaped = false;
    let (end, value) = key(bytes, pos, high, &mut escaped)?;
    visit.key(pos, &bytes[pos + 1..end - 1], escaped);
    Ok(value)
}
