//! The edge: one loop over signals, keys, snapshots and time. It drains what is there, updates, then draws once if
//! something changed; keys are drawn at once, everything else at most every 16 ms, and nothing wakes it but a tick a second, of which few draw anything
//! when nobody has touched the keys for a minute.

use super::{
    effect::{self, Effect},
    glyph,
    keymap::Keymap,
    message::{Event, Msg, Stamp},
    model::{Model, Settings},
    terminal,
    theme::Theme,
    update::update,
    view::view,
};
use crate::{
    config::{self, Config, Paths},
    engine::{Activity, ActivityKind, Engine, Fleet},
};
use crossterm::{
    clipboard::CopyToClipboard,
    event::{Event as Input, EventStream, KeyEventKind},
    execute,
    terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate},
};
use futures::{StreamExt, future::poll_immediate};
use ratatui::{Terminal, backend::CrosstermBackend};
use std::{
    io::{self, Stdout},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        watch,
    },
    time::{MissedTickBehavior, interval, sleep_until},
};

/// After this time without a key the ages on the screen move on less often.
const LEFT_ALONE: Duration = Duration::from_secs(60);
/// How often they then do.
const NOW_AND_THEN: Duration = Duration::from_millis(4500);

/// Shortest time between two pictures that no key asked for.
const FRAME: Duration = Duration::from_millis(16);

/// How the console is started.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunOptions {
    /// Writes can never be armed.
    pub read_only: bool,
    /// Writes are armed from the start.
    pub write: bool,
}

/// Runs the console until the operator leaves or a signal ends it. The terminal is as before on every way out.
///
/// # Errors
/// Where there is no terminal, or the configuration's keys or theme cannot be used: all problems in one text.
pub async fn run(engine: Engine, config: &Config, _paths: &Paths, options: RunOptions) -> io::Result<()> {
    let settings = settings(config, options)?;
    if options.write && !options.read_only {
        engine.arm(true);
    }
    let fleet = engine.fleet();
    let worker = engine.clone();
    let start = move |effect, events: &UnboundedSender<Event>| effect::start(&worker, effect, events);
    let result = drive(settings, config.ui.mouse, fleet, start).await;
    engine.shutdown().await;
    result
}

fn settings(config: &Config, options: RunOptions) -> io::Result<Settings> {
    let variable = |name: &str| std::env::var(name).ok();
    let no_color = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    let ascii = config.ui.ascii.unwrap_or_else(|| glyph::needs_ascii(variable));
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
    Ok(Settings {
        glyphs: if ascii { glyph::ASCII } else { glyph::UNICODE },
        theme: Theme::named(&config.ui.theme, no_color).map_err(invalid)?,
        confirm_always: config.ui.confirm_always,
        read_only: options.read_only,
        keymap: Arc::new(Keymap::new(&config.keys).map_err(|problems| invalid(problems.join("\n")))?),
        ..Settings::default()
    })
}

/// Signals that end the console, and the one after which the terminal must be taken anew.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    resumed: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            resumed: signal(SignalKind::from_raw(signal_hook::consts::SIGCONT))?,
        })
    }

    /// Waits for one; true: leave.
    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.terminate.recv() => true,
            _ = self.interrupt.recv() => true,
            _ = self.hangup.recv() => true,
            _ = self.resumed.recv() => false,
        }
    }
}

/// The loop's own things.
struct Console<F> {
    model: Model,
    screen: Terminal<CrosstermBackend<Stdout>>,
    keys: Option<EventStream>,
    events: UnboundedSender<Event>,
    answers: UnboundedReceiver<Event>,
    start: F,
    started: Instant,
    mouse: bool,
    dirty: bool,
    drawn: Option<Instant>,
    focused: bool,
}

/// Runs the loop with something that starts effects.
pub(super) async fn drive<F>(
    settings: Settings,
    mouse: bool,
    mut fleet: watch::Receiver<Arc<Fleet>>,
    start: F,
) -> io::Result<()>
where
    F: FnMut(Effect, &UnboundedSender<Event>),
{
    let mut signals = Signals::new()?;
    let (events, answers) = unbounded_channel();
    let notes = events.clone();
    terminal::watch_panics(Box::new(move |text| {
        tracing::error!(panic = %text, "a background task panicked");
        let note = Activity {
            time: config::now(),
            kind: ActivityKind::Failed,
            subject: "driftdeck".into(),
            text: format!("a background task failed; this is a bug worth reporting: {text}"),
        };
        // The receiver is gone only when the console is leaving.
        let _ = notes.send(Event::Note(note));
    }));
    let _held = terminal::Held::take(mouse)?;
    let screen = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    let size = screen.size()?;
    let started = Instant::now();
    let stamp = Stamp { now: config::now(), uptime: Duration::ZERO };
    let mut console = Console {
        model: Model::new(settings, stamp, (size.width, size.height)),
        screen,
        keys: Some(EventStream::new()),
        events,
        answers,
        start,
        started,
        mouse,
        dirty: true,
        drawn: None,
        focused: true,
    };
    let snapshot = fleet.borrow_and_update().clone();
    console.take(Event::Fleet(snapshot))?;
    let mut tick = interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut engine_lives = true;
    while !console.model.done {
        console.draw_if_due(false)?;
        let due = console.drawn.map_or_else(Instant::now, |drawn| drawn + FRAME);
        let waiting = console.dirty;
        let Some(keys) = console.keys.as_mut() else { return Ok(()) };
        tokio::select! {
            biased;
            leave = signals.next() => {
                if leave {
                    return Ok(());
                }
                console.retake()?;
            }
            input = keys.next() => match input {
                Some(Ok(input)) => console.input(input).await?,
                // The terminal is gone.
                Some(Err(_)) | None => return Ok(()),
            },
            Some(event) = console.answers.recv() => {
                console.take(event)?;
                while let Ok(event) = console.answers.try_recv() {
                    console.take(event)?;
                }
            }
            changed = fleet.changed(), if engine_lives => {
                engine_lives = changed.is_ok();
                let snapshot = fleet.borrow_and_update().clone();
                console.take(Event::Fleet(snapshot))?;
            }
            () = sleep_until(due.into()), if waiting => {}
            _ = tick.tick(), if console.focused => {
                if console.ages_move_on() {
                    console.take(Event::Tick)?;
                }
            }
        }
    }
    Ok(())
}

