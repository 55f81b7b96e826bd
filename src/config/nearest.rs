//! Which known name an unknown one was probably meant to be.

/// Returns the known name that is nearest to `wrong`, if one is near enough to be a slip of the finger.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let wrong = plain(wrong);
    known
        .into_iter()
        .map(|name| (distance(&wrong, &plain(name)), name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, name)| *distance <= allowed(wrong.chars().count().max(name.chars().count())))
        .map(|(_, name)| name)
}

/// One slip in a short name, up to three in a long one.
fn allowed(length: usize) -> usize {
    (length / 3).clamp(1, 3)
}

/// Damerau-Levenshtein distance (optimal string alignment): insertions, deletions, substitutions, swapped neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substituted = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substituted.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["repository", "path", "cluster", "state_namespace"];
        assert_eq!(nearest("repositroy", known), Some("repository"));
        assert_eq!(nearest("pth", known), Some("path"));
        assert_eq!(nearest("State-Namespace", known), Some("state_namespace"));
        assert_eq!(nearest("pruning", known), None);
        assert_eq!(nearest("x", []), None);
    }
}
