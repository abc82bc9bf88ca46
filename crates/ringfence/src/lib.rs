//! The daemon and the command line of Ringfence.

/// Country data: sources, ranges and the table of the judge.
pub mod country;
