//! `driftdeck revert`: writes a commit that undoes another into the mirror, and pushes it when exactly it is approved.

use super::{
    args::{RevertArgs, Target},
    error::CliError,
    exit::Exit,
    output::{Output, Style, message},
    plan::counts,
    session::{Context, Session},
};
use crate::engine::{GitChange, RevertTarget};
use std::sync::Arc;

/// Runs the command.
///
/// # Errors
/// [`CliError`]; where it is a refusal, nothing was pushed.
pub async fn run(args: &RevertArgs, context: &Context) -> Result<Exit, CliError> {
    let config = context.config()?;
    let cluster = config.cluster_of(&args.application);
    if !args.dry_run
        && let Some(cluster) = cluster
        && !context.write().unwrap_or(cluster.write)
    {
        return Err(CliError::refused(
            format!("{}: cluster {} is read-only; nothing was pushed", args.application, cluster.name),
            "add --write, or write = true in the cluster's section; --dry-run shows what would be pushed",
        ));
    }
    let session = context.open_with(config, std::slice::from_ref(&args.application), false)?;
    let change = session.until_signal(revert(args, &session)).await;
    session.engine.shutdown().await;
    let change = change?;
    if context.out.is_text() {
        print(&change, context.out)?;
    } else {
        context.out.document("GitChange", change.as_ref())?;
    }
    Ok(told(args, &change))
}

async fn revert(args: &RevertArgs, session: &Session) -> Result<Arc<GitChange>, CliError> {
    let target = match args.to {
        Target::Branch => RevertTarget::Branch,
        Target::Review => RevertTarget::Review,
    };
    if let Some(approved) = args.approve {
        return Ok(session.engine.push(&args.application, &args.commit, approved, target).await?);
    }
    let change = session.engine.revert(&args.application, &args.commit, args.parent, target).await?;
    match change.commit {
        Some(commit) if args.yes => Ok(session.engine.push(&args.application, &args.commit, commit, target).await?),
        _ => Ok(change),
    }
}

/// Tells on standard error what the change means, and returns the exit code for it.
fn told(args: &RevertArgs, change: &GitChange) -> Exit {
    let name = &args.application;
    if !change.conflicts.is_empty() {
        message(&format!(
            "error: {name}: {} conflicts in {}: they were changed again since; nothing was written\nHint: revert the later commits first, or resolve it in a work tree",
            args.commit,
            change.conflicts.join(", ")
        ));
        return Exit::Error;
    }
    match change.commit {
        None => message(&format!(
            "{name}: {} already is as if {} had never been: nothing to do",
            change.branch, args.commit
        )),
        Some(commit) if !change.pushed => {
            let to = if args.to == Target::Review { " --to review" } else { "" };
            message(&format!(
                "not pushed; approve exactly this commit with: driftdeck --write revert {name} {}{to} --approve {commit}",
                args.commit
            ));
        }
        Some(_) => message(&format!(
            "{name}: pushed to {}; the cluster was not touched, plan and sync it by itself",
            change.branch
        )),
    }
    Exit::Done
}

fn print(change: &GitChange, out: Output) -> Result<(), CliError> {
    let mut text = out.text();
    if let Some(commit) = change.commit {
        text.put(Style::Yellow, &format!("commit {commit}")).end();
        text.plain(&format!("Branch: {}{}", change.branch, if change.pushed { " (pushed)" } else { "" })).end();
        if !change.author.is_empty() {
            text.plain(&format!("Author: {}", change.author)).end();
        }
        text.end();
        for line in change.message.trim_end().lines() {
            text.plain(&format!("    {line}")).end();
        }
        text.end();
    }
    for file in &change.files {
        text.put(Style::Bold, &format!("# {:?} {}", file.status, file.path).to_lowercase()).end();
        for line in file.patch.lines() {
            let style = match line.as_bytes().first() {
                Some(b'+') => Style::Green,
                Some(b'-') => Style::Red,
                Some(b'@') => Style::Cyan,
                _ => Style::Plain,
            };
            text.put(style, line).end();
        }
    }
    if change.commit.is_some() {
        text.plain(&format!("if applied: {}", counts(&change.plan))).end();
        if let Some(error) = &change.plan_error {
            text.put(Style::Yellow, &format!("  not known: {error}")).end();
        }
    }
    if let Some(url) = &change.url {
        text.plain(&format!("open a pull request: {url}")).end();
    }
    out.print(text)
}
