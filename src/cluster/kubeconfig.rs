//! The kubeconfig as kubectl reads it: `$KUBECONFIG`'s list of files merged, else `~/.kube/config`, or one file by name.

use super::{ClusterError, Target};
use kube::{
    Config,
    config::{AuthInfo, ExecInteractiveMode, KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// What a kubeconfig says about one context.
pub(super) struct Chosen {
    /// How to connect.
    pub config: Config,
    /// The context's name.
    pub context: String,
}

/// Reads the files that `target` names and chooses its context.
pub(super) async fn load(target: &Target) -> Result<Chosen, ClusterError> {
    let files = files(target, std::env::var_os("KUBECONFIG"), std::env::home_dir())?;
    let kubeconfig = read(&files)?;
    choose(kubeconfig, &files, target).await
}

/// Finds the files. Of `$KUBECONFIG`'s list those that do not exist are left out, as kubectl does, if one does.
fn files(target: &Target, variable: Option<OsString>, home: Option<PathBuf>) -> Result<Vec<PathBuf>, ClusterError> {
    if let Some(file) = &target.kubeconfig {
        return match file.exists() {
            true => Ok(vec![file.clone()]),
            false => Err(ClusterError::Kubeconfig(format!(
                "{} does not exist; correct `kubeconfig` or --kubeconfig",
                file.display()
            ))),
        };
    }
    let listed: Vec<PathBuf> =
        variable.iter().flat_map(std::env::split_paths).filter(|path| !path.as_os_str().is_empty()).collect();
    if listed.is_empty() {
        let Some(file) = home.map(|home| home.join(".kube/config")) else {
            return Err(ClusterError::Kubeconfig("there is no home folder; set $KUBECONFIG or --kubeconfig".into()));
        };
        return match file.exists() {
            true => Ok(vec![file]),
            false => Err(ClusterError::Kubeconfig(format!(
                "{} does not exist and $KUBECONFIG is not set; log in to a cluster, or give --kubeconfig FILE",
                file.display()
            ))),
        };
    }
    let (found, missing): (Vec<_>, Vec<_>) = listed.into_iter().partition(|path| path.exists());
    if found.is_empty() {
        return Err(ClusterError::Kubeconfig(format!(
            "{} (from $KUBECONFIG) does not exist; correct $KUBECONFIG or give --kubeconfig FILE",
            names(&missing)
        )));
    }
    Ok(found)
}

/// Reads and merges files: the first to set a value wins.
fn read(files: &[PathBuf]) -> Result<Kubeconfig, ClusterError> {
    let mut merged = Kubeconfig::default();
    for file in files {
        let absolute = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        let next = Kubeconfig::read_from(&absolute).map_err(|error| unreadable(file, &error))?;
        merged = merged.merge(next).map_err(|error| unreadable(file, &error))?;
    }
    Ok(merged)
}

/// The parser's own message quotes the text around the fault, which may be a token: only its place is told.
fn unreadable(file: &Path, error: &KubeconfigError) -> ClusterError {
    ClusterError::Kubeconfig(match error {
        KubeconfigError::Parse(error) => {
            let place = error.location().map(|at| format!(":{}:{}", at.line(), at.column())).unwrap_or_default();
            format!("{}{place}: not a kubeconfig; compare with `kubectl config view`", file.display())
        }
        KubeconfigError::ReadConfig(error, _) => format!("{}: {error}", file.display()),
        other => format!("{}: {other}", file.display()),
    })
}

async fn choose(mut kubeconfig: Kubeconfig, files: &[PathBuf], target: &Target) -> Result<Chosen, ClusterError> {
    let files = names(files);
    let known: Vec<_> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
    let known = if known.is_empty() { "it has none".into() } else { format!("it has {}", known.join(", ")) };
    let current = kubeconfig.current_context.clone().filter(|name| !name.is_empty());
    let Some(name) = target.context.clone().or(current) else {
        return Err(ClusterError::Kubeconfig(format!(
            "{files}: no current context; choose one with `context` or --context ({known})"
        )));
    };
    let Some(context) = kubeconfig.contexts.iter().find(|context| context.name == name) else {
        return Err(ClusterError::Kubeconfig(format!("{files}: there is no context `{name}`; {known}")));
    };
    let user = context.context.as_ref().and_then(|context| context.user.clone());
    for named in &mut kubeconfig.auth_infos {
        if let Some(auth) = &mut named.auth_info {
            if Some(&named.name) == user.as_ref() {
                allowed(auth, &target.exec_plugins, &files, &named.name)?;
                if let Some(user) = &target.impersonate {
                    auth.impersonate = Some(user.clone());
                }
            }
            // A plugin that asks would write over the screen and read the operator's keys.
            if let Some(exec) = &mut auth.exec {
                exec.interactive_mode = Some(ExecInteractiveMode::Never);
            }
        }
    }
    let options = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| ClusterError::Kubeconfig(format!("{files}: context `{name}`: {}", causes(&error))))?;
    if let Some(user) = &target.impersonate {
        config.auth_info.impersonate = Some(user.clone());
    }
    config.default_retry = false;
    Ok(Chosen { config, context: name })
}

fn allowed(auth: &AuthInfo, plugins: &[String], files: &str, user: &str) -> Result<(), ClusterError> {
    if let Some(provider) = &auth.auth_provider {
        return Err(ClusterError::Kubeconfig(format!(
            "{files}: user `{user}` uses the auth-provider `{}`, which kubectl no longer runs either; use the provider's exec plugin",
            provider.name
        )));
    }
    let Some(exec) = &auth.exec else { return Ok(()) };
    let command = exec.command.clone().unwrap_or_default();
    let name = Path::new(&command).file_name().map_or_else(|| command.clone(), |name| name.to_string_lossy().into());
    if plugins.iter().any(|plugin| *plugin == command || *plugin == name) {
        return Ok(());
    }
    let words: Vec<_> = std::iter::once(&command).chain(exec.args.iter().flatten()).cloned().collect();
    Err(ClusterError::ExecPlugin { command: words.join(" "), name })
}

/// An error with what caused it, each once.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}

fn names(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_CONTEXTS: &str = "apiVersion: v1\nkind: Config\ncurrent-context: a\n\
        clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', certificate-authority: missing.crt}}, {name: d, cluster: {server: 'https://127.0.0.1:2'}}]\n\
        users: [{name: u, user: {token: hunter2}}, {name: x, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: /opt/bin/login, args: [token, --now]}}}, {name: p, user: {auth-provider: {name: gcp}}}]\n\
        contexts: [{name: a, context: {cluster: d, user: u}}, {name: b, context: {cluster: c, user: u}}, {name: e, context: {cluster: d, user: x}}, {name: f, context: {cluster: d, user: p}}]\n";

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    async fn loaded(text: &str, target: Target) -> Result<Chosen, ClusterError> {
        let file = file(text);
        load(&Target { kubeconfig: Some(file.path().into()), ..target }).await
    }

    async fn refusal(text: &str, target: Target) -> String {
        loaded(text, target).await.err().expect("a refusal").to_string()
    }

    #[tokio::test]
    async fn the_current_context_is_chosen_and_another_on_request() {
        let chosen = loaded(TWO_CONTEXTS, Target::default()).await.unwrap();
        assert_eq!(
            (chosen.context.as_str(), chosen.config.cluster_url.to_string().as_str()),
            ("a", "https://127.0.0.1:2/")
        );
        let error = refusal(TWO_CONTEXTS, Target { context: Some("b".into()), ..Target::default() }).await;
        assert!(error.contains("missing.crt") && error.contains("context `b`"), "{error}");
    }

    #[tokio::test]
    async fn an_unknown_context_is_refused_with_the_known_names() {
        let error = refusal(TWO_CONTEXTS, Target { context: Some("prod".into()), ..Target::default() }).await;
        assert!(error.contains("there is no context `prod`; it has a, b, e, f"), "{error}");
        let error = refusal("apiVersion: v1\nkind: Config\n", Target::default()).await;
        assert!(error.contains("no current context") && error.contains("it has none"), "{error}");
    }

    #[tokio::test]
    async fn a_missing_file_is_named_with_the_remedy() {
        let target = Target { kubeconfig: Some("/nonexistent/kubeconfig".into()), ..Target::default() };
        let error = load(&target).await.err().unwrap().to_string();
        assert!(error.contains("/nonexistent/kubeconfig does not exist") && error.contains("--kubeconfig"), "{error}");
        let error =
            files(&Target::default(), Some("/nonexistent/a:/nonexistent/b".into()), None).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/a, /nonexistent/b (from $KUBECONFIG)"), "{error}");
        let error = files(&Target::default(), None, Some("/nonexistent".into())).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/.kube/config does not exist and $KUBECONFIG is not set"), "{error}");
    }

    #[tokio::test]
    async fn files_of_the_variable_are_merged_and_the_first_wins() {
        let first = file(
            "apiVersion: v1\nkind: Config\ncurrent-context: z\ncontexts: [{name: z, context: {cluster: d, user: u}}]\n",
        );
        let second = file(TWO_CONTEXTS);
        let variable = std::env::join_paths([first.path(), Path::new("/nonexistent/x"), second.path()]).unwrap();
        let files = files(&Target::default(), Some(variable), None).unwrap();
        assert_eq!(files.len(), 2);
        let chosen = choose(read(&files).unwrap(), &files, &Target::default()).await.unwrap();
        assert_eq!(chosen.context, "z");
        assert_eq!(chosen.config.cluster_url.to_string(), "https://127.0.0.1:2/");
    }

    #[tokio::test]
    async fn a_plugin_runs_only_when_it_is_on_the_list() {
        let with = |plugins: &[&str]| Target {
            context: Some("e".into()),
            exec_plugins: plugins.iter().map(|plugin| (*plugin).into()).collect(),
            ..Target::default()
        };
        match loaded(TWO_CONTEXTS, with(&["aws"])).await {
            Err(ClusterError::ExecPlugin { command, name }) => {
                assert_eq!((command.as_str(), name.as_str()), ("/opt/bin/login token --now", "login"));
            }
            other => panic!("{:?}", other.err()),
        }
        for plugin in ["login", "/opt/bin/login"] {
            let chosen = loaded(TWO_CONTEXTS, with(&[plugin])).await.unwrap();
            let exec = chosen.config.auth_info.exec.unwrap();
            assert_eq!(exec.interactive_mode, Some(ExecInteractiveMode::Never));
        }
    }

    #[tokio::test]
    async fn an_auth_provider_is_refused() {
        let error = refusal(TWO_CONTEXTS, Target { context: Some("f".into()), ..Target::default() }).await;
        assert!(error.contains("auth-provider `gcp`") && error.contains("exec plugin"), "{error}");
    }

    #[tokio::test]
    async fn a_broken_file_is_named_by_place_and_its_text_is_not_repeated() {
        let error = refusal("apiVersion: v1\nusers: [{name: u, user: {token: hunter2}\n", Target::default()).await;
        assert!(error.contains("not a kubeconfig") && !error.contains("hunter2"), "{error}");
    }

    #[tokio::test]
    async fn impersonation_reaches_the_client_configuration() {
        let target = Target { impersonate: Some("jane".into()), ..Target::default() };
        assert_eq!(loaded(TWO_CONTEXTS, target).await.unwrap().config.auth_info.impersonate.as_deref(), Some("jane"));
    }
}
