//! Screens as text, with a hash of their styles, against the files in `snapshots/`; `DRIFTDECK_UPDATE_SNAPSHOTS=1` rewrites them.

use super::{
    effect::Effect,
    fixture::{self, key, press, send, type_text},
    glyph,
    message::{Event, Reply, Ticket},
    model::Model,
    theme::Theme,
    view,
};
use crate::{
    engine::{ClusterState, Confirmation, Fleet, Outcome, StepReport, StepResult, SyncReport},
    object::sha256_hex,
};
use ratatui::{Terminal, backend::TestBackend};
use std::{fmt::Write, sync::Arc};

/// Draws a model.
pub fn draw(model: &Model) -> (String, String) {
    let mut terminal = Terminal::new(TestBackend::new(model.size.0, model.size.1)).unwrap();
    terminal.draw(|frame| view::view(model, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let (mut text, mut styles) = (String::new(), String::new());
    for y in 0..buffer.area.height {
        let mut row = String::new();
        let mut covered = 0;
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            write!(styles, "{:?}{:?}{:?};", cell.fg, cell.bg, cell.modifier).unwrap();
            if covered > 0 {
                covered -= 1;
                continue;
            }
            covered = super::text::width(cell.symbol()).saturating_sub(1);
            row.push_str(cell.symbol());
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    (text, sha256_hex(styles.as_bytes())[..16].to_owned())
}

fn check(name: &str, model: &Model) {
    let (text, styles) = draw(model);
    let actual = format!("{text}styles {styles}\n");
    let path = format!("{}/src/console/snapshots/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("DRIFTDECK_UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == actual, "{name} is not as expected; DRIFTDECK_UPDATE_SNAPSHOTS=1 takes it as it is\n{actual}");
}

/// Checks a screen in all four modes.
fn check_modes(name: &str, screen: impl Fn(&mut Model)) {
    for (suffix, size, ascii, plain) in [
        ("120x36", (120, 36), false, false),
        ("80x24", (80, 24), false, false),
        ("ascii", (120, 36), true, false),
        ("no-color", (120, 36), false, true),
    ] {
        let mut model = fixture::model(size.0, size.1);
        if ascii {
            model.settings.glyphs = glyph::ASCII;
        }
        model.settings.theme = Theme::named("default", plain).unwrap();
        screen(&mut model);
        check(&format!("{name}.{suffix}"), &model);
        let (text, _) = draw(&model);
        let ours: String = text.chars().filter(|c| !('\u{2400}'..='\u{2421}').contains(c)).collect();
        assert!(!ascii || ours.is_ascii(), "ASCII only:\n{text}");
        assert!(text.contains("kind-prod") && text.contains("PROD") && text.contains("WRITE"), "{text}");
    }
}

/// Puts the cursor on an application by filtering for its name, and clears the filter.
pub fn go_to(model: &mut Model, name: &str) {
    press(model, &["2", "/"]);
    type_text(model, name);
    press(model, &["enter", "esc"]);
    assert_eq!(model.applications.current().map(String::as_str), Some(name));
}

fn ticket(effects: &[Effect]) -> Ticket {
    match effects.last().unwrap() {
        Effect::Plan { ticket, .. }
        | Effect::Sync { ticket, .. }
        | Effect::Commit { ticket, .. }
        | Effect::Revert { ticket, .. }
        | Effect::Push { ticket, .. } => ticket.clone(),
        other => panic!("{other:?} has no answer"),
    }
}

/// Presses a key and answers its effect.
pub fn ask(model: &mut Model, name: &str, reply: impl FnOnce(Ticket) -> Reply) {
    let effects = send(model, key(name));
    send(model, Event::Reply(reply(ticket(&effects))));
}

/// Opens the plan of `shop-api`.
pub fn open_plan(model: &mut Model, confirmation: Confirmation) {
    go_to(model, "shop-api");
    ask(model, "s", |ticket| Reply::Planned(ticket, Ok(fixture::plan(confirmation))));
}

#[test]
fn the_main_screen_shows_four_panes_and_the_activity() {
    check_modes("main", |model| go_to(model, "shop-api"));
}

#[test]
fn a_fresh_start_puts_the_cursor_on_what_is_broken() {
    check_modes("start", |_| ());
}

#[test]
fn the_diff_takes_the_whole_screen() {
    check_modes("diff", |model| {
        go_to(model, "shop-api");
        press(model, &["enter", "}"]);
    });
}

#[test]
fn the_plan_says_everything_that_an_approval_needs() {
    check_modes("plan", |model| open_plan(model, Confirmation::None));
}

#[test]
fn a_plan_with_a_typed_warning_asks_for_the_name() {
    check_modes("plan-typed", |model| {
        open_plan(model, Confirmation::Typed);
        type_text(model, "shop-a");
    });
}

#[test]
fn a_plan_that_was_refused_as_stale_comes_back_with_what_moved() {
    check_modes("plan-moved", |model| {
        open_plan(model, Confirmation::None);
        let effects = send(model, key("a"));
        let refused = crate::engine::Refusal::Stale("Deployment shop/api was changed after the plan".into());
        let effects = send(model, Event::Reply(Reply::Synced(ticket(&effects), Err(refused.into()))));
        send(model, Event::Reply(Reply::Planned(ticket(&effects), Ok(fixture::plan(Confirmation::None)))));
    });
}

#[test]
fn a_running_sync_shows_its_steps() {
    check_modes("sync", |model| {
        go_to(model, "checkout");
        press(model, &["s"]);
    });
}

#[test]
fn a_sync_that_has_ended_shows_its_report() {
    check_modes("sync-report", |model| {
        open_plan(model, Confirmation::None);
        let effects = send(model, key("a"));
        let step = |object: &str, result, message: &str| StepReport {
            object: object.into(),
            result,
            message: message.into(),
            seconds: 0.21,
        };
        let report = SyncReport {
            application: "shop-api".into(),
            digest: "sha256:00".into(),
            outcome: Outcome::Failed,
            record: "shop/driftdeck-shop-api-214".into(),
            message: String::new(),
            steps: vec![
                step("ConfigMap/shop/api-env", StepResult::Configured, ""),
                step(
                    "apps/Deployment/shop/api",
                    StepResult::Failed,
                    "denied by admission webhook \u{1b}[31mpolicy\r\nno root",
                ),
                step("Service/shop/api", StepResult::Skipped, ""),
            ],
        };
        send(model, Event::Reply(Reply::Synced(ticket(&effects), Ok(Arc::new(report)))));
    });
}

#[test]
fn a_commit_stands_beside_the_history() {
    check_modes("commit", |model| {
        go_to(model, "shop-api");
        press(model, &["3", "j"]);
        ask(model, "enter", |ticket| Reply::Commit(ticket, Ok(fixture::effect())));
    });
}

#[test]
fn a_revert_is_shown_before_it_is_pushed() {
    check_modes("revert", |model| {
        go_to(model, "shop-api");
        press(model, &["3"]);
        ask(model, "t", |ticket| Reply::Reverted(ticket, Ok(fixture::git_change(false))));
    });
}

#[test]
fn a_merge_asks_which_parent_stays() {
    check_modes("revert-merge", |model| {
        go_to(model, "shop-api");
        press(model, &["3", "G", "t"]);
    });
}

#[test]
fn help_lists_the_table_and_says_why_not() {
    check_modes("help", |model| {
        press(model, &["?"]);
        type_text(model, "re");
    });
}

#[test]
fn a_filter_shows_how_many_of_how_many() {
    check_modes("filter", |model| {
        press(model, &["/"]);
        type_text(model, "shop");
    });
}

#[test]
fn a_lost_cluster_is_told_in_the_border_and_nothing_stays_green() {
    check_modes("lost", |model| {
        let mut fleet = fixture::fleet();
        let mut cluster = (*fleet.clusters[0]).clone();
        cluster.state = ClusterState::Failed {
            message: "https://10.0.0.1:6443: connection refused".into(),
            since: "2026-11-24T12:04:19Z".parse().unwrap(),
            retry_at: Some("2026-11-24T12:04:36Z".parse().unwrap()),
        };
        fleet.clusters[0] = Arc::new(cluster);
        send(model, Event::Fleet(Arc::new(fleet)));
        go_to(model, "shop-web");
    });
}

#[test]
fn quitting_during_a_sync_asks() {
    check_modes("quit", |model| {
        open_plan(model, Confirmation::None);
        press(model, &["a", "esc", "q"]);
    });
}

#[test]
fn an_empty_fleet_says_what_to_do() {
    let mut model = fixture::model(120, 36);
    send(&mut model, Event::Fleet(Arc::new(Fleet::default())));
    check("empty", &model);
}

#[test]
fn a_small_terminal_has_one_pane_and_tabs_and_a_tiny_one_a_message() {
    for (name, size) in [("small", (70, 18)), ("tiny", (40, 10))] {
        let mut model = fixture::model(size.0, size.1);
        go_to_quietly(&mut model);
        check(name, &model);
        let (text, _) = draw(&model);
        assert!(text.contains("kind-prod") && text.contains("[PROD]") && text.contains("WRITE"), "{text}");
    }
}

fn go_to_quietly(model: &mut Model) {
    send(model, key("j"));
}
