//! Random keys and events, by the thousand: no panic, no write without its rules, no cursor out of range.

use super::{
    effect::Effect,
    fixture, gate,
    layout::{Layout, Shape},
    message::{Event, Msg, Reply, Stamp, Ticket},
    model::Model,
    screen::{Field, Layer, Loaded},
    snapshots::draw,
    update::update,
};
use crate::engine::{Confirmation, EngineError, Fleet, Outcome, Refusal, SyncReport};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use std::{sync::Arc, time::Duration};

const STEPS: usize = 400;
const CASES: u32 = 50;
const KEYS: &[char] = &[
    'j', 'k', 'g', 'G', 's', 'a', 'a', 'a', '.', 't', 'd', 'n', 'N', '[', ']', '{', '}', '|', '/', ':', '?', 'q', 'f',
    'R', 'y', 'c', 'm', 'b', 'z', 'S', ' ', 'p', 'w', 'D', 'e', 'v', 'x', 'r', '1', '2', '3', '4', '0', '+', '_', '@',
    'J', 'K', 'u', 'i', 'h', 'o', '-', 'P', '字', '\u{301}',
];

#[derive(Clone, Debug)]
enum Move {
    Key(char, u16),
    Named(usize, u16),
    Ctrl(char),
    Fleet(u8),
    Answer(u8),
    Size(u16, u16),
    Mouse(u16, u16, bool),
    Paste,
    Tick(u16),
    TypeName,
    Approve(u16, u16),
    Push(u16, u16),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let step = prop_oneof![
        12 => (prop::sample::select(KEYS), 0u16..700).prop_map(|(c, after)| Move::Key(c, after)),
        5 => (0usize..10, 0u16..700).prop_map(|(key, after)| Move::Named(key, after)),
        1 => prop::sample::select(&['c', 'd', 'u', 'w', 'a'][..]).prop_map(Move::Ctrl),
        2 => any::<u8>().prop_map(Move::Fleet),
        5 => any::<u8>().prop_map(Move::Answer),
        1 => (1u16..160, 1u16..60).prop_map(|(width, height)| Move::Size(width, height)),
        1 => (0u16..160, 0u16..60, any::<bool>()).prop_map(|(x, y, wheel)| Move::Mouse(x, y, wheel)),
        1 => Just(Move::Paste),
        1 => (0u16..400).prop_map(Move::Tick),
        1 => Just(Move::TypeName),
        1 => (0u16..700, 0u16..700).prop_map(|(one, two)| Move::Approve(one, two)),
        1 => (0u16..700, 0u16..700).prop_map(|(one, two)| Move::Push(one, two)),
    ];
    prop::collection::vec(step, STEPS)
}

/// Another fleet: applications missing, reordered, disarmed, or changed.
fn fleet(seed: u8) -> Fleet {
    let mut fleet = fixture::fleet();
    let bits = |n: u8| seed >> n & 1 == 1;
    if bits(0) {
        fleet.applications.reverse();
    }
    if bits(1) {
        fleet.applications.remove(usize::from(seed) % 9);
    }
    if bits(2) && bits(3) {
        fleet.applications.clear();
    }
    if bits(4) && bits(5) {
        let mut cluster = (*fleet.clusters[0]).clone();
        cluster.armed = false;
        fleet.clusters[0] = Arc::new(cluster);
    }
    if bits(6) {
        fleet.applications.truncate(3);
        fleet.repositories.clear();
        fleet.activity = Arc::default();
    }
    fleet
}

struct Run {
    model: Model,
    stamp: Stamp,
    asked: Vec<Effect>,
}

impl Run {
    fn send(&mut self, after: u16, event: Event) -> Result<(), TestCaseError> {
        self.stamp.uptime += Duration::from_millis(after.into());
        let before = self.model.clone();
        let effects = update(&mut self.model, Msg { at: self.stamp, event });
        for effect in &effects {
            self.check(&before, effect)?;
        }
        self.asked.extend(effects);
        self.check_model()?;
        update(&mut self.model, Msg { at: self.stamp, event: Event::Drawn });
        // Who leaves comes back: the run goes on.
        self.model.done = false;
        Ok(())
    }

