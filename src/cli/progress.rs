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
    prefix: String,
    told: usize,
    waiting: String,
    drawn: bool,
}

impl Progress {
    /// Starts with nothing shown; `name` says whose lines these are, where there are several.
    pub fn new(name: Option<&str>) -> Self {
        let prefix = name.map(|name| format!("{name}: ")).unwrap_or_default();
        Self { terminal: std::io::stderr().is_terminal(), prefix, ..Self::default() }
    }

    /// Shows what is new.
    pub fn show(&mut self, progress: &SyncProgress) {
        if self.terminal {
            return self.draw(progress);
        }
        for (_, _, report) in progress.steps.iter().skip(self.told) {
            let Some(report) = report else { break };
            self.told += 1;
            message(&format!("{}{}", self.prefix, line(report, self.told, progress.total)));
        }
        // steps have lines of their own; what follows the last is waiting
        let waits = !progress.current.is_empty() && progress.done >= progress.total;
        if waits && progress.current != self.waiting {
            message(&format!("{}{}", self.prefix, progress.current));
            self.waiting.clone_from(&progress.current);
        }
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
            "\r\u{1b}[K{}[{bar}] {}/{}  wave {}  {current}",
            self.prefix,
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
