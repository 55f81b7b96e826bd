//! Pauses between tries: doubling, bounded, with jitter so that many workers do not come back at once.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// A growing pause.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    /// Starts at `first`, doubles, stays at `most`.
    pub(in crate::engine) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }
    /// Returns the next pause, up to a quarter longer than its nominal length.
    pub(in crate::engine) fn next(&mut self) -> Duration {
        let nominal = self.next;
        self.next = (nominal * 2).min(self.most);
        // RandomState is seeded by the system: enough for jitter, and no crate of its own.
        let share = RandomState::new().hash_one(nominal) % 256;
        nominal + nominal.mul_f64(0.25 * share as f64 / 256.0)
    }
    /// Starts over after a success.
    pub(in crate::engine) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_most_and_start_over() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(3));
        let pauses: Vec<u64> = (0..4).map(|_| backoff.next().as_millis() as u64).collect();
        for (pause, nominal) in pauses.iter().zip([1000, 2000, 3000, 3000]) {
            assert!((nominal..=nominal * 5 / 4).contains(pause), "{pauses:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(1250));
    }
}