    /// A write is made only from its own screen, as that screen showed it, in time, armed, and with the name typed.
    fn check(&self, before: &Model, effect: &Effect) -> Result<(), TestCaseError> {
        let quiet =
            before.last_key.is_none_or(|last| self.stamp.uptime.saturating_sub(last) >= Duration::from_millis(150));
        let stood = |shown: Option<Duration>| {
            shown.is_some_and(|shown| self.stamp.uptime.saturating_sub(shown) >= Duration::from_millis(300))
        };
        match effect {
            Effect::Sync { ticket, plan, confirm, .. } => {
                let Some(Layer::Plan(screen)) = before.layers.last() else {
                    return Err(TestCaseError::fail("a sync from somewhere else than the plan"));
                };
                let Loaded::Ready(shown) = &screen.plan else { return Err(TestCaseError::fail("no plan was shown")) };
                prop_assert!(Arc::ptr_eq(shown, plan), "another plan than the one shown");
                prop_assert!(plan.approvable && self.stamp.now <= plan.expires);
                prop_assert!(quiet && stood(screen.shown), "too early");
                prop_assert!(before.armed(&ticket.application), "read-only");
                prop_assert!(screen.field == Field::Cancel && before.input.is_none());
                prop_assert!(Layout::of(before).shape != Shape::Tiny);
                let typed = plan.confirmation == Confirmation::Typed;
                prop_assert!(!typed || confirm.as_deref() == Some(ticket.application.as_str()));
                prop_assert!(!before.syncing(&ticket.application), "two syncs of one application");
            }
            Effect::Push { ticket, commit, .. } => {
                let Some(Layer::Revert(screen)) = before.layers.last() else {
                    return Err(TestCaseError::fail("a push from somewhere else than the revert"));
                };
                let shown = screen.change.as_ref().and_then(Loaded::ready).and_then(|change| change.commit);
                prop_assert_eq!(shown, Some(*commit));
                prop_assert!(quiet && stood(screen.shown) && !screen.pushing, "too early or twice");
                prop_assert!(before.armed(&ticket.application), "read-only");
            }
            _ => {}
        }
        Ok(())
    }

    fn check_model(&self) -> Result<(), TestCaseError> {
        let model = &self.model;
        prop_assert!(model.applications.row().is_none_or(|row| row < model.applications.rows().len()));
        prop_assert!(model.history.row().is_none_or(|row| row < model.history.rows().len()));
        prop_assert!(model.activity.row().is_none_or(|row| row < model.activity.rows().len()));
        prop_assert!(model.diff.objects.row().is_none_or(|row| row < model.diff.objects.rows().len()));
        prop_assert!(model.diff.document.rows.is_empty() || model.diff.scroll < model.diff.document.rows.len());
        if let Some(name) = model.applications.current() {
            prop_assert!(model.fleet.application(name).is_some());
        }
        Ok(())
    }

    /// Answers one of the questions asked so far, old ones too.
    fn answer(&mut self, seed: u8) -> Option<Reply> {
        let index = self.asked.len().checked_sub(1)?.saturating_sub(usize::from(seed) / 64);
        let error = || EngineError::NotReady("the cluster is not there".into());
        let bad = seed % 4 == 3;
        let outcome = |ticket: &Ticket| SyncReport {
            application: ticket.application.clone(),
            digest: String::new(),
            outcome: if seed.is_multiple_of(8) { Outcome::Succeeded } else { Outcome::Interrupted },
            record: String::new(),
            message: String::new(),
            steps: Vec::new(),
        };
        Some(match self.asked.get(index)? {
            Effect::Plan { ticket, .. } if bad => Reply::Planned(ticket.clone(), Err(error())),
            Effect::Plan { ticket, .. } => {
                let confirmation = if seed % 8 == 1 { Confirmation::Typed } else { Confirmation::None };
                Reply::Planned(ticket.clone(), Ok(fixture::plan(confirmation)))
            }
            Effect::Sync { ticket, .. } if bad => {
                Reply::Synced(ticket.clone(), Err(Refusal::Stale("live moved".into()).into()))
            }
            Effect::Sync { ticket, .. } => Reply::Synced(ticket.clone(), Ok(Arc::new(outcome(ticket)))),
            Effect::Commit { ticket, .. } if bad => Reply::Commit(ticket.clone(), Err(error())),
            Effect::Commit { ticket, .. } => Reply::Commit(ticket.clone(), Ok(fixture::effect())),
            Effect::Revert { ticket, .. } if bad => Reply::Reverted(ticket.clone(), Err(error())),
            Effect::Revert { ticket, .. } => Reply::Reverted(ticket.clone(), Ok(fixture::git_change(false))),
            Effect::Push { ticket, .. } if bad => Reply::Pushed(ticket.clone(), Err(error())),
            Effect::Push { ticket, .. } => Reply::Pushed(ticket.clone(), Ok(fixture::git_change(true))),
            _ => Reply::Failed("no".into()),
        })
    }

