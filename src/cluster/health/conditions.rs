//! kstatus (sigs.k8s.io/cli-utils): what any kind's `status.conditions` say.

use super::{Condition, Health, number};
use serde_json::Value;

pub(super) fn generic(live: &Value) -> Health {
    let generation = number(live, "/metadata/generation");
    if let Some(observed) = live.pointer("/status/observedGeneration").and_then(Value::as_i64)
        && observed < generation
    {
        return Health::progressing(format!("its controller has seen generation {observed} of {generation}"));
    }
    if let Some(health) = stalled(live) {
        return health;
    }
    if let Some(condition) = Condition::of(live, "Reconciling").filter(|condition| condition.holds()) {
        return Health::progressing(condition.words("Reconciling"));
    }
    match Condition::of(live, "Ready") {
        Some(ready) if ready.observed.is_some_and(|observed| observed < generation) => {
            Health::progressing(format!("Ready is of an older generation than {generation}"))
        }
        Some(ready) if ready.holds() => Health::healthy(),
        Some(ready) => Health::progressing(ready.words(if ready.denied() { "not Ready" } else { "Ready is unknown" })),
        None => Health::healthy(),
    }
}

/// A controller says that it cannot go on by itself.
pub(super) fn stalled(live: &Value) -> Option<Health> {
    let condition = Condition::of(live, "Stalled").filter(|condition| condition.holds())?;
    Some(Health::degraded(condition.words("Stalled")))
}
