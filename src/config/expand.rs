//! `~` and `${NAME}` in paths and addresses, and where relative paths start.

use super::values::Wrong;
use std::path::{Component, Path, PathBuf};

/// What paths in a file are read against.
pub(super) struct Surroundings<'a> {
    /// Folder of the configuration file, absolute.
    pub folder: PathBuf,
    /// The user's home folder.
    pub home: Option<&'a Path>,
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

impl Surroundings<'_> {
    /// Replaces `${NAME}` by the variable's value and a leading `~` by the home folder.
    pub fn expand(&self, text: &str) -> Result<String, Wrong> {
        let mut out = String::new();
        let mut rest = text;
        if let Some(after) = text.strip_prefix('~') {
            if after.is_empty() || after.starts_with('/') {
                let home = self.home.ok_or_else(|| {
                    Wrong::new("`~` stands for the home folder, and this user has none", "write the whole path")
                })?;
                out.push_str(&home.to_string_lossy());
                rest = after;
            } else {
                return Err(Wrong::new("`~` stands for your own home folder only", "write the whole path"));
            }
        }
        while let Some(at) = rest.find("${") {
            out.push_str(&rest[..at]);
            let name = &rest[at + 2..];
            let Some(end) = name.find('}') else {
                return Err(Wrong::new("`${` without `}`", "write ${NAME}"));
            };
            let (name, after) = (&name[..end], &name[end + 1..]);
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(Wrong::new(
                    format!("`${{{name}}}` does not name an environment variable"),
                    "write ${NAME}",
                ));
            }
            match (self.env)(name) {
                Some(value) => out.push_str(&value),
                None => {
                    return Err(Wrong::new(
                        format!("the environment variable {name} is not set"),
                        format!("set {name}, or write its value here"),
                    ));
                }
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    /// Reads a path: expanded, absolute, without `.` and without `..` where that needs no look at the disk.
    pub fn path(&self, text: &str) -> Result<PathBuf, Wrong> {
        if text.is_empty() {
            return Err(Wrong::new("an empty path", "write a path, or leave the key out"));
        }
        Ok(tidy(&self.folder.join(self.expand(text)?)))
    }
}

/// Takes `.` and `NAME/..` out of a path, so that messages and mirrors name it in one way.
fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            // a symbolic link makes `link/..` another place than its parent, so only what does not exist as a link goes
            Component::ParentDir if !out.is_symlink() && out.file_name().is_some() => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings() -> Surroundings<'static> {
        Surroundings {
            folder: "/etc/deck".into(),
            home: Some(Path::new("/home/jane")),
            env: &|name| (name == "TEAM").then(|| "shop".into()),
        }
    }

    #[test]
    fn home_variables_and_relative_paths_are_expanded() {
        for (text, expected) in [
            ("~/x", "/home/jane/x"),
            ("~", "/home/jane"),
            ("a/${TEAM}/b", "/etc/deck/a/shop/b"),
            ("./x/../y", "/etc/deck/y"),
            ("../x", "/etc/x"),
            ("/a~b/$x", "/a~b/$x"),
        ] {
            assert_eq!(surroundings().path(text).unwrap(), Path::new(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_expanded_is_named() {
        for (text, expected) in [
            ("${NOPE}/x", "the environment variable NOPE is not set"),
            ("${TEAM", "`${` without `}`"),
            ("${A B}", "`${A B}` does not name an environment variable"),
            ("~joe/x", "`~` stands for your own home folder only"),
            ("", "an empty path"),
        ] {
            assert_eq!(surroundings().path(text).unwrap_err().message, expected, "{text}");
        }
    }
}
