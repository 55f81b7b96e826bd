//! The grammar of the command line. Help, man page and completions are made from it.

use super::output::Format;
use crate::{config::duration, git::CommitId, object::ObjectId, render::Renderer};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::{path::PathBuf, time::Duration};

const EXIT_CODES: &str = "Exit codes: 0 nothing to do, or done; 1 error; 2 there is a difference (status, diff, plan, show); \
3 refused (stale or wrong digest, read-only, rights, guard); 4 applied but not healthy in time; 64 usage; 130 interrupted. \
Of several applications: the first of 1, 3, 4, 2, 0 that any of them gives.";

/// A terminal GitOps console: what Git says, what the cluster runs, why they differ, and syncs that an operator approves.
///
/// Without a command, the console starts.
#[derive(Debug, Parser)]
#[command(name = "driftdeck", version, after_help = EXIT_CODES, max_term_width = 120)]
pub struct Cli {
    /// What counts for every command.
    #[command(flatten)]
    pub global: Global,
    /// The command; none: the console.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What counts for every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Configuration file [default: $DRIFTDECK_CONFIG, else config.toml in the configuration folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Kubeconfig instead of every cluster's own
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Kubeconfig context instead of every cluster's own
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER")]
    pub impersonate: Option<String>,
    /// Arm every cluster for writes; each write still needs its approval
    #[arg(long, global = true, conflicts_with = "read_only")]
    pub write: bool,
    /// Write nothing, whatever the configuration says
    #[arg(long, global = true)]
    pub read_only: bool,
    /// How much goes to the log in the state folder
    #[arg(long, global = true, value_name = "LEVEL", default_value = "info")]
    pub log: LogLevel,
    /// How results are printed
    #[arg(short, long, global = true, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the usual words")]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a first configuration from what is found: kubeconfig contexts, the Git repository here
    Init(InitArgs),
    /// Read configuration, repositories, renderers and clusters; say what is wrong and the remedy
    Check,
    /// One line an application: state, health, revision, differences, last sync
    Status(StatusArgs),
    /// The desired objects as YAML, in apply order
    Render(RenderArgs),
    /// What Git says against what the cluster runs
    Diff(DiffArgs),
    /// What a sync would do, and the digest that approves exactly that
    Plan(PlanArgs),
    /// Apply exactly an approved plan, or nothing
    Sync(SyncArgs),
    /// Commits that touch an application, and what was applied when, by whom
    History(HistoryArgs),
    /// A commit's rendered change and its effect on the live cluster
    Show(ShowArgs),
    /// Write, and after approval push, a commit that undoes another
    Revert(RevertArgs),
    /// The console's actions and their keys
    Keys,
    /// Completions for a shell, to be sourced
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The manual page, in roff
    Man,
    /// A Kubernetes API in this process, to try things on: kubectl and driftdeck work on it
    Sandbox(SandboxArgs),
    /// Stay at an older revision (not part of this version yet)
    #[command(hide = true)]
    Pin(Later),
    /// Leave a pin (not part of this version yet)
    #[command(hide = true)]
    Unpin(Later),
    /// Apply what the record before the last applied (not part of this version yet)
    #[command(hide = true)]
    Undo(Later),
    /// Pause automatic syncs (not part of this version yet)
    #[command(hide = true)]
    Pause(Later),
    /// Resume automatic syncs (not part of this version yet)
    #[command(hide = true)]
    Resume(Later),
    /// Settings of automatic syncs (not part of this version yet)
    #[command(hide = true)]
    AutoSync(Later),
    /// Write live values into Git (not part of this version yet)
    #[command(hide = true)]
    Adopt(Later),
    /// Remove what driftdeck keeps in a cluster (not part of this version yet)
    #[command(hide = true)]
    Uninstall(Later),
}

impl Command {
    /// Says whether it only prints what is built in: no file is read or written for it.
    pub fn is_static(&self) -> bool {
        matches!(self, Self::Keys | Self::Completions { .. } | Self::Man)
    }
    /// Returns the command's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Init(_) => "init",
            Self::Check => "check",
            Self::Status(_) => "status",
            Self::Render(_) => "render",
            Self::Diff(_) => "diff",
            Self::Plan(_) => "plan",
            Self::Sync(_) => "sync",
            Self::History(_) => "history",
            Self::Show(_) => "show",
            Self::Revert(_) => "revert",
            Self::Keys => "keys",
            Self::Completions { .. } => "completions",
            Self::Man => "man",
            Self::Sandbox(_) => "sandbox",
            Self::Pin(_) => "pin",
            Self::Unpin(_) => "unpin",
            Self::Undo(_) => "undo",
            Self::Pause(_) => "pause",
            Self::Resume(_) => "resume",
            Self::AutoSync(_) => "auto-sync",
            Self::Adopt(_) => "adopt",
            Self::Uninstall(_) => "uninstall",
        }
    }
}

