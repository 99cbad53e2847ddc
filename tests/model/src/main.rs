//! model
fn main(){}
