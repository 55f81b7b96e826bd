//! Carries an approved plan out, in the order of the design's "Sync": check again, Lease, record, inventory, steps, health, prune, record.

mod opening;
mod steps;

use super::{
    application::Application,
    approval::{ApprovedPlan, Bound, BoundStep, Issued, Refusal},
    comparison::Action,
    error::EngineError,
    fleet::{ActivityKind, Work},
    plan::{Confirmation, Plan},
    planning::moved as what_moved,
    report::{Outcome, StepReport, StepResult, SyncProgress, SyncReport},
    step::{Done, action_name},
};
use crate::{
    cluster::{
        ClusterError, Inventory, Lease, LiveObject, RecordApproval, RecordHead, RecordPayload, RecordRunning,
        RecordStep, Session,
        record::{self, RECORD_FORMAT},
    },
    config,
    merge::changes,
    object::ObjectId,
};
use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How long Git's server is asked for news before a sync; it may be down, the approval binds what was shown all the same.
const ASK_GIT: Duration = Duration::from_secs(5);
/// How often a running record is written anew during a wait.
const FRESH: Duration = Duration::from_secs(15);

impl Application {
    /// Carries an approved plan out, or nothing of it.
    pub(in crate::engine) async fn carry_out(
        &self,
        approved: ApprovedPlan,
        wait: bool,
        stop: &CancellationToken,
    ) -> Result<SyncReport, EngineError> {
        if !self.cluster.armed() {
            return Err(Refusal::ReadOnly.into());
        }
        if let Some(lost) = self.cluster.lost() {
            return Err(Refusal::NotApprovable(lost.to_string()).into());
        }
        let shown = Arc::clone(&approved.plan);
        self.ask_git().await;
        let mut plan = self.make_plan(&shown.bound.choices).await?;
        if plan.digest_hash() != shown.digest_hash() {
            return Err(Refusal::Stale(what_moved(&shown.bound.document, &plan.bound.document)).into());
        }
        if !plan.approvable {
            return Err(Refusal::NotApprovable(plan.reason.unwrap_or_default()).into());
        }
        // Of a Secret the digest binds the sources only, and a renderer may give other values each time: what is sent is what was shown.
        if let Some(random) = rendered_otherwise(&shown.bound, &plan.bound) {
            return Err(Refusal::Stale(random).into());
        }
        if plan.confirmation == Confirmation::Typed && shown.confirmation != Confirmation::Typed {
            return Err(Refusal::Stale("it needs a typed confirmation now".into()).into());
        }
        // The same digest: what was approved is what is sent. Titles and records keep the number and issue that were shown.
        plan.number = shown.number;
        plan.digest.clone_from(&shown.digest);
        let session = self.session().await?;
        Run::new(self, session, plan, &approved, wait, stop.clone()).go().await
    }

    /// Asks Git's server for news, so that a commit that was pushed a moment ago disarms the approval.
    async fn ask_git(&self) {
        let Ok(mirror) = self.mirror(false).await else { return };
        let stop = self.repository.stop_flag();
        let asked = super::application::blocking(move || {
            if mirror.poll(&stop)? {
                mirror.fetch(&|_| {}, &stop)?;
                return Ok(true);
            }
            Ok(false)
        });
        match tokio::time::timeout(ASK_GIT, asked).await {
            Ok(Ok(false)) => {}
            // The worker shows what came.
            Ok(Ok(true)) => self.repository.fetch(),
            Ok(Err(error)) => {
                tracing::warn!(application = self.section.name, %error, "Git could not be asked for news")
            }
            Err(_) => tracing::warn!(application = self.section.name, "Git did not say in time whether there is news"),
        }
    }
}

