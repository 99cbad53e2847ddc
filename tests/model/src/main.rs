//! model
fn main() {}
