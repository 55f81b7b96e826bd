//! `driftdeck completions`: a completion script for a shell.

use super::{args::Cli, error::CliError, exit::Exit, output::write_out};
use clap::CommandFactory;

/// Prints the script.
///
/// # Errors
/// [`CliError::Output`].
pub fn run(shell: clap_complete::Shell) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "driftdeck", &mut script);
    write_out(&script)?;
    Ok(Exit::Done)
}
