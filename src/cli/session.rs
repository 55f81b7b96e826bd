//! A configuration and an engine on it, for one command.

use super::{args::Global, error::CliError, exit::Exit, output::message};
use crate::{
    config::{Config, Paths, nearest},
    engine::{Engine, EngineError, Options},
};
use std::future::Future;

/// What every command gets.
#[derive(Clone, Debug)]
pub struct Context {
    /// Flags of every command.
    pub global: Global,
    /// The user's folders.
    pub paths: Paths,
    /// Where results go.
    pub out: super::output::Output,
}

impl Context {
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`CliError::Config`].
    pub fn config(&self) -> Result<Config, CliError> {
        Ok(Config::load(&self.paths.config_file)?)
    }
    /// Returns `--write` or `--read-only`, if either was given.
    pub fn write(&self) -> Option<bool> {
        match (self.global.write, self.global.read_only) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }
    /// Returns how engines are started for these flags.
    pub fn options(&self) -> Options {
        Options {
            kubeconfig: self.global.kubeconfig.clone(),
            context: self.global.context.clone(),
            impersonate: self.global.impersonate.clone(),
            write: self.write(),
            follow: false,
            only: Vec::new(),
            unused: false,
        }
    }
    /// Starts an engine for some applications (none: all), each of which must be configured.
    ///
    /// # Errors
    /// [`EngineError::NoSuchApplication`], [`CliError::Config`].
    pub fn open(&self, applications: &[String], follow: bool) -> Result<Session, CliError> {
        self.open_with(self.config()?, applications, follow)
    }
    /// As [`Context::open`], on a configuration that was already read.
    ///
    /// # Errors
    /// [`EngineError::NoSuchApplication`].
    pub fn open_with(&self, config: Config, applications: &[String], follow: bool) -> Result<Session, CliError> {
        let mut names: Vec<String> = Vec::new();
        for name in applications {
            if config.application(name).is_none() {
                let known = config.applications.iter().map(|application| application.name.as_str());
                let hint = nearest(name, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                return Err(EngineError::NoSuchApplication { name: name.clone(), hint }.into());
            }
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let only = names.clone();
        if names.is_empty() {
            names = config.applications.iter().map(|application| application.name.clone()).collect();
        }
        let engine = Engine::start(config.clone(), self.paths.clone(), Options { follow, only, ..self.options() });
        Ok(Session { config, engine, applications: names })
    }
    /// Starts an engine that asks everything in a configuration once, repositories and clusters that no application uses too.
    pub fn open_everything(&self, config: Config) -> Session {
        let applications = config.applications.iter().map(|application| application.name.clone()).collect();
        let options = Options { unused: true, ..self.options() };
        Session { engine: Engine::start(config.clone(), self.paths.clone(), options), config, applications }
    }
}

/// A running engine and the applications that a command is about.
pub struct Session {
    /// The configuration.
    pub config: Config,
    /// The engine.
    pub engine: Engine,
    /// Names, as they were given, each once; all where none were given.
    pub applications: Vec<String>,
}

impl Session {
    /// Runs something to its end, or to a signal: then the engine is shut down first.
    ///
    /// # Errors
    /// Its own, or [`CliError::Interrupted`].
    pub async fn until_signal<T>(&self, work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
        tokio::select! {
            biased;
            () = signal() => {
                self.engine.shutdown().await;
                Err(CliError::Interrupted)
            }
            done = work => done,
        }
    }
}

/// Separates what worked; one application is its error, of several the errors are told and the rest goes on.
///
/// # Errors
/// The error of a single application.
pub fn each<T>(names: &[String], results: Vec<Result<T, EngineError>>) -> Result<(Vec<T>, Vec<Exit>), CliError> {
    let (mut fine, mut exits) = (Vec::new(), Vec::new());
    for (name, result) in names.iter().zip(results) {
        match result {
            Ok(value) => fine.push(value),
            Err(error) if names.len() == 1 => return Err(error.into()),
            Err(error) => {
                let error = CliError::from(error);
                message(&format!("error: {name}: {error}"));
                exits.push(error.exit());
            }
        }
    }
    Ok((fine, exits))
}

/// Waits for ctrl-c, SIGTERM or SIGHUP.
pub async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let wait = |kind: SignalKind| async move {
            match signal(kind) {
                Ok(mut signal) => {
                    signal.recv().await;
                }
                // without a handler the signal ends the process by itself
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wait(SignalKind::interrupt()) => {}
            () = wait(SignalKind::terminate()) => {}
            () = wait(SignalKind::hangup()) => {}
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
