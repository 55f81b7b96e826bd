//! What `init` proposes from: the kubeconfig's contexts, and the Git repository of the current folder.

use crate::{
    config::init::{Found, FoundContext, FoundRepository},
    object::documents,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Bounds of the look around: a home folder under Git must not take minutes.
const DEEPEST: usize = 8;
const MOST_ENTRIES: usize = 20_000;
const LONGEST_LOOK: u64 = 64 << 10;

/// Looks around from the current folder; what cannot be read counts as not there.
pub fn found_here(kubeconfig: Option<&Path>) -> Found {
    let (kubeconfig, contexts) = contexts(kubeconfig);
    let repository = std::env::current_dir().ok().and_then(|folder| repository(&folder));
    Found { kubeconfig, contexts, repository }
}

/// Says in words what was found.
pub fn describe(found: &Found) -> String {
    let contexts = match (&found.kubeconfig, found.contexts.as_slice()) {
        (None, _) => "no kubeconfig".to_owned(),
        (Some(path), []) => format!("no context in {}", path.display()),
        (Some(path), contexts) => {
            let names: Vec<&str> = contexts.iter().take(5).map(|context| context.name.as_str()).collect();
            let more = contexts.len().saturating_sub(names.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("the contexts {}{more} in {}", names.join(", "), path.display())
        }
    };
    let repository = match &found.repository {
        None => "no Git repository in this folder".to_owned(),
        Some(repository) => {
            let folders = match repository.folders.len() {
                0 => "without a folder of manifests".to_owned(),
                1 => "with one folder of manifests".to_owned(),
                count => format!("with {count} folders of manifests"),
            };
            format!("the Git repository {} {folders}", repository.root.display())
        }
    };
    format!("{contexts}; {repository}")
}

/// Reads the contexts of the first kubeconfig that has any, in kubectl's order: the flag, `$KUBECONFIG`, the default.
fn contexts(flag: Option<&Path>) -> (Option<PathBuf>, Vec<FoundContext>) {
    let candidates: Vec<PathBuf> = match (flag, std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty())) {
        (Some(flag), _) => vec![flag.to_owned()],
        (None, Some(list)) => std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect(),
        (None, None) => std::env::home_dir().map(|home| home.join(".kube/config")).into_iter().collect(),
    };
    let mut seen = None;
    for path in candidates {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let contexts = read_contexts(&text);
        let path = std::path::absolute(&path).unwrap_or(path);
        if !contexts.is_empty() {
            return (Some(path), contexts);
        }
        seen = seen.or(Some(path));
    }
    (seen, Vec::new())
}

fn read_contexts(text: &str) -> Vec<FoundContext> {
    let Some(Ok(kubeconfig)) = documents(text).into_iter().next().map(|document| document.value) else {
        return Vec::new();
    };
    let named = |list: &str, name: &str| -> Option<&Value> {
        kubeconfig[list].as_array()?.iter().find(|entry| entry["name"].as_str() == Some(name))
    };
    let current = kubeconfig["current-context"].as_str();
    let contexts = kubeconfig["contexts"].as_array().into_iter().flatten();
    contexts
        .filter_map(|entry| {
            let name = entry["name"].as_str()?;
            let context = &entry["context"];
            let user = context["user"].as_str().and_then(|user| named("users", user));
            let plugin = user.and_then(|user| user["user"]["exec"]["command"].as_str());
            Some(FoundContext {
                name: name.to_owned(),
                namespace: context["namespace"].as_str().map(ToOwned::to_owned),
                current: current == Some(name),
                exec_plugin: plugin.map(ToOwned::to_owned),
            })
        })
        .collect()
}

/// Finds the repository that a folder belongs to; a bare one counts when the folder is its root.
fn repository(folder: &Path) -> Option<FoundRepository> {
    let bare = |folder: &Path| folder.join("HEAD").is_file() && folder.join("objects").is_dir();
    if bare(folder) {
        return Some(FoundRepository { root: folder.to_owned(), branch: branch(folder), folders: Vec::new() });
    }
    let root = folder.ancestors().find(|folder| folder.join(".git").exists())?;
    let mut folders = Vec::new();
    let mut entries = MOST_ENTRIES;
    manifests(root, "", 0, &mut entries, &mut folders);
    folders.sort();
    Some(FoundRepository { root: root.to_owned(), branch: git_folder(root).and_then(|git| branch(&git)), folders })
}

/// `.git` is a folder, or in a linked work tree a file that names one.
fn git_folder(root: &Path) -> Option<PathBuf> {
    let git = root.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let text = fs::read_to_string(&git).ok()?;
    Some(root.join(text.strip_prefix("gitdir:")?.trim()))
}

fn branch(git: &Path) -> Option<String> {
    let head = fs::read_to_string(git.join("HEAD")).ok()?;
    head.trim().strip_prefix("ref: refs/heads/").map(ToOwned::to_owned)
}

/// Collects folders that an application could be: a kustomization, a chart, or plain manifests. What lies below such a
/// folder belongs to it; bases and components are parts of others.
fn manifests(root: &Path, path: &str, depth: usize, entries: &mut usize, found: &mut Vec<String>) {
    let Ok(listing) = fs::read_dir(root.join(path)) else { return };
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for entry in listing.flatten() {
        if *entries == 0 {
            return;
        }
        *entries -= 1;
        let Ok(name) = entry.file_name().into_string() else { continue };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => folders.push(name),
            Ok(kind) if kind.is_file() => files.push(name),
            _ => {}
        }
    }
    if is_application(&root.join(path), &files) {
        found.push(path.to_owned());
        return;
    }
    folders.sort();
    let skipped = ["base", "bases", "components", "crds", "node_modules", "target", "vendor"];
    for folder in folders.iter().filter(|name| !name.starts_with('.') && !skipped.contains(&name.as_str())) {
        if depth < DEEPEST {
            let path = if path.is_empty() { folder.clone() } else { format!("{path}/{folder}") };
            manifests(root, &path, depth + 1, entries, found);
        }
    }
}

