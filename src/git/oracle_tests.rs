//! History, patches and reverts held against the `git` program on generated repositories.

use super::{
    CommitId, FileStatus, GitError, HistoryOptions, Mirror, Reverted,
    testing::{Dice, GO, Sandbox},
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::atomic::AtomicBool,
};

const PATHS: [&str; 8] = ["", "apps", "apps/web", "apps/web-2", "a.yaml", "base/deep", "shape", "never"];

fn ids(text: &str) -> Vec<CommitId> {
    text.lines().map(|line| line.parse().unwrap()).collect()
}

fn walked(mirror: &Mirror, tip: CommitId, paths: &[&str], options: HistoryOptions) -> Vec<CommitId> {
    let paths: Vec<String> = paths.iter().map(|path| path.to_string()).collect();
    mirror.history(tip, &paths, options, &GO).unwrap().into_iter().map(|commit| commit.id).collect()
}

/// What `git log --full-history` shows, without the merges that took one parent whole: those are no change to who reads
/// the history of a path. (Git shows a merge that differs from any parent.)
fn expected(
    sandbox: &Sandbox,
    parents: &HashMap<CommitId, Vec<CommitId>>,
    changed: &mut HashMap<(CommitId, CommitId), Vec<String>>,
    options: &[&str],
    paths: &[&str],
) -> Vec<CommitId> {
    let mut args = vec!["log", "--full-history", "--format=%H"];
    args.extend(options);
    args.extend(["b0", "--"]);
    args.extend(paths.iter().filter(|path| !path.is_empty()));
    let mut shown = ids(&sandbox.git(&args));
    if paths.contains(&"") {
        return shown;
    }
    let under = |file: &str| paths.iter().any(|path| file == *path || file.starts_with(&format!("{path}/")));
    let considered = if options.contains(&"--first-parent") { 1 } else { usize::MAX };
    shown.retain(|id| {
        parents[id].iter().take(considered).all(|parent| {
            let files = changed.entry((*parent, *id)).or_insert_with(|| {
                let (old, new) = (parent.to_string(), id.to_string());
                let names = sandbox.git(&["diff-tree", "-r", "--no-renames", "--name-only", &old, &new]);
                names.lines().map(str::to_owned).collect()
            });
            files.iter().any(|file| under(file))
        })
    });
    shown
}

#[test]
fn the_history_of_a_path_is_that_of_git_log_full_history_without_merges_that_took_a_side_whole() {
    let (mut pairs, mut shown, mut merges) = (0, 0, 0);
    for seed in 0..30 {
        let sandbox = Sandbox::new();
        sandbox.grow(seed, 40);
        let mirror = sandbox.mirror();
        let Ok(tip) = mirror.resolve(Some("b0")).map(|found| found.commit) else { continue };
        let parents: HashMap<CommitId, Vec<CommitId>> = sandbox
            .git(&["rev-list", "--parents", "b0"])
            .lines()
            .map(|line| {
                let mut ids = line.split(' ').map(|id| id.parse().unwrap());
                (ids.next().unwrap(), ids.collect())
            })
            .collect();
        let set = |ids: &[CommitId]| ids.iter().copied().collect::<BTreeSet<_>>();
        let mut changed = HashMap::new();
        for path in PATHS {
            for first_parent in [false, true] {
                let options: &[&str] = if first_parent { &["--first-parent"] } else { &[] };
                let expected = expected(&sandbox, &parents, &mut changed, options, &[path]);
                let found = walked(&mirror, tip, &[path], HistoryOptions { limit: None, first_parent });
                assert_eq!(set(&found), set(&expected), "seed {seed}, path {path:?}, first parent {first_parent}");
                assert_eq!(found.len(), expected.len());
                pairs += 1;
                shown += found.len();
                merges += found.iter().filter(|id| parents[*id].len() > 1).count();
            }
        }
        let several = ["apps/web", "a.yaml"];
        let expected = expected(&sandbox, &parents, &mut changed, &[], &several);
        let found = walked(&mirror, tip, &several, HistoryOptions::default());
        assert_eq!(set(&found), set(&expected), "seed {seed}");
        let limited = HistoryOptions { limit: Some(3), first_parent: false };
        assert_eq!(walked(&mirror, tip, &several, limited), found[..found.len().min(3)]);
        // newest first among those whose children are all shown; a path's history is in the order of the whole
        let whole = walked(&mirror, tip, &[""], HistoryOptions::default());
        let time = |id: &CommitId| mirror.commit(*id).unwrap().committed;
        for (at, id) in whole.iter().enumerate() {
            let ready = |one: &CommitId| !whole[at..].iter().any(|child| parents[child].contains(one));
            assert!(ready(id), "seed {seed}: a parent comes before {id}");
            let newer = whole[at..].iter().find(|other| ready(other) && time(other) > time(id));
            assert_eq!(newer, None, "seed {seed}: shown after {id}");
        }
        assert_eq!(whole.into_iter().filter(|id| found.contains(id)).collect::<Vec<_>>(), found, "seed {seed}");
        pairs += 1;
    }
    println!("history: {pairs} (history, path) pairs equal to git log, {shown} commits shown, {merges} of them merges");
    assert!(pairs >= 200 && merges >= 50, "{pairs} pairs, {merges} merges");
}