impl<F: FnMut(Effect, &UnboundedSender<Event>)> Console<F> {
    fn stamp(&self) -> Stamp {
        Stamp { now: config::now(), uptime: self.started.elapsed() }
    }

    /// Says at a tick whether the ages on the screen move on: every second; on a console that nobody has touched for a while, and
    /// on which nothing runs out, now and then. Most consoles stand in a terminal that does not tell whether anybody looks.
    fn ages_move_on(&self) -> bool {
        let Model { layers, input, status, runs, last_key, .. } = &self.model;
        let uptime = self.started.elapsed();
        let is_left_alone = uptime.saturating_sub(last_key.unwrap_or_default()) > LEFT_ALONE;
        let is_still = layers.is_empty() && input.is_none() && status.is_none() && runs.is_empty();
        !(is_left_alone && is_still) || self.drawn.is_none_or(|drawn| drawn.elapsed() > NOW_AND_THEN)
    }

    /// Updates the model and starts what it asks for.
    fn take(&mut self, event: Event) -> io::Result<()> {
        let at = self.stamp();
        let effects = update(&mut self.model, Msg { at, event });
        self.dirty = true;
        for effect in effects {
            match effect {
                Effect::Copy(text) => execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text))?,
                Effect::Suspend => self.suspend()?,
                effect => (self.start)(effect, &self.events),
            }
        }
        Ok(())
    }

    /// Takes an input and all that came with it, then draws at once.
    async fn input(&mut self, first: Input) -> io::Result<()> {
        let mut next = Some(first);
        while let Some(input) = next.take() {
            match input {
                Input::Key(key) if key.kind != KeyEventKind::Release => self.take(Event::Key(key))?,
                Input::Key(_) => {}
                Input::Paste(text) => self.take(Event::Paste(text))?,
                Input::Mouse(mouse) => self.take(Event::Mouse(mouse))?,
                Input::Resize(width, height) => self.take(Event::Resize(width, height))?,
                Input::FocusGained | Input::FocusLost => {
                    self.focused = matches!(input, Input::FocusGained);
                    // Ages have stood still while nobody looked.
                    self.take(Event::Tick)?;
                }
            }
            if self.model.done {
                return Ok(());
            }
            // Asked with this task's waker: the stream keeps the waker of the first one who has to wait, and with
            // another one the next key would lie until the tick.
            next = match self.keys.as_mut() {
                Some(keys) => poll_immediate(keys.next()).await.flatten().and_then(Result::ok),
                None => None,
            };
        }
        self.draw_if_due(true)
    }

    fn draw_if_due(&mut self, at_once: bool) -> io::Result<()> {
        if !self.dirty || (!at_once && self.drawn.is_some_and(|drawn| drawn.elapsed() < FRAME)) {
            return Ok(());
        }
        execute!(io::stdout(), BeginSynchronizedUpdate)?;
        let model = &self.model;
        let result = self.screen.draw(|frame| view(model, frame)).map(|_| ());
        // The end marker is sent whatever became of the picture; else the terminal would stay frozen.
        execute!(io::stdout(), EndSynchronizedUpdate)?;
        result?;
        let at = self.stamp();
        update(&mut self.model, Msg { at, event: Event::Drawn });
        self.dirty = false;
        self.drawn = Some(Instant::now());
        Ok(())
    }

    /// Goes to the shell; comes back when the shell continues the process.
    fn suspend(&mut self) -> io::Result<()> {
        // The reader goes first, so that it takes no key from the shell.
        self.keys = None;
        terminal::leave();
        signal_hook::low_level::raise(signal_hook::consts::SIGTSTP)?;
        self.retake()
    }

    /// Takes the terminal again and draws everything. Who was stopped from outside had no chance to give it back first.
    fn retake(&mut self) -> io::Result<()> {
        terminal::leave();
        terminal::enter(self.mouse)?;
        if self.keys.is_none() {
            self.keys = Some(EventStream::new());
        }
        // A new one draws every cell; clearing the old one would ask the terminal where its cursor is.
        execute!(io::stdout(), Clear(ClearType::All))?;
        self.screen = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        let size = self.screen.size()?;
        self.take(Event::Resize(size.width, size.height))
    }
}

#[cfg(test)]
mod tests;