/// Whatever follows a command that is not part of this version.
#[derive(Debug, Args)]
pub struct Later {
    /// Not read
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<String>,
}

/// `sandbox`.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Folder that its objects and certificates are kept in [default: sandbox in the data folder]
    #[arg(long, value_name = "D")]
    pub dir: Option<PathBuf>,
    /// Port on loopback [default: any that is free]
    #[arg(long, value_name = "P", default_value_t = 0, hide_default_value = true)]
    pub port: u16,
    /// Print the variables that point kubectl and driftdeck to it, and serve until stopped
    #[arg(long)]
    pub headless: bool,
    /// Throw away what is in the folder
    #[arg(long)]
    pub fresh: bool,
    /// Applications of a big world (not part of this version yet)
    #[arg(long, value_name = "N", hide = true)]
    pub apps: Option<usize>,
    /// Objects of a big world (not part of this version yet)
    #[arg(long, value_name = "M", hide = true)]
    pub objects: Option<usize>,
}

/// `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Write over a file that exists
    #[arg(long)]
    pub force: bool,
}

/// `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Applications; none: all
    #[arg(value_name = "APP")]
    pub applications: Vec<String>,
    /// Wait until every application is in one of these states and healths, e.g. Synced,Healthy
    #[arg(long, value_name = "STATES", value_delimiter = ',')]
    pub wait_for: Vec<super::wait::Term>,
    /// Give up waiting, or watching, after so long
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Print again whenever something changes; JSON: one Status a line
    #[arg(long)]
    pub watch: bool,
}

/// `render`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["application", "path"]))]
pub struct RenderArgs {
    /// Application
    #[arg(value_name = "APP")]
    pub application: Option<String>,
    /// Branch, tag or commit instead of the configured one
    #[arg(long, value_name = "R", conflicts_with = "path")]
    pub revision: Option<String>,
    /// A folder on disk, without a configuration
    #[arg(long, value_name = "DIR")]
    pub path: Option<PathBuf>,
    /// How its manifests are made
    #[arg(long, value_name = "R", conflicts_with = "application", value_parser = renderer, default_value = "auto")]
    pub renderer: Renderer,
    /// The renderer's own bytes; Secrets are in them as they are
    #[arg(long, conflicts_with = "application")]
    pub raw: bool,
}

/// `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Applications
    #[arg(value_name = "APP", required = true)]
    pub applications: Vec<String>,
    /// Branch, tag or commit instead of the configured one
    #[arg(long, value_name = "R")]
    pub revision: Option<String>,
    /// The files of a folder on disk, uncommitted ones too, as if they were the application
    #[arg(long, value_name = "DIR", conflicts_with = "revision")]
    pub path: Option<PathBuf>,
    /// List live fields that Git does not set, too, by who wrote them
    #[arg(long)]
    pub extras: bool,
    /// Unchanged lines around each change
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub context_lines: usize,
}

/// CHOICES of `plan` and `sync`.
#[derive(Clone, Debug, Default, Args)]
pub struct ChoiceArgs {
    /// Branch, tag or commit instead of the configured one
    #[arg(long, value_name = "R")]
    pub revision: Option<String>,
    /// Delete what is gone from Git, or not, instead of the configured choice
    #[arg(long, value_name = "BOOL")]
    pub prune: Option<bool>,
    /// Only this object, [GROUP/]KIND[/NAMESPACE]/NAME; may be given again
    #[arg(long, value_name = "OBJECT")]
    pub only: Vec<ObjectId>,
    /// Not this object; may be given again
    #[arg(long, value_name = "OBJECT")]
    pub skip: Vec<ObjectId>,
    /// Not this field (not part of this version yet)
    #[arg(long, value_name = "OBJECT#POINTER", hide = true)]
    pub skip_hunk: Vec<String>,
    /// Delete this object and create it again (not part of this version yet)
    #[arg(long, value_name = "OBJECT", hide = true)]
    pub replace: Vec<String>,
    /// Take this object from another ApplySet (not part of this version yet)
    #[arg(long, value_name = "OBJECT", hide = true)]
    pub take_over: Vec<String>,
    /// Run hooks (not part of this version yet)
    #[arg(long, value_name = "BOOL", hide = true)]
    pub hooks: Option<bool>,
}

