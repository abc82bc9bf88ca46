//! The daemon and the command line of Ringfence.

/// Reading and writing packet captures (pcap and pcapng).
pub mod capture;
/// The state that lasts across restarts: operator lists, countries and bans.
pub mod store;
