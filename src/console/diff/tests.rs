//! What is drawn at once, what elsewhere, and how long `update` takes with a big comparison.

use super::*;
use crate::engine::Side;
use crate::{
    console::{
        effect::Effect,
        fixture::{self, press, send},
        message::{Event, Reply},
        snapshots::{draw, go_to},
        tests::change,
    },
    engine::{Extra, ObjectComparison},
};
use serde_json::json;
use std::time::{Duration, Instant};

/// A ConfigMap of so many lines, every `every`th of which differs.
fn config_map(name: &str, lines: usize, every: usize) -> ObjectComparison {
    let mut object = fixture::deployment();
    object.group.clear();
    object.kind = "ConfigMap".into();
    object.name = name.into();
    let side = |salt: &str| {
        let data: serde_json::Map<_, _> = (0..lines)
            .map(|line| {
                let salt = if line % every == 0 { salt } else { "" };
                (format!("key-{line:06}"), json!(format!("{salt}value of line {line} of {name}")))
            })
            .collect();
        Some(Side::new(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})))
    };
    let template = object.changes[0].clone();
    object.changes = (0..lines)
        .step_by(every)
        .map(|line| {
            let mut change = template.clone();
            change.path = format!("/data/key-{line:06}");
            change
        })
        .collect();
    object.sides.live = side("a ");
    object.sides.desired = side("another ");
    object
}

/// A console on an application whose comparison has these objects.
fn console(objects: Vec<ObjectComparison>) -> (crate::console::model::Model, Vec<Effect>) {
    let mut model = fixture::model(120, 36);
    model.settings.yaml = crate::object::to_yaml;
    go_to(&mut model, "shop-api");
    let effects = change(&mut model, |fleet| compare(fleet, objects));
    (model, effects)
}

fn compare(fleet: &mut crate::engine::Fleet, objects: Vec<ObjectComparison>) {
    let place = fleet.applications.iter_mut().find(|view| view.name == "shop-api").unwrap();
    let mut view = (**place).clone();
    let mut comparison = (**view.comparison.as_ref().unwrap()).clone();
    comparison.objects = objects.into_iter().map(Arc::new).collect();
    view.comparison = Some(Arc::new(comparison));
    *place = Arc::new(view);
}

fn jobs(effects: Vec<Effect>) -> Vec<Job> {
    let jobs = effects.into_iter().filter_map(|effect| match effect {
        Effect::Draw(job) => Some(job),
        _ => None,
    });
    jobs.collect()
}

fn drawn(job: &Job) -> Event {
    Event::Reply(Reply::Drawn(job.ticket, Arc::new(job.run())))
}

#[test]
fn a_small_object_is_drawn_at_once_and_a_big_one_elsewhere() {
    let (model, effects) = console(vec![config_map("small", 100, 10)]);
    assert_eq!(jobs(effects), []);
    assert_eq!(model.diff.document.hunks.len(), 10);

    let (mut model, effects) = console(vec![config_map("big", 10_000, 100)]);
    let jobs = jobs(effects);
    assert_eq!(jobs.len(), 1);
    assert!(draw(&model).0.contains("drawing the difference"), "{}", draw(&model).0);
    send(&mut model, drawn(&jobs[0]));
    assert_eq!(model.diff.document.hunks.len(), 100);
    assert!(!draw(&model).0.contains("drawing the difference"));
}

#[test]
fn of_diffs_asked_for_while_one_is_drawn_only_the_last_is_drawn_and_shown() {
    let names = ["a", "b", "c", "d"];
    let (mut model, effects) = console(names.map(|name| config_map(name, 10_000, 100)).to_vec());
    let first = jobs(effects).remove(0);
    assert_eq!(jobs(press(&mut model, &["]", "]", "]"])), [], "one at a time");
    let after = jobs(send(&mut model, drawn(&first)));
    assert!(model.diff.document.rows.is_empty(), "nobody looks at the first one any more");
    assert_eq!(after.iter().map(|job| job.row).collect::<Vec<_>>(), [3]);
    send(&mut model, drawn(&first));
    assert!(model.diff.document.rows.is_empty(), "an old answer is dropped");
    send(&mut model, drawn(&after[0]));
    assert!(draw(&model).0.contains("of d"), "{}", draw(&model).0);
}

#[test]
fn going_back_over_big_objects_lands_on_the_last_hunk() {
    let (mut model, effects) = console(vec![config_map("a", 10_000, 1_000), config_map("b", 10_000, 1_000)]);
    let job = jobs(effects).remove(0);
    send(&mut model, drawn(&job));
    let job = jobs(press(&mut model, &["]"])).remove(0);
    send(&mut model, drawn(&job));
    let job = jobs(press(&mut model, &["N"])).remove(0);
    send(&mut model, drawn(&job));
    assert_eq!((model.diff.hunk, model.diff.document.hunks.len()), (9, 10));
}

#[test]
fn a_diff_that_cannot_be_drawn_says_so_and_not_that_nothing_differs() {
    let (mut model, effects) = console(vec![config_map("big", 10_000, 100)]);
    let job = jobs(effects).remove(0);
    send(&mut model, Event::Reply(Reply::Drawn(job.ticket, Arc::new(DiffDocument::failed()))));
    let text = draw(&model).0;
    assert!(text.contains("could not be drawn") && !text.contains("no difference in"), "{text}");
}

