//! Inputs that not every machine has. A test that lacks one says so loudly and passes; where the input is promised
//! (`DRIFTDECK_TEST_REQUIRE=1`), it fails instead.

use super::{Kubectl, kubectl::ADMIN};
use std::{env, io::Write, path::PathBuf};

/// The test cluster as its administrator; none: the calling suite's `count` cases are skipped, which is printed.
pub fn cluster(count: usize, suite: &str) -> Option<Kubectl> {
    match env::var_os("DRIFTDECK_TEST_KUBECONFIG") {
        Some(kubeconfig) => Some(Kubectl::new(kubeconfig.into(), ADMIN)),
        None => {
            skipped(count, suite, "DRIFTDECK_TEST_KUBECONFIG is not set; see tests/control-plane");
            None
        }
    }
}

/// A folder of the test corpus; none: skipped, as [`cluster`] does.
pub fn corpus(folder: &str, count: usize, suite: &str) -> Option<PathBuf> {
    let found = env::var_os("DRIFTDECK_TEST_CORPUS").map(|corpus| PathBuf::from(corpus).join(folder));
    match found {
        Some(path) if path.is_dir() => Some(path),
        Some(path) => panic!("DRIFTDECK_TEST_CORPUS is set, but there is no folder {}", path.display()),
        None => {
            skipped(count, suite, "DRIFTDECK_TEST_CORPUS is not set");
            None
        }
    }
}

/// Prints `skipped: N … (reason)` past the test runner's capture.
pub fn skipped(count: usize, what: &str, reason: &str) {
    assert!(env::var_os("DRIFTDECK_TEST_REQUIRE").is_none(), "{what} must run here, and cannot: {reason}");
    // Straight to the descriptor: `println!` of a test that passes is not shown.
    let _ = writeln!(std::io::stderr(), "skipped: {count} {what} ({reason})");
}
