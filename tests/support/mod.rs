//! What the end-to-end suites stand on: a world of its own for each test (home, repositories, configuration), the programs
//! that check outcomes independently (`git`, `kubectl`), and the real binary, on the command line or in a PTY.
//!
//! Nothing here uses the library: what driftdeck did is read back with the tools that operators would use.

#![allow(dead_code, unused_imports, reason = "each suite compiles this module and uses its own part of it")]

mod canary;
mod case;
mod console;
mod driftdeck;
mod kubectl;
mod proxy;
mod repository;
mod sandbox;
mod screen;
pub mod shop;
mod skip;
mod wait;
mod wire;
mod world;

pub use canary::Canaries;
pub use case::{Case, object};
pub use console::{Console, Size};
pub use driftdeck::{Driftdeck, Output};
pub use kubectl::{Kubectl, Namespace};
pub use proxy::Proxy;
pub use repository::Repository;
pub use sandbox::Sandbox;
pub use screen::{Cell, Screen};
pub use skip::{cluster, corpus, skipped};
pub use wait::{Patience, SHORT, USUAL, until};
pub use wire::Wire;
pub use world::{Application, Cluster, World};