/// Names the values that a renderer gave otherwise the second time; a Secret's by their keys only.
fn rendered_otherwise(shown: &Bound, now: &Bound) -> Option<String> {
    let places: Vec<String> = shown
        .steps
        .iter()
        .zip(&now.steps)
        .map(|(shown, now)| (&shown.id, shown.shown(), now.shown()))
        .filter(|(_, shown, now)| shown != now)
        .map(|(id, shown, now)| {
            let paths: Vec<String> = changes(&shown, &now).iter().map(|change| change.path.to_string()).collect();
            format!("{id} {}", paths.join(" "))
        })
        .collect();
    (!places.is_empty()).then(|| {
        format!(
            "the renderer gives other values each time: {}; use `lookup` or an existing Secret in place of randomness",
            places.join(", ")
        )
    })
}

/// One sync under way.
struct Run<'a> {
    application: &'a Application,
    session: Session,
    bound: Arc<Bound>,
    head: RecordHead,
    state_namespace: String,
    part_of: String,
    wait: bool,
    issued_known: bool,
    home_made: bool,
    stop: CancellationToken,
    results: Vec<Option<(Done, f64)>>,
    written: BTreeMap<ObjectId, LiveObject>,
    progress: Mutex<SyncProgress>,
}

/// How the steps ended.
struct Ending {
    outcome: Outcome,
    message: String,
}

impl<'a> Run<'a> {
    fn new(
        application: &'a Application,
        session: Session,
        plan: Plan,
        approved: &ApprovedPlan,
        wait: bool,
        stop: CancellationToken,
    ) -> Self {
        let bound = Arc::clone(&plan.bound);
        let state_namespace = application.state_namespace().unwrap_or_default().to_owned();
        let part_of = application.part_of().unwrap_or_default();
        let with_plan = plan.digest.split_once('@').and_then(|(_, issued)| issued.parse().ok());
        let issued = match approved.issued {
            Issued::At(issued) => issued,
            Issued::WithPlan | Issued::Unknown => with_plan.unwrap_or(approved.approved),
        };
        let head = RecordHead {
            name: String::new(),
            uid: String::new(),
            format: RECORD_FORMAT,
            application: application.section.name.clone(),
            digest: plan.digest_hash().to_owned(),
            issued,
            approval: RecordApproval {
                user: approved.operator.user.clone(),
                os_user: approved.operator.os_user.clone(),
                host: approved.operator.host.clone(),
                time: approved.approved,
            },
            started: config::now(),
            finished: None,
            outcome: None,
            revision: plan.comparison.revision.map(|commit| commit.to_string()).unwrap_or_default(),
            branch: plan.comparison.branch.clone().unwrap_or_default(),
            source: bound.source.clone(),
            path: application.section.path.clone(),
            renderer: bound.renderer.clone(),
            options: bound.options.clone(),
            pruned: bound.prune,
            skipped_objects: bound.left_out.clone(),
            skipped_hunks: vec![],
            steps: bound
                .steps
                .iter()
                .map(|step| RecordStep {
                    object: step.id.clone(),
                    action: action_name(step.action),
                    result: None,
                    message: String::new(),
                    seconds: 0.0,
                    uid: None,
                    resource_version: None,
                })
                .collect(),
            applied: BTreeMap::new(),
            payload: RecordPayload::default(),
            parts: vec![],
            running: None,
        };
        let progress = SyncProgress {
            application: application.section.name.clone(),
            number: plan.number,
            total: bound.steps.len(),
            steps: bound.steps.iter().map(|step| (step.id.to_string(), step.action, None)).collect(),
            ..SyncProgress::default()
        };
        let results = vec![None; bound.steps.len()];
        Self {
            application,
            session,
            bound,
            head,
            state_namespace,
            part_of,
            wait,
            issued_known: approved.issued != Issued::Unknown,
            home_made: false,
            stop,
            results,
            written: BTreeMap::new(),
            progress: Mutex::new(progress),
        }
    }