    fn steps(&mut self, steps: &[Move]) -> Result<(), TestCaseError> {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn step(&mut self, step: &Move) -> Result<(), TestCaseError> {
        let key =
            |code, modifiers| Event::Key(KeyEvent { kind: KeyEventKind::Press, ..KeyEvent::new(code, modifiers) });
        match step {
            Move::Key(c, after) => self.send(*after, key(KeyCode::Char(*c), KeyModifiers::NONE)),
            Move::Named(index, after) => {
                let code = [
                    KeyCode::Enter,
                    KeyCode::Esc,
                    KeyCode::Esc,
                    KeyCode::Tab,
                    KeyCode::Up,
                    KeyCode::Down,
                    KeyCode::Backspace,
                    KeyCode::PageDown,
                    KeyCode::BackTab,
                    KeyCode::End,
                ][*index];
                self.send(*after, key(code, KeyModifiers::NONE))
            }
            Move::Ctrl(c) => self.send(40, key(KeyCode::Char(*c), KeyModifiers::CONTROL)),
            Move::Fleet(seed) => self.send(10, Event::Fleet(Arc::new(fleet(*seed)))),
            Move::Answer(seed) => match self.answer(*seed) {
                Some(reply) => self.send(10, Event::Reply(reply)),
                None => Ok(()),
            },
            Move::Size(width, height) => {
                self.send(10, Event::Resize(*width, *height))?;
                draw(&self.model);
                Ok(())
            }
            Move::Mouse(column, row, wheel) => {
                let kind = if *wheel { MouseEventKind::ScrollDown } else { MouseEventKind::Down(MouseButton::Left) };
                let mouse = MouseEvent { kind, column: *column, row: *row, modifiers: KeyModifiers::NONE };
                self.send(10, Event::Mouse(mouse))
            }
            Move::Paste => self.send(10, Event::Paste("shop-api\n\u{1b}[2J".into())),
            Move::Tick(seconds) => {
                self.stamp.now += Duration::from_secs((*seconds).into());
                self.send(10, Event::Tick)
            }
            Move::Approve(one, two) => self.steps(&[
                Move::Named(1, 10),
                Move::Named(1, 10),
                Move::Key('2', 10),
                Move::Key('s', 10),
                Move::Answer(0),
                Move::Key('a', *one),
                Move::Key('a', *two),
            ]),
            Move::Push(one, two) => self.steps(&[
                Move::Named(1, 10),
                Move::Named(1, 10),
                Move::Key('3', 10),
                Move::Key('t', 10),
                Move::Answer(0),
                Move::Key('a', *one),
                Move::Key('a', *two),
            ]),
            Move::TypeName => {
                for c in "shop-api".chars() {
                    self.send(20, key(KeyCode::Char(c), KeyModifiers::NONE))?;
                }
                Ok(())
            }
        }
    }
}

#[test]
fn no_sequence_of_keys_and_events_panics_or_writes_without_its_rules() {
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let (syncs, pushes) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let outcome = runner.run(&moves(), |moves| {
        let model = fixture::model(120, 36);
        let mut run = Run { stamp: model.stamp, model, asked: Vec::new() };
        for (index, step) in moves.iter().enumerate() {
            run.step(step)?;
            if index % 40 == 0 {
                draw(&run.model);
            }
        }
        let made = |fits: fn(&&Effect) -> bool| run.asked.iter().filter(fits).count();
        syncs.set(syncs.get() + made(|effect| matches!(effect, Effect::Sync { .. })));
        pushes.set(pushes.get() + made(|effect| matches!(effect, Effect::Push { .. })));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    assert!(syncs.get() > 0 && pushes.get() > 0, "the rules were exercised: {} {}", syncs.get(), pushes.get());
    assert!(gate::too_early(gate::Press { at: Duration::ZERO, before: None, repeat: false }, None).is_some());
}
