//! Unified diffs of objects, as users of `kubectl diff` expect them: masked, without what the server writes by itself.

use super::{
    age::since,
    output::{Style, Text},
};
use crate::{
    engine::{ChangeOrigin, ObjectComparison, ObjectState},
    object::{Issue, Severity, clean, to_yaml},
};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};
use std::time::Duration;

/// A diff of hostile texts is bounded; past it the coarser result stands.
const LONGEST: Duration = Duration::from_secs(2);
/// Characters of an extra field's value that are shown.
const VALUE_MOST: usize = 60;

/// How both sides are called.
#[derive(Clone, Debug)]
pub struct Sides {
    /// The side that is, e.g. `live prod`.
    pub from: String,
    /// The side that would be, e.g. `9f3c1e2`.
    pub to: String,
}

/// Adds the diff of one object, with who moved what; nothing for an object without a difference.
pub fn object(text: &mut Text, object: &ObjectComparison, sides: &Sides, context: usize) {
    if object.state == ObjectState::Synced && object.changes.is_empty() || is_changed_by_extras(object) {
        return;
    }
    text.put(Style::Bold, &format!("# {} {}", object.id(), words(object))).end();
    for change in &object.changes {
        let mut line = format!("#   {} {}", letter(change.origin), change.path);
        if let Some(manager) = &change.manager {
            line.push_str(&format!("  live by {manager}"));
        }
        if change.same_value {
            line.push_str("  same value, spelled differently");
        }
        for conflict in &change.conflicts {
            line.push_str(&format!("  owned by {}", conflict.manager));
        }
        text.put(Style::Dim, &line).end();
    }
    if let Some(error) = &object.error {
        text.put(Style::Red, &format!("# cannot be compared: {error}")).end();
        return;
    }
    let side = |value: Option<&Value>| value.map(shown).unwrap_or_default();
    let version = object.resource_version.as_ref().map(|version| format!(" rv {version}")).unwrap_or_default();
    let source = object.source.as_ref().map(|source| format!(" {}", source.path)).unwrap_or_default();
    let titles = (format!("{}{version}", sides.from), format!("{}{source}", sides.to));
    hunks(text, (&side(object.sides.live()), &side(object.sides.desired())), &titles, context);
}

/// Says whether nothing but extras makes an object differ.
pub fn is_changed_by_extras(object: &ObjectComparison) -> bool {
    object.state == ObjectState::Changed && object.changes.is_empty()
}

/// Adds the live fields of an object that Git does not set, by manager.
pub fn extras(text: &mut Text, object: &ObjectComparison) {
    if object.extras.is_empty() {
        return;
    }
    text.put(Style::Bold, &format!("# {} extra fields", object.id())).end();
    for theirs in object.extras.chunk_by(|a, b| a.manager == b.manager) {
        text.put(Style::Plain, &format!("#   by {}", theirs[0].manager)).end();
        for extra in theirs {
            let since =
                extra.time.as_deref().and_then(|time| time.parse().ok()).map(|time| format!("  {} ago", since(time)));
            let line = format!("#     {}  {}{}", extra.path, short(&extra.live), since.unwrap_or_default());
            text.put(Style::Dim, &line).end();
        }
    }
}

/// A value on one line, cut where it is long.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Adds what is wrong with the sources.
pub fn issues(text: &mut Text, issues: &[Issue]) {
    for issue in issues {
        let style = if issue.severity == Severity::Error { Style::Red } else { Style::Yellow };
        let place = match (&issue.path, issue.line) {
            (Some(path), Some(line)) => format!("{path}:{line}: "),
            (Some(path), None) => format!("{path}: "),
            _ => String::new(),
        };
        let word = if issue.severity == Severity::Error { "error" } else { "warning" };
        text.put(style, &format!("# {word}: {place}{}", issue.message)).end();
    }
}

fn words(object: &ObjectComparison) -> String {
    let state = match object.state {
        ObjectState::Synced => "same",
        ObjectState::Changed => "changed",
        ObjectState::Missing => "missing in the cluster",
        ObjectState::Extra => "gone from Git",
        ObjectState::Unknown => "unknown",
    };
    match &object.hook {
        Some(hook) => format!("{state} (a hook by {hook}: listed, not applied)"),
        None => state.to_owned(),
    }
}

