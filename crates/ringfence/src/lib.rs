//! The daemon and the command line of Ringfence.

/// Reading and writing packet captures (pcap and pcapng).
pub mod capture;
