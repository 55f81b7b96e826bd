//! Approvals, read-only, and what becomes of a plan, a sync and a quit.

use super::{change, plan_model, status, syncs};
use crate::console::{
    effect::Effect,
    fixture::{self, key, press, send, send_after, type_text},
    message::{Event, Reply},
    model::Model,
    screen::{Layer, Loaded},
    snapshots::{draw, go_to, open_plan},
};
use crate::engine::{Confirmation, EngineError, Refusal};
use std::sync::Arc;

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
    assert!(status(&model).contains("type the name"), "{}", status(&model));
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

fn arm(model: &mut Model, on: bool) {
    change(model, |fleet| {
        let mut cluster = (*fleet.clusters[0]).clone();
        cluster.armed = on;
        fleet.clusters[0] = Arc::new(cluster);
    });
}

#[test]
fn a_read_only_console_approves_nothing_until_write_is_typed() {
    let mut model = plan_model(Confirmation::None);
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
        Arc::make_mut(&mut comparison.objects[0]).changes.pop();
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
    let effects =
        crate::console::update::update(&mut model, crate::console::message::Msg { at: stamp, event: Event::Tick });
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
fn a_typed_plan_in_a_read_only_console_leaves_the_keys_alone_and_says_how_to_arm() {
    let mut model = fixture::model(120, 36);
    arm(&mut model, false);
    open_plan(&mut model, Confirmation::Typed);
    let text = draw(&model).0;
    assert!(text.contains("the name goes here; first, read-only: :write arms this console"), "{text}");
    assert!(text.contains("v view diff") && text.contains("w wait healthy"), "{text}");
    press(&mut model, &["w"]);
    assert!(matches!(model.layers.last(), Some(Layer::Plan(screen)) if !screen.wait && screen.typed.is_empty()));
    press(&mut model, &["tab"]);
    assert!(status(&model).contains(":write"), "{}", status(&model));
    arm(&mut model, true);
    press(&mut model, &["tab"]);
    type_text(&mut model, "shop-api");
    assert_eq!(syncs(&press(&mut model, &["tab", "a"])), 1);
}

#[test]
fn a_field_with_the_focus_names_its_own_keys_and_none_that_it_would_swallow() {
    let mut model = plan_model(Confirmation::Typed);
    let hints = |model: &Model| draw(model).0.lines().last().unwrap_or_default().to_owned();
    let shown = hints(&model);
    assert!(shown.contains("tab leaves the field") && shown.contains("esc cancels"), "{shown}");
    assert!(!shown.contains("view diff") && !shown.contains("? keys"), "{shown}");
    press(&mut model, &["tab"]);
    assert!(hints(&model).contains("v view diff"));
    press(&mut model, &["?"]);
    let shown = hints(&model);
    assert!(shown.contains("enter runs") && shown.contains("esc leaves"), "{shown}");
    assert!(!shown.contains("command") && !shown.contains("? keys"), "{shown}");
    type_text(&mut model, "x");
    assert!(hints(&model).contains("esc clears the search"));
}

#[test]
fn ctrl_c_leaves_what_is_typed_first_and_then_the_program_from_any_screen() {
    for open in [&["/"][..], &[":"]] {
        let mut model = fixture::model(120, 36);
        press(&mut model, open);
        type_text(&mut model, "ab");
        press(&mut model, &["ctrl-c"]);
        assert!(!model.done && model.input.is_none(), "{open:?}");
    }
    for open in [&["?"][..], &["s"], &["enter"], &["y"], &["3", "enter"], &["3", "t"], &["@"], &["1", "enter"]] {
        let mut model = fixture::model(120, 36);
        go_to(&mut model, "shop-api");
        press(&mut model, open);
        press(&mut model, &["ctrl-c"]);
        assert!(model.done, "{open:?}");
    }
}

#[test]
fn a_plan_on_a_narrow_screen_cuts_neither_what_it_changes_nor_why_it_cannot_be_approved() {
    for width in [60, 70, 80, 96, 120] {
        let mut model = fixture::model(width, 30);
        arm(&mut model, false);
        open_plan(&mut model, Confirmation::Typed);
        let text = draw(&model).0;
        for told in ["[PROD]", "kind-prod", "= same 18", "valid 4m12s", "D dry-run only", "read-only: :write arms"] {
            assert!(text.contains(told), "{width}: {told}\n{text}");
        }
    }
}
