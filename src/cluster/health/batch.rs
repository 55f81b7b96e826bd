//! Jobs and CronJobs.

use super::{Condition, Health, list, number, text};
use jiff::Timestamp;
use serde_json::Value;

pub(super) fn job(live: &Value) -> Health {
    let holds = |name: &str| Condition::of(live, name).filter(|condition| condition.holds());
    if let Some(condition) = holds("Failed") {
        return Health::degraded(condition.words("Failed"));
    }
    if holds("Complete").is_some() {
        return Health::healthy();
    }
    if holds("Suspended").is_some() || live.pointer("/spec/suspend") == Some(&Value::Bool(true)) {
        return Health::suspended("suspended");
    }
    let (active, failed) = (number(live, "/status/active"), number(live, "/status/failed"));
    let due = live.pointer("/spec/completions").and_then(Value::as_i64).unwrap_or(1);
    let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    Health::progressing(format!("{}/{due} done, {active} active{failed}", number(live, "/status/succeeded")))
}

pub(super) fn cron_job(live: &Value) -> Health {
    if live.pointer("/spec/suspend") == Some(&Value::Bool(true)) {
        return Health::suspended("suspended: no Job is started");
    }
    if live.get("status").is_none() {
        return Health::progressing("its controller has not seen it");
    }
    let time = |pointer: &str| text(live, pointer).parse::<Timestamp>().ok();
    let (Some(scheduled), running) = (time("/status/lastScheduleTime"), !list(live, "/status/active").is_empty())
    else {
        return Health::healthy();
    };
    match time("/status/lastSuccessfulTime") {
        Some(success) if success < scheduled && !running => {
            Health::degraded(format!("the Job of {scheduled} did not succeed; the last that did: {success}"))
        }
        None if !running => Health::remark("no Job has succeeded yet"),
        _ => Health::healthy(),
    }
}
