//! The one table of actions. Dispatch, hints, help, the `:` line, remapping, `docs/keys.md` and `driftdeck keys` all
//! read it; nothing can be done in the console that does not stand here.

use serde::Serialize;

/// Where an action's keys count. Inner scopes come before outer ones: see `Model::scopes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Everywhere but in a text field.
    Global,
    /// Wherever something can be moved through.
    Move,
    /// The four panes.
    Main,
    /// Pane 3.
    History,
    /// Any screen on top of the panes.
    Layer,
    /// The plan.
    Plan,
    /// A running or finished sync.
    Sync,
    /// A revert before it is pushed.
    Revert,
    /// A commit.
    Commit,
    /// Help.
    Help,
    /// The question before quitting.
    Quit,
}

/// What an action can do to others' things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Danger {
    /// Looks only.
    None,
    /// Opens a screen that asks before anything is written.
    Asks,
    /// Writes, or stops a write.
    Writes,
}

/// An action by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is documented by its row in the table")]
pub enum Action {
    Plan,
    Step,
    Revert,
    Diff,
    NextHunk,
    PreviousHunk,
    PreviousObject,
    NextObject,
    Layout,
    LessContext,
    MoreContext,
    Filter,
    Command,
    Help,
    Quit,
    Open,
    Back,
    Close,
    Down,
    Up,
    Top,
    Bottom,
    HalfDown,
    HalfUp,
    ScrollDown,
    ScrollUp,
    NextPane,
    PreviousPane,
    PaneDiff,
    PaneRepositories,
    PaneApplications,
    PaneHistory,
    PaneActivity,
    ZoomIn,
    ZoomOut,
    Fetch,
    Refresh,
    Yaml,
    Copy,
    ManagedFields,
    Extras,
    Wrap,
    Activity,
    BackToRevision,
    Undo,
    SuspendApplication,
    Mark,
    Suspend,
    Approve,
    ViewDiff,
    Prune,
    Wait,
    DryRun,
    Export,
    NextField,
    StopSync,
    Push,
    Target,
    Parent1,
    Parent2,
    QuitAnyway,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ActionSpec {
    /// Name in the configuration and on the `:` line.
    pub id: &'static str,
    /// The action.
    #[serde(skip)]
    pub action: Action,
    /// Keys unless remapped.
    pub keys: &'static [&'static str],
    /// Where the keys count.
    pub scope: Scope,
    /// A word or two, for hints.
    pub label: &'static str,
    /// A sentence, for help.
    pub help: &'static str,
    /// What it can do to others' things.
    pub danger: Danger,
    /// Shown in the hint line.
    #[serde(skip)]
    pub hint: bool,
}

const fn look(
    action: Action,
    scope: Scope,
    id: &'static str,
    keys: &'static [&'static str],
    label: &'static str,
    help: &'static str,
) -> ActionSpec {
    ActionSpec { id, action, keys, scope, label, help, danger: Danger::None, hint: false }
}

impl ActionSpec {
    const fn hinted(self) -> Self {
        Self { hint: true, ..self }
    }
    const fn asks(self) -> Self {
        Self { danger: Danger::Asks, ..self }
    }
    const fn writes(self) -> Self {
        Self { danger: Danger::Writes, ..self }
    }
}

use Action as A;
use Scope::{Commit, Global, Help, History, Layer, Main, Move, Plan, Quit, Revert, Sync};

