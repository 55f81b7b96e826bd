//! From TOML to a [`Config`]: sections, what they refer to, and every problem at once.

use super::{
    expand::Surroundings,
    model::{Application, AutoSync, Cluster, Config, Extras, Ignore, Layout, Poll, Repository, Signers, Ui, Verify},
    problem::ConfigError,
    reader::{Problems, Table, line_of, words},
    references::{dependencies, references, unique},
    schema,
    values::{self, Wrong},
};
use crate::render::{HelmOptions, Renderer};
use std::{collections::BTreeMap, path::Path, time::Duration};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

const MINUTE: Duration = Duration::from_secs(60);

/// Reads a file's text; `home` and `env` are what `~` and `${NAME}` stand for.
pub(super) fn config(
    text: &str,
    path: &Path,
    home: Option<&Path>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = absolute.parent().unwrap_or(Path::new("/")).to_owned();
    let surroundings = Surroundings { folder, home, env };
    let (root, errors) = DeTable::parse_recoverable(text);
    let problems = Problems::default();
    let config = file(root.get_ref(), path, &surroundings, &problems);
    let syntax = errors
        .iter()
        .map(|error| {
            let at = error.span().map_or(text.len(), |span| span.start);
            let line = line_of(text, at);
            (
                at,
                Wrong {
                    message: format!("this is not TOML: {}", error.message()),
                    hint: syntax_hint(error.message(), line),
                },
            )
        })
        .collect();
    match problems.in_order(text, path, syntax) {
        problems if problems.is_empty() => Ok(config),
        problems => Err(ConfigError::Invalid(problems)),
    }
}

/// What to do about the slips that people make in TOML.
fn syntax_hint(message: &str, line: &str) -> Option<String> {
    let value = line.split_once('=').map(|(_, value)| value.trim());
    match value {
        _ if message.contains("duplicate key") => Some("keep one of the two".into()),
        Some(value) if value.starts_with(|c: char| c.is_alphabetic() || "/~.$".contains(c)) => {
            Some("texts stand in quotes: key = \"value\"".into())
        }
        None if line.contains(':') && !line.starts_with('[') => Some("TOML has `key = value`, not `key: value`".into()),
        _ => None,
    }
}

fn file<'t>(root: &'t DeTable<'_>, path: &Path, surroundings: &Surroundings<'_>, problems: &'t Problems) -> Config {
    let root = Table::new(&schema::ROOT, root, 0..0, problems);
    let repositories = root.tables("repository", &schema::REPOSITORY);
    let clusters = root.tables("cluster", &schema::CLUSTER);
    let applications = root.tables("application", &schema::APPLICATION);
    unique(&repositories, "repository");
    unique(&clusters, "cluster");
    unique(&applications, "application");
    references(&applications, "repository", &repositories);
    references(&applications, "cluster", &clusters);
    dependencies(&applications);
    unsupported_sets(&root);
    Config {
        path: path.to_owned(),
        repositories: repositories.iter().map(|table| repository(table, surroundings)).collect(),
        clusters: clusters.iter().map(|table| cluster(table, surroundings)).collect(),
        applications: applications.iter().map(application).collect(),
        ui: root.table("ui", &schema::UI).map(|table| ui(&table)).unwrap_or_default(),
        keys: keys(&root),
        signers: root.table("signers", &schema::SIGNERS).map(|table| signers(&table, surroundings)).unwrap_or_default(),
    }
}

/// Left unread, a set would silently leave out applications that the operator believes to be watched.
fn unsupported_sets(root: &Table<'_, '_>) {
    let Some(node) = root.get("application_set") else { return };
    let sets: Vec<_> = match node.get_ref() {
        DeValue::Array(items) => items.iter().map(Spanned::span).collect(),
        _ => vec![node.span()],
    };
    for span in sets {
        root.problems().add(
            &span,
            Wrong::new(
                "[[application_set]] is not supported yet by this version",
                "write one [[application]] for each folder",
            ),
        );
    }
}

fn repository(table: &Table<'_, '_>, surroundings: &Surroundings<'_>) -> Repository {
    let poll = |text: &str| match text {
        "never" => Ok(Poll::Never),
        text => values::bounded(text, "1s", "30d").map(Poll::Every),
    };
    let verify = table.choice("verify", &[("none", Verify::None), ("commit", Verify::Commit), ("tag", Verify::Tag)]);
    if let Some(wanted @ (Verify::Commit | Verify::Tag)) = verify {
        let word = if wanted == Verify::Commit { "commit" } else { "tag" };
        // read and not done, it would let unsigned commits through
        table.report(
            "verify",
            Wrong::new(
                format!("verify = \"{word}\" is not supported yet by this version"),
                "write verify = \"none\", and let the server refuse unsigned commits",
            ),
        );
    }
    Repository {
        name: table.parsed("name", values::name).unwrap_or_default(),
        url: table.parsed("url", |text| values::url(text, surroundings)).unwrap_or_default(),
        revision: table.parsed("revision", values::revision),
        poll: table.parsed("poll", poll).unwrap_or(Poll::Every(MINUTE)),
        verify: verify.unwrap_or_default(),
        identity_from: table.parsed("identity_from", |text| surroundings.path(text)),
    }
}

