//! Who a commit is by and how it is signed, as the user's Git configuration says.

use super::{GitError, Mirror, failure};
use crate::object::clean;
use gix::{actor::Signature, objs::signature::sign};
use std::path::Path;

/// Author, committer and, where the configuration asks for it, how to sign.
pub(super) struct Identity {
    pub(super) author: Signature,
    pub(super) committer: Signature,
    pub(super) signing: Option<sign::Options>,
}

impl Mirror {
    /// Reads the identity that Git would use in `folder`, else the user's own. `GIT_AUTHOR_*` and `GIT_COMMITTER_*` win,
    /// as in Git.
    pub(super) fn identity(&self, folder: Option<&Path>) -> Result<Identity, GitError> {
        let repo = match folder {
            // opened anew, because gix reads the clock when it opens
            None => self.reopened()?,
            Some(folder) => gix::discover(folder).map_err(|error| GitError::BadUrl {
                url: folder.display().to_string(),
                reason: format!("identity_from is no Git folder: {}", clean(&failure::chain(&error))),
            })?,
        };
        let owned = |signature: Option<gix::Result<gix::actor::SignatureRef<'_>>>| {
            signature.and_then(Result::ok).and_then(|signature| signature.to_owned().ok())
        };
        let usable = |signature: &Signature| !signature.name.is_empty() && !signature.email.is_empty();
        let author = owned(repo.author()).filter(usable).ok_or(GitError::NoIdentity)?;
        let committer = owned(repo.committer()).filter(usable).ok_or(GitError::NoIdentity)?;
        let mut signing = repo.commit_signing_options_if_enabled().map_err(|error| self.unsigned(&error))?;
        if let Some(options) = &mut signing {
            // a passphrase is asked for in a window or by an agent, never on the terminal that the console owns
            if std::env::var_os("SSH_ASKPASS").is_none() {
                options.environment.push(("SSH_ASKPASS".into(), "false".into()));
            }
            options.environment.push(("SSH_ASKPASS_REQUIRE".into(), "force".into()));
            options.environment.push(("GPG_TTY".into(), "".into()));
        }
        Ok(Identity { author, committer, signing })
    }

    /// Says why a signature could not be made, with what the signing program said.
    pub(super) fn unsigned(&self, error: &gix::Error) -> GitError {
        let mut reason = failure::chain(error);
        for values in error.metadata() {
            if let Some(said) = values.get("stderr") {
                reason = format!("{reason}: {said}");
            }
        }
        GitError::Signing { reason: failure::tidy(self.url(), &reason) }
    }
}
