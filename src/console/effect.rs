//! What the console wants done, as values; carried out at the edge, where answers come back as messages.

use super::message::{Event, Reply, Ticket};
use crate::{
    engine::{Choices, Engine, EngineError, Plan, RevertTarget},
    git::CommitId,
};
use jiff::Timestamp;
use std::sync::Arc;
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
    let reply = move |reply: Reply| {
        // The receiver is gone only when the console is leaving.
        let _ = events.send(Event::Reply(reply));
    };
    let told = |result: Result<(), EngineError>| {
        if let Err(error) = result {
            reply(Reply::Failed(error.to_string()));
        }
    };
    match effect {
        Effect::Fetch(repository) => told(engine.fetch(&repository)),
        Effect::Refresh(application) => told(engine.refresh(&application)),
        Effect::Cancel(application) => engine.cancel(&application),
        Effect::Arm(on) => engine.arm(on),
        Effect::Copy(_) | Effect::Suspend => {}
        Effect::Plan { ticket, choices } => {
            tokio::spawn(async move {
                let result = engine.plan(&ticket.application, &choices).await;
                reply(Reply::Planned(ticket, result));
            });
        }
        Effect::Sync { ticket, plan, confirm, wait } => {
            tokio::spawn(async move {
                let result = sync(&engine, &ticket, plan, confirm.as_deref(), wait).await;
                reply(Reply::Synced(ticket, result));
            });
        }
        Effect::Commit { ticket, commit } => {
            tokio::spawn(async move {
                let result = engine.effect(&ticket.application, &commit.to_string()).await;
                reply(Reply::Commit(ticket, result));
            });
        }
        Effect::Revert { ticket, commit, parent, target } => {
            tokio::spawn(async move {
                let result = engine.revert(&ticket.application, &commit.to_string(), parent, target).await;
                reply(Reply::Reverted(ticket, result));
            });
        }
        Effect::Push { ticket, reverted, commit, target } => {
            tokio::spawn(async move {
                let result = engine.push(&ticket.application, &reverted.to_string(), commit, target).await;
                reply(Reply::Pushed(ticket, result));
            });
        }
    }
}

async fn sync(
    engine: &Engine,
    ticket: &Ticket,
    plan: Arc<Plan>,
    confirm: Option<&str>,
    wait: bool,
) -> Result<Arc<crate::engine::SyncReport>, EngineError> {
    let operator = engine.operator(&ticket.application)?;
    let approved = plan.approve(operator, confirm, Timestamp::now())?;
    Ok(Arc::new(engine.sync(approved, wait).await?))
}
