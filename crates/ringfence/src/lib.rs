//! The daemon and the command line of Ringfence.

pub mod signature;
