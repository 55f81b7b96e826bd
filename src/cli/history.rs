//! `driftdeck history`: commits that touch an application, and what was applied when, by whom.

use super::{
    age,
    args::HistoryArgs,
    error::CliError,
    exit::Exit,
    output::{Output, Style},
    session::Context,
};
use crate::engine::{CommitRow, History};

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: &HistoryArgs, context: &Context) -> Result<Exit, CliError> {
    let session = context.open(std::slice::from_ref(&args.application), false)?;
    let limit = (args.limit > 0).then_some(args.limit);
    let history = session
        .until_signal(async { Ok(session.engine.history(&args.application, limit, args.first_parent).await?) })
        .await;
    session.engine.shutdown().await;
    let history = history?;
    if context.out.is_text() {
        print(&history, context.out)?;
    } else {
        context.out.document("History", history.as_ref())?;
    }
    Ok(Exit::Done)
}

fn print(history: &History, out: Output) -> Result<(), CliError> {
    let rows: Vec<_> = history.commits.iter().map(row).collect();
    let mut text = out.text();
    text.columns(&rows);
    out.print(text)
}

fn row(commit: &CommitRow) -> Vec<(Style, String)> {
    let applied = match commit.applied.first() {
        Some(applied) => {
            let outcome = applied.outcome.map_or_else(|| "running".into(), |outcome| format!("{outcome:?}"));
            format!("{outcome} {} ago by {}", age::since(applied.time), applied.by)
        }
        None => "-".into(),
    };
    let mut notes = Vec::new();
    notes.extend(commit.reverts.map(|id| format!("reverts {}", id.short())));
    notes.extend(commit.reverted_by.map(|id| format!("reverted by {}", id.short())));
    if commit.pinned {
        notes.push("pinned".into());
    }
    if !commit.refs.is_empty() {
        notes.push(format!("({})", commit.refs.join(", ")));
    }
    vec![
        (Style::Yellow, commit.id.short()),
        (Style::Plain, commit.subject.clone()),
        (Style::Plain, commit.author.name.clone()),
        (Style::Dim, age::since(commit.time)),
        (Style::Plain, applied),
        (Style::Dim, notes.join(" ")),
    ]
}
