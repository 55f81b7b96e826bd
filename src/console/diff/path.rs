//! Which field each line of a block-style YAML text belongs to.

/// One level of nesting above a line.
struct Level {
    column: usize,
    item: Option<usize>,
    segment: String,
}

/// Returns, for each line, the path of the field that stands on it. Lines of a block scalar belong to their key.
pub fn paths(yaml: &str) -> Vec<Vec<String>> {
    let mut levels: Vec<Level> = Vec::new();
    let mut scalar: Option<usize> = None;
    let mut out = Vec::new();
    for line in yaml.lines() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let inside_scalar = scalar.is_some_and(|column| line.trim().is_empty() || indent > column);
        if !inside_scalar && !line.trim().is_empty() {
            scalar = None;
            let mut column = indent;
            let mut rest = &line[indent..];
            while rest == "-" || rest.starts_with("- ") {
                push_item(&mut levels, column);
                let after = rest[1..].trim_start_matches(' ');
                column += rest.len() - after.len();
                rest = after;
            }
            // A literal whose text is less indented than its key's column belongs to the item above it.
            let mut owner = column;
            if let Some((key, value)) = split_key(rest) {
                pop_to(&mut levels, column);
                levels.push(Level { column, item: None, segment: key });
                rest = value;
            } else {
                owner = levels.last().map_or(0, |level| level.column);
            }
            if rest.trim_start().starts_with(['|', '>']) {
                scalar = Some(owner);
            }
        }
        out.push(levels.iter().map(|level| level.segment.clone()).collect());
    }
    out
}

fn pop_to(levels: &mut Vec<Level>, column: usize) {
    while levels.last().is_some_and(|level| level.column >= column) {
        levels.pop();
    }
}

/// Goes to the next item of the list at `column`. A list may stand in the same column as its key.
fn push_item(levels: &mut Vec<Level>, column: usize) {
    while levels.last().is_some_and(|level| level.column > column) {
        levels.pop();
    }
    let index = match levels.last() {
        Some(Level { column: same, item: Some(index), .. }) if *same == column => {
            let next = index + 1;
            levels.pop();
            next
        }
        _ => 0,
    };
    levels.push(Level { column, item: Some(index), segment: index.to_string() });
}

/// Splits `key: value`; a key may be quoted.
fn split_key(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| *c == '"' || *c == '\'');
    if let Some(quote) = quote {
        let end = text[1..].find(quote)? + 1;
        let value = text[end + 1..].strip_prefix(':')?;
        return Some((text[1..end].to_owned(), value));
    }
    if let Some(key) = text.strip_suffix(':') {
        return Some((key.to_owned(), ""));
    }
    let (key, value) = text.split_once(": ")?;
    Some((key.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_knows_its_field() {
        let yaml = "a:\n  b: 1\n  list:\n  - name: x\n    v: 1\n  - name: y\n  args:\n    - -c\n    - |\n      k: v\n      w\n  \"q: r\": 2\nz: |\n  text: no\nend: 3\n";
        let dotted: Vec<String> = paths(yaml).iter().map(|path| path.join(".")).collect();
        assert_eq!(
            dotted,
            [
                "a",
                "a.b",
                "a.list",
                "a.list.0.name",
                "a.list.0.v",
                "a.list.1.name",
                "a.args",
                "a.args.0",
                "a.args.1",
                "a.args.1",
                "a.args.1",
                "a.q: r",
                "z",
                "z",
                "end"
            ]
        );
    }

    #[test]
    fn a_text_that_is_not_block_yaml_is_no_crash() {
        for text in ["", "\n\n", "- - - -", "- ", "'", "\"x", ":", "  -", "a: |", "\u{1b}[2J: x", "字: |\n 字"] {
            assert_eq!(paths(text).len(), text.lines().count(), "{text:?}");
        }
    }
}
