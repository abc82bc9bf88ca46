//! The daemon and the command line of Ringfence.

/// Packet captures, read and written.
pub mod capture;
/// The configuration file.
pub mod config;
/// Country data: sources, ranges and the table of the judge.
pub mod country;
/// The kernel's view of the network, over netlink.
pub mod net;
/// Signatures of scanners and attack tools.
pub mod signature;
/// What must last: operator lists, countries and bans, in SQLite.
pub mod store;
/// The places that judge packets.
pub mod engine;
/// From the configuration to what the judge reads.
pub mod tables;
