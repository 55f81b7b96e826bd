//! `driftdeck plan`: what a sync would do, and the digest that approves exactly that.

use super::{
    args::PlanArgs,
    digest,
    error::CliError,
    exit::Exit,
    order::by_dependency,
    output::{Document, Output, Style, Text},
    plan_file,
    session::{Context, Session, each},
    unified,
};
use crate::engine::{Action, Choices, Confirmation, Counts, ObjectState, Plan};
use serde::Serialize;
use std::sync::Arc;

/// The plans of several applications, in the order in which they would be carried out.
#[derive(Serialize)]
pub struct Plans<'a> {
    items: Vec<Document<&'a Plan>>,
    digest: String,
}

impl<'a> Plans<'a> {
    /// Puts plans together under one digest.
    pub fn new(plans: &'a [Arc<Plan>]) -> Self {
        let issued = plans.iter().filter_map(|plan| plan.digest.split_once('@')).map(|(_, issued)| issued);
        // the oldest of them: the approval may not outlive any
        let issued = issued.min().map(|issued| format!("@{issued}")).unwrap_or_default();
        let hash = digest::of_list(plans.iter().map(|plan| plan.digest_hash()));
        Self {
            items: plans.iter().map(|plan| Document::new("Plan", plan.as_ref())).collect(),
            digest: format!("{hash}{issued}"),
        }
    }
}

/// Returns the digest that approves these plans: of one its own, of several the digest over theirs.
pub fn digest_of(plans: &[Arc<Plan>]) -> String {
    match plans {
        [plan] => plan.digest.clone(),
        plans => Plans::new(plans).digest,
    }
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: &PlanArgs, context: &Context) -> Result<Exit, CliError> {
    let choices = args.choices.resolve()?;
    let session = context.open(&args.applications, false)?;
    let done = session.until_signal(make(args, &choices, &session, context.out)).await;
    session.engine.shutdown().await;
    done
}

async fn make(args: &PlanArgs, choices: &Choices, session: &Session, out: Output) -> Result<Exit, CliError> {
    let names = by_dependency(&session.config, &session.applications);
    let results = futures::future::join_all(names.iter().map(|name| session.engine.plan(name, choices))).await;
    let (plans, errors) = each(&names, results)?;
    let complete = errors.is_empty();
    if out.is_text() {
        let mut text = out.text();
        for plan in &plans {
            show(&mut text, plan);
        }
        if complete {
            approval(&mut text, &plans, args);
        }
        out.print(text)?;
    } else if names.len() == 1 {
        plans.iter().try_for_each(|plan| out.document("Plan", plan.as_ref()))?;
    } else {
        out.document("PlanList", Plans::new(&plans))?;
    }
    if let Some(path) = &args.out {
        if !complete {
            return Err(CliError::Failed(format!(
                "{}: not written, because not every plan could be made",
                path.display()
            )));
        }
        let document = match plans.as_slice() {
            [plan] => serde_json::to_value(Document::new("Plan", plan.as_ref())),
            plans => serde_json::to_value(Document::new("PlanList", Plans::new(plans))),
        };
        let document = document.map_err(|error| CliError::Failed(format!("{}: {error}", path.display())))?;
        plan_file::write(path, document, choices)?;
    }
    Ok(Exit::worst(plans.iter().map(|plan| exit(plan)).chain(errors)))
}

/// Returns what a plan means for the exit code.
fn exit(plan: &Plan) -> Exit {
    let comparison = &plan.comparison;
    if comparison.has_errors() || comparison.count(ObjectState::Unknown) > 0 {
        Exit::Error
    } else if plan.steps.is_empty() {
        Exit::Done
    } else {
        Exit::Different
    }
}