#[test]
fn a_history_can_be_stopped() {
    let sandbox = Sandbox::new();
    let tip = sandbox.commit("first");
    let error =
        sandbox.mirror().history(tip, &[String::new()], HistoryOptions::default(), &AtomicBool::new(true)).unwrap_err();
    assert!(matches!(error, GitError::Interrupted), "{error}");
}

#[test]
fn patches_apply_and_give_the_commit_back() {
    let (mut commits, mut files) = (0, 0);
    for seed in 100..106 {
        let sandbox = Sandbox::new();
        sandbox.grow(seed, 30);
        let mirror = sandbox.mirror();
        for id in ids(&sandbox.git(&["rev-list", "b0"])) {
            let changes = mirror.file_changes(id).unwrap();
            let parent = mirror.commit(id).unwrap().parents.first().copied();
            let raw = match parent {
                Some(parent) => sandbox.git(&[
                    "diff-tree",
                    "-r",
                    "--no-renames",
                    "--name-status",
                    &parent.to_string(),
                    &id.to_string(),
                ]),
                None => sandbox.git(&["diff-tree", "-r", "--root", "--no-commit-id", "--name-status", &id.to_string()]),
            };
            let found: Vec<String> = changes
                .iter()
                .map(|change| {
                    let letter = match change.status {
                        FileStatus::Added => 'A',
                        FileStatus::Deleted => 'D',
                        FileStatus::Modified => 'M',
                    };
                    format!("{letter}\t{}", change.path)
                })
                .collect();
            assert_eq!(found, raw.lines().collect::<Vec<_>>(), "seed {seed}, {id}");
            // onto the parent's tree, in an index of its own
            sandbox.git(&["read-tree", &parent.map_or("--empty".to_owned(), |parent| parent.to_string())]);
            // deletions first: a file may have become a folder
            let order = |deleted: bool| changes.iter().filter(move |c| (c.status == FileStatus::Deleted) == deleted);
            for change in order(true).chain(order(false)) {
                let file = sandbox.path().join("patch");
                std::fs::write(&file, &change.patch).unwrap();
                sandbox.git(&["apply", "--cached", "--unidiff-zero", file.to_str().unwrap()]);
                files += 1;
            }
            assert_eq!(sandbox.git(&["write-tree"]), sandbox.git(&["rev-parse", &format!("{id}^{{tree}}")]));
            commits += 1;
        }
    }
    println!("patches: {files} applied, {commits} commits given back");
    assert!(commits >= 50 && files >= 100);
}

