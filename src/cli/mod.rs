//! The command line: one file per command. Everything the console can do, the command line can do too.
//!
//! See [`run`] for the entry point. Results go to standard output, everything else to standard error.

pub mod args;

mod age;
mod check;
mod choices;
mod completions;
mod diff;
mod digest;
mod discover;
mod error;
mod exit;
mod history;
mod init;
mod keys;
mod man;
mod order;
mod output;
mod plan;
mod plan_file;
mod progress;
mod render;
mod revert;
mod rights;
mod sandbox;
#[cfg(test)]
mod schema;
mod session;
mod show;
mod status;
mod sync;
mod unified;
mod wait;

pub use discover::{describe, found_here};
pub use error::CliError;
pub use exit::Exit;
pub use output::{Format, Output, message};
pub use session::Context;
pub use status::{Status, StatusCounts};

use args::Command;

/// Runs one command. `actions` is the console's table of actions, which `keys` prints.
///
/// # Errors
/// [`CliError`]; nothing has been printed about it.
pub async fn run(command: Command, context: &Context, actions: fn() -> serde_json::Value) -> Result<Exit, CliError> {
    match command {
        Command::Init(args) => init::run(&args, context),
        Command::Check => check::run(context).await,
        Command::Status(args) => status::run(&args, context).await,
        Command::Render(args) => render::run(&args, context).await,
        Command::Diff(args) => diff::run(&args, context).await,
        Command::Plan(args) => plan::run(&args, context).await,
        Command::Sync(args) => sync::run(&args, context).await,
        Command::History(args) => history::run(&args, context).await,
        Command::Show(args) => show::run(&args, context).await,
        Command::Revert(args) => revert::run(&args, context).await,
        Command::Sandbox(args) => sandbox::run(&args, context).await,
        Command::Keys => keys::run(&actions(), context),
        Command::Completions { shell } => completions::run(shell),
        Command::Man => man::run(),
        Command::Pin(_)
        | Command::Unpin(_)
        | Command::Undo(_)
        | Command::Pause(_)
        | Command::Resume(_)
        | Command::AutoSync(_)
        | Command::Adopt(_)
        | Command::Uninstall(_) => Err(CliError::Usage {
            message: format!("`driftdeck {}` is not part of this version yet; nothing was done", command.name()),
            hint: None,
        }),
    }
}

/// Tells an error on standard error: what it is, what caused it, and what to do.
pub fn report(error: &CliError) {
    if error.is_silent() {
        return;
    }
    let mut text = format!("error: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(&format!("\n  caused by: {cause_text}"));
        }
        source = cause.source();
    }
    if let Some(hint) = error.hint() {
        text.push_str(&format!("\nHint: {hint}"));
    }
    message(&text);
}
