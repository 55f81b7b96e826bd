//! `driftdeck status`: one line an application, once, until a state is reached, or whenever something changes.

use super::{
    age,
    args::StatusArgs,
    error::CliError,
    exit::Exit,
    output::{List, Output, Style, message},
    session::{Context, Session},
    wait,
};
use crate::{
    cluster::HealthStatus,
    engine::{ApplicationState, ApplicationView, AutoSyncView, Fleet, LastSync, LeaseView, ObjectState, Outcome},
    git::CommitId,
    object::{Issue, Severity},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// How many objects of an application are in a state other than Synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusCounts {
    /// Fields differ.
    pub changed: usize,
    /// In Git, not in the cluster.
    pub missing: usize,
    /// Not in Git any more.
    pub extra: usize,
    /// Cannot be compared.
    pub unknown: usize,
}

/// The state of one application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Application's name.
    pub application: String,
    /// Cluster's name.
    pub cluster: String,
    /// Commit that was compared; null where there is none.
    pub revision: Option<CommitId>,
    /// Branch, where the revision names one.
    pub branch: Option<String>,
    /// State; Unknown where nothing could be compared.
    pub state: ApplicationState,
    /// Objects or hunks were left out by choice.
    pub partial: bool,
    /// Since when the live side has not been heard from, RFC 3339.
    pub stale_since: Option<Timestamp>,
    /// Revision it is pinned to.
    pub pinned: Option<String>,
    /// Auto-sync is paused.
    pub paused: bool,
    /// Worst health of its objects.
    pub health: HealthStatus,
    /// Objects by state.
    pub counts: StatusCounts,
    /// The last sync, by anyone.
    pub last_sync: Option<LastSync>,
    /// Who holds the Lease.
    pub lease: LeaseView,
    /// Auto-sync.
    pub auto_sync: AutoSyncView,
    /// What is wrong with it.
    pub issues: Vec<Issue>,
}

impl Status {
    /// Reads the status out of what the engine knows.
    pub fn of(view: &ApplicationView) -> Self {
        let error = view.error.iter().map(Issue::error);
        let Some(comparison) = &view.comparison else {
            return Self {
                application: view.name.clone(),
                cluster: view.cluster.clone(),
                revision: None,
                branch: None,
                state: ApplicationState::Unknown,
                partial: false,
                stale_since: None,
                pinned: None,
                paused: false,
                health: HealthStatus::Unknown,
                counts: StatusCounts::default(),
                last_sync: view.last_sync.clone(),
                lease: LeaseView::default(),
                auto_sync: AutoSyncView::default(),
                issues: error.collect(),
            };
        };
        Self {
            application: view.name.clone(),
            cluster: view.cluster.clone(),
            revision: comparison.revision,
            branch: comparison.branch.clone(),
            state: comparison.state,
            partial: comparison.partial,
            stale_since: comparison.stale_since,
            pinned: comparison.pinned.clone(),
            paused: comparison.paused,
            health: comparison.health,
            counts: StatusCounts {
                changed: comparison.count(ObjectState::Changed),
                missing: comparison.count(ObjectState::Missing),
                extra: comparison.count(ObjectState::Extra),
                unknown: comparison.count(ObjectState::Unknown),
            },
            last_sync: view.last_sync.clone(),
            lease: comparison.lease.clone(),
            auto_sync: comparison.auto_sync.clone(),
            issues: error.chain(comparison.issues.iter().cloned()).collect(),
        }
    }

    /// Returns what it means for the exit code.
    pub fn exit(&self) -> Exit {
        let broken = self.issues.iter().any(|issue| issue.severity == Severity::Error);
        match self.state {
            _ if broken || self.counts.unknown > 0 => Exit::Error,
            ApplicationState::Unknown => Exit::Error,
            ApplicationState::Synced => Exit::Done,
            _ => Exit::Different,
        }
    }