/// Adds one plan for people.
pub fn show(text: &mut Text, plan: &Plan) {
    let comparison = &plan.comparison;
    let short = |commit: Option<crate::git::CommitId>| commit.map_or_else(|| "nothing".into(), |commit| commit.short());
    text.put(Style::Bold, &format!("Plan {} -> {}", comparison.application, comparison.cluster))
        .plain(&format!("  from {} to {}", short(comparison.base), short(comparison.revision)))
        .end();
    let rows: Vec<_> = plan
        .steps
        .iter()
        .map(|step| {
            let verified = match (step.verified, plan.approvable) {
                (true, _) => "",
                (false, true) => "not verified: it needs what this plan creates",
                // The plan's reason, below, says why.
                (false, false) => "not verified",
            };
            vec![
                (Style::Dim, format!("  {}", step.index)),
                (Style::Dim, format!("wave {}", step.wave)),
                (style(step.action), word(step.action).to_owned()),
                (Style::Plain, step.object.clone()),
                (Style::Dim, verified.to_owned()),
            ]
        })
        .collect();
    text.columns(&rows);
    text.plain(&format!("  {}", counts(&plan.counts))).end();
    for warning in &plan.warnings {
        let object = if warning.object.is_empty() { String::new() } else { format!("{}: ", warning.object) };
        let typed = if warning.typed { " (the application's name must be typed)" } else { "" };
        text.put(Style::Yellow, &format!("  ! {object}{}{typed}", warning.message)).end();
    }
    unified::issues(text, &comparison.issues);
    for object in comparison.objects.iter().filter(|object| object.error.is_some()) {
        let error = object.error.as_deref().unwrap_or_default();
        text.put(Style::Red, &format!("  ? {}: {error}", object.id())).end();
    }
    if !plan.approvable && !plan.steps.is_empty() {
        let reason = plan.reason.as_deref().unwrap_or("no reason is given");
        text.put(Style::Red, &format!("  cannot be approved: {reason}")).end();
    }
}

fn approval(text: &mut Text, plans: &[Arc<Plan>], args: &PlanArgs) {
    if plans.iter().all(|plan| plan.steps.is_empty()) {
        text.plain("nothing to do").end();
        return;
    }
    let digest = digest_of(plans);
    text.plain(&format!("digest  {digest}")).end();
    if plans.iter().any(|plan| !plan.approvable && !plan.steps.is_empty()) {
        return;
    }
    let names: Vec<&str> = plans.iter().map(|plan| plan.comparison.application.as_str()).collect();
    let typed = plans.iter().filter(|plan| plan.confirmation == Confirmation::Typed);
    let confirm: String = typed.map(|plan| format!(" --confirm {}", plan.comparison.application)).collect();
    text.plain(&format!(
        "approve driftdeck --write sync {}{} --approve {digest}{confirm}",
        names.join(" "),
        args.choices.flags()
    ))
    .end();
}

/// Returns the counts as the console writes them.
pub fn counts(counts: &Counts) -> String {
    let Counts { create, update, adopt, replace, remove_extra, prune, hook, unchanged } = counts;
    let mut out = format!("+ create {create}  ~ update {update}  - prune {prune}  = unchanged {unchanged}");
    for (word, count) in [("adopt", adopt), ("replace", replace), ("remove-extra", remove_extra), ("hook", hook)] {
        if *count > 0 {
            out.push_str(&format!("  {word} {count}"));
        }
    }
    out
}

/// Returns how many steps there are.
pub fn total(counts: &Counts) -> usize {
    let Counts { create, update, adopt, replace, remove_extra, prune, hook, unchanged: _ } = counts;
    create + update + adopt + replace + remove_extra + prune + hook
}

fn word(action: Action) -> &'static str {
    match action {
        Action::None => "none",
        Action::Create => "create",
        Action::Update => "update",
        Action::Adopt => "adopt",
        Action::Replace => "replace",
        Action::RemoveExtra => "remove-extra",
        Action::Prune => "prune",
    }
}

fn style(action: Action) -> Style {
    match action {
        Action::Create => Style::Green,
        Action::Prune | Action::Replace => Style::Red,
        _ => Style::Yellow,
    }
}