fn cluster(table: &Table<'_, '_>, surroundings: &Surroundings<'_>) -> Cluster {
    Cluster {
        name: table.parsed("name", values::name).unwrap_or_default(),
        kubeconfig: table.parsed("kubeconfig", |text| surroundings.path(text)),
        context: table.parsed("context", values::name),
        production: table.flag("production").unwrap_or(false),
        write: table.flag("write").unwrap_or(false),
        exec_plugins: plain(table.list("exec_plugins", |text| values::program(text, surroundings))),
        approval_ttl: table.parsed("approval_ttl", |text| values::bounded(text, "1s", "24h")).unwrap_or(5 * MINUTE),
    }
}

fn application(table: &Table<'_, '_>) -> Application {
    let renderers = [
        ("auto", Renderer::Auto),
        ("yaml", Renderer::Yaml),
        ("kustomize", Renderer::Kustomize),
        ("helm", Renderer::Helm),
    ];
    let extras = [("show", Extras::Show), ("drift", Extras::Drift), ("hide", Extras::Hide)];
    if table.get("namespace").is_none() && table.get("state_namespace").is_none() {
        table.problems().add_echo(
            &table.span,
            Wrong::new(
                "[[application]] has neither `namespace` nor `state_namespace`: its inventory and records need a place",
                "add namespace = \"shop\", or state_namespace where objects name their own",
            ),
        );
    }
    Application {
        name: table.parsed("name", values::dns_label).unwrap_or_default(),
        repository: table.text("repository").map(Spanned::into_inner).unwrap_or_default(),
        path: table.parsed("path", values::repository_path).unwrap_or_default(),
        revision: table.parsed("revision", values::revision),
        cluster: table.text("cluster").map(Spanned::into_inner).unwrap_or_default(),
        namespace: table.parsed("namespace", values::dns_label),
        renderer: table.choice("renderer", &renderers).unwrap_or_default(),
        recurse: table.flag("recurse").unwrap_or(true),
        include: plain(table.list("include", values::glob)),
        exclude: plain(table.list("exclude", values::glob)),
        prune: table.flag("prune").unwrap_or(true),
        extras: table.choice("extras", &extras).unwrap_or_default(),
        depends_on: plain(table.list("depends_on", values::name)),
        state_namespace: table.parsed("state_namespace", values::dns_label),
        auto_sync: table.table("auto_sync", &schema::AUTO_SYNC).map(|table| auto_sync(&table)).unwrap_or_default(),
        windows: plain(table.list("windows", values::window)),
        timeout: table.parsed("timeout", |text| values::bounded(text, "1s", "24h")).unwrap_or(5 * MINUTE),
        helm: table.table("helm", &schema::HELM).map_or_else(
            // as Argo CD and Flux do, and unlike bare `helm template`: without its CRDs a chart's own objects are of unknown kinds
            || HelmOptions { include_crds: true, ..HelmOptions::default() },
            |table| helm(&table),
        ),
        ignore: table.tables("ignore", &schema::IGNORE).iter().map(ignore).collect(),
    }
}

fn auto_sync(table: &Table<'_, '_>) -> AutoSync {
    let flag = |name| table.flag(name).unwrap_or(false);
    AutoSync {
        enabled: flag("enabled"),
        prune: flag("prune"),
        self_heal: flag("self_heal"),
        production: flag("production"),
    }
}

fn helm(table: &Table<'_, '_>) -> HelmOptions {
    let file = |text: &str| match values::repository_path(text) {
        Ok(path) if path.is_empty() => Err(Wrong::new("an empty path", "write a file of the chart: \"values.yaml\"")),
        // a values file may stand beside the chart: the renderer keeps it inside the repository
        _ if !text.starts_with('/') && !text.is_empty() => Ok(text.to_owned()),
        other => other,
    };
    HelmOptions {
        release: table.parsed("release", values::name),
        values: plain(table.list("values", file)),
        set: set(table),
        include_crds: table.flag("include_crds").unwrap_or(true),
    }
}

