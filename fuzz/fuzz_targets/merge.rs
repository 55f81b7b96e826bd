//! Any live object and any manifest of a kind with every list and map type get an answer; force leaves no conflict.
//! The input is two JSON texts, one a line: live, desired.
#![no_main]

use driftdeck::merge::{Outcome, Schema, Schemas, changes, defaults, merge};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::sync::{Arc, LazyLock};

static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    let mut schemas = Schemas::default();
    let schema = Schema::read(include_bytes!("thing.json")).expect("the target's own document");
    schemas.insert("example.com/v1", Arc::new(schema));
    schemas
});

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((live, desired)) = text.split_once('\n') else { return };
    let Ok(desired) = serde_json::from_str::<Value>(desired) else { return };
    let live = serde_json::from_str::<Value>(live).ok();
    for force in [false, true] {
        match merge(&SCHEMAS, live.as_ref(), &desired, "fuzz", force) {
            Outcome::Applied(applied) => {
                let mut object = applied.into_object();
                defaults::apply(&SCHEMAS, &mut object, live.as_ref());
                let _ = changes(live.as_ref().unwrap_or(&Value::Null), &object);
            }
            Outcome::Conflicts(conflicts) => assert!(!force && !conflicts.is_empty()),
            Outcome::Invalid(errors) => assert!(!errors.is_empty()),
            Outcome::Unknown(_) => {}
        }
    }
});
