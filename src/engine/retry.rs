//! Pauses between tries: doubling, bounded, with jitter so that many workers do not come back at once. And what was told of the tries.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
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

/// The failure that was told last: the same one again is no news.
#[derive(Debug, Default)]
pub(in crate::engine) struct Told(Mutex<Option<String>>);

impl Told {
    /// Takes a failure in; says whether it is news.
    pub(in crate::engine) fn failure(&self, message: &str) -> bool {
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(message.to_owned());
        before.as_deref() != Some(message)
    }
    /// Takes a success in; says whether there was a failure before it.
    pub(in crate::engine) fn success(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_once_and_again_when_it_changes_or_comes_back() {
        let told = Told::default();
        assert!(!told.success());
        let news = ["refused", "refused", "no answer", "refused"].map(|message| told.failure(message));
        assert_eq!(news, [true, false, true, true]);
        assert!(told.success() && !told.success());
        assert!(told.failure("refused"));
    }

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
