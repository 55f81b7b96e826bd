//! Arguments, logging, exit codes; nothing else.

use clap::Parser;
use driftdeck::{
    cli::{
        self, CliError, Context, Exit, Output,
        args::{Cli, Command, Global, LogLevel},
    },
    config::{Config, ConfigError, Paths, fix_clock},
    console::{self, RunOptions},
    engine::{Engine, Options},
    object::panic_is_caught,
};
use std::{path::Path, process::ExitCode};
use tikv_jemallocator::Jemalloc;
use tracing_appender::{
    non_blocking::WorkerGuard,
    rolling::{RollingFileAppender, Rotation},
};

/// Comparing is allocating, from several threads. The system's allocator takes a fifth more of the processor for it, and keeps what a
/// first look at a large fleet took; this one gives it back within seconds, from a thread of its own.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Days whose logs are kept.
const LOGS: usize = 7;

fn main() -> ExitCode {
    quiet_caught_panics();
    no_core_dumps();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // help and version are no errors; a reader that went away is none either
            let _ = error.print();
            return exit(if error.use_stderr() { Exit::Usage } else { Exit::Done });
        }
    };
    match start(cli) {
        Ok(code) => exit(code),
        Err(error) => {
            cli::report(&error);
            exit(error.exit())
        }
    }
}

/// A library's panic that its caller turns into an error is no news for standard error.
fn quiet_caught_panics() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !panic_is_caught() {
            tell(info);
        }
    }));
}

/// A core dump would put Secrets' values on disk.
fn no_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // Where the system refuses, the limit that is in force stays.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

fn exit(exit: Exit) -> ExitCode {
    ExitCode::from(exit.code())
}

fn start(cli: Cli) -> Result<Exit, CliError> {
    let given = |name: &str| std::env::var(name).ok();
    fix_clock(given).map_err(|message| CliError::Usage { message, hint: None })?;
    let paths = Paths::find(cli.global.config.as_deref()).map_err(CliError::Failed)?;
    let _log = if cli.command.as_ref().is_some_and(Command::is_static) { None } else { log(&paths, cli.global.log) };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::Failed(format!("no threads for the runtime: {error}")))?;
    let out = Output::new(cli.global.output);
    let context = Context { global: cli.global, paths, out };
    let result = match cli.command {
        Some(command) => {
            tracing::info!(command = command.name(), version = env!("CARGO_PKG_VERSION"), "start");
            runtime.block_on(cli::run(command, &context, actions))
        }
        None => runtime.block_on(run_console(&context)),
    };
    match &result {
        Ok(exit) => tracing::info!(code = exit.code(), "end"),
        // the message may quote what a server said, and is on the screen: the log has the code alone
        Err(error) => tracing::info!(code = error.exit().code(), "end"),
    }
    // a clone that blocks in a system call must not hold up the way out
    runtime.shutdown_background();
    result
}

/// The console's table of actions, as `keys` prints it.
fn actions() -> serde_json::Value {
    serde_json::json!(console::actions())
}

async fn run_console(context: &Context) -> Result<Exit, CliError> {
    let config = match Config::load(&context.paths.config_file) {
        Ok(config) => config,
        Err(ConfigError::Missing(path)) => return Err(first_run(&context.global, &path)),
        Err(error) => return Err(error.into()),
    };
    context.paths.create().map_err(|error| CliError::Failed(error.to_string()))?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "start of the console");
    let options = Options { follow: true, ..context.options() };
    let engine = Engine::start(config.clone(), context.paths.clone(), options);
    let options = RunOptions { read_only: context.global.read_only, write: context.global.write };
    let done = console::run(engine.clone(), &config, &context.paths, options).await;
    engine.shutdown().await;
    done.map_err(|error| CliError::Failed(format!("the console: {error}")))?;
    Ok(Exit::Done)
}

/// Without a configuration there is nothing to show: says what was found, and how it becomes a configuration.
fn first_run(global: &Global, path: &Path) -> CliError {
    let found = cli::found_here(global.kubeconfig.as_deref());
    cli::message(&format!("found {}", cli::describe(&found)));
    cli::message("`driftdeck init` writes a configuration from that, to be read and changed; it writes nowhere else");
    ConfigError::Missing(path.to_owned()).into()
}

/// Logs into the state folder, one file a day; without a folder to write to there is no log, and a word about it.
fn log(paths: &Paths, level: LogLevel) -> Option<WorkerGuard> {
    let level = match level {
        LogLevel::Off => return None,
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    // made first: the appender writes to standard error when its folder is missing
    let appender = paths.create().map_err(|error| error.to_string()).and_then(|()| {
        RollingFileAppender::builder()
            .rotation(Rotation::DAILY)
            .filename_prefix("driftdeck")
            .filename_suffix("log")
            .max_log_files(LOGS)
            .build(&paths.state)
            .map_err(|error| error.to_string())
    });
    let (writer, guard) = match appender {
        Ok(appender) => tracing_appender::non_blocking(appender),
        Err(error) => {
            cli::message(&format!("no log is written: {error}"));
            return None;
        }
    };
    // other crates' chatter may hold headers and bodies, and with them tokens: their warnings at most
    let filter = tracing_subscriber::EnvFilter::new(format!("off,driftdeck={level},kube=error,gix=error,notify=error"));
    let logged = tracing_subscriber::fmt().with_writer(writer).with_ansi(false).with_env_filter(filter).try_init();
    logged.is_ok().then_some(guard)
}
