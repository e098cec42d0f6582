//! What a number is, whatever its spelling, without binary floating point.

/// A number as ± digits × 10^exponent, with no zero at either end of the digits; zero has no digits, no sign and
/// exponent 0. Equal numbers are equal here, exactly, at any size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal<'a> {
    /// Below zero. `-0` is 0.
    pub negative: bool,
    /// The digits are `head` and then `tail`: they are borrowed from both sides of the point.
    pub head: &'a [u8],
    /// See `head`.
    pub tail: &'a [u8],
    /// The power of ten.
    pub exponent: i64,
}

impl<'a> Decimal<'a> {
    /// Reads a number in the grammar of JSON. `None` if its exponent has more than 18 digits (or it is no number).
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let (negative, text) = match text.strip_prefix(b"-") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, power) = match text.iter().position(|byte| byte | 0x20 == b'e') {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, &b""[..]),
        };
        let (whole, fraction) = match mantissa.iter().position(|&byte| byte == b'.') {
            Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
            None => (mantissa, &b""[..]),
        };
        let mut head = without_leading_zeros(whole);
        let mut tail = without_trailing_zeros(fraction);
        let mut shift = -(tail.len() as i64);
        if tail.is_empty() {
            let kept = without_trailing_zeros(head);
            shift = (head.len() - kept.len()) as i64;
            head = kept;
        } else if head.is_empty() {
            tail = without_leading_zeros(tail);
        }
        if head.is_empty() && tail.is_empty() {
            return Some(Decimal { negative: false, head, tail, exponent: 0 });
        }
        Some(Decimal { negative, head, tail, exponent: exponent(power)? + shift })
    }

    /// How many digits.
    pub fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// The absolute value, if it is a whole number below 2^64.
    pub fn magnitude(&self) -> Option<u64> {
        if self.exponent < 0 || self.exponent > 19 || self.len() > 20 {
            return None;
        }
        let mut digits = self.head.iter().chain(self.tail);
        let all = digits
            .try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0'))))?;
        all.checked_mul(10u64.checked_pow(self.exponent as u32)?)
    }
}

/// At most 18 digits, so that no sum with a length can overflow.
fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let digits = without_leading_zeros(digits);
    if digits.len() > 18 {
        return None;
    }
    let value = digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit.wrapping_sub(b'0')));
    Some(if negative { -value } else { value })
}

fn without_leading_zeros(mut digits: &[u8]) -> &[u8] {
    while let [b'0', rest @ ..] = digits {
        digits = rest;
    }
    digits
}

fn without_trailing_zeros(mut digits: &[u8]) -> &[u8] {
    while let [rest @ .., b'0'] = digits {
        digits = rest;
    }
    digits
}
