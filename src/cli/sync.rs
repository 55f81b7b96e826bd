//! `driftdeck sync`: carries out exactly an approved plan, or nothing.

use super::{
    args::SyncArgs,
    digest::Digest,
    error::CliError,
    exit::Exit,
    order::by_dependency,
    output::{List, Output, Style, message},
    plan::digest_of,
    plan_file,
    progress::{Progress, line},
    session::{Context, Session, each, signal},
};
use crate::{
    config::{self, Config},
    engine::{ApprovedPlan, Choices, EngineError, Issued, ObjectState, Outcome, Plan, SyncReport, Work},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// The engine itself leaves within 5 s of a signal.
const FAREWELL: Duration = Duration::from_secs(6);

/// What the plan that is computed now must be equal to; none: `--yes`.
type Approval = Option<Digest>;

/// Runs the command.
///
/// # Errors
/// [`CliError`]; where it is a refusal, nothing was written.
pub async fn run(args: &SyncArgs, context: &Context) -> Result<Exit, CliError> {
    let (choices, approval) = what_is_approved(args)?;
    let mut config = context.config()?;
    for application in &mut config.applications {
        application.timeout = args.timeout.unwrap_or(application.timeout);
    }
    let names = known(&config, &args.applications);
    guard(args, &approval, &config, &names, context)?;
    let session = context.open_with(config, &args.applications, false)?;
    let done = carry_out(args, &choices, &approval, &session, context.out).await;
    session.engine.shutdown().await;
    done
}

/// Reads CHOICES and the approval, from the command line or from a plan file.
fn what_is_approved(args: &SyncArgs) -> Result<(Choices, Approval), CliError> {
    let choices = args.choices.resolve()?;
    if let Some(name) = args.confirm.iter().find(|name| !args.applications.contains(name)) {
        return Err(CliError::usage(
            format!("--confirm {name}: that application is not synced here"),
            "type the name of one that is",
        ));
    }
    let Some(path) = &args.plan else { return Ok((choices, args.approve.clone())) };
    if !args.choices.is_empty() {
        return Err(CliError::usage("the plan file already holds its choices", "leave them out, or use --approve"));
    }
    let file = plan_file::read(path)?;
    let given: BTreeSet<String> = args.applications.iter().cloned().collect();
    if file.applications != given {
        let planned = file.applications.into_iter().collect::<Vec<_>>().join(" ");
        return Err(CliError::usage(
            format!("{} plans {planned}", path.display()),
            format!("name exactly these: {planned}"),
        ));
    }
    Ok((file.choices, Some(file.digest)))
}

fn known<'a>(config: &'a Config, names: &'a [String]) -> Vec<&'a str> {
    names.iter().map(String::as_str).filter(|name| config.application(name).is_some()).collect()
}

/// Refuses before anything is asked of a server: a read-only cluster, `--yes` on production, an old approval.
fn guard(
    args: &SyncArgs,
    approval: &Approval,
    config: &Config,
    names: &[&str],
    context: &Context,
) -> Result<(), CliError> {
    for name in names {
        let Some(cluster) = config.cluster_of(name) else { continue };
        if !context.write().unwrap_or(cluster.write) {
            return Err(CliError::refused(
                format!("{name}: cluster {} is read-only; nothing was written", cluster.name),
                "add --write, or write = true in the cluster's section",
            ));
        }
        if args.yes && cluster.production {
            return Err(CliError::refused(
                format!(
                    "{name}: --yes is refused for {}, which is a production cluster; nothing was written",
                    cluster.name
                ),
                format!("run `driftdeck plan {name}`, read it, and approve its digest"),
            ));
        }
        if let Some(digest) = approval {
            digest.check_age(config::now(), cluster.approval_ttl)?;
        }
    }
    Ok(())
}

async fn carry_out(
    args: &SyncArgs,
    choices: &Choices,
    approval: &Approval,
    session: &Session,
    out: Output,
) -> Result<Exit, CliError> {
    let plans = session
        .until_signal(async {
            let names = by_dependency(&session.config, &session.applications);
            let made = futures::future::join_all(names.iter().map(|name| session.engine.plan(name, choices))).await;
            match each(&names, made)? {
                (plans, errors) if errors.is_empty() => Ok(plans),
                _ => Err(CliError::Failed("not every plan could be made; nothing was written".into())),
            }
        })
        .await?;
    if let Some(digest) = approval
        && let Err(error) = digest.check_equal(&digest_of(&plans))
    {
        refuse_all(&plans, &error, out)?;
        return Err(error);
    }
    // Every plan is approved before the first is carried out: what one lacks must not show after another was written.
    let mut approved =
        match plans.iter().map(|plan| approve(args, plan, approval, session)).collect::<Result<Vec<_>, _>>() {
            Ok(approved) => approved.into_iter(),
            Err(error) => {
                refuse_all(&plans, &error, out)?;
                return Err(error);
            }
        };
    let mut reports: Vec<SyncReport> = Vec::new();
    let mut interrupted = false;
    let mut failure = None;
    for plan in &plans {
        match one(args, plan, approved.next().flatten(), session).await {
            Ok((report, stopped)) => {
                interrupted |= stopped;
                reports.push(report);
            }
            Err(error) => {
                if error.exit() == Exit::Refused {
                    reports.push(refused(plan, &error));
                }
                failure = Some(error);
            }
        }
        let stop = interrupted || failure.is_some() || reports.last().is_some_and(|last| exit(last) != Exit::Done);
        if stop {
            let rest = plans.iter().skip_while(|other| !Arc::ptr_eq(other, plan)).skip(1);
            for plan in rest {
                message(&format!("{}: not started", plan.comparison.application));
            }
            break;
        }
    }
    print(&reports, session.applications.len() == 1, out)?;
    match failure {
        // whatever came before it succeeded
        Some(error) => Err(error),
        None if interrupted => Ok(Exit::Interrupted),
        None => Ok(Exit::worst(reports.iter().map(exit))),
    }
}

/// Approves one plan; none: there is nothing to do.
fn approve(
    args: &SyncArgs,
    plan: &Arc<Plan>,
    approval: &Approval,
    session: &Session,
) -> Result<Option<ApprovedPlan>, CliError> {
    if nothing_to_do(plan) {
        return Ok(None);
    }
    let name = &plan.comparison.application;
    let operator = session.engine.operator(name)?;
    let confirm = args.confirm.iter().find(|confirmed| *confirmed == name).map(String::as_str);
    let approved = Arc::clone(plan).approve(operator, confirm, config::now()).map_err(EngineError::from)?;
    let issued = approval.as_ref().map_or(Issued::WithPlan, Digest::issued);
    Ok(Some(approved.issued(issued)))
}

/// Carries one approved plan out; the second value says whether a signal stopped it.
async fn one(
    args: &SyncArgs,
    plan: &Arc<Plan>,
    approved: Option<ApprovedPlan>,
    session: &Session,
) -> Result<(SyncReport, bool), CliError> {
    let name = &plan.comparison.application;
    let Some(approved) = approved else {
        message(&format!("{name}: nothing to do"));
        return Ok((report(plan, Outcome::Succeeded, String::new()), false));
    };
    let work = session.engine.sync(approved, args.wait);
    tokio::pin!(work);
    let mut fleet = session.engine.fleet();
    let mut progress = Progress::new((session.applications.len() > 1).then_some(name.as_str()));
    let stop = signal();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => {
                progress.clear();
                message(&format!("{name}: interrupted, finishing the requests in flight"));
                let (_, done) = tokio::join!(session.engine.shutdown(), tokio::time::timeout(FAREWELL, &mut work));
                return match done {
                    Ok(done) => Ok((done?, true)),
                    Err(_) => Err(CliError::Interrupted),
                };
            }
            done = &mut work => {
                progress.clear();
                return Ok((done?, false));
            }
            Ok(()) = fleet.changed() => {
                let now = fleet.borrow_and_update();
                if let Some(view) = now.application(name) && let Work::Syncing(current) = &view.work {
                    progress.show(current);
                }
            }
        }
    }
}

