//! How many files the process may have open, and how many of them may be callers' connections.

use std::sync::OnceLock;

/// Of all descriptors, one in so many is kept from callers' connections: for those to upstreams, the store and modules that are loaded late.
const SHARE: u64 = 8;
/// At least so many are, and at most.
const KEPT: (u64, u64) = (64, 1_024);

/// What there is room for. `None`: as many as anybody wants.
#[derive(Clone, Copy)]
pub struct Descriptors(Option<u64>);

impl Descriptors {
    /// Of this process, whose limit is raised as far as it may be at the first call: many systems begin with 1,024 for
    /// the sake of programs that call `select`, and leave raising it to those that do not.
    pub fn of_process() -> Descriptors {
        static LIMIT: OnceLock<Option<u64>> = OnceLock::new();
        Descriptors(*LIMIT.get_or_init(raised))
    }

    fn kept(self) -> u64 {
        self.0.map_or(KEPT.1, |limit| (limit / SHARE).clamp(KEPT.0, KEPT.1))
    }

    /// Callers' connections at once.
    pub fn callers(self) -> u64 {
        self.0.map_or(u64::MAX, |limit| limit.saturating_sub(self.kept()).max(1))
    }

    /// Connections that were refused and may still read why: a part of what is kept.
    pub fn refused(self) -> usize {
        (self.kept() / 4) as usize
    }
}

#[cfg(unix)]
fn raised() -> Option<u64> {
    use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
    let now = getrlimit(Resource::Nofile);
    // Refused where the system has another bound beside it, as macOS has: then it stays as it is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum });
    getrlimit(Resource::Nofile).current
}

#[cfg(not(unix))]
fn raised() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::Descriptors;

    #[test]
    fn some_are_kept_from_callers() {
        let [little, usual, many, none] = [Some(128), Some(1_024), Some(1 << 20), None].map(Descriptors);
        assert_eq!([little, usual, many].map(Descriptors::callers), [64, 896, (1 << 20) - 1_024]);
        assert_eq!([little, usual, many, none].map(Descriptors::refused), [16, 32, 256, 256]);
        assert_eq!((Descriptors(Some(3)).callers(), none.callers()), (1, u64::MAX));
    }
}