/// The table, in the order of hints and help.
pub const TABLE: &[ActionSpec] = &[
    look(
        A::Plan,
        Main,
        "plan",
        &["s"],
        "plan",
        "Plan a sync of the application; of the commit under the cursor in history",
    )
    .hinted()
    .asks(),
    look(A::Step, Main, "step", &["."], "step", "Plan the commit after the one that is applied").hinted().asks(),
    look(A::Revert, Main, "revert", &["t"], "revert", "Preview a commit that undoes the one under the cursor, in Git")
        .hinted()
        .asks(),
    look(A::Diff, Main, "diff", &["d"], "diff", "Go to the diff").hinted(),
    look(A::NextHunk, Move, "next-hunk", &["n"], "hunk", "Go to the next hunk of the diff").hinted(),
    look(A::PreviousHunk, Move, "previous-hunk", &["N"], "previous hunk", "Go to the previous hunk of the diff"),
    look(A::PreviousObject, Move, "previous-object", &["["], "previous object", "Show the previous object"),
    look(A::NextObject, Move, "next-object", &["]"], "object", "Show the next object").hinted(),
    look(A::Layout, Move, "layout", &["|"], "side-by-side", "Switch between unified and side-by-side").hinted(),
    look(A::LessContext, Move, "less-context", &["{"], "less context", "Show fewer unchanged lines around a change"),
    look(A::MoreContext, Move, "more-context", &["}"], "context", "Show more unchanged lines around a change").hinted(),
    look(A::Filter, Main, "filter", &["/"], "filter", "Show only rows whose name contains a text").hinted(),
    look(A::Command, Global, "command", &[":"], "command", "Type a command or an action's name").hinted(),
    look(A::Help, Global, "help", &["?"], "keys", "List keys and actions; type to search, enter runs one").hinted(),
    look(A::Quit, Main, "quit", &["q", "ctrl-c"], "quit", "Leave driftdeck; asks while a sync runs").hinted(),
    look(A::Open, Main, "open", &["enter"], "open", "Open what is under the cursor"),
    look(A::Back, Global, "back", &["esc"], "back", "Leave the screen, the zoom or the filter"),
    look(A::Down, Move, "down", &["j", "down"], "down", "One row down"),
    look(A::Up, Move, "up", &["k", "up"], "up", "One row up"),
    look(A::Top, Move, "top", &["g", "home"], "top", "First row"),
    look(A::Bottom, Move, "bottom", &["G", "end"], "bottom", "Last row"),
    look(A::HalfDown, Move, "half-page-down", &["ctrl-d", "pagedown"], "half page down", "Half a page down"),
    look(A::HalfUp, Move, "half-page-up", &["ctrl-u", "pageup"], "half page up", "Half a page up"),
    look(A::ScrollDown, Move, "scroll-down", &["J"], "scroll", "Scroll the diff or the detail from a list"),
    look(A::ScrollUp, Move, "scroll-up", &["K"], "scroll up", "Scroll the diff or the detail back from a list"),
    look(A::NextPane, Main, "next-pane", &["tab"], "next pane", "Focus the next pane"),
    look(A::PreviousPane, Main, "previous-pane", &["shift-tab"], "previous pane", "Focus the previous pane"),
    look(A::PaneDiff, Main, "pane-diff", &["0"], "diff", "Focus the diff"),
    look(A::PaneRepositories, Main, "pane-repositories", &["1"], "repositories", "Focus the repositories"),
    look(A::PaneApplications, Main, "pane-applications", &["2"], "applications", "Focus the applications"),
    look(A::PaneHistory, Main, "pane-history", &["3"], "history", "Focus the history"),
    look(A::PaneActivity, Main, "pane-activity", &["4"], "activity", "Focus the activity"),
    look(A::Activity, Main, "activity", &["@"], "activity", "Focus and enlarge the activity"),
    look(A::ZoomIn, Main, "zoom-in", &["+"], "zoom", "Give the focused pane the whole screen"),
    look(A::ZoomOut, Main, "zoom-out", &["_"], "unzoom", "Show all panes again"),
    look(A::Fetch, Main, "fetch", &["f"], "fetch", "Ask the repository for news now"),
    look(A::Refresh, Main, "refresh", &["R"], "refresh", "Compare the application again from a fresh render"),
    look(A::Yaml, Move, "yaml", &["y"], "yaml", "Show the live object of the diff as YAML, Secrets masked"),
    look(A::Copy, Main, "copy", &["c"], "copy", "Copy the name or id under the cursor to the clipboard"),
    look(A::ManagedFields, Move, "managed-fields", &["m"], "managed fields", "Show or hide managed fields and status"),
    look(A::Extras, Move, "extras", &["x"], "extras", "List the live fields that Git does not set, by who wrote them"),
    look(A::Wrap, Move, "wrap", &["w"], "wrap", "Wrap long lines of the diff, or cut them"),
    look(A::BackToRevision, Main, "back-to-revision", &["b"], "back to revision", "Apply an old revision again").asks(),
    look(A::Undo, Main, "undo", &["z"], "undo", "Plan what was applied before").asks(),
    look(A::SuspendApplication, Main, "suspend", &["S"], "suspend", "Suspend the application").asks(),
    look(A::Mark, History, "mark", &["space"], "mark", "Mark a commit to compare with"),
    look(
        A::Suspend,
        Global,
        "background",
        &["ctrl-z"],
        "to the shell",
        "Stop driftdeck and go to the shell; fg comes back",
    ),
    look(A::Approve, Plan, "approve", &["a"], "approve and apply", "Approve exactly this plan and apply it")
        .hinted()
        .writes(),
    look(A::ViewDiff, Plan, "view-diff", &["v"], "view diff", "Show the fields that the plan changes").hinted(),
    look(A::Prune, Plan, "prune", &["p"], "prune", "Plan again with or without deleting what Git no longer has")
        .hinted(),
    look(A::Wait, Plan, "wait", &["w"], "wait healthy", "Wait for health after each wave, or not").hinted(),
    look(A::DryRun, Plan, "dry-run", &["D"], "dry-run only", "Run the plan against the server without writing"),
    look(A::Export, Plan, "export", &["e"], "export", "Write the plan to a file"),
    look(A::NextField, Plan, "next-field", &["tab"], "next field", "Leave or enter the name field"),
    look(A::StopSync, Sync, "stop", &["x"], "stop after this object", "Stop after the requests in flight")
        .hinted()
        .writes(),
    look(A::Push, Revert, "push", &["a"], "approve and push", "Approve exactly this commit and push it")
        .hinted()
        .writes(),
    look(A::NextField, Revert, "revert-field", &["tab"], "next field", "Leave or enter the name field"),
    look(A::Target, Revert, "target", &["r"], "branch", "Switch between the application's branch and a review branch")
        .hinted(),
    look(A::Parent1, Revert, "parent-1", &["1"], "first parent stays", "Undo a merge, keeping its first parent's side"),
    look(
        A::Parent2,
        Revert,
        "parent-2",
        &["2"],
        "second parent stays",
        "Undo a merge, keeping its second parent's side",
    ),
    look(A::Plan, Revert, "plan-after", &["s"], "plan", "After the push: plan the application afresh").asks().hinted(),
    look(A::Plan, Commit, "plan-commit", &["s"], "plan this commit", "Plan the commit under the cursor")
        .hinted()
        .asks(),
    look(A::Step, Commit, "step-commit", &["."], "next commit", "Plan the commit after the one that is applied")
        .hinted()
        .asks(),
    look(A::Revert, Commit, "revert-commit", &["t"], "revert in Git", "Preview a commit that undoes this one")
        .hinted()
        .asks(),
    look(A::BackToRevision, Commit, "back-to-commit", &["b"], "back to this revision", "Apply an old revision again")
        .asks(),
    look(A::ViewDiff, Commit, "commit-diff", &["enter", "v"], "diff", "Show the fields that the commit changes")
        .hinted(),
    look(A::ScrollDown, Commit, "detail-down", &["u"], "scroll", "Scroll the commit").hinted(),
    look(A::ScrollUp, Commit, "detail-up", &["i"], "scroll up", "Scroll the commit back"),
    look(A::Open, Help, "run", &["enter"], "run", "Run the action under the cursor").hinted(),
    look(
        A::Quit,
        Layer,
        "quit-from-screen",
        &["ctrl-c"],
        "quit",
        "Leave driftdeck from any screen; asks while a sync runs",
    ),
    look(A::QuitAnyway, Quit, "quit-anyway", &["y"], "quit", "Stop the running syncs and quit").hinted().writes(),
    look(A::Close, Layer, "close", &["q"], "close", "Leave this screen").hinted(),
];

