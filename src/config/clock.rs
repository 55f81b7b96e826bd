//! The time and the ids that this process goes by: the system's, or fixed ones that a test gives in the environment.

use jiff::Timestamp;
use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

const NOW: &str = "DRIFTDECK_NOW";
const SEED: &str = "DRIFTDECK_SEED";

static FIXED: OnceLock<Fixed> = OnceLock::new();

/// What a test has fixed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fixed {
    now: Option<Timestamp>,
    seed: Option<u64>,
}

/// Takes `DRIFTDECK_NOW` (RFC 3339) and `DRIFTDECK_SEED` (a whole number) in; to be called once, at the start. A Lease goes by
/// the system's clock all the same: other processes rely on it.
///
/// # Errors
/// Names the variable whose value cannot be read.
pub fn fix_clock(environment: impl Fn(&str) -> Option<String>) -> Result<(), String> {
    // A second call changes nothing: the time must not jump under a running process.
    let _ = FIXED.set(read(environment)?);
    Ok(())
}

fn read(environment: impl Fn(&str) -> Option<String>) -> Result<Fixed, String> {
    let text = |name: &str| environment(name).filter(|text| !text.is_empty());
    let now = text(NOW)
        .map(|text| text.parse().map_err(|_| format!("{NOW}={text}: write a time like 2026-01-31T12:00:00Z")))
        .transpose()?;
    let seed =
        text(SEED).map(|text| text.parse().map_err(|_| format!("{SEED}={text}: write a whole number"))).transpose()?;
    Ok(Fixed { now, seed })
}

/// Returns the time.
pub fn now() -> Timestamp {
    FIXED.get().and_then(|fixed| fixed.now).unwrap_or_else(Timestamp::now)
}

/// Returns an id that no other process has, and no other call in this one.
pub fn fresh_id() -> String {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let id = match FIXED.get().and_then(|fixed| fixed.seed) {
        Some(seed) => seed.wrapping_add(call),
        // RandomState is seeded by the system.
        None => RandomState::new().hash_one(call),
    };
    format!("{:08x}", id as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_gives_the_time_and_the_ids_and_a_wrong_value_is_named() {
        let given = |now: &'static str, seed: &'static str| {
            read(move |name| Some(if name == NOW { now } else { seed }.to_owned()))
        };
        let fixed = given("2026-01-31T12:00:00Z", "7").unwrap();
        assert_eq!(fixed, Fixed { now: "2026-01-31T12:00:00Z".parse().ok(), seed: Some(7) });
        assert_eq!(given("", "").unwrap(), Fixed::default());
        assert!(given("noon", "").unwrap_err().contains("DRIFTDECK_NOW=noon"));
        assert!(given("", "x").unwrap_err().contains("DRIFTDECK_SEED=x"));
        assert_ne!(fresh_id(), fresh_id());
    }
}