/// An empty plan of an application that is wholly known needs no approval and writes nothing.
fn nothing_to_do(plan: &Plan) -> bool {
    let comparison = &plan.comparison;
    plan.steps.is_empty() && !comparison.has_errors() && comparison.count(ObjectState::Unknown) == 0
}

fn report(plan: &Plan, outcome: Outcome, message: String) -> SyncReport {
    SyncReport {
        application: plan.comparison.application.clone(),
        digest: plan.digest_hash().to_owned(),
        outcome,
        record: String::new(),
        message,
        steps: Vec::new(),
    }
}

fn refused(plan: &Plan, error: &CliError) -> SyncReport {
    report(plan, Outcome::Refused, error.to_string())
}

fn refuse_all(plans: &[Arc<Plan>], error: &CliError, out: Output) -> Result<(), CliError> {
    let reports: Vec<SyncReport> = plans.iter().map(|plan| refused(plan, error)).collect();
    print(&reports, plans.len() == 1, out)
}

fn exit(report: &SyncReport) -> Exit {
    match report.outcome {
        Outcome::Succeeded => Exit::Done,
        Outcome::Failed => Exit::Error,
        Outcome::Interrupted => Exit::Interrupted,
        Outcome::Refused => Exit::Refused,
        Outcome::Unhealthy => Exit::Unhealthy,
    }
}

fn print(reports: &[SyncReport], single: bool, out: Output) -> Result<(), CliError> {
    if !out.is_text() {
        return match reports {
            [] => Ok(()),
            [report] if single => out.document("Sync", report),
            reports => out.document("SyncList", List::new("Sync", reports)),
        };
    }
    let mut text = out.text();
    // a refusal is an error, and told as one
    for report in reports.iter().filter(|report| report.outcome != Outcome::Refused) {
        for (index, step) in report.steps.iter().enumerate() {
            text.plain(&format!("  {}", line(step, index + 1, report.steps.len()))).end();
        }
        let style = if report.outcome == Outcome::Succeeded { Style::Green } else { Style::Red };
        text.plain(&format!("{}: ", report.application)).put(style, &format!("{:?}", report.outcome));
        if !report.message.is_empty() {
            text.plain(&format!(": {}", report.message));
        }
        if !report.record.is_empty() {
            text.put(Style::Dim, &format!("  record {}", report.record));
        }
        text.end();
    }
    out.print(text)
}
