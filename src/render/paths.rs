//! Paths inside a source tree: relative, `/`-separated, without `.` and `..`.

/// Joins a reference to the folder it stands in. None where it is absolute or leaves the tree.
pub fn join(folder: &str, reference: &str) -> Option<String> {
    if reference.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in reference.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Returns the path of `name` in `folder`.
pub(super) fn child(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Returns a path relative to the folder `base` that holds it.
pub(super) fn relative<'a>(path: &'a str, base: &str) -> &'a str {
    if base.is_empty() {
        return path;
    }
    path.strip_prefix(base).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reference_leaves_the_tree() {
        assert_eq!(join("a/b", "../c/./d//").as_deref(), Some("a/c/d"));
        assert_eq!(join("", ".").as_deref(), Some(""));
        assert_eq!(join("a", "../..").as_deref(), None);
        assert_eq!(join("a", "b/../../../c").as_deref(), None);
        assert_eq!(join("a", "/etc/passwd").as_deref(), None);
        assert_eq!(relative("a/b/c", "a/b"), "c");
    }
}
