//! What the screen tells: frames, messages, commands that do not exist, and nothing good where nothing is known.

use super::{change, status};
use crate::console::{
    fixture::{self, press, send, type_text},
    message::{Event, Reply},
    model::Model,
    snapshots::{ask, draw, go_to},
};
use std::sync::Arc;

#[test]
fn every_pane_has_a_red_frame_while_the_application_is_on_a_production_cluster() {
    let frame_is_red = |model: &Model| {
        let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(120, 36)).unwrap();
        terminal.draw(|frame| crate::console::view::view(model, frame)).unwrap();
        let buffer = terminal.backend().buffer();
        let layout = crate::console::layout::Layout::of(model);
        let corners = layout.panes.iter().map(|(_, area)| buffer[(area.x, area.y)].fg).collect::<Vec<_>>();
        assert_eq!(corners.len(), 5);
        corners.iter().all(|colour| *colour == ratatui::style::Color::Red)
    };
    let mut model = fixture::model(120, 36);
    go_to(&mut model, "shop-api");
    assert!(frame_is_red(&model));
    change(&mut model, |fleet| {
        let mut cluster = (*fleet.clusters[0]).clone();
        cluster.production = false;
        fleet.clusters[0] = Arc::new(cluster);
    });
    assert!(!frame_is_red(&model));
}

#[test]
fn a_message_that_answers_a_key_is_gone_with_the_next_key_and_others_stay() {
    let mut model = fixture::model(120, 36);
    press(&mut model, &["S"]);
    assert!(status(&model).contains("suspending"), "{}", status(&model));
    press(&mut model, &["j"]);
    assert_eq!(status(&model), "");
    send(&mut model, Event::Reply(Reply::Failed("the engine says no".into())));
    press(&mut model, &["j", "k"]);
    assert_eq!(status(&model), "the engine says no");
}

#[test]
fn an_unknown_command_names_the_nearest_one_and_habits_from_elsewhere_are_answered() {
    for (typed, told) in
        [("plann", "did you mean `plan`?"), ("sync", ":plan makes one"), ("wq", ":q"), ("#!", "? lists")]
    {
        let mut model = fixture::model(120, 36);
        press(&mut model, &[":"]);
        type_text(&mut model, typed);
        assert_eq!(press(&mut model, &["enter"]), [], "{typed}");
        assert!(status(&model).contains(told), "{typed}: {}", status(&model));
        assert!(!model.done);
    }
}

#[test]
fn the_yaml_of_an_object_leaves_managed_fields_out_unless_the_diff_shows_them() {
    let mut model = fixture::model(120, 36);
    model.settings.yaml = crate::object::to_yaml;
    go_to(&mut model, "shop-api");
    press(&mut model, &["y"]);
    let text = draw(&model).0;
    assert!(text.contains("managed fields hidden") && !text.contains("managedFields:"), "{text}");
    press(&mut model, &["q", "m", "y"]);
    assert!(draw(&model).0.contains("managedFields:"));
}

#[test]
fn a_cluster_without_news_is_not_called_connected() {
    let mut model = fixture::model(120, 36);
    assert!(draw(&model).0.lines().next().unwrap().contains("connected"));
    change(&mut model, |fleet| {
        let place = fleet.applications.iter_mut().find(|view| view.comparison.is_some()).unwrap();
        let mut view = (**place).clone();
        let mut comparison = (**view.comparison.as_ref().unwrap()).clone();
        comparison.stale_since = Some("2026-11-24T12:04:29Z".parse().unwrap());
        view.comparison = Some(Arc::new(comparison));
        *place = Arc::new(view);
    });
    let text = draw(&model).0;
    let header = text.lines().next().unwrap();
    assert!(header.contains("no news for 2s") && !header.contains("connected"), "{header}");
}

#[test]
fn a_pushed_revert_tells_no_plan_that_was_never_made() {
    let mut model = fixture::model(120, 36);
    go_to(&mut model, "shop-api");
    press(&mut model, &["3"]);
    ask(&mut model, "t", |ticket| Reply::Reverted(ticket, Ok(fixture::git_change(false))));
    assert!(draw(&model).0.contains(" plan     + create"));
    ask(&mut model, "a", |ticket| Reply::Pushed(ticket, Ok(fixture::git_change(true))));
    let text = draw(&model).0;
    assert!(
        text.contains("pushed deadbee") && !text.contains(" plan     + create") && text.contains("esc leaves"),
        "{text}"
    );
}
