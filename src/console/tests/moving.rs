//! Cursors, history, help, the `:` line, the mouse, hostile text, many rows.

use super::{change, plan_model, status};
use crate::console::{
    effect::Effect,
    fixture::{self, press, send, type_text},
    message::{Event, Reply, Ticket},
    model::{Model, Pane},
    snapshots::{ask, draw, go_to, open_plan},
};
use crate::engine::{Confirmation, ObjectState};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use std::sync::Arc;

#[test]
fn stepping_plans_the_commit_after_the_applied_one() {
    let mut model = fixture::model(120, 36);
    go_to(&mut model, "shop-api");
    let effects = press(&mut model, &["."]);
    let [Effect::Plan { choices, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(choices.revision, Some(fixture::commit("c81b220").to_string()));
}

#[test]
fn planning_the_newest_commit_does_not_pin_the_plan_to_it() {
    let mut model = fixture::model(120, 36);
    go_to(&mut model, "shop-api");
    let effects = press(&mut model, &["3", "s", "esc", "j", "s"]);
    let revisions: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Plan { choices, .. } => Some(choices.revision.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(revisions, [None, Some(fixture::commit("c81b220").to_string())]);
}

#[test]
fn a_revert_is_pushed_only_as_it_was_shown_and_then_planned_afresh() {
    let mut model = fixture::model(120, 36);
    go_to(&mut model, "shop-api");
    press(&mut model, &["3"]);
    ask(&mut model, "t", |ticket| Reply::Reverted(ticket, Ok(fixture::git_change(false))));
    assert_eq!(press(&mut model, &["enter", "s", "t"]), []);
    let effects = press(&mut model, &["a"]);
    let [Effect::Push { ticket, commit, reverted, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((*commit, *reverted), (fixture::commit("deadbee"), fixture::commit("9f3c1e2")));
    assert_eq!(press(&mut model, &["a"]), [], "once");
    send(&mut model, Event::Reply(Reply::Pushed(ticket.clone(), Ok(fixture::git_change(true)))));
    let effects = press(&mut model, &["s"]);
    assert!(matches!(effects.as_slice(), [Effect::Plan { choices, .. }] if choices.revision.is_none()), "{effects:?}");
}

#[test]
fn an_empty_or_conflicting_revert_is_a_message_and_cannot_be_pushed() {
    for (conflicts, told) in [(vec![], "nothing to revert"), (vec!["apps/a.yaml".to_owned()], "apps/a.yaml")] {
        let mut model = fixture::model(120, 36);
        go_to(&mut model, "shop-api");
        press(&mut model, &["3"]);
        let mut change = (*fixture::git_change(false)).clone();
        change.commit = None;
        change.conflicts = conflicts;
        ask(&mut model, "t", |ticket| Reply::Reverted(ticket, Ok(Arc::new(change))));
        assert_eq!(press(&mut model, &["a"]), []);
        assert!(draw(&model).0.contains(told));
    }
}

#[test]
fn a_merge_is_reverted_only_after_its_parent_is_chosen() {
    let mut model = fixture::model(120, 36);
    go_to(&mut model, "shop-api");
    assert_eq!(press(&mut model, &["3", "G", "t", "a"]), []);
    let effects = press(&mut model, &["1"]);
    assert!(matches!(effects.as_slice(), [Effect::Revert { parent: Some(1), .. }]), "{effects:?}");
}

#[test]
fn the_cursor_stays_on_its_application_through_sorting_and_filtering() {
    let mut model = fixture::model(120, 36);
    go_to(&mut model, "payments");
    change(&mut model, |fleet| fleet.applications.reverse());
    assert_eq!(model.applications.current().map(String::as_str), Some("payments"));
    press(&mut model, &["/"]);
    type_text(&mut model, "web");
    assert_eq!(model.applications.current(), None);
    press(&mut model, &["esc"]);
    assert_eq!(model.applications.current().map(String::as_str), Some("payments"));
}

#[test]
fn no_key_acts_on_an_application_that_is_gone() {
    let mut model = fixture::model(120, 36);
    go_to(&mut model, "batch-jobs");
    change(&mut model, |fleet| fleet.applications.retain(|view| view.name != "batch-jobs"));
    assert_eq!(press(&mut model, &["s", ".", "R", "f", "enter", "t"]), []);
    assert!(model.layers.is_empty() && !model.zoom);
    press(&mut model, &["j"]);
    assert!(matches!(press(&mut model, &["s"]).as_slice(), [Effect::Plan { .. }]));
}

#[test]
fn history_and_diff_follow_the_application_and_never_show_anothers() {
    let mut model = fixture::model(120, 36);
    go_to(&mut model, "shop-api");
    assert_eq!(model.history.rows().len(), 7);
    go_to(&mut model, "payments");
    assert_eq!(model.history.rows().len(), 0);
    assert_eq!(model.diff.comparison.as_ref().unwrap().application, "payments");
}

#[test]
fn hunks_and_objects_are_walked_from_any_list() {
    let mut model = fixture::model(120, 36);
    go_to(&mut model, "shop-api");
    press(&mut model, &["n"]);
    assert_eq!(model.diff.hunk, 1);
    press(&mut model, &["n"]);
    assert_eq!(
        model.diff.object().unwrap().kind,
        "ConfigMap",
        "after the last hunk comes the next object that differs"
    );
    press(&mut model, &["N"]);
    assert_eq!((model.diff.object().unwrap().kind.as_str(), model.diff.hunk), ("Deployment", 1));
    press(&mut model, &["]", "]", "["]);
    assert_eq!(model.diff.object().unwrap().kind, "ConfigMap");
}

#[test]
fn yaml_of_a_secret_is_what_the_engine_masked() {
    let mut model = fixture::model(120, 36);
    go_to(&mut model, "shop-api");
    press(&mut model, &["y"]);
    let text = draw(&model).0;
    assert!(text.contains("YAML  Deployment shop/api  live") && text.contains("replicas: 6"), "{text}");
}

#[test]
fn the_command_line_completes_and_refuses_what_writes() {
    let mut model = fixture::model(120, 36);
    press(&mut model, &[":"]);
    type_text(&mut model, "ref");
    press(&mut model, &["tab"]);
    assert!(draw(&model).0.contains(":refresh_"));
    go_to_top(&mut model);
    for line in ["approve", "push", "quit-anyway"] {
        press(&mut model, &[":"]);
        type_text(&mut model, line);
        assert_eq!(press(&mut model, &["enter"]), []);
        assert!(status(&model).contains("only its key"), "{line}: {}", status(&model));
    }
    press(&mut model, &[":"]);
    type_text(&mut model, "frobnicate");
    press(&mut model, &["enter"]);
    assert!(status(&model).contains("no command `frobnicate`"));
    press(&mut model, &[":", "q", "enter"]);
    assert!(model.done);
}

fn go_to_top(model: &mut Model) {
    press(model, &["esc"]);
}

#[test]
fn help_runs_the_entry_under_the_cursor() {
    let mut model = fixture::model(120, 36);
    go_to(&mut model, "shop-api");
    press(&mut model, &["?"]);
    type_text(&mut model, "refresh");
    assert_eq!(press(&mut model, &["enter"]), [Effect::Refresh("shop-api".into())]);
}

#[test]
fn the_mouse_selects_and_never_answers() {
    let mut model = fixture::model(120, 36);
    let click = |column, row| {
        Event::Mouse(MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column,
            row,
            modifiers: KeyModifiers::NONE,
        })
    };
    send(&mut model, click(5, 12));
    assert_eq!(model.applications.current().map(String::as_str), Some("shop-api"));
    send(&mut model, click(60, 10));
    assert_eq!(model.focus, Pane::Diff);
    open_plan(&mut model, Confirmation::None);
    for row in 0..36 {
        for column in (0..120).step_by(3) {
            assert_eq!(send(&mut model, click(column, row)), []);
        }
    }
}

#[test]
fn hostile_names_and_messages_reach_no_cell_as_they_are() {
    let mut model = fixture::model(120, 36);
    let evil = "\u{1b}[2J\u{1b}]0;pwned\u{7}\r\n\u{202e}x\u{200b}";
    change(&mut model, |fleet| {
        for view in &mut fleet.applications {
            let mut copy = (**view).clone();
            copy.name.push_str(evil);
            copy.error = Some(evil.repeat(40));
            if let Some(comparison) = &mut copy.comparison {
                let mut changed = (**comparison).clone();
                changed.application.push_str(evil);
                for object in changed.objects.iter_mut().map(Arc::make_mut) {
                    object.name.push_str(evil);
                    object.message = evil.into();
                }
                *comparison = Arc::new(changed);
            }
            if let Some(history) = &mut copy.history {
                let mut changed = (**history).clone();
                changed.commits.iter_mut().for_each(|row| {
                    row.subject.push_str(evil);
                    row.author.name.push_str(evil);
                });
                *history = Arc::new(changed);
            }
            *view = Arc::new(copy);
        }
        let mut cluster = (*fleet.clusters[0]).clone();
        cluster.context.push_str(evil);
        fleet.clusters[0] = Arc::new(cluster);
        let mut activity = (*fleet.activity).clone();
        activity.iter_mut().for_each(|entry| entry.text.push_str(evil));
        fleet.activity = Arc::new(activity);
        fleet.config_problems = vec![evil.into()];
    });
    press(&mut model, &["2", "j", "j", "j", "j"]);
    for keys in
        [&["1"][..], &["2", "enter"], &["3"], &["3", "enter"], &["esc", "3", "t"], &["esc", "4", "enter"], &["?"]]
    {
        press(&mut model, keys);
        let text = draw(&model).0;
        let bad = text.chars().find(|c| (c.is_control() && *c != '\n') || matches!(c, '\u{202e}' | '\u{200b}'));
        assert_eq!(bad, None, "{text:?}");
        press(&mut model, &["esc", "esc"]);
    }
}

#[test]
fn ten_thousand_applications_are_drawn_by_their_viewport() {
    let mut model = fixture::model(120, 36);
    change(&mut model, |fleet| {
        let template = (*fleet.applications[1]).clone();
        fleet.applications = (0..10_000)
            .map(|n| Arc::new(crate::engine::ApplicationView { name: format!("app-{n:05}"), ..template.clone() }))
            .collect();
    });
    press(&mut model, &["G"]);
    let started = std::time::Instant::now();
    for _ in 0..20 {
        press(&mut model, &["k"]);
        assert!(draw(&model).0.contains("of 10000"));
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_panic_in_the_background_is_an_entry_and_not_the_end() {
    let mut model = fixture::model(120, 36);
    let note = crate::engine::Activity {
        time: fixture::now(),
        kind: crate::engine::ActivityKind::Failed,
        subject: "driftdeck".into(),
        text: "a background task failed".into(),
    };
    send(&mut model, Event::Note(note));
    assert!(draw(&model).0.contains("a background task failed"));
    assert!(!model.done);
}

#[test]
fn nothing_can_be_approved_on_a_terminal_too_small_to_show_it() {
    let mut model = plan_model(Confirmation::None);
    send(&mut model, Event::Resize(40, 10));
    assert_eq!(press(&mut model, &["a"]), []);
    send(&mut model, Event::Key(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE)));
    assert!(!model.done, "checkout syncs");
}

#[test]
fn a_ticket_is_never_used_twice() {
    let mut model = fixture::model(120, 36);
    let tickets: Vec<Ticket> = (0..3).map(|_| model.ticket("x")).collect();
    assert!(tickets[0] != tickets[1] && tickets[1] != tickets[2]);
}

#[test]
fn a_diff_that_nobody_moved_in_opens_on_what_differs_now_and_then_stays_on_its_object() {
    let mut model = fixture::model(120, 36);
    go_to(&mut model, "shop-api");
    let shown = |model: &Model| model.diff.object().map(|object| object.kind.clone()).unwrap_or_default();
    let settle = |model: &mut Model, settled: &[&str]| {
        change(model, |fleet| {
            let view = fleet.applications.iter_mut().find(|view| view.name == "shop-api").unwrap();
            let mut copy = (**view).clone();
            let mut comparison = (**copy.comparison.as_ref().unwrap()).clone();
            for object in comparison.objects.iter_mut().map(Arc::make_mut) {
                let same = settled.contains(&object.kind.as_str());
                object.state = if same { ObjectState::Synced } else { ObjectState::Changed };
            }
            copy.comparison = Some(Arc::new(comparison));
            *view = Arc::new(copy);
        })
    };
    assert_eq!(shown(&model), "Deployment");
    settle(&mut model, &["Deployment", "ConfigMap", "HorizontalPodAutoscaler"]);
    assert_eq!(shown(&model), "Service");
    press(&mut model, &["["]);
    assert_eq!(shown(&model), "HorizontalPodAutoscaler");
    settle(&mut model, &["HorizontalPodAutoscaler"]);
    assert_eq!(shown(&model), "HorizontalPodAutoscaler", "the operator moved there");
    settle(&mut model, &["Deployment", "ConfigMap", "HorizontalPodAutoscaler", "Service"]);
    settle(&mut model, &["Deployment", "HorizontalPodAutoscaler", "Service"]);
    assert_eq!(shown(&model), "ConfigMap", "everything was settled in between");
}