    fn row(&self) -> Vec<(Style, String)> {
        let state = match self.state {
            ApplicationState::Synced => Style::Green,
            ApplicationState::Drifted => Style::Magenta,
            ApplicationState::Unknown => Style::Red,
            ApplicationState::OutOfSync | ApplicationState::Missing => Style::Yellow,
        };
        let health = match self.health {
            HealthStatus::Healthy => Style::Green,
            HealthStatus::Degraded | HealthStatus::Unknown => Style::Red,
            _ => Style::Yellow,
        };
        let revision = self.revision.map(|commit| commit.short());
        let revision = [self.branch.clone(), revision].into_iter().flatten().collect::<Vec<_>>().join(" ");
        vec![
            (Style::Plain, self.application.clone()),
            (state, format!("{:?}", self.state)),
            (health, format!("{:?}", self.health)),
            (Style::Plain, dash(revision)),
            (Style::Plain, dash(self.delta())),
            (Style::Plain, self.last_sync.as_ref().map_or_else(|| "-".into(), last_sync)),
            (Style::Dim, self.note()),
        ]
    }

    fn delta(&self) -> String {
        let StatusCounts { changed, missing, extra, unknown } = self.counts;
        [('~', changed), ('+', missing), ('-', extra), ('?', unknown)]
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(mark, count)| format!("{mark}{count}"))
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn note(&self) -> String {
        let mut notes = Vec::new();
        if let Some(since) = self.stale_since {
            notes.push(format!("not heard from for {}", age::since(since)));
        }
        notes.extend(self.pinned.iter().map(|revision| format!("pinned to {revision}")));
        if self.paused {
            notes.push("paused".into());
        }
        if self.partial {
            notes.push("partial".into());
        }
        if let Some(issue) = self.issues.first() {
            let first = issue.message.lines().next().unwrap_or_default();
            notes.push(match self.issues.len() {
                1 => first.to_owned(),
                more => format!("{first} (and {} more)", more - 1),
            });
        }
        notes.join(", ")
    }
}

fn dash(text: String) -> String {
    if text.is_empty() { "-".into() } else { text }
}

fn last_sync(last: &LastSync) -> String {
    let outcome = last.outcome.map_or_else(|| "running".into(), |outcome: Outcome| format!("{outcome:?}"));
    format!("{outcome} {} ago by {}", age::since(last.time), last.by)
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: &StatusArgs, context: &Context) -> Result<Exit, CliError> {
    let follow = args.watch || !args.wait_for.is_empty();
    let session = context.open(&args.applications, follow)?;
    let done = if follow {
        session.until_signal(following(args, &session, context.out)).await
    } else {
        session.until_signal(once(&session, context.out)).await
    };
    session.engine.shutdown().await;
    done
}

async fn once(session: &Session, out: Output) -> Result<Exit, CliError> {
    let views = futures::future::join_all(session.applications.iter().map(|name| session.engine.settled(name))).await;
    let statuses: Vec<Status> = views.iter().map(|view| Status::of(view)).collect();
    print(&statuses, out)?;
    Ok(Exit::worst(statuses.iter().map(Status::exit)))
}

fn print(statuses: &[Status], out: Output) -> Result<(), CliError> {
    if !out.is_text() {
        return out.document("StatusList", List::new("Status", statuses));
    }
    let title = ["NAME", "STATE", "HEALTH", "REVISION", "DELTA", "LAST SYNC", "NOTE"];
    let title = title.iter().map(|name| (Style::Bold, (*name).to_owned())).collect();
    let mut text = out.text();
    text.columns(&std::iter::once(title).chain(statuses.iter().map(Status::row)).collect::<Vec<_>>());
    out.print(text)
}

/// Prints a line for each application that changes, or only the end of the wait.
async fn following(args: &StatusArgs, session: &Session, out: Output) -> Result<Exit, CliError> {
    let mut fleet = session.engine.fleet();
    let deadline = args.timeout.map(|timeout| tokio::time::Instant::now() + timeout);
    let mut shown: BTreeMap<String, Status> = BTreeMap::new();
    loop {
        let statuses = current(&fleet.borrow_and_update(), session);
        if args.watch {
            for status in statuses.iter().flatten() {
                if shown.get(&status.application) != Some(status) {
                    shown.insert(status.application.clone(), status.clone());
                    event(status, out)?;
                }
            }
        }
        let known: Vec<Status> = statuses.into_iter().flatten().collect();
        let all = known.len() == session.applications.len();
        if !args.wait_for.is_empty() && all && known.iter().all(|status| wait::reached(&args.wait_for, status)) {
            if !args.watch {
                print(&known, out)?;
            }
            return Ok(Exit::Done);
        }
        let changed = async {
            match deadline {
                Some(deadline) => tokio::time::timeout_at(deadline, fleet.changed()).await.map_err(|_| ()),
                None => Ok(fleet.changed().await),
            }
        };
        match changed.await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(CliError::Interrupted),
            Err(()) => {
                if !args.watch {
                    print(&known, out)?;
                }
                return Ok(gave_up(args, &known, session));
            }
        }
    }
}