    async fn go(mut self) -> Result<SyncReport, EngineError> {
        self.show("checking again that nothing moved");
        self.still_holds().await?;
        let home = self.make_home().await?;
        self.home_made = home.is_some();
        let opened = self.open(home.as_ref()).await;
        let (lease, mut inventory) =
            opened.map_err(|error| if self.home_made { self.after_home(error) } else { error })?;
        if let (Some(index), Some(done)) = (self.home_step(), home) {
            self.finish(index, done, 0.0);
        }
        let ending = self.steps(lease.as_ref()).await;
        let ending = self.prune(lease.as_ref(), ending).await;
        let report = self.close(&mut inventory, ending).await;
        self.trim(lease.as_ref()).await;
        release(lease).await;
        self.application.ledger.forget();
        Ok(report)
    }

    /// Takes the Lease and writes record and inventory: with them, steps may be sent.
    async fn open(&mut self, home: Option<&Done>) -> Result<(Option<Lease>, Inventory), EngineError> {
        let lease = self.take_lease().await?;
        // Taking the Lease may have meant waiting for another operator's sync: everything is looked at once more.
        self.application.ledger.forget();
        let written = match self.still_holds().await {
            Ok(()) => self.write_record(lease.as_ref(), home).await,
            Err(error) => Err(error),
        };
        match written {
            Ok(inventory) => Ok((lease, inventory)),
            Err(error) => {
                release(lease).await;
                Err(error)
            }
        }
    }

    /// Deletes old records. Only the Lease's holder may: another's record may be half written.
    async fn trim(&self, lease: Option<&Lease>) {
        if lease.is_none_or(|lease| lease.check(Duration::ZERO).is_err()) {
            return;
        }
        if let Err(error) = record::trim(&self.session, &self.state_namespace, &self.application.section.name).await {
            tracing::info!(application = self.application.section.name, %error, "old records could not be trimmed");
        }
    }

    /// Finishes the record, narrows the inventory and makes the report.
    async fn close(&mut self, inventory: &mut Inventory, ending: Ending) -> SyncReport {
        let steps: Vec<StepReport> =
            self.bound.steps.iter().zip(&self.results).map(|(step, result)| report(step, result.as_ref())).collect();
        let name = self.head.name.clone();
        for ((record, report), result) in self.head.steps.iter_mut().zip(&steps).zip(&self.results) {
            record.result = serde_json::to_value(report.result).ok().and_then(|text| text.as_str().map(str::to_owned));
            record.message.clone_from(&report.message);
            record.seconds = report.seconds;
            if let Some(object) = result.as_ref().and_then(|(done, _)| done.object.as_ref()) {
                record.uid = Some(object.uid.clone());
                record.resource_version = Some(object.resource_version.clone());
            }
        }
        let applied = self.bound.steps.iter().zip(&self.results).filter(|(step, result)| {
            step.action != Action::Prune && result.as_ref().is_some_and(|(done, _)| done.is_ok())
        });
        let applied: Vec<ObjectId> =
            applied.map(|(step, _)| step.id.clone()).chain(self.bound.unchanged.iter().cloned()).collect();
        self.head.applied.extend(applied.into_iter().map(|id| (id, name.clone())));
        self.head.finished = Some(config::now());
        self.head.outcome = serde_json::to_value(ending.outcome).ok().and_then(|text| text.as_str().map(str::to_owned));
        self.head.running = None;
        if let Err(error) = record::update(&self.session, &self.state_namespace, &mut self.head).await {
            self.application.tell(ActivityKind::Failed, format!("the record could not be finished: {error}"));
        }
        if ending.outcome == Outcome::Succeeded
            && let Err(error) = self.narrow(inventory).await
        {
            self.application
                .tell(ActivityKind::Notice, format!("the inventory keeps more kinds than it needs: {error}"));
        }
        SyncReport {
            application: self.application.section.name.clone(),
            digest: self.head.digest.clone(),
            outcome: ending.outcome,
            record: format!("{}/{name}", self.state_namespace),
            message: ending.message,
            steps,
        }
    }

