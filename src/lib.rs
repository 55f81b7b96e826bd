//! driftdeck: a terminal GitOps console. It shows, for every application, what Git says, what the cluster runs and
//! why the two differ; nothing reaches a cluster until an operator approves exactly what the screen showed.
//!
//! The library knows nothing of terminals but in [`console`]; the console is one client of the [`engine`], the command
//! line another. Arrows between the modules point one way (`tests/architecture.rs` keeps it so):
//!
//! | module | is for | uses |
//! |---|---|---|
//! | [`object`] | an object's identity, kubectl-equal YAML, secret masking, clean text | nothing |
//! | [`merge`] | field ownership and field-level changes of one object | `object` |
//! | [`git`] | mirrors, fetch, history by path, trees at a commit, writing commits, push | `object` |
//! | [`render`] | a source tree -> objects with their origin | `object` |
//! | [`cluster`] | kubeconfig, discovery, watches, apply, delete, health, inventory, records, leases | `object`, `merge` |
//! | [`config`] | the configuration file, its validation, reload, paths | `object`, `render`'s option types |
//! | [`engine`] | workers, comparison, plan, approval, sync; the only module that writes to a cluster | all of the above |
//! | [`sandbox`] | a Kubernetes API in this process | `object`, `merge` |
//! | [`cli`] | one file per command | `engine`, `config`, `sandbox`, and the types of `object`, `git`, `render`, `cluster` |
//! | [`console`] | the terminal program: model, update, view | `engine`, `config`, and the types of `object`, `git`, `cluster`, `merge` |
//!
//! `ARCHITECTURE.md` follows one change through all of them.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod cli;
pub mod cluster;
pub mod config;
pub mod console;
pub mod engine;
pub mod git;
pub mod merge;
pub mod object;
pub mod render;
pub mod sandbox;