/// What the engine knows of the session's applications, in their order; none: it has not looked yet.
fn current(fleet: &Fleet, session: &Session) -> Vec<Option<Status>> {
    session
        .applications
        .iter()
        .map(|name| {
            let view = fleet.application(name)?;
            (view.comparison.is_some() || view.error.is_some()).then(|| Status::of(view))
        })
        .collect()
}

fn gave_up(args: &StatusArgs, known: &[Status], session: &Session) -> Exit {
    let after = age::short(jiff::SignedDuration::try_from(args.timeout.unwrap_or(Duration::ZERO)).unwrap_or_default());
    if args.wait_for.is_empty() {
        return Exit::worst(known.iter().map(Status::exit));
    }
    let mut exits: Vec<Exit> = Vec::new();
    for name in &session.applications {
        match known.iter().find(|status| &status.application == name) {
            Some(status) if wait::reached(&args.wait_for, status) => {}
            Some(status) => {
                message(&format!("{name}: still {:?} and {:?} after {after}", status.state, status.health));
                exits.push(wait::missed(&args.wait_for, status));
            }
            None => {
                message(&format!("{name}: nothing is known after {after}"));
                exits.push(Exit::Error);
            }
        }
    }
    Exit::worst(exits)
}

fn event(status: &Status, out: Output) -> Result<(), CliError> {
    if !out.is_text() {
        return out.event("Status", status);
    }
    let mut text = out.text();
    text.columns(&[status.row()]);
    out.print(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> ApplicationView {
        ApplicationView { name: "shop".into(), cluster: "prod".into(), ..ApplicationView::default() }
    }

    #[test]
    fn an_application_that_could_not_be_compared_is_unknown_and_says_why() {
        let status = Status::of(&ApplicationView { error: Some("no route to host".into()), ..view() });
        assert_eq!((status.state, status.exit()), (ApplicationState::Unknown, Exit::Error));
        assert_eq!(status.issues, [Issue::error("no route to host")]);
        assert!(status.row().iter().any(|(_, text)| text == "no route to host"));
    }

    #[test]
    fn states_and_healths_become_exit_codes() {
        let status = |state, health| Status { state, health, ..Status::of(&view()) };
        let synced = status(ApplicationState::Synced, HealthStatus::Progressing);
        assert_eq!(synced.exit(), Exit::Done);
        assert_eq!(status(ApplicationState::Drifted, HealthStatus::Healthy).exit(), Exit::Different);
        let terms: Vec<wait::Term> = ["Synced", "healthy"].iter().map(|term| term.parse().unwrap()).collect();
        assert!(!wait::reached(&terms, &synced));
        assert_eq!(wait::missed(&terms, &synced), Exit::Unhealthy);
        assert!(wait::reached(&terms[..1], &synced));
        let drifted = status(ApplicationState::Drifted, HealthStatus::Healthy);
        assert_eq!(wait::missed(&terms, &drifted), Exit::Different);
        assert_eq!(wait::missed(&["drifted".parse().unwrap()], &synced), Exit::Different);
    }

    #[test]
    fn the_document_has_the_published_fields() {
        let json = serde_json::to_value(List::new("Status", [Status::of(&view())])).unwrap();
        let item = json["items"][0].as_object().unwrap();
        let published = [
            "apiVersion",
            "kind",
            "application",
            "cluster",
            "revision",
            "branch",
            "state",
            "partial",
            "stale_since",
            "pinned",
            "paused",
            "health",
            "counts",
            "last_sync",
            "lease",
            "auto_sync",
            "issues",
        ];
        assert_eq!(item.len(), published.len());
        assert!(published.iter().all(|name| item.contains_key(*name)), "{item:?}");
    }
}
