//! FieldsV1 of any form is read or refused; what is read is written so that it reads back the same.
#![no_main]

use driftdeck::merge::FieldSet;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    let Ok(set) = FieldSet::read(&value) else { return };
    let text = set.to_json();
    let written: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(written, set.to_value());
    let again = FieldSet::read(&written).expect("what was written is read");
    assert_eq!((&again, again.to_json()), (&set, text));
    assert_eq!(set.union(&set.leaves()), set);
    assert!(set.difference(&set).is_empty() && set.paths().iter().all(|path| set.contains(&path.0)));
});