    /// Keeps in the inventory only the kinds and namespaces that still have members.
    async fn narrow(&self, inventory: &mut Inventory) -> Result<(), ClusterError> {
        let members = inventory.members(&self.session).await?;
        let mut ids: Vec<ObjectId> = members.found.into_iter().map(|member| member.id).collect();
        // A kind that is not served just now may still have members.
        if !members.unserved.is_empty() {
            return Ok(());
        }
        ids.extend(self.bound.payload.keys().cloned());
        if inventory.narrow(&ids) { inventory.write(&self.session).await } else { Ok(()) }
    }

    fn failure(&self, index: usize) -> Option<String> {
        let (done, _) = self.results[index].as_ref()?;
        (!done.is_ok() && done.result != StepResult::Skipped)
            .then(|| format!("{}: {}", self.bound.steps[index].id, done.message))
    }

    fn finish(&mut self, index: usize, done: Done, seconds: f64) {
        if let (true, Some(object)) = (done.is_ok(), &done.object) {
            self.written.insert(self.bound.steps[index].id.clone(), object.clone());
        }
        self.note(index, &done, seconds);
        self.results[index] = Some((done, seconds));
    }

    /// Where the sync stands, for operators elsewhere.
    fn running(&self, lease: Option<&Lease>, step: usize) -> RecordRunning {
        RecordRunning {
            holder: lease.map(|lease| lease.holder().to_owned()).unwrap_or_default(),
            step: (step + 1).min(self.bound.steps.len().max(1)),
            of: self.bound.steps.len(),
            renewed: lease.map_or_else(config::now, Lease::renewed),
        }
    }

    /// Lets other operators follow; a failure to do so is no reason to stop.
    async fn keep_record_fresh(&self, lease: Option<&Lease>) {
        let done = self.results.iter().filter(|result| result.is_some()).count();
        let mut head = RecordHead { running: Some(self.running(lease, done)), ..self.head.clone() };
        if let Err(error) = record::update(&self.session, &self.state_namespace, &mut head).await {
            tracing::info!(application = self.application.section.name, %error, "the running record could not be updated");
        }
    }

    /// Waits for `work`, which may take minutes, and keeps the record fresh meanwhile.
    async fn kept_fresh<T>(&self, lease: Option<&Lease>, work: impl Future<Output = T> + Send) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(FRESH) => {}
            }
            let mut refresh = pin!(self.keep_record_fresh(lease));
            tokio::select! {
                done = &mut work => {
                    // A refresh that is under way must not come after the record's end.
                    refresh.await;
                    return done;
                }
                () = &mut refresh => {}
            }
        }
    }

    fn note(&self, index: usize, done: &Done, seconds: f64) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let step = &self.bound.steps[index];
        if progress.steps[index].2.is_none() {
            progress.done += 1;
        }
        progress.wave = step.place.wave;
        progress.steps[index].2 = Some(StepReport {
            object: step.id.to_string(),
            result: done.result,
            message: done.message.clone(),
            seconds,
        });
        self.application.show(Work::Syncing(progress.clone()));
    }

    fn show(&self, current: &str) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if progress.current != current {
            progress.current = crate::object::clean(current).into_owned();
            self.application.show(Work::Syncing(progress.clone()));
        }
    }
}

fn report(step: &BoundStep, result: Option<&(Done, f64)>) -> StepReport {
    match result {
        Some((done, seconds)) => StepReport {
            object: step.id.to_string(),
            result: done.result,
            message: done.message.clone(),
            seconds: *seconds,
        },
        None => StepReport {
            object: step.id.to_string(),
            result: StepResult::Skipped,
            message: "not started".into(),
            seconds: 0.0,
        },
    }
}

async fn release(lease: Option<Lease>) {
    if let Some(lease) = lease
        && let Err(error) = lease.release().await
    {
        tracing::info!(%error, "the Lease could not be freed; it runs out by itself");
    }
}
