//! CHOICES of `plan` and `sync`: what the engine can do with them, and a refusal of what it cannot do yet.

use super::{args::ChoiceArgs, error::CliError};
use crate::engine::Choices;

impl ChoiceArgs {
    /// Says whether nothing was chosen.
    pub fn is_empty(&self) -> bool {
        let Self { revision, prune, only, skip, skip_hunk, replace, take_over, hooks } = self;
        revision.is_none()
            && prune.is_none()
            && hooks.is_none()
            && only.is_empty()
            && skip.is_empty()
            && skip_hunk.is_empty()
            && replace.is_empty()
            && take_over.is_empty()
    }

    /// Writes the choices as flags again, each with a blank before it, for the line that approves what they led to.
    pub fn flags(&self) -> String {
        let revision = self.revision.iter().map(|revision| format!(" --revision {revision}"));
        let prune = self.prune.iter().map(|prune| format!(" --prune {prune}"));
        let only = self.only.iter().map(|object| format!(" --only {object}"));
        let skip = self.skip.iter().map(|object| format!(" --skip {object}"));
        revision.chain(prune).chain(only).chain(skip).collect()
    }

    /// Returns the engine's choices.
    ///
    /// # Errors
    /// [`CliError::Usage`] for a choice that this version cannot carry out: ignored, it would apply something else.
    pub fn resolve(&self) -> Result<Choices, CliError> {
        for (given, flag) in [
            (!self.skip_hunk.is_empty(), "--skip-hunk"),
            (!self.replace.is_empty(), "--replace"),
            (!self.take_over.is_empty(), "--take-over"),
            (self.hooks == Some(true), "--hooks true"),
        ] {
            if given {
                return Err(not_yet(flag));
            }
        }
        Ok(Choices {
            revision: self.revision.clone(),
            prune: self.prune,
            only: self.only.iter().cloned().collect(),
            skip: self.skip.iter().cloned().collect(),
        })
    }
}

/// Refuses a flag of a later version.
pub fn not_yet(flag: &str) -> CliError {
    CliError::Usage { message: format!("{flag} is not part of this version yet; nothing was done"), hint: None }
}
