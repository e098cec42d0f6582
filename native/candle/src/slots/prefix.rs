//! Keys and values of sequences that are over, for prompts that begin as they did.

use crate::decoder::{DecoderError, Kv, BLOCK};

/// Most sequences that are kept; a search looks at each.
const MOST: usize = 64;

/// What is kept, within a number of bytes that its owner sets.
#[derive(Default)]
pub(crate) struct Prefixes {
    /// The one used longest ago first.
    kept: Vec<Kept>,
}

struct Kept {
    tenant: u64,
    tokens: Vec<u32>,
    kv: Kv,
}

/// How many tokens `a` and `b` begin with alike.
fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

impl Prefixes {
    /// Bytes that are kept.
    pub(crate) fn bytes(&self) -> u64 {
        self.kept.iter().map(|kept| kept.kv.bytes()).sum()
    }

    /// Keeps `kv`, which holds `tokens`, for `tenant`.
    pub(crate) fn keep(&mut self, tenant: u64, tokens: Vec<u32>, mut kv: Kv) -> Result<(), DecoderError> {
        kv.truncate(tokens.len());
        if kv.len() < BLOCK || kv.len() != tokens.len() {
            return Ok(());
        }
        // What a longer one of the same tenant holds already is not kept twice.
        if self.kept.iter().any(|kept| kept.tenant == tenant && kept.tokens.starts_with(&tokens)) {
            return Ok(());
        }
        self.kept.retain(|kept| kept.tenant != tenant || !tokens.starts_with(&kept.tokens));
        kv.set_room(kv.len())?;
        if self.kept.len() >= MOST {
            self.kept.remove(0);
        }
        self.kept.push(Kept { tenant, tokens, kv });
        Ok(())
    }

    /// The longest beginning of `prompt` that is kept for `tenant`, at least a block long, with room for `room` tokens. One
    /// token of the prompt is always left, because what follows it is asked for.
    pub(crate) fn take(&mut self, tenant: u64, prompt: &[u32], room: usize) -> Result<Option<Kv>, DecoderError> {
        let usable = &prompt[..prompt.len().saturating_sub(1)];
        let lengths = self.kept.iter().enumerate().filter(|(_, kept)| kept.tenant == tenant);
        let best = lengths.map(|(index, kept)| (common(&kept.tokens, usable), index)).max();
        let Some((length, index)) = best.filter(|(length, _)| *length >= BLOCK) else { return Ok(None) };
        let mut kept = self.kept.remove(index);
        // The same talk goes on: its memory goes on with it. Another one that only begins alike gets a copy.
        if length * 2 >= kept.tokens.len() {
            kept.kv.truncate(length);
            kept.kv.set_room(room)?;
            return Ok(Some(kept.kv));
        }
        let fork = kept.kv.fork(length, room)?;
        self.kept.push(kept);
        Ok(Some(fork))
    }

    /// Lets those used longest ago go, until no more than `bytes` are kept.
    pub(crate) fn shrink_to(&mut self, bytes: u64) {
        while self.bytes() > bytes {
            self.kept.remove(0);
        }
    }
}
