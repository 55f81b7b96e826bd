//! The store through a restart, a crash in the middle of a write, and as it was.

use super::*;
use serde_json::json;
use std::io::Write;

fn key(name: &str) -> Key {
    Key::new(&Arc::from("configmaps"), "shop", name)
}

fn range(collection: &Arc<str>) -> Range<'_> {
    Range { collection, namespace: Some("shop"), after: None, limit: 0, at: None }
}

fn names(page: &Page) -> Vec<String> {
    page.records.iter().map(|(key, _)| key.name.to_string()).collect()
}

#[test]
fn what_was_written_is_there_after_a_restart_with_its_revision() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), false).unwrap();
    let first = store.put(&key("a"), json!({"data": {"k": "1"}}), Expected::Absent).unwrap();
    store.put(&key("b"), json!({}), Expected::Absent).unwrap();
    store.remove(&key("b"), json!({}), 2).unwrap();
    store.close();
    drop(store);
    let store = Store::open(folder.path(), false).unwrap();
    assert_eq!((store.revision(), store.get(&key("a")).unwrap().body), (3, first.body));
    assert!(store.get(&key("b")).is_none());
    assert!(matches!(Store::open(folder.path(), false), Err(LogError::InUse(_))));
    store.close();
    drop(store);
    assert_eq!(Store::open(folder.path(), true).unwrap().revision(), 0);
}

#[test]
fn a_line_that_a_crash_cut_off_is_dropped_and_damage_before_others_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), false).unwrap();
    store.put(&key("a"), json!({}), Expected::Absent).unwrap();
    store.put(&key("b"), json!({}), Expected::Absent).unwrap();
    store.close();
    drop(store);
    let log = folder.path().join("objects.log");
    let whole = std::fs::read(&log).unwrap();
    for length in whole.len() / 2 + 1..whole.len() {
        std::fs::write(&log, &whole[..length]).unwrap();
        let store = Store::open(folder.path(), false).unwrap();
        assert_eq!(store.revision(), 1, "{length} bytes");
        store.close();
    }
    let mut damaged = whole.clone();
    damaged[20] ^= 1;
    std::fs::File::create(&log).unwrap().write_all(&damaged).unwrap();
    assert!(matches!(Store::open(folder.path(), false), Err(LogError::Damaged { line: 1, .. })));
}

#[test]
fn a_write_that_expects_another_state_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), false).unwrap();
    let record = store.put(&key("a"), json!({}), Expected::Absent).unwrap();
    assert_eq!(store.put(&key("a"), json!({}), Expected::Absent).unwrap_err(), Moved);
    assert_eq!(store.put(&key("a"), json!({}), Expected::Revision(7)).unwrap_err(), Moved);
    store.put(&key("a"), json!({}), Expected::Revision(record.revision)).unwrap();
    assert_eq!(store.remove(&key("a"), json!({}), record.revision).unwrap_err(), Moved);
}

#[test]
fn a_collection_is_read_as_it_was_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), false).unwrap();
    for name in ["a", "b", "c"] {
        store.put(&key(name), json!({}), Expected::Absent).unwrap();
    }
    store.remove(&key("b"), json!({}), 2).unwrap();
    store.put(&key("d"), json!({}), Expected::Absent).unwrap();
    let collection = Arc::from("configmaps");
    let now = store.list(range(&collection)).unwrap();
    assert_eq!((names(&now), now.revision), (vec!["a".into(), "c".into(), "d".into()], 5));
    let then = store.list(Range { at: Some(3), limit: 2, ..range(&collection) }).unwrap();
    assert_eq!((names(&then), then.revision, then.remaining), (vec!["a".into(), "b".into()], 3, 1));
    let rest = store.list(Range { at: Some(3), after: Some(("shop", "b")), ..range(&collection) }).unwrap();
    assert_eq!(names(&rest), ["c"]);
}

#[tokio::test]
async fn changes_are_told_once_they_are_on_disk_and_forgotten_at_last() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), false).unwrap();
    let mut record = store.put(&key("a"), json!({}), Expected::Absent).unwrap();
    store.settled(1).await.unwrap();
    let (events, until) = store.events(0, |_| true).unwrap();
    assert_eq!((events.len(), events[0].change, until), (1, Change::Added, 1));
    for _ in 0..9000 {
        record = store.put(&key("a"), json!({}), Expected::Revision(record.revision)).unwrap();
    }
    store.settled(record.revision).await.unwrap();
    assert!(matches!(store.events(1, |_| true), Err(TooOld { oldest }) if oldest > 1));
    assert!(store.events(record.revision, |_| true).unwrap().0.is_empty());
}
