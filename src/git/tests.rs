//! Mirrors of real repositories: cloned, polled, fetched, resolved and read.

use super::{
    FetchReport, GitError, Mirror, Progress, RepositoryUrl,
    testing::{GO, Sandbox},
};
use crate::object::{EntryKind, SourceError, SourceTree};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::{Mutex, atomic::AtomicBool},
};

fn fetched(mirror: &Mirror) -> FetchReport {
    mirror.fetch(&|_| {}, &GO).unwrap()
}

#[test]
fn a_clone_has_the_servers_branches_tags_and_head_and_only_its_owner_can_read_it() {
    let sandbox = Sandbox::new();
    sandbox.write("a.yaml", "a: 1\n");
    let first = sandbox.commit("first");
    sandbox.git(&["tag", "-a", "v1", "-m", "one"]);
    sandbox.git(&["branch", "release/1"]);
    let seen = Mutex::new(Vec::<Progress>::new());
    let dir = sandbox.path().join("cache/mirror");
    let mirror = Mirror::clone_from(&sandbox.url(), &dir, &|step| seen.lock().unwrap().push(step), &GO).unwrap();
    assert_eq!(
        mirror.refs().unwrap(),
        vec![("main".to_owned(), first), ("release/1".to_owned(), first), ("v1".to_owned(), first)]
    );
    let head = mirror.resolve(None).unwrap();
    assert_eq!((head.commit, head.branch.as_deref()), (first, Some("main")));
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(!seen.lock().unwrap().is_empty());
    assert!(!mirror.poll(&GO).unwrap());
}

#[test]
fn poll_sees_new_commits_new_tags_and_a_moved_head_and_fetch_brings_them() {
    let sandbox = Sandbox::new();
    sandbox.commit("first");
    let mirror = sandbox.mirror();
    let second = sandbox.commit("second");
    assert!(mirror.poll(&GO).unwrap());
    assert_eq!(fetched(&mirror), FetchReport { updated: vec!["main".into()], ..Default::default() });
    assert_eq!(mirror.resolve(Some("main")).unwrap().commit, second);
    assert!(!mirror.poll(&GO).unwrap());
    sandbox.git(&["tag", "-a", "v1", "-m", "one"]);
    assert!(mirror.poll(&GO).unwrap());
    assert_eq!(fetched(&mirror).updated, vec!["v1"]);
    sandbox.git(&["checkout", "-q", "-b", "next"]);
    fetched(&mirror);
    assert_eq!(mirror.resolve(None).unwrap().branch.as_deref(), Some("next"));
    sandbox.git(&["checkout", "-q", "main"]);
    assert!(mirror.poll(&GO).unwrap());
    fetched(&mirror);
    assert_eq!(mirror.resolve(None).unwrap().branch.as_deref(), Some("main"));
    sandbox.git(&["checkout", "-q", "--detach"]);
    assert!(mirror.poll(&GO).unwrap());
    fetched(&mirror);
    let head = mirror.resolve(None).unwrap();
    assert_eq!((head.commit, head.branch), (second, None));
    assert!(!mirror.poll(&GO).unwrap());
}

#[test]
fn a_forced_branch_is_reported_and_its_old_commit_stays_readable() {
    let sandbox = Sandbox::new();
    sandbox.commit("first");
    let old = sandbox.commit("second");
    let mirror = sandbox.mirror();
    sandbox.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let new = sandbox.commit("other second");
    assert!(mirror.poll(&GO).unwrap());
    let report = fetched(&mirror);
    assert_eq!(report.forced, vec![("main".to_owned(), old, new)]);
    assert!(report.updated.is_empty());
    assert_eq!(mirror.commit(old).unwrap().subject, "second");
    assert!(!mirror.contains(new, old).unwrap());
    let kept = mirror.repo().find_reference(&format!("refs/driftdeck/keep/{old}")).unwrap().id().detach();
    assert_eq!(kept, old.object_id());
}

