//! Addresses of repositories: https, http, ssh, scp-like, git, file, or a path.

use super::GitError;
use crate::object::clean;
use gix::url::Scheme;
use std::path::{Path, PathBuf};

const ACCEPTED: &str = "use https://, http://, ssh://, git://, file://, user@host:path or a path";

/// Where a repository is. Its `Display` never shows credentials.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RepositoryUrl {
    text: Secret,
    shown: String,
    local: Option<PathBuf>,
}

/// The address as given. A type of its own so that no `Debug` prints a token.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl RepositoryUrl {
    /// Reads an address; a relative path must have been made absolute by the caller.
    ///
    /// # Errors
    /// [`GitError::BadUrl`] for other schemes (`ext::`, `fd::` …) and for texts that a transport could take for an option.
    pub fn parse(text: &str) -> Result<Self, GitError> {
        let bad = |reason: String| GitError::BadUrl { url: strip_userinfo(&clean(text)), reason };
        if text.is_empty() {
            return Err(bad(format!("empty; {ACCEPTED}")));
        }
        if text.trim() != text || text.chars().any(char::is_control) {
            return Err(bad("blanks around it or control characters in it".to_owned()));
        }
        if text.starts_with('-') {
            return Err(bad(format!("starts with `-`; {ACCEPTED}")));
        }
        let url = gix::url::parse(text).map_err(|error| bad(format!("{}; {ACCEPTED}", clean(&error.to_string()))))?;
        let local = match url.scheme {
            Scheme::File => {
                let path = PathBuf::from(url.path.to_string());
                if !path.is_absolute() || url.host().is_some() {
                    return Err(bad("a path must be absolute".to_owned()));
                }
                Some(path)
            }
            Scheme::Https | Scheme::Http | Scheme::Ssh | Scheme::Git => {
                if url.host().is_none_or(str::is_empty) {
                    return Err(bad("no host".to_owned()));
                }
                let option = |part: Option<&str>| part.is_some_and(|part| part.starts_with('-'));
                if option(url.host()) || option(url.user()) || url.path.starts_with(b"-") {
                    return Err(bad("host, user and path must not start with `-`".to_owned()));
                }
                None
            }
            _ => return Err(bad(format!("this transport is not used; {ACCEPTED}"))),
        };
        let mut shown = url;
        shown.set_password(None);
        // over http a user name may be a token; over ssh it is part of the address
        if shown.scheme != Scheme::Ssh {
            shown.set_user(None);
        }
        let shown = if local.is_some() { text.to_owned() } else { shown.to_bstring().to_string() };
        Ok(Self { text: Secret(text.to_owned()), shown: clean(&shown).into_owned(), local })
    }

    /// Returns the folder, where the repository is on this machine (a path or `file://`): the engine watches it.
    pub fn local_path(&self) -> Option<&Path> {
        self.local.as_deref()
    }

    /// Returns the address with credentials, for transports only.
    pub fn secret_text(&self) -> &str {
        &self.text.0
    }

    /// Returns host and path without scheme, userinfo and `.git`: what every operator's spelling of it has in common.
    pub(super) fn bare_address(&self) -> String {
        let Ok(url) = gix::url::parse(self.secret_text()) else { return self.shown.clone() };
        let path = url.path.to_string();
        let path = path.trim_matches('/').trim_end_matches(".git").trim_end_matches('/');
        let host = url.host().unwrap_or_default().to_ascii_lowercase();
        let default = match url.scheme {
            Scheme::Https => Some(443),
            Scheme::Http => Some(80),
            Scheme::Ssh => Some(22),
            Scheme::Git => Some(9418),
            _ => None,
        };
        let port = url.port.filter(|port| Some(*port) != default).map(|port| format!(":{port}")).unwrap_or_default();
        format!("{host}{port}/{path}")
    }

    /// Takes this address's credentials, and those of any address in it, out of a text.
    pub(super) fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Ok(url) = gix::url::parse(self.secret_text()) {
            let shown_user = url.scheme == Scheme::Ssh;
            let user = url.user().filter(|user| !shown_user && user.len() > 3);
            for secret in [url.password(), user].into_iter().flatten().filter(|secret| !secret.is_empty()) {
                text = text.replace(secret, "…");
            }
        }
        strip_userinfo(&text)
    }
}

