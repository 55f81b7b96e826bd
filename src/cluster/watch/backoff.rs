//! Growing waits, none like the other's.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// The wait after the next failure.
pub(super) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(SHORTEST)
    }
}

impl Backoff {
    /// Begins anew, after a success.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
    /// Returns how long to wait now.
    pub fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(LONGEST);
        wait / 2 + Duration::from_millis(random(u64::try_from(wait.as_millis() / 2).unwrap_or(1) + 1))
    }
}

/// A number below `below`: the standard library's hasher has random keys, which is all that jitter needs.
pub(super) fn random(below: u64) -> u64 {
    RandomState::new().hash_one(0_u8) % below.max(1)
}
