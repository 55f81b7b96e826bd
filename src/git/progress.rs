//! gix's many progress items brought down to the one line that a screen shows.

use super::Progress;
use gix::progress::{Id, MessageLevel, Step, StepShared, UNKNOWN, Unit};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// What is being done now.
#[derive(Clone, Default)]
struct Current {
    phase: &'static str,
    done: StepShared,
    total: Option<usize>,
}

/// One of gix's progress items; those that stand for a phase write it to the board that all share.
#[derive(Clone, Default)]
pub(super) struct Item {
    board: Arc<Mutex<Current>>,
    name: String,
    max: Option<Step>,
    step: StepShared,
}

impl Item {
    fn show(&self) {
        let phase = match self.name.as_str() {
            "indexing" => "receiving objects",
            "Resolving" => "resolving deltas",
            _ => return,
        };
        *self.board.lock().unwrap_or_else(PoisonError::into_inner) =
            Current { phase, done: self.step.clone(), total: self.max };
    }

    fn read(&self) -> Progress {
        let current = self.board.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let phase = if current.phase.is_empty() { "connecting" } else { current.phase };
        Progress { phase: phase.to_owned(), done: current.done.load(Ordering::Relaxed), total: current.total }
    }
}

/// Runs `work` with a progress item and calls `report` from another thread whenever that changed, ten times a second.
pub(super) fn reported<R>(report: &(dyn Fn(Progress) + Sync), work: impl FnOnce(Item) -> R) -> R {
    let (item, done) = (Item::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let reporter = scope.spawn(|| {
            let mut last = None;
            loop {
                let last_round = done.load(Ordering::Acquire);
                let now = item.read();
                if last.as_ref() != Some(&now) {
                    report(now.clone());
                    last = Some(now);
                }
                if last_round {
                    return;
                }
                std::thread::park_timeout(Duration::from_millis(100));
            }
        });
        let result = work(item.clone());
        done.store(true, Ordering::Release);
        reporter.thread().unpark();
        result
    })
}

impl gix::Count for Item {
    fn set(&self, step: Step) {
        self.step.store(step, Ordering::Relaxed);
    }
    fn step(&self) -> Step {
        self.step.load(Ordering::Relaxed)
    }
    fn inc_by(&self, step: Step) {
        self.step.fetch_add(step, Ordering::Relaxed);
    }
    fn counter(&self) -> StepShared {
        self.step.clone()
    }
}

impl gix::Progress for Item {
    fn init(&mut self, max: Option<Step>, _unit: Option<Unit>) {
        self.max = max;
        self.step.store(0, Ordering::Relaxed);
        self.show();
    }
    fn max(&self) -> Option<Step> {
        self.max
    }
    fn set_max(&mut self, max: Option<Step>) -> Option<Step> {
        let old = std::mem::replace(&mut self.max, max);
        self.show();
        old
    }
    fn set_name(&mut self, name: String) {
        self.name = name;
    }
    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }
    fn id(&self) -> Id {
        UNKNOWN
    }
    fn message(&self, _level: MessageLevel, _message: String) {}
}

impl gix::NestedProgress for Item {
    type SubProgress = Self;

    fn add_child(&mut self, name: impl Into<String>) -> Self {
        Self { board: self.board.clone(), name: name.into(), max: None, step: StepShared::default() }
    }
    fn add_child_with_id(&mut self, name: impl Into<String>, _id: Id) -> Self {
        self.add_child(name)
    }
}
