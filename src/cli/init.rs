//! `driftdeck init`: a first configuration from what is found.

use super::{
    args::InitArgs,
    discover::{describe, found_here},
    error::CliError,
    exit::Exit,
    output::message,
    session::Context,
};
use crate::config::init;
use serde_json::json;

/// Runs the command.
///
/// # Errors
/// [`CliError::Config`] where the file exists already or cannot be written.
pub fn run(args: &InitArgs, context: &Context) -> Result<Exit, CliError> {
    let found = found_here(context.global.kubeconfig.as_deref());
    let path = &context.paths.config_file;
    init::write(path, &init::propose(&found), args.force)?;
    let contexts = found.contexts.len();
    let folders = found.repository.as_ref().map_or(0, |repository| repository.folders.len());
    if context.out.is_text() {
        let mut text = context.out.text();
        text.plain(&format!("wrote {}", path.display())).end();
        context.out.print(text)?;
    } else {
        context.out.value(&json!({ "path": path, "contexts": contexts, "folders": folders }))?;
    }
    message(&format!("found {}", describe(&found)));
    message("read it, change what is wrong, then run `driftdeck check`");
    Ok(Exit::Done)
}
