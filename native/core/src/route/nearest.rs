//! "Did you mean": the one place that compares names by edit distance.

/// Longest name compared, bytes.
const MAX_BYTES: usize = 96;
/// Names looked at, and compared in full, for one answer: callers can send unknown models as fast as they like, and an
/// answer must not cost them less than us.
const MAX_LOOKED_AT: usize = 4_096;
const MAX_COMPARISONS: usize = 256;

/// The known name closest to `name`: at most a third of its length in edits (an insertion, deletion, substitution or
/// swap of neighbours, case aside), and four; else a known name that goes on where `name` ends. The first wins a tie.
/// Looks at the first 4,096 names, and closely at no more than 256 of similar length and letters.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if name.is_empty() || name.len() > MAX_BYTES {
        return None;
    }
    let letters = letters(name);
    let mut comparisons = 0;
    let mut best: Option<(usize, &str)> = None;
    let mut longer: Option<&str> = None;
    for candidate in known.into_iter().take(MAX_LOOKED_AT) {
        if name.len() >= 3 && longer.is_none_or(|l| candidate.len() < l.len()) && starts_with(candidate, name) {
            longer = Some(candidate);
        }
        let limit = best.map_or_else(|| (name.len().max(candidate.len()) / 3).clamp(1, 4), |(d, _)| d - 1);
        if candidate.len() > MAX_BYTES || candidate.len().abs_diff(name.len()) > limit {
            continue;
        }
        // One edit adds or removes at most one letter on either side.
        let other = self::letters(candidate);
        if (letters & !other).count_ones().max((other & !letters).count_ones()) as usize > limit {
            continue;
        }
        comparisons += 1;
        if let Some(found) = distance(name.as_bytes(), candidate.as_bytes(), limit) {
            best = Some((found, candidate));
            if found == 0 {
                break;
            }
        }
        if comparisons == MAX_COMPARISONS {
            break;
        }
    }
    best.map(|(_, candidate)| candidate).or(longer)
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.len() >= prefix.len() && text.as_bytes()[..prefix.len()].eq_ignore_ascii_case(prefix.as_bytes())
}

/// Which letters occur, as bits.
fn letters(name: &str) -> u64 {
    name.bytes().fold(0, |set, b| set | 1 << (b.to_ascii_lowercase() & 63))
}

/// Optimal string alignment distance, if it is at most `limit`.
fn distance(a: &[u8], b: &[u8], limit: usize) -> Option<usize> {
    let mut rows = [[0u8; MAX_BYTES + 1]; 3]; // no distance exceeds MAX_BYTES
    for (j, cell) in rows[0][..=b.len()].iter_mut().enumerate() {
        *cell = j as u8;
    }
    let same = |x: u8, y: u8| x.eq_ignore_ascii_case(&y);
    for i in 1..=a.len() {
        // Row i lives in place i % 3, and reads the two before it.
        let (this, last, before) = (i % 3, (i + 2) % 3, (i + 1) % 3);
        rows[this][0] = i as u8;
        let mut least = i as u8;
        for j in 1..=b.len() {
            let changed = rows[last][j - 1] + u8::from(!same(a[i - 1], b[j - 1]));
            let mut cell = changed.min(rows[last][j] + 1).min(rows[this][j - 1] + 1);
            if i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]) {
                cell = cell.min(rows[before][j - 2] + 1);
            }
            rows[this][j] = cell;
            least = least.min(cell);
        }
        // A swap reaches over one row, so that only two poor rows in a row settle it.
        if usize::from(least) > limit + 1 {
            return None;
        }
    }
    let found = usize::from(rows[a.len() % 3][b.len()]);
    (found <= limit).then_some(found)
}
