//! How a running sync shows on standard error: a bar on a terminal, else a line for each step.

use super::output::message;
use crate::{
    engine::{StepReport, StepResult, SyncProgress},
    object::clean,
};
use std::io::{IsTerminal, Write};

const BAR: usize = 20;

/// Shows the progress of one sync.
#[derive(Debug, Default)]
pub struct Progress {
    terminal: bool,
    told: usize,
    waiting: String,
    drawn: bool,
}

impl Progress {
    /// Starts with nothing shown.
    pub fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), ..Self::default() }
    }

    /// Shows what is new.
    pub fn show(&mut self, progress: &SyncProgress) {
        for (_, _, report) in progress.steps.iter().skip(self.told) {
            let Some(report) = report else { break };
            self.told += 1;
            self.clear();
            message(&line(report, self.told, progress.total));
        }
        if self.terminal {
            self.draw(progress);
        } else if !progress.current.is_empty() && progress.current != self.waiting && progress.done >= progress.total {
            // steps have lines of their own; what follows them is waiting
            message(&progress.current);
        }
        self.waiting.clone_from(&progress.current);
    }

    /// Leaves the terminal as it was.
    pub fn clear(&mut self) {
        if self.drawn {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
            self.drawn = false;
        }
    }

    fn draw(&mut self, progress: &SyncProgress) {
        let filled = (BAR * progress.done).checked_div(progress.total).unwrap_or(BAR);
        let bar = format!("{}{}", "#".repeat(filled), "-".repeat(BAR - filled));
        let current: String = clean(&progress.current).replace('\n', " ").chars().take(80).collect();
        let _ = write!(
            std::io::stderr(),
            "\r\u{1b}[K[{bar}] {}/{}  wave {}  {current}",
            progress.done,
            progress.total,
            progress.wave
        );
        let _ = std::io::stderr().flush();
        self.drawn = true;
    }
}

/// Returns a step's outcome in one line.
pub fn line(report: &StepReport, index: usize, total: usize) -> String {
    let message = if report.message.is_empty() { String::new() } else { format!(": {}", report.message) };
    format!("{index}/{total} {} {}{message}  {:.1} s", word(report.result), report.object, report.seconds)
}

fn word(result: StepResult) -> &'static str {
    match result {
        StepResult::Created => "created",
        StepResult::Configured => "configured",
        StepResult::Unchanged => "unchanged",
        StepResult::Adopted => "adopted",
        StepResult::Replaced => "replaced",
        StepResult::ExtraRemoved => "extra-removed",
        StepResult::Hook => "hook",
        StepResult::Pruned => "pruned",
        StepResult::Failed => "failed",
        StepResult::Skipped => "skipped",
        StepResult::Unknown => "unknown",
    }
}
