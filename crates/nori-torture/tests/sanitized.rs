//! The store under a sanitizer: real threads, spawned and joined.

fn main() {}
