//! Build, test and measure Ringfence.
fn main() {}