#[test]
fn a_deleted_branch_is_reported_and_the_error_says_where_it_stood() {
    let sandbox = Sandbox::new();
    sandbox.commit("first");
    sandbox.git(&["checkout", "-q", "-b", "topic"]);
    let topic = sandbox.commit("topic");
    sandbox.git(&["checkout", "-q", "main"]);
    let mirror = sandbox.mirror();
    sandbox.git(&["branch", "-q", "-D", "topic"]);
    assert!(mirror.poll(&GO).unwrap());
    assert_eq!(fetched(&mirror).deleted, vec!["topic"]);
    assert_eq!(mirror.commit(topic).unwrap().subject, "topic");
    let error = mirror.resolve(Some("topic")).unwrap_err().to_string();
    assert!(error.contains("deleted on the server") && error.contains(&topic.short()), "{error}");
    // a branch may take the name as a folder
    sandbox.git(&["branch", "topic/new"]);
    assert_eq!(fetched(&mirror).updated, vec!["topic/new"]);
    sandbox.git(&["branch", "-q", "-D", "topic/new"]);
    sandbox.git(&["branch", "topic"]);
    let report = fetched(&mirror);
    assert_eq!((report.updated, report.deleted), (vec!["topic".to_owned()], vec!["topic/new".to_owned()]));
}

#[test]
fn the_deleted_head_branch_is_an_error_that_names_it_and_not_a_crash() {
    let sandbox = Sandbox::new();
    sandbox.commit("first");
    let mirror = sandbox.mirror();
    sandbox.git(&["branch", "other"]);
    sandbox.git(&["update-ref", "-d", "refs/heads/main"]);
    fetched(&mirror);
    let error = mirror.resolve(None).unwrap_err().to_string();
    assert!(error.contains("`main`") && error.contains("deleted"), "{error}");
}