fn letter(origin: ChangeOrigin) -> char {
    match origin {
        ChangeOrigin::Git => 'G',
        ChangeOrigin::Drift => 'D',
        ChangeOrigin::Both => 'B',
        ChangeOrigin::Unknown => '?',
    }
}

/// An object as YAML, without status and what the server writes by itself: none of it counts as a difference.
fn shown(object: &Value) -> String {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            for field in ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"] {
                metadata.remove(field);
            }
        }
    }
    // cleaned before the comparison, so that lines stay lines
    clean(&to_yaml(&object)).into_owned()
}

fn hunks(text: &mut Text, (live, desired): (&str, &str), titles: &(String, String), context: usize) {
    let diff = TextDiff::configure().timeout(LONGEST).diff_lines(live, desired);
    let mut unified = diff.unified_diff();
    let mut hunks = unified.context_radius(context).iter_hunks().peekable();
    if hunks.peek().is_none() {
        return;
    }
    text.put(Style::Bold, &format!("--- {}", titles.0)).end().put(Style::Bold, &format!("+++ {}", titles.1)).end();
    for hunk in hunks {
        text.put(Style::Cyan, &hunk.header().to_string()).end();
        for change in hunk.iter_changes() {
            let (mark, style) = match change.tag() {
                ChangeTag::Delete => ('-', Style::Red),
                ChangeTag::Insert => ('+', Style::Green),
                ChangeTag::Equal => (' ', Style::Plain),
            };
            text.put(style, &format!("{mark}{}", change.value().trim_end_matches('\n'))).end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::HealthStatus,
        engine::{Action, Change, Side, Sides as Both},
        merge::Op,
    };
    use serde_json::json;

    fn comparison() -> ObjectComparison {
        let side = |replicas: u32, version: &str| {
            Some(Side::new(&json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "api", "namespace": "shop", "resourceVersion": version, "generation": replicas, "managedFields": [{"manager": version}]},
                "spec": {"replicas": replicas, "note": "a\u{1b}[2Jb"},
                "status": {"replicas": replicas}
            })))
        };
        ObjectComparison {
            group: "apps".into(),
            version: "v1".into(),
            kind: "Deployment".into(),
            namespace: Some("shop".into()),
            name: "api".into(),
            uid: None,
            state: ObjectState::Changed,
            action: Action::Update,
            health: HealthStatus::Healthy,
            message: String::new(),
            source: None,
            changes: vec![Change {
                path: "/spec/replicas".into(),
                op: Op::Replace,
                live: json!(6),
                desired: json!(3),
                origin: ChangeOrigin::Drift,
                manager: Some("kubectl-edit".into()),
                operation: None,
                subresource: None,
                time: None,
                commit: None,
                hunk: String::new(),
                same_value: false,
                masked: false,
                conflicts: vec![],
            }],
            extras: vec![],
            error: None,
            hook: None,
            sides: Both { live: side(6, "884213"), desired: side(3, "1") },
            resource_version: Some("884213".into()),
        }
    }

    #[test]
    fn a_change_is_titled_by_object_and_sides_and_nothing_of_the_server_shows() {
        let mut text = Text::new(false);
        object(&mut text, &comparison(), &Sides { from: "live prod".into(), to: "9f3c1e2".into() }, 0);
        let text = text.finish();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..4],
            [
                "# apps/Deployment/shop/api changed",
                "#   D /spec/replicas  live by kubectl-edit",
                "--- live prod rv 884213",
                "+++ 9f3c1e2",
            ]
        );
        assert_eq!(lines[5..], ["-  replicas: 6", "+  replicas: 3"]);
        assert!(lines[4].starts_with("@@ -"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn colours_are_there_when_asked_for_and_an_unknown_object_says_why() {
        let mut text = Text::new(true);
        let mut unknown = comparison();
        object(&mut text, &unknown, &Sides { from: "a".into(), to: "b".into() }, 3);
        unknown.error = Some("unknown kind Widget".into());
        object(&mut text, &unknown, &Sides { from: "a".into(), to: "b".into() }, 3);
        let text = text.finish();
        assert!(text.contains("\u{1b}[31m-  replicas: 6\u{1b}[0m"), "{text}");
        assert!(text.contains("cannot be compared: unknown kind Widget"));
    }
}
