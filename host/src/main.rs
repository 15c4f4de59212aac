//! The `mgie` command.
fn main() {}
