//! The `msnd` binary.

fn main() {}
