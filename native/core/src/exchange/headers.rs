//! Headers that go through from caller to provider and back: those that the operator names, as they are.

use bytes::Bytes;

use super::Exchange;
use crate::dialects::Dialect;
use crate::engine::{Priority, Standing};
use crate::gateway::Upstream;
use crate::http::{HeaderView, Headers};

/// The longest value that is passed on.
const MAX_VALUE: usize = 8 << 10;

/// The named headers that are there. A value that could end a line is none.
pub(super) fn pick<'a>(names: impl IntoIterator<Item = &'a str>, from: &dyn HeaderView) -> Headers {
    let one = |name: &str| {
        let value = from.get(name).filter(|value| is_one_line(value))?;
        Some((Bytes::copy_from_slice(name.as_bytes()), Bytes::copy_from_slice(value)))
    };
    names.into_iter().filter_map(one).collect()
}

fn is_one_line(value: &[u8]) -> bool {
    value.len() <= MAX_VALUE && value.iter().all(|byte| (*byte >= b' ' || *byte == b'\t') && *byte != 0x7f)
}

impl Exchange {
    /// What its provider's table says, and what the caller may say, where that table does not.
    pub(super) fn pass_request_headers(&self, upstream: &Upstream, headers: &mut Headers) {
        headers.extend(upstream.headers.iter().cloned());
        let passed = self.call().passed.iter();
        headers.extend(passed.filter(|(name, _)| upstream.headers.iter().all(|(own, _)| own != name)).cloned());
    }

    /// Whose cached answers are whose: a provider may answer by what is passed on.
    pub(super) fn tenant(&self) -> std::sync::Arc<str> {
        let call = self.call();
        let own = call.dialect == Dialect::NEUTRAL;
        if call.passed.is_empty() && call.told.is_empty() && own {
            return call.holder.tenant.clone();
        }
        let mut hasher =
            blake3::Hasher::new_derive_key("hoosh: a tenant of the cache and the headers that it passes on");
        hasher.update(call.holder.tenant.as_bytes());
        if !own {
            // An answer is kept as it is written: in the words of its caller's dialect.
            hasher.update(call.dialect.as_str().as_bytes()).update(&[call.asked.form as u8]);
        }
        for part in call.passed.iter().chain(&call.told).flat_map(|(name, value)| [name, value]) {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        hasher.finalize().to_hex().as_str()[..32].into()
    }

    /// How an engine is to treat the call beside others. A caller may stand behind its key's priority, never before.
    pub(super) fn standing(&self) -> Standing {
        let call = self.call();
        let most = call.holder.key.as_ref().map_or(Priority::default(), |key| key.priority);
        let digest = blake3::hash(self.tenant().as_bytes());
        let mut tenant = [0; 8];
        tenant.copy_from_slice(&digest.as_bytes()[..8]);
        Standing {
            priority: call.priority.map_or(most, |named| named.min(most)),
            tenant: Some(u64::from_le_bytes(tenant)),
        }
    }
}
