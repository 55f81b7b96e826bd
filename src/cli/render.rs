//! `driftdeck render`: the desired objects as YAML, in apply order, Secrets masked.

use super::{
    args::RenderArgs,
    error::CliError,
    exit::Exit,
    output::{Format, Output, message, write_out},
    session::Context,
};
use crate::{
    object::{Severity, mask_secret, to_yaml},
    render::{self, Cache, FolderTree, Options, Rendered},
};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: &RenderArgs, context: &Context) -> Result<Exit, CliError> {
    if let Some(folder) = &args.path {
        let rendered = folder_on_disk(folder, args, context)?;
        if args.raw {
            return raw(&rendered);
        }
        return print(&rendered, context.out);
    }
    let names: Vec<String> = args.application.iter().cloned().collect();
    let session = context.open(&names, false)?;
    let name = session.applications.first().map(String::as_str).unwrap_or_default();
    let rendered =
        session.until_signal(async { Ok(session.engine.render(name, args.revision.as_deref()).await?) }).await;
    session.engine.shutdown().await;
    let rendered: Arc<Rendered> = rendered?;
    print(&rendered, context.out)
}

fn folder_on_disk(folder: &Path, args: &RenderArgs, context: &Context) -> Result<Arc<Rendered>, CliError> {
    let failed = |error: &dyn std::fmt::Display| CliError::Failed(error.to_string());
    let folder = folder.canonicalize().map_err(|error| CliError::Failed(format!("{}: {error}", folder.display())))?;
    // a kustomization may refer to folders beside it: the tree is the whole repository, where there is one
    let root = folder.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(&folder);
    let path = folder.strip_prefix(root).map_err(|error| failed(&error))?.to_string_lossy().replace('\\', "/");
    let tree = FolderTree::open(root).map_err(|error| failed(&error))?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut options = Options { renderer: args.renderer, recurse: true, application: name, ..Options::default() };
    options.helm.include_crds = true;
    context.paths.create().map_err(|error| failed(&error))?;
    let scratch = context.paths.cache.join("render");
    std::fs::create_dir_all(&scratch).map_err(|error| failed(&error))?;
    render::render(&tree, &path, &options, &scratch, &Cache::default()).map_err(|error| failed(&error))
}

fn raw(rendered: &Rendered) -> Result<Exit, CliError> {
    if rendered.raw.is_empty() && rendered.renderer == render::Renderer::Yaml {
        return Err(CliError::usage(
            "--raw: plain YAML has no renderer whose bytes could be printed",
            "leave --raw out",
        ));
    }
    write_out(&rendered.raw)?;
    Ok(told(rendered))
}

fn print(rendered: &Rendered, out: Output) -> Result<Exit, CliError> {
    let objects: Vec<Value> = rendered.manifests.iter().map(|manifest| mask_secret(&manifest.read())).collect();
    match out.format {
        // what kubectl reads: a stream of objects as YAML, a List as JSON
        Format::Json => out.value(&json!({ "apiVersion": "v1", "kind": "List", "items": objects }))?,
        Format::Text | Format::Yaml => {
            let mut text = out.text();
            for object in &objects {
                text.plain("---\n").plain(&to_yaml(object));
            }
            out.print(text)?;
        }
    }
    Ok(told(rendered))
}

/// Tells what is wrong on standard error; an object that could not be read makes it an error.
fn told(rendered: &Rendered) -> Exit {
    for issue in &rendered.issues {
        let word = if issue.severity == Severity::Error { "error" } else { "warning" };
        let line = issue.line.map(|line| format!(":{line}")).unwrap_or_default();
        let place = issue.path.as_ref().map(|path| format!("{path}{line}: ")).unwrap_or_default();
        message(&format!("{word}: {place}{}", issue.message));
    }
    let broken = rendered.issues.iter().any(|issue| issue.severity == Severity::Error);
    if broken { Exit::Error } else { Exit::Done }
}