#[test]
fn an_empty_repository_is_cloned_and_says_so_until_it_has_a_commit() {
    let sandbox = Sandbox::new();
    sandbox.git(&["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    let mirror = sandbox.mirror();
    assert!(!mirror.poll(&GO).unwrap());
    for revision in [None, Some("main"), Some("trunk")] {
        let error = mirror.resolve(revision).unwrap_err();
        assert!(matches!(error, GitError::NoCommits { .. }), "{error}");
    }
    assert!(matches!(mirror.source_identity().unwrap_err(), GitError::NoCommits { .. }));
    let first = sandbox.commit("first");
    assert!(mirror.poll(&GO).unwrap());
    fetched(&mirror);
    let head = mirror.resolve(None).unwrap();
    assert_eq!((head.commit, head.branch.as_deref()), (first, Some("trunk")));
}

#[test]
fn a_branch_wins_over_a_tag_and_both_win_over_an_id() {
    let sandbox = Sandbox::new();
    let first = sandbox.commit("first");
    sandbox.git(&["tag", "-a", "same", "-m", "tag"]);
    let second = sandbox.commit("second");
    sandbox.git(&["branch", "same"]);
    sandbox.git(&["branch", &first.short()]);
    sandbox.write("file", "x");
    sandbox.commit("third");
    let blob = sandbox.git(&["rev-parse", "HEAD:file"]);
    sandbox.git(&["tag", "blob", &blob]);
    let mirror = sandbox.mirror();
    let at = |text: &str| mirror.resolve(Some(text)).unwrap();
    assert_eq!((at("same").commit, at("same").branch.as_deref()), (second, Some("same")));
    assert_eq!((at("refs/tags/same").commit, at("refs/tags/same").branch), (first, None));
    assert_eq!(at("refs/heads/same").branch.as_deref(), Some("same"));
    assert_eq!(at(&first.short()).commit, second);
    assert_eq!((at(&first.to_string()).commit, at(&first.to_string()).branch), (first, None));
    assert_eq!(at(&second.to_string()[..12].to_uppercase()).commit, second);
    let hint = |text: &str| mirror.resolve(Some(text)).unwrap_err().to_string();
    assert!(hint("sama").contains("near names: same"), "{}", hint("sama"));
    assert!(hint("zzz").contains("its branches:"), "{}", hint("zzz"));
    for text in ["blob", &blob, "main~1", "@{u}", ":/first", "--all", "\u{1b}[2J", "0000000"] {
        let error = mirror.resolve(Some(text)).unwrap_err();
        assert!(matches!(error, GitError::NoSuchRevision { .. }), "{text}: {error}");
        assert!(!error.to_string().contains('\u{1b}'));
    }
}

#[test]
fn a_mirror_is_opened_again_but_not_for_another_address_nor_when_it_is_damaged() {
    let sandbox = Sandbox::new();
    let first = sandbox.commit("first");
    let dir = sandbox.path().join("mirror");
    assert!(Mirror::open(&dir, &sandbox.url()).unwrap().is_none());
    sandbox.mirror();
    fs::write(dir.join("refs/heads/main.lock"), "").unwrap();
    fs::write(dir.join("objects/pack/tmp_pack_x"), "half").unwrap();
    let half = sandbox.path().join(".mirror.clone-killed");
    fs::create_dir(&half).unwrap();
    let mirror = Mirror::open(&dir, &sandbox.url()).unwrap().unwrap();
    assert_eq!(mirror.resolve(None).unwrap().commit, first);
    assert!(!dir.join("refs/heads/main.lock").exists() && !dir.join("objects/pack/tmp_pack_x").exists());
    assert!(!half.exists());
    drop(mirror);
    let other = RepositoryUrl::parse("/srv/other").unwrap();
    assert!(Mirror::open(&dir, &other).unwrap().is_none());
    assert!(!dir.exists());
    for damage in ["HEAD", "driftdeck-url", "objects/pack", "config"] {
        sandbox.mirror();
        let path = dir.join(damage);
        if path.is_dir() {
            fs::remove_dir_all(&path).unwrap();
        } else {
            fs::write(&path, "\0[").unwrap();
        }
        assert!(Mirror::open(&dir, &sandbox.url()).unwrap().is_none(), "{damage}");
        assert_eq!(sandbox.mirror().resolve(None).unwrap().commit, first, "{damage}");
    }
}

#[test]
fn a_clone_that_fails_or_is_stopped_leaves_nothing() {
    let sandbox = Sandbox::new();
    sandbox.commit("first");
    let dir = sandbox.path().join("mirror");
    let missing = RepositoryUrl::parse(sandbox.path().join("missing").to_str().unwrap()).unwrap();
    let error = Mirror::clone_from(&missing, &dir, &|_| {}, &GO).unwrap_err();
    assert!(matches!(error, GitError::NotFound { .. }), "{error}");
    let error = Mirror::clone_from(&sandbox.url(), &dir, &|_| {}, &AtomicBool::new(true)).unwrap_err();
    assert!(matches!(error, GitError::Interrupted), "{error}");
    let left: Vec<_> = fs::read_dir(sandbox.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let mut left: Vec<_> = left.iter().map(|name| name.to_str().unwrap()).collect();
    left.sort_unstable();
    assert_eq!(left, [".mirror.writer", "work"]);
}

#[test]
fn a_sha256_repository_is_mirrored_too() {
    let sandbox = Sandbox::new();
    fs::remove_dir_all(sandbox.work()).unwrap();
    fs::create_dir(sandbox.work()).unwrap();
    let (able, words) = sandbox.try_git(&["init", "-q", "-b", "main", "--object-format=sha256"]);
    assert!(able, "{words}");
    sandbox.git(&["config", "user.name", "Ada"]);
    sandbox.git(&["config", "user.email", "ada@example.com"]);
    let first = sandbox.commit("first");
    assert_eq!(first.to_string().len(), 64);
    assert_eq!(sandbox.mirror().resolve(None).unwrap().commit, first);
}

#[test]
fn a_tree_reads_files_modes_links_and_submodules_without_touching_the_disk() {
    let sandbox = Sandbox::new();
    sandbox.write("a/b.yaml", "b: 1\n");
    sandbox.write("a-b", "dash");
    sandbox.write("run.sh", "#!/bin/sh\n");
    let link = |target: &str, path: &str| std::os::unix::fs::symlink(target, sandbox.work().join(path)).unwrap();
    fs::set_permissions(sandbox.work().join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    link("a/b.yaml", "link");
    link("../a-b", "a/up");
    link("a", "folder");
    link("/etc/passwd", "absolute");
    link("../../etc/passwd", "outside");
    link("loop", "loop");
    link("nowhere", "dangling");
    link("s1", "s0");
    for n in 1..8 {
        link(&format!("s{}", n + 1), &format!("s{n}"));
    }
    sandbox.write("s8", "eighth");
    link("s0", "ninth");
    sandbox.git(&["add", "-A"]);
    let id = "1234567890123456789012345678901234567890";
    sandbox.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},sub")]);
    sandbox.tick();
    sandbox.git(&["commit", "-q", "-m", "all"]);
    let commit = sandbox.id("HEAD");
    let tree = sandbox.mirror().tree(commit).unwrap();
    assert_eq!(tree.describe(), format!("commit {}", commit.short()));
    let kind = |path: &str| tree.entry(path).unwrap().map(|entry| entry.kind);
    assert_eq!(kind(""), Some(EntryKind::Folder));
    assert_eq!(kind("a"), Some(EntryKind::Folder));
    assert_eq!(kind("link"), Some(EntryKind::Symlink));
    assert_eq!(kind("sub"), Some(EntryKind::Submodule));
    assert_eq!(kind("run.sh"), Some(EntryKind::File));
    assert_eq!(kind("folder/b.yaml"), Some(EntryKind::File));
    assert_eq!(kind("a/b.yaml/c"), None);
    assert_eq!(kind("sub/x"), None);
    assert_eq!(kind(".git/config"), None);
    assert_eq!(tree.entry("sub").unwrap().unwrap().id, id);
    assert_eq!(tree.entry("a").unwrap().unwrap().id, sandbox.git(&["rev-parse", "HEAD:a"]));
    let read = |path: &str| tree.read(path).map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(read("link").unwrap(), "b: 1\n");
    assert_eq!(read("a/up").unwrap(), "dash");
    assert_eq!(read("folder/up").unwrap(), "dash");
    assert_eq!(read("s0").unwrap(), "eighth");
    for path in ["absolute", "outside", "../work/a-b"] {
        assert!(matches!(read(path), Err(SourceError::Outside { .. })), "{path}: {:?}", read(path));
    }
    for path in ["dangling", "a", "sub", "missing"] {
        assert!(matches!(read(path), Err(SourceError::NotFound { .. })), "{path}: {:?}", read(path));
    }
    for path in ["loop", "ninth"] {
        assert!(matches!(read(path), Err(SourceError::Broken { .. })), "{path}: {:?}", read(path));
    }
    let names = |path: &str| tree.list(path).map(|list| list.into_iter().map(|(name, _)| name).collect::<Vec<_>>());
    assert_eq!(names("a").unwrap(), ["b.yaml", "up"]);
    assert_eq!(names("folder").unwrap(), ["b.yaml", "up"]);
    assert_eq!(names("").unwrap()[..3], ["a", "a-b", "absolute"]);
    assert!(matches!(names("a-b"), Err(SourceError::NotFound { .. })));
}

#[test]
fn a_mirror_that_is_fetched_for_months_joins_its_packs_and_loses_nothing() {
    let sandbox = Sandbox::new();
    sandbox.commit("first");
    let mirror = sandbox.mirror();
    let mut ids = Vec::new();
    for n in 0..70 {
        sandbox.write("n", n.to_string());
        ids.push(sandbox.commit("next"));
        if n % 10 == 5 {
            sandbox.git(&["reset", "-q", "--hard", "HEAD~1"]);
        }
        fetched(&mirror);
    }
    let packs = fs::read_dir(mirror.path().join("objects/pack")).unwrap();
    let packs = packs.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "pack"));
    assert!(packs.count() < 64);
    for id in ids.iter().filter(|id| sandbox.git(&["branch", "--contains", &id.to_string()]).contains("main")) {
        assert_eq!(mirror.commit(*id).unwrap().subject, "next");
    }
}

#[test]
fn two_mirrors_of_one_folder_can_fetch_at_the_same_time() {
    let sandbox = Sandbox::new();
    sandbox.commit("first");
    let one = sandbox.mirror();
    let two = Mirror::open(one.path(), &sandbox.url()).unwrap().unwrap();
    let second = sandbox.commit("second");
    std::thread::scope(|scope| {
        for mirror in [&one, &two, &one, &two] {
            scope.spawn(|| fetched(mirror));
        }
    });
    assert_eq!(one.resolve(None).unwrap().commit, second);
    assert_eq!(two.resolve(None).unwrap().commit, second);
}

#[test]
fn an_author_line_cannot_carry_escapes() {
    let sandbox = Sandbox::new();
    sandbox.git(&["config", "user.name", "Ada\u{1b}[2J"]);
    let id = sandbox.commit("first\n\nbody");
    let mirror = sandbox.mirror();
    assert_eq!(mirror.author_line(id).unwrap(), "Ada␛[2J <ada@example.com>");
    let commit = mirror.commit(id).unwrap();
    assert_eq!((commit.subject.as_str(), commit.message.as_str()), ("first", "first\n\nbody\n"));
    assert_eq!(commit.committed.as_second(), 1_700_000_060);
}
