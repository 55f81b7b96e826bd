//! The terminal's modes: raw input, the alternate screen, mouse, paste and focus reports; taken, and given back on every
//! way out. Giving back never fails and never panics: the terminal may be gone.

use crate::object::panic_is_caught;
use crossterm::{
    cursor,
    event::{
        DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
        EnableMouseCapture,
    },
    execute, terminal,
};
use std::{
    io::{self, Write},
    panic,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// Whether the terminal is taken. Leaving the alternate screen twice would put the cursor back over what was written between.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes the terminal.
///
/// # Errors
/// Where standard output is no terminal.
pub fn enter(mouse: bool) -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    terminal::enable_raw_mode()?;
    let mut out = io::stdout();
    execute!(out, terminal::EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange, cursor::Hide)?;
    if mouse {
        execute!(out, EnableMouseCapture)?;
    }
    Ok(())
}

/// Gives the terminal back, every mode by itself, so that one that fails leaves none behind.
pub fn leave() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    let _ = execute!(out, terminal::EndSynchronizedUpdate);
    let _ = execute!(out, DisableMouseCapture);
    let _ = execute!(out, DisableFocusChange);
    let _ = execute!(out, DisableBracketedPaste);
    let _ = execute!(out, terminal::LeaveAlternateScreen);
    let _ = execute!(out, cursor::Show);
    let _ = terminal::disable_raw_mode();
    let _ = out.flush();
}

/// Holds the terminal; gives it back when dropped.
pub struct Held;

impl Held {
    /// Takes the terminal.
    ///
    /// # Errors
    /// Where standard output is no terminal; nothing stays changed.
    pub fn take(mouse: bool) -> io::Result<Self> {
        let held = Self;
        enter(mouse)?;
        Ok(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        leave();
    }
}

/// What is done with a panic that is not the user interface's own: its text, in one line.
pub type Report = Box<dyn Fn(String) + Send + Sync>;

/// Makes a panic of this thread give the terminal back before it is told, and any other thread's a report: a task that
/// panics is not the end of the user interface, and its words must not land on the screen.
pub fn watch_panics(report: Report) {
    let ui = thread::current().id();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if panic_is_caught() {
            // A parser's panic on a truncated text, which becomes an error of that file.
        } else if thread::current().id() == ui {
            leave();
            before(info);
        } else {
            report(info.to_string());
        }
    }));
}
