//! The known word that a mistyped one is nearest to.

/// The candidate within a third of `word`'s length in edits, if one is nearer than the others.
pub(super) fn nearest(
    word: &str,
    candidates: impl IntoIterator<Item = &'static str>,
) -> Option<&'static str> {
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let word: Vec<char> = word
        .to_ascii_lowercase()
        .replace('-', "_")
        .chars()
        .collect();
    let most = (word.len() / 3).max(1);
    let distance = |candidate: &'static str| {
        let other: Vec<char> = candidate.replace('-', "_").chars().collect();
        (edits(&word, &other), candidate)
    };
    let best = candidates
        .into_iter()
        .map(distance)
        .min_by_key(|(edits, _)| *edits)?;
    (best.0 <= most).then_some(best.1)
}

/// Insertions, deletions, replacements and swaps of neighbours that make `a` into `b`.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX);
            let replaced = at(&above, j) + usize::from(x != y);
            let removed = at(&above, j + 1) + 1;
            let inserted = at(&row, j) + 1;
            let mut cost = replaced.min(removed).min(inserted);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_key() {
        let keys = ["lease_time", "max_lease_time", "gateway", "mtu"];
        assert_eq!(nearest("lease-time", keys), Some("lease_time"));
        assert_eq!(nearest("laese_time", keys), Some("lease_time"));
        assert_eq!(nearest("Gatewy", keys), Some("gateway"));
        assert_eq!(nearest("mut", keys), Some("mtu"));
    }

    #[test]
    fn a_word_unlike_all_of_them_finds_none() {
        assert_eq!(nearest("colour", ["lease_time", "mtu"]), None);
        assert_eq!(nearest(&"x".repeat(100_000), ["mtu"]), None);
        assert_eq!(nearest("", ["mtu"]), None);
    }

    #[test]
    fn distances_are_those_of_optimal_string_alignment() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        let edits = |a: &str, b: &str| edits(&chars(a), &chars(b));
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", ""), 3);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("abcd", "abdc"), 1);
    }
}
