//! Which of an upstream's answers go wrong.

use crate::arguments::Arguments;

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Well,
    /// 429 with `Retry-After: 0`.
    Throttled,
    /// 500.
    Failed,
    /// The connection is reset before a byte of the answer.
    Reset,
    /// Half the answer, then nothing, and the connection stays open.
    Stalled,
    /// Half the answer, then the connection ends.
    Truncated,
}

/// Shares of all requests, drawn from a fixed seed.
pub struct Faults {
    shares: [(Fate, f64); 5],
    state: u64,
}

impl Faults {
    /// By `--throttled`, `--failed`, `--reset`, `--stalled` and `--truncated`, each a share from 0 to 1.
    pub fn from(arguments: &mut Arguments) -> Result<Self, String> {
        let mut share = |name: &str| arguments.number(name, 0.0);
        let shares = [
            (Fate::Throttled, share("throttled")?),
            (Fate::Failed, share("failed")?),
            (Fate::Reset, share("reset")?),
            (Fate::Stalled, share("stalled")?),
            (Fate::Truncated, share("truncated")?),
        ];
        Ok(Self { shares, state: 0x9E37_79B9_7F4A_7C15 })
    }

    pub fn draw(&mut self) -> Fate {
        // xorshift64 (Marsaglia 2003).
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let mut left = (self.state >> 11) as f64 / (1u64 << 53) as f64;
        for (fate, share) in self.shares {
            if left < share {
                return fate;
            }
            left -= share;
        }
        Fate::Well
    }
}
