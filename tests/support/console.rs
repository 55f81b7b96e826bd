//! The real binary in a PTY: keys go in as an operator types them, the screen comes out as a terminal shows it.

use super::{
    screen::Screen,
    wait::{self, Patience, SHORT},
};
use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use std::{
    ffi::OsString,
    io::{Read, Write},
    num::NonZeroU16,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

/// Size of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub rows: u16,
    pub columns: u16,
}

impl Size {
    /// The size that the screens are designed for.
    pub const DESIGN: Self = Self { rows: 36, columns: 120 };
    /// The smallest that still shows panes stacked.
    pub const SMALL: Self = Self { rows: 24, columns: 80 };

    /// As the emulator takes it.
    fn cells(self) -> (NonZeroU16, NonZeroU16) {
        let at_least_one = |length| NonZeroU16::new(length).unwrap_or(NonZeroU16::MIN);
        (at_least_one(self.rows), at_least_one(self.columns))
    }

    fn pty(self) -> PtySize {
        PtySize { rows: self.rows, cols: self.columns, pixel_width: 0, pixel_height: 0 }
    }
}

/// The console, running in a terminal emulator.
pub struct Console {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    terminal: Arc<Mutex<vt100::Parser>>,
    reader: Option<JoinHandle<()>>,
}

impl Console {
    /// Starts any program; suites start driftdeck with [`super::Driftdeck::console`].
    pub fn start(
        program: &Path,
        arguments: &[&str],
        environment: &[(OsString, OsString)],
        folder: &Path,
        size: Size,
    ) -> Self {
        let pty = native_pty_system().openpty(size.pty()).expect("a PTY");
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.cwd(folder);
        command.env_clear();
        for (name, value) in environment {
            command.env(name, value);
        }
        let child = pty.slave.spawn_command(command).expect("the binary is built");
        // With our copy of the slave closed, the reader ends when the program does.
        drop(pty.slave);
        let (rows, columns) = size.cells();
        let terminal = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let mut output = pty.master.try_clone_reader().expect("the PTY can be read");
        let shown = Arc::clone(&terminal);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                shown.lock().unwrap_or_else(PoisonError::into_inner).process(&buffer[..length]);
            }
        });
        let keyboard = pty.master.take_writer().expect("the PTY can be written");
        Self { master: pty.master, keyboard, child, terminal, reader: Some(reader) }
    }

    /// What the terminal shows now.
    pub fn screen(&self) -> Screen {
        Screen::new(self.terminal.lock().unwrap_or_else(PoisonError::into_inner).screen().clone())
    }

    /// Types keys. `<enter>`, `<esc>`, `<tab>`, `<backspace>`, `<up>`, `<down>`, `<ctrl-x>`, `<lt>` are keys; the rest is typed as it is.
    #[track_caller]
    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(&bytes_of(keys)).expect("the PTY takes keys");
        self.keyboard.flush().expect("the PTY takes keys");
    }

    /// Waits until the screen holds a text.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> Screen {
        self.wait_until(&format!("{text:?} on the screen"), SHORT, |screen| screen.contains(text))
    }

    /// Waits until a row holds all of these texts.
    #[track_caller]
    pub fn wait_for_row(&self, texts: &[&str], patience: Patience) -> Screen {
        self.wait_until(&format!("{texts:?} in one row"), patience, |screen| screen.row(texts).is_some())
    }

    /// Waits until the screen is as `is_so` wants it; the screen is printed where it never is.
    pub fn wait_until(&self, what: &str, patience: Patience, is_so: impl Fn(&Screen) -> bool) -> Screen {
        wait::until(what, patience, || {
            let screen = self.screen();
            if is_so(&screen) { Ok(screen) } else { Err(screen.text()) }
        })
    }

    /// Presses keys again and again until the screen is so: for keys that the program may ignore for a while on purpose
    /// (an approval counts only after the plan has been seen), and that do no harm when pressed once more.
    pub fn press_until(
        &mut self,
        keys: &str,
        what: &str,
        patience: Patience,
        is_so: impl Fn(&Screen) -> bool,
    ) -> Screen {
        let mut last_press: Option<std::time::Instant> = None;
        wait::until(what, patience, || {
            let screen = self.screen();
            if is_so(&screen) {
                return Ok(screen);
            }
            // Far enough apart for the program to take each as a press of its own.
            if last_press.is_none_or(|at| at.elapsed() > std::time::Duration::from_millis(700)) {
                self.press(keys);
                last_press = Some(std::time::Instant::now());
            }
            Err(screen.text())
        })
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, size: Size) {
        let (rows, columns) = size.cells();
        // As a real terminal does: it has its new size before the program hears of it. The lock holds back what the
        // program draws for that size; drawn into the old one it would stay garbled, as nothing asks for it again.
        let mut terminal = self.terminal.lock().unwrap_or_else(PoisonError::into_inner);
        terminal.screen_mut().set_size(rows, columns);
        self.master.resize(size.pty()).expect("the PTY can be resized");
    }

    /// The program's process id.
    pub fn process_id(&self) -> u32 {
        self.child.process_id().expect("the program runs")
    }

    /// Waits for the program's end, and for all that it has written.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        let terminal = Arc::clone(&self.terminal);
        let status = wait::until("the program's end", SHORT, || {
            let shown = || terminal.lock().unwrap_or_else(PoisonError::into_inner).screen().contents();
            self.child.try_wait().expect("the child is ours").ok_or_else(shown)
        });
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        status
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // Fails where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Turns `<names>` into what a terminal sends for them.
fn bytes_of(keys: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = keys;
    while let Some(character) = rest.chars().next() {
        let name = rest.strip_prefix('<').and_then(|inner| inner.split_once('>')).map(|(name, _)| name);
        match name.and_then(named_key) {
            Some(sent) => {
                bytes.extend(sent);
                rest = &rest[name.map_or(0, str::len) + 2..];
            }
            None => {
                bytes.extend(character.to_string().bytes());
                rest = &rest[character.len_utf8()..];
            }
        }
    }
    bytes
}

fn named_key(name: &str) -> Option<Vec<u8>> {
    let sent: &[u8] = match name {
        "enter" => b"\r",
        "esc" => b"\x1b",
        "tab" => b"\t",
        "backspace" => b"\x7f",
        "up" => b"\x1b[A",
        "down" => b"\x1b[B",
        "right" => b"\x1b[C",
        "left" => b"\x1b[D",
        "lt" => b"<",
        _ => {
            let letter = name.strip_prefix("ctrl-").filter(|letter| letter.len() == 1)?;
            return Some(vec![letter.as_bytes()[0] & 0x1f]);
        }
    };
    Some(sent.to_vec())
}