#[test]
fn extras_are_listed_by_manager_with_age_only_when_asked_for_and_a_secrets_without_value() {
    let mut object = fixture::deployment();
    let extra = |path: &str, live, manager: &str| Extra {
        path: path.into(),
        live,
        manager: manager.into(),
        time: Some("2026-11-24T11:04:31Z".into()),
    };
    object.extras = vec![
        extra("/spec/paused", json!(true), "kubectl-patch"),
        extra("/metadata/annotations/note", json!("by\u{1b}[31m hand"), "kubectl-edit"),
    ];
    let (mut model, _) = console(vec![object.clone()]);
    press(&mut model, &["0", "+"]);
    let text = draw(&model).0;
    assert!(text.contains("2 live fields that Git does not set (x lists them)") && !text.contains("spec.paused"));
    press(&mut model, &["x"]);
    let text = draw(&model).0;
    let edit = text.find("metadata.annotations.note: by").unwrap();
    let patch = text.find("spec.paused: true").unwrap();
    assert!(edit < patch, "sorted by manager:\n{text}");
    assert!(text.contains("kubectl-edit 1h ago") && !text.contains('\u{1b}'), "{text}");

    object.kind = "Secret".into();
    object.group.clear();
    let (mut model, _) = console(vec![object]);
    press(&mut model, &["0", "+", "x"]);
    let text = draw(&model).0;
    assert!(text.contains("spec.paused: ****") && !text.contains("by hand"), "{text}");
}

#[test]
fn a_value_that_is_only_spelled_differently_and_one_taken_from_another_manager_are_marked() {
    let mut object = fixture::deployment();
    object.changes[0].same_value = true;
    object.changes[1].conflicts = vec![crate::cluster::Conflict {
        manager: "helm".into(),
        operation: "Apply".into(),
        subresource: None,
        field: String::new(),
    }];
    let (model, _) = console(vec![object]);
    let text = draw(&model).0;
    assert!(text.contains("same value, spelled"), "{text}");
    assert!(text.contains("taken from helm"), "{text}");
}

#[test]
fn a_long_line_is_wrapped_so_that_a_change_at_its_end_is_seen_and_cut_visibly_on_demand() {
    let mut object = config_map("long", 1, 1);
    let side = |end: &str| {
        let text = format!("{} {end}", "word ".repeat(40));
        Some(Side::new(&json!({"kind": "ConfigMap", "data": {"key-000000": text}})))
    };
    (object.sides.live, object.sides.desired) = (side("OLD-END"), side("NEW-END"));
    let (mut model, _) = console(vec![object]);
    let text = draw(&model).0;
    assert!(text.contains("OLD-END") && text.contains("NEW-END"), "{text}");
    press(&mut model, &["w"]);
    let text = draw(&model).0;
    assert!(!text.contains("OLD-END") && text.contains('\u{2026}'), "{text}");
}

/// The budget is 16 ms; this machine may be slow and this build is not optimised, so the test allows ten times that.
#[test]
fn a_comparison_of_two_thousand_changed_objects_and_a_megabyte_each_side_keeps_update_short() {
    let mut objects: Vec<_> = (0..2_000).map(|n| config_map(&format!("map-{n:04}"), 20, 4)).collect();
    objects.insert(0, config_map("huge", 25_000, 2));
    let (mut model, effects) = console(objects.clone());
    let mut slowest = Duration::ZERO;
    let mut timed = |what: &str, work: &mut dyn FnMut()| {
        let started = Instant::now();
        work();
        let took = started.elapsed();
        println!("{what}: {took:?}");
        slowest = slowest.max(took);
    };
    let job = jobs(effects).remove(0);
    let answer = drawn(&job);
    timed("the answer", &mut || drop(send(&mut model, answer.clone())));
    for key in ["]", "[", "n", "N", "}", "{", "m", "J", "G", "g", "s"] {
        timed(key, &mut || drop(press(&mut model, &[key])));
    }
    objects[5].changes.clear();
    let mut fleet = (*model.fleet).clone();
    compare(&mut fleet, objects);
    let fleet = Arc::new(fleet);
    timed("a snapshot", &mut || drop(send(&mut model, Event::Fleet(Arc::clone(&fleet)))));
    // As much as is drawn at once, every line of it different.
    let most = (1..200).map(|lines| config_map("most", lines, 1)).take_while(|object| {
        let (model, effects) = console(vec![object.clone()]);
        jobs(effects).is_empty() && !model.diff.document.hunks.is_empty()
    });
    let most = most.last().unwrap();
    let (mut model, _) = console(vec![config_map("little", 1, 1), most]);
    timed("the biggest that is drawn at once", &mut || drop(press(&mut model, &["]"])));
    assert!(model.diff.document.changed > 100, "{}", model.diff.document.changed);
    timed("a picture", &mut || drop(draw(&model)));
    assert!(slowest < Duration::from_millis(160), "{slowest:?}");
}
