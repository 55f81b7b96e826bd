//! `sandbox`: a Kubernetes API in this process. Headless so far: it prints where it is and serves until a signal stops it.

use super::{CliError, Context, Exit, args::SandboxArgs};
use crate::sandbox::{Options, Sandbox};
use std::{
    io::Write,
    path::{Path, PathBuf},
};

pub(super) async fn run(args: &SandboxArgs, context: &Context) -> Result<Exit, CliError> {
    if args.apps.is_some() || args.objects.is_some() {
        return Err(CliError::Usage {
            message: "`driftdeck sandbox --apps` and `--objects` are not part of this version yet; nothing was done"
                .into(),
            hint: None,
        });
    }
    if !args.headless {
        return Err(CliError::usage(
            "`driftdeck sandbox` without --headless, the console on it, is not part of this version yet; nothing was done",
            "driftdeck sandbox --headless serves the API alone",
        ));
    }
    let dir = args.dir.clone().unwrap_or_else(|| context.paths.data.join("sandbox"));
    let dir = std::path::absolute(&dir).map_err(|error| CliError::Failed(format!("{}: {error}", dir.display())))?;
    let options = Options { dir: dir.clone(), port: args.port, fresh: args.fresh };
    let sandbox = Sandbox::start(options).await.map_err(|error| CliError::Failed(error.to_string()))?;
    let config = write_config(&dir, sandbox.kubeconfig())?;
    let lines = format!(
        "export KUBECONFIG={} DRIFTDECK_CONFIG={}\n",
        quoted(&sandbox.kubeconfig().display().to_string()),
        quoted(&config.display().to_string()),
    );
    let mut out = std::io::stdout();
    let printed = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
    let stopped = match printed {
        Ok(()) => stopped().await.map_err(|error| CliError::Failed(format!("signals: {error}"))),
        Err(error) => Err(CliError::Output(error)),
    };
    sandbox.stop().await;
    stopped.map(|()| Exit::Done)
}

/// A configuration with the sandbox as its cluster; one that is there is somebody's own by now.
fn write_config(dir: &Path, kubeconfig: &Path) -> Result<PathBuf, CliError> {
    let path = dir.join("config.toml");
    if !path.exists() {
        let kubeconfig = toml::Value::from(kubeconfig.display().to_string());
        let text = format!("[[cluster]]\nname = \"sandbox\"\nkubeconfig = {kubeconfig}\ncontext = \"admin\"\n");
        std::fs::write(&path, text).map_err(|error| CliError::Failed(format!("{}: {error}", path.display())))?;
    }
    Ok(path)
}

/// As a shell reads it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// Waits for a signal that asks to stop.
async fn stopped() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}
