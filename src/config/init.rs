//! A first configuration, proposed from what is there: kubeconfig contexts and the Git repository of the current folder.

use super::{ConfigError, paths::private_folder, values};
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
};

/// A proposal names so many applications; the rest is told.
const MOST_APPLICATIONS: usize = 30;

/// A context of a kubeconfig.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundContext {
    /// Its name.
    pub name: String,
    /// Namespace it sets.
    pub namespace: Option<String>,
    /// It is the current one.
    pub current: bool,
    /// Name of the program that its user runs for credentials, where it runs one.
    pub exec_plugin: Option<String>,
}

/// The Git repository of the current folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundRepository {
    /// Its root.
    pub root: PathBuf,
    /// The branch that is checked out.
    pub branch: Option<String>,
    /// Folders that hold manifests, a kustomization or a chart, relative to the root; the root itself is empty.
    pub folders: Vec<String>,
}

/// What a proposal is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The kubeconfig that was read; none: there is none.
    pub kubeconfig: Option<PathBuf>,
    /// Its contexts.
    pub contexts: Vec<FoundContext>,
    /// The repository.
    pub repository: Option<FoundRepository>,
}

/// Writes a configuration with comments from what was found. What is missing is there as a comment to fill in; the
/// result is always valid.
pub fn propose(found: &Found) -> String {
    let mut out = String::from(
        "# driftdeck's configuration. config.example.toml shows every key; `driftdeck check` says whether all of it works.\n",
    );
    let repository = repository(&mut out, found.repository.as_ref());
    let cluster = clusters(&mut out, found);
    applications(&mut out, found, repository.as_deref(), cluster);
    out
}

fn repository(out: &mut String, found: Option<&FoundRepository>) -> Option<String> {
    let Some(found) = found else {
        out.push_str(
            "\n# The current folder is in no Git repository: name one.\n# [[repository]]\n# name = \"platform\"\n# url = \"https://git.example.com/platform.git\"\n",
        );
        return None;
    };
    let folder = found.root.file_name().unwrap_or_default().to_string_lossy();
    let name = match values::to_dns_label(folder.trim_end_matches(".git")) {
        name if name.is_empty() => "repository".to_owned(),
        name => name,
    };
    out.push_str(
        "\n# A path is read from its commits, never from its work tree. Others need its server's address here.\n",
    );
    let _ = writeln!(out, "[[repository]]\nname = {}\nurl = {}", quoted(&name), quoted(&found.root.to_string_lossy()));
    match &found.branch {
        Some(branch) if values::revision(branch).is_ok() => {
            let _ = writeln!(out, "revision = {}", quoted(branch));
        }
        _ => out.push_str("# revision = \"main\"  # left out: the branch that is checked out\n"),
    }
    Some(name)
}

struct Proposed<'a> {
    name: String,
    context: &'a FoundContext,
}

/// Proposes every context; returns the one that applications go to.
fn clusters<'a>(out: &mut String, found: &'a Found) -> Option<Proposed<'a>> {
    if found.contexts.is_empty() {
        out.push_str("\n# No kubeconfig context was found: name one.\n# [[cluster]]\n# name = \"kind\"\n# context = \"kind-kind\"\n");
        return None;
    }
    let mut taken = BTreeSet::new();
    let mut proposed: Vec<Proposed<'a>> = Vec::new();
    for context in found.contexts.iter().filter(|context| values::name(&context.name).is_ok()) {
        let name = free_name(&context.name, "cluster", &mut taken);
        out.push('\n');
        if context.current {
            out.push_str("# The current context.\n");
        }
        let _ = writeln!(out, "[[cluster]]\nname = {}", quoted(&name));
        if let Some(kubeconfig) = &found.kubeconfig {
            let _ = writeln!(out, "kubeconfig = {}", quoted(&kubeconfig.to_string_lossy()));
        }
        let _ = writeln!(out, "context = {}", quoted(&context.name));
        if looks_like_production(&context.name) {
            out.push_str("production = true  # a guess from its name: red frame, typed confirmation\n");
        }
        out.push_str("write = false  # read-only until --write, :write, or true here\n");
        if let Some(plugin) = &context.exec_plugin {
            let _ = writeln!(
                out,
                "# Its credentials come from a program, which runs only when it is named here.\n# exec_plugins = [{}]",
                quoted(plugin)
            );
        }
        proposed.push(Proposed { name, context });
    }
    let current = proposed.iter().position(|proposed| proposed.context.current).unwrap_or(0);
    (!proposed.is_empty()).then(|| proposed.swap_remove(current))
}

fn looks_like_production(context: &str) -> bool {
    context
        .to_lowercase()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| matches!(word, "prod" | "prd" | "production" | "live"))
}

