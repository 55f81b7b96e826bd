//! `driftdeck check`: whether configuration, repositories, renderers, clusters and applications work, and the remedy.

use super::{
    error::CliError,
    exit::Exit,
    output::{Output, Style, counted},
    rights,
    session::{Context, Session},
};
use crate::{
    cluster::Target,
    config::{Cluster, Config, ConfigError},
    engine::{ApplicationView, ClusterState, Fleet, ObjectState, RepositoryState},
    object::Severity,
    render::{self, Renderer},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A repository's first clone may take long; what has not answered by then is said to be slow.
const LONGEST: Duration = Duration::from_secs(120);

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckItem {
    /// What, e.g. `repository platform`.
    pub subject: String,
    /// It works.
    pub ok: bool,
    /// How it was found.
    pub message: String,
    /// What to do about it; null where it works, or where the message says so.
    pub hint: Option<String>,
}

/// Everything that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// In the order of the configuration.
    pub items: Vec<CheckItem>,
}

impl CheckItem {
    /// What was found.
    pub fn new(subject: impl Into<String>, ok: bool, message: impl Into<String>) -> Self {
        Self { subject: subject.into(), ok, message: message.into(), hint: None }
    }
    /// Adds what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Runs the command.
///
/// # Errors
/// [`CliError::Output`]; what is wrong is the result.
pub async fn run(context: &Context) -> Result<Exit, CliError> {
    let mut items = Vec::new();
    match context.config() {
        Ok(config) => {
            items.push(CheckItem::new("configuration", true, context.paths.config_file.display().to_string()));
            items.push(folders(context));
            items.extend(renderers(&config));
            let session = context.open_everything(config);
            let found = session.until_signal(surroundings(&session, context)).await;
            session.engine.shutdown().await;
            items.extend(found?);
        }
        Err(CliError::Config(ConfigError::Invalid(problems))) => {
            items.extend(problems.into_iter().map(|problem| CheckItem {
                subject: "configuration".into(),
                ok: false,
                message: format!("{}:{}:{}: {}", problem.path.display(), problem.line, problem.column, problem.message),
                hint: problem.hint,
            }));
        }
        Err(error) => items.push(CheckItem::new("configuration", false, error.to_string())),
    }
    print(&Check { items: items.clone() }, context.out)?;
    Ok(if items.iter().all(|item| item.ok) { Exit::Done } else { Exit::Error })
}

fn folders(context: &Context) -> CheckItem {
    match context.paths.create() {
        Ok(()) => CheckItem::new(
            "folders",
            true,
            format!("{}, {}", context.paths.cache.display(), context.paths.state.display()),
        ),
        Err(error) => CheckItem::new("folders", false, error.to_string())
            .hint("make it writable, or set XDG_CACHE_HOME and XDG_STATE_HOME"),
    }
}

/// A program counts as missing only where an application says that it needs it; where it is found out by looking, the
/// application's own line says so.
fn renderers(config: &Config) -> Vec<CheckItem> {
    render::programs()
        .into_iter()
        .map(|program| {
            let subject = format!("renderer {}", program.name);
            let user = config.applications.iter().find(|application| match application.renderer {
                Renderer::Kustomize => program.name == "kustomize",
                Renderer::Helm => program.name == "helm",
                Renderer::Auto | Renderer::Yaml => false,
            });
            match (program.found, user) {
                (Some(found), _) => CheckItem::new(subject, true, format!("{found}; {}", program.network)),
                (None, None) => CheckItem::new(subject, true, "not found, and no application asks for it by name"),
                (None, Some(user)) => CheckItem::new(subject, false, format!("not found, and {} needs it", user.name))
                    .hint(format!("install {} and put it on the PATH", program.name)),
            }
        })
        .collect()
}

async fn surroundings(session: &Session, context: &Context) -> Result<Vec<CheckItem>, CliError> {
    let deadline = tokio::time::Instant::now() + LONGEST;
    let settled = futures::future::join_all(session.applications.iter().map(|name| session.engine.settled(name)));
    let applications = tokio::time::timeout_at(deadline, settled).await.ok();
    let mut fleet = session.engine.fleet();
    // those that no application uses
    while !answered(&fleet.borrow_and_update()) {
        if !matches!(tokio::time::timeout_at(deadline, fleet.changed()).await, Ok(Ok(()))) {
            break;
        }
    }
    let fleet = fleet.borrow().clone();
    let applications = applications.unwrap_or_else(|| fleet.applications.clone());
    let rights = futures::future::join_all(applications.iter().map(|view| rights(session, context, view))).await;
    let repositories = fleet.repositories.iter().map(|repository| {
        let subject = format!("repository {}", repository.name);
        match &repository.state {
            RepositoryState::Failed { message, .. } => CheckItem::new(subject, false, message.clone()),
            RepositoryState::Ready => {
                let head = repository.head.as_ref().map(|head| format!(" at {} {}", head.id.short(), head.subject));
                CheckItem::new(subject, true, format!("{}{}", repository.url, head.unwrap_or_default()))
            }
            _ => {
                CheckItem::new(subject, false, format!("{}: no answer within {} s", repository.url, LONGEST.as_secs()))
                    .hint("try `git ls-remote` with the same address")
            }
        }
    });
    let clusters = fleet.clusters.iter().map(|cluster| {
        let subject = format!("cluster {}", cluster.name);
        match &cluster.state {
            ClusterState::Failed { message, .. } => CheckItem::new(subject, false, message.clone()),
            ClusterState::Connected { latency } => {
                let version = cluster.version.as_deref().unwrap_or("unknown version");
                let user = cluster.user.as_deref().unwrap_or("unknown user");
                let armed = if cluster.armed { "armed for writes" } else { "read-only" };
                CheckItem::new(
                    subject,
                    true,
                    format!(
                        "context {}, Kubernetes {version}, as {user}, {} ms, {armed}",
                        cluster.context,
                        latency.as_millis().max(1)
                    ),
                )
            }
            ClusterState::Connecting => {
                CheckItem::new(subject, false, format!("no answer within {} s", LONGEST.as_secs()))
                    .hint("try `kubectl version` with the same context")
            }
        }
    });
    let applications = applications.iter().map(|view| application(view)).zip(rights);
    let applications = applications.flat_map(|(item, rights)| [Some(item), rights]).flatten();
    Ok(repositories.chain(clusters).chain(applications).collect())
}

/// Asks for an application's rights where its cluster has answered; elsewhere there is nobody to ask.
async fn rights(session: &Session, context: &Context, view: &ApplicationView) -> Option<CheckItem> {
    let comparison = view.comparison.as_ref()?;
    let application = session.config.application(&view.name)?;
    let cluster = session.config.cluster(&application.cluster)?;
    let global = &context.global;
    let target = Target {
        kubeconfig: global.kubeconfig.clone().or_else(|| cluster.kubeconfig.clone()),
        context: global.context.clone().or_else(|| cluster.context.clone()),
        impersonate: global.impersonate.clone(),
        exec_plugins: cluster.exec_plugins.clone(),
        cache: None,
    };
    let armed = Cluster { write: context.write().unwrap_or(cluster.write), ..cluster.clone() };
    Some(rights::of(&target, application, &armed, comparison).await)
}

fn answered(fleet: &Fleet) -> bool {
    let repository = |state: &RepositoryState| matches!(state, RepositoryState::Ready | RepositoryState::Failed { .. });
    fleet.repositories.iter().all(|view| repository(&view.state))
        && fleet.clusters.iter().all(|view| view.state != ClusterState::Connecting)
}

fn application(view: &ApplicationView) -> CheckItem {
    let subject = format!("application {}", view.name);
    let Some(comparison) = &view.comparison else {
        return CheckItem::new(
            subject,
            false,
            view.error.clone().unwrap_or_else(|| "nothing is known about it yet".into()),
        );
    };
    if let Some(error) = &view.error {
        return CheckItem::new(subject, false, error.clone());
    }
    if let Some(issue) = comparison.issues.iter().find(|issue| issue.severity == Severity::Error) {
        let place = issue.path.as_ref().map(|path| format!("{path}: ")).unwrap_or_default();
        return CheckItem::new(subject, false, format!("{place}{}", issue.message));
    }
    let unknown = comparison.objects.iter().find(|object| object.state == ObjectState::Unknown);
    if let Some(object) = unknown {
        let why = object.error.as_deref().unwrap_or(&object.message);
        return CheckItem::new(subject, false, format!("{}: {why}", object.id()));
    }
    CheckItem::new(
        subject,
        true,
        format!(
            "{}, state {:?}, health {:?}",
            counted(comparison.objects.len(), "object"),
            comparison.state,
            comparison.health
        ),
    )
}

fn print(check: &Check, out: Output) -> Result<(), CliError> {
    if !out.is_text() {
        return out.document("Check", check);
    }
    let mut text = out.text();
    for item in &check.items {
        let (style, word) = if item.ok { (Style::Green, "ok   ") } else { (Style::Red, "error") };
        text.put(style, word).plain(&format!("  {}: {}", item.subject, item.message)).end();
        if let Some(hint) = &item.hint {
            text.put(Style::Dim, &format!("       hint: {hint}")).end();
        }
    }
    out.print(text)
}
