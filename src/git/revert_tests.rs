//! Who a revert is by, how it is signed, what it leaves in the mirror, and what is refused.

use super::{
    GitError, Reverted,
    testing::{GO, Sandbox},
};
use crate::object::SourceTree;

fn committed(reverted: Reverted) -> super::CommitId {
    match reverted {
        Reverted::Committed(id) => id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_revert_moves_no_branch_carries_the_folders_identity_and_survives_a_fetch() {
    let sandbox = Sandbox::new();
    sandbox.write("a", "1\n");
    sandbox.commit("first");
    sandbox.write("a", "2\n");
    let second = sandbox.commit("second \"quoted\"\n\nbody");
    let mirror = sandbox.mirror();
    let id = committed(mirror.revert(second, second, None, Some(&sandbox.work())).unwrap());
    assert_eq!(mirror.resolve(Some("main")).unwrap().commit, second);
    let commit = mirror.commit(id).unwrap();
    assert_eq!(commit.message, format!("Revert \"second \"quoted\"\"\n\nThis reverts commit {second}.\n"));
    assert_eq!(mirror.author_line(id).unwrap(), "Ada <ada@example.com>");
    let age = jiff::Timestamp::now().as_second() - commit.committed.as_second();
    assert!((0..60).contains(&age), "{age}");
    mirror.fetch(&|_| {}, &GO).unwrap();
    assert_eq!(mirror.commit(id).unwrap().id, id);
    let kept = mirror.repo().find_reference(&format!("refs/driftdeck/written/{id}")).unwrap().id().detach();
    assert_eq!(kept, id.object_id());
    let again = committed(mirror.revert(id, id, None, Some(&sandbox.work())).unwrap());
    assert!(mirror.commit(again).unwrap().subject.starts_with("Revert \"Revert \"second"));
    assert_eq!(mirror.revert(id, second, None, Some(&sandbox.work())).unwrap(), Reverted::Empty);
}

#[test]
fn a_merge_is_reverted_only_against_a_parent_that_it_has() {
    let sandbox = Sandbox::new();
    sandbox.commit("first");
    sandbox.git(&["checkout", "-q", "-b", "topic"]);
    sandbox.write("t", "t\n");
    sandbox.commit("topic");
    sandbox.git(&["checkout", "-q", "main"]);
    sandbox.write("m", "m\n");
    let before = sandbox.commit("main");
    sandbox.git(&["merge", "-q", "--no-ff", "-m", "merge", "topic"]);
    let merge = sandbox.id("HEAD");
    let mirror = sandbox.mirror();
    for parent in [None, Some(0), Some(3)] {
        let error = mirror.revert(merge, merge, parent, Some(&sandbox.work())).unwrap_err();
        assert!(matches!(error, GitError::MergeNeedsParent { .. }), "{parent:?}: {error}");
    }
    let id = committed(mirror.revert(merge, merge, Some(1), Some(&sandbox.work())).unwrap());
    let tree = |id: super::CommitId| mirror.repo().find_commit(id.object_id()).unwrap().tree_id().unwrap().detach();
    assert_eq!(tree(id), tree(before));
    let message = mirror.commit(id).unwrap().message;
    assert!(message.contains(&format!("reversing\nchanges made to {before}.")), "{message}");
}

#[test]
fn a_conflict_names_its_paths_and_writes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("apps/a", "1\n");
    sandbox.commit("first");
    sandbox.write("apps/a", "2\n");
    let second = sandbox.commit("second");
    sandbox.write("apps/a", "3\n");
    let third = sandbox.commit("third");
    let mirror = sandbox.mirror();
    let reverted = mirror.revert(third, second, None, Some(&sandbox.work())).unwrap();
    assert_eq!(reverted, Reverted::Conflicts(vec!["apps/a".to_owned()]));
    let written = mirror.repo().references().unwrap().prefixed("refs/driftdeck/written/").unwrap().count();
    assert_eq!(written, 0);
}

#[test]
fn a_revert_follows_a_file_to_its_new_folder_and_stops_where_it_would_have_to_guess() {
    let sandbox = Sandbox::new();
    let text = |value: &str| format!("kind: Deployment\nname: web\nimage: app:{value}\nreplicas: 2\nport: 80\n");
    sandbox.write("old/web.yaml", text("1"));
    sandbox.write("old/gone.yaml", "kind: Service\nname: gone\n");
    sandbox.commit("first");
    sandbox.write("old/web.yaml", text("2"));
    let second = sandbox.commit("second");
    std::fs::remove_file(sandbox.work().join("old/gone.yaml")).unwrap();
    let gone = sandbox.commit("gone");
    std::fs::create_dir(sandbox.work().join("new")).unwrap();
    sandbox.git(&["mv", "old/web.yaml", "new/web.yaml"]);
    sandbox.write("new/web.yaml", text("2").replace("port: 80", "port: 81"));
    let tip = sandbox.commit("moved");
    let mirror = sandbox.mirror();
    let id = committed(mirror.revert(tip, second, None, Some(&sandbox.work())).unwrap());
    let tree = mirror.tree(id).unwrap();
    assert_eq!(tree.read("new/web.yaml").unwrap(), text("1").replace("port: 80", "port: 81").into_bytes());
    assert_eq!(tree.entry("old").unwrap(), None);
    // the file comes back, but its folder went elsewhere: git asks too
    let reverted = mirror.revert(tip, gone, None, Some(&sandbox.work())).unwrap();
    assert_eq!(reverted, Reverted::Conflicts(vec!["old/gone.yaml".to_owned()]));
    sandbox.git(&["mv", "new/web.yaml", "new/other.yaml"]);
    sandbox.write("new/other.yaml", text("2").replace("port: 80", "port: 82"));
    let tip = sandbox.commit("renamed and changed");
    mirror.fetch(&|_| {}, &GO).unwrap();
    let reverted = mirror.revert(tip, second, None, Some(&sandbox.work())).unwrap();
    assert_eq!(reverted, Reverted::Conflicts(vec!["old/web.yaml".to_owned()]));
}

#[test]
fn a_revert_is_signed_when_the_configuration_says_so_and_fails_when_it_cannot_be() {
    let sandbox = Sandbox::new();
    sandbox.write("a", "1\n");
    let first = sandbox.commit("first");
    let key = sandbox.path().join("key");
    let made =
        std::process::Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: 1 test of signing (ssh-keygen is not installed)");
        return;
    }
    let mirror = sandbox.mirror();
    sandbox.git(&["config", "commit.gpgSign", "true"]);
    sandbox.git(&["config", "gpg.format", "ssh"]);
    sandbox.git(&["config", "user.signingKey", key.to_str().unwrap()]);
    let id = committed(mirror.revert(first, first, None, Some(&sandbox.work())).unwrap());
    assert_eq!(mirror.author_line(id).unwrap(), "Ada <ada@example.com>, signed");
    let allowed = sandbox.path().join("allowed");
    let public = std::fs::read_to_string(sandbox.path().join("key.pub")).unwrap();
    std::fs::write(&allowed, format!("ada@example.com {public}")).unwrap();
    let setting = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
    let mirrored = mirror.path().to_str().unwrap();
    sandbox.git(&["-c", &setting, "-C", mirrored, "verify-commit", &id.to_string()]);
    sandbox.git(&["config", "user.signingKey", "/nonexistent/key"]);
    let error = mirror.revert(first, first, None, Some(&sandbox.work())).unwrap_err();
    assert!(matches!(error, GitError::Signing { .. }), "{error}");
}

#[test]
fn an_identity_folder_that_is_no_repository_is_an_error_that_names_it() {
    let sandbox = Sandbox::new();
    let first = sandbox.commit("first");
    let folder = sandbox.path().join("elsewhere");
    let error = sandbox.mirror().revert(first, first, None, Some(&folder)).unwrap_err().to_string();
    assert!(error.contains("elsewhere") && error.contains("identity_from"), "{error}");
}
