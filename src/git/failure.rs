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
const AUTHENTICATION: [&str; 12] = [
    "permission denied",
    "authentication failed",
    "authentication required",
    "invalid credentials",
    "could not read username",
    "could not read password",
    "host key verification failed",
    "http status 401",
    "http status 403",
    "too many authentication failures",
    "no such identity",
    "dubious ownership",
];

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
    let words = format!("{chain}\n{said}").to_lowercase();
    let has = |list: &[&str]| list.iter().any(|word| words.contains(word));
    let url = url.to_string();
    if error.is_unauthenticated() || has(&AUTHENTICATION) {
        GitError::Authentication { url, reason }
    } else if has(&NOT_FOUND) {
        GitError::NotFound { url }
    } else {
        GitError::Unreachable { url, reason }
    }
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
