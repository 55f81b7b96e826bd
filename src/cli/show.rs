//! `driftdeck show`: a commit's rendered change, and its effect on the live cluster.

use super::{
    args::ShowArgs,
    error::CliError,
    exit::Exit,
    output::{Output, Style},
    plan::{counts, total},
    session::Context,
    unified,
};
use crate::engine::{CommitEffect, ObjectState};

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: &ShowArgs, context: &Context) -> Result<Exit, CliError> {
    let session = context.open(std::slice::from_ref(&args.application), false)?;
    let effect =
        session.until_signal(async { Ok(session.engine.effect(&args.application, &args.revision).await?) }).await;
    session.engine.shutdown().await;
    let effect = effect?;
    if context.out.is_text() {
        print(&effect, context.out)?;
    } else {
        context.out.document("CommitEffect", effect.as_ref())?;
    }
    Ok(exit(&effect))
}

fn exit(effect: &CommitEffect) -> Exit {
    let unknown = effect.live.objects.iter().any(|object| object.state == ObjectState::Unknown);
    if effect.live.error.is_some() || unknown {
        Exit::Error
    } else if total(&effect.live.counts) > 0 {
        Exit::Different
    } else {
        Exit::Done
    }
}

fn print(effect: &CommitEffect, out: Output) -> Result<(), CliError> {
    let commit = &effect.commit;
    let mut text = out.text();
    text.put(Style::Yellow, &format!("commit {}", commit.id)).end();
    text.plain(&format!("Author: {} <{}>", commit.author.name, commit.author.email)).end();
    text.plain(&format!("Date:   {}", commit.time)).end().end();
    let whole = if effect.message.trim().is_empty() { &commit.subject } else { &effect.message };
    for line in whole.trim_end().lines() {
        text.plain(&format!("    {line}")).end();
    }
    text.end();
    for file in &effect.files {
        text.put(Style::Dim, &format!("# {:?} {}", file.status, file.path).to_lowercase()).end();
    }
    if effect.rendered.is_empty() {
        text.plain("no rendered object changes").end();
    }
    let parent = commit.parents.first().map_or_else(|| "nothing".into(), |parent| parent.short());
    let sides = unified::Sides { from: parent, to: commit.id.short() };
    for rendered in &effect.rendered {
        unified::object(&mut text, &rendered.object, &sides, 3);
    }
    match &effect.live.error {
        Some(error) => text.put(Style::Red, &format!("if applied now: cannot be computed: {error}")).end(),
        None => text.plain(&format!("if applied now: {}", counts(&effect.live.counts))).end(),
    };
    for applied in &commit.applied {
        let outcome = applied.outcome.map_or_else(|| "running".into(), |outcome| format!("{outcome:?}"));
        text.plain(&format!("applied {} by {}: {outcome}", applied.time, applied.by)).end();
    }
    out.print(text)
}
