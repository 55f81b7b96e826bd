//! What each side of a three-way merge did to the files that both began with.

use gix::{ObjectId, bstr::BString, bstr::ByteSlice, object::tree::diff::ChangeDetached};
use std::collections::{BTreeMap, BTreeSet};

/// What became of a file.
enum Fate {
    Added,
    /// Other content or mode.
    Changed,
    Gone,
    /// Unchanged, or to a folder: nobody can take another file for it.
    Moved(BString),
    /// To what looks most like it. Among manifests many look alike: git may choose another.
    Likely(BString),
}

/// A file that one side moved and the other changed where it was.
pub(super) struct Move {
    pub(super) from: BString,
    pub(super) to: BString,
    /// Our side moved it; else theirs.
    pub(super) by_ours: bool,
}

/// What both sides did, by path.
pub(super) struct Sides {
    ours: BTreeMap<BString, Fate>,
    theirs: BTreeMap<BString, Fate>,
}

impl Sides {
    pub(super) fn of(repo: &gix::Repository, base: ObjectId, ours: ObjectId, theirs: ObjectId) -> gix::Result<Self> {
        Ok(Self { ours: fates(repo, base, ours)?, theirs: fates(repo, base, theirs)? })
    }

    /// Returns the files that were taken away on one side and are wanted on the other, in a way that only following a
    /// rename could tell: git stops there.
    pub(super) fn doubtful(&self) -> Vec<String> {
        let mut paths = BTreeSet::new();
        for (path, our) in &self.ours {
            let Some(their) = self.theirs.get(path) else { continue };
            let harmless = match (our, their) {
                (Fate::Added, Fate::Added) | (Fate::Changed, Fate::Changed) | (Fate::Gone, Fate::Gone) => true,
                (Fate::Moved(one) | Fate::Likely(one), Fate::Moved(other) | Fate::Likely(other)) => one == other,
                // a change follows a rename: what merges are for
                (Fate::Moved(_), Fate::Changed) | (Fate::Changed, Fate::Moved(_)) => true,
                _ => false,
            };
            if !harmless {
                paths.insert(path.to_str_lossy().into_owned());
            }
        }
        for (here, there) in [(&self.ours, &self.theirs), (&self.theirs, &self.ours)] {
            paths.extend(strays(here, there).map(|path| path.to_str_lossy().into_owned()));
        }
        paths.into_iter().collect()
    }

    /// Returns the files that one side surely moved and the other changed where they were.
    pub(super) fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        for (here, there, by_ours) in [(&self.ours, &self.theirs, true), (&self.theirs, &self.ours, false)] {
            for (from, fate) in here {
                if let (Fate::Moved(to), Some(Fate::Changed)) = (fate, there.get(from)) {
                    moves.push(Move { from: from.clone(), to: to.clone(), by_ours });
                }
            }
        }
        moves
    }
}

/// Files that are new in `there`, in a folder out of which `here` moved files: they may belong where those went.
fn strays<'a>(
    here: &'a BTreeMap<BString, Fate>,
    there: &'a BTreeMap<BString, Fate>,
) -> impl Iterator<Item = &'a BString> {
    let folder = |path: &BString| path.rfind_byte(b'/').map(|end| path[..end].to_owned());
    let left: BTreeSet<Option<Vec<u8>>> = here
        .iter()
        .filter_map(|(from, fate)| match fate {
            Fate::Moved(to) | Fate::Likely(to) if folder(from) != folder(to) => Some(folder(from)),
            _ => None,
        })
        .collect();
    let new = there.iter().filter(|(_, fate)| matches!(fate, Fate::Added)).map(|(path, _)| path);
    new.filter(move |path| folder(path).is_some() && left.contains(&folder(path)))
}

fn fates(repo: &gix::Repository, base: ObjectId, side: ObjectId) -> gix::Result<BTreeMap<BString, Fate>> {
    let (base, side) = (repo.find_tree(base)?, repo.find_tree(side)?);
    let options = gix::diff::Options::default().with_rewrites(Some(gix::diff::Rewrites::default()));
    let mut fates = BTreeMap::new();
    for change in repo.diff_tree_to_tree(&base, &side, options)? {
        if change.entry_mode().is_tree() {
            continue;
        }
        match change {
            ChangeDetached::Addition { location, .. } => {
                fates.insert(location, Fate::Added);
            }
            ChangeDetached::Modification { location, .. } => {
                fates.insert(location, Fate::Changed);
            }
            ChangeDetached::Deletion { location, .. } => {
                fates.insert(location, Fate::Gone);
            }
            ChangeDetached::Rewrite { source_location, source_id, location, id, copy, .. } => {
                let name = |path: &BString| path.rsplit(|byte| *byte == b'/').next().map(<[u8]>::to_vec);
                if !copy {
                    let sure = source_id == id || name(&source_location) == name(&location);
                    let fate = if sure { Fate::Moved } else { Fate::Likely };
                    fates.insert(source_location, fate(location.clone()));
                }
                fates.insert(location, Fate::Added);
            }
        }
    }
    Ok(fates)
}
