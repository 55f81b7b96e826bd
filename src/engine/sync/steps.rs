//! The steps of a sync: wave by wave, kind rank by kind rank, health after each wave, prunes last.

use super::{
    super::{
        approval::BoundStep,
        bounded::bounded,
        comparison::Action,
        report::Outcome,
        step::{Done, Way, action_name},
        wait::{self, Waited},
    },
    Ending, Run,
};
use crate::{
    cluster::{Lease, LiveObject, PART_OF},
    object::ObjectId,
};
use futures::{FutureExt, StreamExt, future::ready};
use serde_json::Value;
use std::{sync::Arc, time::Instant};
use tokio_util::sync::CancellationToken;

impl Run<'_> {
    /// Creates and updates, wave by wave, and inside a wave kind rank by kind rank.
    pub(super) async fn steps(&mut self, lease: Option<&Lease>) -> Ending {
        let steps = Arc::clone(&self.bound);
        let applies: Vec<usize> =
            (0..steps.steps.len()).filter(|index| steps.steps[*index].action != Action::Prune).collect();
        for wave in applies.chunk_by(|a, b| steps.steps[*a].place.wave == steps.steps[*b].place.wave) {
            let mut sent: Vec<usize> = Vec::new();
            for rank in wave.chunk_by(|a, b| steps.steps[*a].place.rank == steps.steps[*b].place.rank) {
                if self.stop.is_cancelled() {
                    return Ending { outcome: Outcome::Interrupted, message: "stopped by the operator".into() };
                }
                self.send(rank, lease).await;
                sent.extend(rank);
                if let Some(failed) = rank.iter().find_map(|index| self.failure(*index)) {
                    return Ending { outcome: Outcome::Failed, message: failed };
                }
                if self.stop.is_cancelled() {
                    return Ending { outcome: Outcome::Interrupted, message: "stopped by the operator".into() };
                }
                let group: Vec<BoundStep> = rank.iter().map(|index| steps.steps[*index].clone()).collect();
                let timeout = self.application.section.timeout;
                let served = wait::served(&self.session, &group, timeout, &self.stop);
                match self.kept_fresh(lease, served).await {
                    Waited::Ready => {}
                    Waited::NotReady(reason) => return Ending { outcome: Outcome::Unhealthy, message: reason },
                    Waited::Stopped => {
                        return Ending { outcome: Outcome::Interrupted, message: "stopped by the operator".into() };
                    }
                }
                if self.results.iter().any(Option::is_none) {
                    self.keep_record_fresh(lease).await;
                }
            }
            if !self.wait {
                continue;
            }
            match self.kept_fresh(lease, self.healthy(&sent)).await {
                Waited::Ready => {}
                Waited::NotReady(reason) => return Ending { outcome: Outcome::Unhealthy, message: reason },
                Waited::Stopped => {
                    return Ending {
                        outcome: Outcome::Interrupted,
                        message: "stopped while waiting for health".into(),
                    };
                }
            }
        }
        Ending { outcome: Outcome::Succeeded, message: String::new() }
    }

    /// Sends steps of one kind rank together; the first failure stops new sends.
    async fn send(&mut self, indexes: &[usize], lease: Option<&Lease>) {
        let failed = CancellationToken::new();
        let todo: Vec<usize> = indexes.iter().copied().filter(|index| self.results[*index].is_none()).collect();
        let done: Vec<(usize, Done, f64)> = {
            let run = &*self;
            let failed = &failed;
            let work = todo.into_iter().map(|index| {
                async move {
                    if failed.is_cancelled() || run.stop.is_cancelled() {
                        return None;
                    }
                    let step = &run.bound.steps[index];
                    run.show(&format!("{} {}", action_name(step.action), step.id.short()));
                    let started = Instant::now();
                    let done = run.way(lease).apply(step).await;
                    if !done.is_ok() {
                        failed.cancel();
                    }
                    let seconds = started.elapsed().as_secs_f64();
                    run.note(index, &done, seconds);
                    Some((index, done, seconds))
                }
                .boxed()
            });
            bounded(work).filter_map(ready).collect().await
        };
        for (index, done, seconds) in done {
            self.finish(index, done, seconds);
        }
    }

    async fn healthy(&self, sent: &[usize]) -> Waited {
        let written: Vec<(&BoundStep, LiveObject)> = sent
            .iter()
            .filter_map(|index| {
                let step = &self.bound.steps[*index];
                Some((step, self.written.get(&step.id)?.clone()))
            })
            .collect();
        let tell = |id: &ObjectId, reason: &str| self.show(&format!("waiting for {}: {reason}", id.short()));
        wait::healthy(&self.session, &written, self.application.section.timeout, &self.stop, &tell).await
    }

    pub(super) fn way<'b>(&'b self, lease: Option<&'b Lease>) -> Way<'b> {
        Way { session: &self.session, lease, stop: &self.stop }
    }

    /// Says why a member may not be deleted any more, if it may not.
    fn still_ours(&self, id: &ObjectId, live: &Value) -> Result<(), String> {
        let label = live.pointer("/metadata/labels").and_then(|labels| labels.get(PART_OF)?.as_str());
        if label != Some(self.part_of.as_str()) {
            return Err("it is no member of this application any more".into());
        }
        if self.application.may_prune(id, live) { Ok(()) } else { Err("it must be kept now".into()) }
    }

    /// Deletes members that are gone from Git, last applied first.
    pub(super) async fn prune(&mut self, lease: Option<&Lease>, ending: Ending) -> Ending {
        if ending.outcome != Outcome::Succeeded {
            return ending;
        }
        let bound = Arc::clone(&self.bound);
        let prunes: Vec<usize> =
            (0..bound.steps.len()).filter(|index| bound.steps[*index].action == Action::Prune).collect();
        for index in &prunes {
            if self.stop.is_cancelled() {
                return Ending { outcome: Outcome::Interrupted, message: "stopped by the operator".into() };
            }
            let step = &bound.steps[*index];
            self.show(&format!("delete {}", step.id.short()));
            let started = Instant::now();
            let done = self.way(lease).prune(step, |live| self.still_ours(&step.id, live)).await;
            let seconds = started.elapsed().as_secs_f64();
            self.note(*index, &done, seconds);
            self.finish(*index, done, seconds);
            if let Some(failed) = self.failure(*index) {
                return Ending { outcome: Outcome::Failed, message: failed };
            }
        }
        let pruned: Vec<&BoundStep> = prunes.iter().map(|index| &bound.steps[*index]).collect();
        if pruned.is_empty() || !self.wait {
            return ending;
        }
        let gone = wait::gone(&self.session, &pruned, self.application.section.timeout, &self.stop);
        match self.kept_fresh(lease, gone).await {
            Waited::Ready => ending,
            Waited::NotReady(reason) => Ending { outcome: Outcome::Unhealthy, message: reason },
            Waited::Stopped => {
                Ending { outcome: Outcome::Interrupted, message: "stopped while waiting for deletions".into() }
            }
        }
    }
}