fn is_application(folder: &Path, files: &[String]) -> bool {
    let has = |name: &str| files.iter().any(|file| file == name);
    if has("Chart.yaml") {
        return true;
    }
    let kustomizations = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
    if let Some(file) = kustomizations.into_iter().find(|name| has(name)) {
        return !start_of(&folder.join(file)).lines().any(|line| line.trim_end() == "kind: Component");
    }
    let yaml = |file: &&String| file.ends_with(".yaml") || file.ends_with(".yml");
    files.iter().filter(yaml).any(|file| {
        let text = start_of(&folder.join(file));
        let starts = |key: &str| text.lines().any(|line| line.starts_with(key));
        starts("apiVersion:") && starts("kind:")
    })
}

fn start_of(path: &Path) -> String {
    use std::io::Read;
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(LONGEST_LOOK).read_to_end(&mut bytes));
    read.map(|_| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_come_with_their_namespace_and_exec_plugin() {
        let text = "
apiVersion: v1
kind: Config
current-context: b
contexts:
- name: a
  context: {cluster: x, user: u}
- name: b
  context: {cluster: x, user: v, namespace: shop}
users:
- name: u
  user: {exec: {command: aws, args: [eks, get-token]}}
- name: v
  user: {token: secret}
";
        let contexts = read_contexts(text);
        assert_eq!(contexts.len(), 2);
        assert_eq!((contexts[0].exec_plugin.as_deref(), contexts[0].current), (Some("aws"), false));
        assert_eq!((contexts[1].namespace.as_deref(), contexts[1].current), (Some("shop"), true));
        assert_eq!(read_contexts("nonsense: ["), []);
    }

    #[test]
    fn a_repository_is_found_from_below_with_its_branch_and_its_folders_of_manifests() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(".git/HEAD", "ref: refs/heads/release/1\n");
        write("apps/api/deployment.yaml", "apiVersion: apps/v1\nkind: Deployment\n");
        write("apps/api/more/service.yaml", "apiVersion: v1\nkind: Service\n");
        write("apps/web/base/kustomization.yaml", "resources: []\n");
        write("apps/web/overlays/prod/kustomization.yaml", "resources: [../../base]\n");
        write("apps/shared/kustomization.yaml", "kind: Component\n");
        write("charts/redis/Chart.yaml", "name: redis\n");
        write("docs/values.yaml", "a: 1\n");
        let found = repository(&root.path().join("apps/web")).unwrap();
        assert_eq!(found.root, root.path());
        assert_eq!(found.branch.as_deref(), Some("release/1"));
        assert_eq!(found.folders, ["apps/api", "apps/web/overlays/prod", "charts/redis"]);
    }
}
