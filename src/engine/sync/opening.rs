//! Everything of a sync before its first step: checked again, the Lease taken, the record written, the inventory widened.

use super::{
    super::{
        approval::Refusal,
        bounded::bounded,
        comparison::Action,
        error::EngineError,
        fleet::ActivityKind,
        report::StepResult,
        step::{self, Done},
        wait::{self, Waited},
    },
    Run,
};
use crate::{
    cluster::{
        ClusterError, Inventory, Lease, LeaseError, LeaseTiming,
        record::{self, Creation},
    },
    config,
};
use futures::{FutureExt, StreamExt, future::ready};
use std::sync::Arc;

impl Run<'_> {
    pub(super) async fn still_holds(&self) -> Result<(), EngineError> {
        self.not_used().await?;
        self.nothing_moved().await
    }

    /// A digest that came without its time of issue must not have been used by any sync that is on record.
    async fn not_used(&self) -> Result<(), EngineError> {
        if self.issued_known {
            return Ok(());
        }
        let name = &self.application.section.name;
        let records = record::heads(&self.session, &self.state_namespace, name, None).await?;
        let used = records.iter().any(|head| head.digest == self.head.digest);
        if used { Err(Refusal::Used.into()) } else { Ok(()) }
    }

    /// Reads every object that a step touches once more before the first write: one that moved means 0 writes.
    async fn nothing_moved(&self) -> Result<(), EngineError> {
        let session = &self.session;
        let home = self.home_step().filter(|_| self.home_made);
        let steps = self.bound.steps.iter().enumerate().filter(|(index, _)| Some(*index) != home).map(|(_, step)| step);
        let asked = steps.map(|step| async move { step::moved(session, step).await.err() }.boxed());
        let moved: Vec<String> = bounded(asked).filter_map(ready).collect().await;
        if moved.is_empty() { Ok(()) } else { Err(Refusal::Stale(moved.join("; ")).into()) }
    }

    /// The step that creates the namespace of inventory, records and Lease, if the plan has one.
    pub(super) fn home_step(&self) -> Option<usize> {
        self.bound.steps.iter().position(|step| {
            step.id.group.is_empty()
                && step.id.kind == "Namespace"
                && step.id.name == self.state_namespace
                && step.action == Action::Create
        })
    }

    /// Step 0: the namespace that the Lease and the record need.
    pub(super) async fn make_home(&self) -> Result<Option<Done>, EngineError> {
        let Some(step) = self.home_step().map(|index| &self.bound.steps[index]) else { return Ok(None) };
        self.show(&format!("create Namespace {}", self.state_namespace));
        let done = self.way(None).apply(step).await;
        if !done.is_ok() {
            let could =
                if done.result == StepResult::Unknown { "may or may not have been made" } else { "could not be made" };
            let message = format!("namespace {} {could}: {}", self.state_namespace, done.message);
            return Err(Refusal::Busy(message).into());
        }
        let timeout = self.application.section.timeout;
        match wait::served(&self.session, std::slice::from_ref(step), timeout, &self.stop).await {
            Waited::Ready => Ok(Some(done)),
            Waited::NotReady(reason) => Err(self.after_home(Refusal::Busy(reason).into())),
            Waited::Stopped => Err(self.after_home(Refusal::Busy("stopped".into()).into())),
        }
    }

    /// An error after step 0 says that it has been carried out.
    pub(super) fn after_home(&self, cause: EngineError) -> EngineError {
        EngineError::AfterNamespace { namespace: self.state_namespace.clone(), cause: Box::new(cause) }
    }

    pub(super) async fn take_lease(&self) -> Result<Option<Lease>, EngineError> {
        self.show("taking the Lease");
        let who = format!("{}@{}#{}", self.head.approval.os_user, self.head.approval.host, config::fresh_id());
        let name = &self.application.section.name;
        match Lease::acquire(&self.session, &self.state_namespace, name, &who, LeaseTiming::default()).await {
            Ok(lease) => Ok(Some(lease)),
            Err(LeaseError::Forbidden(message)) => {
                self.application
                    .tell(ActivityKind::Notice, format!("no right on Leases, other operators are not seen: {message}"));
                Ok(None)
            }
            Err(LeaseError::Cluster(error)) => Err(error.into()),
            Err(error) => Err(Refusal::Busy(error.to_string()).into()),
        }
    }

    /// Writes the record as running and widens the inventory: without them nothing is applied.
    pub(super) async fn write_record(
        &mut self,
        lease: Option<&Lease>,
        home: Option<&Done>,
    ) -> Result<Inventory, EngineError> {
        self.show("writing the record");
        let name = self.application.section.name.clone();
        let before = self.application.ledger.read(&self.session, &self.state_namespace).await;
        // Without the records, what was last applied of each object would be lost.
        if let Some(error) = &before.unanswered {
            return Err(EngineError::Cluster(Arc::clone(error)));
        }
        self.head.applied = before.records.first().map(|head| head.applied.clone()).unwrap_or_default();
        self.head.applied.retain(|id, _| self.bound.payload.contains_key(id));
        self.head.running = Some(self.running(lease, usize::from(home.is_some())));
        match record::create(&self.session, &self.state_namespace, &mut self.head, &self.bound.payload).await {
            Ok(Creation::Written) => {}
            Ok(Creation::UsedBefore) => return Err(Refusal::Used.into()),
            Err(error) => return Err(error.into()),
        }
        let widened = self.widen_inventory().await;
        if let Err(error) = &widened {
            // Nothing has been applied: the record says so, and the approval is used up.
            self.head.finished = Some(config::now());
            self.head.outcome = Some("Refused".into());
            self.head.running = None;
            tracing::warn!(application = name, %error, "the inventory could not be widened");
            if let Err(error) = record::update(&self.session, &self.state_namespace, &mut self.head).await {
                tracing::warn!(application = name, %error, "the record could not be finished");
            }
        }
        Ok(widened?)
    }

    /// Members must never be missed, so the inventory knows their kinds and namespaces before they exist.
    async fn widen_inventory(&self) -> Result<Inventory, ClusterError> {
        let name = &self.application.section.name;
        let mut inventory = Inventory::read(&self.session, &self.state_namespace, name)
            .await?
            .unwrap_or_else(|| Inventory::new(&self.state_namespace, name));
        inventory.widen(self.bound.payload.keys());
        inventory.source = self.application.source_mark(&self.bound.source);
        inventory.write(&self.session).await?;
        Ok(inventory)
    }
}