fn applications(out: &mut String, found: &Found, repository: Option<&str>, cluster: Option<Proposed<'_>>) {
    let folders = found.repository.as_ref().map_or(&[][..], |repository| repository.folders.as_slice());
    let (Some(repository), Some(cluster), false) = (repository, cluster, folders.is_empty()) else {
        out.push_str(
            "\n# One section for each folder of manifests, kustomization or chart.\n# [[application]]\n# name = \"shop-api\"\n# repository = \"platform\"\n# path = \"apps/shop/api\"\n# cluster = \"kind\"\n# namespace = \"shop\"\n",
        );
        return;
    };
    let namespace =
        cluster.context.namespace.as_deref().filter(|name| values::dns_label(name).is_ok()).unwrap_or("default");
    let mut taken = BTreeSet::new();
    for folder in folders.iter().take(MOST_APPLICATIONS) {
        let wanted = if folder.is_empty() { repository } else { folder };
        let name = free_name(wanted, "app", &mut taken);
        let path = if folder.is_empty() { "." } else { folder };
        let _ = writeln!(
            out,
            "\n[[application]]\nname = {}\nrepository = {}\npath = {}\ncluster = {}\nnamespace = {}  # for objects that name none; inventory and records live here",
            quoted(&name),
            quoted(repository),
            quoted(path),
            quoted(&cluster.name),
            quoted(namespace)
        );
    }
    if folders.len() > MOST_APPLICATIONS {
        let _ = writeln!(out, "\n# {} more folders hold manifests.", folders.len() - MOST_APPLICATIONS);
    }
}

/// Makes a DNS label that no other section has: the last two parts of a path, the end of a long context.
fn free_name(wanted: &str, otherwise: &str, taken: &mut BTreeSet<String>) -> String {
    let parts: Vec<&str> = wanted.split(['/', ':']).filter(|part| !part.is_empty()).collect();
    let short = values::to_dns_label(&parts[parts.len().saturating_sub(2)..].join("-"));
    let base = if short.is_empty() { otherwise.to_owned() } else { short };
    let mut name = base.clone();
    let mut number = 2;
    while !taken.insert(name.clone()) {
        let room = 60.min(base.len());
        name = format!("{}-{number}", &base[..room]);
        number += 1;
    }
    name
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Writes the proposal, readable by this user alone; an existing file stays unless `force` is given.
///
/// # Errors
/// [`ConfigError::Unreadable`] where the file exists already or cannot be written.
pub fn write(path: &Path, text: &str, force: bool) -> Result<(), ConfigError> {
    let failed = |reason: String| ConfigError::Unreadable { path: path.to_owned(), reason };
    if let Some(folder) = path.parent()
        && !folder.exists()
    {
        private_folder(folder).map_err(|error| failed(error.to_string()))?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(!force).create(force).truncate(force);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => failed("exists already; --force writes over it".into()),
        _ => failed(error.to_string()),
    })?;
    file.write_all(text.as_bytes()).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn context(name: &str) -> FoundContext {
        FoundContext { name: name.into(), ..FoundContext::default() }
    }

    fn read(found: &Found) -> Config {
        let text = propose(found);
        Config::parse(&text, Path::new("/deck/config.toml")).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    #[test]
    fn what_was_found_becomes_a_valid_configuration() {
        let found = Found {
            kubeconfig: Some("/home/jane/.kube/config".into()),
            contexts: vec![
                context("arn:aws:eks:eu-west-1:1234:cluster/shop-prod"),
                FoundContext { current: true, namespace: Some("shop".into()), ..context("kind-dev") },
                context("kind_dev"),
                context("evil\u{1b}[2J"),
            ],
            repository: Some(FoundRepository {
                root: "/home/jane/My \"Platform\".git".into(),
                branch: Some("main".into()),
                folders: vec![String::new(), "apps/shop/api".into(), "apps/x/shop/api".into()],
            }),
        };
        let config = read(&found);
        let clusters: Vec<_> = config.clusters.iter().map(|c| (c.name.as_str(), c.production, c.write)).collect();
        assert_eq!(
            clusters,
            [("cluster-shop-prod", true, false), ("kind-dev", false, false), ("kind-dev-2", false, false)]
        );
        assert_eq!(config.repositories[0].url, "/home/jane/My \"Platform\".git");
        let applications: Vec<_> =
            config.applications.iter().map(|a| (a.name.as_str(), a.path.as_str(), a.cluster.as_str())).collect();
        assert_eq!(
            applications,
            [
                ("my-platform", "", "kind-dev"),
                ("shop-api", "apps/shop/api", "kind-dev"),
                ("shop-api-2", "apps/x/shop/api", "kind-dev")
            ]
        );
        assert_eq!(config.applications[0].namespace.as_deref(), Some("shop"));
    }

    #[test]
    fn whatever_is_missing_the_proposal_stays_valid() {
        assert_eq!(read(&Found::default()).applications, []);
        let config = read(&Found { contexts: vec![context("a")], ..Found::default() });
        assert_eq!((config.clusters.len(), config.applications.len()), (1, 0));
    }

    #[test]
    fn an_existing_file_is_never_written_over_unless_forced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/config.toml");
        write(&file, "a", false).unwrap();
        assert!(write(&file, "b", false).unwrap_err().to_string().contains("exists already"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "a");
        write(&file, "c", true).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "c");
    }
}
