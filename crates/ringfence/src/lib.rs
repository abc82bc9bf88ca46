//! The daemon and the command line of Ringfence.

/// The configuration file: types, defaults, and every mistake at once.
pub mod config;
