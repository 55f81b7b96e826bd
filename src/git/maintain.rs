//! Keeping a mirror small: every fetch adds a pack, and a mirror lives for years.

use super::{Mirror, child, lock::WriteLock};
use std::{process::Stdio, time::Duration};

/// From so many packs on they are joined.
const MANY_PACKS: usize = 64;
/// A joining that takes longer is given up until the next fetch.
const PATIENCE: Duration = Duration::from_secs(300);

impl Mirror {
    /// Joins the packs when there are many. Needs the user's `git`; without it, or when it fails, all goes on as before.
    pub(super) fn tend(&self, _held: &WriteLock) {
        let packs = std::fs::read_dir(self.path().join("objects/pack")).into_iter().flatten().flatten();
        let count = packs.filter(|entry| entry.path().extension().is_some_and(|end| end == "pack")).count();
        if count < MANY_PACKS {
            return;
        }
        let mut command = child::command("git");
        // -k keeps what no ref reaches: a commit that was applied stays readable
        command.args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-C"]);
        command.arg(self.path()).args(["repack", "-a", "-d", "-k", "-q"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let outcome = command.spawn().and_then(|mut child| child::wait(&mut child, PATIENCE));
        tracing::info!(path = %self.path().display(), count, ?outcome, "joined the packs of a mirror");
    }
}
