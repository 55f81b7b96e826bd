//! Arguments, logging, exit codes; nothing else.
fn main() {}