/// Finds an action by the name that the configuration uses.
pub fn named(id: &str) -> Option<&'static ActionSpec> {
    TABLE.iter().find(|spec| spec.id == id)
}

/// Returns the text of `docs/keys.md`.
pub fn document() -> String {
    let mut out = String::from(
        "# Keys\n\nMade from the table of actions (`src/console/action.rs`); `driftdeck keys` prints the same. Remap in \
         the configuration:\n\n```toml\n[keys]\nplan = [\"s\", \"f5\"]\nfetch = []   # an empty list unbinds\n```\n\n\
         An action that writes cannot be bound to enter, space, a ctrl key or a key used for motion.\n\n\
         | Action | Keys | Where | What it does | Writes |\n|---|---|---|---|---|\n",
    );
    for spec in TABLE {
        let keys: Vec<String> = spec.keys.iter().map(|key| format!("`{}`", key.replace('|', "\\|"))).collect();
        let scope = format!("{:?}", spec.scope).to_lowercase();
        let danger = match spec.danger {
            Danger::None => "",
            Danger::Asks => "asks first",
            Danger::Writes => "yes",
        };
        out += &format!("| `{}` | {} | {scope} | {} | {danger} |\n", spec.id, keys.join(" "), spec.help);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_there_once() {
        for (index, spec) in TABLE.iter().enumerate() {
            assert!(TABLE[..index].iter().all(|other| other.id != spec.id), "{}", spec.id);
        }
    }

    #[test]
    fn the_keys_document_is_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/keys.md");
        if std::env::var_os("DRIFTDECK_UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), document(), "run with DRIFTDECK_UPDATE_SNAPSHOTS=1");
    }

    #[test]
    fn the_table_serialises_for_the_keys_command() {
        let json = serde_json::to_value(TABLE).unwrap();
        assert_eq!(json[0]["id"], "plan");
        assert_eq!(json[0]["danger"], "asks");
        assert_eq!(json[0]["scope"], "main");
    }
}
