//! Hands the arguments to the command line door and returns its exit code; nothing else.

fn main() {}