#[test]
fn a_patch_reads_like_gits_own() {
    let sandbox = Sandbox::new();
    sandbox.write("text", "one\ntwo\nthree");
    sandbox.write("binary", [0, 1, 2]);
    sandbox.write("kind", "file");
    sandbox.write("gone", "x\r\ny\r\n");
    sandbox.write("run", "#!/bin/sh\n");
    sandbox.write("tab\there", "a\n");
    sandbox.commit("first");
    sandbox.write("text", "one\n2\nthree\n");
    sandbox.write("binary", [0, 3]);
    sandbox.write("tab\there", "b\n");
    std::fs::remove_file(sandbox.work().join("kind")).unwrap();
    std::os::unix::fs::symlink("text", sandbox.work().join("kind")).unwrap();
    std::fs::remove_file(sandbox.work().join("gone")).unwrap();
    sandbox.git(&["add", "-A"]);
    sandbox.git(&["update-index", "--chmod=+x", "run"]);
    let id = "1234567890123456789012345678901234567890";
    sandbox.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},sub")]);
    sandbox.git(&["commit", "-q", "-m", "second"]);
    let second = sandbox.id("HEAD");
    let changes = sandbox.mirror().file_changes(second).unwrap();
    let ours: String = changes.iter().map(|change| change.patch.as_str()).collect();
    let theirs = sandbox.git(&["diff-tree", "-p", "--no-renames", "--abbrev=7", "HEAD~1", "HEAD"]) + "\n";
    assert_eq!(ours, theirs);
    sandbox.write("large", "line\n".repeat(300_000));
    let third = sandbox.commit("third");
    let changes = sandbox.mirror().file_changes(third);
    // the mirror is the old one: the commit is not there yet
    assert!(matches!(changes, Err(GitError::Mirror { .. })));
    let mirror = sandbox.mirror();
    mirror.fetch(&|_| {}, &GO).unwrap();
    let patch = &mirror.file_changes(third).unwrap()[0].patch;
    assert!(patch.ends_with("differ; 1500000 bytes are too many to show\n"), "{patch}");
}

#[test]
fn a_revert_is_what_git_revert_makes() {
    let (mut equal, mut empty, mut conflicts, mut of_merges) = (0, 0, 0, 0);
    let (mut stricter, mut guessed) = (0, 0);
    for seed in 200..270 {
        let sandbox = Sandbox::new();
        sandbox.grow(seed, 14);
        let mirror = sandbox.mirror();
        let Ok(tip) = mirror.resolve(Some("b0")).map(|found| found.commit) else { continue };
        let all = ids(&sandbox.git(&["rev-list", "b0"]));
        let mut dice = Dice(seed);
        for _ in 0..3 {
            let commit = all[dice.roll(all.len() as u64) as usize];
            let parents = mirror.commit(commit).unwrap().parents.len();
            let parent = (parents > 1).then(|| dice.roll(parents as u64) as usize + 1);
            sandbox.git(&["checkout", "-q", "-f", "--detach", "b0"]);
            sandbox.git(&["clean", "-q", "-d", "-f"]);
            let (commit_text, number) = (commit.to_string(), parent.unwrap_or(1).to_string());
            let mut args = vec!["revert", "--no-edit"];
            if parent.is_some() {
                args.extend(["-m", &number]);
            }
            args.push(&commit_text);
            sandbox.tick();
            let (done, words) = sandbox.try_git(&args);
            let place = format!("seed {seed}, {commit} of {parents} parents, {parent:?}: git says {words}");
            // git guesses that a new file is one that was deleted: among files that look alike the guess is a dice's
            let guess = !done && words.contains("rename/");
            match mirror.revert(tip, commit, parent, Some(&sandbox.work())).unwrap() {
                Reverted::Committed(_) | Reverted::Empty if guess => guessed += 1,
                Reverted::Committed(id) => {
                    assert!(done, "{place}");
                    let theirs = sandbox.git(&["rev-parse", "HEAD^{tree}"]);
                    let ours = mirror.repo().find_commit(id.object_id()).unwrap().tree_id().unwrap().to_string();
                    assert_eq!(ours, theirs, "{place}");
                    assert_eq!(mirror.commit(id).unwrap().message, sandbox.git(&["log", "-1", "--format=%B"]) + "\n");
                    assert_eq!(mirror.commit(id).unwrap().parents, [tip]);
                    equal += 1;
                    of_merges += usize::from(parents > 1);
                }
                Reverted::Empty => {
                    assert!(!done && words.contains("nothing"), "{place}");
                    empty += 1;
                }
                Reverted::Conflicts(paths) => {
                    assert!(!paths.is_empty(), "{place}");
                    if done || words.contains("nothing") {
                        stricter += 1;
                    } else {
                        conflicts += 1;
                    }
                }
            }
            if !done {
                sandbox.try_git(&["revert", "--abort"]);
            }
        }
    }
    println!(
        "reverts: {equal} with git's tree ({of_merges} of merges), {empty} empty and {conflicts} in conflict as git's, \
         {stricter} refused that git makes by a guessed rename, {guessed} made where such a guess stops git"
    );
    assert!(equal >= 50 && empty > 0 && conflicts > 0 && of_merges > 0);
    assert!(stricter * 10 < equal && guessed * 50 < equal, "too many differ");
}
