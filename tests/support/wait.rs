//! Waiting for a state, with a deadline: the one place where a test lets time pass.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a wait may take.
pub type Patience = Duration;

/// For what the program does by itself.
pub const SHORT: Patience = Duration::from_secs(15);
/// For what a cluster or a repository has to answer first, on a busy machine.
pub const USUAL: Patience = Duration::from_secs(90);

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(50);

/// Looks again and again until `look` finds something. `look` returns what it saw instead as an error, which the panic
/// at the deadline prints.
pub fn until<T, E: std::fmt::Display>(what: &str, patience: Patience, mut look: impl FnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) if Instant::now() >= deadline => {
                panic!("waited {} s for {what}; at last:\n{seen}", patience.as_secs())
            }
            Err(_) => thread::sleep(INTERVAL),
        }
    }
}
