//! What the console wants done, as values; carried out at the edge, where answers come back as messages.

use super::{
    diff::{DiffDocument, Job},
    message::{Event, Reply, Ticket},
};
use crate::{
    config,
    engine::{Choices, Engine, EngineError, Plan, RevertTarget},
    git::CommitId,
};
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use tokio::sync::mpsc::UnboundedSender;

/// One thing to do outside the model.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Make a plan.
    Plan {
        /// Whose answer.
        ticket: Ticket,
        /// With what choices.
        choices: Choices,
    },
    /// Approve exactly this plan and carry it out. Only the plan screen makes this.
    Sync {
        /// Whose answer.
        ticket: Ticket,
        /// The plan that was on the screen.
        plan: Arc<Plan>,
        /// The name as typed, where the plan asks for it.
        confirm: Option<String>,
        /// Wait for health after each wave.
        wait: bool,
    },
    /// Read what a commit does.
    Commit {
        /// Whose answer.
        ticket: Ticket,
        /// The commit.
        commit: CommitId,
    },
    /// Write a revert commit into the mirror, unpushed.
    Revert {
        /// Whose answer.
        ticket: Ticket,
        /// Commit to undo.
        commit: CommitId,
        /// Parent that stays, for a merge.
        parent: Option<usize>,
        /// Where it would go.
        target: RevertTarget,
    },
    /// Push exactly the commit that was on the screen. Only the revert screen makes this.
    Push {
        /// Whose answer.
        ticket: Ticket,
        /// Commit that is undone.
        reverted: CommitId,
        /// Commit to push.
        commit: CommitId,
        /// Where it goes.
        target: RevertTarget,
    },
    /// Draw a diff that is too big to be drawn between two keys.
    Draw(Job),
    /// Ask a repository for news.
    Fetch(String),
    /// Compare an application again.
    Refresh(String),
    /// Stop an application's sync after the requests in flight.
    Cancel(String),
    /// Arm or disarm writes.
    Arm(bool),
    /// Put a text on the clipboard.
    Copy(String),
    /// Stop the process for the shell's job control.
    Suspend,
}

/// Starts an effect that the engine carries out; its answer is sent as an event. Copying and stopping are the terminal's business.
pub fn start(engine: &Engine, effect: Effect, events: &UnboundedSender<Event>) {
    let engine = engine.clone();
    let events = events.clone();
    match effect {
        Effect::Fetch(repository) => told(engine.fetch(&repository), &events),
        Effect::Refresh(application) => told(engine.refresh(&application), &events),
        Effect::Cancel(application) => engine.cancel(&application),
        Effect::Arm(on) => engine.arm(on),
        Effect::Draw(job) => drop(tokio::task::spawn_blocking(move || {
            // The place waits for an answer: one that panics is a diff that says so.
            let document = catch_unwind(AssertUnwindSafe(|| job.run())).unwrap_or_else(|_| DiffDocument::failed());
            let _ = events.send(Event::Reply(Reply::Drawn(job.ticket, Arc::new(document))));
        })),
        Effect::Copy(_) | Effect::Suspend => {}
        Effect::Plan { ticket, choices } => {
            let name = ticket.application.clone();
            answer(events, ticket, Reply::Planned, async move { engine.plan(&name, &choices).await });
        }
        Effect::Sync { ticket, plan, confirm, wait } => {
            let name = ticket.application.clone();
            answer(events, ticket, Reply::Synced, async move {
                let operator = engine.operator(&name)?;
                let approved = plan.approve(operator, confirm.as_deref(), config::now())?;
                Ok(Arc::new(engine.sync(approved, wait).await?))
            });
        }
        Effect::Commit { ticket, commit } => {
            let name = ticket.application.clone();
            answer(events, ticket, Reply::Commit, async move { engine.effect(&name, &commit.to_string()).await });
        }
        Effect::Revert { ticket, commit, parent, target } => {
            let name = ticket.application.clone();
            answer(events, ticket, Reply::Reverted, async move {
                engine.revert(&name, &commit.to_string(), parent, target).await
            });
        }
        Effect::Push { ticket, reverted, commit, target } => {
            let name = ticket.application.clone();
            answer(events, ticket, Reply::Pushed, async move {
                engine.push(&name, &reverted.to_string(), commit, target).await
            });
        }
    }
}

fn told(result: Result<(), EngineError>, events: &UnboundedSender<Event>) {
    if let Err(error) = result {
        // The receiver is gone only when the console is leaving.
        let _ = events.send(Event::Reply(Reply::Failed(error.to_string())));
    }
}

/// Runs a question to the engine and sends its answer. A panic in it is an answer too, so that no screen waits for ever.
fn answer<T: Send + 'static>(
    events: UnboundedSender<Event>,
    ticket: Ticket,
    reply: impl FnOnce(Ticket, Result<T, EngineError>) -> Reply + Send + 'static,
    question: impl Future<Output = Result<T, EngineError>> + Send + 'static,
) {
    tokio::spawn(async move {
        let result = tokio::spawn(question).await.unwrap_or_else(|error| {
            Err(EngineError::NotReady(format!(
                "this failed inside driftdeck, and what became of it is not known: {error}"
            )))
        });
        let _ = events.send(Event::Reply(reply(ticket, result)));
    });
}
