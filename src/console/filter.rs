//! The `/` filter: a text that a row's name contains, exact hits first.

/// Says how well a name fits a filter: none does not, smaller is better. Letter case counts only when the filter has upper-case letters.
pub fn rank(name: &str, filter: &str) -> Option<u8> {
    let folded;
    let name = if filter.chars().any(char::is_uppercase) {
        name
    } else {
        folded = name.to_lowercase();
        &folded
    };
    match name.find(filter) {
        Some(0) if name.len() == filter.len() => Some(0),
        Some(0) => Some(1),
        Some(_) => Some(2),
        None => None,
    }
}

/// Keeps the rows whose name fits, exact hits first, then those that start with the text; else in their order.
pub fn keep<T>(rows: Vec<T>, filter: &str, name: impl Fn(&T) -> String) -> Vec<T> {
    if filter.is_empty() {
        return rows;
    }
    let mut ranked: Vec<(u8, T)> =
        rows.into_iter().filter_map(|row| rank(&name(&row), filter).map(|rank| (rank, row))).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_hits_come_first_and_order_is_kept_otherwise() {
        let rows = vec!["team-shop", "shop-web", "shop", "shop-api", "web"];
        assert_eq!(keep(rows, "shop", ToString::to_string), ["shop", "shop-web", "shop-api", "team-shop"]);
        assert_eq!(rank("Shop", "shop"), Some(0));
        assert_eq!(rank("shop", "Shop"), None);
    }
}
