//! Patches of commits as they may be shown: the patch of a file that holds a Secret says only that it changed.

use crate::{
    git::{CommitId, FileChange, GitError, Mirror},
    object::{SourceTree, documents, is_secret},
};

/// Stands in place of a patch that would show a Secret's values.
const HIDDEN: &str = "this file holds a Secret: its lines are not shown\n";

/// Returns what a commit changed against its first parent, with patches that show no Secret's values.
pub(in crate::engine) fn shown(mirror: &Mirror, commit: CommitId) -> Result<Vec<FileChange>, GitError> {
    let mut changes = mirror.file_changes(commit)?;
    let after = mirror.tree(commit)?;
    let before = mirror.commit(commit)?.parents.first().map(|parent| mirror.tree(*parent)).transpose()?;
    for change in &mut changes {
        let holds_secret = |tree: &dyn SourceTree| tree.read(&change.path).is_ok_and(|bytes| may_hold_secret(&bytes));
        if holds_secret(&after) || before.as_ref().is_some_and(|before| holds_secret(before)) {
            change.patch = HIDDEN.into();
        }
    }
    Ok(changes)
}

/// Says whether a file holds a Secret, or might: one that cannot be read as manifests is judged by the word alone.
fn may_hold_secret(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    if !text.contains("Secret") {
        return false;
    }
    documents(&text).iter().any(|document| match &document.value {
        Ok(value) => {
            let items = value.get("items").and_then(serde_json::Value::as_array).into_iter().flatten();
            is_secret(value) || items.into_iter().any(is_secret) || value.get("secretGenerator").is_some()
        }
        Err(_) => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_with_a_secret_are_known_whatever_else_they_hold() {
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: v}\n";
        assert!(may_hold_secret(secret.as_bytes()));
        assert!(may_hold_secret(format!("apiVersion: v1\nkind: ConfigMap\n---\n{secret}").as_bytes()));
        assert!(may_hold_secret(b"kind: Secret\n\tbroken: ["));
        assert!(!may_hold_secret(b"apiVersion: v1\nkind: ConfigMap\ndata: {note: a Secret is elsewhere}\n"));
    }
}
