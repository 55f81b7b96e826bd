//! What can go wrong with a repository, each with what the reader can do.

/// Why a Git operation failed. URLs in messages are without credentials.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// Not 40 or 64 hex digits.
    #[error("`{text}` is not a commit id")]
    NotACommit {
        /// What was given.
        text: String,
    },
    /// The URL cannot be used.
    #[error("`{url}`: {reason}")]
    BadUrl {
        /// What was given, without credentials.
        url: String,
        /// What is wrong and what is accepted.
        reason: String,
    },
    /// The server could not be reached in time; the mirror stays usable.
    #[error("{url}: cannot be reached: {reason}")]
    Unreachable {
        /// The repository.
        url: String,
        /// The transport's words.
        reason: String,
    },
    /// The server wants other credentials: check the credential helper or the ssh agent.
    #[error(
        "{url}: authentication failed: {reason}; check the credential helper or the ssh agent (git ls-remote shows the same)"
    )]
    Authentication {
        /// The repository.
        url: String,
        /// The server's words.
        reason: String,
    },
    /// ssh does not trust the server's host key: compare its fingerprint, and accept it by hand.
    #[error("{url}: {reason}; {remedy}")]
    HostKey {
        /// The repository.
        url: String,
        /// That the key is not known, or another one than the known one.
        reason: String,
        /// What to type.
        remedy: String,
    },
    /// There is no repository at the URL.
    #[error("{url}: no repository there")]
    NotFound {
        /// The repository.
        url: String,
    },
    /// The repository has no commit yet.
    #[error("{url}: the repository has no commits yet")]
    NoCommits {
        /// The repository.
        url: String,
    },
    /// No branch, tag or commit of that name.
    #[error("`{revision}` is no branch, tag or commit of {url}{hint}")]
    NoSuchRevision {
        /// The repository.
        url: String,
        /// What was asked for.
        revision: String,
        /// Names that exist, or that the branch was deleted, as text that follows.
        hint: String,
    },
    /// A merge commit can only be reverted against one of its parents.
    #[error("{commit} is a merge: say which parent stays (1 is the branch that was merged into)")]
    MergeNeedsParent {
        /// The commit.
        commit: String,
    },
    /// Commits need a name and an address.
    #[error(
        "no Git identity: set user.name and user.email in your Git configuration, or identity_from in the repository's section"
    )]
    NoIdentity,
    /// The configuration asks for signed commits and the signature could not be made: unlock the key (ssh-add, gpg), then again.
    #[error("the commit cannot be signed, as commit.gpgSign asks: {reason}")]
    Signing {
        /// What the signing program said.
        reason: String,
    },
    /// The server refused a push; the commit is kept and can be pushed again.
    #[error("{url}: the push to {branch} was refused: {reason}")]
    PushRefused {
        /// The repository.
        url: String,
        /// The branch.
        branch: String,
        /// The server's words.
        reason: String,
    },
    /// A program that this needs is not there.
    #[error("{program} is not on the PATH; install it")]
    MissingProgram {
        /// Its name.
        program: String,
    },
    /// Asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The mirror on disk is damaged or unreadable.
    #[error("the mirror in {path}: {reason}")]
    Mirror {
        /// Its folder.
        path: String,
        /// What is wrong.
        reason: String,
    },
}