impl std::fmt::Display for RepositoryUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Cuts `user:password@` out of every `scheme://…` of a text. A plain ssh user (`ssh://git@host`) stays.
fn strip_userinfo(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after
            .find(|c: char| c == '/' || c == '?' || c == '#' || c == '\'' || c == '"' || c.is_whitespace())
            .unwrap_or(after.len());
        let authority = &after[..end];
        match authority.rsplit_once('@') {
            Some((user, host)) if before.ends_with("ssh://") => {
                let user = user.split(':').next().unwrap_or_default();
                out.push_str(user);
                out.push('@');
                out.push_str(host);
            }
            Some((_, host)) => out.push_str(host),
            None => out.push_str(authority),
        }
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        RepositoryUrl::parse(text).map_or_else(|error| format!("refused: {error}"), |url| url.to_string())
    }

    #[test]
    fn every_kind_of_address_is_read_and_shown_without_credentials() {
        assert_eq!(shown("https://example.com/a/b.git"), "https://example.com/a/b.git");
        assert_eq!(shown("https://ghp_token@example.com/a/b"), "https://example.com/a/b");
        assert_eq!(shown("https://me:hunter2@example.com:8443/a/b"), "https://example.com:8443/a/b");
        assert_eq!(shown("http://me:hunter2@localhost:80/a"), "http://localhost:80/a");
        assert_eq!(shown("git@example.com:a/b.git"), "git@example.com:a/b.git");
        assert_eq!(shown("ssh://git:pw@example.com:2222/a/b"), "ssh://git@example.com:2222/a/b");
        assert_eq!(shown("git://example.com/a"), "git://example.com/a");
        assert_eq!(shown("file:///srv/a"), "file:///srv/a");
        assert_eq!(shown("/srv/a b"), "/srv/a b");
        let debug = format!("{:?}", RepositoryUrl::parse("https://me:hunter2@example.com/a"));
        assert!(!debug.contains("hunter2"), "{debug}");
    }

    #[test]
    fn other_transports_options_and_relative_paths_are_refused() {
        for text in [
            "ext::sh -c id",
            "fd::7",
            "-uorigin",
            "--upload-pack=id",
            "ssh://-oProxyCommand=id/a",
            "ftp://example.com/a",
            "a/b",
            "",
            " /srv/a",
            "https:///a",
            "/srv/\u{1b}a",
        ] {
            assert!(shown(text).starts_with("refused: "), "{text:?}: {}", shown(text));
        }
        let refused = shown("ftp://me:hunter2@example.com/a");
        assert!(refused.starts_with("refused: ") && !refused.contains("hunter2"), "{refused}");
    }

    #[test]
    fn only_paths_and_file_addresses_are_local() {
        let local = |text: &str| RepositoryUrl::parse(text).unwrap().local_path().map(Path::to_owned);
        assert_eq!(local("/srv/a"), Some(PathBuf::from("/srv/a")));
        assert_eq!(local("file:///srv/a"), Some(PathBuf::from("/srv/a")));
        assert_eq!(local("https://example.com/a"), None);
    }

    #[test]
    fn all_spellings_of_one_repository_have_one_bare_address() {
        for text in [
            "https://example.com/team/app.git",
            "https://me:pw@Example.com/team/app",
            "git@example.com:team/app.git",
            "ssh://git@example.com:22/team/app/",
            "git://example.com/team/app",
        ] {
            assert_eq!(RepositoryUrl::parse(text).unwrap().bare_address(), "example.com/team/app", "{text}");
        }
        assert_eq!(RepositoryUrl::parse("https://h:8443/a.git").unwrap().bare_address(), "h:8443/a");
    }

    #[test]
    fn credentials_are_taken_out_of_messages() {
        let url = RepositoryUrl::parse("https://me:hunter2@example.com/a").unwrap();
        let text =
            url.redact("GET https://me:hunter2@example.com/a/info failed; proxy http://u:p@proxy:1/ said hunter2");
        assert_eq!(text, "GET https://example.com/a/info failed; proxy http://proxy:1/ said …");
    }
}
