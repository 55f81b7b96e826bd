//! The loop in a real pseudo-terminal. This test program starts itself again as the console's process.

use super::*;
use crate::console::fixture;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::{
    io::{Read, Write},
    process::Command,
    sync::Mutex,
};

const CHILD: &str = "DRIFTDECK_TEST_CONSOLE_CHILD";

/// The console's process: nothing unless it was started as such. Refreshing panics, in the way that the variable says.
#[test]
fn child() {
    let Ok(mode) = std::env::var(CHILD) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let settings =
        Settings { theme: Theme::named("default", false).unwrap(), yaml: fixture::yaml, ..Settings::default() };
    let mut fleet = fixture::fleet();
    for view in &mut fleet.applications {
        let mut copy = (**view).clone();
        copy.work = crate::engine::Work::Idle;
        *view = Arc::new(copy);
    }
    let (_snapshots, fleet) = watch::channel(Arc::new(fleet));
    let start = move |effect, _: &UnboundedSender<Event>| match (effect, mode.as_str()) {
        (Effect::Refresh(_), "ui") => panic!("boom in the user interface"),
        (Effect::Refresh(_), _) => drop(tokio::spawn(async { panic!("boom in the background") })),
        _ => {}
    };
    runtime.block_on(drive(settings, true, fleet, start)).unwrap();
    println!("left in order");
}

/// A console in a pseudo-terminal.
struct Pty {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
    before: String,
}

impl Pty {
    fn start(mode: &str, script: &str) -> Self {
        let size = PtySize { rows: 36, cols: 120, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let before = modes(&*pair.master);
        let mut command = CommandBuilder::new("/bin/sh");
        command.args(["-c", script, "sh"]);
        command.arg(std::env::current_exe().unwrap());
        command.env(CHILD, mode);
        command.env("TERM", "xterm-256color");
        command.env("RUST_BACKTRACE", "0");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(36.try_into().unwrap(), 120.try_into().unwrap(), 0)));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let sink = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut bytes) {
                sink.lock().unwrap().process(&bytes[..read]);
            }
        });
        let writer = pair.master.take_writer().unwrap();
        Self { master: pair.master, child, writer, screen, before }
    }

    fn type_keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    fn wait(&self, what: &str, fits: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !fits(self) {
            assert!(Instant::now() < deadline, "{what} did not come:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn wait_for(&self, text: &str) {
        self.wait(text, |pty| pty.text().contains(text));
    }

    /// Waits until nothing of the console is left in the terminal.
    fn wait_restored(&self) {
        self.wait("the terminal as it was before", |pty| {
            let parser = pty.screen.lock().unwrap();
            let screen = parser.screen();
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
                && modes(&*pty.master) == pty.before
        });
    }

    /// Returns the console's process: the shell's child, or the shell itself where it gave way to it.
    fn pid(&self) -> String {
        let shell = self.child.process_id().unwrap().to_string();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap_or_default();
        children.split_whitespace().next().map_or(shell, str::to_owned)
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.pid()]).status().unwrap().success());
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// Returns the terminal's line discipline as text, to compare.
fn modes(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios())
}

const RUN: &str = "exec \"$1\" --exact console::runtime::tests::child --nocapture --test-threads=1";

#[test]
fn quitting_gives_the_terminal_back() {
    let mut pty = Pty::start("plain", RUN);
    pty.wait_for("2 Applications");
    pty.wait("raw mode and the alternate screen", |pty| {
        pty.screen.lock().unwrap().screen().alternate_screen() && modes(&*pty.master) != pty.before
    });
    pty.type_keys("q");
    pty.wait_for("left in order");
    pty.wait_restored();
}

#[test]
fn every_signal_that_ends_gives_the_terminal_back() {
    for name in ["TERM", "HUP", "INT"] {
        let pty = Pty::start("plain", RUN);
        pty.wait_for("2 Applications");
        pty.signal(name);
        pty.wait_for("left in order");
        pty.wait_restored();
    }
}

#[test]
fn a_panic_of_the_user_interface_gives_the_terminal_back_before_it_is_told() {
    let mut pty = Pty::start("ui", RUN);
    pty.wait_for("2 Applications");
    pty.type_keys("R");
    pty.wait_for("boom in the user interface");
    pty.wait_restored();
}

#[test]
fn a_panic_of_a_background_task_is_an_entry_of_the_activity_and_the_screen_goes_on() {
    let mut pty = Pty::start("background", RUN);
    pty.wait_for("2 Applications");
    pty.type_keys("R");
    pty.wait_for("a background task failed");
    pty.type_keys("?");
    pty.wait_for("Keys and actions");
    pty.type_keys("\u{1b}");
    pty.wait("help closed", |pty| !pty.text().contains("Keys and actions"));
    pty.type_keys("q");
    pty.wait_restored();
}

#[test]
fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_draws_anew() {
    let script = "set -m; \"$1\" --exact console::runtime::tests::child --nocapture --test-threads=1; \
                  echo in the shell; read line; fg";
    let mut pty = Pty::start("plain", script);
    pty.wait_for("2 Applications");
    pty.type_keys("\u{1a}");
    pty.wait_for("in the shell");
    pty.wait_restored();
    pty.type_keys("\n");
    pty.wait_for("2 Applications");
    pty.wait("the alternate screen", |pty| pty.screen.lock().unwrap().screen().alternate_screen());
    pty.type_keys("q");
    pty.wait_for("left in order");
    pty.wait_restored();
}

#[test]
fn a_resize_is_drawn_at_once() {
    let pty = Pty::start("plain", RUN);
    pty.wait_for("2 Applications");
    pty.screen.lock().unwrap().screen_mut().set_size(10.try_into().unwrap(), 40.try_into().unwrap());
    pty.master.resize(PtySize { rows: 10, cols: 40, pixel_width: 0, pixel_height: 0 }).unwrap();
    pty.wait_for("This terminal is 40x10");
    pty.wait_for("kind-prod");
}

#[test]
fn a_key_is_drawn_when_it_comes_and_not_at_the_next_tick() {
    let mut pty = Pty::start("plain", RUN);
    pty.wait_for("2 Applications");
    pty.type_keys("?");
    pty.wait_for("Keys and actions");
    let mut typed = String::from("/");
    let mut late = Vec::new();
    for letter in "abcdefgh".chars() {
        typed.push(letter);
        let sent = Instant::now();
        pty.type_keys(&letter.to_string());
        pty.wait_for(&format!("{typed}_"));
        if sent.elapsed() > Duration::from_millis(400) {
            late.push(sent.elapsed());
        }
    }
    // A busy machine may hold one up; where keys wait for the tick, every second one does.
    assert!(late.len() < 2, "{late:?}");
}