/// `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Applications
    #[arg(value_name = "APP", required = true)]
    pub applications: Vec<String>,
    /// CHOICES.
    #[command(flatten)]
    pub choices: ChoiceArgs,
    /// Write the plan for `sync --plan`, too
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `sync`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("approval").required(true).args(["approve", "plan", "yes"]))]
pub struct SyncArgs {
    /// Applications
    #[arg(value_name = "APP", required = true)]
    pub applications: Vec<String>,
    /// CHOICES.
    #[command(flatten)]
    pub choices: ChoiceArgs,
    /// Approve the plan of this digest, as `plan` printed it
    #[arg(long, value_name = "DIGEST")]
    pub approve: Option<super::digest::Digest>,
    /// Approve the plan of a file that `plan --out` wrote; it is computed again and must come out the same
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Approve whatever is computed now; refused for production clusters
    #[arg(long)]
    pub yes: bool,
    /// The application's name, where the plan wants it typed; may be given again
    #[arg(long, value_name = "APP")]
    pub confirm: Vec<String>,
    /// Wait until what was applied is healthy
    #[arg(
        long,
        value_name = "BOOL",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value = "true",
        default_missing_value = "true"
    )]
    pub wait: bool,
    /// How long one wave may take to become healthy, instead of the configured time
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
}

/// `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Application
    #[arg(value_name = "APP")]
    pub application: String,
    /// At most so many commits; 0: all
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Follow first parents only
    #[arg(long)]
    pub first_parent: bool,
}

/// `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Application
    #[arg(value_name = "APP")]
    pub application: String,
    /// Branch, tag or commit
    #[arg(value_name = "REVISION")]
    pub revision: String,
}

/// Where a revert goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// The application's branch
    #[default]
    Branch,
    /// A review branch
    Review,
}

/// `revert`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("approval").required(true).args(["dry_run", "approve", "yes"]))]
pub struct RevertArgs {
    /// Application
    #[arg(value_name = "APP")]
    pub application: String,
    /// The commit to undo
    #[arg(value_name = "COMMIT")]
    pub commit: String,
    /// Where the revert commit goes
    #[arg(long, value_name = "WHERE", default_value = "branch")]
    pub to: Target,
    /// Of a merge: the parent that stays, from 1
    #[arg(long, value_name = "N", conflicts_with = "approve")]
    pub parent: Option<usize>,
    /// Write the commit into the mirror; print its id and the plan that it would cause
    #[arg(long)]
    pub dry_run: bool,
    /// Push exactly this commit, as --dry-run printed it
    #[arg(long, value_name = "COMMIT-ID")]
    pub approve: Option<CommitId>,
    /// Write the commit and push it
    #[arg(long)]
    pub yes: bool,
}

fn renderer(text: &str) -> Result<Renderer, String> {
    match text {
        "auto" => Ok(Renderer::Auto),
        "yaml" => Ok(Renderer::Yaml),
        "kustomize" => Ok(Renderer::Kustomize),
        "helm" => Ok(Renderer::Helm),
        _ => Err("one of auto, yaml, kustomize, helm".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_lines_of_the_interface_are_understood() {
        for line in [
            "driftdeck --config f --kubeconfig k --context c --as u --write --log debug",
            "driftdeck status --wait-for Synced,Healthy --timeout 5m --watch -o json",
            "driftdeck status a b -o yaml",
            "driftdeck render a --revision v1",
            "driftdeck render --path d --renderer helm --raw",
            "driftdeck diff a b --revision r --context-lines 5",
            "driftdeck plan a --prune false --only apps/Deployment/shop/api --skip Service/shop/api --out f",
            "driftdeck sync a --approve sha256:0000000000000000000000000000000000000000000000000000000000000000@2026-01-31T12:00:00Z --confirm a",
            "driftdeck sync a --yes --wait=false --timeout 1m --write",
            "driftdeck sync a --yes --wait",
            "driftdeck history a --limit 0 --first-parent",
            "driftdeck show a HEAD",
            "driftdeck revert a abc --to review --dry-run --parent 2",
        ] {
            if let Err(error) = Cli::try_parse_from(line.split(' ')) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn lines_that_contradict_themselves_are_refused() {
        for line in [
            "driftdeck --write --read-only",
            "driftdeck sync a",
            "driftdeck sync --yes",
            "driftdeck sync a --yes --approve sha256:0",
            "driftdeck sync a --approve 0123",
            "driftdeck revert a abc",
            "driftdeck render",
            "driftdeck render a --path d",
            "driftdeck render a --raw",
            "driftdeck diff a --path d --revision r",
            "driftdeck plan a --only deployment/x",
            "driftdeck status --wait-for Green",
            "driftdeck status --timeout 5",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
