//! `driftdeck diff`: what Git says against what the cluster runs.

use super::{
    args::DiffArgs,
    error::CliError,
    exit::Exit,
    output::{List, Output, message},
    session::{Context, Session, each},
    unified,
};
use crate::{
    engine::{ApplicationState, Comparison, EngineError, ObjectState},
    git::CommitId,
};
use std::sync::Arc;

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: &DiffArgs, context: &Context) -> Result<Exit, CliError> {
    if args.path.is_some() && args.applications.len() > 1 {
        return Err(CliError::usage("--path is the folder of one application", "name one application"));
    }
    let session = context.open(&args.applications, false)?;
    let done = session.until_signal(compare(args, &session, context.out)).await;
    session.engine.shutdown().await;
    done
}

async fn compare(args: &DiffArgs, session: &Session, out: Output) -> Result<Exit, CliError> {
    let one = async |name: &String| -> Result<Arc<Comparison>, EngineError> {
        match &args.path {
            Some(folder) => session.engine.compare_folder(name, folder).await,
            None => session.engine.compare(name, args.revision.as_deref()).await,
        }
    };
    let results = futures::future::join_all(session.applications.iter().map(one)).await;
    let (comparisons, errors) = each(&session.applications, results)?;
    if out.is_text() {
        let mut text = out.text();
        for comparison in &comparisons {
            let to = match (comparison.revision, &args.path) {
                (_, Some(folder)) => folder.display().to_string(),
                (revision, None) => revision.as_ref().map_or_else(|| "Git".into(), CommitId::short),
            };
            let sides = unified::Sides { from: format!("live {}", comparison.cluster), to };
            unified::issues(&mut text, &comparison.issues);
            for object in &comparison.objects {
                unified::object(&mut text, object, &sides, args.context_lines);
                if args.extras || unified::is_changed_by_extras(object) {
                    unified::extras(&mut text, object);
                }
            }
            if exit(comparison) == Exit::Done {
                message(&format!("{}: no difference between {} and {}", comparison.application, sides.to, sides.from));
            }
        }
        out.print(text)?;
    } else if session.applications.len() == 1 {
        comparisons.iter().try_for_each(|comparison| out.document("Comparison", comparison.as_ref()))?;
    } else {
        out.document("ComparisonList", List::new("Comparison", comparisons.iter().map(AsRef::as_ref)))?;
    }
    Ok(Exit::worst(comparisons.iter().map(|comparison| exit(comparison)).chain(errors)))
}

/// Returns what a comparison means for the exit code.
fn exit(comparison: &Comparison) -> Exit {
    if comparison.has_errors() || comparison.count(ObjectState::Unknown) > 0 {
        return Exit::Error;
    }
    match comparison.state {
        ApplicationState::Synced => Exit::Done,
        ApplicationState::Unknown => Exit::Error,
        _ => Exit::Different,
    }
}