/// `set = { "image.tag" = "1.9.0" }`: a dotted key without quotes would make nested tables of it.
fn set(helm: &Table<'_, '_>) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let Some(node) = helm.get("set") else { return out };
    let Some(table) = node.get_ref().as_table() else {
        helm.report(
            "set",
            Wrong::new(
                format!("`set` is a table, not {}", words(node.get_ref())),
                format!("write set = {}", schema::HELM.example("set")),
            ),
        );
        return out;
    };
    for (key, value) in Table::members(table) {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().replace('_', ""),
            DeValue::Float(number) => number.as_str().replace('_', ""),
            other => {
                let hint = "write the whole key in quotes: set = { \"image.tag\" = \"1.9.0\" }";
                let message = format!("`set`: the value of `{}` is a text, not {}", key.get_ref(), words(other));
                helm.problems().add(&key.span(), Wrong::new(message, hint));
                continue;
            }
        };
        out.insert(key.get_ref().to_string(), text);
    }
    out
}

fn ignore(table: &Table<'_, '_>) -> Ignore {
    let any = |name: &str| table.parsed(name, pattern).unwrap_or_else(|| "*".into());
    let rule = Ignore {
        // the core group is written as the empty text
        group: table.text("group").map_or_else(|| "*".into(), Spanned::into_inner),
        kind: any("kind"),
        name: any("name"),
        namespace: any("namespace"),
        paths: plain(table.list("paths", values::pointer)),
        managers: plain(table.list("managers", values::name)),
    };
    if table.get("paths").is_none() && table.get("managers").is_none() {
        table.problems().add_echo(
            &table.span,
            Wrong::new(
                "[[application.ignore]] names neither `paths` nor `managers`",
                "add paths = [\"/spec/replicas\"]",
            ),
        );
    }
    rule
}

fn pattern(text: &str) -> Result<String, Wrong> {
    if text.is_empty() {
        Err(Wrong::new("an empty text matches nothing", "write \"*\" for all"))
    } else {
        values::glob(text)
    }
}

fn ui(table: &Table<'_, '_>) -> Ui {
    let default = Ui::default();
    let ascii = match table.get("ascii").map(|node| node.get_ref()) {
        Some(DeValue::Boolean(value)) => Some(*value),
        Some(DeValue::String(text)) if text == "auto" => None,
        Some(_) => {
            table.report("ascii", Wrong::new("`ascii` is true, false or \"auto\"", "write ascii = \"auto\""));
            None
        }
        None => default.ascii,
    };
    Ui {
        theme: table.parsed("theme", values::name).unwrap_or(default.theme),
        ascii,
        mouse: table.flag("mouse").unwrap_or(default.mouse),
        layout: table
            .choice("layout", &[("unified", Layout::Unified), ("side-by-side", Layout::SideBySide)])
            .unwrap_or(default.layout),
        pager: table.parsed("pager", values::name),
        confirm_always: table
            .choice("confirm", &[("default", false), ("always", true)])
            .unwrap_or(default.confirm_always),
    }
}

/// `[keys]`: which actions there are, the console knows; here only the shape counts.
fn keys(root: &Table<'_, '_>) -> BTreeMap<String, Vec<String>> {
    let mut out = BTreeMap::new();
    let Some(node) = root.get("keys") else { return out };
    let wrong = |what: &str| {
        Wrong::new(
            format!("{what} is a key or a list of keys"),
            "write quit = \"q\", or quit = [\"q\", \"ctrl-q\"]; [] unbinds",
        )
    };
    let Some(table) = node.get_ref().as_table() else {
        root.report("keys", Wrong::new(format!("`keys` is a table, not {}", words(node.get_ref())), "write [keys]"));
        return out;
    };
    for (action, value) in Table::members(table) {
        let list: Option<Vec<String>> = match value.get_ref() {
            DeValue::String(key) => Some(vec![key.to_string()]),
            DeValue::Array(items) => items.iter().map(|item| item.get_ref().as_str().map(ToOwned::to_owned)).collect(),
            _ => None,
        };
        match list {
            Some(list) if list.iter().all(|key| !key.is_empty()) => {
                out.insert(action.get_ref().to_string(), list);
            }
            _ => root.problems().add(&value.span(), wrong(&format!("`{}`", crate::object::clean(action.get_ref())))),
        }
    }
    out
}

fn signers(table: &Table<'_, '_>, surroundings: &Surroundings<'_>) -> Signers {
    Signers { gpg: plain(table.list("gpg", values::name)), ssh: table.parsed("ssh", |text| surroundings.path(text)) }
}

fn plain<T>(list: Option<Vec<Spanned<T>>>) -> Vec<T> {
    list.into_iter().flatten().map(Spanned::into_inner).collect()
}
