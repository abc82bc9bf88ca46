//! The daemon and the command line of Ringfence.

/// Reading and writing packet captures (pcap and pcapng).
pub mod capture;
/// What the kernel knows of this host's network: interfaces, routes, sessions.
pub mod net;
/// The state that lasts across restarts: operator lists, countries and bans.
pub mod store;
