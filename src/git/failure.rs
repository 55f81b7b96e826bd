//! Turns gix's errors and the words of child programs into a [`GitError`] that says what to do.

use super::{GitError, RepositoryUrl};
use crate::object::clean;
use gix::error::Class;
use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

/// Longest message that is kept of what a server or a child said.
const LONGEST: usize = 600;

/// Words of servers and programs that mean "these credentials do not do". HTTP 403 counts: the server knows who asks.
const AUTHENTICATION: [&str; 11] = [
    "permission denied",
    "authentication failed",
    "authentication required",
    "invalid credentials",
    "could not read username",
    "could not read password",
    "http status 401",
    "http status 403",
    "too many authentication failures",
    "no such identity",
    "dubious ownership",
];

/// Words of ssh programs that mean "this host key is not trusted" (OpenSSH, PuTTY).
const HOST_KEY: [&str; 3] =
    ["host key verification failed", "host key is not cached", "host key does not match the one"];

/// Those among them that know another key of the server.
const OTHER_HOST_KEY: [&str; 2] = ["host identification has changed", "host key does not match the one"];

/// Words of servers that mean "there is no such repository" (git daemon, GitHub, GitLab, Gitea, Bitbucket, plain git).
const NOT_FOUND: [&str; 9] = [
    "http status 404",
    "http status 410",
    "repository not exported",
    "does not appear to be a git repository",
    "repository not found",
    "project you were looking for could not be found",
    "no such repository",
    "is a valid git directory",
    "repository does not exist",
];

/// Says why talking to `url` failed; `said` is what a child program wrote to its standard error.
pub(super) fn network(url: &RepositoryUrl, error: &gix::Error, said: &str, stop: &AtomicBool) -> GitError {
    if stop.load(Ordering::Relaxed) || error.dominant_class() == Some(Class::Cancelled) {
        return GitError::Interrupted;
    }
    let said = said.trim();
    let chain = chain(error);
    let reason = tidy(url, if said.is_empty() { &chain } else { said });
    sorted(url, reason, &format!("{chain}\n{said}"), error.is_unauthenticated())
}

/// Says why a program that talked to `url` failed, by its words alone.
pub(super) fn said(url: &RepositoryUrl, words: &str) -> GitError {
    sorted(url, tidy(url, words), words, false)
}

fn sorted(url: &RepositoryUrl, reason: String, words: &str, unauthenticated: bool) -> GitError {
    let lower = words.to_lowercase();
    let has = |list: &[&str]| list.iter().any(|word| lower.contains(word));
    if has(&HOST_KEY) {
        return host_key(url, words, has(&OTHER_HOST_KEY));
    }
    let url = url.to_string();
    if unauthenticated || has(&AUTHENTICATION) {
        GitError::Authentication { url, reason: reason.trim_end_matches('.').to_owned() }
    } else if has(&NOT_FOUND) {
        GitError::NotFound { url }
    } else {
        GitError::Unreachable { url, reason }
    }
}

/// ssh was told not to ask, so whether the key is the right one is for the user to find out.
fn host_key(url: &RepositoryUrl, words: &str, other: bool) -> GitError {
    let address = gix::url::parse(url.to_string().as_str()).ok();
    let host = address.as_ref().and_then(gix::Url::host).unwrap_or("HOST");
    let port = address.as_ref().and_then(|address| address.port);
    let user = address.as_ref().and_then(gix::Url::user).map(|user| format!("{user}@")).unwrap_or_default();
    let option = port.map(|port| format!("-p {port} ")).unwrap_or_default();
    let fingerprint = words.split_whitespace().find(|word| word.starts_with("SHA256:"));
    let fingerprint = fingerprint.map(|word| format!(" ({})", word.trim_end_matches('.'))).unwrap_or_default();
    let (reason, first) = if other {
        // How ssh writes a host in known_hosts.
        let known = port.map_or_else(|| host.to_owned(), |port| format!("[{host}]:{port}"));
        let reason =
            format!("the server's host key{fingerprint} is not the one that ssh knows: is it the right server?");
        (reason, format!("if its key was changed on purpose, `ssh-keygen -R '{known}'` forgets the old one: "))
    } else {
        (format!("ssh does not know the server's host key{fingerprint}"), String::new())
    };
    let remedy = format!(
        "{first}connect once by hand with `ssh -T {option}{user}{host}`, compare the fingerprint with the one that the server's owner publishes, and accept it (`ssh-keyscan {option}{host}` prints the keys)"
    );
    GitError::HostKey { url: url.to_string(), reason: bounded(&clean(&reason)), remedy: clean(&remedy).into_owned() }
}

/// Says that the mirror in `path` cannot be read or written.
pub(super) fn mirror(path: &Path, error: &gix::Error) -> GitError {
    GitError::Mirror { path: path.display().to_string(), reason: bounded(&clean(&chain(error))) }
}

/// Says that the disk failed for the mirror in `path`.
pub(super) fn disk(path: &Path, error: &std::io::Error) -> GitError {
    GitError::Mirror { path: path.display().to_string(), reason: error.to_string() }
}

/// Makes what a server or program said fit to be shown: no credentials, no controls, no endless text.
pub(super) fn tidy(url: &RepositoryUrl, text: &str) -> String {
    bounded(&clean(&url.redact(text)))
}

/// All messages of an error, outermost first, each once.
pub(super) fn chain(error: &gix::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in error.iter_errors() {
        let part = part.to_string();
        if !part.is_empty() && !parts.iter().any(|seen| seen.contains(&part)) {
            parts.push(part);
        }
    }
    parts.join(": ")
}

fn bounded(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(address: &str, words: &str) -> (GitError, String) {
        let error = said(&RepositoryUrl::parse(address).unwrap(), words);
        let text = error.to_string();
        (error, text)
    }

    #[test]
    fn a_host_key_that_is_not_known_is_no_matter_of_credentials() {
        let words = "No ED25519 host key is known for [git.example.com]:2222 and you have requested strict checking.\r\nHost key verification failed.\r\nfatal: Could not read from remote repository.";
        let (error, text) = told("ssh://git@git.example.com:2222/team/app.git", words);
        assert!(matches!(error, GitError::HostKey { .. }), "{text}");
        assert!(text.contains("ssh does not know the server's host key; connect once by hand"), "{text}");
        assert!(text.contains("`ssh -T -p 2222 git@git.example.com`"), "{text}");
        assert!(text.contains("`ssh-keyscan -p 2222 git.example.com`"), "{text}");
        assert!(!text.contains("credential") && !text.contains(".;"), "{text}");
        let (_, text) = told("git@git.example.com:team/app.git", "Host key verification failed.");
        assert!(text.contains("`ssh -T git@git.example.com`"), "{text}");
    }

    #[test]
    fn a_host_key_that_changed_is_told_with_its_fingerprint() {
        let words = "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nThe fingerprint for the ED25519 key sent by the remote host is\nSHA256:abc+/1.\nHost key verification failed.";
        let (error, text) = told("ssh://git@git.example.com:2222/a.git", words);
        assert!(matches!(error, GitError::HostKey { .. }), "{text}");
        assert!(text.contains("host key (SHA256:abc+/1) is not the one that ssh knows"), "{text}");
        assert!(text.contains("ssh-keygen -R '[git.example.com]:2222'"), "{text}");
    }

    #[test]
    fn refused_credentials_read_as_one_sentence() {
        let (error, text) = told("https://example.com/a.git", "fatal: Authentication failed.");
        assert!(matches!(error, GitError::Authentication { .. }), "{text}");
        assert!(text.contains("Authentication failed; check"), "{text}");
    }
}
