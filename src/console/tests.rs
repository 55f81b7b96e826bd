//! What the console promises, key by key.

use super::{
    effect::Effect,
    fixture::{self, key, press, send, send_after, type_text},
    message::{Event, Reply, Ticket},
    model::{Model, Pane},
    screen::{Layer, Loaded},
    snapshots::{ask, draw, go_to, open_plan},
};
use crate::engine::{Confirmation, EngineError, Fleet, Refusal};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use std::sync::Arc;

fn syncs(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Sync { .. })).count()
}

fn status(model: &Model) -> &str {
    model.status.as_ref().map_or("", |status| &status.text)
}

fn plan_model(confirmation: Confirmation) -> Model {
    let mut model = fixture::model(120, 36);
    open_plan(&mut model, confirmation);
    model
}

/// Changes the fleet and sends it.
fn change(model: &mut Model, by: impl FnOnce(&mut Fleet)) -> Vec<Effect> {
    let mut fleet = (*model.fleet).clone();
    fleet.generation += 1;
    by(&mut fleet);
    send(model, Event::Fleet(Arc::new(fleet)))
}

#[test]
fn an_approval_names_exactly_the_plan_that_was_shown() {
    let mut model = plan_model(Confirmation::None);
    let effects = press(&mut model, &["a"]);
    let [Effect::Sync { plan, confirm, wait, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((plan.number, confirm, *wait), (214, &None, true));
    assert!(matches!(model.layers.last(), Some(Layer::Sync(_))));
    assert_eq!(syncs(&press(&mut model, &["a", "s", "a"])), 0, "an approval works once");
}

#[test]
fn an_approval_within_300_ms_of_the_screen_does_not_count() {
    let mut model = fixture::model(120, 36);
    go_to(&mut model, "shop-api");
    let effects = send(&mut model, key("s"));
    let [Effect::Plan { ticket, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    let reply = Event::Reply(Reply::Planned(ticket.clone(), Ok(fixture::plan(Confirmation::None))));
    send(&mut model, reply);
    assert_eq!(syncs(&send_after(&mut model, 299, key("a"))), 0);
    assert!(status(&model).contains("not counted"), "{}", status(&model));
    assert_eq!(syncs(&send_after(&mut model, 1_000, key("a"))), 1);
}

#[test]
fn a_held_key_never_approves() {
    let mut model = plan_model(Confirmation::None);
    send_after(&mut model, 0, key("j"));
    for _ in 0..100 {
        assert_eq!(syncs(&send_after(&mut model, 33, key("a"))), 0);
    }
    assert_eq!(syncs(&send_after(&mut model, 150, key("a"))), 1, "released, and pressed alone");
}

#[test]
fn enter_space_and_doubled_opening_keys_are_inert_on_a_plan() {
    let mut model = plan_model(Confirmation::None);
    assert_eq!(syncs(&press(&mut model, &["enter", "enter", "space", "s", "s", ".", "y", "ctrl-d", "G"])), 0);
    assert!(matches!(model.layers.last(), Some(Layer::Plan(_))));
    press(&mut model, &["esc"]);
    assert!(model.layers.is_empty());
}

#[test]
fn a_typed_plan_is_armed_only_by_its_name_typed_and_not_pasted() {
    let mut model = plan_model(Confirmation::Typed);
    assert_eq!(syncs(&press(&mut model, &["a"])), 0, "a is a letter while the field has the focus");
    send(&mut model, key("backspace"));
    send(&mut model, Event::Paste("shop-api".into()));
    assert!(status(&model).contains("paste does not count"));
    assert_eq!(syncs(&press(&mut model, &["tab", "a"])), 0);
    assert!(status(&model).contains("type the application's name"), "{}", status(&model));
    press(&mut model, &["tab"]);
    type_text(&mut model, "shop-api");
    let effects = press(&mut model, &["enter", "tab", "a"]);
    assert!(
        matches!(effects.as_slice(), [Effect::Sync { confirm: Some(name), .. }] if name == "shop-api"),
        "{effects:?}"
    );
}

#[test]
fn confirm_always_asks_for_the_name_of_any_plan() {
    let mut model = fixture::model(120, 36);
    model.settings.confirm_always = true;
    open_plan(&mut model, Confirmation::None);
    assert_eq!(syncs(&press(&mut model, &["tab", "a"])), 0);
    press(&mut model, &["tab"]);
    type_text(&mut model, "shop-api");
    assert_eq!(syncs(&press(&mut model, &["tab", "a"])), 1);
}

#[test]
fn a_read_only_console_approves_nothing_until_write_is_typed() {
    let mut model = plan_model(Confirmation::None);
    let arm = |model: &mut Model, on: bool| {
        change(model, |fleet| {
            let mut cluster = (*fleet.clusters[0]).clone();
            cluster.armed = on;
            fleet.clusters[0] = Arc::new(cluster);
        })
    };
    arm(&mut model, false);
    assert_eq!(syncs(&press(&mut model, &["a"])), 0);
    assert!(status(&model).contains(":write"), "{}", status(&model));
    assert!(draw(&model).0.contains("READ ONLY"));
    press(&mut model, &[":"]);
    type_text(&mut model, "write");
    assert_eq!(press(&mut model, &["enter"]), [Effect::Arm(true)]);
    arm(&mut model, true);
    assert_eq!(syncs(&press(&mut model, &["a"])), 1);
}

#[test]
fn read_only_from_the_command_line_cannot_be_lifted() {
    let mut model = plan_model(Confirmation::None);
    model.settings.read_only = true;
    press(&mut model, &[":"]);
    type_text(&mut model, "write");
    assert_eq!(press(&mut model, &["enter", "a"]), []);
    assert!(draw(&model).0.contains("READ ONLY"));
}

#[test]
fn a_live_change_disarms_the_plan_makes_it_anew_and_says_what_moved() {
    let mut model = plan_model(Confirmation::None);
    let effects = change(&mut model, |fleet| {
        let index = fleet.applications.iter().position(|view| view.name == "shop-api").unwrap();
        let mut view = (*fleet.applications[index]).clone();
        let mut comparison = (**view.comparison.as_ref().unwrap()).clone();
        comparison.objects[0].changes.pop();
        comparison.revision = Some(fixture::commit("1234567"));
        view.comparison = Some(Arc::new(comparison));
        fleet.applications[index] = Arc::new(view);
    });
    assert!(matches!(effects.as_slice(), [Effect::Plan { .. }]), "{effects:?}");
    assert_eq!(syncs(&press(&mut model, &["a"])), 0, "disarmed");
    let text = draw(&model).0;
    assert!(text.contains("Git moved from 9f3c1e2 to 1234567"), "{text}");
    assert!(text.contains("Deployment shop/api is not as it was"), "{text}");
}

#[test]
fn a_new_snapshot_that_changes_nothing_leaves_the_plan_armed() {
    let mut model = plan_model(Confirmation::None);
    let effects = change(&mut model, |fleet| {
        for view in &mut fleet.applications {
            let mut copy = (**view).clone();
            copy.comparison = copy.comparison.map(|comparison| Arc::new((*comparison).clone()));
            *view = Arc::new(copy);
        }
    });
    assert_eq!(effects, []);
    assert_eq!(syncs(&press(&mut model, &["a"])), 1);
}

#[test]
fn an_expired_approval_is_made_anew_and_does_not_count() {
    let mut model = plan_model(Confirmation::None);
    let mut stamp = model.stamp;
    stamp.now = "2026-11-24T12:09:00Z".parse().unwrap();
    let effects = super::update::update(&mut model, super::message::Msg { at: stamp, event: Event::Tick });
    assert!(matches!(effects.as_slice(), [Effect::Plan { .. }]), "{effects:?}");
    assert!(draw(&model).0.contains("the approval had expired"));
}

#[test]
fn an_answer_to_a_question_that_nobody_asks_any_more_is_dropped() {
    let mut model = fixture::model(120, 36);
    go_to(&mut model, "shop-api");
    let effects = press(&mut model, &["s", "esc", "s"]);
    let [Effect::Plan { ticket: old, .. }, Effect::Plan { ticket: new, .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let plan = fixture::plan(Confirmation::None);
    send(&mut model, Event::Reply(Reply::Planned(old.clone(), Ok(Arc::clone(&plan)))));
    assert!(matches!(model.layers.last(), Some(Layer::Plan(screen)) if matches!(screen.plan, Loaded::Loading)));
    send(&mut model, Event::Reply(Reply::Planned(new.clone(), Ok(plan))));
    assert!(matches!(model.layers.last(), Some(Layer::Plan(screen)) if screen.plan.ready().is_some()));
}

#[test]
fn a_sync_refused_as_stale_opens_the_new_plan_with_what_moved() {
    let mut model = plan_model(Confirmation::None);
    let effects = press(&mut model, &["a"]);
    let [Effect::Sync { ticket, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    let refused = EngineError::Refused(Refusal::Stale("live moved: Deployment shop/api".into()));
    let effects = send(&mut model, Event::Reply(Reply::Synced(ticket.clone(), Err(refused))));
    assert!(matches!(effects.as_slice(), [Effect::Plan { .. }]), "{effects:?}");
    assert!(draw(&model).0.contains("live moved: Deployment shop/api"));
    assert!(model.runs.is_empty());
}

#[test]
fn leaving_the_progress_never_stops_the_run_and_x_does() {
    let mut model = plan_model(Confirmation::None);
    assert_eq!(syncs(&press(&mut model, &["a"])), 1);
    assert_eq!(press(&mut model, &["esc"]), []);
    assert_eq!(press(&mut model, &["s"]), [], "s goes back to the running sync instead of planning another");
    assert_eq!(press(&mut model, &["x"]), [Effect::Cancel("shop-api".into())]);
    assert_eq!(press(&mut model, &["x"]), [], "once is enough");
}

#[test]
fn quitting_asks_while_a_sync_runs_and_only_y_after_a_while_answers() {
    let mut model = plan_model(Confirmation::None);
    press(&mut model, &["a", "esc"]);
    send(&mut model, key("q"));
    assert!(!model.done);
    send_after(&mut model, 100, key("y"));
    assert!(!model.done, "too early");
    press(&mut model, &["q"]);
    assert!(!model.done, "the key that opened does not confirm");
    press(&mut model, &["q", "y"]);
    assert!(model.done);
}

#[test]
fn q_leaves_at_once_when_nothing_runs() {
    let mut model = fixture::model(120, 36);
    press(&mut model, &["q"]);
    assert!(model.done);
}

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
                for object in &mut changed.objects {
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
